//! Bodies on their way in: written to a new file while their digests are computed.

use std::{io::Write, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use s3s::{
    S3ErrorCode,
    crypto::{Checksum as _, Md5},
    dto::StreamingBlob,
};
use tokio::sync::mpsc;

use crate::{
    checksum::{Algorithm, Hasher},
    failure::Failure,
    files::NewFile,
    service::Core,
};

/// The largest object of one PutObject, and the largest part.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub(crate) const MAX_BODY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Bodies up to here are gathered in memory and written in one go, which spares small objects the hand-over between threads.
const GATHERED_BYTES: usize = 1024 * 1024;

/// Chunks that may wait for the disk; bounds the memory of an upload to a few MiB.
const WAITING_CHUNKS: usize = 16;

/// How long S3 waits for more of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A body that is on disk.
pub(crate) struct Received {
    pub(crate) file: NewFile,
    pub(crate) size_bytes: u64,
    pub(crate) md5: [u8; 16],
    digests: Vec<(Algorithm, Vec<u8>)>,
}

impl Received {
    /// The digest of an algorithm that was asked for; empty for any other.
    pub(crate) fn digest(&self, algorithm: Algorithm) -> &[u8] {
        self.digests.iter().find(|(known, _)| *known == algorithm).map_or(&[], |(_, digest)| digest)
    }
}

/// Writes bytes to a new file, digesting them as they pass.
pub(crate) struct Writer {
    new: NewFile,
    file: std::fs::File,
    size_bytes: u64,
    md5: Md5,
    hashers: Vec<(Algorithm, Hasher)>,
}

impl Writer {
    pub(crate) fn create(core: &Core, mut algorithms: Vec<Algorithm>) -> Result<Self, Failure> {
        let (new, file) = core.files.create()?;
        algorithms.dedup();
        let hashers = algorithms.into_iter().map(|algorithm| (algorithm, Hasher::new(algorithm))).collect();
        Ok(Self { new, file, size_bytes: 0, md5: Md5::new(), hashers })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > MAX_BODY_BYTES {
            return Err(Failure::new(
                S3ErrorCode::EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed size",
            ));
        }
        self.file.write_all(bytes).map_err(Failure::disk("written"))?;
        self.md5.update(bytes);
        self.hashers.iter_mut().for_each(|(_, hasher)| hasher.update(bytes));
        Ok(())
    }

    pub(crate) fn finish(self) -> Received {
        Received {
            file: self.new,
            size_bytes: self.size_bytes,
            md5: self.md5.finalize(),
            digests: self.hashers.into_iter().map(|(algorithm, hasher)| (algorithm, hasher.finish())).collect(),
        }
    }
}

/// Takes a whole body in, with its digests by these algorithms.
///
/// If the caller goes away half-way, this future is dropped and with it the file.
pub(crate) async fn receive(
    core: &Arc<Core>,
    body: Option<StreamingBlob>,
    algorithms: Vec<Algorithm>,
) -> Result<Received, Failure> {
    let Some(mut body) = body else {
        return core.blocking(move |core| Ok(Writer::create(core, algorithms)?.finish())).await;
    };
    let mut gathered: Vec<Bytes> = Vec::new();
    let mut size = 0;
    while size <= GATHERED_BYTES {
        match next(&mut body).await? {
            Some(chunk) => {
                size += chunk.len();
                gathered.push(chunk);
            }
            None => {
                return core
                    .blocking(move |core| {
                        let mut writer = Writer::create(core, algorithms)?;
                        gathered.iter().try_for_each(|chunk| writer.write(chunk))?;
                        Ok(writer.finish())
                    })
                    .await;
            }
        }
    }
    // A large body: one thread writes and digests while this task waits for the network.
    let (sender, mut receiver) = mpsc::channel::<Bytes>(WAITING_CHUNKS);
    let owner = core.clone();
    let writing = tokio::spawn(async move {
        owner
            .blocking(move |core| {
                let mut writer = Writer::create(core, algorithms)?;
                while let Some(chunk) = receiver.blocking_recv() {
                    writer.write(&chunk)?;
                }
                Ok(writer.finish())
            })
            .await
    });
    for chunk in mem::take(&mut gathered) {
        if sender.send(chunk).await.is_err() {
            return writing.await?;
        }
    }
    while let Some(chunk) = next(&mut body).await? {
        // The writer hangs up only when it failed; its own result says why.
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    drop(sender);
    writing.await?
}

async fn next(body: &mut StreamingBlob) -> Result<Option<Bytes>, Failure> {
    let chunk = tokio::time::timeout(IDLE_TIMEOUT, body.next()).await.map_err(|_| {
        Failure::new(
            S3ErrorCode::RequestTimeout,
            "Your socket connection to the server was not read from or written to within the timeout period. Idle \
             connections will be closed.",
        )
    })?;
    chunk.transpose().map_err(|error| {
        // s3s checks payload signatures while the body streams; its error types are private, their words are not.
        let text = error.to_string();
        if text.contains("Sha256Mismatch") {
            return Failure::custom(
                "XAmzContentSHA256Mismatch",
                http::StatusCode::BAD_REQUEST,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            );
        }
        if text.contains("SignatureMismatch") {
            return Failure::new(
                S3ErrorCode::SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            );
        }
        tracing::debug!(%error, "a body ended early");
        Failure::new(
            S3ErrorCode::IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        )
    })
}
