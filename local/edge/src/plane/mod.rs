//! The data plane: viewers' requests, by behaviour, through functions and the cache, to the origins.
//!
//! A hit does: one lookup of the host, of the behaviour, of the key; a copy of the headers; no copy of the body. No lock is held
//! across an await. A miss is fetched once, by a task of its own, however many viewers wait for it or leave.

mod answer;
mod cache;
mod compression;
mod freshness;
mod function;
mod headers;
mod pattern;
mod routes;
mod selection;

use std::{
    collections::HashMap,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::{SignedDuration, Timestamp};
use tokio::{net::TcpListener, sync::Semaphore};
use vodline_core::{Clock, Entropy, Origin, OriginBody, OriginRequest};

use self::{
    answer::{Body, Part},
    cache::{Cache, Entry, Key},
    function::{Call, Verdict},
    routes::{OriginRoute, Route},
    selection::Names,
};
pub(crate) use self::{
    function::{CODE_BYTES_MAX, Function},
    pattern::Pattern,
    routes::{Definitions, Distribution, Routes},
};
use crate::service::{Access, AccessLog};

/// The longest URL; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const URL_BYTES_MAX: usize = 8192;
/// The longest body of a request; behind it are the site's functions, which take 6 MB.
const REQUEST_BODY_BYTES_MAX: usize = 20 << 20;
/// Connections at a time.
const CONNECTIONS_MAX: usize = 10_000;
/// How long a viewer may take over the head of a request, or sit idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a viewer may take over a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// What is larger stays in its file and is streamed.
const MEMORY_OBJECT_BYTES_MAX: u64 = 32 << 20;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
const X_AMZ_CF_POP: HeaderName = HeaderName::from_static("x-amz-cf-pop");
/// Where this edge says it is: not at any airport of AWS's.
const POP: HeaderValue = HeaderValue::from_static("LOCAL1-C1");

/// An answer and where its bytes are.
#[derive(Clone)]
enum Found {
    Memory(Arc<Entry>),
    /// Too large to be kept: the head, and the file.
    File(Arc<Entry>, PathBuf, u64),
}

impl Found {
    fn entry(&self) -> &Entry {
        match self {
            Self::Memory(entry) | Self::File(entry, ..) => entry,
        }
    }
}

/// How an answer came about; `x-cache` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Hit,
    Miss,
    RefreshHit,
    Error,
    FunctionGenerated,
    FunctionFailed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "Hit from cloudfront",
            Self::Miss => "Miss from cloudfront",
            Self::RefreshHit => "RefreshHit from cloudfront",
            Self::Error => "Error from cloudfront",
            Self::FunctionGenerated => "FunctionGeneratedResponse from cloudfront",
            Self::FunctionFailed => "FunctionExecutionError from cloudfront",
        }
    }
}

/// What a fetch brought, for all who waited for it.
#[derive(Clone)]
struct Fetched {
    found: Found,
    /// Whether others than the one who asked may have it.
    shareable: bool,
    outcome: Outcome,
}

type Flight = Shared<BoxFuture<'static, Option<Fetched>>>;

/// A request on its way to an origin, after behaviour and function.
struct Wanted {
    distribution: Arc<Distribution>,
    origin: usize,
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    viewer: IpAddr,
    limits: freshness::Limits,
    /// Whether answers are kept apart by cookies.
    cookies_in_key: bool,
    /// Whether answers are compressed for those who can read that.
    compress: bool,
}

/// A viewer's request, its body still to be read.
struct Viewer {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    ip: IpAddr,
    id: String,
}

/// The data plane.
pub(crate) struct Plane {
    clock: Arc<dyn Clock>,
    origin: Arc<dyn Origin>,
    access_log: Option<Arc<dyn AccessLog>>,
    routes: RwLock<Arc<Routes>>,
    cache: Cache,
    flights: Mutex<HashMap<Key, Flight>>,
    request_prefix: String,
    request_count: AtomicU64,
}

