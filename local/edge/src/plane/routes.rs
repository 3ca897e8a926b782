//! Distributions as the data plane uses them: every reference resolved, every name parsed. What does not resolve is the
//! caller's mistake, said with CloudFront's error, so building the routes is also how a configuration is checked.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use jiff::SignedDuration;
use vodline_core::AwsError;

use super::{
    compression::Codings,
    freshness::Limits,
    function::{Function, Stores},
    headers::HeadersPlan,
    pattern::Pattern,
    selection::Selection,
    signed::TrustedKey,
};
use crate::{
    managed,
    model::{
        Behavior, CachePolicy, DistributionConfig, FunctionAssociation, Logging, Origin, OriginAccessControl,
        OriginGroup, OriginRequestPolicy, ResponseHeadersPolicy, read_timeout,
    },
    xml::invalid_argument,
};

// Limits: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const ORIGINS_MAX: usize = 100;
const BEHAVIORS_MAX: usize = 75;
const CUSTOM_HEADERS_MAX: usize = 30;
const ORIGIN_GROUPS_MAX: usize = 10;
const KEY_GROUPS_OF_BEHAVIOR_MAX: usize = 4;
/// Statuses an origin group may fail over at, and custom error responses may be for:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/high_availability_origin_failover.html>,
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/creating-custom-error-pages.html>.
const FAILOVER_STATUSES: [u16; 8] = [403, 404, 416, 429, 500, 502, 503, 504];
const ERROR_STATUSES: [u16; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

/// What configurations refer to, by id; functions by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    pub cache_policies: HashMap<String, CachePolicy>,
    pub origin_request_policies: HashMap<String, OriginRequestPolicy>,
    pub response_headers_policies: HashMap<String, ResponseHeadersPolicy>,
    pub origin_access_controls: HashMap<String, OriginAccessControl>,
    /// The stage LIVE.
    pub functions: HashMap<String, Arc<Function>>,
    pub stores: Stores,
    pub key_groups: HashMap<String, Vec<Arc<TrustedKey>>>,
}

/// One distribution.
#[derive(Debug)]
pub(crate) struct Distribution {
    pub id: Arc<str>,
    /// As whom it signs what it asks of buckets.
    pub arn: Arc<str>,
    pub domain_name: String,
    /// With its slash; empty when there is none.
    pub default_root: String,
    pub origins: Vec<OriginRoute>,
    /// By the same index as `origins`.
    pub origin_ids: Vec<String>,
    behaviors: Vec<(Pattern, Route)>,
    default: Route,
    errors: HashMap<u16, ErrorRoute>,
    /// What `Via` says.
    pub via: HeaderValue,
    /// Whether viewers may speak HTTP/2.
    pub http2: bool,
    /// Where requests are logged, if anywhere.
    pub log: Option<Arc<LogRoute>>,
}

#[derive(Debug)]
pub(crate) struct OriginRoute {
    pub domain_name: String,
    /// Goes before every path.
    pub path: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub timeout: Duration,
    /// Whether requests are signed by origin access control, which buckets ask for.
    pub signs: bool,
}

/// Where a distribution's requests are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogRoute {
    pub distribution: Arc<str>,
    pub bucket: String,
    /// Goes before the names of the files; ends with a slash unless it is empty.
    pub prefix: String,
    pub cookies: bool,
}

/// The origin that is asked when a group's first fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failover {
    pub origin: usize,
    pub statuses: Vec<u16>,
}

/// How requests of one behaviour are served.
#[derive(Debug)]
pub(crate) struct Route {
    methods: Vec<Method>,
    pub caches_options: bool,
    pub origin: usize,
    pub limits: Limits,
    pub key: Selection,
    pub forward: Selection,
    /// The origin that stands in for `origin`, in a group.
    pub failover: Option<Arc<Failover>>,
    /// Whose signatures are asked for; `None` lets everybody in.
    pub signers: Option<Vec<Arc<TrustedKey>>>,
    pub request_function: Option<Arc<Function>>,
    pub response_function: Option<Arc<Function>>,
    pub headers: Option<Arc<HeadersPlan>>,
    /// In which forms answers are kept beside the plain one.
    pub codings: Codings,
}

