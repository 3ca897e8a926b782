//! What stays when there is not room for all: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//!
//! A newcomer waits in a small queue. Asked for again, it moves to the main queue; otherwise it leaves soon, and only its hash is
//! remembered, so that it goes to the main queue at once if it comes back. A scan thus flushes the small queue and nothing
//! else. A hit sets a counter and moves nothing, so that it needs shared access only.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// The small queue's share of the capacity: one part in this many.
const SMALL_SHARE: u64 = 10;
/// A thing is passed over by so many turns of the main queue at most.
const HITS_MAX: u8 = 3;
/// Hashes remembered when little is kept.
const GHOSTS_MIN: usize = 256;

#[derive(Debug)]
struct Item<V> {
    value: V,
    weight: u64,
    in_main: bool,
    hits: AtomicU8,
    /// Tells this item from an earlier one under the same key, whose place in a queue may still be there.
    ticket: u64,
}

type Place = (Arc<str>, u64);

/// Things by key, bounded by the sum of their weights.
#[derive(Debug)]
pub(super) struct Shelf<V> {
    items: HashMap<Arc<str>, Item<V>>,
    small: VecDeque<Place>,
    main: VecDeque<Place>,
    ghosts: VecDeque<u64>,
    ghost_set: HashSet<u64>,
    hasher: RandomState,
    capacity: u64,
    weight: u64,
    small_weight: u64,
    tickets: u64,
}

