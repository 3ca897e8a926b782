//! What a function process prints: one pipe for stdout and stderr, cut into lines.

use std::{
    fs::File,
    io::{self, PipeReader, Read},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex as Lock, PoisonError},
};

use tokio::{net::unix::pipe, sync::Mutex};
use vodline_core::Clock;

use crate::logs::{Line, Writer};

/// The longest line; longer ones are cut. Source:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html> (256 KB until 2025, 1 MB since).
const MAX_LINE_BYTES: usize = 256 * 1024;

/// The bytes of the log that an invocation with `LogType: Tail` gets back.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.
const TAIL_BYTES: usize = 4096;

/// Read at a time.
const READ_BYTES: usize = 16 * 1024;

/// The log stream of one process.
pub(crate) struct Output {
    /// Tells when there is something to read.
    pipe: pipe::Receiver,
    /// The same pipe. Reads through Tokio consult the reactor first, which may not have heard yet of what is in the pipe; the end of
    /// an invocation needs to know that the pipe is empty.
    direct: File,
    /// Read but not yet a whole line. Held while lines are read and handed on, so that they stay in order.
    partial: Mutex<Vec<u8>>,
    /// The end of what was written since the last [`Output::begin`].
    tail: Lock<String>,
    function: Arc<str>,
    stream: Arc<str>,
    clock: Arc<dyn Clock>,
    writer: Writer,
}

impl Output {
    pub(crate) fn new(
        pipe: PipeReader,
        function: Arc<str>,
        stream: Arc<str>,
        clock: Arc<dyn Clock>,
        writer: Writer,
    ) -> io::Result<Arc<Self>> {
        // This makes the pipe non-blocking, for both ways of reading it.
        let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(pipe))?;
        let direct = File::from(pipe.as_fd().try_clone_to_owned()?);
        Ok(Arc::new(Self {
            pipe,
            direct,
            partial: Mutex::default(),
            tail: Lock::default(),
            function,
            stream,
            clock,
            writer,
        }))
    }

    /// Reads until the process and everybody it gave the pipe to have closed it.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let Ok(()) = self.pipe.readable().await else { return };
            match self.read(|buffer| self.pipe.try_read(buffer)).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, function = &*self.function, "the output of a function cannot be read");
                    return;
                }
            }
        }
    }

    /// Starts a new tail and writes a line of Lambda's own.
    pub(crate) async fn begin(&self, message: &str) {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.write(&[message]).await;
    }

    /// Writes lines of Lambda's own, after everything the process has printed so far.
    pub(crate) async fn write(&self, messages: &[&str]) {
        // A pipe that cannot be read is noticed, and logged, by `run`.
        let _ = self.read(|buffer| (&self.direct).read(buffer)).await;
        let mut partial = self.partial.lock().await;
        let mut lines = Vec::new();
        if !partial.is_empty() {
            lines.push(self.line(&std::mem::take(&mut *partial)));
        }
        lines.extend(messages.iter().map(|message| self.line(message.as_bytes())));
        self.writer.write(lines).await;
    }

    /// The end of the current invocation's log.
    pub(crate) fn tail(&self) -> String {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in everything that is in the pipe now; `false` at its end.
    async fn read(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<bool> {
        let mut partial = self.partial.lock().await;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    partial.extend_from_slice(&buffer[..read]);
                    self.writer.write(self.cut(&mut partial)).await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the whole lines out of `partial`, and what is longer than a line may be.
    fn cut(&self, partial: &mut Vec<u8>) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            let end = partial.iter().position(|byte| *byte == b'\n');
            match end {
                Some(end) if end <= MAX_LINE_BYTES => {
                    let line: Vec<u8> = partial.drain(..=end).collect();
                    lines.push(self.line(&line[..end]));
                }
                _ if partial.len() >= MAX_LINE_BYTES => {
                    let line: Vec<u8> = partial.drain(..MAX_LINE_BYTES).collect();
                    lines.push(self.line(&line));
                }
                _ => return lines,
            }
        }
    }

    fn line(&self, bytes: &[u8]) -> Line {
        let text = String::from_utf8_lossy(bytes);
        let message = text.strip_suffix('\r').unwrap_or(&text).to_owned();
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.push_str(&message);
        tail.push('\n');
        if tail.len() > TAIL_BYTES {
            let cut = tail.ceil_char_boundary(tail.len() - TAIL_BYTES);
            tail.drain(..cut);
        }
        Line { function: self.function.clone(), stream: self.stream.clone(), time: self.clock.now(), message }
    }
}
