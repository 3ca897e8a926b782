//! What this crate's tests share.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::Value;
use vodline_core::{Authorizer, AwsError, Principal, Request, Service};

/// Allows the owner everything and a role what its list names, as `action resource`.
struct Allow(Vec<String>);

impl Authorizer for Allow {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if *principal == Principal::Root || self.0.contains(&format!("{action} {resource}")) {
            return Ok(());
        }
        Err(AwsError::access_denied(principal.arn(), action, resource))
    }
}

/// Calls a service as its owner.
pub(crate) async fn call(service: &dyn Service, operation: &str, body: Value) -> Result<Value, AwsError> {
    call_as(service, Principal::Root, &[], operation, body).await
}

/// Calls a service in a role that may do this much.
pub(crate) async fn call_allowed(
    service: &dyn Service,
    allowed: &[&str],
    operation: &str,
    body: Value,
) -> Result<Value, AwsError> {
    call_as(service, Principal::Role("arn:aws:iam::000000000000:role/r".into()), allowed, operation, body).await
}

async fn call_as(
    service: &dyn Service,
    principal: Principal,
    allowed: &[&str],
    operation: &str,
    body: Value,
) -> Result<Value, AwsError> {
    let request = Request {
        operation: operation.into(),
        method: Method::POST,
        path: "/".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        principal,
        request_id: "r-1".into(),
        authorizer: Arc::new(Allow(allowed.iter().map(ToString::to_string).collect())),
    };
    Ok(serde_json::from_slice(&service.call(request).await?.body).unwrap())
}
