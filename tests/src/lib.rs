//! A real home for end-to-end tests: the `vodline` program as a child, on free ports, with a data directory of its own.
//!
//! Tests go through the public doors only: the CLI, the AWS APIs, the edge, a browser.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

pub mod clips;
pub mod machine;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything a test waits for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The workspace's folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program of the workspace, in the folder that this test was built into.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.ancestors().nth(2).unwrap().join(name);
    assert!(program.exists(), "{} is not built; `cargo xtask test` builds it", program.display());
    program
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none in good time.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(Duration::from_millis(50));
    }
}

/// A running home.
pub struct Home {
    child: Child,
    template: PathBuf,
    parameters: Vec<String>,
    /// Its data directory; kept when the home is stopped, so that another can go on from it.
    pub data: TempDir,
    /// Port of the AWS APIs.
    pub port: u16,
    /// Port of the edge.
    pub edge_port: u16,
}

impl Home {
    /// A new home, ready to work.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), 0, 0)
    }

    /// A new home of another stack than ours.
    #[must_use]
    pub fn start_with(template: &Path) -> Self {
        Self::launch(template.to_owned(), Vec::new(), TempDir::new().unwrap(), 0, 0)
    }

    /// A new home of our stack with other parameters, each `NAME=VALUE`.
    #[must_use]
    pub fn start_with_parameters(parameters: &[&str]) -> Self {
        let parameters = parameters.iter().map(ToString::to_string).collect();
        Self::launch(root().join("template.yaml"), parameters, TempDir::new().unwrap(), 0, 0)
    }

    /// A home on existing data, ready to work.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start_in(data: TempDir, port: u16, edge_port: u16) -> Self {
        Self::launch(root().join("template.yaml"), Vec::new(), data, port, edge_port)
    }

    fn launch(template: PathBuf, parameters: Vec<String>, data: TempDir, port: u16, edge_port: u16) -> Self {
        let note = data.path().join("home.json");
        let _ = std::fs::remove_file(&note);
        let mut child = Command::new(program("vodline"))
            .arg("up")
            .arg("--data")
            .arg(data.path())
            .args(["--port", &port.to_string(), "--edge-port", &edge_port.to_string()])
            .arg("--template")
            .arg(&template)
            .args(parameters.iter().flat_map(|parameter| ["--parameter", parameter]))
            .stdin(Stdio::null())
            .spawn()
            .expect("vodline starts");
        let ports: Value = until("the home comes up", || {
            assert!(child.try_wait().unwrap().is_none(), "the home ended early; its words are above");
            serde_json::from_slice(&std::fs::read(&note).ok()?).ok()
        });
        let port = |name: &str| u16::try_from(ports[name].as_u64().unwrap()).unwrap();
        Self { child, template, parameters, data, port: port("port"), edge_port: port("edgePort") }
    }

    /// Ends the home as a power cut would, and starts another on the same data and ports.
    #[must_use]
    pub fn kill_and_restart(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let (port, edge_port) = (self.port, self.edge_port);
        // `Home` has a Drop; the data directory has to survive it.
        let data = std::mem::replace(&mut self.data, TempDir::new().unwrap());
        let template = std::mem::take(&mut self.template);
        let parameters = std::mem::take(&mut self.parameters);
        drop(self);
        Self::launch(template, parameters, data, port, edge_port)
    }

    /// The home's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where AWS clients are pointed.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An address of the site.
    #[must_use]
    pub fn site(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.edge_port)
    }

    /// The CLI, pointed at this home.
    pub fn vodline(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("vodline"));
        command.env("VODLINE_ENDPOINT", self.endpoint()).args(arguments).stdin(Stdio::null());
        command
    }

    /// What a command of the CLI prints; it must succeed.
    #[track_caller]
    pub fn print(&self, arguments: &[&str]) -> String {
        let output = self.vodline(arguments).output().unwrap();
        assert!(output.status.success(), "vodline {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// An output of the stack.
    #[track_caller]
    pub fn output(&self, name: &str) -> String {
        let status: Value = serde_json::from_str(&self.print(&["status", "--json"])).unwrap();
        status["outputs"][name].as_str().unwrap_or_else(|| panic!("no output {name} in {status}")).to_owned()
    }

    /// Uploads a file, follows its run to the end and returns the row, whatever became of it.
    #[track_caller]
    pub fn upload(&self, file: &Path, more: &[&str]) -> Value {
        let output = self.vodline(&["upload", "--json"]).arg(file).args(more).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("upload of {}: {}", file.display(), text(&output)))
    }

    /// Uploads a file without waiting; returns the video's id.
    #[track_caller]
    pub fn upload_only(&self, file: &Path) -> String {
        let output = self.vodline(&["upload", "--no-wait"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A video's row, as the site's API tells it.
    #[must_use]
    pub fn row(&self, video_id: &str) -> Option<Value> {
        let (status, body) = get(&self.site(&format!("/api/videos/{video_id}")), &[]);
        let detail: Value = (status == 200).then(|| serde_json::from_slice(&body).ok())??;
        Some(detail["video"].clone())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program printed, for a failed assertion.
#[must_use]
pub fn text(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Fetches an address; status and body.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn get(url: &str, headers: &[(&str, &str)]) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut request = reqwest::Client::new().get(url).timeout(Duration::from_secs(30));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    })
}

/// What points a stock AWS client at the home.
#[must_use]
pub fn client_environment(home: &Home) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", home.endpoint()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "vodline".into()),
        ("AWS_SECRET_ACCESS_KEY", "vodline-local".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_PAGER", String::new()),
    ]
}
