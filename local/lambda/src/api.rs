//! Lambda's API: invoking and reading. Functions are made by the template alone.
//! Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.

use async_trait::async_trait;
use axum::http::{Method, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use vodline_core::{AwsError, Protocol, Request, Response, Service};

use crate::{pool::Pool, service::Lambda};

/// The limit on a synchronous payload.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// The limit on an asynchronous payload.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

const FUNCTIONS: &str = "/2015-03-31/functions";

#[async_trait]
impl Service for Lambda {
    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let unsupported = || AwsError::unsupported_operation("lambda", &format!("{} {}", request.method, request.path));
        let rest = request.path.strip_prefix(FUNCTIONS).ok_or_else(unsupported)?.trim_matches('/').to_owned();
        let (name, what) = rest.split_once('/').unwrap_or((&rest, ""));
        let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
        match (&request.method, name.as_str(), what) {
            (&Method::GET, "", "") => {
                request.authorize("lambda:ListFunctions", "*")?;
                let functions: Vec<Value> = self.pools().iter().map(|pool| self.configuration(pool)).collect();
                Response::json(&json!({ "Functions": functions }))
            }
            (&Method::GET, name, "") => {
                let pool = self.pool(name)?;
                request.authorize("lambda:GetFunction", &pool.arn)?;
                Response::json(&json!({ "Configuration": self.configuration(&pool) }))
            }
            (&Method::GET, name, "configuration") => {
                let pool = self.pool(name)?;
                request.authorize("lambda:GetFunctionConfiguration", &pool.arn)?;
                Response::json(&self.configuration(&pool))
            }
            (&Method::POST, name, "invocations") => self.invoke_request(&request, name).await,
            _ => Err(unsupported()),
        }
    }
}

impl Lambda {
    async fn invoke_request(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let pool = self.pool(name)?;
        request.authorize("lambda:InvokeFunction", &pool.arn)?;
        let payload = if request.body.is_empty() { "{}".into() } else { request.body.clone() };
        let kind = request.header("x-amz-invocation-type").unwrap_or("RequestResponse");
        let limit = if kind == "Event" { EVENT_BYTES_MAX } else { PAYLOAD_BYTES_MAX };
        if payload.len() > limit {
            let message = format!(
                "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
                payload.len()
            );
            return Err(AwsError::with_status(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message));
        }
        if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
            let message = "Could not parse request body into json: the payload is no JSON";
            return Err(AwsError::bad_request("InvalidRequestContentException", message).member("Type", "User"));
        }
        match kind {
            "DryRun" => Ok(Response::new(StatusCode::NO_CONTENT, "application/json", "")),
            "Event" => {
                self.enqueue(&pool.spec.name, &payload)?;
                Ok(Response::new(StatusCode::ACCEPTED, "application/json", ""))
            }
            "RequestResponse" => {
                let outcome = Self::invoke_pool(pool, payload).await?;
                let mut response = Response::new(StatusCode::OK, "application/json", outcome.invocation.payload);
                response.set_header("x-amz-executed-version", "$LATEST");
                if let Some(error) = &outcome.invocation.function_error {
                    response.set_header("x-amz-function-error", error);
                }
                if request.header("x-amz-log-type") == Some("Tail") {
                    response.set_header("x-amz-log-result", &STANDARD.encode(outcome.report));
                }
                Ok(response)
            }
            other => {
                Err(AwsError::bad_request("InvalidParameterValueException", format!("no invocation type {other}")))
            }
        }
    }

    fn configuration(&self, pool: &Pool) -> Value {
        json!({
            "FunctionName": pool.spec.name,
            "FunctionArn": pool.arn,
            "Role": pool.spec.role_arn,
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Timeout": pool.spec.timeout.as_secs(),
            "MemorySize": pool.spec.memory_mb,
            "Version": "$LATEST",
            "PackageType": "Zip",
            "State": "Active",
            "LastUpdateStatus": "Successful",
        })
    }
}
