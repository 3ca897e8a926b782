//! Cross-origin resource sharing, decided by a bucket's rules.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>.

use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

/// One CORS rule of a bucket. Origins and headers may hold one `*` each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorsRule {
    /// Names the rule; has no effect.
    pub id: Option<String>,
    /// Origins that may ask, such as `https://*.example.com` or `*`.
    pub allowed_origins: Vec<String>,
    /// Of GET, PUT, POST, DELETE and HEAD.
    pub allowed_methods: Vec<String>,
    /// Headers a preflight may announce.
    pub allowed_headers: Vec<String>,
    /// Headers the browser shows to scripts.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember a preflight.
    pub max_age_seconds: Option<u32>,
}

/// The methods a rule may allow.
pub(crate) const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// What S3 varies its answers by once a request has an origin.
const VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method");

impl CorsRule {
    fn allows(&self, origin: &str, method: &str) -> bool {
        self.allowed_methods.iter().any(|allowed| allowed == method)
            && self.allowed_origins.iter().any(|pattern| fits(pattern, origin))
    }

    fn allows_header(&self, name: &str) -> bool {
        self.allowed_headers.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), name))
    }

    fn answer(&self, origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.allowed_origins.iter().any(|allowed| allowed == "*") {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            insert(&mut headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        insert(&mut headers, header::ACCESS_CONTROL_ALLOW_METHODS, &self.allowed_methods.join(", "));
        if !self.expose_headers.is_empty() {
            insert(&mut headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers.join(", "));
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, seconds.into());
        }
        headers.insert(header::VARY, VARY);
        headers
    }
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Whether `text` fits a pattern with at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
    }
}

/// The headers for the answer to an actual request from `origin`, by the first rule that allows it.
pub(crate) fn actual(rules: &[CorsRule], origin: &str, method: &str) -> Option<HeaderMap> {
    rules.iter().find(|rule| rule.allows(origin, method)).map(|rule| rule.answer(origin))
}

/// The headers for the answer to a preflight, by the first rule that allows the origin, the method and every header announced.
pub(crate) fn preflight(rules: &[CorsRule], origin: &str, method: &str, announced: &str) -> Option<HeaderMap> {
    let names: Vec<String> =
        announced.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
    let rule =
        rules.iter().find(|rule| rule.allows(origin, method) && names.iter().all(|name| rule.allows_header(name)))?;
    let mut headers = rule.answer(origin);
    if !names.is_empty() {
        insert(&mut headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &names.join(", "));
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        CorsRule {
            allowed_origins: owned(origins),
            allowed_methods: owned(methods),
            allowed_headers: owned(headers),
            expose_headers: vec!["ETag".into()],
            max_age_seconds: Some(300),
            ..CorsRule::default()
        }
    }

    #[test]
    fn origins_and_headers_have_one_wildcard() {
        for (pattern, text, expected) in [
            ("*", "https://a.example", true),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://.example", true),
            ("https://*.example", "http://a.example", false),
            ("https://a.example", "https://a.example", true),
            ("ab*ba", "aba", false),
            ("x-amz-*", "x-amz-date", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let rules = [rule(&["https://a.example"], &["PUT"], &["Content-*"]), rule(&["*"], &["GET"], &[])];
        let headers = preflight(&rules, "https://a.example", "PUT", "content-type, Content-MD5").unwrap();
        assert_eq!(headers["access-control-allow-origin"], "https://a.example");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers["access-control-allow-headers"], "content-type, content-md5");
        assert_eq!(headers["access-control-max-age"], "300");
        assert!(preflight(&rules, "https://a.example", "PUT", "x-other").is_none());
        assert!(preflight(&rules, "https://b.example", "PUT", "").is_none());
        let headers = actual(&rules, "https://b.example", "GET").unwrap();
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-expose-headers"], "ETag");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}
