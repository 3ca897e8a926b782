//! The memory cache: whole answers, bounded by bytes, evicted by the clock algorithm (second chance), which needs no more from
//! a hit than setting a flag. A lookup takes a read lock and copies a reference; bodies are never copied.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

/// What an entry takes beside its body, roughly: headers, key, slot.
const ENTRY_OVERHEAD_BYTES: usize = 1024;

/// An answer as the origin gave it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub status: StatusCode,
    /// Without what belongs to one connection, and without a length.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body compressed, where that is done.
    pub gzip: Option<Bytes>,
    pub etag: Option<HeaderValue>,
    pub last_modified: Option<Timestamp>,
    /// When the origin said so; ages count from here.
    pub stored_at: Timestamp,
    pub fresh_until: Timestamp,
}

/// What is looked up: the distribution's id, then the path, then the rest of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub distribution: Arc<str>,
    pub path: String,
    /// Everything else that the cache policy counts, the origin included.
    pub rest: String,
}

struct Slot {
    key: Key,
    entry: Arc<Entry>,
    /// Asked for since the hand last came by.
    used: AtomicBool,
}

#[derive(Default)]
struct Slots {
    by_key: HashMap<Key, usize>,
    ring: Vec<Slot>,
    hand: usize,
    bytes: usize,
}

/// The cache.
pub(crate) struct Cache {
    slots: RwLock<Slots>,
    capacity_bytes: usize,
}

fn weight(key: &Key, entry: &Entry) -> usize {
    ENTRY_OVERHEAD_BYTES
        + key.path.len()
        + key.rest.len()
        + entry.body.len()
        + entry.gzip.as_ref().map_or(0, Bytes::len)
}

impl Slots {
    fn remove(&mut self, index: usize) {
        let slot = self.ring.swap_remove(index);
        self.bytes -= weight(&slot.key, &slot.entry);
        self.by_key.remove(&slot.key);
        if let Some(moved) = self.ring.get(index) {
            self.by_key.insert(moved.key.clone(), index);
        }
    }

    /// Lets the hand go on until one slot is out.
    fn evict(&mut self) {
        while !self.ring.is_empty() {
            self.hand %= self.ring.len();
            if !self.ring[self.hand].used.swap(false, Ordering::Relaxed) {
                let index = self.hand;
                self.remove(index);
                return;
            }
            self.hand += 1;
        }
    }
}

impl Cache {
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        Self { slots: RwLock::default(), capacity_bytes }
    }

    fn read(&self) -> RwLockReadGuard<'_, Slots> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Slots> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer, fresh or not.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let slots = self.read();
        let slot = &slots.ring[*slots.by_key.get(key)?];
        // A store to a flag that is set already would still take the cache line from the other cores.
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        Some(slot.entry.clone())
    }

    /// Keeps an answer, over an earlier one; one that is larger than the cache is not kept.
    pub(crate) fn put(&self, key: Key, entry: Arc<Entry>) {
        let bytes = weight(&key, &entry);
        if bytes > self.capacity_bytes {
            return;
        }
        let mut slots = self.write();
        if let Some(index) = slots.by_key.get(&key).copied() {
            slots.remove(index);
        }
        while slots.bytes + bytes > self.capacity_bytes {
            slots.evict();
        }
        slots.bytes += bytes;
        let index = slots.ring.len();
        slots.by_key.insert(key.clone(), index);
        slots.ring.push(Slot { key, entry, used: AtomicBool::new(false) });
    }

    /// Drops a distribution's answers to paths that match.
    pub(crate) fn invalidate(&self, distribution: &str, matches: impl Fn(&str) -> bool) {
        let mut slots = self.write();
        let mut index = 0;
        while let Some(slot) = slots.ring.get(index) {
            if &*slot.key.distribution == distribution && matches(&slot.key.path) {
                slots.remove(index);
            } else {
                index += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(path: &str) -> Key {
        Key { distribution: "E1".into(), path: path.into(), rest: String::new() }
    }

    fn entry(bytes: usize) -> Arc<Entry> {
        Arc::new(Entry {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: vec![0; bytes].into(),
            gzip: None,
            etag: None,
            last_modified: None,
            stored_at: Timestamp::UNIX_EPOCH,
            fresh_until: Timestamp::UNIX_EPOCH,
        })
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not() {
        let cache = Cache::new(4 * (ENTRY_OVERHEAD_BYTES + 1002));
        for path in ["/a", "/b", "/c", "/d"] {
            cache.put(key(path), entry(1000));
        }
        assert!(cache.get(&key("/a")).is_some());
        cache.put(key("/e"), entry(1000));
        assert!(cache.get(&key("/a")).is_some() && cache.get(&key("/e")).is_some());
        assert!(cache.get(&key("/b")).is_none());
    }

    #[test]
    fn an_invalidation_drops_one_distributions_matching_paths() {
        let cache = Cache::new(1 << 20);
        for path in ["/v/1", "/v/2", "/w/1"] {
            cache.put(key(path), entry(10));
        }
        cache.put(Key { distribution: "E2".into(), ..key("/v/1") }, entry(10));
        cache.invalidate("E1", |path| path.starts_with("/v/"));
        assert!(cache.get(&key("/v/1")).is_none() && cache.get(&key("/v/2")).is_none());
        assert!(cache.get(&key("/w/1")).is_some());
        assert!(cache.get(&Key { distribution: "E2".into(), ..key("/v/1") }).is_some());
    }

    proptest! {
        #[test]
        fn the_books_balance(operations in proptest::collection::vec((0_u8..12, 0_usize..6000, any::<bool>()), 1..200)) {
            let capacity_bytes = 20_000;
            let cache = Cache::new(capacity_bytes);
            for (name, size, put) in operations {
                let key = key(&format!("/{name}"));
                if put { cache.put(key, entry(size)) } else { cache.get(&key); }
                let slots = cache.read();
                let bytes: usize = slots.ring.iter().map(|slot| weight(&slot.key, &slot.entry)).sum();
                prop_assert_eq!(bytes, slots.bytes);
                prop_assert!(bytes <= capacity_bytes);
                prop_assert_eq!(slots.by_key.len(), slots.ring.len());
                for (key, index) in &slots.by_key {
                    prop_assert_eq!(&slots.ring[*index].key, key);
                }
            }
        }
    }
}