/// What to answer for an origin's error.
#[derive(Debug)]
pub(crate) struct ErrorRoute {
    /// The page and the status it goes with.
    pub page: Option<(String, StatusCode)>,
    pub ttl: Option<SignedDuration>,
}

impl Route {
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }
}

impl Distribution {
    /// The behaviour for a path: the first whose pattern matches.
    pub(crate) fn route(&self, path: &str) -> &Route {
        self.behaviors.iter().find(|(pattern, _)| pattern.matches(path)).map_or(&self.default, |(_, route)| route)
    }

    pub(crate) fn error(&self, status: StatusCode) -> Option<&ErrorRoute> {
        self.errors.get(&status.as_u16())
    }

    /// Resolves a configuration.
    pub(crate) fn new(
        id: &str,
        arn: &str,
        domain_name: &str,
        config: &DistributionConfig,
        definitions: &Definitions,
    ) -> Result<Self, AwsError> {
        check_counts(config)?;
        let origin_ids: Vec<String> = config.origins.iter().map(|origin| origin.id.clone()).collect();
        let mut sorted = origin_ids.clone();
        sorted.sort();
        sorted.extend(config.origin_groups.items.iter().map(|group| group.id.clone()));
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(invalid_argument("two origins or origin groups have the same Id"));
        }
        let groups = config.origin_groups.items.iter().map(|group| group_plan(group, &origin_ids));
        let targets = Targets { ids: &origin_ids, groups: groups.collect::<Result<_, _>>()? };
        let route = |behavior: &Behavior| Route::new(behavior, &targets, definitions);
        let behaviors = config.cache_behaviors.iter().map(|behavior| {
            if behavior.path_pattern.is_empty() {
                return Err(invalid_argument("a PathPattern is empty"));
            }
            Ok((Pattern::new(&behavior.path_pattern), route(&behavior.behavior)?))
        });
        let default_root = match config.default_root_object.as_str() {
            "" => String::new(),
            root if root.starts_with('/') => {
                return Err(AwsError::bad_request("InvalidDefaultRootObject", "it begins with a slash"));
            }
            root => format!("/{root}"),
        };
        if let Some(alias) = config.aliases.iter().find(|alias| alias.contains('*')) {
            return Err(AwsError::unsupported_field("cloudfront", "UpdateDistribution", &format!("Aliases: {alias}")));
        }
        Ok(Self {
            id: id.into(),
            arn: arn.into(),
            log: config.logging.as_ref().map(|logging| log_route(id, logging)).transpose()?.map(Arc::new),
            domain_name: domain_name.into(),
            default_root,
            origins: config
                .origins
                .iter()
                .map(|origin| OriginRoute::new(origin, definitions))
                .collect::<Result<_, _>>()?,
            behaviors: behaviors.collect::<Result<_, _>>()?,
            default: route(&config.default_cache_behavior)?,
            errors: config.custom_error_responses.iter().map(error_route).collect::<Result<_, _>>()?,
            via: HeaderValue::try_from(format!("1.1 {} (CloudFront)", domain_name.to_ascii_lowercase()))
                .map_err(|_| invalid_argument("the domain name cannot be in a header"))?,
            http2: !matches!(config.http_version.as_str(), "http1.1" | "http3"),
            origin_ids,
        })
    }
}

