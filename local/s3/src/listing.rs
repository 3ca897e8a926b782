//! Listing with prefix and delimiter: keys in the order of their UTF-8 bytes, those that share a prefix up to the delimiter rolled
//! into one. The same walk serves objects, versions and uploads.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html>.

use rusqlite::Connection;

use crate::{
    failure::Failure,
    uploads::{self, Upload},
    versions::{self, Version},
};

/// The most entries of one answer.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>.
pub(crate) const MAX_ENTRIES: i32 = 1000;

/// Greater than every character a key can hold after a prefix (but itself, which the walk allows for).
const LAST_CHARACTER: char = char::MAX;

/// Where a walk begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start<P> {
    /// At this key or the first one after it.
    At(String),
    /// After everything of this key.
    AfterKey(String),
    /// After this row.
    After(P),
}

/// What is walked over.
pub(crate) trait Entry: Sized {
    /// Where an entry stands in the order.
    type Position: Clone;

    fn key(&self) -> &str;
    fn position(&self) -> Self::Position;
    /// The entries from `start` on, at most `limit`.
    fn fetch(
        connection: &Connection,
        bucket: &str,
        start: &Start<Self::Position>,
        limit: usize,
    ) -> Result<Vec<Self>, Failure>;
}

/// The current version of an object, as plain listings show it.
pub(crate) struct Current(pub(crate) Version);

impl Entry for Current {
    type Position = String;

    fn key(&self) -> &str {
        &self.0.key
    }

    fn position(&self) -> String {
        self.0.key.clone()
    }

    fn fetch(connection: &Connection, bucket: &str, start: &Start<String>, limit: usize) -> Result<Vec<Self>, Failure> {
        let (comparison, key) = match start {
            Start::At(key) => (">=", key),
            Start::AfterKey(key) | Start::After(key) => (">", key),
        };
        connection
            .prepare_cached(&format!(
                "SELECT {} FROM s3_versions
                 WHERE bucket = ?1 AND key {comparison} ?2 AND latest AND NOT delete_marker ORDER BY key LIMIT ?3",
                versions::COLUMNS
            ))?
            .query_and_then((bucket, key, limit), |row| versions::from_row(row).map(Self))?
            .collect()
    }
}

impl Entry for Version {
    type Position = (String, i64);

    fn key(&self) -> &str {
        &self.key
    }

    fn position(&self) -> (String, i64) {
        (self.key.clone(), self.sequence)
    }

    fn fetch(
        connection: &Connection,
        bucket: &str,
        start: &Start<(String, i64)>,
        limit: usize,
    ) -> Result<Vec<Self>, Failure> {
        let (condition, key, sequence) = match start {
            Start::At(key) => ("key >= ?2 AND ?3 = 0", key, 0),
            Start::AfterKey(key) => ("key > ?2 AND ?3 = 0", key, 0),
            Start::After((key, sequence)) => ("key >= ?2 AND (key > ?2 OR sequence < ?3)", key, *sequence),
        };
        connection
            .prepare_cached(&format!(
                "SELECT {} FROM s3_versions WHERE bucket = ?1 AND {condition} ORDER BY key, sequence DESC LIMIT ?4",
                versions::COLUMNS
            ))?
            .query_and_then((bucket, key, sequence, limit), versions::from_row)?
            .collect()
    }
}

impl Entry for Upload {
    type Position = (String, String);

    fn key(&self) -> &str {
        &self.key
    }

    fn position(&self) -> (String, String) {
        (self.key.clone(), self.id.clone())
    }

    fn fetch(
        connection: &Connection,
        bucket: &str,
        start: &Start<(String, String)>,
        limit: usize,
    ) -> Result<Vec<Self>, Failure> {
        uploads::list(connection, bucket, start, limit)
    }
}

/// What to list.
#[derive(Clone, Debug)]
pub(crate) struct Query<P> {
    pub(crate) prefix: String,
    /// `None` lists every key by itself.
    pub(crate) delimiter: Option<String>,
    /// `None` starts at the beginning.
    pub(crate) start: Option<Start<P>>,
    /// Items and common prefixes together.
    pub(crate) limit: usize,
}

/// A page of a listing.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) common_prefixes: Vec<String>,
    /// The key of the last item or the last common prefix, whichever came later; set when there is more.
    pub(crate) next: Option<String>,
}

