//! The data plane: viewers' requests, by behaviour, through functions and the cache, to the origins.
//!
//! A request goes through these stages, each a module; [`pipeline`] calls them in this order:
//!
//! | stage | module | what it decides |
//! |---|---|---|
//! | route | `routes` | which distribution and which behaviour |
//! | access | `access`, `signed` | whether this viewer may ask this at all |
//! | viewer request | `viewer_request` | what the behaviour's function makes of the request, or answers itself |
//! | cache | `lookup` | a kept answer, or one fetch for all who wait for it |
//! | origin | `origin` | what the origin is asked, and what its answer is worth |
//! | delivery | `deliver` | which part and which form of the answer this viewer gets |
//! | viewer response | `viewer_response` | the headers that every answer gets, and what the behaviour's function makes of it |
//! | log | `log` | what is told of the request |
//!
//! A hit does: one lookup of the host, of the behaviour, of the key; a copy of the headers; no copy of the body. No lock is held
//! across an await. A miss is fetched once, by a task of its own, however many viewers wait for it or leave. Answers are kept in
//! memory (`cache`) and on the disk (`disk`), each bounded in the same way (`shelf`).

mod access;
mod answer;
mod cache;
mod compression;
mod deliver;
mod disk;
mod entry;
mod epoch;
mod freshness;
mod function;
mod growing;
mod headers;
mod invalidation;
mod log;
mod lookup;
mod origin;
mod pattern;
mod pipeline;
mod refusal;
mod request;
mod routes;
mod selection;
mod server;
mod shelf;
mod signed;
#[cfg(test)]
mod testing;
mod tls;
mod viewer_request;
mod viewer_response;

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use http::HeaderValue;
use tokio::runtime::Handle;
use vodline_core::{Clock, Entropy, Origin};

pub use self::tls::{Tls, TlsError};
use self::{cache::Cache, disk::Disk, epoch::Epochs, invalidation::Forgotten, lookup::Flights};
pub(crate) use self::{
    function::{CODE_BYTES_MAX, Function, Pairs, try_function},
    pattern::Pattern,
    routes::{Definitions, Distribution, LogRoute, Routes},
    signed::TrustedKey,
    viewer_response::EDGE_LOCATION,
};
use crate::access_log::AccessLogs;

/// What the stages share.
pub(crate) struct Plane {
    clock: Arc<dyn Clock>,
    origin: Arc<dyn Origin>,
    access_logs: Option<Arc<AccessLogs>>,
    routes: ArcSwap<Routes>,
    epochs: Arc<Epochs>,
    cache: Cache,
    disk: Option<Disk>,
    flights: Flights,
    /// Where flights run: not on the threads that serve viewers.
    background: OnceLock<Handle>,
    request_prefix: String,
    request_count: AtomicU64,
}

/// Where answers are kept, and how much of them.
pub(crate) struct Tiers {
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    /// Of the disk tier's own.
    pub directory: PathBuf,
}

impl Plane {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        origin: Arc<dyn Origin>,
        access_logs: Option<Arc<AccessLogs>>,
        tiers: Tiers,
    ) -> Self {
        let epochs = Arc::new(Epochs::default());
        let disk = (tiers.disk_bytes > 0).then(|| Disk::open(tiers.directory, tiers.disk_bytes, epochs.clone()));
        let disk = disk.transpose().unwrap_or_else(|error| {
            // Viewers are served all the same, only not from there.
            tracing::error!(error = %error, "the edge's cache on the disk cannot be opened");
            None
        });
        Self {
            clock,
            origin,
            access_logs,
            routes: ArcSwap::default(),
            cache: Cache::new(tiers.memory_bytes, epochs.clone()),
            disk,
            epochs,
            flights: Flights::default(),
            background: OnceLock::new(),
            request_prefix: entropy.hex(40),
            request_count: AtomicU64::new(0),
        }
    }

    /// Serves by these routes from now on.
    pub(crate) fn route(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }

    /// Forgets a distribution's answers to these paths, in both tiers and on their way.
    pub(crate) fn invalidate(&self, distribution: &str, paths: &[String]) {
        let forgotten: Vec<Forgotten> = paths.iter().map(|path| Forgotten::new(path)).collect();
        let matches = |key: &str| {
            entry::subject(key).is_some_and(|(of, path)| {
                of == distribution && forgotten.iter().any(|forgotten| forgotten.matches(path))
            })
        };
        self.epochs.begin();
        self.flights.forget(matches);
        self.cache.remove_matching(matches);
        if let Some(disk) = &self.disk {
            disk.remove_matching(matches);
        }
    }

    /// Waits until what is to be kept on the disk is there.
    pub(crate) fn flush(&self) {
        if let Some(disk) = &self.disk {
            disk.flush();
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        match self.background.get() {
            Some(background) => background.spawn(work),
            None => tokio::spawn(work),
        };
    }

    /// The next request's id: a prefix of this process's, and a number.
    fn next_id(&self) -> HeaderValue {
        let count = self.request_count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}{count:016x}", self.request_prefix);
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    }
}
