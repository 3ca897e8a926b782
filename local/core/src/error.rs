//! One error type for all services, rendered the way each AWS protocol renders errors.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::Response;

/// Whose fault it is; `Fault` in AWS's service models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's (4xx).
    Sender,
    /// Ours (5xx).
    Receiver,
}

/// How a service talks; decides what its errors look like on the wire.
/// Source: <https://smithy.io/2.0/aws/protocols/index.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `x-amz-target`, `application/x-amz-json-1.0` (Step Functions, DynamoDB).
    Json10,
    /// `x-amz-target`, `application/x-amz-json-1.1` (EventBridge, Secrets Manager, Logs).
    Json11,
    /// REST paths with JSON bodies (Lambda, MediaConvert, MediaPackage VOD).
    RestJson,
    /// REST paths with XML bodies (CloudFront).
    RestXml,
    /// `Action=` forms answered in XML (CloudFormation, STS).
    Query,
}

/// An error an AWS client understands.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// HTTP status.
    pub status: StatusCode,
    /// The error's shape name, such as `ExecutionDoesNotExist`.
    pub code: String,
    /// What a person reads.
    pub message: String,
    /// Further members of the error's shape, for JSON protocols.
    pub members: Option<Box<Map<String, Value>>>,
}

impl AwsError {
    /// An error of the caller's: 400 with the given code.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, code, message)
    }

    /// An error with a status of its own.
    pub fn with_status(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), members: None }
    }

    /// 404 with the given code.
    pub fn not_found(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::NOT_FOUND, code, message)
    }

    /// Our own failure: 500 `InternalFailure`.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", message)
    }

    /// The home does not serve this operation; says so by name (501 `NotImplemented`).
    #[must_use]
    pub fn unsupported_operation(service: &str, operation: &str) -> Self {
        Self::with_status(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("the local home does not support {service}:{operation}"),
        )
    }

    /// The home does not serve this field; `path` is its JSON path in the request.
    #[must_use]
    pub fn unsupported_field(service: &str, operation: &str, path: &str) -> Self {
        Self::with_status(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("the local home does not support {path} in {service}:{operation}"),
        )
    }

    /// AWS's refusal of an action that no policy allows (403).
    #[must_use]
    pub fn access_denied(principal: &str, action: &str, resource: &str) -> Self {
        Self::with_status(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            format!(
                "User: {principal} is not authorized to perform: {action} on resource: {resource} \
                 because no identity-based policy allows the {action} action"
            ),
        )
    }

    /// Adds a member to the error's shape.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Whose fault it is, by status.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        if self.status.is_server_error() { ErrorKind::Receiver } else { ErrorKind::Sender }
    }

    /// The error as `protocol` sends it.
    #[must_use]
    pub fn to_response(&self, protocol: Protocol, request_id: &str) -> Response {
        let mut response = match protocol {
            Protocol::Json10 | Protocol::Json11 => {
                let mut body = self.members.as_deref().cloned().unwrap_or_default();
                body.insert("__type".into(), json!(self.code));
                body.insert("message".into(), json!(self.message));
                let version = if protocol == Protocol::Json10 { "1.0" } else { "1.1" };
                Response::new(
                    self.status,
                    &format!("application/x-amz-json-{version}"),
                    Value::Object(body).to_string(),
                )
            }
            Protocol::RestJson => {
                let mut body = self.members.as_deref().cloned().unwrap_or_default();
                body.insert("message".into(), json!(self.message));
                Response::new(self.status, "application/json", Value::Object(body).to_string())
            }
            Protocol::RestXml | Protocol::Query => {
                let fault = if self.kind() == ErrorKind::Sender { "Sender" } else { "Receiver" };
                let body = format!(
                    "<ErrorResponse><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>{request_id}</RequestId></ErrorResponse>",
                    quick_xml::escape::escape(&self.code),
                    quick_xml::escape::escape(&self.message),
                );
                Response::new(self.status, "text/xml", Bytes::from(body))
            }
        };
        response.set_header("x-amzn-errortype", &self.code);
        response
    }
}

impl From<crate::StoreError> for AwsError {
    fn from(error: crate::StoreError) -> Self {
        tracing::error!(error = ?error, "the store failed");
        Self::internal("the home's store failed; its log says why")
    }
}
