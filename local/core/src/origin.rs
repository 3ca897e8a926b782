//! The data planes behind the edge: what a distribution's origins answer.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// A request to an origin, as CloudFront sends it: custom headers added, prefix and cookies already decided.
#[derive(Clone, Debug)]
pub struct OriginRequest {
    /// The origin's domain name; which data plane answers is decided by its form.
    pub domain_name: String,
    /// HTTP method.
    pub method: Method,
    /// The path, percent-encoded, origin path included.
    pub path: String,
    /// The query string without `?`; may be empty.
    pub query: String,
    /// Headers, the origin's custom headers included.
    pub headers: HeaderMap,
    /// The body; empty for GET and HEAD.
    pub body: Bytes,
    /// As whom the edge signed: the distribution's ARN, where an origin access control makes it sign. A bucket's policy is asked
    /// about it (`AWS:SourceArn`). Within one process no signature has to be computed; the field cannot come from a viewer.
    pub signer: Option<String>,
}

/// An origin's answer.
#[derive(Clone, Debug)]
pub struct OriginResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: OriginBody,
}

/// Where an answer's bytes are.
#[derive(Clone, Debug)]
pub enum OriginBody {
    /// In memory.
    Bytes(Bytes),
    /// The whole of a file that never changes.
    File {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size_bytes: u64,
    },
}

/// A data plane: S3's objects, MediaPackage's egress, the HTTP API.
#[async_trait]
pub trait Origin: Send + Sync + 'static {
    /// Answers one request. Failures are answers too: an origin that cannot be reached is a 502.
    async fn fetch(&self, request: OriginRequest) -> OriginResponse;
}
