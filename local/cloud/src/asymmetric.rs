//! Signature Version 4A: signatures by an elliptic-curve key that signer and service derive from the same secret. SDKs use it for
//! what is in no region, such as CloudFront's key value stores.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>; the derivation of the key
//! is NIST SP 800-108's KDF in counter mode, as AWS's open-source signers write it down.

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What an `Authorization` header of this scheme begins with.
pub(crate) const ALGORITHM: &str = "AWS4-ECDSA-P256-SHA256";

/// The order of P-256 less two, big-endian: derived numbers above it are drawn anew.
const ORDER_LESS_TWO: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

/// Whether the owner of a key signed this text.
pub(crate) fn verifies(access_key_id: &str, secret: &str, text: &[u8], signature: &[u8]) -> bool {
    public_key(access_key_id, secret)
        .is_some_and(|key| UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(text, signature).is_ok())
}

/// The public key, as an uncompressed point.
fn public_key(access_key_id: &str, secret: &str) -> Option<Vec<u8>> {
    let input_key = format!("AWS4A{secret}");
    for counter in 1..=254_u8 {
        let mut mac = Hmac::<Sha256>::new_from_slice(input_key.as_bytes()).ok()?;
        mac.update(&1_u32.to_be_bytes());
        mac.update(ALGORITHM.as_bytes());
        mac.update(&[0]);
        mac.update(access_key_id.as_bytes());
        mac.update(&[counter]);
        mac.update(&256_u32.to_be_bytes());
        let mut candidate: [u8; 32] = mac.finalize().into_bytes().into();
        if candidate <= ORDER_LESS_TWO {
            increment(&mut candidate);
            let private = PrivateKey::from_private_key(&ECDH_P256, &candidate).ok()?;
            return Some(private.compute_public_key().ok()?.as_ref().to_vec());
        }
    }
    None
}

/// Adds one to a big-endian number that is not the largest.
fn increment(number: &mut [u8; 32]) {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// The key of AWS's published test suite for this scheme (aws-c-auth, `aws-signing-test-suite/v4a`).
    #[test]
    fn the_key_of_the_test_suite_is_derived() {
        let key = public_key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap();
        let x = "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1";
        let y = "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518";
        assert_eq!(hex::encode(key), format!("04{x}{y}"));
    }

    #[test]
    fn numbers_carry() {
        let mut number = [0xff; 32];
        number[0] = 0;
        increment(&mut number);
        assert_eq!((number[0], &number[1..]), (1, &[0; 31][..]));
    }
}
