//! What every answer gets before it goes out.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    headers::HeadersPlan,
    request::{Outcome, Viewer},
    routes::Distribution,
};

pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
const X_AMZ_CF_POP: HeaderName = HeaderName::from_static("x-amz-cf-pop");
/// Where this edge says it is: not at any airport of AWS's.
const POP: HeaderValue = HeaderValue::from_static("LOCAL1-C1");

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
