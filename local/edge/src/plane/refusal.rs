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
    /// The error's code, where CloudFront answers in XML.
    pub code: Option<&'static str>,
}

impl Refusal {
    /// An error of the edge's own.
    pub(super) fn new(status: StatusCode, words: &'static str) -> Self {
        Self { status, outcome: Outcome::Error, words, code: None }
    }

    /// A viewer who may not ask this, told so as CloudFront tells it.
    pub(super) fn coded(code: &'static str, words: &'static str) -> Self {
        Self { status: StatusCode::FORBIDDEN, outcome: Outcome::Error, words, code: Some(code) }
    }

    pub(super) fn into_response(self, viewer: &Viewer, distribution: Option<&Distribution>) -> Response<Body> {
        let (content_type, document) = match self.code {
            Some(code) => ("text/xml", coded_document(code, self.words)),
            None => ("text/html", document(self.status, self.words)),
        };
        let length = document.len();
        let body = if viewer.method == Method::HEAD { Bytes::new() } else { document };
        let mut response = Response::new(answer::full(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_LENGTH, length.into());
        viewer_response::finish(headers, viewer, distribution, None, self.outcome);
        response
    }
}

/// A page that says what went wrong.
pub(super) fn document(status: StatusCode, words: &str) -> Bytes {
    format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{words}</p></body></html>\n").into()
}

fn coded_document(code: &str, words: &str) -> Bytes {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{words}</Message></Error>")
        .into()
}