fn check_counts(config: &DistributionConfig) -> Result<(), AwsError> {
    if config.origins.is_empty() {
        return Err(invalid_argument("a distribution needs an origin"));
    }
    if config.origins.len() > ORIGINS_MAX {
        return Err(AwsError::bad_request(
            "TooManyOrigins",
            "Processing your request will cause you to exceed the maximum number of origins allowed.",
        ));
    }
    if config.origin_groups.items.len() > ORIGIN_GROUPS_MAX {
        return Err(AwsError::bad_request(
            "TooManyOriginGroupsPerDistribution",
            "Processing your request will cause you to exceed the maximum number of origin groups allowed.",
        ));
    }
    if config.cache_behaviors.len() >= BEHAVIORS_MAX {
        return Err(AwsError::bad_request(
            "TooManyCacheBehaviors",
            "Processing your request will cause you to exceed the maximum number of cache behaviors allowed.",
        ));
    }
    Ok(())
}

impl OriginRoute {
    fn new(origin: &Origin, definitions: &Definitions) -> Result<Self, AwsError> {
        if origin.id.is_empty() || origin.domain_name.is_empty() {
            return Err(invalid_argument("an origin has no Id or no DomainName"));
        }
        let domain_sound = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
        if !origin.domain_name.chars().all(domain_sound) {
            return Err(invalid_argument(format!(
                "The parameter Origin DomainName is not a domain name: {}",
                origin.domain_name
            )));
        }
        if !origin.origin_path.is_empty() && (!origin.origin_path.starts_with('/') || origin.origin_path.ends_with('/'))
        {
            return Err(invalid_argument(format!(
                "the OriginPath of {} does not begin, or ends, with a slash",
                origin.id
            )));
        }
        if origin.s3_origin_config.is_some() == origin.custom_origin_config.is_some() {
            return Err(invalid_argument(format!(
                "the origin {} needs either S3OriginConfig or CustomOriginConfig",
                origin.id
            )));
        }
        let identity = origin.s3_origin_config.as_ref().map(|config| config.origin_access_identity.as_str());
        if identity.is_some_and(|identity| !identity.is_empty()) {
            return Err(AwsError::unsupported_field(
                "cloudfront",
                "UpdateDistribution",
                "S3OriginConfig.OriginAccessIdentity",
            ));
        }
        let control = &origin.origin_access_control_id;
        let signs = match definitions.origin_access_controls.get(control) {
            Some(control) => control.signing_behavior == "always",
            None if control.is_empty() => false,
            None => {
                return Err(AwsError::bad_request(
                    "InvalidOriginAccessControl",
                    format!("The origin access control is not valid: {control}"),
                ));
            }
        };
        if !control.is_empty() && origin.custom_origin_config.is_some() {
            return Err(AwsError::bad_request(
                "InvalidDomainNameForOriginAccessControl",
                format!(
                    "An origin access control is associated with an origin whose domain name is not supported: {}",
                    origin.id
                ),
            ));
        }
        if origin.custom_headers.len() > CUSTOM_HEADERS_MAX {
            return Err(AwsError::bad_request(
                "TooManyOriginCustomHeaders",
                "Your request contains too many origin custom headers.",
            ));
        }
        let headers =
            origin.custom_headers.iter().map(|header| custom_header(&header.header_name, &header.header_value));
        let seconds =
            origin.custom_origin_config.as_ref().map_or_else(read_timeout, |config| config.origin_read_timeout);
        if !(1..=180).contains(&seconds) {
            return Err(invalid_argument("OriginReadTimeout is not between 1 and 180 seconds"));
        }
        Ok(Self {
            domain_name: origin.domain_name.clone(),
            path: origin.origin_path.clone(),
            headers: headers.collect::<Result<_, _>>()?,
            timeout: Duration::from_secs(seconds.into()),
            signs,
        })
    }
}

/// A header for the origin. Some names are the edge's own:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-denylist>.
fn custom_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), AwsError> {
    let refused = |what: &str| Err(invalid_argument(format!("the origin custom header {name} {what}")));
    let lower = name.to_ascii_lowercase();
    let reserved = [
        "connection",
        "content-length",
        "cookie",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "request-range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "accept-encoding",
        "cache-control",
        "x-real-ip",
    ];
    if reserved.contains(&lower.as_str()) || lower.starts_with("x-amz-") || lower.starts_with("x-edge-") {
        return refused("is not allowed");
    }
    let Ok(name_parsed) = HeaderName::try_from(lower) else { return refused("has no valid name") };
    let Ok(mut value) = HeaderValue::try_from(value) else { return refused("has no valid value") };
    // It may be a secret, such as MediaPackage's.
    value.set_sensitive(true);
    Ok((name_parsed, value))
}

