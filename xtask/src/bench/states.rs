//! `cargo xtask bench states`: the same load on the local home, its durable store on, and on ministack, which keeps all in
//! memory.

use std::{
    net::TcpStream,
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    home::{Home, Place, Profile},
    shell::{cargo, command, output, root, run as run_command, works},
    tools,
};

/// A stack of one function: the bench need not build all the others.
const TEMPLATE: &str = "xtask/src/bench/states.yaml";
/// Ports that no other home of this machine uses by default.
const PORT: u16 = 14567;
const EDGE_PORT: u16 = 18081;
const MINISTACK_PORT: u16 = 14568;
/// Lambda tasks whose median counts.
const LAMBDA_TASKS: u32 = 200;
/// Executions left waiting.
const WAITING: u32 = 10_000;
/// How long ministack may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Executions of the ten-state machine.
    #[arg(long, default_value_t = 2000)]
    executions: u32,
    /// How often each side is measured; the best of each counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Measure the quick-to-build programs instead of the release.
    #[arg(long)]
    dev: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let profile = if arguments.dev { Profile::Dev } else { Profile::Release };
    build(profile)?;
    let load = profile.folder().join("examples/states_load");
    let place = Place { data: root().join("target/bench/states"), port: PORT, edge_port: EDGE_PORT };
    let _ = std::fs::remove_dir_all(&place.data);
    let template = root().join(TEMPLATE);
    let home = Home::start_with(profile, &place, &template)?;
    let ministack = Ministack::start()?;
    let measure = |port: u16, what: &str, count: u32| -> Outcome<f64> {
        let text = output(command(&load).args([&format!("http://127.0.0.1:{port}"), what, &count.to_string()]))?;
        text.trim().parse().map_err(|_| format!("the load printed {text}"))
    };
    let (mut ours, mut theirs) = (0.0_f64, 0.0_f64);
    // In turns, so that a busy minute of the machine falls on both.
    for round in 1..=arguments.rounds {
        println!("==> round {round} of {}", arguments.rounds);
        ours = ours.max(measure(PORT, "passes", arguments.executions)?);
        theirs = theirs.max(measure(MINISTACK_PORT, "passes", arguments.executions)?);
    }
    drop(ministack);
    println!("==> Lambda tasks, one after another");
    let task = measure(PORT, "lambda", LAMBDA_TASKS)?;
    println!("==> executions that wait");
    let before = home.memory_mib();
    measure(PORT, "waiting", WAITING)?;
    let memory = home.memory_mib().zip(before).map(|(after, before)| after.saturating_sub(before));
    drop(home);
    let began = Instant::now();
    let _restarted = Home::start_with(profile, &place, &template)?;
    let restart = began.elapsed();
    println!();
    println!("local home, durable store on {ours:>10.0} states/s");
    println!("ministack, in memory         {theirs:>10.0} states/s");
    println!("ratio                        {:>10.2}   (aim: at least 3)", ours / theirs);
    println!("one Lambda task, all in all  {task:>10.2} ms, median   (aim: under 5 beyond the function's own time)");
    let memory = memory.map_or_else(|| "unknown".to_owned(), |mib| mib.to_string());
    println!("{WAITING} waiting executions {memory:>10} MiB more   (aim: under 200)");
    println!("start of the home with them  {:>10.2} s   (aim: under 3)", restart.as_secs_f64());
    Ok(())
}

/// Builds the home, the one function and the load.
fn build(profile: Profile) -> Outcome {
    let mut build = cargo();
    build.args(["build", "--package", "vodline", "--package", "admit-upload", "--package", "vodline-tests"]);
    build.args(["--bin", "vodline", "--bin", "admit-upload", "--example", "states_load"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    run_command("build the home, a function and the load (the first time takes minutes)", &mut build)
}

/// ministack from PyPI; ended when dropped.
struct Ministack(Child);

impl Ministack {
    fn start() -> Outcome<Self> {
        let bin = tools::python("ministack")?.join("bin");
        if !works(&bin.join("python").to_string_lossy(), "-cimport ministack") {
            run_command(
                "install ministack from PyPI",
                command(bin.join("pip")).args(["install", "--quiet", "ministack"]),
            )?;
        }
        let child = command(bin.join("ministack"))
            .env("GATEWAY_PORT", MINISTACK_PORT.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start ministack: {error}"))?;
        let ministack = Self(child);
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", MINISTACK_PORT)).is_err() {
            if Instant::now() > deadline {
                return Err("ministack did not come up".into());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(ministack)
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
