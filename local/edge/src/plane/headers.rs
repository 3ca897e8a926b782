//! Response headers policies, and the headers that belong to one connection.
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html>.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use vodline_core::AwsError;

use crate::{
    model::{CorsConfig, ResponseHeadersPolicy, SecurityHeadersConfig},
    xml::invalid_argument,
};

/// Headers that speak of one connection and go no further (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Takes the headers of one connection out.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// A policy, ready to be applied.
#[derive(Debug)]
pub(crate) struct HeadersPlan {
    removed: Vec<HeaderName>,
    /// Name, value, and whether it goes over the origin's.
    set: Vec<(HeaderName, HeaderValue, bool)>,
    cors: Option<CorsPlan>,
}

#[derive(Debug)]
struct CorsPlan {
    any_origin: bool,
    origins: Vec<String>,
    credentials: bool,
    over_origin: bool,
    /// Said to every request from another origin.
    always: Vec<(HeaderName, HeaderValue)>,
    /// Said to preflight requests as well.
    preflight: Vec<(HeaderName, HeaderValue)>,
}

fn value(text: impl AsRef<str>) -> Result<HeaderValue, AwsError> {
    let text = text.as_ref();
    HeaderValue::from_str(text).map_err(|_| invalid_argument(format!("{text:?} cannot be the value of a header")))
}

fn name(text: &str) -> Result<HeaderName, AwsError> {
    HeaderName::try_from(text).map_err(|_| invalid_argument(format!("{text:?} cannot be the name of a header")))
}

