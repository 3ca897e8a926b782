//! One attempt, and what its outcome means for the delivery.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use vodline_core::{AwsError, Principal};

use super::Delivery;
use crate::{Events, Peers, rules::TargetKind};

/// Longer than any function may run (15 minutes): its own timeout comes first.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(16 * 60);
/// Starting an execution is a few writes.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// After these the first two failures of a function are tried again; the third is the last.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
const FUNCTION_RETRIES_AFTER: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// EventBridge backs off exponentially with jitter; it does not say from where to where.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The target has it.
    Delivered,
    /// It may help to try again.
    Unavailable(Failure),
    /// The function ran and failed.
    FunctionFailed(Failure),
    /// It would not help to try again.
    Refused(Failure),
}

/// An error as dead letters and logs tell of it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
}

impl Failure {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    pub(super) fn abnormal() -> Self {
        Self::new("InternalFailure", "the delivery ended abnormally; the home's log says why")
    }

    pub(super) fn no_such_queue() -> Self {
        Self::new("QueueDoesNotExist", "The specified queue does not exist.")
    }
}

/// What becomes of a delivery.
#[derive(Debug)]
pub(super) enum Next {
    Done,
    /// Try again after this long.
    Later(Duration),
    GiveUp {
        failure: Failure,
        /// The retry policy's limit that was reached, in AWS's words.
        exhausted: Option<&'static str>,
    },
}

/// The part of a function's error object that names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

impl Events {
    /// Hands an event to its target. Queues are not here: theirs is a matter of one transaction.
    pub(super) async fn attempt(&self, delivery: &Delivery) -> Outcome {
        let Some(peers) = self.peers.get() else {
            return Outcome::Unavailable(Failure::new(
                "ServiceUnavailable",
                "the home is still being plugged together",
            ));
        };
        if serde_json::from_str::<serde::de::IgnoredAny>(&delivery.payload).is_err() {
            return Outcome::Refused(Failure::new("SDK_CLIENT_ERROR", "the transformed input is not JSON"));
        }
        match TargetKind::of(&delivery.target_arn) {
            Some(TargetKind::Function) => invoke(peers, delivery).await,
            Some(TargetKind::StateMachine) => start(peers, delivery).await,
            Some(TargetKind::Queue) | None => {
                Outcome::Refused(Failure::new("RESOURCE_NOT_FOUND", "there is no such kind of target"))
            }
        }
    }

    /// Counts the outcome in and decides.
    pub(super) fn next(&self, delivery: &mut Delivery, outcome: Outcome) -> Next {
        match outcome {
            Outcome::Delivered => Next::Done,
            Outcome::Refused(failure) => {
                delivery.attempts += 1;
                Next::GiveUp { failure, exhausted: None }
            }
            Outcome::FunctionFailed(failure) => {
                delivery.function_errors += 1;
                match FUNCTION_RETRIES_AFTER.get(delivery.function_errors as usize - 1) {
                    Some(after) => self.later(delivery, *after, failure),
                    None => Next::GiveUp { failure, exhausted: Some("MaximumRetryAttempts") },
                }
            }
            Outcome::Unavailable(failure) => {
                delivery.attempts += 1;
                if delivery.attempts > delivery.retries_max {
                    return Next::GiveUp { failure, exhausted: Some("MaximumRetryAttempts") };
                }
                let after = backoff(delivery.attempts).mul_f64(self.entropy.unit());
                self.later(delivery, after, failure)
            }
        }
    }

    fn later(&self, delivery: &Delivery, after: Duration, failure: Failure) -> Next {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        if self.now_ms().saturating_add(after_ms) > delivery.expires_ms {
            return Next::GiveUp { failure, exhausted: Some("MaximumEventAge") };
        }
        tracing::info!(
            event_id = delivery.event_id,
            rule = delivery.rule_arn,
            target = delivery.target_arn,
            code = failure.code,
            message = failure.message,
            after_ms,
            "a delivery will be tried again"
        );
        Next::Later(after)
    }
}

/// The longest wait before this retry (from 1).
fn backoff(retry: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(retry.saturating_sub(1))).min(BACKOFF_MAX)
}

async fn invoke(peers: &Peers, delivery: &Delivery) -> Outcome {
    let payload = Bytes::copy_from_slice(delivery.payload.as_bytes());
    let invocation = peers.functions.invoke(&delivery.target_arn, payload);
    match tokio::time::timeout(FUNCTION_TIMEOUT, invocation).await {
        Err(_) => Outcome::Unavailable(Failure::new("RequestTimeout", "the function did not answer in time")),
        Ok(Err(error)) => outcome_of(error),
        Ok(Ok(invocation)) if invocation.function_error.is_none() => Outcome::Delivered,
        Ok(Ok(invocation)) => {
            let error = serde_json::from_slice(&invocation.payload).unwrap_or(FunctionError {
                error_type: String::new(),
                error_message: String::from_utf8_lossy(&invocation.payload).into_owned(),
            });
            let code = if error.error_type.is_empty() { "Unhandled" } else { &error.error_type };
            Outcome::FunctionFailed(Failure::new(code, error.error_message))
        }
    }
}

async fn start(peers: &Peers, delivery: &Delivery) -> Outcome {
    if let Some(role) = &delivery.role_arn {
        let principal = Principal::Role(role.clone());
        if let Err(denied) = peers.authorizer.authorize(&principal, "states:StartExecution", &delivery.target_arn) {
            return Outcome::Refused(Failure::new("NO_PERMISSIONS", denied.message));
        }
    }
    let start = peers.executions.start(&delivery.target_arn, None, &delivery.payload);
    match tokio::time::timeout(START_TIMEOUT, start).await {
        Err(_) => Outcome::Unavailable(Failure::new("RequestTimeout", "the execution did not start in time")),
        Ok(Err(error)) => outcome_of(error),
        Ok(Ok(_)) => Outcome::Delivered,
    }
}

/// EventBridge tries again what the target may take later: throttling and failures of the service.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>.
fn outcome_of(error: AwsError) -> Outcome {
    let throttled = error.status == http::StatusCode::TOO_MANY_REQUESTS
        || ["Throttl", "TooManyRequests", "LimitExceeded"].iter().any(|word| error.code.contains(word));
    let again = throttled || error.status.is_server_error();
    let failure = Failure { code: error.code, message: error.message };
    if again { Outcome::Unavailable(failure) } else { Outcome::Refused(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_to_a_bound() {
        let seconds: Vec<_> = [1, 2, 3, 8, 9, 10, 185].map(|retry| backoff(retry).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 128, 256, 300, 300]);
    }
}
