//! Whether a viewer may ask what it asks.

use std::borrow::Cow;

use http::StatusCode;
use jiff::Timestamp;

use super::{
    refusal::Refusal,
    request::{Asked, Viewer},
    routes::Route,
    signed,
};

/// The longest URL; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const URL_BYTES_MAX: usize = 8192;

/// Checks what holds whatever is asked of whichever distribution.
pub(super) fn check_form(viewer: &Viewer) -> Result<(), Refusal> {
    if viewer.path().len() + viewer.query().len() >= URL_BYTES_MAX {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "The URL is too long."));
    }
    Ok(())
}

/// Checks what the behaviour demands.
pub(super) fn check(viewer: &Viewer, route: &Route, now: Timestamp) -> Result<(), Refusal> {
    if !route.allows(&viewer.method) {
        let words =
            "This distribution is not configured to allow the HTTP request method that was used for this request.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, words));
    }
    let Some(signers) = &route.signers else { return Ok(()) };
    let request = signed::Request {
        scheme: viewer.arrival.scheme,
        host: viewer.host(),
        path: viewer.path(),
        query: viewer.query(),
        headers: &viewer.headers,
        viewer: viewer.arrival.peer.ip(),
    };
    signed::check(signers, &request, now).map_err(|denial| Refusal::coded(denial.code(), denial.message()))
}

/// Takes away what the viewer signed with: it is for the edge alone.
pub(super) fn strip(route: &Route, asked: &mut Asked<'_>) {
    if route.signers.is_none() {
        return;
    }
    if let Cow::Owned(query) = signed::strip_query(&asked.query) {
        asked.query = query.into();
    }
    if let Some(headers) = signed::strip_cookies(&asked.headers) {
        asked.headers = Cow::Owned(headers);
    }
}
