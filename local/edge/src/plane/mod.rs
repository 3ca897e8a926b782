//! The data plane: viewers' requests, by behaviour, through functions and the cache, to the origins.
//!
//! A request goes through these stages, each a module; [`pipeline`] calls them in this order:
//!
//! | stage | module | what it decides |
//! |---|---|---|
//! | route | `routes` | which distribution and which behaviour |
//! | access | `access` | whether this viewer may ask this at all |
//! | viewer request | `viewer_request` | what the behaviour's function makes of the request, or answers itself |
//! | cache | `lookup` | a kept answer, or one fetch for all who wait for it |
//! | origin | `origin` | what the origin is asked, and what its answer is worth |
//! | delivery | `deliver` | which part and which form of the answer this viewer gets |
//! | viewer response | `viewer_response` | the headers that every answer gets |
//! | log | `log` | what is told of the request |
//!
//! A hit does: one lookup of the host, of the behaviour, of the key; a copy of the headers; no copy of the body. No lock is held
//! across an await. A miss is fetched once, by a task of its own, however many viewers wait for it or leave.

mod access;
mod answer;
mod cache;
mod compression;
mod deliver;
mod freshness;
mod function;
mod headers;
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
mod viewer_request;
mod viewer_response;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicU64},
};

use vodline_core::{Clock, Entropy, Origin};

use self::{
    cache::{Cache, Key},
    lookup::Flight,
};
pub(crate) use self::{
    function::{CODE_BYTES_MAX, Function},
    pattern::Pattern,
    routes::{Definitions, Distribution, Routes},
};
use crate::service::AccessLog;

/// What the stages share.
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
}