impl Route {
    fn new(behavior: &Behavior, targets: &Targets<'_>, definitions: &Definitions) -> Result<Self, AwsError> {
        let (origin, failover) = targets.find(&behavior.target_origin_id)?;
        let functions = &behavior.function_associations;
        let (key, limits, codings) = cache_plan(&behavior.cache_policy_id, definitions)?;
        Ok(Self {
            methods: methods(&behavior.allowed_methods)?,
            caches_options: cached_options(behavior)?,
            origin,
            limits,
            key,
            forward: forward_plan(&behavior.origin_request_policy_id, definitions)?,
            failover,
            signers: signers(&behavior.trusted_key_groups, definitions)?,
            request_function: function(functions, "viewer-request", definitions)?,
            response_function: function(functions, "viewer-response", definitions)?,
            headers: headers_plan(&behavior.response_headers_policy_id, definitions)?,
            codings: if behavior.compress { codings } else { Codings::default() },
        })
    }
}

/// CloudFront knows three sets of methods.
fn methods(names: &[String]) -> Result<Vec<Method>, AwsError> {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let known: [&[&str]; 3] =
        [&["GET", "HEAD"], &["GET", "HEAD", "OPTIONS"], &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]];
    if !known.contains(&sorted.as_slice()) {
        return Err(invalid_argument(format!("AllowedMethods {names:?} are none of CloudFront's three sets")));
    }
    sorted.iter().map(|name| name.parse().map_err(|_| invalid_argument(format!("the method {name}")))).collect()
}

fn cached_options(behavior: &Behavior) -> Result<bool, AwsError> {
    let mut sorted: Vec<&str> = behavior.cached_methods.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    match sorted.as_slice() {
        ["GET", "HEAD"] => Ok(false),
        ["GET", "HEAD", "OPTIONS"] => Ok(true),
        other => Err(invalid_argument(format!("CachedMethods {other:?} are neither of CloudFront's two sets"))),
    }
}

/// What counts for the key, how long answers are kept, and how they may be compressed.
fn cache_plan(id: &str, definitions: &Definitions) -> Result<(Selection, Limits, Codings), AwsError> {
    if id.is_empty() {
        return Err(AwsError::unsupported_field(
            "cloudfront",
            "UpdateDistribution",
            "ForwardedValues (use CachePolicyId)",
        ));
    }
    let policy = definitions.cache_policies.get(id).cloned().or_else(|| managed::cache_policy(id));
    let policy = policy
        .ok_or_else(|| AwsError::not_found("NoSuchCachePolicy", format!("The cache policy does not exist: {id}")))?;
    let parameters = &policy.parameters_in_cache_key_and_forwarded_to_origin;
    let selection =
        Selection::new(&parameters.headers_config, &parameters.cookies_config, &parameters.query_strings_config)?;
    let [min, default, max] =
        [policy.min_ttl, policy.default_ttl, policy.max_ttl].map(SignedDuration::try_from_secs_f64);
    let (Ok(min), Ok(default), Ok(max)) = (min, default, max) else {
        return Err(invalid_argument(format!("the cache policy {id} has a TTL out of range")));
    };
    if min < SignedDuration::ZERO || default < min || max < default {
        return Err(invalid_argument(format!("the cache policy {id} does not have MinTTL <= DefaultTTL <= MaxTTL")));
    }
    let codings =
        Codings { gzip: parameters.enable_accept_encoding_gzip, brotli: parameters.enable_accept_encoding_brotli };
    Ok((selection, Limits { min, default, max }, codings))
}

