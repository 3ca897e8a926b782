//! Answers from the cache, or through it: one fetch for all who wait.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::{
    Plane, answer,
    cache::{Entry, Key},
    compression,
    deliver::{Found, Outcome, is_error, outcome_of},
    origin::{self, Wanted, failure},
    request::Asked,
    routes::{Distribution, Route},
    selection,
};

/// What a fetch brought, for all who waited for it.
#[derive(Clone)]
pub(super) struct Fetched {
    found: Found,
    /// Whether others than the one who asked may have it.
    shareable: bool,
    outcome: Outcome,
}

pub(super) type Flight = Shared<BoxFuture<'static, Option<Fetched>>>;

/// An answer from the cache, or through it.
pub(super) async fn find(
    plane: &Arc<Plane>,
    distribution: &Arc<Distribution>,
    route: &Route,
    asked: &Asked<'_>,
    method: Method,
    viewer: IpAddr,
) -> (Found, Outcome) {
    let mut rest = format!("{}\n{method}", asked.origin);
    route.key.write_key(&asked.headers, &asked.query, &mut rest);
    let key = Key { distribution: distribution.id.clone(), path: asked.path.clone().into_owned(), rest };
    let stale = plane.cache.get(&key);
    if let Some(entry) = &stale
        && plane.clock.now() < entry.fresh_until
    {
        let outcome = if is_error(entry.status) { Outcome::Error } else { Outcome::Hit };
        return (Found::Memory(entry.clone()), outcome);
    }
    let mut wanted = Wanted::new(distribution, route, asked, method, viewer);
    wanted.headers = selection::origin_headers(&asked.headers, [&route.key, &route.forward], false);
    let wanted = Arc::new(wanted);
    let (flight, first) = join_flight(plane, &key, &wanted, stale);
    match flight.await {
        // Those who waited were served by another's fetch; that is a hit, as far as the origin is concerned.
        Some(fetched) if first => (fetched.found, fetched.outcome),
        Some(fetched) if fetched.shareable => {
            let outcome = if fetched.outcome == Outcome::Error { Outcome::Error } else { Outcome::Hit };
            (fetched.found, outcome)
        }
        // What came was for the first one alone.
        Some(_) => {
            let found = origin::fetch(plane, &wanted, None).await.0;
            let outcome = outcome_of(&found);
            (found, outcome)
        }
        None => (failure(StatusCode::BAD_GATEWAY, plane.clock.now(), SignedDuration::ZERO), Outcome::Error),
    }
}

/// The fetch that is under way for a key, or a new one; and whether it is new.
fn join_flight(plane: &Arc<Plane>, key: &Key, wanted: &Arc<Wanted>, stale: Option<Arc<Entry>>) -> (Flight, bool) {
    let mut flights = plane.flights.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(flight) = flights.get(key) {
        return (flight.clone(), false);
    }
    // A task of its own: it goes on when the viewer who began it leaves.
    let task = tokio::spawn({
        let (plane, key, wanted) = (plane.clone(), key.clone(), wanted.clone());
        async move {
            let result = std::panic::AssertUnwindSafe(fill(&plane, &key, &wanted, stale)).catch_unwind().await;
            plane.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            result.ok()
        }
    });
    let flight = task.map(|joined| joined.ok().flatten()).boxed().shared();
    flights.insert(key.clone(), flight.clone());
    (flight, true)
}

/// Fetches for the cache.
async fn fill(plane: &Plane, key: &Key, wanted: &Wanted, stale: Option<Arc<Entry>>) -> Fetched {
    let (found, ttl) = origin::fetch(plane, wanted, stale.as_deref()).await;
    let now = plane.clock.now();
    if let Some(stale) = stale {
        if found.entry().status == StatusCode::NOT_MODIFIED {
            let entry = Arc::new(refreshed(&stale, found.entry(), ttl, now));
            plane.cache.put(key.clone(), entry.clone());
            return Fetched { found: Found::Memory(entry), shareable: true, outcome: Outcome::RefreshHit };
        }
        // What is known is better than an origin's failure, for as long as errors are kept.
        if found.entry().status.is_server_error() && !is_error(stale.status) {
            let entry = Arc::new(refreshed(&stale, &stale, ttl, now));
            plane.cache.put(key.clone(), entry.clone());
            return Fetched { found: Found::Memory(entry), shareable: true, outcome: Outcome::Hit };
        }
    }
    let shareable = ttl > SignedDuration::ZERO;
    let found = if shareable && wanted.compress { compressed(found).await } else { found };
    if let (true, Found::Memory(entry)) = (shareable, &found) {
        plane.cache.put(key.clone(), entry.clone());
    }
    let outcome = outcome_of(&found);
    Fetched { found, shareable, outcome }
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
