//! Content that is still arriving: read by as many viewers as want it while it is written once.

use std::{
    fs::File,
    io::{self, Read as _},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

use super::answer::{CHUNK_BYTES, blocking};

/// How far an arrival has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// So many chunks are there.
    Chunks(usize),
    /// No more will come.
    Broken,
}

/// Content of a known size, in chunks of [`CHUNK_BYTES`].
#[derive(Debug)]
pub(super) struct Growing {
    size_bytes: u64,
    chunks: Mutex<Vec<Bytes>>,
    progress: watch::Sender<Progress>,
}

impl Growing {
    pub(super) fn new(size_bytes: u64) -> Self {
        Self { size_bytes, chunks: Mutex::default(), progress: watch::Sender::new(Progress::Chunks(0)) }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads the whole file into this, each chunk within the limit. Gives the content in one piece.
    ///
    /// # Errors
    /// When the file is shorter or longer than was said, cannot be read, or stalls; viewers are told as well.
    pub(super) async fn fill(&self, file: Arc<File>, chunk_timeout: Duration) -> io::Result<Bytes> {
        let result = self.read(file, chunk_timeout).await;
        if result.is_err() {
            self.progress.send_replace(Progress::Broken);
        }
        result
    }

    async fn read(&self, file: Arc<File>, chunk_timeout: Duration) -> io::Result<Bytes> {
        let mut left = self.size_bytes;
        while left > 0 {
            let wanted = left.min(CHUNK_BYTES as u64) as usize;
            let file = file.clone();
            let read = blocking(move || {
                let mut chunk = vec![0; wanted];
                (&*file).read_exact(&mut chunk)?;
                Ok(chunk)
            });
            let chunk = tokio::time::timeout(chunk_timeout, read).await??;
            left -= wanted as u64;
            let count = {
                let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
                chunks.push(chunk.into());
                chunks.len()
            };
            self.progress.send_replace(Progress::Chunks(count));
        }
        let end = blocking(move || (&*file).read(&mut [0]));
        if tokio::time::timeout(chunk_timeout, end).await?? > 0 {
            return Err(io::Error::other("there is more than was said"));
        }
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = BytesMut::with_capacity(self.size_bytes as usize);
        chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        Ok(whole.freeze())
    }

    /// The next bytes of a range, at most a chunk; waits until they are there. The range is not empty and within the size.
    ///
    /// # Errors
    /// When they will never come.
    pub(super) async fn next(&self, range: Range<u64>) -> io::Result<Bytes> {
        let index = (range.start / CHUNK_BYTES as u64) as usize;
        let mut progress = self.progress.subscribe();
        let reached = |progress: &Progress| match progress {
            Progress::Chunks(count) => *count > index,
            Progress::Broken => true,
        };
        // The sender lives in `self`, so it is there.
        let _ = progress.wait_for(reached).await.map_err(io::Error::other)?;
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = chunks.get(index).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let begin = index as u64 * CHUNK_BYTES as u64;
        let end = range.end.min(begin + chunk.len() as u64);
        Ok(chunk.slice((range.start - begin) as usize..(end - begin) as usize))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::io::{Seek as _, Write as _};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file.into()
    }

    #[tokio::test]
    async fn a_viewer_reads_what_is_there_and_waits_for_the_rest() {
        let bytes: Vec<u8> = (0..(CHUNK_BYTES + 1000)).map(|index| (index % 251) as u8).collect();
        let growing = Growing::new(bytes.len() as u64);
        let range = CHUNK_BYTES as u64 - 2..CHUNK_BYTES as u64 + 2;
        let (first, whole) = tokio::join!(growing.next(range.clone()), growing.fill(file(&bytes), TIMEOUT));
        assert_eq!(first.unwrap()[..], bytes[CHUNK_BYTES - 2..CHUNK_BYTES]);
        let second = growing.next(CHUNK_BYTES as u64..range.end).await.unwrap();
        assert_eq!(second[..], bytes[CHUNK_BYTES..CHUNK_BYTES + 2]);
        assert!(whole.unwrap() == bytes);
    }

    #[tokio::test]
    async fn a_file_of_another_size_than_was_said_breaks() {
        for (said, there) in [(CHUNK_BYTES * 2, CHUNK_BYTES + 5), (5, 6)] {
            let growing = Growing::new(said as u64);
            assert!(growing.fill(file(&vec![7; there]), TIMEOUT).await.is_err());
            let last = said as u64 - 1..said as u64;
            assert_eq!(growing.next(last).await.is_err(), said > there);
        }
    }
}
