//! A distribution's configuration and the policies it refers to.
//!
//! In JSON (the store, and what the template loader hands over) they have CloudFormation's spelling; the API's XML is read and
//! written by [`wire`](crate::wire). What is not here is not served, and refused by its name: fields are denied when unknown.
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudfront-distribution-distributionconfig.html>.

use serde::{Deserialize, Serialize};

/// What a distribution does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DistributionConfig {
    /// CloudFormation makes one up.
    #[serde(default)]
    pub caller_reference: String,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub default_root_object: String,
    pub origins: Vec<Origin>,
    #[serde(default)]
    pub origin_groups: OriginGroups,
    pub default_cache_behavior: Behavior,
    #[serde(default)]
    pub cache_behaviors: Vec<PathBehavior>,
    #[serde(default)]
    pub custom_error_responses: Vec<CustomErrorResponse>,
    #[serde(default)]
    pub comment: String,
    /// Where requests are logged; nowhere when absent.
    pub logging: Option<Logging>,
    #[serde(default)]
    pub restrictions: Restrictions,
    /// Where edges are; the home has one.
    #[serde(default = "all_edges")]
    pub price_class: String,
    pub enabled: bool,
    /// Kept, and not used: the home speaks plain HTTP on loopback.
    #[serde(default)]
    pub viewer_certificate: ViewerCertificate,
    /// Kept; the home speaks HTTP/1.1.
    #[serde(default = "http2")]
    pub http_version: String,
    #[serde(rename = "IPV6Enabled", default)]
    pub ipv6_enabled: bool,
}

impl DistributionConfig {
    /// All behaviours, the default one last.
    pub(crate) fn behaviors(&self) -> impl Iterator<Item = &Behavior> {
        self.cache_behaviors.iter().map(|path| &path.behavior).chain([&self.default_cache_behavior])
    }

    /// Checks what only a template can get wrong.
    pub(crate) fn check_template(&self) -> Result<(), vodline_core::AwsError> {
        let geography = &self.restrictions.geo_restriction;
        if geography.restriction_type != "none" || !geography.locations.is_empty() {
            let field = "Restrictions.GeoRestriction";
            return Err(vodline_core::AwsError::unsupported_field("cloudfront", "CreateDistribution", field));
        }
        let groups = &self.origin_groups;
        let inconsistent = groups.quantity != groups.items.len()
            || groups.items.iter().any(|group| {
                let codes = &group.failover_criteria.status_codes;
                codes.quantity != codes.items.len() || group.members.quantity != group.members.items.len()
            });
        if inconsistent {
            let message = "OriginGroups has a Quantity other than the number of its Items";
            return Err(vodline_core::AwsError::bad_request("InconsistentQuantities", message));
        }
        Ok(())
    }
}

/// Origins that stand in for each other. CloudFormation spells its lists as the API does, with quantities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OriginGroups {
    pub quantity: usize,
    #[serde(default)]
    pub items: Vec<OriginGroup>,
}