impl Plane {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        origin: Arc<dyn Origin>,
        access_log: Option<Arc<dyn AccessLog>>,
        cache_bytes: usize,
    ) -> Self {
        Self {
            clock,
            origin,
            access_log,
            routes: RwLock::default(),
            cache: Cache::new(cache_bytes),
            flights: Mutex::default(),
            request_prefix: entropy.hex(40),
            request_count: AtomicU64::new(0),
        }
    }

    /// Serves by these routes from now on.
    pub(crate) fn route(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }

    fn routes(&self) -> Arc<Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets a distribution's answers to matching paths.
    pub(crate) fn invalidate(&self, distribution: &str, patterns: &[Pattern]) {
        self.cache.invalidate(distribution, |path| patterns.iter().any(|pattern| pattern.matches(path)));
    }

    /// Accepts connections for ever.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // Never closed, so never an error.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a viewer gone before it was accepted.
                    tracing::warn!(error = %error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            // Without this, small answers may wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let plane = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let plane = plane.clone();
                    async move { Ok::<_, std::convert::Infallible>(plane.handle(request, peer.ip()).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = connection.await {
                    tracing::debug!(error = %error, "a viewer's connection ended");
                }
                drop(slot);
            });
        }
    }

    async fn handle(self: Arc<Self>, request: Request<Incoming>, ip: IpAddr) -> Response<Body> {
        let (head, body) = request.into_parts();
        let count = self.request_count.fetch_add(1, Ordering::Relaxed);
        let viewer = Viewer {
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            method: head.method,
            headers: head.headers,
            ip,
            id: format!("{}{count:016x}", self.request_prefix),
        };
        let response = self.respond(&viewer, body).await;
        if let Some(log) = &self.access_log {
            let text = |value: Option<&HeaderValue>| {
                value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
            };
            log.record(&Access {
                time: self.clock.now(),
                viewer: ip,
                method: viewer.method.to_string(),
                host: text(viewer.headers.get(header::HOST)),
                path: viewer.path,
                query: viewer.query,
                status: response.status().as_u16(),
                body_bytes: text(response.headers().get(header::CONTENT_LENGTH)).parse().unwrap_or(0),
                result: text(response.headers().get(X_CACHE)),
                request_id: viewer.id,
            });
        }
        response
    }

    async fn respond(self: &Arc<Self>, viewer: &Viewer, body: Incoming) -> Response<Body> {
        if viewer.path.len() + viewer.query.len() >= URL_BYTES_MAX {
            return refuse(viewer, None, StatusCode::URI_TOO_LONG, Outcome::Error, "The URL is too long.");
        }
        let routes = self.routes();
        let host = viewer.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let Some(distribution) = routes.find(host) else {
            return refuse(viewer, None, StatusCode::FORBIDDEN, Outcome::Error, "There is no distribution.");
        };
        let route = distribution.route(&viewer.path);
        if !route.allows(&viewer.method) {
            let words =
                "This distribution is not configured to allow the HTTP request method that was used for this request.";
            return refuse(viewer, Some(distribution), StatusCode::FORBIDDEN, Outcome::Error, words);
        }
        let mut wanted = Wanted {
            distribution: distribution.clone(),
            origin: route.origin,
            method: viewer.method.clone(),
            path: viewer.path.clone(),
            query: viewer.query.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            viewer: viewer.ip,
            limits: route.limits,
            cookies_in_key: route.key.cookies != Names::None,
            compress: route.compress,
        };
        let mut changed_headers = None;
        if let Some(function) = &route.function {
            match run_function(function, viewer, distribution) {
                Ok(Verdict::Request { uri, query, headers, origin }) => {
                    let selected = origin.and_then(|id| distribution.origin_ids.iter().position(|one| *one == id));
                    wanted.origin = selected.unwrap_or(wanted.origin);
                    wanted.path = uri;
                    wanted.query = query;
                    changed_headers = Some(headers);
                }
                Ok(Verdict::Response { status, headers, body }) => {
                    return self.generated(viewer, distribution, route, status, headers, body);
                }
                Err(error) => {
                    tracing::warn!(function = function.name, error = %error, "a viewer-request function failed");
                    let words = "The CloudFront function associated with the CloudFront distribution is invalid or could not run.";
                    return refuse(
                        viewer,
                        Some(distribution),
                        StatusCode::SERVICE_UNAVAILABLE,
                        Outcome::FunctionFailed,
                        words,
                    );
                }
            }
        }
        let headers = changed_headers.as_ref().unwrap_or(&viewer.headers);
        if wanted.path == "/" && !distribution.default_root.is_empty() {
            wanted.path.clone_from(&distribution.default_root);
        }
        let caches = match viewer.method {
            Method::GET | Method::HEAD => route.limits.caches(),
            Method::OPTIONS => route.caches_options && route.limits.caches(),
            _ => false,
        };
        let (found, outcome) = if caches {
            // What is kept is the whole, whichever part this viewer wants.
            if wanted.method == Method::HEAD {
                wanted.method = Method::GET;
            }
            self.cached(wanted, route, headers).await
        } else {
            let sends_body = !matches!(viewer.method, Method::GET | Method::HEAD | Method::OPTIONS);
            if sends_body {
                match read_body(body).await {
                    Ok(bytes) => wanted.body = bytes,
                    Err(status) => {
                        return refuse(viewer, Some(distribution), status, Outcome::Error, "The body cannot be read.");
                    }
                }
            }
            wanted.headers = selection::origin_headers(headers, [&route.key, &route.forward], sends_body);
            wanted.query = selection::origin_query(&wanted.query, [&route.key, &route.forward]);
            let found = self.fetch(&wanted, None).await.0;
            let outcome = outcome_of(&found);
            (found, outcome)
        };
        let (found, status) = self.error_page(distribution, viewer, found).await;
        self.deliver(viewer, distribution, route, found, status, outcome).await
    }

    /// A function's own answer.
    fn generated(
        &self,
        viewer: &Viewer,
        distribution: &Distribution,
        route: &Route,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        let length = body.len();
        let mut response = Response::new(answer::full(if viewer.method == Method::HEAD { Bytes::new() } else { body }));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        headers::remove_hop_by_hop(response.headers_mut());
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        finish_headers(
            response.headers_mut(),
            viewer,
            Some(distribution),
            route.headers.as_deref(),
            Outcome::FunctionGenerated,
        );
        response
    }

    /// An answer from the cache, or through it.
    async fn cached(self: &Arc<Self>, mut wanted: Wanted, route: &Route, headers: &HeaderMap) -> (Found, Outcome) {
        let mut rest = format!("{}\n{}", wanted.origin, wanted.method);
        route.key.write_key(headers, &wanted.query, &mut rest);
        let key = Key { distribution: wanted.distribution.id.clone(), path: wanted.path.clone(), rest };
        let stale = self.cache.get(&key);
        if let Some(entry) = &stale
            && self.clock.now() < entry.fresh_until
        {
            let outcome = if is_error(entry.status) { Outcome::Error } else { Outcome::Hit };
            return (Found::Memory(entry.clone()), outcome);
        }
        wanted.headers = selection::origin_headers(headers, [&route.key, &route.forward], false);
        wanted.query = selection::origin_query(&wanted.query, [&route.key, &route.forward]);
        let wanted = Arc::new(wanted);
        let (flight, first) = self.join_flight(&key, &wanted, stale);
        match flight.await {
            // Those who waited were served by another's fetch; that is a hit, as far as the origin is concerned.
            Some(fetched) if first => (fetched.found, fetched.outcome),
            Some(fetched) if fetched.shareable => {
                let outcome = if fetched.outcome == Outcome::Error { Outcome::Error } else { Outcome::Hit };
                (fetched.found, outcome)
            }
            // What came was for the first one alone.
            Some(_) => {
                let found = self.fetch(&wanted, None).await.0;
                let outcome = outcome_of(&found);
                (found, outcome)
            }
            None => (failure(StatusCode::BAD_GATEWAY, self.clock.now(), SignedDuration::ZERO), Outcome::Error),
        }
    }

    /// The fetch that is under way for a key, or a new one; and whether it is new.
    fn join_flight(self: &Arc<Self>, key: &Key, wanted: &Arc<Wanted>, stale: Option<Arc<Entry>>) -> (Flight, bool) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key) {
            return (flight.clone(), false);
        }
        // A task of its own: it goes on when the viewer who began it leaves.
        let task = tokio::spawn({
            let (plane, key, wanted) = (self.clone(), key.clone(), wanted.clone());
            async move {
                let result = std::panic::AssertUnwindSafe(plane.fill(&key, &wanted, stale)).catch_unwind().await;
                plane.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                result.ok()
            }
        });
        let flight = task.map(|joined| joined.ok().flatten()).boxed().shared();
        flights.insert(key.clone(), flight.clone());
        (flight, true)
    }

    /// Fetches for the cache.
    async fn fill(&self, key: &Key, wanted: &Wanted, stale: Option<Arc<Entry>>) -> Fetched {
        let (found, ttl) = self.fetch(wanted, stale.as_deref()).await;
        let now = self.clock.now();
        if let Some(stale) = stale {
            if found.entry().status == StatusCode::NOT_MODIFIED {
                let entry = Arc::new(refreshed(&stale, found.entry(), ttl, now));
                self.cache.put(key.clone(), entry.clone());
                return Fetched { found: Found::Memory(entry), shareable: true, outcome: Outcome::RefreshHit };
            }
            // What is known is better than an origin's failure, for as long as errors are kept.
            if found.entry().status.is_server_error() && !is_error(stale.status) {
                let entry = Arc::new(refreshed(&stale, &stale, ttl, now));
                self.cache.put(key.clone(), entry.clone());
                return Fetched { found: Found::Memory(entry), shareable: true, outcome: Outcome::Hit };
            }
        }
        let shareable = ttl > SignedDuration::ZERO;
        let found = if shareable && wanted.compress { compressed(found).await } else { found };
        if let (true, Found::Memory(entry)) = (shareable, &found) {
            self.cache.put(key.clone(), entry.clone());
        }
        let outcome = outcome_of(&found);
        Fetched { found, shareable, outcome }
    }

    /// Asks the origin; gives its answer, and for how long it may be kept.
    async fn fetch(&self, wanted: &Wanted, stale: Option<&Entry>) -> (Found, SignedDuration) {
        let origin = &wanted.distribution.origins[wanted.origin];
        if !origin.trusted {
            // A private bucket refuses who does not sign.
            return (failure(StatusCode::FORBIDDEN, self.clock.now(), SignedDuration::ZERO), SignedDuration::ZERO);
        }
        let request = origin_request(wanted, origin, stale);
        let response = tokio::time::timeout(origin.timeout, self.origin.fetch(request)).await;
        let now = self.clock.now();
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

    /// The distribution's own page for an error, if it has one; and the status to answer with.
    async fn error_page(
        self: &Arc<Self>,
        distribution: &Arc<Distribution>,
        viewer: &Viewer,
        found: Found,
    ) -> (Found, StatusCode) {
        let status = found.entry().status;
        let Some((path, page_status)) = distribution.error(status).and_then(|error| error.page.as_ref()) else {
            return (found, status);
        };
        let route = distribution.route(path);
        let wanted = Wanted {
            distribution: distribution.clone(),
            origin: route.origin,
            method: Method::GET,
            path: path.clone(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            viewer: viewer.ip,
            limits: route.limits,
            cookies_in_key: route.key.cookies != Names::None,
            compress: route.compress,
        };
        let page = if route.limits.caches() {
            self.cached(wanted, route, &HeaderMap::new()).await.0
        } else {
            self.fetch(&wanted, None).await.0
        };
        // A page that fails itself is not shown; the first error is.
        if page.entry().status == StatusCode::OK { (page, *page_status) } else { (found, status) }
    }

    /// Gives a viewer its part of an answer.
    async fn deliver(
        &self,
        viewer: &Viewer,
        distribution: &Distribution,
        route: &Route,
        found: Found,
        status: StatusCode,
        outcome: Outcome,
    ) -> Response<Body> {
        let entry = found.entry();
        // A part is always one of the plain bytes.
        let gzip = entry
            .gzip
            .as_ref()
            .filter(|_| !viewer.headers.contains_key(header::RANGE) && compression::accepts_gzip(&viewer.headers));
        let length = match &found {
            Found::Memory(entry) => gzip.unwrap_or(&entry.body).len() as u64,
            Found::File(_, _, size_bytes) => *size_bytes,
        };
        let part = if status == StatusCode::OK {
            answer::part(&viewer.method, &viewer.headers, entry.etag.as_ref(), entry.last_modified, length)
        } else {
            Part::Whole
        };
        let range = match &part {
            Part::Whole => 0..length,
            Part::Range(range) => range.clone(),
            Part::NotModified | Part::Unsatisfiable => 0..0,
        };
        let head_only = viewer.method == Method::HEAD;
        let mut headers = HeaderMap::with_capacity(entry.headers.len() + 10);
        headers.clone_from(&entry.headers);
        let body = match &found {
            _ if head_only || range.is_empty() => answer::full(Bytes::new()),
            Found::Memory(entry) => {
                answer::full(gzip.unwrap_or(&entry.body).slice(range.start as usize..range.end as usize))
            }
            Found::File(_, path, _) => match answer::file(path.clone(), range.clone()).await {
                Ok(body) => body,
                Err(error) => {
                    tracing::warn!(error = %error, "an origin's file cannot be opened");
                    return refuse(
                        viewer,
                        Some(distribution),
                        StatusCode::BAD_GATEWAY,
                        Outcome::Error,
                        "The origin's file is gone.",
                    );
                }
            },
        };
        let has_length = part != Part::NotModified && !(head_only && headers.contains_key(header::CONTENT_LENGTH));
        if has_length && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
        }
        if entry.gzip.is_some() {
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            if let Some(etag) = entry.etag.as_ref().and_then(compression::weakened) {
                headers.insert(header::ETAG, etag);
            }
        }
        if status == StatusCode::OK {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if let Some(content_range) = answer::content_range(&part, length) {
            headers.insert(header::CONTENT_RANGE, content_range);
        }
        let age = self.clock.now().duration_since(entry.stored_at).as_secs().max(0);
        if age > 0 || outcome == Outcome::Hit {
            headers.insert(header::AGE, age.into());
        }
        finish_headers(&mut headers, viewer, Some(distribution), route.headers.as_deref(), outcome);
        let mut response = Response::new(body);
        *response.status_mut() = if part == Part::Whole { status } else { answer::status(&part) };
        *response.headers_mut() = headers;
        response
    }
}

fn run_function(
    function: &Arc<Function>,
    viewer: &Viewer,
    distribution: &Distribution,
) -> Result<Verdict, function::FunctionError> {
    function::run(
        function,
        &Call {
            distribution_id: &distribution.id,
            distribution_domain: &distribution.domain_name,
            request_id: &viewer.id,
            viewer: viewer.ip,
            method: viewer.method.as_str(),
            uri: &viewer.path,
            query: &viewer.query,
            headers: &viewer.headers,
            origins: &distribution.origin_ids,
        },
    )
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn outcome_of(found: &Found) -> Outcome {
    if is_error(found.entry().status) { Outcome::Error } else { Outcome::Miss }
}

impl Wanted {
    /// What the distribution says of keeping this error.
    fn error_ttl(&self, status: StatusCode) -> Option<SignedDuration> {
        self.distribution.error(status).and_then(|error| error.ttl)
    }
}

/// An answer with its compressed form, where there is a use for one.
async fn compressed(found: Found) -> Found {
    let Found::Memory(entry) = &found else { return found };
    if entry.status != StatusCode::OK || !compression::compressible(&entry.headers, entry.body.len()) {
        return found;
    }
    let body = entry.body.clone();
    match answer::blocking(move || compression::gzip(&body)).await {
        Ok(Some(gzip)) => Found::Memory(Arc::new(Entry { gzip: Some(gzip), ..Entry::clone(entry) })),
        // Writing to memory does not fail; the answer is good as it is.
        Ok(None) | Err(_) => found,
    }
}

/// A kept answer, with its life renewed by the origin's word that it still holds.
fn refreshed(stale: &Entry, news: &Entry, ttl: SignedDuration, now: Timestamp) -> Entry {
    let mut headers = stale.headers.clone();
    for (name, value) in &news.headers {
        headers.insert(name.clone(), value.clone());
    }
    Entry {
        status: stale.status,
        headers,
        body: stale.body.clone(),
        gzip: stale.gzip.clone(),
        etag: stale.etag.clone(),
        last_modified: stale.last_modified,
        stored_at: now,
        fresh_until: now.checked_add(ttl).unwrap_or(Timestamp::MAX),
    }
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

async fn read_body(body: Incoming) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, REQUEST_BODY_BYTES_MAX).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
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
fn failure(status: StatusCode, now: Timestamp, ttl: SignedDuration) -> Found {
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
        body: error_document(status, words),
        gzip: None,
        etag: None,
        last_modified: None,
        stored_at: now,
        fresh_until: now.checked_add(ttl).unwrap_or(Timestamp::MAX),
    }))
}

