//! One ffmpeg process, from start to end.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::Instant,
};

use super::{Guard, Progress};

/// How much of the end of standard error is kept: enough for the last complaints, whatever came before.
const WORDS_BYTES_MAX: usize = 4096;

/// How a run may end badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    /// The program could not be started.
    #[error("cannot start ffmpeg")]
    Launch(#[source] std::io::Error),
    /// Its pipes or its end could not be read.
    #[error("cannot follow ffmpeg")]
    Follow(#[source] std::io::Error),
    /// Nothing moved for too long; it was killed.
    #[error("no progress for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The job's time is up; it was killed.
    #[error("it took more than {} s", .0.as_secs())]
    Time(Duration),
    /// It took more memory than it may; it was killed.
    #[error("it took more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    /// The job's files grew beyond what they may; it was killed.
    #[error("its files took more than {} MiB", .0 >> 20)]
    Disk(u64),
    /// The disk is almost full; it was killed so that the rest of the home can go on.
    #[error("the disk is almost full")]
    DiskFull,
    /// It ended with an error; these were its last words.
    #[error("{0}")]
    Failed(String),
    /// The job was cancelled; the process was killed.
    #[error("canceled")]
    Canceled,
}

/// How a run is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// How long nothing may move.
    pub(crate) stall: Duration,
    /// Becomes true when the job is cancelled.
    pub(crate) cancel: watch::Receiver<bool>,
    /// What it may use up.
    pub(crate) guard: Guard,
}

/// Runs `command` to its end and tells of its progress. In every case but success the process is dead when this returns, and so
/// is whatever it started; likewise when the future is dropped.
pub(crate) async fn run(
    mut command: Command,
    mut watch: Watch,
    on_progress: impl FnMut(Progress),
) -> Result<Progress, ChildError> {
    // A group of its own, so that it can be killed with all its descendants.
    command.process_group(0);
    let mut child = command.spawn().map_err(ChildError::Launch)?;
    let group = Group::of(&child);
    let process = child.id();
    let outcome = tokio::select! {
        outcome = follow(&mut child, watch.stall, on_progress) => outcome,
        error = watch.guard.exceeded(process) => Err(error),
        _ = watch.cancel.wait_for(|canceled| *canceled) => Err(ChildError::Canceled),
    };
    if outcome.is_ok() {
        group.ended();
        return outcome;
    }
    drop(group);
    // Reaps it; already dead is fine.
    let _ = child.kill().await;
    outcome
}

/// The processes of a run; killed when this is dropped.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let process = child.id().and_then(|id| i32::try_from(id).ok());
        Self(process.and_then(rustix::process::Pid::from_raw))
    }

    /// The leader has ended and was waited for: its number may soon be another's.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Gone already is as good.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

async fn follow(child: &mut Child, stall: Duration, on_progress: impl FnMut(Progress)) -> Result<Progress, ChildError> {
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    // A stall ends both: the words of a process that stands still would never end.
    let (progress, words) = tokio::try_join!(
        async {
            match stdout {
                Some(stdout) => read_progress(stdout, stall, on_progress).await,
                None => Ok(Progress::default()),
            }
        },
        async {
            match stderr {
                Some(stderr) => Ok(last_words(stderr).await),
                None => Ok(String::new()),
            }
        },
    )?;
    let status = tokio::time::timeout(stall, child.wait())
        .await
        .map_err(|_| ChildError::Stalled(stall))?
        .map_err(ChildError::Follow)?;
    if status.success() {
        return Ok(progress);
    }
    Err(ChildError::Failed(if words.is_empty() { format!("ffmpeg ended with {status}") } else { words }))
}

async fn read_progress(
    stdout: impl AsyncRead + Unpin,
    stall: Duration,
    mut on_progress: impl FnMut(Progress),
) -> Result<Progress, ChildError> {
    let mut lines = BufReader::new(stdout).lines();
    let mut progress = Progress::default();
    let mut told = progress;
    let mut moved = Instant::now();
    loop {
        let line = tokio::time::timeout(stall, lines.next_line())
            .await
            .map_err(|_| ChildError::Stalled(stall))?
            .map_err(ChildError::Follow)?;
        let Some(line) = line else { return Ok(progress) };
        progress.read(&line);
        // A report ends with this line.
        if !line.starts_with("progress=") {
            continue;
        }
        if progress != told {
            moved = Instant::now();
            told = progress;
        } else if moved.elapsed() > stall {
            return Err(ChildError::Stalled(stall));
        }
        on_progress(progress);
    }
}

