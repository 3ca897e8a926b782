//! Lambda functions: by ARN, and through `lambda:invoke`.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use vodline_asl::Payload;
use vodline_core::{AwsError, Invocation, Principal};

use super::{Answer, TaskError, optimised_error, with_sdk_metadata};
use crate::States;

/// A function's own limit is 900 s at most; a call that has not come back a while after that never will.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(960);

impl States {
    /// Runs the function that a `Resource` names: its output is the task's.
    pub(super) async fn run_function(
        &self,
        principal: &Principal,
        function_arn: &str,
        input: &Payload,
    ) -> Result<Answer, TaskError> {
        let payload = self.invoke_function(principal, function_arn, input.text().to_owned().into()).await?;
        Ok(Answer::from(result_of(&payload)))
    }

    /// `lambda:invoke`: the output is the API's answer.
    pub(super) async fn invoke(&self, principal: &Principal, arguments: &Value) -> Result<Answer, TaskError> {
        let mut function = None;
        let mut qualifier = None;
        let mut payload = Bytes::from_static(b"{}");
        for (name, value) in arguments.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("FunctionName", Value::String(name)) => function = Some(name.as_str()),
                ("Qualifier", Value::String(name)) => qualifier = Some(name.as_str()),
                ("Payload", value) => payload = value.to_string().into(),
                ("InvocationType", Value::String(kind)) if kind == "RequestResponse" => {}
                ("LogType", Value::String(kind)) if kind == "None" => {}
                (name, value) => return Err(TaskError::unsupported(&format!("{name}={value} in lambda:invoke"))),
            }
        }
        let Some(function) = function else {
            return Err(TaskError::new("Lambda.AWSLambdaException", "FunctionName must be given"));
        };
        let qualified = match qualifier {
            Some(qualifier) => format!("{function}:{qualifier}"),
            None => function.to_owned(),
        };
        let payload = self.invoke_function(principal, &qualified, payload).await?;
        let output = json!({
            "ExecutedVersion": qualifier.unwrap_or("$LATEST"),
            "Payload": result_of(&payload),
            "StatusCode": 200,
        });
        Ok(Answer::from(with_sdk_metadata(output, "application/json", payload.len())))
    }

    /// Invokes a function and returns its answer.
    async fn invoke_function(&self, principal: &Principal, function: &str, payload: Bytes) -> Result<Bytes, TaskError> {
        let arn = self.function_arn(function);
        self.config.authorizer.authorize(principal, "lambda:InvokeFunction", &arn).map_err(|e| api_error(&e))?;
        match tokio::time::timeout(INVOKE_TIMEOUT, self.config.functions.invoke(function, payload)).await {
            Ok(Ok(Invocation { payload, function_error: None })) => Ok(payload),
            Ok(Ok(Invocation { payload, function_error: Some(_) })) => Err(function_failed(&payload)),
            Ok(Err(error)) => Err(api_error(&error)),
            Err(_) => Err(TaskError::new(
                "Lambda.ClientExecutionTimeoutException",
                format!("no answer from {arn} in {} seconds", INVOKE_TIMEOUT.as_secs()),
            )),
        }
    }

    /// The ARN behind a function's name, partial ARN or ARN.
    fn function_arn(&self, function: &str) -> String {
        if function.starts_with("arn:") {
            return function.to_owned();
        }
        // A partial ARN is `account:function:name`.
        let name = function.split_once(":function:").map_or(function, |(_, name)| name);
        self.config.account.arn("lambda", &format!("function:{name}"))
    }
}

fn api_error(error: &AwsError) -> TaskError {
    optimised_error("Lambda", "AWSLambda", error)
}

/// What a function returned; text that is not JSON stays text.
fn result_of(payload: &[u8]) -> Value {
    if payload.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(payload).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(payload).into_owned()))
}

/// The error of a function that failed is the `errorType` it gave; its whole error object is the cause.
fn function_failed(payload: &[u8]) -> TaskError {
    let text = String::from_utf8_lossy(payload);
    let error_type = serde_json::from_slice::<Value>(payload)
        .ok()
        .and_then(|value| value.get("errorType").and_then(Value::as_str).map(str::to_owned));
    let mut failed = match error_type {
        Some(error) => TaskError::new(error, text),
        None => TaskError::new(
            "Lambda.Unknown",
            format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {text}"
            ),
        ),
    };
    failed.ran = true;
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_on_aws() {
        let failed = function_failed(br#"{"errorType":"Vod.UnsupportedSource","errorMessage":"no video"}"#);
        assert_eq!(failed.error, "Vod.UnsupportedSource");
        assert_eq!(failed.cause, r#"{"errorType":"Vod.UnsupportedSource","errorMessage":"no video"}"#);
        let unknown = function_failed(br#"{"errorMessage":"Task timed out after 3.00 seconds"}"#);
        assert_eq!(unknown.error, "Lambda.Unknown");
        assert!(unknown.cause.ends_with(r#"Returned payload: {"errorMessage":"Task timed out after 3.00 seconds"}"#));
        let missing = AwsError::not_found("ResourceNotFoundException", "Function not found: f");
        assert_eq!(api_error(&missing).error, "Lambda.ResourceNotFoundException");
        assert!(api_error(&missing).cause.starts_with("Function not found: f (Service: AWSLambda; Status Code: 404;"));
        let denied = AwsError::access_denied("me", "lambda:InvokeFunction", "f");
        assert_eq!(api_error(&denied).error, "Lambda.AWSLambdaException");
    }
}
