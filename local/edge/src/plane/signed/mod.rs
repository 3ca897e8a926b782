//! Signed URLs and signed cookies. Sources:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-cookies.html>.
//!
//! A signature is over a policy: one that the viewer sends along (custom), or one that follows from the URL and the time it
//! expires at (canned). A URL that carries a signature is judged by that alone, whatever cookies come with it.
//!
//! What is signed begins with the scheme by which the viewer comes, and with the port: on one machine that is
//! `http://127.0.0.1:8080/...`.

mod key;
mod policy;

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;

pub(crate) use self::key::TrustedKey;
use self::{key::Hash, policy::Policy};

/// Policies are a few hundred bytes long; this leaves room and bounds the work on hostile ones.
const POLICY_BYTES_MAX: usize = 4096;
/// A signature of an RSA key of 4096 bits, with room.
const SIGNATURE_BYTES_MAX: usize = 1024;

/// What a URL's parameters are called; a cookie's name has `CloudFront-` before it.
const EXPIRES: &str = "Expires";
const POLICY: &str = "Policy";
const SIGNATURE: &str = "Signature";
const KEY_PAIR_ID: &str = "Key-Pair-Id";
const HASH_ALGORITHM: &str = "Hash-Algorithm";
const NAMES: [&str; 5] = [EXPIRES, POLICY, SIGNATURE, KEY_PAIR_ID, HASH_ALGORITHM];
const COOKIE_PREFIX: &str = "CloudFront-";

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    MissingKey,
    UnknownKey,
    MalformedPolicy,
    /// The signature is missing or wrong, or the policy does not allow this request now.
    AccessDenied,
}

impl Denial {
    /// `Code` of the error document.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::MissingKey => "MissingKey",
            Self::UnknownKey => "InvalidKey",
            Self::MalformedPolicy => "MalformedPolicy",
            Self::AccessDenied => "AccessDenied",
        }
    }

    /// `Message` of the error document.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::MissingKey => "Missing Key-Pair-Id query parameter or cookie value",
            Self::UnknownKey => "Unknown Key",
            Self::MalformedPolicy => "Malformed Policy",
            Self::AccessDenied => "Access denied",
        }
    }
}

/// A request as its signature is about it.
pub(super) struct Request<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// With the port, as the viewer wrote it.
    pub host: &'a str,
    /// As the viewer wrote it.
    pub path: &'a str,
    /// Without `?`; signing parameters included.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub viewer: IpAddr,
}

/// The signing values of one request, wherever they were.
#[derive(Default)]
struct Values<'a> {
    expires: Option<&'a str>,
    policy: Option<&'a str>,
    signature: Option<&'a str>,
    key_pair_id: Option<&'a str>,
    hash_algorithm: Option<&'a str>,
}

impl<'a> Values<'a> {
    fn set(&mut self, name: &str, value: &'a str) {
        let field = match name {
            EXPIRES => &mut self.expires,
            POLICY => &mut self.policy,
            SIGNATURE => &mut self.signature,
            KEY_PAIR_ID => &mut self.key_pair_id,
            HASH_ALGORITHM => &mut self.hash_algorithm,
            _ => return,
        };
        // Of two values of a name the first counts, so that appending to a signed URL changes nothing.
        field.get_or_insert(value);
    }

    fn of_query(query: &'a str) -> Self {
        let mut values = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            values.set(name, value);
        }
        values
    }

    fn of_cookies(headers: &'a HeaderMap) -> Self {
        let mut values = Self::default();
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        for (name, value) in cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('=')) {
            if let Some(name) = name.strip_prefix(COOKIE_PREFIX) {
                values.set(name, value);
            }
        }
        values
    }

    /// Whether anything says that the URL is signed.
    fn any(&self) -> bool {
        self.signature.is_some() || self.key_pair_id.is_some() || self.policy.is_some()
    }
}

/// Whether one of these keys signed that the viewer may ask this now.
pub(super) fn check(keys: &[Arc<TrustedKey>], request: &Request<'_>, now: Timestamp) -> Result<(), Denial> {
    let of_query = Values::of_query(request.query);
    let values = if of_query.any() { of_query } else { Values::of_cookies(request.headers) };
    let id = values.key_pair_id.filter(|id| !id.is_empty()).ok_or(Denial::MissingKey)?;
    let key = keys.iter().find(|key| key.id() == id).ok_or(Denial::UnknownKey)?;
    let hash = match values.hash_algorithm {
        None | Some("SHA1") => Hash::Sha1,
        Some("SHA256") => Hash::Sha256,
        Some(_) => return Err(Denial::AccessDenied),
    };
    let signature = values.signature.ok_or(Denial::AccessDenied)?;
    let signature = decode(signature, SIGNATURE_BYTES_MAX).ok_or(Denial::AccessDenied)?;
    let url = url(request);
    let policy = match (values.policy, values.expires) {
        (Some(policy), _) => Cow::Owned(decode(policy, POLICY_BYTES_MAX).ok_or(Denial::MalformedPolicy)?),
        (None, Some(expires)) => {
            let canonical = expires.bytes().all(|byte| byte.is_ascii_digit()) && (1..=18).contains(&expires.len());
            if !canonical {
                return Err(Denial::AccessDenied);
            }
            Cow::Owned(policy::canned(&url, expires).into_bytes())
        }
        (None, None) => return Err(Denial::AccessDenied),
    };
    // The signature first: nothing is read of a policy that no trusted key has signed.
    if !key.verifies(hash, &policy, &signature) {
        return Err(Denial::AccessDenied);
    }
    let policy = Policy::parse(&policy).ok_or(Denial::MalformedPolicy)?;
    if policy.allows(&url, request.viewer, now) { Ok(()) } else { Err(Denial::AccessDenied) }
}

