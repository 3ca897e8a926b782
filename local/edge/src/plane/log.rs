//! What is told of each request.

use http::{HeaderValue, Response, header};

use super::{Plane, answer::Body, request::Viewer, viewer_response::X_CACHE};
use crate::service::Access;

/// Tells the access log, if there is one.
pub(super) fn record(plane: &Plane, viewer: &Viewer, response: &Response<Body>) {
    let Some(log) = &plane.access_log else { return };
    let text = |value: Option<&HeaderValue>| value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    log.record(&Access {
        time: plane.clock.now(),
        viewer: viewer.ip,
        method: viewer.method.to_string(),
        host: viewer.host().to_owned(),
        path: viewer.path().to_owned(),
        query: viewer.query().to_owned(),
        status: response.status().as_u16(),
        body_bytes: text(response.headers().get(header::CONTENT_LENGTH)).parse().unwrap_or(0),
        result: text(response.headers().get(X_CACHE)),
        request_id: viewer.id().to_owned(),
    });
}