impl HeadersPlan {
    pub(crate) fn new(policy: &ResponseHeadersPolicy) -> Result<Self, AwsError> {
        let mut set = Vec::new();
        if let Some(security) = &policy.security_headers_config {
            security_headers(security, &mut set)?;
        }
        for custom in policy.custom_headers_config.iter().flat_map(|config| &config.items) {
            set.push((name(&custom.header)?, value(&custom.value)?, custom.r#override));
        }
        let removed = policy.remove_headers_config.iter().flat_map(|config| &config.items);
        Ok(Self {
            removed: removed.map(|removed| name(&removed.header)).collect::<Result<_, _>>()?,
            set,
            cors: policy.cors_config.as_ref().map(CorsPlan::new).transpose()?,
        })
    }

    /// Changes the headers of an answer to a request of this method with these headers.
    pub(crate) fn apply(&self, method: &Method, request: &HeaderMap, response: &mut HeaderMap) {
        for name in &self.removed {
            response.remove(name);
        }
        for (name, value, over_origin) in &self.set {
            if *over_origin || !response.contains_key(name) {
                response.insert(name.clone(), value.clone());
            }
        }
        if let Some(cors) = &self.cors {
            cors.apply(method, request, response);
        }
    }
}

fn security_headers(
    config: &SecurityHeadersConfig,
    set: &mut Vec<(HeaderName, HeaderValue, bool)>,
) -> Result<(), AwsError> {
    if let Some(policy) = &config.content_security_policy {
        set.push((header::CONTENT_SECURITY_POLICY, value(&policy.content_security_policy)?, policy.r#override));
    }
    if let Some(options) = &config.content_type_options {
        set.push((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"), options.r#override));
    }
    if let Some(options) = &config.frame_options {
        set.push((header::X_FRAME_OPTIONS, value(&options.frame_option)?, options.r#override));
    }
    if let Some(policy) = &config.referrer_policy {
        set.push((header::REFERRER_POLICY, value(&policy.referrer_policy)?, policy.r#override));
    }
    if let Some(transport) = &config.strict_transport_security {
        let mut text = format!("max-age={}", transport.access_control_max_age_sec);
        if transport.include_subdomains {
            text.push_str("; includeSubDomains");
        }
        if transport.preload {
            text.push_str("; preload");
        }
        set.push((header::STRICT_TRANSPORT_SECURITY, value(text)?, transport.r#override));
    }
    if let Some(protection) = &config.xss_protection {
        let mut text = String::from(if protection.protection { "1" } else { "0" });
        if protection.mode_block {
            text.push_str("; mode=block");
        }
        if let Some(uri) = &protection.report_uri {
            text.push_str("; report=");
            text.push_str(uri);
        }
        set.push((header::X_XSS_PROTECTION, value(text)?, protection.r#override));
    }
    Ok(())
}

impl CorsPlan {
    fn new(config: &CorsConfig) -> Result<Self, AwsError> {
        let mut always = Vec::new();
        let mut preflight = Vec::new();
        let list = |items: &[String]| value(items.join(", "));
        if let Some(exposed) = config.access_control_expose_headers.as_ref().filter(|exposed| !exposed.items.is_empty())
        {
            always.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, list(&exposed.items)?));
        }
        if config.access_control_allow_credentials {
            always.push((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        }
        let methods = match config.access_control_allow_methods.items.as_slice() {
            [all] if all == "ALL" => "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT".to_owned(),
            methods => methods.join(", "),
        };
        if !methods.is_empty() {
            preflight.push((header::ACCESS_CONTROL_ALLOW_METHODS, value(methods)?));
        }
        if !config.access_control_allow_headers.items.is_empty() {
            preflight.push((header::ACCESS_CONTROL_ALLOW_HEADERS, list(&config.access_control_allow_headers.items)?));
        }
        if let Some(seconds) = config.access_control_max_age_sec {
            preflight.push((header::ACCESS_CONTROL_MAX_AGE, seconds.into()));
        }
        let origins = config.access_control_allow_origins.items.clone();
        Ok(Self {
            any_origin: origins.iter().any(|origin| origin == "*"),
            origins,
            credentials: config.access_control_allow_credentials,
            over_origin: config.origin_override,
            always,
            preflight,
        })
    }

    fn permits(&self, origin: &str) -> bool {
        self.any_origin
            || self.origins.iter().any(|allowed| {
                // `https://*.example.com`, or without a scheme, which stands for both.
                let origin = if allowed.contains("://") {
                    origin
                } else {
                    origin.split_once("://").map_or(origin, |(_, host)| host)
                };
                match allowed.split_once('*') {
                    Some((head, tail)) => {
                        origin.len() > head.len() + tail.len() && origin.starts_with(head) && origin.ends_with(tail)
                    }
                    None => allowed == origin,
                }
            })
    }

    fn apply(&self, method: &Method, request: &HeaderMap, response: &mut HeaderMap) {
        let Some(origin) = request.get(header::ORIGIN) else { return };
        // The origin's own word on sharing is kept as a whole, or replaced as a whole.
        if response.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) && !self.over_origin {
            return;
        }
        if !origin.to_str().is_ok_and(|origin| self.permits(origin)) {
            return;
        }
        if self.any_origin && !self.credentials {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let is_preflight = method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = self.preflight.iter().filter(|_| is_preflight);
        for (name, value) in self.always.iter().chain(preflight) {
            response.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::managed;

    fn applied(
        policy: &ResponseHeadersPolicy,
        method: Method,
        request: &[(&'static str, &'static str)],
        origin: &[(&'static str, &'static str)],
    ) -> HeaderMap {
        let map = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
        };
        let mut response = map(origin);
        HeadersPlan::new(policy).unwrap().apply(&method, &map(request), &mut response);
        response
    }

    #[test]
    fn sharing_is_answered_as_the_policy_says() {
        let policy = managed::response_headers_policy("5cc3b908-e619-4b99-88e5-2cf7f45965bd").unwrap();
        let headers = applied(&policy, Method::GET, &[("origin", "https://a.example")], &[]);
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert!(!headers.contains_key("access-control-allow-methods"));
        let preflight = [("origin", "https://a.example"), ("access-control-request-method", "PUT")];
        let headers = applied(&policy, Method::OPTIONS, &preflight, &[]);
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
        assert!(applied(&policy, Method::GET, &[], &[]).is_empty());
        let kept = applied(
            &policy,
            Method::GET,
            &[("origin", "https://a.example")],
            &[("access-control-allow-origin", "https://b.example")],
        );
        assert_eq!(kept["access-control-allow-origin"], "https://b.example");
    }

    #[test]
    fn only_permitted_origins_are_named() {
        let mut policy = managed::response_headers_policy("60669652-455b-4ae9-85a4-c4c02393f86c").unwrap();
        policy.cors_config.as_mut().unwrap().access_control_allow_origins.items =
            vec!["https://*.example.com".into(), "b.org".into()];
        for (origin, permitted) in [
            ("https://a.example.com", true),
            ("http://a.example.com", false),
            ("https://example.com", false),
            ("http://b.org", true),
            ("http://c.org", false),
        ] {
            let headers = applied(&policy, Method::GET, &[("origin", origin)], &[]);
            assert_eq!(headers.contains_key("access-control-allow-origin"), permitted, "{origin}");
        }
    }

    #[test]
    fn security_headers_go_over_the_origins_only_where_they_say_so() {
        let policy = managed::response_headers_policy("67f7725c-6f97-4210-82d7-5512b31e9d03").unwrap();
        let headers =
            applied(&policy, Method::GET, &[], &[("x-frame-options", "DENY"), ("x-content-type-options", "sniff")]);
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
    }
}
