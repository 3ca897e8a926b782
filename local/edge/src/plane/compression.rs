//! Compression on the way to viewers.
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html>.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};

/// CloudFront compresses what is between these sizes.
const BYTES: std::ops::RangeInclusive<usize> = 1_000..=10_000_000;

/// A middle quality: an answer is compressed once, while its first viewer waits.
const BROTLI_QUALITY: u32 = 5;
const BROTLI_WINDOW_BITS: u32 = 22;
const BROTLI_BUFFER_BYTES: usize = 64 << 10;

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

/// A form that viewers may be able to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// As `Content-Encoding` and `Accept-Encoding` say it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let into = Vec::with_capacity(bytes.len() / 4);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(into, Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut encoder = CompressorWriter::new(into, BROTLI_BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
                encoder.write_all(bytes)?;
                encoder.flush()?;
                Ok(encoder.into_inner())
            }
        }
    }
}

/// The codings that a cache policy enables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codings {
    pub gzip: bool,
    pub brotli: bool,
}

impl Codings {
    /// Whether there is any.
    pub(crate) fn any(self) -> bool {
        self.gzip || self.brotli
    }

    /// Compresses; a form that is no smaller is left out. CloudFront prefers brotli, so it comes first.
    ///
    /// # Errors
    /// Writing to memory does not fail.
    pub(crate) fn compress(self, bytes: &[u8]) -> io::Result<Vec<(Coding, Bytes)>> {
        let mut forms = Vec::new();
        for (coding, enabled) in [(Coding::Brotli, self.brotli), (Coding::Gzip, self.gzip)] {
            if enabled {
                let form = coding.compress(bytes)?;
                if form.len() < bytes.len() {
                    forms.push((coding, form.into()));
                }
            }
        }
        Ok(forms)
    }
}

/// The first of the forms that a viewer takes: named in `Accept-Encoding`, and not with a weight of zero.
pub(crate) fn choose<'a>(headers: &HeaderMap, forms: &'a [(Coding, Bytes)]) -> Option<(Coding, &'a Bytes)> {
    if forms.is_empty() {
        return None;
    }
    let accepts = |coding: Coding| {
        let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|accepted| {
            let (name, parameters) = accepted.split_once(';').unwrap_or((accepted, ""));
            let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
            name.trim().eq_ignore_ascii_case(coding.as_str()) && weight.unwrap_or(1.0) > 0.0
        })
    };
    forms.iter().find(|(coding, _)| accepts(*coding)).map(|(coding, bytes)| (*coding, bytes))
}

/// The tag of the compressed form: weak, because its bytes are others.
pub(crate) fn weakened(etag: &HeaderValue) -> Option<HeaderValue> {
    let text = etag.to_str().ok()?;
    if text.starts_with("W/") { Some(etag.clone()) } else { HeaderValue::try_from(format!("W/{text}")).ok() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::io::Read as _;

    use super::*;

    fn check_choice(value: &'static str, expected: Option<Coding>) {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        let forms = [(Coding::Brotli, Bytes::new()), (Coding::Gzip, Bytes::new())];
        assert_eq!(choose(&headers, &forms).map(|(coding, _)| coding), expected, "{value}");
    }

    #[test]
    fn a_viewer_says_what_it_takes() {
        check_choice("gzip, deflate, br", Some(Coding::Brotli));
        check_choice("gzip, deflate", Some(Coding::Gzip));
        check_choice("br;q=0, GZIP;q=0.5", Some(Coding::Gzip));
        check_choice("gzip;q=0, brr", None);
        check_choice("identity", None);
    }

    #[test]
    fn every_form_reads_back_as_it_was() {
        let text = "#EXTINF:6.006,\nindex_1_0.ts\n".repeat(100);
        let forms = Codings { gzip: true, brotli: true }.compress(text.as_bytes()).unwrap();
        assert_eq!(forms.iter().map(|(coding, _)| *coding).collect::<Vec<_>>(), [Coding::Brotli, Coding::Gzip]);
        for (coding, form) in forms {
            let mut back = String::new();
            match coding {
                Coding::Brotli => brotli::Decompressor::new(&form[..], 4096).read_to_string(&mut back).unwrap(),
                Coding::Gzip => flate2::read::GzDecoder::new(&form[..]).read_to_string(&mut back).unwrap(),
            };
            assert!(back == text && form.len() < text.len() / 4);
        }
        let noise: Vec<u8> = (0..2000_u32).flat_map(|index| index.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert!(Codings { gzip: false, brotli: false }.compress(&noise).unwrap().is_empty());
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
