//! From a whole answer to what one request wants of it: not modified, a range, or all. RFC 9110, sections 13 and 14.

use std::{io, ops::Range, path::PathBuf};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use jiff::Timestamp;

use super::freshness::parse_http_date;

/// Read from a file at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// What goes out.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, io::Error>>;

/// A body from memory.
pub(crate) fn full(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

/// Which part of an answer a request gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    NotModified,
    /// Never empty.
    Range(Range<u64>),
    Unsatisfiable,
}

/// Chooses the part of a 200 with these validators and this length.
pub(crate) fn part(
    method: &Method,
    request: &HeaderMap,
    etag: Option<&HeaderValue>,
    last_modified: Option<Timestamp>,
    length: u64,
) -> Part {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Part::Whole;
    }
    if not_modified(request, etag, last_modified) {
        return Part::NotModified;
    }
    match request.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(range) if *method == Method::GET && if_range_holds(request, etag, last_modified) => {
            parse_range(range, length)
        }
        _ => Part::Whole,
    }
}

/// `If-None-Match` decides where it is given; `If-Modified-Since` otherwise.
fn not_modified(request: &HeaderMap, etag: Option<&HeaderValue>, last_modified: Option<Timestamp>) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        let tags = request.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
        let etag = etag.and_then(|etag| etag.to_str().ok()).map(opaque);
        return etag.is_some_and(|etag| {
            tags.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || opaque(tag.trim()) == etag)
        });
    }
    let since = request.get(header::IF_MODIFIED_SINCE).and_then(|value| parse_http_date(value.to_str().ok()?));
    // HTTP's dates are whole seconds.
    since.zip(last_modified).is_some_and(|(since, modified)| modified.as_second() <= since.as_second())
}

/// The weak comparison looks at the opaque part only.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether the range still means the same bytes: a strong tag or an exact date.
fn if_range_holds(request: &HeaderMap, etag: Option<&HeaderValue>, last_modified: Option<Timestamp>) -> bool {
    let Some(condition) = request.get(header::IF_RANGE) else { return true };
    let Ok(text) = condition.to_str() else { return false };
    if text.starts_with('"') {
        etag == Some(condition)
    } else {
        parse_http_date(text)
            .zip(last_modified)
            .is_some_and(|(date, modified)| date.as_second() == modified.as_second())
    }
}

/// One range of bytes. Several at once, and other units, are answered with the whole, as a server may.
fn parse_range(text: &str, length: u64) -> Part {
    let Some(spec) = text.strip_prefix("bytes=") else { return Part::Whole };
    if spec.contains(',') {
        return Part::Whole;
    }
    let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) || (first.is_empty() && last.is_empty()) {
        return Part::Whole;
    }
    // A number too large for 64 bits lies behind every end.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    let range = match (first, last) {
        ("", suffix) => length.saturating_sub(number(suffix))..length,
        (first, "") => number(first)..length,
        (first, last) => {
            let (first, last) = (number(first), number(last));
            if last < first {
                return Part::Whole;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    if range.start >= range.end { Part::Unsatisfiable } else { Part::Range(range) }
}

/// A part of a file, read as it goes out. The file is opened before the answer begins.
pub(crate) async fn file(path: PathBuf, range: Range<u64>) -> io::Result<Body> {
    use std::io::{Read as _, Seek as _};
    let start = range.start;
    let file = blocking(move || {
        let mut file = std::fs::File::open(path)?;
        file.seek(io::SeekFrom::Start(start))?;
        Ok(file)
    })
    .await?;
    let chunks = stream::try_unfold((file, range.end - range.start), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let wanted = left.min(CHUNK_BYTES as u64) as usize;
        let (file, chunk) = blocking(move || {
            let mut chunk = vec![0; wanted];
            file.read_exact(&mut chunk)?;
            Ok((file, chunk))
        })
        .await?;
        Ok(Some((Bytes::from(chunk), (file, left - wanted as u64))))
    });
    Ok(Either::Right(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync()))
}

/// Runs file work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// `Content-Range` of a part.
pub(crate) fn content_range(part: &Part, length: u64) -> Option<HeaderValue> {
    let text = match part {
        Part::Range(range) => format!("bytes {}-{}/{length}", range.start, range.end - 1),
        Part::Unsatisfiable => format!("bytes */{length}"),
        Part::Whole | Part::NotModified => return None,
    };
    HeaderValue::try_from(text).ok()
}

/// The status of a part of a 200.
pub(crate) fn status(part: &Part) -> StatusCode {
    match part {
        Part::Whole => StatusCode::OK,
        Part::NotModified => StatusCode::NOT_MODIFIED,
        Part::Range(_) => StatusCode::PARTIAL_CONTENT,
        Part::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    const ETAG: HeaderValue = HeaderValue::from_static("\"v1\"");

    fn check(request: &[(&'static str, &'static str)], expected: Part) {
        let headers: HeaderMap = request
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let modified = Timestamp::new(86_400, 500).ok();
        assert_eq!(part(&Method::GET, &headers, Some(&ETAG), modified, 1000), expected, "{request:?}");
    }

    #[test]
    fn ranges_are_cut_as_asked() {
        check(&[], Part::Whole);
        check(&[("range", "bytes=0-99")], Part::Range(0..100));
        check(&[("range", "bytes=900-")], Part::Range(900..1000));
        check(&[("range", "bytes=-100")], Part::Range(900..1000));
        check(&[("range", "bytes=-5000")], Part::Range(0..1000));
        check(&[("range", "bytes=990-99999999999999999999999")], Part::Range(990..1000));
        check(&[("range", "bytes=1000-")], Part::Unsatisfiable);
        check(&[("range", "bytes=-0")], Part::Unsatisfiable);
        check(&[("range", "bytes=99999999999999999999999-")], Part::Unsatisfiable);
        for whole in ["bytes=5-1", "bytes=0-1,5-6", "lines=0-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=+1-2"] {
            check(&[("range", whole)], Part::Whole);
        }
    }

    #[test]
    fn conditions_are_held_against_the_validators() {
        check(&[("if-none-match", "\"v1\"")], Part::NotModified);
        check(&[("if-none-match", "\"v0\", W/\"v1\"")], Part::NotModified);
        check(&[("if-none-match", "*")], Part::NotModified);
        check(&[("if-none-match", "\"v2\""), ("if-modified-since", "Fri, 02 Jan 1970 00:00:00 GMT")], Part::Whole);
        check(&[("if-modified-since", "Fri, 02 Jan 1970 00:00:00 GMT")], Part::NotModified);
        check(&[("if-modified-since", "Thu, 01 Jan 1970 23:59:59 GMT")], Part::Whole);
        check(&[("range", "bytes=0-0"), ("if-range", "\"v1\"")], Part::Range(0..1));
        check(&[("range", "bytes=0-0"), ("if-range", "\"v2\"")], Part::Whole);
        check(&[("range", "bytes=0-0"), ("if-range", "W/\"v1\"")], Part::Whole);
        check(&[("range", "bytes=0-0"), ("if-range", "Fri, 02 Jan 1970 00:00:00 GMT")], Part::Range(0..1));
        check(&[("range", "bytes=0-0"), ("if-none-match", "\"v1\"")], Part::NotModified);
    }

    proptest! {
        #[test]
        fn a_range_never_leaves_the_object(text in "bytes=[0-9]{0,22}-[0-9]{0,22}", length in 0_u64..5000) {
            if let Part::Range(range) = parse_range(&text, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
