//! The local home as a child process.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Outcome,
    shell::{cargo, command, root, run},
    tools,
};

/// How long a home may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Which build of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run; what benchmarks measure.
    Release,
}

impl Profile {
    /// Where cargo puts the programs.
    pub(crate) fn folder(self) -> PathBuf {
        root().join("target").join(match self {
            Self::Dev => "debug",
            Self::Release => "release",
        })
    }
}

/// Builds the home, the CLI and every function.
pub(crate) fn build(profile: Profile) -> Outcome {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins", "--exclude", "xtask"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    run("build the home, the CLI and the functions (the first time takes minutes)", &mut command)
}

/// Builds the site and the console.
pub(crate) fn build_site() -> Outcome {
    let node = tools::node()?;
    let web = root().join("frontend/web");
    let path = tools::path_with(node.as_deref());
    tools::npm_ci("the site's packages", &web)?;
    run("build the site (npm run build)", command("npm").args(["run", "build"]).current_dir(&web).env("PATH", &path))
}

/// A running home; ended when dropped.
pub(crate) struct Home {
    child: Child,
    profile: Profile,
    endpoint: String,
}

/// Where a home listens and keeps its data.
pub(crate) struct Place {
    /// Data directory.
    pub(crate) data: PathBuf,
    /// Port of the AWS APIs.
    pub(crate) port: u16,
    /// Port of the edge.
    pub(crate) edge_port: u16,
}

impl Home {
    /// Starts a home and waits until it is ready.
    pub(crate) fn start(profile: Profile, place: &Place) -> Outcome<Self> {
        Self::start_with(profile, place, &root().join("template.yaml"))
    }

    /// Starts a home of another stack than the project's.
    pub(crate) fn start_with(profile: Profile, place: &Place, template: &Path) -> Outcome<Self> {
        let child = command(profile.folder().join("vodline"))
            .arg("up")
            .arg("--data")
            .arg(&place.data)
            .args(["--port", &place.port.to_string(), "--edge-port", &place.edge_port.to_string()])
            .arg("--template")
            .arg(template)
            .spawn()
            .map_err(|error| format!("cannot start the home: {error}"))?;
        let mut home = Self { child, profile, endpoint: format!("http://127.0.0.1:{}", place.port) };
        let deadline = Instant::now() + START_TIMEOUT;
        while home.status().is_none() {
            if let Ok(Some(status)) = home.child.try_wait() {
                return Err(format!("the home ended with {status}; the lines above say why"));
            }
            if Instant::now() > deadline {
                return Err(format!("the home did not come up within {} s", START_TIMEOUT.as_secs()));
            }
            sleep(Duration::from_millis(200));
        }
        Ok(home)
    }

    /// The CLI, pointed at this home.
    pub(crate) fn vodline(&self) -> Command {
        let mut command = command(self.profile.folder().join("vodline"));
        command.env("VODLINE_ENDPOINT", &self.endpoint);
        command
    }

    /// `vodline status --json`, once the home is ready.
    pub(crate) fn status(&self) -> Option<Value> {
        let output = self.vodline().args(["status", "--json"]).output().ok()?;
        output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
    }

    /// An output of the stack.
    pub(crate) fn output(&self, name: &str) -> Outcome<String> {
        let status = self.status().ok_or("the home does not answer")?;
        let value = status["outputs"][name].as_str().ok_or_else(|| format!("the stack has no output {name}"))?;
        Ok(value.to_owned())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory the home holds now, in MiB; `None` where the system does not say.
    pub(crate) fn memory_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
    }

    /// Waits until the home ends by itself (an interrupt from the terminal reaches it too).
    pub(crate) fn wait(&mut self) -> Outcome {
        self.child.wait().map(drop).map_err(|error| format!("cannot wait for the home: {error}"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a sample with picture and sound.
pub(crate) fn sample(path: &Path, seconds: u32) -> Outcome {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let (video, audio) = (
        format!("testsrc2=size=1920x1080:rate=30:duration={seconds}"),
        format!("sine=frequency=440:beep_factor=4:sample_rate=48000:duration={seconds}"),
    );
    run(
        &format!("make a {seconds} s sample, 1080p with sound, at {}", path.display()),
        command("ffmpeg")
            .args([
                "-hide_banner",
                "-loglevel",
                "error",
                "-y",
                "-f",
                "lavfi",
                "-i",
                &video,
                "-f",
                "lavfi",
                "-i",
                &audio,
            ])
            .args([
                "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a",
                "128k",
            ])
            .arg(path),
    )
}
