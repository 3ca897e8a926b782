//! The operations. Paths: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Operations.html>.

mod access_controls;
mod definitions;
mod distributions;
mod functions;
mod invalidations;
mod keys;
mod stores;

use http::{Method, StatusCode};
use vodline_core::{AwsError, Request, Response};

use crate::{
    service::Edge,
    xml::{Writer, invalid_argument},
};

/// Items on a page of a list, when the caller does not say and at most.
const PAGE_ITEMS_MAX: usize = 100;

impl Edge {
    /// Routes one call. Every operation is short and touches only the store and the routes.
    pub(crate) fn answer(&self, request: &Request) -> Result<Response, AwsError> {
        let path = request.path.trim_matches('/');
        let rest = path
            .strip_prefix("2020-05-31/")
            .ok_or_else(|| AwsError::unsupported_operation("cloudfront", &format!("{} /{path}", request.method)))?;
        let decoded: Vec<String> = rest
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["distribution"]) => self.list_distributions(request),
            ("POST", ["distribution"]) => self.create_distribution(request),
            ("GET", ["distribution", id]) => self.get_distribution(request, id),
            ("DELETE", ["distribution", id]) => self.delete_distribution(request, id),
            ("GET", ["distribution", id, "config"]) => self.get_distribution_config(request, id),
            ("PUT", ["distribution", id, "config"]) => self.update_distribution(request, id),
            ("POST", ["distribution", id, "invalidation"]) => self.create_invalidation(request, id),
            ("GET", ["distribution", id, "invalidation"]) => self.list_invalidations(request, id),
            ("GET", ["distribution", id, "invalidation", invalidation]) => {
                self.get_invalidation(request, id, invalidation)
            }
            ("GET", ["function"]) => self.list_functions(request),
            ("POST", ["function"]) => self.create_function(request),
            ("GET", ["function", name]) => self.get_function(request, name),
            ("PUT", ["function", name]) => self.update_function(request, name),
            ("DELETE", ["function", name]) => self.delete_function(request, name),
            ("GET", ["function", name, "describe"]) => self.describe_function(request, name),
            ("POST", ["function", name, "publish"]) => self.publish_function(request, name),
            ("POST", ["function", name, "test"]) => self.test_function(request, name),
            ("GET", ["public-key"]) => self.list_public_keys(request),
            ("POST", ["public-key"]) => self.create_public_key(request),
            ("GET", ["public-key", id]) => self.get_public_key(request, id),
            ("DELETE", ["public-key", id]) => self.delete_public_key(request, id),
            ("GET", ["public-key", id, "config"]) => self.get_public_key_config(request, id),
            ("PUT", ["public-key", id, "config"]) => self.update_public_key(request, id),
            ("GET", ["key-group"]) => self.list_key_groups(request),
            ("POST", ["key-group"]) => self.create_key_group(request),
            ("GET", ["key-group", id]) => self.get_key_group(request, id),
            ("PUT", ["key-group", id]) => self.update_key_group(request, id),
            ("DELETE", ["key-group", id]) => self.delete_key_group(request, id),
            ("GET", ["key-group", id, "config"]) => self.get_key_group_config(request, id),
            ("GET", ["origin-access-control"]) => self.list_origin_access_controls(request),
            ("POST", ["origin-access-control"]) => self.create_origin_access_control(request),
            ("GET", ["origin-access-control", id]) => self.get_origin_access_control(request, id),
            ("DELETE", ["origin-access-control", id]) => self.delete_origin_access_control(request, id),
            ("GET", ["origin-access-control", id, "config"]) => self.get_origin_access_control_config(request, id),
            ("PUT", ["origin-access-control", id, "config"]) => self.update_origin_access_control(request, id),
            ("GET", ["key-value-store"]) => self.list_key_value_stores(request),
            ("POST", ["key-value-store"]) => self.create_key_value_store(request),
            ("GET", ["key-value-store", name]) => self.describe_key_value_store(request, name),
            ("PUT", ["key-value-store", name]) => self.update_key_value_store(request, name),
            ("DELETE", ["key-value-store", name]) => self.delete_key_value_store(request, name),
            (_, parts) => Err(AwsError::unsupported_operation("cloudfront", &operation_name(&request.method, parts))),
        }
    }
}

/// CloudFront's own refusal is called AccessDenied.
fn authorize(request: &Request, operation: &str, resource: &str) -> Result<(), AwsError> {
    request
        .authorize(&format!("cloudfront:{operation}"), resource)
        .map_err(|error| AwsError { code: "AccessDenied".into(), ..error })
}