fn forward_plan(id: &str, definitions: &Definitions) -> Result<Selection, AwsError> {
    if id.is_empty() {
        return Ok(Selection::NOTHING);
    }
    let policy = definitions.origin_request_policies.get(id).cloned().or_else(|| managed::origin_request_policy(id));
    let policy = policy.ok_or_else(|| {
        AwsError::not_found("NoSuchOriginRequestPolicy", format!("The origin request policy does not exist: {id}"))
    })?;
    Selection::new(&policy.headers_config, &policy.cookies_config, &policy.query_strings_config)
}

fn headers_plan(id: &str, definitions: &Definitions) -> Result<Option<Arc<HeadersPlan>>, AwsError> {
    if id.is_empty() {
        return Ok(None);
    }
    let policy =
        definitions.response_headers_policies.get(id).cloned().or_else(|| managed::response_headers_policy(id));
    let policy = policy.ok_or_else(|| {
        AwsError::not_found("NoSuchResponseHeadersPolicy", format!("The response headers policy does not exist: {id}"))
    })?;
    Ok(Some(Arc::new(HeadersPlan::new(&policy)?)))
}

/// The keys of the groups that a behaviour trusts; `None` when it trusts none, because it asks for no signature.
fn signers(groups: &[String], definitions: &Definitions) -> Result<Option<Vec<Arc<TrustedKey>>>, AwsError> {
    if groups.is_empty() {
        return Ok(None);
    }
    if groups.len() > KEY_GROUPS_OF_BEHAVIOR_MAX {
        return Err(AwsError::bad_request(
            "TooManyKeyGroupsAssociatedToDistribution",
            "The number of key groups referenced by this distribution is more than the maximum allowed.",
        ));
    }
    let mut keys = Vec::new();
    for group in groups {
        let known = definitions.key_groups.get(group).ok_or_else(|| {
            AwsError::bad_request(
                "TrustedKeyGroupDoesNotExist",
                format!("The specified key group does not exist: {group}"),
            )
        })?;
        keys.extend(known.iter().cloned());
    }
    Ok(Some(keys))
}

/// The function of one kind, if the behaviour has one.
fn function(
    associations: &[FunctionAssociation],
    event_type: &str,
    definitions: &Definitions,
) -> Result<Option<Arc<Function>>, AwsError> {
    let invalid = |message: String| Err(AwsError::bad_request("InvalidFunctionAssociation", message));
    let known = ["viewer-request", "viewer-response"];
    if let Some(odd) = associations.iter().find(|association| !known.contains(&association.event_type.as_str())) {
        return invalid(format!("The event type {:?} is none of a function", odd.event_type));
    }
    let mut fitting = associations.iter().filter(|association| association.event_type == event_type);
    let Some(association) = fitting.next() else { return Ok(None) };
    if fitting.next().is_some() {
        return invalid(format!("A behaviour has one function for {event_type}"));
    }
    let name = association.function_arn.rsplit("function/").next().unwrap_or_default();
    match definitions.functions.get(name) {
        Some(function) => Ok(Some(function.clone())),
        None => invalid(format!("The function does not exist or is not published: {}", association.function_arn)),
    }
}

/// What a behaviour may name as its target.
struct Targets<'a> {
    ids: &'a [String],
    groups: HashMap<String, (usize, Arc<Failover>)>,
}

impl Targets<'_> {
    fn find(&self, target: &str) -> Result<(usize, Option<Arc<Failover>>), AwsError> {
        if let Some((origin, failover)) = self.groups.get(target) {
            return Ok((*origin, Some(failover.clone())));
        }
        Ok((origin_index(target, self.ids)?, None))
    }
}

fn origin_index(target: &str, ids: &[String]) -> Result<usize, AwsError> {
    ids.iter().position(|id| id == target).ok_or_else(|| {
        let message = format!("One or more of your origins or origin groups do not exist: {target}");
        AwsError::not_found("NoSuchOrigin", message)
    })
}

