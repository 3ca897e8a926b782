//! Answers as they are kept, and the keys they are kept under.

use std::{fmt::Write as _, fs::File, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;

use super::{
    compression::Coding,
    freshness::{Life, parse_http_date},
    growing::Growing,
};

/// Headers that a delivery adds, about.
const HEADERS_ADDED: usize = 16;

/// An answer as the origin gave it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub status: StatusCode,
    /// Without what belongs to one connection, and without a length.
    pub headers: HeaderMap,
    pub content: Content,
    /// The content in its compressed forms, where that is done; the better form first.
    pub codings: Vec<(Coding, Bytes)>,
    pub etag: Option<HeaderValue>,
    pub last_modified: Option<Timestamp>,
    /// When the origin said so; ages count from here.
    pub stored_at: Timestamp,
    pub life: Life,
}

/// Where an answer's bytes are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Memory(Bytes),
    /// Opened when it was found, so it can be read even when it is evicted meanwhile.
    File {
        file: Arc<File>,
        size_bytes: u64,
    },
    /// Still arriving.
    Growing(Arc<Growing>),
}

impl Content {
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { size_bytes, .. } => *size_bytes,
            Self::Growing(growing) => growing.size_bytes(),
        }
    }
}

impl Entry {
    /// An answer without compressed forms; the validators are read from the headers.
    pub(super) fn new(
        status: StatusCode,
        mut headers: HeaderMap,
        content: Content,
        stored_at: Timestamp,
        life: Life,
    ) -> Self {
        // Copies of these headers are written into for every viewer; the table has its size from here.
        headers.reserve(HEADERS_ADDED);
        if status == StatusCode::OK {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        let last_modified = headers.get(header::LAST_MODIFIED).and_then(|value| parse_http_date(value.to_str().ok()?));
        let etag = headers.get(header::ETAG).cloned();
        Self { status, headers, content, codings: Vec::new(), etag, last_modified, stored_at, life }
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.life.fresh_until
    }

    pub(super) fn is_error(&self) -> bool {
        self.status.is_client_error() || self.status.is_server_error()
    }

    /// The same answer with other content.
    pub(super) fn with(&self, content: Content) -> Self {
        Self { content, ..self.clone() }
    }
}

/// Begins a key: the distribution, the path, the origin and the method. What the cache policy counts is written after it. Lengths
/// keep one part from passing for another.
pub(super) fn begin_key(distribution: &str, path: &str, origin: &str, method: &Method) -> String {
    let mut key = String::with_capacity(distribution.len() + path.len() + origin.len() + 64);
    // Writing to a string does not fail.
    let _ = write!(key, "{distribution} {} {path}{} {origin}{method}", path.len(), origin.len());
    key
}

/// The distribution and the path of a key.
pub(super) fn subject(key: &str) -> Option<(&str, &str)> {
    let (distribution, rest) = key.split_once(' ')?;
    let (length, rest) = rest.split_once(' ')?;
    Some((distribution, rest.get(..length.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_tells_its_distribution_and_path(path in "/\\PC{0,30}", origin in "\\PC{0,10}", rest in "\\PC{0,10}") {
            let key = begin_key("E1", &path, &origin, &Method::GET) + &rest;
            prop_assert_eq!(subject(&key), Some(("E1", path.as_str())));
        }

        #[test]
        fn different_requests_have_different_keys(one in ("/[ 0-9/]{0,4}", "[ 0-9]{0,3}"), other in ("/[ 0-9/]{0,4}", "[ 0-9]{0,3}")) {
            let key = |(path, origin): &(String, String)| begin_key("E1", path, origin, &Method::GET);
            prop_assert_eq!(key(&one) == key(&other), one == other);
        }
    }
}