/// The version the caller means to change; every change demands one.
fn if_match(request: &Request) -> Result<&str, AwsError> {
    request.header("if-match").filter(|tag| !tag.is_empty()).ok_or_else(|| {
        AwsError::bad_request("InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
    })
}

/// Refuses a change that was made from another version than the newest.
fn check_version(if_match: &str, etag: &str) -> Result<(), AwsError> {
    if if_match == etag {
        return Ok(());
    }
    Err(AwsError::with_status(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "The request failed because it didn't meet the preconditions in one or more request-header fields.",
    ))
}

fn conflict(code: &str, message: impl Into<String>) -> AwsError {
    AwsError::with_status(StatusCode::CONFLICT, code, message)
}

/// One page of a list.
struct Page<T> {
    rows: Vec<T>,
    marker: String,
    limit: usize,
    /// Where the next page begins; `None` on the last.
    next: Option<String>,
}

impl<T> Page<T> {
    /// The page that the request asks for: what comes after `Marker`, at most `MaxItems`.
    fn new(request: &Request, mut rows: Vec<T>, id: impl Fn(&T) -> &str) -> Result<Self, AwsError> {
        let limit = match request.query_value("MaxItems") {
            None => PAGE_ITEMS_MAX,
            Some(text) => {
                let limit: usize = text.parse().map_err(|_| invalid_argument("MaxItems is not a number"))?;
                limit.clamp(1, PAGE_ITEMS_MAX)
            }
        };
        let marker = request.query_value("Marker").unwrap_or_default();
        if !marker.is_empty() {
            let after =
                rows.iter().position(|row| id(row) == marker).ok_or_else(|| invalid_argument("the Marker is none"))?;
            rows.drain(..=after);
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| id(row).to_owned());
        Ok(Self { rows, marker, limit, next })
    }

    /// A list that says whether it is cut off and where it began.
    fn write_marked(&self, writer: &mut Writer, item: &str, write: impl Fn(&mut Writer, &T)) {
        writer.text("Marker", &self.marker);
        writer.optional("NextMarker", self.next.as_ref());
        writer.text("MaxItems", self.limit);
        writer.text("IsTruncated", self.next.is_some());
        writer.items(item, &self.rows, write);
    }

    /// A list of the newer kind, which has neither `Marker` nor `IsTruncated`.
    fn write(&self, writer: &mut Writer, item: &str, write: impl Fn(&mut Writer, &T)) {
        writer.optional("NextMarker", self.next.as_ref());
        writer.text("MaxItems", self.limit);
        writer.items(item, &self.rows, write);
    }
}

fn xml(status: StatusCode, document: String) -> Response {
    Response::new(status, "text/xml", document)
}

fn tagged(mut response: Response, etag: &str) -> Response {
    response.set_header("etag", etag);
    response
}

/// An answer to a creation, with the address of what was made.
fn created(document: String, etag: &str, path: &str) -> Response {
    let mut response = tagged(xml(StatusCode::CREATED, document), etag);
    response.set_header("location", &format!("https://cloudfront.amazonaws.com/2020-05-31/{path}"));
    response
}

fn deleted() -> Response {
    Response::new(StatusCode::NO_CONTENT, "text/xml", "")
}

/// The name of an operation that is refused, by its method and path.
fn operation_name(method: &Method, parts: &[&str]) -> String {
    let resource = match parts.first().copied().unwrap_or_default() {
        "distribution" => "Distribution",
        "function" => "Function",
        "cache-policy" => "CachePolicy",
        "origin-request-policy" => "OriginRequestPolicy",
        "response-headers-policy" => "ResponseHeadersPolicy",
        "origin-access-control" => "OriginAccessControl",
        "key-group" => "KeyGroup",
        "public-key" => "PublicKey",
        "key-value-store" => "KeyValueStore",
        "tagging" => "Tags",
        _ => return format!("{method} /2020-05-31/{}", parts.join("/")),
    };
    match (method.as_str(), parts.len()) {
        ("POST", 1) => format!("Create{resource}"),
        ("GET", 1) => format!("List{resource}"),
        ("GET", _) => format!("Get{resource}"),
        ("PUT", _) => format!("Update{resource}"),
        ("DELETE", _) => format!("Delete{resource}"),
        _ => format!("{method} /2020-05-31/{}", parts.join("/")),
    }
}
