//! Answers from the cache, or through it: one fetch for all who wait.
//!
//! The memory tier is asked on the viewer's own thread. What it does not have is the work of a flight, a task of its own that
//! asks the disk tier, then the origin, and keeps what came. Everyone who asks for the same meanwhile joins it. A flight answers
//! as soon as it has the head of an answer; large content goes out while it arrives.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::{
    Plane, answer, compression,
    entry::{Content, Entry, begin_key},
    epoch::Epoch,
    freshness::Life,
    growing::Growing,
    origin::{self, Answered, MEMORY_OBJECT_BYTES_MAX, Wanted},
    request::{Asked, Outcome},
    routes::{Distribution, Route},
    selection,
};

/// What a flight brought, for all who waited for it.
#[derive(Clone)]
struct Fetched {
    entry: Arc<Entry>,
    /// Whether others than the one who began it may have it.
    shareable: bool,
    outcome: Outcome,
}

/// `None` when the fetch panicked.
type Flight = Shared<BoxFuture<'static, Option<Fetched>>>;

/// The fetches that are under way, by key. A number tells a flight from a later one under its key.
#[derive(Default)]
pub(super) struct Flights(Mutex<Under>);

#[derive(Default)]
struct Under {
    way: HashMap<Arc<str>, (u64, Flight)>,
    count: u64,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, Under> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those who ask from now on begin anew.
    pub(super) fn forget(&self, matches: impl Fn(&str) -> bool) {
        self.lock().way.retain(|key, _| !matches(key));
    }
}

/// Takes a flight out when its work is over, however it ends.
struct Landing {
    plane: Arc<Plane>,
    key: Arc<str>,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.plane.flights.lock();
        if flights.way.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            flights.way.remove(&self.key);
        }
    }
}

fn outcome(entry: &Entry, otherwise: Outcome) -> Outcome {
    if entry.is_error() { Outcome::Error } else { otherwise }
}

/// An answer that nobody else is given.
pub(super) async fn pass(plane: &Plane, wanted: &Wanted) -> (Arc<Entry>, Outcome) {
    let entry = origin::fetch(plane, wanted, None).await.entry;
    let outcome = outcome(&entry, Outcome::Miss);
    (entry.into(), outcome)
}

/// An answer from the cache, or through it.
pub(super) async fn find(
    plane: &Arc<Plane>,
    distribution: &Arc<Distribution>,
    route: &Route,
    asked: &Asked<'_>,
    method: Method,
    viewer: IpAddr,
) -> (Arc<Entry>, Outcome) {
    let origin_id = &distribution.origin_ids[asked.origin];
    let mut key = begin_key(&distribution.id, &asked.path, origin_id, &method);
    route.key.write_key(&asked.headers, &asked.query, &mut key);
    let kept = plane.cache.get(&key);
    let now = plane.clock.now();
    if let Some(entry) = kept.as_ref().filter(|entry| entry.is_fresh(now)) {
        return (entry.clone(), outcome(entry, Outcome::Hit));
    }
    let mut wanted = Wanted::new(distribution, route, asked, method, viewer);
    wanted.headers = selection::origin_headers(&asked.headers, [&route.key, &route.forward], false);
    let wanted = Arc::new(wanted);
    let stale = kept.clone().filter(|entry| now < entry.life.revalidate_until);
    let (flight, first) = join(plane, key.into(), &wanted, kept);
    if let Some(stale) = stale {
        // The flight goes on without us.
        let outcome = outcome(&stale, Outcome::Hit);
        return (stale, outcome);
    }
    match flight.await {
        Some(fetched) if first => (fetched.entry, fetched.outcome),
        // Those who waited were served by another's fetch; that is a hit, as far as the origin is concerned.
        Some(fetched) if fetched.shareable => {
            let outcome = outcome(&fetched.entry, Outcome::Hit);
            (fetched.entry, outcome)
        }
        // What came was for the first one alone.
        Some(_) => pass(plane, &wanted).await,
        None => (origin::failure(StatusCode::BAD_GATEWAY, SignedDuration::ZERO, now).into(), Outcome::Error),
    }
}

/// The flight that is under way for a key, or a new one; and whether it is new.
fn join(plane: &Arc<Plane>, key: Arc<str>, wanted: &Arc<Wanted>, kept: Option<Arc<Entry>>) -> (Flight, bool) {
    let mut flights = plane.flights.lock();
    if let Some((_, flight)) = flights.way.get(&key) {
        return (flight.clone(), false);
    }
    flights.count += 1;
    let number = flights.count;
    let (answer, answered) = oneshot::channel();
    let flight = answered.map(Result::ok).boxed().shared();
    flights.way.insert(key.clone(), (number, flight.clone()));
    // Before the flight can be forgotten, so that what is forgotten is not kept either.
    let asked_in = plane.epochs.now();
    drop(flights);
    let landing = Landing { plane: plane.clone(), key: key.clone(), number };
    let work = Work { plane: plane.clone(), key, wanted: wanted.clone(), asked_in };
    // A task of its own: it goes on when the viewer who began it leaves.
    plane.spawn(async move {
        work.run(kept, answer).await;
        drop(landing);
    });
    (flight, true)
}