/// The URL without the signing parameters, which is what was signed.
fn url(request: &Request<'_>) -> String {
    let query = strip_query(request.query);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}://{}{}{mark}{query}", request.scheme, request.host, request.path)
}

/// A query string without the signing parameters: they are neither part of the cache's key nor told to the origin.
pub(super) fn strip_query(query: &str) -> Cow<'_, str> {
    let signing = |pair: &str| NAMES.contains(&pair.split_once('=').map_or(pair, |(name, _)| name));
    if !query.split('&').any(signing) {
        return Cow::Borrowed(query);
    }
    query.split('&').filter(|pair| !signing(pair)).collect::<Vec<_>>().join("&").into()
}

/// Headers without the signing cookies; `None` when there are none.
pub(super) fn strip_cookies(headers: &HeaderMap) -> Option<HeaderMap> {
    let signing = |pair: &str| {
        let name = pair.trim().split_once('=').map_or(pair.trim(), |(name, _)| name);
        name.strip_prefix(COOKIE_PREFIX).is_some_and(|name| NAMES.contains(&name))
    };
    let texts: Vec<&str> =
        headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok()).collect();
    if !texts.iter().any(|text| text.split(';').any(signing)) {
        return None;
    }
    let mut stripped = headers.clone();
    stripped.remove(header::COOKIE);
    let kept: Vec<&str> =
        texts.iter().flat_map(|text| text.split(';')).map(str::trim).filter(|pair| !signing(pair)).collect();
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::try_from(kept.join("; "))
    {
        stripped.insert(header::COOKIE, value);
    }
    Some(stripped)
}

/// Base64 with the characters that URLs cannot carry replaced.
fn decode(text: &str, bytes_max: usize) -> Option<Vec<u8>> {
    if text.len() > bytes_max * 2 {
        return None;
    }
    let standard: String = text
        .chars()
        .map(|character| match character {
            '-' => '+',
            '_' => '=',
            '~' => '/',
            other => other,
        })
        .collect();
    STANDARD.decode(standard).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_signing_parameters_are_stripped() {
        for (query, expected) in [
            ("", ""),
            ("a=1&b=2", "a=1&b=2"),
            ("a=1&Expires=2&Signature=x~_&Key-Pair-Id=K&b=%20", "a=1&b=%20"),
            ("Policy=x", ""),
            ("expires=1&Policy2=1", "expires=1&Policy2=1"),
        ] {
            assert_eq!(strip_query(query), expected, "{query}");
        }
    }

    #[test]
    fn only_the_signing_cookies_are_stripped() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("a=1; CloudFront-Policy=x; CloudFront-Viewer=2"));
        headers.append("cookie", HeaderValue::from_static("CloudFront-Signature=x"));
        let stripped = strip_cookies(&headers).unwrap();
        assert_eq!(stripped.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; CloudFront-Viewer=2"]);
        headers.clear();
        headers.append("cookie", HeaderValue::from_static("a=1"));
        assert!(strip_cookies(&headers).is_none());
    }

    fn denial(query: &str, cookies: Option<&'static str>) -> Denial {
        let key = TrustedKey::parse("K1", key::tests::RSA_PUBLIC_KEY).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(cookies) = cookies {
            headers.insert("cookie", HeaderValue::from_static(cookies));
        }
        let request = Request {
            scheme: "http",
            host: "127.0.0.1:8080",
            path: "/a",
            query,
            headers: &headers,
            viewer: [127, 0, 0, 1].into(),
        };
        check(&[Arc::new(key)], &request, Timestamp::UNIX_EPOCH).unwrap_err()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(denial("", None), Denial::MissingKey);
        assert_eq!(denial("Expires=1&Signature=x", None), Denial::MissingKey);
        assert_eq!(denial("Key-Pair-Id=K2&Expires=1&Signature=x", None), Denial::UnknownKey);
        assert_eq!(denial("Key-Pair-Id=K1&Expires=1", None), Denial::AccessDenied);
        assert_eq!(denial("Key-Pair-Id=K1&Signature=AAAA", None), Denial::AccessDenied);
        assert_eq!(denial("Key-Pair-Id=K1&Signature=AAAA&Policy=!", None), Denial::MalformedPolicy);
        assert_eq!(denial("Key-Pair-Id=K1&Signature=AAAA&Expires=9", None), Denial::AccessDenied);
        assert_eq!(denial("Key-Pair-Id=K1&Signature=AAAA&Expires=+9", None), Denial::AccessDenied);
        assert_eq!(denial("", Some("CloudFront-Key-Pair-Id=K2")), Denial::UnknownKey);
        // A signed URL is judged by itself.
        assert_eq!(denial("Signature=x", Some("CloudFront-Key-Pair-Id=K2")), Denial::MissingKey);
    }

    proptest! {
        #[test]
        fn hostile_queries_never_panic(query in "([A-Za-z-]{0,12}=[!-~]{0,40}&?){0,6}") {
            let _ = denial(&format!("Key-Pair-Id=K1&{query}"), None);
        }
    }
}
