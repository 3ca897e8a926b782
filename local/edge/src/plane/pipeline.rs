//! The stages, in their order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use super::{
    Plane, access,
    answer::Body,
    deliver,
    entry::Entry,
    log, lookup,
    origin::Wanted,
    refusal::Refusal,
    request::{Arrival, Asked, Viewer},
    routes::{Distribution, Route},
    selection, viewer_request, viewer_response,
};

/// A request without its body;
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const REQUEST_HEAD_BYTES_MAX: usize = 20_480;
/// The longest body of a request; behind it are the site's functions, which take 6 MB.
const REQUEST_BODY_BYTES_MAX: usize = 20 << 20;
/// How long a viewer may take over a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers one request of a viewer's.
pub(super) async fn handle(plane: &Arc<Plane>, request: Request<Incoming>, arrival: Arrival) -> Response<Body> {
    let begun = Instant::now();
    let (head, body) = request.into_parts();
    let viewer = Viewer {
        method: head.method,
        version: head.version,
        uri: head.uri,
        headers: head.headers,
        arrival,
        id: plane.next_id(),
    };
    let routes = plane.routes.load_full();
    let distribution = routes.find(viewer.host());
    let response = respond(plane, &viewer, distribution, body).await;
    log::watch(plane, distribution.map(Arc::as_ref), viewer, begun, response)
}

async fn respond(
    plane: &Arc<Plane>,
    viewer: &Viewer,
    distribution: Option<&Arc<Distribution>>,
    body: Incoming,
) -> Response<Body> {
    if viewer.size_bytes() > REQUEST_HEAD_BYTES_MAX {
        // CloudFront answers with this number, which nginx made up.
        let status = StatusCode::from_u16(494).unwrap_or(StatusCode::BAD_REQUEST);
        return Refusal::new(status, "The headers of the request are too large.").into_response(viewer, None);
    }
    if let Err(refusal) = access::check_form(viewer) {
        return refusal.into_response(viewer, None);
    }
    let Some(distribution) = distribution else {
        return Refusal::new(StatusCode::FORBIDDEN, "There is no distribution.").into_response(viewer, None);
    };
    if viewer.version == Version::HTTP_2 && !distribution.http2 {
        let words = "This distribution is not configured for HTTP/2.";
        return Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, words).into_response(viewer, Some(distribution));
    }
    let route = distribution.route(viewer.path());
    match serve(plane, viewer, distribution, route, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(viewer, Some(distribution)),
    }
}

async fn serve(
    plane: &Arc<Plane>,
    viewer: &Viewer,
    distribution: &Arc<Distribution>,
    route: &Route,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    access::check(viewer, route, plane.clock.now())?;
    let mut asked = Asked::new(viewer, route.origin);
    access::strip(route, &mut asked);
    if let Some(response) = viewer_request::run(viewer, distribution, route, &mut asked)? {
        return Ok(response);
    }
    if asked.path == "/" && !distribution.default_root.is_empty() {
        asked.path = distribution.default_root.clone().into();
    }
    let caches = match viewer.method {
        Method::GET | Method::HEAD => route.limits.caches(),
        Method::OPTIONS => route.caches_options && route.limits.caches(),
        _ => false,
    };
    let (entry, outcome) = if caches {
        // What is kept is the whole, whichever part this viewer wants.
        let method = if viewer.method == Method::HEAD { Method::GET } else { viewer.method.clone() };
        lookup::find(plane, distribution, route, &asked, method, viewer.arrival.peer.ip()).await
    } else {
        let sends_body = !matches!(viewer.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if sends_body {
            asked.body = read_body(body).await?;
        }
        let policies = [&route.key, &route.forward];
        let mut wanted = Wanted::new(distribution, route, &asked, viewer.method.clone(), viewer.arrival.peer.ip());
        wanted.headers = selection::origin_headers(&asked.headers, policies, sends_body);
        lookup::pass(plane, &wanted).await
    };
    // Functions are not asked about an origin's errors, even those that a page stands in for.
    let failed = entry.status.is_client_error() || entry.status.is_server_error();
    let (entry, status) = error_page(plane, distribution, viewer, entry).await;
    let response = deliver::deliver(plane, viewer, distribution, route, &entry, status, outcome);
    if failed { Ok(response) } else { viewer_response::run(viewer, distribution, route, response) }
}

async fn read_body(body: Incoming) -> Result<Bytes, Refusal> {
    let status = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, REQUEST_BODY_BYTES_MAX).collect()).await {
        Ok(Ok(collected)) => return Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => StatusCode::PAYLOAD_TOO_LARGE,
        Ok(Err(_)) => StatusCode::BAD_REQUEST,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    Err(Refusal::new(status, "The body cannot be read."))
}

/// The distribution's own page for an error, if it has one; and the status to answer with.
async fn error_page(
    plane: &Arc<Plane>,
    distribution: &Arc<Distribution>,
    viewer: &Viewer,
    entry: Arc<Entry>,
) -> (Arc<Entry>, StatusCode) {
    let status = entry.status;
    let Some((path, page_status)) = distribution.error(status).and_then(|error| error.page.as_ref()) else {
        return (entry, status);
    };
    let route = distribution.route(path);
    let asked = Asked::page(path, route.origin);
    let page = if route.limits.caches() {
        lookup::find(plane, distribution, route, &asked, Method::GET, viewer.arrival.peer.ip()).await.0
    } else {
        lookup::pass(plane, &Wanted::new(distribution, route, &asked, Method::GET, viewer.arrival.peer.ip())).await.0
    };
    // A page that fails itself is not shown; the first error is.
    if page.status == StatusCode::OK { (page, *page_status) } else { (entry, status) }
}
