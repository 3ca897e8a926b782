//! What an origin is asked, and what its answer is worth.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use vodline_core::{OriginBody, OriginRequest};

use super::{
    Plane, answer,
    cache::Entry,
    deliver::Found,
    freshness, headers, refusal,
    request::Asked,
    routes::{Distribution, OriginRoute, Route},
    selection::{self, Names},
};

/// What is larger stays in its file and is streamed.
const MEMORY_OBJECT_BYTES_MAX: u64 = 32 << 20;

/// A request on its way to an origin, after behaviour and function.
pub(super) struct Wanted {
    pub distribution: Arc<Distribution>,
    pub origin: usize,
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub viewer: IpAddr,
    pub limits: freshness::Limits,
    /// Whether answers are kept apart by cookies.
    pub cookies_in_key: bool,
    /// Whether answers are compressed for those who can read that.
    pub compress: bool,
}

impl Wanted {
    /// A request without any of the viewer's headers.
    pub(super) fn new(
        distribution: &Arc<Distribution>,
        route: &Route,
        asked: &Asked<'_>,
        method: Method,
        viewer: IpAddr,
    ) -> Self {
        Self {
            distribution: distribution.clone(),
            origin: asked.origin,
            method,
            path: asked.path.clone().into_owned(),
            query: selection::origin_query(&asked.query, [&route.key, &route.forward]),
            headers: HeaderMap::new(),
            body: asked.body.clone(),
            viewer,
            limits: route.limits,
            cookies_in_key: route.key.cookies != Names::None,
            compress: route.compress,
        }
    }

    /// What the distribution says of keeping this error.
    fn error_ttl(&self, status: StatusCode) -> Option<SignedDuration> {
        self.distribution.error(status).and_then(|error| error.ttl)
    }
}

/// Asks the origin; gives its answer, and for how long it may be kept.
pub(super) async fn fetch(plane: &Plane, wanted: &Wanted, stale: Option<&Entry>) -> (Found, SignedDuration) {
    let origin = &wanted.distribution.origins[wanted.origin];
    if !origin.trusted {
        // A private bucket refuses who does not sign.
        return (failure(StatusCode::FORBIDDEN, plane.clock.now(), SignedDuration::ZERO), SignedDuration::ZERO);
    }
    let request = origin_request(wanted, origin, stale);
    let response = tokio::time::timeout(origin.timeout, plane.origin.fetch(request)).await;
    let now = plane.clock.now();
    let Ok(mut response) = response else {
        let status = StatusCode::GATEWAY_TIMEOUT;
        let ttl = freshness::ttl(status, &HeaderMap::new(), wanted.limits, wanted.error_ttl(status), now);
        return (failure(status, now, ttl), ttl);
    };
    headers::remove_hop_by_hop(&mut response.headers);
    let declared_length = response.headers.remove(header::CONTENT_LENGTH);
    // A refreshed answer lives by the rules of the whole one.
    let status = if response.status == StatusCode::NOT_MODIFIED { StatusCode::OK } else { response.status };
    let ttl = freshness::ttl(status, &response.headers, wanted.limits, wanted.error_ttl(status), now);
    if ttl > SignedDuration::ZERO && !wanted.cookies_in_key {
        // A cookie is for one viewer; nobody else may be given it.
        response.headers.remove(header::SET_COOKIE);
    }
    let entry = |headers: HeaderMap, body: Bytes| Entry {
        status: response.status,
        etag: headers.get(header::ETAG).cloned(),
        last_modified: headers
            .get(header::LAST_MODIFIED)
            .and_then(|value| freshness::parse_http_date(value.to_str().ok()?)),
        headers,
        body,
        gzip: None,
        stored_at: now,
        fresh_until: now.checked_add(ttl).unwrap_or(Timestamp::MAX),
    };
    let found = match response.body {
        OriginBody::Bytes(body) => {
            if wanted.method == Method::HEAD
                && let Some(length) = declared_length
            {
                response.headers.insert(header::CONTENT_LENGTH, length);
            }
            Found::Memory(Arc::new(entry(response.headers, body)))
        }
        OriginBody::File { path, size_bytes } if size_bytes > MEMORY_OBJECT_BYTES_MAX => {
            Found::File(Arc::new(entry(response.headers, Bytes::new())), path, size_bytes)
        }
        OriginBody::File { path, size_bytes } => match read_file(path, size_bytes).await {
            Ok(body) => Found::Memory(Arc::new(entry(response.headers, body))),
            Err(error) => {
                tracing::warn!(error = %error, "an origin's file cannot be read");
                return (failure(StatusCode::BAD_GATEWAY, now, SignedDuration::ZERO), SignedDuration::ZERO);
            }
        },
    };
    (found, ttl)
}

/// The request as the origin gets it: the chosen headers, the origin's custom headers over them, and the edge's own.
fn origin_request(wanted: &Wanted, origin: &OriginRoute, stale: Option<&Entry>) -> OriginRequest {
    let mut headers = wanted.headers.clone();
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static("Amazon CloudFront"));
    headers.insert(header::VIA, wanted.distribution.via.clone());
    if let Ok(viewer) = HeaderValue::try_from(wanted.viewer.to_string()) {
        headers.append("x-forwarded-for", viewer);
    }
    if let Ok(host) = HeaderValue::try_from(origin.domain_name.as_str()) {
        headers.insert(header::HOST, host);
    }
    for (name, value) in &origin.headers {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(stale) = stale.filter(|stale| stale.status == StatusCode::OK) {
        if let Some(etag) = &stale.etag {
            headers.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(modified) = stale.headers.get(header::LAST_MODIFIED) {
            headers.insert(header::IF_MODIFIED_SINCE, modified.clone());
        }
    }
    OriginRequest {
        domain_name: origin.domain_name.clone(),
        method: wanted.method.clone(),
        path: format!("{}{}", origin.path, wanted.path),
        query: wanted.query.clone(),
        headers,
        body: wanted.body.clone(),
    }
}

async fn read_file(path: PathBuf, size_bytes: u64) -> std::io::Result<Bytes> {
    answer::blocking(move || {
        let bytes = std::fs::read(path)?;
        if bytes.len() as u64 == size_bytes {
            Ok(bytes.into())
        } else {
            Err(std::io::Error::other("the file has another size than the origin said"))
        }
    })
    .await
}

/// The edge's own word for an origin that failed it.
pub(super) fn failure(status: StatusCode, now: Timestamp, ttl: SignedDuration) -> Found {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    let words = match status {
        StatusCode::FORBIDDEN => "Access denied.",
        StatusCode::GATEWAY_TIMEOUT => "The origin did not answer in time.",
        _ => "The origin could not be reached.",
    };
    Found::Memory(Arc::new(Entry {
        status,
        headers,
        body: refusal::document(status, words),
        gzip: None,
        etag: None,
        last_modified: None,
        stored_at: now,
        fresh_until: now.checked_add(ttl).unwrap_or(Timestamp::MAX),
    }))
}
