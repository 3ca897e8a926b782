//! The checksums S3 keeps with objects and parts.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>.

use base64::{Engine, prelude::BASE64_STANDARD};
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use s3s::{
    S3ErrorCode, TrailingHeaders,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What S3 computes when the client names no algorithm.
pub(crate) const DEFAULT_ALGORITHM: Algorithm = Algorithm::Crc64Nvme;

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As in `ChecksumAlgorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            Failure::invalid_request(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })
    }

    /// The header or trailer that carries a value of this algorithm.
    fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The CRC whose values of two pieces give the value of the whole; the SHAs have none.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// What a multipart upload's checksum covers when its creator does not say.
    pub(crate) fn default_type(self) -> ChecksumType {
        if self == Self::Crc64Nvme { ChecksumType::FullObject } else { ChecksumType::Composite }
    }

    /// Whether S3 offers this combination for multipart uploads.
    pub(crate) fn allows(self, kind: ChecksumType) -> bool {
        match kind {
            ChecksumType::FullObject => self.crc().is_some(),
            ChecksumType::Composite => self != Self::Crc64Nvme,
        }
    }
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ChecksumType {
    /// The object's bytes.
    FullObject,
    /// The checksums of its parts.
    Composite,
}

impl ChecksumType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "FULL_OBJECT" => Ok(Self::FullObject),
            "COMPOSITE" => Ok(Self::Composite),
            _ => Err(Failure::invalid_request("Value for x-amz-checksum-type header is invalid.")),
        }
    }
}

/// A checksum with what is needed to check or show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// Base64; of composites with `-<parts>` behind it.
    pub(crate) value: String,
    pub(crate) kind: ChecksumType,
}

impl Checksum {
    pub(crate) fn of_bytes(algorithm: Algorithm, digest: &[u8]) -> Self {
        Self { algorithm, value: BASE64_STANDARD.encode(digest), kind: ChecksumType::FullObject }
    }

    /// The checksum of an object made of these parts, each with its size in bytes.
    pub(crate) fn of_parts(
        algorithm: Algorithm,
        kind: ChecksumType,
        parts: &[(Checksum, u64)],
    ) -> Result<Self, Failure> {
        let digests = parts
            .iter()
            .map(|(part, size)| Ok((BASE64_STANDARD.decode(&part.value).map_err(|_| unreadable())?, *size)))
            .collect::<Result<Vec<_>, Failure>>()?;
        match (kind, algorithm.crc()) {
            (ChecksumType::FullObject, Some(crc)) => {
                let mut pieces = digests.iter().map(|(digest, size)| (number(digest), *size));
                let first = pieces.next().unwrap_or_default().0;
                let whole = pieces.fold(first, |sum, (piece, size)| crc_fast::checksum_combine(crc, sum, piece, size));
                let width = digests.first().map_or(0, |(digest, _)| digest.len());
                let bytes = whole.to_be_bytes();
                Ok(Self::of_bytes(algorithm, &bytes[bytes.len() - width..]))
            }
            _ => {
                let mut hasher = Hasher::new(algorithm);
                for (digest, _) in &digests {
                    hasher.update(digest);
                }
                let value = format!("{}-{}", BASE64_STANDARD.encode(hasher.finish()), parts.len());
                Ok(Self { algorithm, value, kind: ChecksumType::Composite })
            }
        }
    }
}

fn number(digest: &[u8]) -> u64 {
    digest.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn unreadable() -> Failure {
    vodline_core::StoreError::Corrupt("a part's checksum is not base64".into()).into()
}

/// Computes one checksum as bytes pass by.
pub(crate) enum Hasher {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(hasher) => hasher.update(bytes),
            Self::Crc64Nvme(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().to_vec(),
            Self::Crc32c(hasher) => hasher.finalize().to_vec(),
            Self::Crc64Nvme(hasher) => hasher.finalize().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// What a client says of the checksum of the bytes it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) algorithm: Algorithm,
    /// The value, when it is known before the bytes; otherwise a trailer brings it.
    value: Option<String>,
    in_trailer: bool,
}

impl Declared {
    /// Reads the request's headers: a value, the announcement of a trailer, or only the name of an algorithm. `otherwise` is the
    /// algorithm for a client that says nothing.
    pub(crate) fn from_headers(headers: &HeaderMap, otherwise: Algorithm) -> Result<Self, Failure> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut values =
            Algorithm::ALL.into_iter().filter_map(|algorithm| Some((algorithm, text(algorithm.header())?)));
        if let Some((algorithm, value)) = values.next() {
            if values.next().is_some() {
                return Err(Failure::invalid_request(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                ));
            }
            return Ok(Self { algorithm, value: Some(value.into()), in_trailer: false });
        }
        if let Some(trailer) = text("x-amz-trailer") {
            let algorithm = Algorithm::ALL
                .into_iter()
                .find(|algorithm| trailer.trim().eq_ignore_ascii_case(algorithm.header()))
                .ok_or_else(|| {
                    Failure::invalid_request("The value specified in the x-amz-trailer header is not supported")
                })?;
            return Ok(Self { algorithm, value: None, in_trailer: true });
        }
        let named = text("x-amz-sdk-checksum-algorithm").or_else(|| text("x-amz-checksum-algorithm"));
        let algorithm = named.map_or(Ok(otherwise), Algorithm::parse)?;
        Ok(Self { algorithm, value: None, in_trailer: false })
    }

    /// The algorithm of a checksum the client does send.
    pub(crate) fn sent(&self) -> Option<Algorithm> {
        (self.value.is_some() || self.in_trailer).then_some(self.algorithm)
    }

    /// Compares the digest of the bytes received with what the client said, and makes it the stored checksum.
    pub(crate) fn verify(&self, digest: &[u8], trailers: Option<&TrailingHeaders>) -> Result<Checksum, Failure> {
        let computed = Checksum::of_bytes(self.algorithm, digest);
        let sent = match &self.value {
            Some(value) => Some(value.clone()),
            None if self.in_trailer => Some(
                trailers
                    .and_then(|trailers| {
                        trailers.read(|headers| {
                            headers.get(self.algorithm.header()).and_then(|value| value.to_str().ok()).map(str::to_owned)
                        })
                    })
                    .flatten()
                    .ok_or_else(|| {
                        Failure::custom(
                            "MalformedTrailerError",
                            http::StatusCode::BAD_REQUEST,
                            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
                        )
                    })?,
            ),
            None => None,
        };
        match sent {
            Some(sent) if sent != computed.value => Err(Failure::new(
                S3ErrorCode::BadDigest,
                format!("The {} you specified did not match the calculated checksum.", self.algorithm.name()),
            )),
            _ => Ok(computed),
        }
    }
}

/// Sets the one checksum field of an answer that belongs to the checksum's algorithm.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {{
        use $crate::checksum::Algorithm;
        let checksum: &$crate::checksum::Checksum = $checksum;
        let field = match checksum.algorithm {
            Algorithm::Crc32 => &mut $output.checksum_crc32,
            Algorithm::Crc32c => &mut $output.checksum_crc32c,
            Algorithm::Crc64Nvme => &mut $output.checksum_crc64nvme,
            Algorithm::Sha1 => &mut $output.checksum_sha1,
            Algorithm::Sha256 => &mut $output.checksum_sha256,
        };
        *field = Some(checksum.value.clone());
    }};
}
pub(crate) use set_checksum;

/// The checksums an input carries as fields, with their algorithms.
macro_rules! checksums_of {
    ($input:expr) => {{
        use $crate::checksum::Algorithm;
        [
            (Algorithm::Crc32, $input.checksum_crc32.as_deref()),
            (Algorithm::Crc32c, $input.checksum_crc32c.as_deref()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64nvme.as_deref()),
            (Algorithm::Sha1, $input.checksum_sha1.as_deref()),
            (Algorithm::Sha256, $input.checksum_sha256.as_deref()),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| Some((algorithm, value?)))
    }};
}
pub(crate) use checksums_of;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn digest(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[track_caller]
    fn check(algorithm: Algorithm, expected: &str) {
        assert_eq!(Checksum::of_bytes(algorithm, &digest(algorithm, b"123456789")).value, expected);
    }

    // The catalogue's check values: <https://reveng.sourceforge.io/crc-catalogue/all.htm>.
    #[test]
    fn check_values() {
        check(Algorithm::Crc32, "y/Q5Jg==");
        check(Algorithm::Crc32c, "4waSgw==");
        check(Algorithm::Crc64Nvme, "rosUhgp5mIg=");
        check(Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE=");
        check(Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=");
    }

    #[test]
    fn two_values_are_one_too_many() {
        let headers: HeaderMap = [("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-sha1", "x")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect();
        assert!(Declared::from_headers(&headers, DEFAULT_ALGORITHM).is_err());
    }

    proptest! {
        #[test]
        fn parts_combine_to_the_whole(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6)) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
                let pieces: Vec<_> = parts
                    .iter()
                    .map(|part| (Checksum::of_bytes(algorithm, &digest(algorithm, part)), part.len() as u64))
                    .collect();
                let combined = Checksum::of_parts(algorithm, ChecksumType::FullObject, &pieces).unwrap();
                prop_assert_eq!(combined, Checksum::of_bytes(algorithm, &digest(algorithm, &parts.concat())));
            }
        }
    }
}
