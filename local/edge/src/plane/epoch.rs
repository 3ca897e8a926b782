//! Invalidations and the answers that were on their way when they came.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts invalidations. An invalidation begins a new epoch before it takes anything out; a tier keeps an answer, under its own
/// lock, only while the epoch is still the one in which the answer was asked for. So whichever comes second sees the first.
#[derive(Debug, Default)]
pub(super) struct Epochs(AtomicU64);

/// A time between two invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl Epochs {
    pub(super) fn now(&self) -> Epoch {
        Epoch(self.0.load(Ordering::SeqCst))
    }

    pub(super) fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
