//! What one viewer gets of an answer: which part, in which form.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::{
    Plane,
    answer::{self, Body, Part},
    cache::Entry,
    compression,
    refusal::Refusal,
    request::Viewer,
    routes::{Distribution, Route},
    viewer_response,
};

/// An answer and where its bytes are.
#[derive(Clone)]
pub(super) enum Found {
    Memory(Arc<Entry>),
    /// Too large to be kept: the head, and the file.
    File(Arc<Entry>, PathBuf, u64),
}

impl Found {
    pub(super) fn entry(&self) -> &Entry {
        match self {
            Self::Memory(entry) | Self::File(entry, ..) => entry,
        }
    }
}

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

pub(super) fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

pub(super) fn outcome_of(found: &Found) -> Outcome {
    if is_error(found.entry().status) { Outcome::Error } else { Outcome::Miss }
}

/// Gives a viewer its part of an answer.
pub(super) async fn deliver(
    plane: &Plane,
    viewer: &Viewer,
    distribution: &Distribution,
    route: &Route,
    found: Found,
    status: StatusCode,
    outcome: Outcome,
) -> Result<Response<Body>, Refusal> {
    let entry = found.entry();
    // A part is always one of the plain bytes.
    let gzip = entry
        .gzip
        .as_ref()
        .filter(|_| !viewer.headers.contains_key(header::RANGE) && compression::accepts_gzip(&viewer.headers));
    let length = match &found {
        Found::Memory(entry) => gzip.unwrap_or(&entry.body).len() as u64,
        Found::File(_, _, size_bytes) => *size_bytes,
    };
    let part = if status == StatusCode::OK {
        answer::part(&viewer.method, &viewer.headers, entry.etag.as_ref(), entry.last_modified, length)
    } else {
        Part::Whole
    };
    let range = match &part {
        Part::Whole => 0..length,
        Part::Range(range) => range.clone(),
        Part::NotModified | Part::Unsatisfiable => 0..0,
    };
    let head_only = viewer.method == Method::HEAD;
    let mut headers = HeaderMap::with_capacity(entry.headers.len() + 10);
    headers.clone_from(&entry.headers);
    let body = match &found {
        _ if head_only || range.is_empty() => answer::full(Bytes::new()),
        Found::Memory(entry) => {
            answer::full(gzip.unwrap_or(&entry.body).slice(range.start as usize..range.end as usize))
        }
        Found::File(_, path, _) => match answer::file(path.clone(), range.clone()).await {
            Ok(body) => body,
            Err(error) => {
                tracing::warn!(error = %error, "an origin's file cannot be opened");
                return Err(Refusal::new(StatusCode::BAD_GATEWAY, "The origin's file is gone."));
            }
        },
    };
    let has_length = part != Part::NotModified && !(head_only && headers.contains_key(header::CONTENT_LENGTH));
    if has_length && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    }
    if entry.gzip.is_some() {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if gzip.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(etag) = entry.etag.as_ref().and_then(compression::weakened) {
            headers.insert(header::ETAG, etag);
        }
    }
    if status == StatusCode::OK {
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if let Some(content_range) = answer::content_range(&part, length) {
        headers.insert(header::CONTENT_RANGE, content_range);
    }
    let age = plane.clock.now().duration_since(entry.stored_at).as_secs().max(0);
    if age > 0 || outcome == Outcome::Hit {
        headers.insert(header::AGE, age.into());
    }
    viewer_response::finish(&mut headers, viewer, Some(distribution), route.headers.as_deref(), outcome);
    let mut response = Response::new(body);
    *response.status_mut() = if part == Part::Whole { status } else { answer::status(&part) };
    *response.headers_mut() = headers;
    Ok(response)
}