/// Two origins: the second is asked when the first cannot be reached or answers with one of the statuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OriginGroup {
    pub id: String,
    pub failover_criteria: FailoverCriteria,
    pub members: Members,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct FailoverCriteria {
    pub status_codes: StatusCodes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct StatusCodes {
    pub quantity: usize,
    pub items: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Members {
    pub quantity: usize,
    pub items: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Member {
    pub origin_id: String,
}

/// Standard logging (legacy): files in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Logging {
    /// A bucket's domain name: `<bucket>.s3.amazonaws.com`.
    pub bucket: String,
    #[serde(default)]
    pub include_cookies: bool,
    #[serde(default)]
    pub prefix: String,
}

/// By country; only none is served, because the home does not know where viewers are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Restrictions {
    #[serde(default)]
    pub geo_restriction: GeoRestriction,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GeoRestriction {
    pub restriction_type: String,
    #[serde(default)]
    pub locations: Vec<String>,
}

impl Default for GeoRestriction {
    fn default() -> Self {
        Self { restriction_type: "none".into(), locations: Vec::new() }
    }
}

fn all_edges() -> String {
    "PriceClass_All".into()
}

fn http2() -> String {
    "http2".into()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Origin {
    pub id: String,
    pub domain_name: String,
    #[serde(default)]
    pub origin_path: String,
    #[serde(rename = "OriginCustomHeaders", default)]
    pub custom_headers: Vec<CustomHeader>,
    pub s3_origin_config: Option<S3OriginConfig>,
    pub custom_origin_config: Option<CustomOriginConfig>,
    pub connection_attempts: Option<u32>,
    pub connection_timeout: Option<u32>,
    #[serde(default)]
    pub origin_access_control_id: String,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CustomHeader {
    pub header_name: String,
    pub header_value: String,
}

impl std::fmt::Debug for CustomHeader {
    /// Without the value: it may be the CDN identifier.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomHeader").field("header_name", &self.header_name).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct S3OriginConfig {
    /// Must be empty: the older way, before origin access control.
    #[serde(default)]
    pub origin_access_identity: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CustomOriginConfig {
    #[serde(rename = "HTTPPort", default = "http_port")]
    pub http_port: u16,
    #[serde(rename = "HTTPSPort", default = "https_port")]
    pub https_port: u16,
    pub origin_protocol_policy: String,
    #[serde(rename = "OriginSSLProtocols", default = "tls_1_2")]
    pub origin_ssl_protocols: Vec<String>,
    /// Seconds.
    #[serde(default = "read_timeout")]
    pub origin_read_timeout: u32,
    /// Seconds. Kept: origins of the home need no connections.
    #[serde(default = "keepalive_timeout")]
    pub origin_keepalive_timeout: u32,
}

fn http_port() -> u16 {
    80
}

fn https_port() -> u16 {
    443
}

fn tls_1_2() -> Vec<String> {
    vec!["TLSv1.2".into()]
}

/// CloudFront's default, in seconds.
pub(crate) fn read_timeout() -> u32 {
    30
}

fn keepalive_timeout() -> u32 {
    5
}

/// How requests are served; the default, or of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Behavior {
    pub target_origin_id: String,
    /// Kept, and not used: the home speaks plain HTTP on loopback.
    pub viewer_protocol_policy: String,
    #[serde(default = "read_methods")]
    pub allowed_methods: Vec<String>,
    #[serde(default = "read_methods")]
    pub cached_methods: Vec<String>,
    #[serde(default)]
    pub compress: bool,
    #[serde(default)]
    pub function_associations: Vec<FunctionAssociation>,
    #[serde(default)]
    pub cache_policy_id: String,
    #[serde(default)]
    pub origin_request_policy_id: String,
    #[serde(default)]
    pub response_headers_policy_id: String,
    /// Ids of key groups: who may sign URLs and cookies. With none, everybody may see what is served.
    #[serde(default)]
    pub trusted_key_groups: Vec<String>,
}

pub(crate) fn read_methods() -> Vec<String> {
    vec!["GET".into(), "HEAD".into()]
}

/// A behaviour and the paths it is for. In JSON the pattern stands beside the behaviour's own fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>", into = "serde_json::Map<String, serde_json::Value>")]
pub(crate) struct PathBehavior {
    pub path_pattern: String,
    pub behavior: Behavior,
}

impl TryFrom<serde_json::Map<String, serde_json::Value>> for PathBehavior {
    type Error = String;

    fn try_from(mut fields: serde_json::Map<String, serde_json::Value>) -> Result<Self, String> {
        let pattern = fields.remove("PathPattern");
        let path_pattern =
            pattern.and_then(|pattern| pattern.as_str().map(str::to_owned)).ok_or("missing field `PathPattern`")?;
        let behavior = serde_json::from_value(fields.into()).map_err(|error| error.to_string())?;
        Ok(Self { path_pattern, behavior })
    }
}

impl From<PathBehavior> for serde_json::Map<String, serde_json::Value> {
    fn from(value: PathBehavior) -> Self {
        let mut fields = Self::new();
        fields.insert("PathPattern".into(), value.path_pattern.into());
        if let Ok(serde_json::Value::Object(behavior)) = serde_json::to_value(value.behavior) {
            fields.extend(behavior);
        }
        fields
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct FunctionAssociation {
    pub event_type: String,
    #[serde(rename = "FunctionARN")]
    pub function_arn: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CustomErrorResponse {
    pub error_code: u16,
    #[serde(default)]
    pub response_page_path: String,
    pub response_code: Option<u16>,
    /// Seconds.
    #[serde(rename = "ErrorCachingMinTTL")]
    pub error_caching_min_ttl: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ViewerCertificate {
    pub cloud_front_default_certificate: Option<bool>,
    pub acm_certificate_arn: Option<String>,
    pub iam_certificate_id: Option<String>,
    pub ssl_support_method: Option<String>,
    pub minimum_protocol_version: Option<String>,
}

impl Default for ViewerCertificate {
    /// What a distribution has that says nothing: the certificate of `*.cloudfront.net`.
    fn default() -> Self {
        Self {
            cloud_front_default_certificate: Some(true),
            acm_certificate_arn: None,
            iam_certificate_id: None,
            ssl_support_method: Some("vip".into()),
            minimum_protocol_version: Some("TLSv1".into()),
        }
    }
}

/// What makes up the cache key, and for how long answers are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CachePolicy {
    pub name: String,
    #[serde(default)]
    pub comment: String,
    /// Seconds, as are the other two.
    #[serde(rename = "DefaultTTL")]
    pub default_ttl: f64,
    #[serde(rename = "MaxTTL")]
    pub max_ttl: f64,
    #[serde(rename = "MinTTL")]
    pub min_ttl: f64,
    pub parameters_in_cache_key_and_forwarded_to_origin: CacheKeyParameters,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CacheKeyParameters {
    #[serde(default)]
    pub enable_accept_encoding_brotli: bool,
    pub enable_accept_encoding_gzip: bool,
    pub cookies_config: CookiesConfig,
    pub headers_config: HeadersConfig,
    pub query_strings_config: QueryStringsConfig,
}

/// What else the origin is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OriginRequestPolicy {
    pub name: String,
    #[serde(default)]
    pub comment: String,
    pub cookies_config: CookiesConfig,
    pub headers_config: HeadersConfig,
    pub query_strings_config: QueryStringsConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CookiesConfig {
    pub cookie_behavior: String,
    #[serde(default)]
    pub cookies: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct HeadersConfig {
    pub header_behavior: String,
    #[serde(default)]
    pub headers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct QueryStringsConfig {
    pub query_string_behavior: String,
    #[serde(default)]
    pub query_strings: Vec<String>,
}

/// What every answer says besides the origin's headers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ResponseHeadersPolicy {
    pub name: String,
    #[serde(default)]
    pub comment: String,
    pub cors_config: Option<CorsConfig>,
    pub security_headers_config: Option<SecurityHeadersConfig>,
    pub custom_headers_config: Option<CustomHeadersConfig>,
    pub remove_headers_config: Option<RemoveHeadersConfig>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CorsConfig {
    pub access_control_allow_credentials: bool,
    pub access_control_allow_headers: Items,
    pub access_control_allow_methods: Items,
    pub access_control_allow_origins: Items,
    pub access_control_expose_headers: Option<Items>,
    pub access_control_max_age_sec: Option<u32>,
    pub origin_override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Items {
    pub items: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct SecurityHeadersConfig {
    pub content_security_policy: Option<ContentSecurityPolicy>,
    pub content_type_options: Option<ContentTypeOptions>,
    pub frame_options: Option<FrameOptions>,
    pub referrer_policy: Option<ReferrerPolicy>,
    pub strict_transport_security: Option<StrictTransportSecurity>,
    #[serde(rename = "XSSProtection")]
    pub xss_protection: Option<XssProtection>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ContentSecurityPolicy {
    pub content_security_policy: String,
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ContentTypeOptions {
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct FrameOptions {
    pub frame_option: String,
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ReferrerPolicy {
    pub referrer_policy: String,
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct StrictTransportSecurity {
    pub access_control_max_age_sec: u32,
    #[serde(default)]
    pub include_subdomains: bool,
    #[serde(default)]
    pub preload: bool,
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct XssProtection {
    pub protection: bool,
    #[serde(default)]
    pub mode_block: bool,
    pub report_uri: Option<String>,
    pub r#override: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CustomHeadersConfig {
    pub items: Vec<ResponseHeader>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ResponseHeader {
    pub header: String,
    pub value: String,
    pub r#override: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RemoveHeadersConfig {
    pub items: Vec<RemovedHeader>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RemovedHeader {
    pub header: String,
}

/// How the edge signs its requests to an origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OriginAccessControl {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub origin_access_control_origin_type: String,
    /// `always` or `never`; `no-override` is refused.
    pub signing_behavior: String,
    pub signing_protocol: String,
}

/// A key that signatures of URLs and cookies are checked with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PublicKey {
    pub caller_reference: String,
    pub name: String,
    /// PEM.
    pub encoded_key: String,
    #[serde(default)]
    pub comment: String,
}

/// Public keys, by id, that a behaviour may trust.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct KeyGroup {
    pub name: String,
    pub items: Vec<String>,
    #[serde(default)]
    pub comment: String,
}

/// A key value store, without its pairs. Its name is its row's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct KeyValueStore {
    /// A UUID; the ARN ends with it, and functions may name the store by it.
    pub id: String,
    #[serde(default)]
    pub comment: String,
}
