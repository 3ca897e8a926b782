//! What every answer gets before it goes out.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};

use super::{
    answer::{self, Body},
    function::{self, Call},
    headers::HeadersPlan,
    refusal::Refusal,
    request::{Outcome, Viewer},
    routes::{Distribution, Route},
    viewer_request::FAILED,
};

pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
const X_AMZ_CF_POP: HeaderName = HeaderName::from_static("x-amz-cf-pop");
/// Where this edge says it is: not at any airport of AWS's.
pub(crate) const EDGE_LOCATION: &str = "LOCAL1-C1";
const POP: HeaderValue = HeaderValue::from_static(EDGE_LOCATION);

/// Writes the edge's own headers, and those of the behaviour's policy.
pub(super) fn finish(
    headers: &mut HeaderMap,
    viewer: &Viewer,
    distribution: Option<&Distribution>,
    policy: Option<&HeadersPlan>,
    outcome: Outcome,
) {
    headers.insert(X_CACHE, HeaderValue::from_static(outcome.as_str()));
    if let Some(distribution) = distribution {
        headers.insert(header::VIA, distribution.via.clone());
    }
    headers.insert(X_AMZ_CF_POP, POP);
    headers.insert(X_AMZ_CF_ID, viewer.id.clone());
    if let Some(policy) = policy {
        policy.apply(&viewer.method, &viewer.headers, headers);
    }
}

/// Lets the behaviour's function change an answer. It sees the head only; a body that it gives replaces the answer's.
pub(super) fn run(
    viewer: &Viewer,
    distribution: &Distribution,
    route: &Route,
    response: Response<Body>,
) -> Result<Response<Body>, Refusal> {
    let Some(function) = &route.response_function else { return Ok(response) };
    let call = Call {
        distribution_id: &distribution.id,
        distribution_domain: &distribution.domain_name,
        request_id: viewer.id(),
        viewer: viewer.arrival.peer.ip(),
        method: viewer.method.as_str(),
        uri: viewer.path(),
        query: viewer.query(),
        headers: &viewer.headers,
        origins: &[],
    };
    let (mut head, body) = response.into_parts();
    let changed = function::run_response(function, &call, head.status, &head.headers).map_err(|error| {
        tracing::warn!(function = function.name, error = %error, "a viewer-response function failed");
        Refusal { status: error.status(), outcome: Outcome::FunctionFailed, words: FAILED, code: None }
    })?;
    head.status = changed.status;
    head.headers = changed.headers;
    let Some(own) = changed.body else { return Ok(Response::from_parts(head, body)) };
    // What was said of the replaced body does not hold of this one.
    for name in [header::CONTENT_ENCODING, header::CONTENT_RANGE, header::ETAG, header::ACCEPT_RANGES] {
        head.headers.remove(name);
    }
    head.headers.insert(header::CONTENT_LENGTH, own.len().into());
    let own = if viewer.method == Method::HEAD { Bytes::new() } else { own };
    Ok(Response::from_parts(head, answer::full(own)))
}
