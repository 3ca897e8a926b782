//! The digests of `States.Hash` and `$hash`.

use sha2::Digest as _;

/// The digest in lower-case hexadecimal; `None` for an unknown algorithm.
/// Algorithms: <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>.
pub(crate) fn hex_digest(algorithm: &str, data: &[u8]) -> Option<String> {
    Some(match algorithm {
        "MD5" => hex::encode(md5::Md5::digest(data)),
        "SHA-1" => hex::encode(sha1::Sha1::digest(data)),
        "SHA-256" => hex::encode(sha2::Sha256::digest(data)),
        "SHA-384" => hex::encode(sha2::Sha384::digest(data)),
        "SHA-512" => hex::encode(sha2::Sha512::digest(data)),
        _ => return None,
    })
}
