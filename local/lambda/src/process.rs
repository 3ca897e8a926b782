//! A function process: the child, its port, its pipe, and what became of it.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
    time::Instant,
};

use crate::{
    environment::{Surroundings, environment},
    output::Output,
    runtime_api::{Job, Session},
    service::Core,
    spec::FunctionSpec,
};

/// The version of a binary; another file of the same name is another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: SystemTime,
    size_bytes: u64,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { modified: metadata.modified()?, size_bytes: metadata.len() })
    }
}

/// A running (or just ended) function process. Dropping it kills the child and closes its port.
pub(crate) struct Process {
    spec: Arc<FunctionSpec>,
    stamp: Stamp,
    session: Arc<Session>,
    jobs: mpsc::Sender<Job>,
    polls: watch::Receiver<u64>,
    /// How it ended, in the words of Lambda's error messages.
    exit: watch::Receiver<Option<String>>,
    kill: Option<oneshot::Sender<()>>,
    server: AbortHandle,
    pid: Option<u32>,
    pub(crate) output: Arc<Output>,
    pub(crate) spawned: Instant,
    /// Since when it waits for work.
    pub(crate) idle_since: Instant,
    /// Whether an invocation has been given to it.
    pub(crate) used: bool,
}

impl Process {
    /// Starts a process of the function. It is not ready before [`Process::ready`].
    pub(crate) async fn spawn(core: &Core, spec: Arc<FunctionSpec>) -> io::Result<Self> {
        let binary = core.binary(&spec);
        let stamp = Stamp::of(&binary)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let stream: Arc<str> = core.log_stream().into();
        let variables = environment(
            &spec,
            core.credentials.issue(&spec.role_arn),
            &Surroundings {
                account: &core.account,
                endpoint_url: &core.endpoint_url,
                task_root: &core.bin_dir,
                log_stream: &stream,
                runtime_api: listener.local_addr()?,
                path: std::env::var("PATH").ok(),
            },
        );
        let (reader, writer) = io::pipe()?;
        let child =
            command(&binary, &core.bin_dir).envs(variables).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        let output =
            Output::new(reader, spec.name.as_str().into(), stream, core.clock.clone(), core.log_writer.clone())?;
        tokio::spawn(output.clone().run());
        let (jobs, receiver) = mpsc::channel(1);
        let session = Session::new(receiver);
        let polls = session.polls();
        let server = tokio::spawn(session.clone().serve(listener)).abort_handle();
        let pid = child.id();
        let (kill, killed) = oneshot::channel();
        let (ended, exit) = watch::channel(None);
        tokio::spawn(watch_over(child, killed, ended));
        let now = Instant::now();
        Ok(Self {
            spec,
            stamp,
            session,
            jobs,
            polls,
            exit,
            kill: Some(kill),
            server,
            pid,
            output,
            spawned: now,
            idle_since: now,
            used: false,
        })
    }

    /// Whether it may take the next invocation: alive, and of the present binary and configuration.
    pub(crate) fn is_current(&self, spec: &FunctionSpec, stamp: Option<Stamp>) -> bool {
        self.exit.borrow().is_none() && *self.spec == *spec && Some(self.stamp) == stamp
    }

    /// Returns once the process has asked for its first work; `Err` with how it ended.
    pub(crate) async fn ready(&mut self) -> Result<(), String> {
        self.polled(0).await
    }

    /// Returns once the process has asked for work more than `before` times; `Err` with how it ended.
    pub(crate) async fn polled(&mut self, before: u64) -> Result<(), String> {
        let mut polls = self.polls.clone();
        tokio::select! {
            biased;
            polled = async { polls.wait_for(|polls| *polls > before).await.is_ok() } => {
                if polled { Ok(()) } else { Err(self.exited().await) }
            }
            how = self.exited() => Err(how),
        }
    }

    /// How often the process has asked for work.
    pub(crate) fn polls(&self) -> u64 {
        *self.polls.borrow()
    }

    /// Returns how the process ended, once it has.
    pub(crate) async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        let how = exit.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        how.unwrap_or_else(|| "unknown".into())
    }

    /// What the process itself reported of a failed initialisation.
    pub(crate) fn init_error(&self) -> Option<bytes::Bytes> {
        self.session.init_error()
    }

    /// Gives it an invocation. The reply never comes if the process ends first.
    pub(crate) async fn give(&mut self, job: Job) {
        self.used = true;
        // The channel is closed only together with the session, whose process has then ended.
        let _ = self.jobs.send(job).await;
    }

    /// Ends it now, and returns when it is gone.
    pub(crate) async fn kill(&mut self) {
        self.kill = None;
        self.exited().await;
    }

    /// The most memory it has ever had resident, where the system tells.
    pub(crate) fn max_memory_mb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes.div_ceil(1024))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn command(binary: &PathBuf, task_root: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .current_dir(task_root)
        .stdin(Stdio::null())
        // A group of its own, so that Ctrl-C in the home's terminal does not end invocations that the home still waits for.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Waits for the child's end, or brings it about when the other side of `killed` is gone.
async fn watch_over(mut child: Child, killed: oneshot::Receiver<()>, ended: watch::Sender<Option<String>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = killed => {
            // It fails only for a child that has ended already.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let how = match status {
        Ok(status) => describe(status),
        Err(error) => {
            tracing::error!(%error, "a function process cannot be waited for");
            "unknown".into()
        }
    };
    ended.send_replace(Some(how));
}

/// How a process ended, as Lambda's error messages have it.
fn describe(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("exit status {code}");
    }
    let signal = status.signal().unwrap_or_default();
    match signal {
        4 => "signal: illegal instruction".into(),
        6 => "signal: aborted".into(),
        7 => "signal: bus error".into(),
        8 => "signal: floating point exception".into(),
        9 => "signal: killed".into(),
        11 => "signal: segmentation fault".into(),
        15 => "signal: terminated".into(),
        other => format!("signal: {other}"),
    }
}

/// How long a process may take before it first asks for work.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.
pub(crate) const INIT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_lambdas_words() {
        for (raw, expected) in
            [(0, "exit status 0"), (101 << 8, "exit status 101"), (9, "signal: killed"), (10, "signal: 10")]
        {
            assert_eq!(describe(ExitStatus::from_raw(raw)), expected);
        }
    }
}
