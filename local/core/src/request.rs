//! One AWS call as a service sees it: routed, identified, not yet decoded.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

use crate::AwsError;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The home's owner; may do everything.
    Root,
    /// A role of the template, by its ARN; may do what its policies allow.
    Role(String),
}

impl Principal {
    /// The ARN AWS would print for this caller in an AccessDenied message.
    #[must_use]
    pub fn arn(&self) -> &str {
        match self {
            Self::Root => "arn:aws:iam::000000000000:root",
            Self::Role(arn) => arn,
        }
    }
}

/// Decides whether a caller may act; implemented over the template's IAM policies.
pub trait Authorizer: Send + Sync + 'static {
    /// `Ok` when `principal` may perform `action` (such as `dynamodb:GetItem`) on the resource with this ARN (or `*`).
    ///
    /// # Errors
    /// AWS's own `AccessDeniedException` when no policy allows it.
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError>;
}

/// One call.
#[derive(Clone)]
pub struct Request {
    /// For protocols with `x-amz-target` or `Action=`, the operation's name; empty for REST protocols.
    pub operation: String,
    /// HTTP method.
    pub method: Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query string as sent, without `?`.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The caller.
    pub principal: Principal,
    /// Identifies this call in logs and answers.
    pub request_id: String,
    /// Where permissions are asked for.
    pub authorizer: Arc<dyn Authorizer>,
}

impl Request {
    /// Asks whether the caller may perform `action` on `resource`.
    ///
    /// # Errors
    /// `AccessDeniedException`.
    pub fn authorize(&self, action: &str, resource: &str) -> Result<(), AwsError> {
        self.authorizer.authorize(&self.principal, action, resource)
    }

    /// Decodes a JSON body; an empty body is an empty object. Fields that `T` does not know are refused by name when `T`
    /// denies unknown fields.
    ///
    /// # Errors
    /// `SerializationException` naming the JSON path that does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, AwsError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))
    }

    /// A query parameter, percent-decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            (key == name).then(|| percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
        })
    }

    /// A header's text, if present and printable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer with its whole body in memory.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers, `content-type` included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An answer of the given type.
    pub fn new(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut response = Self { status, headers: HeaderMap::new(), body: body.into() };
        response.set_header("content-type", content_type);
        response
    }

    /// 200 with a JSON body (of any of the JSON protocols).
    ///
    /// # Errors
    /// `InternalFailure` when the value cannot be serialised.
    pub fn json(value: &impl Serialize) -> Result<Self, AwsError> {
        let body = serde_json::to_vec(value).map_err(|error| AwsError::internal(error.to_string()))?;
        Ok(Self::new(StatusCode::OK, "application/x-amz-json-1.1", body))
    }

    /// Sets a header; a value that HTTP cannot carry is dropped.
    pub fn set_header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
    }
}

/// An AWS service on the home's port.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// How it talks; decides the shape of its errors.
    fn protocol(&self) -> crate::Protocol;

    /// Serves one call.
    async fn call(&self, request: Request) -> Result<Response, AwsError>;
}