impl<V> Shelf<V> {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            items: HashMap::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost_set: HashSet::new(),
            hasher: RandomState::new(),
            capacity,
            weight: 0,
            small_weight: 0,
            tickets: 0,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        let item = self.items.get(key)?;
        // A store that changes nothing would still take the cache line from the other cores.
        let hits = item.hits.load(Ordering::Relaxed);
        if hits < HITS_MAX {
            item.hits.store(hits + 1, Ordering::Relaxed);
        }
        Some(&item.value)
    }

    /// Keeps a thing, over an earlier one under its key. Gives back what had to leave, the thing itself if it is too large.
    pub(super) fn put(&mut self, key: &Arc<str>, value: V, weight: u64) -> Vec<V> {
        let mut gone = Vec::new();
        if weight > self.capacity {
            gone.extend(self.remove(key));
            gone.push(value);
            return gone;
        }
        if let Some(item) = self.items.get_mut(key) {
            // It keeps its place.
            gone.push(std::mem::replace(&mut item.value, value));
            self.weight = self.weight - item.weight + weight;
            if !item.in_main {
                self.small_weight = self.small_weight - item.weight + weight;
            }
            item.weight = weight;
            while self.weight > self.capacity {
                self.evict(&mut gone);
            }
            return gone;
        }
        while self.weight + weight > self.capacity {
            self.evict(&mut gone);
        }
        let in_main = self.ghost_set.remove(&self.hasher.hash_one(&**key));
        self.tickets += 1;
        let ticket = self.tickets;
        self.weight += weight;
        if in_main {
            self.main.push_back((key.clone(), ticket));
        } else {
            self.small_weight += weight;
            self.small.push_back((key.clone(), ticket));
        }
        self.items.insert(key.clone(), Item { value, weight, in_main, hits: AtomicU8::new(0), ticket });
        gone
    }

    /// Takes one thing out.
    pub(super) fn remove(&mut self, key: &str) -> Option<V> {
        let item = self.items.remove(key)?;
        let queue = if item.in_main { &mut self.main } else { &mut self.small };
        queue.retain(|(_, ticket)| *ticket != item.ticket);
        Some(self.account(item))
    }

    /// Takes out all whose key matches.
    pub(super) fn remove_matching(&mut self, matches: impl Fn(&str) -> bool) -> Vec<V> {
        let gone: Vec<_> = self.items.extract_if(|key, _| matches(key)).collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let items = &self.items;
        let stays = |(key, ticket): &Place| items.get(key).is_some_and(|item| item.ticket == *ticket);
        self.small.retain(stays);
        self.main.retain(stays);
        gone.into_iter().map(|(_, item)| self.account(item)).collect()
    }

    fn account(&mut self, item: Item<V>) -> V {
        self.weight -= item.weight;
        if !item.in_main {
            self.small_weight -= item.weight;
        }
        item.value
    }

    /// Takes one step towards room.
    fn evict(&mut self, gone: &mut Vec<V>) {
        if self.main.is_empty() || self.small_weight > self.capacity / SMALL_SHARE {
            self.evict_small(gone);
        } else {
            self.evict_main(gone);
        }
    }

    fn evict_small(&mut self, gone: &mut Vec<V>) {
        let Some((key, ticket)) = self.small.pop_front() else { return };
        let Some(item) = self.items.get_mut(&key) else { return };
        if *item.hits.get_mut() > 0 {
            *item.hits.get_mut() = 0;
            item.in_main = true;
            self.small_weight -= item.weight;
            self.main.push_back((key, ticket));
        } else if let Some(item) = self.items.remove(&key) {
            gone.push(self.account(item));
            self.remember(&key);
        }
    }

    fn evict_main(&mut self, gone: &mut Vec<V>) {
        let Some((key, ticket)) = self.main.pop_front() else { return };
        let Some(item) = self.items.get_mut(&key) else { return };
        let hits = item.hits.get_mut();
        if *hits > 0 {
            *hits -= 1;
            self.main.push_back((key, ticket));
        } else if let Some(item) = self.items.remove(&key) {
            gone.push(self.account(item));
        }
    }

    fn remember(&mut self, key: &str) {
        let hash = self.hasher.hash_one(key);
        if self.ghost_set.insert(hash) {
            self.ghosts.push_back(hash);
        }
        while self.ghosts.len() > self.items.len().max(GHOSTS_MIN) {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.ghost_set.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: impl std::fmt::Display) -> Arc<str> {
        name.to_string().into()
    }

    #[test]
    fn a_scan_does_not_flush_what_is_in_use() {
        let mut shelf = Shelf::new(100);
        for name in 0..50 {
            shelf.put(&key(name), name, 1);
            shelf.get(&key(name));
        }
        for name in 1000..11_000 {
            shelf.put(&key(name), name, 1);
        }
        let kept = (0..50).filter(|name| shelf.get(&key(name)).is_some()).count();
        assert_eq!(kept, 50);
    }

    #[test]
    fn what_comes_back_stays() {
        let mut shelf = Shelf::new(20);
        for name in 0..30 {
            shelf.put(&key(name), name, 1);
        }
        assert!(shelf.get("5").is_none());
        shelf.put(&key(5), 5, 1);
        for name in 100..140 {
            shelf.put(&key(name), name, 1);
        }
        assert!(shelf.get("5").is_some());
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_what_it_replaced_is_gone() {
        let mut shelf = Shelf::new(10);
        shelf.put(&key("a"), 1, 5);
        assert_eq!(shelf.put(&key("a"), 2, 11), [1, 2]);
        assert!(shelf.get("a").is_none());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, u64),
        Get(u8),
        Remove(u8),
        RemoveOdd,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_u8..30, 0_u64..40).prop_map(|(name, weight)| Step::Put(name, weight)),
            4 => (0_u8..30).prop_map(Step::Get),
            1 => (0_u8..30).prop_map(Step::Remove),
            1 => Just(Step::RemoveOdd),
        ]
    }

    proptest! {
        #[test]
        fn the_books_balance(steps in proptest::collection::vec(step(), 1..300)) {
            let mut shelf = Shelf::new(100);
            let (mut came, mut left) = (0, 0);
            for step in steps {
                match step {
                    Step::Put(name, weight) => {
                        came += 1;
                        left += shelf.put(&key(name), name, weight).len();
                        prop_assert!(weight > 100 || shelf.items.contains_key(&key(name)) || shelf.weight > 60);
                    }
                    Step::Get(name) => { shelf.get(&key(name)); }
                    Step::Remove(name) => left += usize::from(shelf.remove(&key(name)).is_some()),
                    Step::RemoveOdd => left += shelf.remove_matching(|key| key.ends_with(['1', '3', '5', '7', '9'])).len(),
                }
                prop_assert_eq!(shelf.items.len(), came - left);
                prop_assert_eq!(shelf.items.values().map(|item| item.weight).sum::<u64>(), shelf.weight);
                let small = shelf.items.values().filter(|item| !item.in_main).map(|item| item.weight).sum::<u64>();
                prop_assert_eq!(small, shelf.small_weight);
                prop_assert!(shelf.weight <= 100);
                prop_assert_eq!(shelf.small.len() + shelf.main.len(), shelf.items.len());
                for (queue, in_main) in [(&shelf.small, false), (&shelf.main, true)] {
                    for (key, ticket) in queue {
                        prop_assert!(shelf.items.get(key).is_some_and(|item| item.ticket == *ticket && item.in_main == in_main));
                    }
                }
            }
        }
    }
}
