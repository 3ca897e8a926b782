//! Which parts of a viewer's request count: for the cache key, and for the origin.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use vodline_core::AwsError;

use crate::{
    model::{CookiesConfig, HeadersConfig, QueryStringsConfig},
    xml::invalid_argument,
};

/// Which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    None,
    All,
    Only(Vec<String>),
    Except(Vec<String>),
}

impl Names {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(names) => names.iter().any(|one| one == name),
            Self::Except(names) => !names.iter().any(|one| one == name),
        }
    }

    fn read(behavior: &str, names: &[String]) -> Result<Self, AwsError> {
        Ok(match behavior {
            "none" => Self::None,
            "all" | "allViewer" => Self::All,
            "whitelist" => Self::Only(names.to_vec()),
            "allExcept" => Self::Except(names.to_vec()),
            "allViewerAndWhitelistCloudFront" => {
                return Err(AwsError::unsupported_field(
                    "cloudfront",
                    "OriginRequestPolicy",
                    "HeaderBehavior: allViewerAndWhitelistCloudFront",
                ));
            }
            other => return Err(invalid_argument(format!("the behavior {other:?} is none of a policy"))),
        })
    }
}

/// Headers, cookies and query strings of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub headers: Names,
    pub cookies: Names,
    pub query: Names,
}

impl Selection {
    pub(crate) const NOTHING: Self = Self { headers: Names::None, cookies: Names::None, query: Names::None };

    pub(crate) fn new(
        headers: &HeadersConfig,
        cookies: &CookiesConfig,
        query: &QueryStringsConfig,
    ) -> Result<Self, AwsError> {
        let lower: Vec<String> = headers.headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self {
            headers: Names::read(&headers.header_behavior, &lower)?,
            cookies: Names::read(&cookies.cookie_behavior, &cookies.cookies)?,
            query: Names::read(&query.query_string_behavior, &query.query_strings)?,
        })
    }

    /// Appends what counts of a request to a cache key.
    pub(crate) fn write_key(&self, headers: &HeaderMap, query: &str, key: &mut String) {
        if self.query != Names::None {
            key.push('?');
            write_query(query, key, |name| self.query.has(name));
        }
        if self.headers != Names::None {
            let mut chosen: Vec<_> = headers.iter().filter(|(name, _)| self.headers.has(name.as_str())).collect();
            chosen.sort_by_key(|(name, _)| name.as_str());
            for (name, value) in chosen {
                let _ = write!(key, "\n{name}:{}", String::from_utf8_lossy(value.as_bytes()));
            }
        }
        if self.cookies != Names::None {
            key.push_str("\ncookie:");
            write_cookies(headers, key, |name| self.cookies.has(name));
        }
    }
}

fn write_query(query: &str, into: &mut String, chosen: impl Fn(&str) -> bool) {
    let start = into.len();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if chosen(pair.split('=').next().unwrap_or_default()) {
            if into.len() > start {
                into.push('&');
            }
            into.push_str(pair);
        }
    }
}

fn write_cookies(headers: &HeaderMap, into: &mut String, chosen: impl Fn(&str) -> bool) {
    let start = into.len();
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    for cookie in values.flat_map(|value| value.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty()) {
        if chosen(cookie.split('=').next().unwrap_or_default()) {
            if into.len() > start {
                into.push_str("; ");
            }
            into.push_str(cookie);
        }
    }
}

/// The query string that the origin gets: what either policy chooses.
pub(crate) fn origin_query(query: &str, policies: [&Selection; 2]) -> String {
    let mut chosen = String::with_capacity(query.len());
    write_query(query, &mut chosen, |name| policies.iter().any(|policy| policy.query.has(name)));
    chosen
}

/// Headers that reach the origin whatever the policies say.
/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html>.
const ALWAYS: [HeaderName; 2] = [header::CONTENT_TYPE, HeaderName::from_static("content-md5")];

/// Headers that no policy can forward: they belong to the connection, to the edge, or to the cache.
fn edges_own(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::HOST
            | header::CONNECTION
            | header::COOKIE
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::TE
            | header::EXPECT
            | header::RANGE
            | header::IF_RANGE
            | header::IF_NONE_MATCH
            | header::IF_MODIFIED_SINCE
            | header::IF_MATCH
            | header::IF_UNMODIFIED_SINCE
            | header::VIA
    ) || name == "x-mediapackage-cdnidentifier"
}

/// The headers that the origin gets of the viewer's.
pub(crate) fn origin_headers(headers: &HeaderMap, policies: [&Selection; 2], sends_body: bool) -> HeaderMap {
    let mut chosen = HeaderMap::with_capacity(headers.len() + 8);
    for (name, value) in headers {
        let forwarded = policies.iter().any(|policy| policy.headers.has(name.as_str()));
        let always = sends_body && (ALWAYS.contains(name) || *name == header::AUTHORIZATION);
        if (forwarded || always) && !edges_own(name) {
            chosen.append(name.clone(), value.clone());
        }
    }
    let mut cookies = String::new();
    write_cookies(headers, &mut cookies, |name| policies.iter().any(|policy| policy.cookies.has(name)));
    if let (false, Ok(value)) = (cookies.is_empty(), HeaderValue::try_from(cookies)) {
        chosen.insert(header::COOKIE, value);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(headers: Names, cookies: Names, query: Names) -> Selection {
        Selection { headers, cookies, query }
    }

    fn request() -> HeaderMap {
        let pairs = [
            ("origin", "https://a"),
            ("accept", "*/*"),
            ("cookie", "s=1; t=2"),
            ("host", "h"),
            ("authorization", "Bearer x"),
            ("x-mediapackage-cdnidentifier", "forged"),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn check_key(selection: &Selection, expected: &str) {
        let mut key = String::new();
        selection.write_key(&request(), "b=2&a=1&b=3", &mut key);
        assert_eq!(key, expected);
    }

    #[test]
    fn the_key_counts_what_the_policy_names() {
        let only = |names: &[&str]| Names::Only(names.iter().map(|name| (*name).to_owned()).collect());
        check_key(&Selection::NOTHING, "");
        check_key(&selection(Names::None, Names::None, Names::All), "?b=2&a=1&b=3");
        check_key(&selection(Names::None, Names::None, only(&["b"])), "?b=2&b=3");
        check_key(&selection(only(&["origin"]), only(&["t"]), Names::None), "\norigin:https://a\ncookie:t=2");
    }

    #[test]
    fn the_origin_never_gets_a_forged_identifier_or_the_viewers_host() {
        let all = selection(Names::All, Names::All, Names::All);
        let headers = origin_headers(&request(), [&all, &Selection::NOTHING], false);
        assert!(!headers.contains_key("x-mediapackage-cdnidentifier") && !headers.contains_key("host"));
        assert_eq!(headers.get("cookie"), Some(&HeaderValue::from_static("s=1; t=2")));
        assert!(headers.contains_key("authorization") && headers.contains_key("accept"));
    }

    #[test]
    fn nothing_is_forwarded_unless_a_policy_says_so() {
        let headers = origin_headers(&request(), [&Selection::NOTHING, &Selection::NOTHING], false);
        assert!(headers.is_empty());
        assert_eq!(origin_query("a=1", [&Selection::NOTHING, &Selection::NOTHING]), "");
    }
}