fn group_plan(group: &OriginGroup, ids: &[String]) -> Result<(String, (usize, Arc<Failover>)), AwsError> {
    let [first, second] = group.members.items.as_slice() else {
        return Err(invalid_argument(format!("the origin group {} does not have two members", group.id)));
    };
    let (origin, other) = (origin_index(&first.origin_id, ids)?, origin_index(&second.origin_id, ids)?);
    if origin == other {
        return Err(invalid_argument(format!("the origin group {} has one origin twice", group.id)));
    }
    let statuses = &group.failover_criteria.status_codes.items;
    if statuses.is_empty() || !statuses.iter().all(|status| FAILOVER_STATUSES.contains(status)) {
        return Err(invalid_argument(format!(
            "the origin group {} has FailoverCriteria other than {FAILOVER_STATUSES:?}",
            group.id
        )));
    }
    Ok((group.id.clone(), (origin, Arc::new(Failover { origin: other, statuses: statuses.clone() }))))
}

/// Where logs go: the bucket is given by its domain name.
fn log_route(id: &str, logging: &Logging) -> Result<LogRoute, AwsError> {
    let bucket = logging.bucket.strip_suffix(".amazonaws.com").and_then(|host| host.split_once(".s3"));
    let Some((bucket, _)) = bucket.filter(|(bucket, _)| !bucket.is_empty()) else {
        return Err(invalid_argument(format!(
            "The parameter Logging Bucket is not the domain name of a bucket: {}",
            logging.bucket
        )));
    };
    if logging.prefix.starts_with('/') {
        return Err(invalid_argument("The parameter Logging Prefix begins with a slash"));
    }
    let slash = if logging.prefix.is_empty() || logging.prefix.ends_with('/') { "" } else { "/" };
    Ok(LogRoute {
        distribution: id.into(),
        bucket: bucket.to_owned(),
        prefix: format!("{}{slash}", logging.prefix),
        cookies: logging.include_cookies,
    })
}

fn error_route(response: &crate::model::CustomErrorResponse) -> Result<(u16, ErrorRoute), AwsError> {
    if !ERROR_STATUSES.contains(&response.error_code) {
        let message = format!("The error code {} is none of {ERROR_STATUSES:?}", response.error_code);
        return Err(AwsError::bad_request("InvalidErrorCode", message));
    }
    let page = match (response.response_page_path.as_str(), response.response_code) {
        ("", None) => None,
        (path, Some(code)) if path.starts_with('/') => {
            let status =
                StatusCode::from_u16(code).map_err(|_| invalid_argument(format!("the ResponseCode {code}")))?;
            Some((path.to_owned(), status))
        }
        _ => {
            return Err(invalid_argument(
                "ResponsePagePath and ResponseCode go together, and the path begins with a slash",
            ));
        }
    };
    let ttl =
        response.error_caching_min_ttl.map(|seconds| SignedDuration::from_secs(seconds.try_into().unwrap_or(i64::MAX)));
    Ok((response.error_code, ErrorRoute { page, ttl }))
}

/// All distributions, found by host.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    distributions: Vec<Arc<Distribution>>,
    by_host: HashMap<String, usize>,
}

impl Routes {
    /// Adds an enabled distribution, under its domain name and its aliases.
    pub(crate) fn add(&mut self, distribution: Arc<Distribution>, aliases: &[String]) {
        let index = self.distributions.len();
        for host in aliases.iter().chain([&distribution.domain_name]) {
            self.by_host.insert(host.to_ascii_lowercase(), index);
        }
        self.distributions.push(distribution);
    }

    /// The distribution for a `Host`; on loopback hosts say nothing, and the first distribution is meant.
    pub(crate) fn find(&self, host: &str) -> Option<&Arc<Distribution>> {
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        self.distributions.get(self.by_host.get(host).copied().unwrap_or(0))
    }
}
