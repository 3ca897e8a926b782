//! The function that a behaviour runs before the cache is asked.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Response, header};

use super::{
    answer::{self, Body},
    function::{self, Call, Generated, Verdict},
    headers,
    refusal::Refusal,
    request::{Asked, Outcome, Viewer},
    routes::{Distribution, Route},
    viewer_response,
};

/// Lets the behaviour's function change what is asked. The function may answer itself.
pub(super) fn run(
    viewer: &Viewer,
    distribution: &Distribution,
    route: &Route,
    asked: &mut Asked<'_>,
) -> Result<Option<Response<Body>>, Refusal> {
    let Some(function) = &route.request_function else { return Ok(None) };
    let call = Call {
        distribution_id: &distribution.id,
        distribution_domain: &distribution.domain_name,
        request_id: viewer.id(),
        viewer: viewer.arrival.peer.ip(),
        method: viewer.method.as_str(),
        uri: &asked.path,
        query: &asked.query,
        headers: &asked.headers,
        origins: &distribution.origin_ids,
    };
    match function::run(function, &call) {
        Ok(Verdict::Request { uri, query, headers, origin }) => {
            let selected = origin.and_then(|id| distribution.origin_ids.iter().position(|one| *one == id));
            asked.origin = selected.unwrap_or(asked.origin);
            asked.path = uri.into();
            asked.query = query.into();
            asked.headers = Cow::Owned(headers);
            Ok(None)
        }
        Ok(Verdict::Response(answer)) => Ok(Some(generated(viewer, distribution, route, answer))),
        Err(error) => {
            tracing::warn!(function = function.name, error = %error, "a viewer-request function failed");
            Err(Refusal { status: error.status(), outcome: Outcome::FunctionFailed, words: FAILED, code: None })
        }
    }
}

/// What a viewer is told of a function that failed.
pub(super) const FAILED: &str =
    "The CloudFront function associated with the CloudFront distribution is invalid or could not run.";

/// A function's own answer.
fn generated(viewer: &Viewer, distribution: &Distribution, route: &Route, answer: Generated) -> Response<Body> {
    let body = answer.body.unwrap_or_default();
    let length = body.len();
    let mut response = Response::new(answer::full(if viewer.method == Method::HEAD { Bytes::new() } else { body }));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    headers::remove_hop_by_hop(response.headers_mut());
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    let policy = route.headers.as_deref();
    viewer_response::finish(response.headers_mut(), viewer, Some(distribution), policy, Outcome::FunctionGenerated);
    response
}
