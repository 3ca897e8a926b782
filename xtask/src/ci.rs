//! `cargo xtask test` and `cargo xtask ci`.

use crate::{
    Outcome, diagram,
    generated::Mode,
    home::{self, Profile},
    schemas,
    shell::{cargo, command, root, run},
    tools,
};

#[derive(clap::Args)]
pub(crate) struct TestArguments {
    /// Only tests whose name holds this.
    filter: Option<String>,
}

/// Every test: Rust's, the site's, and end to end with stock clients and a browser.
pub(crate) fn test(arguments: &TestArguments) -> Outcome {
    tools::ffmpeg()?;
    tools::xmllint()?;
    let chromium = tools::chromium()?;
    let aws = tools::aws_clients()?;
    let node = tools::node()?;
    let path = tools::path_with(node.as_deref());
    home::build_site()?;
    tools::npm_ci("the players of the conformance test", &root().join("tests/conformance"))?;
    home::build(Profile::Dev)?;
    if arguments.filter.is_none() {
        let web = root().join("frontend/web");
        for script in ["check", "test", "test:browser"] {
            run(
                &format!("test the site (npm run {script})"),
                command("npm").args(["run", script]).current_dir(&web).env("PATH", &path).env("CHROMIUM", &chromium),
            )?;
        }
    }
    let mut tests = cargo();
    tests.args(["test", "--workspace"]).args(&arguments.filter);
    tests.env("VODLINE_AWS_BIN", &aws).env("CHROMIUM", &chromium).env("PATH", &path);
    run("test the workspace (cargo test)", &mut tests)
}

/// What CI runs.
pub(crate) fn ci() -> Outcome {
    run("check the format (cargo fmt)", cargo().args(["fmt", "--all", "--check"]))?;
    schemas::run(Mode::Check)?;
    diagram::run(Mode::Check)?;
    run("lint (cargo clippy)", cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    test(&TestArguments { filter: None })
}
