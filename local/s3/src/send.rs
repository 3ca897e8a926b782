//! Bodies on their way out: a range of a file, read ahead in large chunks.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt, Stream};
use s3s::{
    StdError,
    dto::StreamingBlob,
    stream::{ByteStream, RemainingLength},
};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// Bytes read at a time: large enough that the hand-over between threads does not count.
const CHUNK_BYTES: u64 = 512 * 1024;

/// The bytes `range` of a file. Must run where blocking is allowed: what fits in one chunk is read at once.
pub(crate) fn send(mut file: File, range: Range<u64>) -> Result<StreamingBlob, Failure> {
    let remaining = range.end.saturating_sub(range.start);
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start)).map_err(Failure::disk("read"))?;
    }
    let state = if remaining <= CHUNK_BYTES {
        let (_, bytes) = read(file, remaining).map_err(Failure::disk("read"))?;
        State::Ready(bytes)
    } else {
        State::Idle(file)
    };
    Ok(StreamingBlob::new(FileStream { remaining, state }))
}

/// Reads exactly `size` bytes.
fn read(mut file: File, size: u64) -> io::Result<(File, Bytes)> {
    // Reading to the end of a bounded reader fills fresh capacity without zeroing it first.
    let mut buffer = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
    (&mut file).take(size).read_to_end(&mut buffer)?;
    if (buffer.len() as u64) < size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than its row says"));
    }
    Ok((file, buffer.into()))
}

struct FileStream {
    /// Bytes not yet handed out.
    remaining: u64,
    state: State,
}

enum State {
    /// Nothing read yet.
    Idle(File),
    /// The next chunk is being read.
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    /// The last chunk is here.
    Ready(Bytes),
    Done,
}

fn read_ahead(file: File, size: u64) -> State {
    State::Reading(tokio::task::spawn_blocking(move || read(file, size)))
}

impl Stream for FileStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Ready(bytes) => {
                    self.remaining = 0;
                    return Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)));
                }
                State::Idle(file) => self.state = read_ahead(file, self.remaining.min(CHUNK_BYTES)),
                State::Reading(mut task) => {
                    let Poll::Ready(joined) = task.poll_unpin(context) else {
                        self.state = State::Reading(task);
                        return Poll::Pending;
                    };
                    let (file, bytes) = joined??;
                    self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
                    if self.remaining > 0 {
                        self.state = read_ahead(file, self.remaining.min(CHUNK_BYTES));
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
        }
    }
}

impl ByteStream for FileStream {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.remaining).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
