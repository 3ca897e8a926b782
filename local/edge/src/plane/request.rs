//! A viewer's request, and what the stages before the cache make of it.

use std::{borrow::Cow, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};

/// How an answer came about; `x-cache` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Hit,
    Miss,
    RefreshHit,
    Error,
    FunctionGenerated,
    FunctionFailed,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "Hit from cloudfront",
            Self::Miss => "Miss from cloudfront",
            Self::RefreshHit => "RefreshHit from cloudfront",
            Self::Error => "Error from cloudfront",
            Self::FunctionGenerated => "FunctionGeneratedResponse from cloudfront",
            Self::FunctionFailed => "FunctionExecutionError from cloudfront",
        }
    }
}

/// Whence a request comes, as its connection tells: what a viewer writes into a request proves nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub peer: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
}

/// A request as the viewer sent it; its body is still to be read.
pub(super) struct Viewer {
    pub method: Method,
    pub version: Version,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub arrival: Arrival,
    /// `x-amz-cf-id` of the answer.
    pub id: HeaderValue,
}

impl Viewer {
    /// The size of the request without its body, about: separators are not counted.
    pub(super) fn size_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        self.path().len() + self.query().len() + headers.sum::<usize>()
    }

    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// Without `?`.
    pub(super) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// Whom the viewer asks: `:authority` of HTTP/2, `Host` of HTTP/1.
    pub(super) fn host(&self) -> &str {
        let host = || self.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        self.uri.authority().map(http::uri::Authority::as_str).or_else(host).unwrap_or_default()
    }

    pub(super) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }
}

/// What is asked of the cache and the origin: the viewer's request, as the access rules and the function have changed it.
pub(super) struct Asked<'a> {
    pub path: Cow<'a, str>,
    /// Without `?`.
    pub query: Cow<'a, str>,
    pub headers: Cow<'a, HeaderMap>,
    /// An index of the distribution's origins.
    pub origin: usize,
    pub body: Bytes,
}

impl<'a> Asked<'a> {
    pub(super) fn new(viewer: &'a Viewer, origin: usize) -> Self {
        Self {
            path: viewer.path().into(),
            query: viewer.query().into(),
            headers: Cow::Borrowed(&viewer.headers),
            origin,
            body: Bytes::new(),
        }
    }

    /// A page that the edge itself asks for.
    pub(super) fn page(path: &'a str, origin: usize) -> Self {
        Self { path: path.into(), query: "".into(), headers: Cow::Owned(HeaderMap::new()), origin, body: Bytes::new() }
    }
}
