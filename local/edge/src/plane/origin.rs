//! What an origin is asked, and what its answer is worth.

use std::{fs::File, io, net::IpAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use vodline_core::{OriginBody, OriginRequest};

use super::{
    Plane, answer,
    compression::Codings,
    entry::{Content, Entry},
    freshness::{self, Life},
    headers, refusal,
    request::Asked,
    routes::{Distribution, Failover, OriginRoute, Route},
    selection::{self, Names},
};

/// What is larger stays in its file.
pub(super) const MEMORY_OBJECT_BYTES_MAX: u64 = 32 << 20;
/// What is larger goes out while it is still being read.
const WHOLE_BYTES_MAX: u64 = 1 << 20;

/// A request on its way to an origin, after behaviour and function.
pub(super) struct Wanted {
    pub distribution: Arc<Distribution>,
    pub origin: usize,
    /// The origin that stands in for that one, if the request may be made twice.
    pub failover: Option<Arc<Failover>>,
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub viewer: IpAddr,
    pub limits: freshness::Limits,
    /// Whether answers are kept apart by cookies.
    pub cookies_in_key: bool,
    /// How answers are compressed for those who can read that.
    pub codings: Codings,
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
        // A function that selected an origin meant that one. What changes something is not tried elsewhere.
        let twice = asked.origin == route.origin && matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
        Self {
            distribution: distribution.clone(),
            origin: asked.origin,
            failover: route.failover.clone().filter(|_| twice),
            method,
            path: asked.path.clone().into_owned(),
            query: selection::origin_query(&asked.query, [&route.key, &route.forward]),
            headers: HeaderMap::new(),
            body: asked.body.clone(),
            viewer,
            limits: route.limits,
            cookies_in_key: route.key.cookies != Names::None,
            codings: route.codings,
        }
    }

    /// What the distribution says of keeping this error.
    fn error_ttl(&self, status: StatusCode) -> Option<SignedDuration> {
        self.distribution.error(status).and_then(|error| error.ttl)
    }
}

/// What an origin answered.
pub(super) struct Answered {
    pub entry: Entry,
    /// Where the content is, if that is a file.
    pub file: Option<PathBuf>,
    /// Whether it may be kept, and given to others than the one who asked.
    pub shareable: bool,
    /// Whether the origin answered at all, so that these are its words and not the edge's.
    reached: bool,
}

impl Answered {
    /// The edge's own word for an origin that failed it.
    fn failure(status: StatusCode, ttl: SignedDuration, now: Timestamp) -> Self {
        Self { entry: failure(status, ttl, now), file: None, shareable: ttl > SignedDuration::ZERO, reached: false }
    }
}

/// Asks the origin, with the validators of what is kept already; and when it fails, the origin that stands in for it.
pub(super) async fn fetch(plane: &Plane, wanted: &Wanted, kept: Option<&Entry>) -> Answered {
    let answered = fetch_from(plane, wanted, wanted.origin, kept).await;
    let Some(failover) = &wanted.failover else { return answered };
    if answered.reached && !failover.statuses.contains(&answered.entry.status.as_u16()) {
        return answered;
    }
    fetch_from(plane, wanted, failover.origin, kept).await
}

async fn fetch_from(plane: &Plane, wanted: &Wanted, origin: usize, kept: Option<&Entry>) -> Answered {
    let origin = &wanted.distribution.origins[origin];
    let request = origin_request(wanted, origin, kept);
    let response = tokio::time::timeout(origin.timeout, plane.origin.fetch(request)).await;
    let now = plane.clock.now();
    let Ok(mut response) = response else {
        let status = StatusCode::GATEWAY_TIMEOUT;
        let ttl = freshness::ttl(status, &HeaderMap::new(), wanted.limits, wanted.error_ttl(status), now);
        return Answered::failure(status, ttl, now);
    };
    headers::remove_hop_by_hop(&mut response.headers);
    let declared_length = response.headers.remove(header::CONTENT_LENGTH);
    // A refreshed answer lives by the rules of the whole one.
    let status = if response.status == StatusCode::NOT_MODIFIED { StatusCode::OK } else { response.status };
    let ttl = freshness::ttl(status, &response.headers, wanted.limits, wanted.error_ttl(status), now);
    let shareable = ttl > SignedDuration::ZERO;
    if shareable && !wanted.cookies_in_key {
        // A cookie is for one viewer; nobody else may be given it.
        response.headers.remove(header::SET_COOKIE);
    }
    let (content, file) = match response.body {
        OriginBody::Bytes(body) => {
            if wanted.method == Method::HEAD
                && let Some(length) = declared_length
            {
                response.headers.insert(header::CONTENT_LENGTH, length);
            }
            (Content::Memory(body), None)
        }
        OriginBody::File { path, size_bytes } => {
            let opened = open(path.clone(), size_bytes);
            match tokio::time::timeout(origin.timeout, opened).await.map_err(io::Error::from).flatten() {
                Ok(content) => (content, Some(path)),
                Err(error) => {
                    tracing::warn!(error = %error, "an origin's file cannot be read");
                    return Answered::failure(StatusCode::BAD_GATEWAY, SignedDuration::ZERO, now);
                }
            }
        }
    };
    let life = Life::new(ttl, &response.headers, wanted.limits, now);
    Answered {
        entry: Entry::new(response.status, response.headers, content, now, life),
        file,
        shareable,
        reached: true,
    }
}

/// The request as the origin gets it: the chosen headers, the origin's custom headers over them, and the edge's own.
fn origin_request(wanted: &Wanted, origin: &OriginRoute, kept: Option<&Entry>) -> OriginRequest {
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
    if let Some(kept) = kept.filter(|kept| kept.status == StatusCode::OK) {
        if let Some(etag) = &kept.etag {
            headers.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(modified) = kept.headers.get(header::LAST_MODIFIED) {
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
        signer: origin.signs.then(|| wanted.distribution.arn.to_string()),
    }
}

/// A small file is read, a large one only opened.
async fn open(path: PathBuf, size_bytes: u64) -> io::Result<Content> {
    answer::blocking(move || {
        if size_bytes > WHOLE_BYTES_MAX {
            return Ok(Content::File { file: Arc::new(File::open(path)?), size_bytes });
        }
        let bytes = std::fs::read(path)?;
        if bytes.len() as u64 == size_bytes {
            Ok(Content::Memory(bytes.into()))
        } else {
            Err(io::Error::other("the file has another size than the origin said"))
        }
    })
    .await
}

/// The edge's own word for an origin that failed it.
pub(super) fn failure(status: StatusCode, ttl: SignedDuration, now: Timestamp) -> Entry {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    let words = match status {
        StatusCode::FORBIDDEN => "Access denied.",
        StatusCode::GATEWAY_TIMEOUT => "The origin did not answer in time.",
        _ => "The origin could not be reached.",
    };
    let content = Content::Memory(refusal::document(status, words));
    Entry::new(status, headers, content, now, Life::fresh_for(ttl, now))
}
