//! What one viewer gets of an answer: which part, in which form.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{
    Plane,
    answer::{self, Body, Part},
    compression,
    entry::{Content, Entry},
    request::{Outcome, Viewer},
    routes::{Distribution, Route},
    viewer_response,
};

/// Gives a viewer its part of an answer, under this status if it is the whole.
pub(super) fn deliver(
    plane: &Plane,
    viewer: &Viewer,
    distribution: &Distribution,
    route: &Route,
    entry: &Entry,
    status: StatusCode,
    outcome: Outcome,
) -> Response<Body> {
    let part = match status {
        StatusCode::OK => answer::part(&viewer.method, &viewer.headers, entry),
        _ => Part::Whole,
    };
    // A part is always one of the plain bytes.
    let coded = match part {
        Part::Whole | Part::NotModified if !viewer.headers.contains_key(header::RANGE) => {
            compression::choose(&viewer.headers, &entry.codings)
        }
        _ => None,
    };
    let mut headers = entry.headers.clone();
    let mut multipart = None;
    let (body, length) = match (&part, coded) {
        (Part::Whole, Some((_, bytes))) => (answer::full(bytes.clone()), bytes.len() as u64),
        (Part::Whole, None) => {
            let length = entry.content.size_bytes();
            (answer::body(&entry.content, 0..length), length)
        }
        (Part::Range(range), _) => (answer::body(&entry.content, range.clone()), range.end - range.start),
        (Part::Ranges(ranges), _) => match answer::multipart(entry, ranges, viewer.id()) {
            Some(parts) => {
                multipart = Some(parts.content_type);
                (parts.body, parts.length)
            }
            None => (answer::full(Bytes::new()), 0),
        },
        (Part::NotModified | Part::Unsatisfiable | Part::Failed, _) => (answer::full(Bytes::new()), 0),
    };
    let head_only = viewer.method == Method::HEAD;
    let has_length = part != Part::NotModified && !(head_only && headers.contains_key(header::CONTENT_LENGTH));
    if has_length && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if !entry.codings.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Some((coding, _)) = coded {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        if let Some(etag) = entry.etag.as_ref().and_then(compression::weakened) {
            headers.insert(header::ETAG, etag);
        }
    }
    if let Some(content_range) = answer::content_range(&part, entry.content.size_bytes()) {
        headers.insert(header::CONTENT_RANGE, content_range);
    }
    if let Some(content_type) = multipart {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    let age = plane.clock.now().duration_since(entry.stored_at).as_secs().max(0);
    if age > 0 || outcome == Outcome::Hit {
        headers.insert(header::AGE, age.into());
    }
    viewer_response::finish(&mut headers, viewer, Some(distribution), route.headers.as_deref(), outcome);
    let empty = head_only || matches!(entry.content, Content::Memory(ref bytes) if bytes.is_empty());
    let mut response = Response::new(if empty { answer::full(Bytes::new()) } else { body });
    *response.status_mut() = if part == Part::Whole { status } else { answer::status(&part) };
    *response.headers_mut() = headers;
    response
}