async fn last_words(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut tail: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        tail.extend_from_slice(&buffer[..read]);
        let surplus = tail.len().saturating_sub(WORDS_BYTES_MAX);
        tail.drain(..surplus);
    }
    String::from_utf8_lossy(&tail).trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::process::Stdio;

    use super::*;
    use crate::run::Limits;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn watch(stall: Duration) -> (watch::Sender<bool>, Watch) {
        watch_with(stall, Limits::default())
    }

    fn watch_with(stall: Duration, limits: Limits) -> (watch::Sender<bool>, Watch) {
        let (sender, cancel) = watch::channel(false);
        (
            sender,
            Watch { stall, cancel, guard: Guard::new(limits, &std::env::temp_dir().join("vodline-no-such-scratch")) },
        )
    }

    #[tokio::test]
    async fn a_run_tells_its_progress() {
        let (_sender, watch) = watch(Duration::from_secs(30));
        let mut told = Vec::new();
        let script = "echo frame=1; echo out_time_us=5; echo progress=continue; echo frame=9; echo progress=end";
        let end = run(shell(script), watch, |progress| told.push(progress.frames)).await.unwrap();
        assert_eq!((told, end.frames), (vec![1, 9], 9));
    }

    #[tokio::test]
    async fn a_failure_keeps_the_last_words_only() {
        let (_sender, watch) = watch(Duration::from_secs(30));
        let script = "yes noise | head -c 100000 >&2; echo the end >&2; exit 3";
        let Err(ChildError::Failed(words)) = run(shell(script), watch, |_| {}).await else { panic!("must fail") };
        assert!(words.ends_with("the end") && words.len() <= WORDS_BYTES_MAX, "{}", words.len());
    }

    #[tokio::test]
    async fn a_run_that_stands_still_is_killed() {
        let (_sender, watch) = watch(Duration::from_millis(50));
        let outcome = run(shell("exec sleep 600"), watch, |_| {}).await;
        assert!(matches!(outcome, Err(ChildError::Stalled(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_canceled_run_is_killed() {
        let (sender, watch) = watch(Duration::from_secs(600));
        let run = tokio::spawn(run(shell("exec sleep 600"), watch, |_| {}));
        sender.send(true).unwrap();
        assert!(matches!(run.await.unwrap(), Err(ChildError::Canceled)));
    }

    #[tokio::test]
    async fn a_run_has_only_so_much_time() {
        let limits = Limits { job_time: Duration::from_millis(50), ..Limits::default() };
        let (_sender, watch) = watch_with(Duration::from_secs(600), limits);
        let outcome = run(shell("exec sleep 600"), watch, |_| {}).await;
        assert!(matches!(outcome, Err(ChildError::Time(_))), "{outcome:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_run_has_only_so_much_memory() {
        let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
        let (_sender, watch) = watch_with(Duration::from_secs(600), limits);
        let hungry = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); exec sleep 600";
        let outcome = run(shell(hungry), watch, |_| {}).await;
        assert!(matches!(outcome, Err(ChildError::Memory(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_run_has_only_so_much_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let limits = Limits { scratch_bytes: 1 << 20, ..Limits::default() };
        let (_sender, mut watch) = watch_with(Duration::from_secs(600), limits);
        watch.guard = Guard::new(limits, scratch.path());
        let greedy = format!("head -c 2000000 /dev/zero > {}/file; exec sleep 600", scratch.path().display());
        let outcome = run(shell(&greedy), watch, |_| {}).await;
        assert!(matches!(outcome, Err(ChildError::Disk(_))), "{outcome:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_run_started_dies_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("pid");
        let (sender, watch) = watch(Duration::from_secs(600));
        let script =
            format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; echo progress=continue; wait", note.display());
        let outcome = run(shell(&script), watch, |_| {
            sender.send_replace(true);
        })
        .await;
        assert!(matches!(outcome, Err(ChildError::Canceled)), "{outcome:?}");
        let grandchild = std::fs::read_to_string(&note).unwrap();
        let status = || std::fs::read_to_string(format!("/proc/{}/status", grandchild.trim())).unwrap_or_default();
        // Gone, or about to be reaped by whoever inherited it; a kill takes effect a moment later.
        let dead = async {
            while !(status().is_empty() || status().contains("State:\tZ")) {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(30), dead).await.is_ok(), "{}", status());
    }
}
