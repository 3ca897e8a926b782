//! Public keys that signatures are checked with.

use std::fmt;

use aws_lc_rs::{
    rsa::PublicEncryptingKey,
    signature::{
        ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use vodline_core::AwsError;

use crate::xml::invalid_argument;

/// `rsaEncryption`, 1.2.840.113549.1.1.1, as DER writes it.
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `prime256v1`, 1.2.840.10045.3.1.7.
const P256_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Where in a SubjectPublicKeyInfo the algorithm stands, at most.
const ALGORITHM_BYTES: usize = 32;
/// CloudFront takes RSA keys of 2048 bits and no others;
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html>.
const RSA_BYTES: usize = 256;
/// The longest key that is looked at.
const PEM_BYTES_MAX: usize = 4096;

/// How a policy was digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// The default, for ever: signers of fifteen years use it.
    Sha1,
    Sha256,
}

/// A key of a trusted key group.
pub(crate) struct TrustedKey {
    id: String,
    sha1: ParsedPublicKey,
    sha256: ParsedPublicKey,
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TrustedKey {
    /// Reads a key in PEM: RSA of 2048 bits, or ECDSA on P-256.
    pub(crate) fn parse(id: &str, pem: &str) -> Result<Self, AwsError> {
        let refused = || {
            invalid_argument(
                "Your request contains empty/invalid/out of limits RSA Encoded Key: it must be a PEM-encoded RSA 2048 or ECDSA 256 public key",
            )
        };
        if pem.len() > PEM_BYTES_MAX {
            return Err(refused());
        }
        let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
        let body = body.and_then(|body| body.strip_suffix("-----END PUBLIC KEY-----")).ok_or_else(refused)?;
        let compact: String = body.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(compact).map_err(|_| refused())?;
        let algorithm = &der[..der.len().min(ALGORITHM_BYTES)];
        let names = |oid: &[u8]| algorithm.windows(oid.len()).any(|window| window == oid);
        let (sha1, sha256): (&'static dyn VerificationAlgorithm, &'static dyn VerificationAlgorithm) = if names(RSA_OID)
        {
            if PublicEncryptingKey::from_der(&der).map_err(|_| refused())?.key_size_bytes() != RSA_BYTES {
                return Err(refused());
            }
            (&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &RSA_PKCS1_2048_8192_SHA256)
        } else if names(P256_OID) {
            (&ECDSA_P256_SHA1_ASN1, &ECDSA_P256_SHA256_ASN1)
        } else {
            return Err(refused());
        };
        Ok(Self {
            id: id.to_owned(),
            sha1: ParsedPublicKey::new(sha1, &der).map_err(|_| refused())?,
            sha256: ParsedPublicKey::new(sha256, &der).map_err(|_| refused())?,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn verifies(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let key = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    include!("key_fixtures.rs");

    /// Signatures made by OpenSSL over the word `message`.
    #[test]
    fn what_openssl_signed_is_verified() {
        for (pem, hash, signature) in [
            (RSA_PUBLIC_KEY, Hash::Sha1, RSA_SHA1_SIGNATURE),
            (RSA_PUBLIC_KEY, Hash::Sha256, RSA_SHA256_SIGNATURE),
            (EC_PUBLIC_KEY, Hash::Sha1, EC_SHA1_SIGNATURE),
            (EC_PUBLIC_KEY, Hash::Sha256, EC_SHA256_SIGNATURE),
        ] {
            let key = TrustedKey::parse("K", pem).unwrap();
            let signature = STANDARD.decode(signature).unwrap();
            assert!(key.verifies(hash, b"message", &signature));
            assert!(!key.verifies(hash, b"massage", &signature));
            let other = if hash == Hash::Sha1 { Hash::Sha256 } else { Hash::Sha1 };
            assert!(!key.verifies(other, b"message", &signature));
        }
    }

    #[test]
    fn what_is_no_key_of_cloudfronts_is_refused() {
        for pem in ["", "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----", RSA_1024_PUBLIC_KEY, P384_PUBLIC_KEY] {
            TrustedKey::parse("K", pem).unwrap_err();
        }
        TrustedKey::parse("K", &RSA_PUBLIC_KEY.replace("PUBLIC KEY", "RSA PUBLIC KEY")).unwrap_err();
        TrustedKey::parse("K", &"x".repeat(10_000)).unwrap_err();
    }
}
