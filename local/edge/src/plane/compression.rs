//! Compression on the way to viewers.
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html>.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};

/// CloudFront compresses what is between these sizes.
const BYTES: std::ops::RangeInclusive<usize> = 1_000..=10_000_000;

/// Types that CloudFront compresses, of those that have a use here; the source has the whole list.
const TYPES: [&str; 23] = [
    "application/dash+xml",
    "application/javascript",
    "application/json",
    "application/pdf",
    "application/rss+xml",
    "application/ttf",
    "application/vnd.apple.mpegurl",
    "application/wasm",
    "application/x-javascript",
    "application/x-mpegurl",
    "application/xhtml+xml",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/js",
    "text/plain",
    "text/tab-separated-values",
    "text/xml",
];

/// Whether an answer with these headers and this many bytes is compressed.
pub(crate) fn compressible(headers: &HeaderMap, bytes: usize) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    BYTES.contains(&bytes) && !headers.contains_key(header::CONTENT_ENCODING) && TYPES.contains(&content_type.as_str())
}

/// Compresses; `None` when it would not get smaller.
pub(crate) fn gzip(bytes: &Bytes) -> std::io::Result<Option<Bytes>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::default());
    encoder.write_all(bytes)?;
    let compressed = encoder.finish()?;
    Ok((compressed.len() < bytes.len()).then(|| compressed.into()))
}

/// Whether a viewer takes gzip: named, and not with a weight of zero.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.unwrap_or(1.0) > 0.0
    })
}

/// The tag of the compressed form: weak, because its bytes are others.
pub(crate) fn weakened(etag: &HeaderValue) -> Option<HeaderValue> {
    let text = etag.to_str().ok()?;
    if text.starts_with("W/") { Some(etag.clone()) } else { HeaderValue::try_from(format!("W/{text}")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_accepts(value: &'static str, expected: bool) {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert_eq!(accepts_gzip(&headers), expected, "{value}");
    }

    #[test]
    fn a_viewer_says_whether_it_takes_gzip() {
        check_accepts("gzip, deflate, br", true);
        check_accepts("br;q=1.0, GZIP;q=0.5", true);
        check_accepts("gzip;q=0, br", false);
        check_accepts("br, gzipped", false);
    }

    fn check_compressible(content_type: &'static str, bytes: usize, expected: bool) {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        assert_eq!(compressible(&headers, bytes), expected, "{content_type} {bytes}");
    }

    #[test]
    fn text_of_a_fair_size_is_compressed() {
        check_compressible("application/vnd.apple.mpegurl", 1_000, true);
        check_compressible("text/HTML; charset=utf-8", 5_000, true);
        check_compressible("text/html", 999, false);
        check_compressible("text/html", 10_000_001, false);
        check_compressible("video/mp2t", 5_000, false);
    }
}
