//! The edge's own errors.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{
    answer::{self, Body},
    request::{Outcome, Viewer},
    routes::Distribution,
    viewer_response,
};

/// A stage's word that a request goes no further.
pub(super) struct Refusal {
    pub status: StatusCode,
    pub outcome: Outcome,
    pub words: &'static str,
}

impl Refusal {
    /// An error of the edge's own.
    pub(super) fn new(status: StatusCode, words: &'static str) -> Self {
        Self { status, outcome: Outcome::Error, words }
    }

    pub(super) fn into_response(self, viewer: &Viewer, distribution: Option<&Distribution>) -> Response<Body> {
        let document = document(self.status, self.words);
        let length = document.len();
        let body = if viewer.method == Method::HEAD { Bytes::new() } else { document };
        let mut response = Response::new(answer::full(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        headers.insert(header::CONTENT_LENGTH, length.into());
        viewer_response::finish(headers, viewer, distribution, None, self.outcome);
        response
    }
}

/// A page that says what went wrong.
pub(super) fn document(status: StatusCode, words: &str) -> Bytes {
    format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{words}</p></body></html>\n").into()
}