fn error_document(status: StatusCode, words: &str) -> Bytes {
    format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{words}</p></body></html>\n").into()
}

/// The edge's own refusal of a request.
fn refuse(
    viewer: &Viewer,
    distribution: Option<&Distribution>,
    status: StatusCode,
    outcome: Outcome,
    words: &str,
) -> Response<Body> {
    let document = error_document(status, words);
    let length = document.len();
    let mut response = Response::new(answer::full(if viewer.method == Method::HEAD { Bytes::new() } else { document }));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    finish_headers(headers, viewer, distribution, None, outcome);
    response
}

/// What every answer says.
fn finish_headers(
    headers: &mut HeaderMap,
    viewer: &Viewer,
    distribution: Option<&Distribution>,
    policy: Option<&headers::HeadersPlan>,
    outcome: Outcome,
) {
    headers.insert(X_CACHE, HeaderValue::from_static(outcome.as_str()));
    if let Some(distribution) = distribution {
        headers.insert(header::VIA, distribution.via.clone());
    }
    headers.insert(X_AMZ_CF_POP, POP);
    if let Ok(id) = HeaderValue::try_from(viewer.id.as_str()) {
        headers.insert(X_AMZ_CF_ID, id);
    }
    if let Some(policy) = policy {
        policy.apply(&viewer.method, &viewer.headers, headers);
    }
}
