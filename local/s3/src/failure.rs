//! What can go wrong, in S3's words.

use std::{borrow::Cow, io, path::PathBuf};

use http::{HeaderMap, StatusCode};
use s3s::{S3Error, S3ErrorCode};
use vodline_core::{AwsError, StoreError};

/// The service could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The home's store refused.
    #[error("the store of S3 cannot be opened")]
    Store(#[from] StoreError),
    /// The directory of the objects cannot be used.
    #[error("the directory {path} cannot be used for objects")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A refusal, as the client sees it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: S3ErrorCode,
    /// For codes that s3s knows no status of.
    status: Option<StatusCode>,
    message: Cow<'static, str>,
    pub(crate) headers: HeaderMap,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        self.status.or_else(|| self.code.status_code()).unwrap_or(StatusCode::BAD_REQUEST)
    }
}

/// A request cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It is refused, with one of S3's error codes.
    #[error("{}: {}", .0.code.as_str(), .0.message)]
    Refused(Box<Refusal>),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The disk failed.
    #[error("an object's file could not be {action}")]
    Disk {
        action: &'static str,
        #[source]
        source: io::Error,
    },
    /// A blocking task of ours panicked or was cancelled.
    #[error("a task ended before its time")]
    Task(#[from] tokio::task::JoinError),
}

impl Failure {
    pub(crate) fn new(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(code, None, message.into())
    }

    /// A refusal with a code that s3s does not know.
    pub(crate) fn custom(code: &'static str, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(S3ErrorCode::Custom(code.into()), Some(status), message.into())
    }

    fn refused(code: S3ErrorCode, status: Option<StatusCode>, message: Cow<'static, str>) -> Self {
        Self::Refused(Box::new(Refusal { code, status, message, headers: HeaderMap::new() }))
    }

    /// Adds a header to the refusal; one that HTTP cannot carry is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let (Self::Refused(refusal), Ok(value)) = (&mut self, value.parse()) {
            refusal.headers.insert(name, value);
        }
        self
    }

    pub(crate) fn disk(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk { action, source }
    }

    pub(crate) fn no_such_bucket() -> Self {
        Self::new(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist")
    }

    pub(crate) fn no_such_key() -> Self {
        Self::new(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
    }

    pub(crate) fn no_such_version() -> Self {
        Self::new(S3ErrorCode::NoSuchVersion, "The specified version does not exist.")
    }

    pub(crate) fn no_such_upload() -> Self {
        Self::new(
            S3ErrorCode::NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
        )
    }

    pub(crate) fn precondition() -> Self {
        Self::new(S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
    }

    pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(S3ErrorCode::InvalidArgument, message)
    }

    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(S3ErrorCode::InvalidRequest, message)
    }

    /// The home does not serve this part of an operation; says so by name.
    pub(crate) fn unsupported(operation: &str, part: &str) -> Self {
        Self::new(S3ErrorCode::NotImplemented, format!("the local home does not support {part} in s3:{operation}"))
    }

    fn log(&self) {
        if !matches!(self, Self::Refused(_)) {
            tracing::error!(error = ?self, "a request to S3 failed");
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        failure.log();
        match failure {
            Failure::Refused(refusal) => {
                let status = refusal.status();
                let Refusal { code, message, headers, .. } = *refusal;
                let mut error = Self::with_message(code, message);
                error.set_status_code(status);
                if !headers.is_empty() {
                    error.set_headers(headers);
                }
                error
            }
            Failure::Store(_) | Failure::Disk { .. } | Failure::Task(_) => {
                Self::with_message(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
            }
        }
    }
}

impl From<Failure> for AwsError {
    fn from(failure: Failure) -> Self {
        failure.log();
        match failure {
            Failure::Refused(refusal) => Self::with_status(refusal.status(), refusal.code.as_str(), refusal.message),
            Failure::Store(error) => error.into(),
            Failure::Disk { .. } | Failure::Task(_) => Self::internal("the home's disk failed; its log says why"),
        }
    }
}
