//! From a whole answer to what one request wants of it: not modified, a range, or all. RFC 9110, sections 13 and 14.

use std::{fmt::Write as _, io, ops::Range, os::unix::fs::FileExt as _};

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use jiff::Timestamp;

use super::{
    entry::{Content, Entry},
    freshness::parse_http_date,
};

/// Read from a file at a time.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Ranges of one request; who asks for more gets the whole.
const RANGES_MAX: usize = 64;

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
    /// Two or more, ascending and apart.
    Ranges(Vec<Range<u64>>),
    Unsatisfiable,
    /// A condition of the viewer's does not hold.
    Failed,
}

/// Chooses the part of a 200.
pub(super) fn part(method: &Method, request: &HeaderMap, entry: &Entry) -> Part {
    choose(method, request, entry.etag.as_ref(), entry.last_modified, entry.content.size_bytes())
}

fn choose(
    method: &Method,
    request: &HeaderMap,
    etag: Option<&HeaderValue>,
    last_modified: Option<Timestamp>,
    length: u64,
) -> Part {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Part::Whole;
    }
    if condition_fails(request, etag, last_modified) {
        return Part::Failed;
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

/// `If-Match` decides where it is given; `If-Unmodified-Since` otherwise.
fn condition_fails(request: &HeaderMap, etag: Option<&HeaderValue>, last_modified: Option<Timestamp>) -> bool {
    if request.contains_key(header::IF_MATCH) {
        let mut tags = request.get_all(header::IF_MATCH).into_iter().filter_map(|value| value.to_str().ok());
        // The strong comparison: a weak tag is like no other.
        let etag = etag.and_then(|etag| etag.to_str().ok()).filter(|etag| !etag.starts_with("W/"));
        return !tags.any(|value| value.split(',').any(|tag| tag.trim() == "*" || Some(tag.trim()) == etag));
    }
    let since = request.get(header::IF_UNMODIFIED_SINCE).and_then(|value| parse_http_date(value.to_str().ok()?));
    since.zip(last_modified).is_some_and(|(since, modified)| modified.as_second() > since.as_second())
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

/// Ranges of bytes. What is not as CloudFront wants it is answered with the whole: every range sound, several of them ascending and
/// not overlapping (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RangeGETs.html>).
fn parse_range(text: &str, length: u64) -> Part {
    let Some(specs) = text.strip_prefix("bytes=") else { return Part::Whole };
    if !specs.contains(',') {
        return parse_one(specs, length);
    }
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for spec in specs.split(',') {
        match parse_one(spec, length) {
            Part::Range(range) if ranges.last().is_none_or(|last| last.end <= range.start) => ranges.push(range),
            _ => return Part::Whole,
        }
        if ranges.len() > RANGES_MAX {
            return Part::Whole;
        }
    }
    Part::Ranges(ranges)
}

fn parse_one(spec: &str, length: u64) -> Part {
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

/// A part of an answer's content.
pub(super) fn body(content: &Content, range: Range<u64>) -> Body {
    match content {
        Content::Memory(bytes) => full(bytes.slice(range.start as usize..range.end as usize)),
        other => streamed(chunks(other.clone(), range)),
    }
}

fn streamed(chunks: BoxStream<'static, io::Result<Bytes>>) -> Body {
    Either::Right(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync())
}

fn chunks(content: Content, range: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    stream::try_unfold((content, range), |(content, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let chunk = match &content {
            Content::Memory(bytes) => bytes.slice(range.start as usize..range.end as usize),
            Content::Growing(growing) => growing.next(range.clone()).await?,
            Content::File { file, .. } => {
                let (file, start) = (file.clone(), range.start);
                let wanted = (range.end - start).min(CHUNK_BYTES as u64) as usize;
                blocking(move || {
                    let mut chunk = vec![0; wanted];
                    file.read_exact_at(&mut chunk, start)?;
                    Ok(Bytes::from(chunk))
                })
                .await?
            }
        };
        let start = range.start + chunk.len() as u64;
        Ok(Some((chunk, (content, start..range.end))))
    })
    .boxed()
}

/// Several parts of an answer, as `multipart/byteranges` (RFC 9110, 14.6).
pub(super) struct Multipart {
    pub content_type: HeaderValue,
    pub length: u64,
    pub body: Body,
}

/// Puts several parts together. The boundary must be a token that no content holds but by chance.
pub(super) fn multipart(entry: &Entry, ranges: &[Range<u64>], boundary: &str) -> Option<Multipart> {
    let content_type = entry.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let total = entry.content.size_bytes();
    let mut length = 0;
    let mut pieces = Vec::with_capacity(ranges.len() + 1);
    for range in ranges {
        let mut head = format!("\r\n--{boundary}\r\n");
        // Writing to a string does not fail.
        if let Some(content_type) = content_type {
            let _ = write!(head, "Content-Type: {content_type}\r\n");
        }
        let _ = write!(head, "Content-Range: bytes {}-{}/{total}\r\n\r\n", range.start, range.end - 1);
        length += head.len() as u64 + (range.end - range.start);
        pieces.push((Bytes::from(head), range.clone()));
    }
    let tail = format!("\r\n--{boundary}--\r\n");
    length += tail.len() as u64;
    pieces.push((tail.into(), 0..0));
    let content = entry.content.clone();
    let parts = stream::iter(pieces)
        .flat_map(move |(head, range)| stream::once(async move { Ok(head) }).chain(chunks(content.clone(), range)));
    let content_type = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")).ok()?;
    Some(Multipart { content_type, length, body: streamed(parts.boxed()) })
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
        Part::Whole | Part::NotModified | Part::Ranges(_) | Part::Failed => return None,
    };
    HeaderValue::try_from(text).ok()
}

/// The status of a part of a 200.
pub(crate) fn status(part: &Part) -> StatusCode {
    match part {
        Part::Whole => StatusCode::OK,
        Part::NotModified => StatusCode::NOT_MODIFIED,
        Part::Range(_) | Part::Ranges(_) => StatusCode::PARTIAL_CONTENT,
        Part::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        Part::Failed => StatusCode::PRECONDITION_FAILED,
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
        assert_eq!(choose(&Method::GET, &headers, Some(&ETAG), modified, 1000), expected, "{request:?}");
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
        check(&[("range", "bytes=0-1,5-6, 6-6,990-")], Part::Whole);
        check(&[("range", "bytes=0-1,5-6, 7-7,990-")], Part::Ranges(vec![0..2, 5..7, 7..8, 990..1000]));
        for whole in [
            "bytes=5-1",
            "bytes=5-6,0-1",
            "bytes=0-1,1000-",
            "bytes=0-1,",
            "lines=0-1",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
        ] {
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
        check(&[("if-match", "\"v0\", \"v1\"")], Part::Whole);
        check(&[("if-match", "*"), ("if-unmodified-since", "Thu, 01 Jan 1970 23:59:59 GMT")], Part::Whole);
        check(&[("if-match", "\"v0\""), ("if-none-match", "\"v1\"")], Part::Failed);
        check(&[("if-match", "W/\"v1\"")], Part::Failed);
        check(&[("if-unmodified-since", "Thu, 01 Jan 1970 23:59:59 GMT")], Part::Failed);
        check(&[("if-unmodified-since", "Fri, 02 Jan 1970 00:00:00 GMT")], Part::Whole);
        check(&[("range", "bytes=0-0"), ("if-range", "\"v1\"")], Part::Range(0..1));
        check(&[("range", "bytes=0-0"), ("if-range", "\"v2\"")], Part::Whole);
        check(&[("range", "bytes=0-0"), ("if-range", "W/\"v1\"")], Part::Whole);
        check(&[("range", "bytes=0-0"), ("if-range", "Fri, 02 Jan 1970 00:00:00 GMT")], Part::Range(0..1));
        check(&[("range", "bytes=0-0"), ("if-none-match", "\"v1\"")], Part::NotModified);
    }

    proptest! {
        #[test]
        fn ranges_never_leave_the_object(
            text in "bytes=[0-9]{0,3}-[0-9]{0,22}(,[0-9]{0,3}-[0-9]{0,3}){0,3}",
            length in 0_u64..1000,
        ) {
            let ranges = match parse_range(&text, length) {
                Part::Range(range) => vec![range],
                Part::Ranges(ranges) => ranges,
                _ => Vec::new(),
            };
            let mut end = 0;
            for range in ranges {
                prop_assert!(end <= range.start && range.start < range.end && range.end <= length);
                end = range.end;
            }
        }
    }
}
