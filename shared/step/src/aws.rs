//! The SDK's configuration, and what its errors mean to the state machine.

use std::{error::Error, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use vodline_contracts::ErrorCode;

use crate::StepError;

/// For one try of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a call with all its tries.
const CALL_TIMEOUT: Duration = Duration::from_secs(25);
/// Tries per call; the SDK waits between them, exponentially and with jitter. More tries are the state machine's business.
const ATTEMPTS: u32 = 4;

/// Codes that mean "later", beyond those that come with a status of 5xx.
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
const THROTTLING_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];
/// Codes that mean "a policy is missing".
const DENIAL_CODES: &[&str] = &["AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedOperation"];

const TOO_MANY_REQUESTS: u16 = 429;
const FORBIDDEN: u16 = 403;

/// The configuration every client is made from. Endpoint, region and credentials come from the environment; bounds on time
/// and tries are ours.
pub async fn config() -> SdkConfig {
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .load()
        .await
}

/// What the line calls an error of a service that the step has no special meaning for.
fn classify(code: Option<&str>, status: Option<u16>) -> ErrorCode {
    match (code, status) {
        (Some(code), _) if THROTTLING_CODES.contains(&code) => ErrorCode::ServiceUnavailable,
        (Some(code), _) if DENIAL_CODES.contains(&code) => ErrorCode::AccessDenied,
        (_, Some(TOO_MANY_REQUESTS | 500..)) => ErrorCode::ServiceUnavailable,
        // An answer to HEAD has no body, hence no code.
        (None, Some(FORBIDDEN)) => ErrorCode::AccessDenied,
        _ => ErrorCode::Internal,
    }
}

/// Maps an error of a call to the line's: throttling, 5xx and timeouts are retryable, a denial is named as one, and anything
/// else is a defect, because a step handles the errors it expects before it comes here. `call` names service and operation,
/// such as `s3:HeadObject`.
pub fn service_error<E>(call: &str, error: SdkError<E, Response>) -> StepError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match &error {
        SdkError::ServiceError(_) => {
            let code = classify(error.code(), status);
            let name = error.code().map_or_else(|| format!("status {}", status.unwrap_or_default()), str::to_owned);
            let words = error.message().map_or_else(String::new, |message| format!(": {message}"));
            StepError::new(code, format!("{call} answered {name}{words}"))
        }
        SdkError::ConstructionFailure(_) => StepError::internal(format!("{call} could not be asked")),
        SdkError::TimeoutError(_) => StepError::new(ErrorCode::ServiceUnavailable, format!("{call} took too long")),
        _ => StepError::new(ErrorCode::ServiceUnavailable, format!("{call} did not answer")),
    }
    .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_errors_are_retryable_denied_or_defects() {
        let check = |code: Option<&str>, status: u16, expected: ErrorCode| {
            assert_eq!(classify(code, Some(status)), expected, "{code:?} {status}");
        };
        check(Some("ThrottlingException"), 400, ErrorCode::ServiceUnavailable);
        check(Some("TooManyRequestsException"), 429, ErrorCode::ServiceUnavailable);
        check(None, 429, ErrorCode::ServiceUnavailable);
        check(Some("InternalServerError"), 500, ErrorCode::ServiceUnavailable);
        check(None, 503, ErrorCode::ServiceUnavailable);
        check(Some("AccessDeniedException"), 400, ErrorCode::AccessDenied);
        check(Some("ForbiddenException"), 403, ErrorCode::AccessDenied);
        check(None, 403, ErrorCode::AccessDenied);
        check(Some("ValidationException"), 400, ErrorCode::Internal);
        check(None, 404, ErrorCode::Internal);
    }
}