/// Walks over one page.
pub(crate) fn list<T: Entry>(
    connection: &Connection,
    bucket: &str,
    query: &Query<T::Position>,
) -> Result<Page<T>, Failure> {
    let mut page = Page { items: Vec::new(), common_prefixes: Vec::new(), next: None };
    if query.limit == 0 {
        return Ok(page);
    }
    // The common prefix already told, here or at the end of the page before.
    let mut told = match &query.start {
        Some(Start::AfterKey(key)) => common_prefix(key, query).filter(|common| common == key),
        _ => None,
    };
    let mut start = first(query, told.as_deref());
    let mut last = String::new();
    loop {
        let found = page.items.len() + page.common_prefixes.len();
        // One more than fits tells whether there is more.
        let wanted = query.limit - found + 1;
        let rows = T::fetch(connection, bucket, &start, wanted)?;
        let exhausted = rows.len() < wanted;
        let mut jumped = false;
        for row in rows {
            if !row.key().starts_with(&query.prefix) {
                return Ok(page);
            }
            let common = common_prefix(row.key(), query);
            if common.is_some() && common == told {
                start = Start::After(row.position());
                continue;
            }
            if page.items.len() + page.common_prefixes.len() == query.limit {
                page.next = Some(last);
                return Ok(page);
            }
            start = Start::After(row.position());
            if let Some(common) = common {
                last.clone_from(&common);
                start = past(&common);
                told = Some(common.clone());
                page.common_prefixes.push(common);
                jumped = true;
                break;
            }
            row.key().clone_into(&mut last);
            page.items.push(row);
        }
        if exhausted && !jumped {
            return Ok(page);
        }
    }
}

fn past<P>(common: &str) -> Start<P> {
    Start::AfterKey(format!("{common}{LAST_CHARACTER}"))
}

fn common_prefix<P>(key: &str, query: &Query<P>) -> Option<String> {
    let delimiter = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(query.prefix.as_str())?;
    let end = query.prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(key[..end].to_owned())
}

/// Where the walk begins.
fn first<P: Clone>(query: &Query<P>, told: Option<&str>) -> Start<P> {
    // A page ended with a common prefix: go on behind everything it stands for.
    if let Some(told) = told {
        return past(told);
    }
    match &query.start {
        Some(Start::AfterKey(key)) if *key < query.prefix => Start::At(query.prefix.clone()),
        Some(start) => start.clone(),
        None => Start::At(query.prefix.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use vodline_core::Store;

    use super::*;
    use crate::{bucket, schema::MIGRATION};

    fn store(keys: &BTreeSet<String>) -> Store {
        let store = Store::in_memory(MIGRATION).unwrap();
        store
            .write::<_, Failure>(|transaction| {
                bucket::insert(transaction, "b", jiff::Timestamp::UNIX_EPOCH)?;
                let bucket = bucket::find(transaction, "b")?;
                for key in keys {
                    let mut version = Version { key: key.clone(), ..Version::default() };
                    versions::insert(transaction, &bucket, &mut version, String::new())?;
                }
                Ok(())
            })
            .unwrap();
        store
    }

    /// All entries, page by page, items and common prefixes in one order.
    fn walk(store: &Store, prefix: &str, delimiter: &str, limit: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let delimiter = (!delimiter.is_empty()).then(|| delimiter.to_owned());
            let query = Query { prefix: prefix.into(), delimiter, start, limit };
            let page: Page<Current> = store.read(|connection| list(connection, "b", &query)).unwrap();
            let mut entries: Vec<String> = page.items.iter().map(|item| item.0.key.clone()).collect();
            entries.extend(page.common_prefixes);
            entries.sort();
            assert!(entries.len() <= limit);
            if let Some(next) = &page.next {
                assert_eq!(entries.len(), limit);
                assert_eq!(entries.last(), Some(next));
            }
            found.extend(entries);
            match page.next {
                Some(next) => start = Some(Start::AfterKey(next)),
                None => return found,
            }
        }
    }

    /// What the documentation says, without any cleverness.
    fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> Vec<String> {
        let mut entries: Vec<String> = keys
            .iter()
            .filter_map(|key| {
                let rest = key.strip_prefix(prefix)?;
                match rest.find(delimiter) {
                    Some(at) if !delimiter.is_empty() => Some(format!("{prefix}{}", &rest[..at + delimiter.len()])),
                    _ => Some(key.clone()),
                }
            })
            .collect();
        entries.sort();
        entries.dedup();
        entries
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]
        #[test]
        fn every_page_size_finds_everything_once(
            keys in prop::collection::btree_set("[ab/é\u{10FFFF}]{1,6}", 0..25),
            prefix in "[ab/]{0,2}",
            delimiter in "(|/|a/)",
            limit in 1_usize..6,
        ) {
            let store = store(&keys);
            prop_assert_eq!(walk(&store, &prefix, &delimiter, limit), expected(&keys, &prefix, &delimiter));
        }
    }
}
