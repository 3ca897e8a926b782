//! Signature Version 4: who signed a request, and whether the signature is right.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//!
//! For every service but S3, whose variants (presigned, chunked) s3s checks itself.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};
use vodline_core::{AwsError, Principal};

use crate::{asymmetric, iam::Iam};

/// What SigV4 leaves as it is: letters, digits and `-._~`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parts of an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Names the signer.
    pub access_key_id: &'a str,
    /// `20261122/us-east-1/states/aws4_request`.
    pub scope: &'a str,
    /// The service of the scope.
    pub service: &'a str,
    /// Whether this is Version 4A, whose scope has no region.
    asymmetric: bool,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header; `None` when it is not of this scheme.
    #[must_use]
    pub fn parse(header: &'a str) -> Option<Self> {
        let (rest, asymmetric) = match header.strip_prefix("AWS4-HMAC-SHA256") {
            Some(rest) => (rest, false),
            None => (header.strip_prefix(asymmetric::ALGORITHM)?, true),
        };
        let field =
            |name: &str| rest.split(',').map(str::trim).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let (access_key_id, scope) = field("Credential")?.split_once('/')?;
        Some(Self {
            access_key_id,
            scope,
            service: scope.split('/').nth(if asymmetric { 1 } else { 2 })?,
            asymmetric,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }

    /// Finds the signer and checks the signature.
    ///
    /// # Errors
    /// `UnrecognizedClientException` for an unknown key, `InvalidSignatureException` for a wrong signature.
    pub fn verify(&self, iam: &Iam, parts: &Parts, body: &Bytes) -> Result<Principal, AwsError> {
        let (principal, secret) = iam.identify(self.access_key_id).ok_or_else(|| {
            refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
        })?;
        let given = hex::decode(self.signature).unwrap_or_default();
        let right = if self.asymmetric {
            asymmetric::verifies(self.access_key_id, &secret, self.text(parts, body).as_bytes(), &given)
        } else {
            // Compared in constant time by the MAC's own check.
            self.sign(&secret, parts, body).verify_slice(&given).is_ok()
        };
        if !right {
            return Err(refusal(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method.",
            ));
        }
        Ok(principal)
    }

    /// The text that is signed.
    fn text(&self, parts: &Parts, body: &Bytes) -> String {
        let algorithm = if self.asymmetric { asymmetric::ALGORITHM } else { "AWS4-HMAC-SHA256" };
        let date = header(parts, "x-amz-date").or_else(|| header(parts, "date")).unwrap_or_default();
        let canonical = hex::encode(Sha256::digest(self.canonical_request(parts, body)));
        format!("{algorithm}\n{date}\n{}\n{canonical}", self.scope)
    }

    fn sign(&self, secret: &str, parts: &Parts, body: &Bytes) -> Hmac<Sha256> {
        let text = self.text(parts, body);
        let key = self.scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            mac(&key, part.as_bytes()).finalize().into_bytes().to_vec()
        });
        mac(&key, text.as_bytes())
    }

    fn canonical_request(&self, parts: &Parts, body: &Bytes) -> String {
        // The path is encoded once more than it was sent, as every service but S3 wants it.
        let path: Vec<String> = parts
            .uri
            .path()
            .split('/')
            .map(|segment| percent_encode(segment.as_bytes(), UNRESERVED).to_string())
            .collect();
        let mut query: Vec<(&str, &str)> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        query.sort_unstable();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers: String = self
            .signed_headers
            .split(';')
            .map(|name| {
                let values: Vec<_> =
                    parts.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
                let value = values.join(",");
                format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect();
        let payload = header(parts, "x-amz-content-sha256")
            .filter(|hash| *hash == "UNSIGNED-PAYLOAD")
            .map_or_else(|| hex::encode(Sha256::digest(body)), str::to_owned);
        let (method, path, query) = (&parts.method, path.join("/"), query.join("&"));
        format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", self.signed_headers)
    }
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(text);
    mac
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

fn refusal(code: &str, message: &str) -> AwsError {
    AwsError::with_status(http::StatusCode::FORBIDDEN, code, message)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::iam::Credentials;

    /// AWS's published example: IAM ListUsers, with the secret of the documentation.
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, as long published
    /// in the "Signature Version 4 test suite" (get-vanilla with a query).
    fn example(signature: &str) -> Result<Principal, AwsError> {
        let iam = Iam::new(Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        });
        let (parts, ()) = http::Request::get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .body(())
            .unwrap()
            .into_parts();
        let header = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        );
        Authorization::parse(&header).unwrap().verify(&iam, &parts, &Bytes::new())
    }

    #[test]
    fn the_documented_signature_is_right_and_any_other_wrong() {
        let right = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(example(right).unwrap(), Principal::Root);
        assert_eq!(example(&right.replace('5', "6")).unwrap_err().code, "InvalidSignatureException");
        assert_eq!(example("").unwrap_err().code, "InvalidSignatureException");
    }

    #[test]
    fn other_schemes_are_not_read() {
        for header in ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=x"] {
            assert_eq!(Authorization::parse(header), None, "{header}");
        }
    }
}