/// One flight.
struct Work {
    plane: Arc<Plane>,
    key: Arc<str>,
    wanted: Arc<Wanted>,
    asked_in: Epoch,
}

type Answer = oneshot::Sender<Fetched>;

/// Nobody may be waiting any more; what was fetched is kept all the same.
fn tell(answer: Answer, entry: &Arc<Entry>, shareable: bool, outcome: Outcome) {
    let _ = answer.send(Fetched { entry: entry.clone(), shareable, outcome });
}

impl Work {
    async fn run(&self, kept: Option<Arc<Entry>>, answer: Answer) {
        let kept = match (kept, &self.plane.disk) {
            (None, Some(disk)) => disk.get(&self.key).await.map(Arc::new),
            (kept, _) => kept,
        };
        let now = self.plane.clock.now();
        if let Some(entry) = kept.as_ref().filter(|entry| entry.is_fresh(now)) {
            let entry = self.compressed(entry.clone()).await;
            self.plane.cache.put(&self.key, &entry, self.asked_in);
            return tell(answer, &entry, true, outcome(&entry, Outcome::Hit));
        }
        let answered = origin::fetch(&self.plane, &self.wanted, kept.as_deref()).await;
        let now = self.plane.clock.now();
        if let Some(kept) = kept {
            if answered.entry.status == StatusCode::NOT_MODIFIED {
                let entry = Arc::new(refreshed(&kept, &answered.entry));
                self.keep(&entry);
                return tell(answer, &entry, true, Outcome::RefreshHit);
            }
            if answered.entry.status.is_server_error() && may_stand_in(&kept, now) {
                let entry = Arc::new(standing_in(&kept, &answered.entry));
                self.keep(&entry);
                return tell(answer, &entry, true, Outcome::Hit);
            }
        }
        self.take(answered, answer).await;
    }

    /// Answers with what the origin sent, and keeps it if it may be kept.
    async fn take(&self, answered: Answered, answer: Answer) {
        let Answered { entry, file, shareable, .. } = answered;
        let outcome = outcome(&entry, Outcome::Miss);
        match (&entry.content, file) {
            _ if !shareable => tell(answer, &entry.into(), false, outcome),
            (Content::File { size_bytes, .. }, Some(path)) if *size_bytes > MEMORY_OBJECT_BYTES_MAX => {
                let linked = match &self.plane.disk {
                    Some(disk) => disk.link(&self.key, &entry, path, self.asked_in).await,
                    None => None,
                };
                tell(answer, &linked.unwrap_or(entry).into(), true, outcome);
            }
            (Content::File { file, size_bytes }, _) => {
                let growing = Arc::new(Growing::new(*size_bytes));
                let arriving = Arc::new(entry.with(Content::Growing(growing.clone())));
                tell(answer, &arriving, true, outcome);
                let timeout = self.wanted.distribution.origins[self.wanted.origin].timeout;
                match growing.fill(file.clone(), timeout).await {
                    Ok(bytes) => {
                        let entry = self.compressed(entry.with(Content::Memory(bytes)).into()).await;
                        self.keep(&entry);
                    }
                    Err(error) => tracing::warn!(error = %error, "an origin's content broke off"),
                }
            }
            (Content::Memory(_) | Content::Growing(_), _) => {
                let entry = self.compressed(entry.into()).await;
                self.keep(&entry);
                tell(answer, &entry, true, outcome);
            }
        }
    }

    fn keep(&self, entry: &Arc<Entry>) {
        self.plane.cache.put(&self.key, entry, self.asked_in);
        if let Some(disk) = &self.plane.disk {
            disk.put(&self.key, entry, self.asked_in);
        }
    }

    /// An answer with its compressed forms, where there is a use for them.
    async fn compressed(&self, entry: Arc<Entry>) -> Arc<Entry> {
        let Content::Memory(body) = &entry.content else { return entry };
        let codings = self.wanted.codings;
        let of_use =
            codings.any() && entry.status == StatusCode::OK && compression::compressible(&entry.headers, body.len());
        if !of_use {
            return entry;
        }
        let body = body.clone();
        match answer::blocking(move || codings.compress(&body)).await {
            Ok(codings) => Arc::new(Entry { codings, ..Entry::clone(&entry) }),
            // Writing to memory does not fail; the answer is good as it is.
            Err(_) => entry,
        }
    }
}

/// A kept answer, with its life renewed by the origin's word that it still holds.
fn refreshed(kept: &Entry, news: &Entry) -> Entry {
    let mut headers: HeaderMap = kept.headers.clone();
    for (name, value) in &news.headers {
        headers.insert(name.clone(), value.clone());
    }
    Entry { headers, stored_at: news.stored_at, life: news.life, ..kept.clone() }
}

/// Whether a kept answer may be given instead of an origin's failure.
fn may_stand_in(kept: &Entry, now: Timestamp) -> bool {
    !kept.is_error() && kept.life.if_error_until.is_none_or(|until| now < until)
}

/// A kept answer that stands in for a failure, for as long as the failure would be kept.
fn standing_in(kept: &Entry, failure: &Entry) -> Entry {
    let until = failure.life.fresh_until;
    let until = kept.life.if_error_until.map_or(until, |last| until.min(last));
    let life = Life { fresh_until: until, revalidate_until: until, ..kept.life };
    Entry { life, ..kept.clone() }
}
