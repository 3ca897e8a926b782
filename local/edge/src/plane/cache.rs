//! The memory tier: answers whose whole content is at hand, bounded by bytes. A lookup takes a read lock and copies a reference;
//! bodies are never copied.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use bytes::Bytes;

use super::{
    entry::{Content, Entry},
    epoch::{Epoch, Epochs},
    shelf::Shelf,
};

/// What an entry takes beside its body, roughly: headers, key, slot.
const ENTRY_OVERHEAD_BYTES: u64 = 1024;

/// The memory tier.
pub(super) struct Cache {
    shelf: RwLock<Shelf<Arc<Entry>>>,
    epochs: Arc<Epochs>,
}

fn weight(key: &str, entry: &Entry, content: &Bytes) -> u64 {
    let codings: usize = entry.codings.iter().map(|(_, bytes)| bytes.len()).sum();
    ENTRY_OVERHEAD_BYTES + (key.len() + content.len() + codings) as u64
}

impl Cache {
    pub(super) fn new(capacity_bytes: u64, epochs: Arc<Epochs>) -> Self {
        Self { shelf: RwLock::new(Shelf::new(capacity_bytes)), epochs }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelf<Arc<Entry>>> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer, fresh or not.
    pub(super) fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps an answer, over an earlier one, unless there was an invalidation since it was asked for. Answers that are not in
    /// memory are not for this tier, but an earlier one under their key is out of date all the same.
    pub(super) fn put(&self, key: &Arc<str>, entry: &Arc<Entry>, asked_in: Epoch) {
        let mut shelf = self.write();
        if self.epochs.now() != asked_in {
            return;
        }
        let gone = match &entry.content {
            Content::Memory(content) => shelf.put(key, entry.clone(), weight(key, entry, content)),
            Content::File { .. } | Content::Growing(_) => shelf.remove(key).into_iter().collect(),
        };
        // Freeing takes a while; nobody has to wait for it.
        drop(shelf);
        drop(gone);
    }

    /// Drops the answers whose key matches. The epoch has begun before.
    pub(super) fn remove_matching(&self, matches: impl Fn(&str) -> bool) {
        let gone = self.write().remove_matching(matches);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::testing;

    fn key(path: &str) -> Arc<str> {
        path.into()
    }

    #[test]
    fn an_invalidation_drops_what_matches_and_refuses_what_was_asked_for_before_it() {
        let epochs = Arc::new(Epochs::default());
        let cache = Cache::new(1 << 20, epochs.clone());
        let before = epochs.now();
        for path in ["/v/1", "/v/2", "/w/1"] {
            cache.put(&key(path), &testing::entry(b"body"), before);
        }
        epochs.begin();
        cache.remove_matching(|key| key.starts_with("/v/"));
        assert!(cache.get("/v/1").is_none() && cache.get("/v/2").is_none());
        assert!(cache.get("/w/1").is_some());
        cache.put(&key("/v/1"), &testing::entry(b"late"), before);
        assert!(cache.get("/v/1").is_none());
        cache.put(&key("/v/1"), &testing::entry(b"new"), epochs.now());
        assert!(cache.get("/v/1").is_some());
    }

    #[test]
    fn bodies_count() {
        let epochs = Arc::new(Epochs::default());
        let cache = Cache::new(10 * ENTRY_OVERHEAD_BYTES, epochs.clone());
        cache.put(&key("/large"), &testing::entry(&[0; 20 << 10]), epochs.now());
        assert!(cache.get("/large").is_none());
        cache.put(&key("/small"), &testing::entry(&[0; 1 << 10]), epochs.now());
        assert!(cache.get("/small").is_some());
    }
}
