//! One ffmpeg process, from start to end.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::Instant,
};

use super::Progress;

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
}

/// Runs `command` to its end and tells of its progress. In every case but success the process is dead when this returns.
pub(crate) async fn run(
    mut command: Command,
    mut watch: Watch,
    on_progress: impl FnMut(Progress),
) -> Result<Progress, ChildError> {
    let mut child = command.spawn().map_err(ChildError::Launch)?;
    let outcome = tokio::select! {
        outcome = follow(&mut child, watch.stall, on_progress) => outcome,
        _ = watch.cancel.wait_for(|canceled| *canceled) => Err(ChildError::Canceled),
    };
    if outcome.is_err() {
        // Already dead is fine.
        let _ = child.kill().await;
    }
    outcome
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

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn watch(stall: Duration) -> (watch::Sender<bool>, Watch) {
        let (sender, cancel) = watch::channel(false);
        (sender, Watch { stall, cancel })
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
}
