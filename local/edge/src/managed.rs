//! The policies that AWS manages, by their ids. Sources:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html>.

use crate::model::{
    CacheKeyParameters, CachePolicy, ContentTypeOptions, CookiesConfig, CorsConfig, FrameOptions, HeadersConfig, Items,
    OriginRequestPolicy, QueryStringsConfig, ReferrerPolicy, ResponseHeadersPolicy, SecurityHeadersConfig,
    StrictTransportSecurity, XssProtection,
};

const DAY: f64 = 86_400.0;
const YEAR: f64 = 31_536_000.0;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn cookies(behavior: &str) -> CookiesConfig {
    CookiesConfig { cookie_behavior: behavior.into(), cookies: Vec::new() }
}

fn headers(behavior: &str, names: &[&str]) -> HeadersConfig {
    HeadersConfig { header_behavior: behavior.into(), headers: strings(names) }
}

fn query_strings(behavior: &str, names: &[&str]) -> QueryStringsConfig {
    QueryStringsConfig { query_string_behavior: behavior.into(), query_strings: strings(names) }
}

/// A managed cache policy.
pub(crate) fn cache_policy(id: &str) -> Option<CachePolicy> {
    let policy =
        |name: &str, [min_ttl, default_ttl, max_ttl]: [f64; 3], compressed, cookie, header, query| CachePolicy {
            name: format!("Managed-{name}"),
            comment: String::new(),
            default_ttl,
            max_ttl,
            min_ttl,
            parameters_in_cache_key_and_forwarded_to_origin: CacheKeyParameters {
                enable_accept_encoding_brotli: compressed,
                enable_accept_encoding_gzip: compressed,
                cookies_config: cookies(cookie),
                headers_config: header,
                query_strings_config: query,
            },
        };
    let no_headers = || headers("none", &[]);
    let no_query = || query_strings("none", &[]);
    let origin_decides =
        || headers("whitelist", &["host", "origin", "x-http-method", "x-http-method-override", "x-method-override"]);
    Some(match id {
        "658327ea-f89d-4fab-a63d-7e88639e58f6" => {
            policy("CachingOptimized", [1.0, DAY, YEAR], true, "none", no_headers(), no_query())
        }
        "b2884449-e4de-46a7-ac36-70bc7f1ddd6d" => {
            policy("CachingOptimizedForUncompressedObjects", [1.0, DAY, YEAR], false, "none", no_headers(), no_query())
        }
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" => {
            policy("CachingDisabled", [0.0, 0.0, 0.0], false, "none", no_headers(), no_query())
        }
        "08627262-05a9-4f76-9ded-b50ca2e3a84f" => policy(
            "Elemental-MediaPackage",
            [0.0, DAY, YEAR],
            true,
            "none",
            headers("whitelist", &["origin"]),
            query_strings("whitelist", &["aws.manifestfilter", "start", "end", "m"]),
        ),
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65" => {
            policy("UseOriginCacheControlHeaders", [0.0, 0.0, YEAR], true, "all", origin_decides(), no_query())
        }
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe" => policy(
            "UseOriginCacheControlHeaders-QueryStrings",
            [0.0, 0.0, YEAR],
            true,
            "all",
            origin_decides(),
            query_strings("all", &[]),
        ),
        _ => return None,
    })
}

/// A managed origin request policy.
pub(crate) fn origin_request_policy(id: &str) -> Option<OriginRequestPolicy> {
    let policy = |name: &str, cookie, header, query| OriginRequestPolicy {
        name: format!("Managed-{name}"),
        comment: String::new(),
        cookies_config: cookies(cookie),
        headers_config: header,
        query_strings_config: query_strings(query, &[]),
    };
    Some(match id {
        "216adef6-5c7f-47e4-b989-5492eafa07d3" => policy("AllViewer", "all", headers("allViewer", &[]), "all"),
        "b689b0a8-53d0-40ab-baf2-68738e2966ac" => {
            policy("AllViewerExceptHostHeader", "all", headers("allExcept", &["host"]), "all")
        }
        "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf" => policy(
            "CORS-S3Origin",
            "none",
            headers("whitelist", &["origin", "access-control-request-headers", "access-control-request-method"]),
            "none",
        ),
        "59781a5b-3903-41f3-afcb-af62929ccde1" => {
            policy("CORS-CustomOrigin", "none", headers("whitelist", &["origin"]), "none")
        }
        "acba4595-bd28-49b8-b9fe-13317c0390fa" => {
            policy("UserAgentRefererHeaders", "none", headers("whitelist", &["user-agent", "referer"]), "none")
        }
        _ => return None,
    })
}

/// A managed response headers policy.
pub(crate) fn response_headers_policy(id: &str) -> Option<ResponseHeadersPolicy> {
    let items = |values: &[&str]| Items { items: strings(values) };
    let simple = || CorsConfig {
        access_control_allow_credentials: false,
        access_control_allow_headers: items(&[]),
        access_control_allow_methods: items(&[]),
        access_control_allow_origins: items(&["*"]),
        access_control_expose_headers: None,
        access_control_max_age_sec: None,
        origin_override: false,
    };
    let preflight = || CorsConfig {
        access_control_allow_methods: items(&["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]),
        access_control_expose_headers: Some(items(&["*"])),
        ..simple()
    };
    let security = || SecurityHeadersConfig {
        content_security_policy: None,
        content_type_options: Some(ContentTypeOptions { r#override: true }),
        frame_options: Some(FrameOptions { frame_option: "SAMEORIGIN".into(), r#override: false }),
        referrer_policy: Some(ReferrerPolicy {
            referrer_policy: "strict-origin-when-cross-origin".into(),
            r#override: false,
        }),
        strict_transport_security: Some(StrictTransportSecurity {
            access_control_max_age_sec: 31_536_000,
            include_subdomains: false,
            preload: false,
            r#override: false,
        }),
        xss_protection: Some(XssProtection { protection: true, mode_block: true, report_uri: None, r#override: false }),
    };
    let (name, cors_config, security_headers_config) = match id {
        "60669652-455b-4ae9-85a4-c4c02393f86c" => ("SimpleCORS", Some(simple()), None),
        "5cc3b908-e619-4b99-88e5-2cf7f45965bd" => ("CORS-With-Preflight", Some(preflight()), None),
        "67f7725c-6f97-4210-82d7-5512b31e9d03" => ("SecurityHeadersPolicy", None, Some(security())),
        "e61eb60c-9c35-4d20-a928-2b84e02af89c" => ("CORS-and-SecurityHeadersPolicy", Some(simple()), Some(security())),
        "eaab4381-ed33-4a86-88ca-d9558dc6cd63" => {
            ("CORS-with-preflight-and-SecurityHeadersPolicy", Some(preflight()), Some(security()))
        }
        _ => return None,
    };
    Some(ResponseHeadersPolicy {
        name: format!("Managed-{name}"),
        cors_config,
        security_headers_config,
        ..ResponseHeadersPolicy::default()
    })
}
