//! What the tests of several modules share.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};

use super::{
    entry::{Content, Entry},
    freshness::Life,
};

/// An answer that is fresh for a minute from the epoch on.
pub(super) fn entry(body: &[u8]) -> Arc<Entry> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    let content = Content::Memory(Bytes::copy_from_slice(body));
    let now = Timestamp::UNIX_EPOCH;
    let life = Life::fresh_for(SignedDuration::from_secs(60), now);
    Arc::new(Entry::new(StatusCode::OK, headers, content, now, life))
}
