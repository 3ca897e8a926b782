//! The Lambda runtime around a handler.

use std::{
    error::Error,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use futures::FutureExt;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::Instrument;
use vodline_contracts::ErrorCode;

use crate::{StepError, metrics::Invocation};

/// Why the function did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its context could not be made: a variable is missing, say.
    #[error("the function cannot start")]
    Context(#[source] Box<dyn Error + Send + Sync>),
    /// Lambda's runtime API failed.
    #[error("the Lambda runtime stopped")]
    Runtime(#[source] lambda_runtime::Error),
}

/// Runs a Lambda function: makes its context once, then calls `handle` with every event, decoded.
///
/// An event that does not decode is [`ErrorCode::ContractViolation`] with its JSON path, and a panic is
/// [`ErrorCode::Internal`]: the state machine always sees a name it knows.
///
/// # Errors
/// When the context cannot be made, or the runtime API fails; the process should end then.
pub async fn start<I, O, C, E>(
    load: impl AsyncFnOnce() -> Result<C, E>,
    handle: impl AsyncFn(I, &C) -> Result<O, StepError>,
) -> Result<(), StartError>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    lambda_runtime::tracing::init_default_subscriber();
    let context = load().await.map_err(|error| {
        let error = error.into();
        tracing::error!(%error, "the function cannot start");
        StartError::Context(error)
    })?;
    let (context, handle) = (&context, &handle);
    let cold = AtomicBool::new(true);
    let cold = &cold;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let cold_start = cold.swap(false, Ordering::Relaxed);
        invoke(event, cold_start, async |input| {
            // Boxed and its type forgotten: with the SDK's futures inside, the compiler would go too deep otherwise.
            let handled: Pin<Box<dyn Future<Output = Result<O, StepError>> + '_>> = Box::pin(handle(input, context));
            handled.await
        })
        .await
    }))
    .await
    .map_err(StartError::Runtime)
}

/// One invocation: decode, run, log, measure.
async fn invoke<I, O>(
    event: LambdaEvent<Value>,
    cold_start: bool,
    handle: impl AsyncFnOnce(I) -> Result<O, StepError>,
) -> Result<Value, Diagnostic>
where
    I: DeserializeOwned,
    O: Serialize,
{
    let function = event.context.env_config.function_name.clone();
    let span = invocation_span(&event.payload, cold_start);
    async {
        let began = Instant::now();
        let outcome = AssertUnwindSafe(run(event.payload, handle))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(StepError::internal("the step panicked; its log has the place")));
        let failure = outcome.as_ref().err().map(StepError::code);
        Invocation { function: &function, ended: Timestamp::now(), duration: began.elapsed(), failure }.emit();
        outcome.map_err(|error| {
            tracing::error!(code = error.code().name(), causes = error.causes(), "{error}");
            Diagnostic::from(error)
        })
    }
    .instrument(span)
    .await
}

async fn run<I, O>(payload: Value, handle: impl AsyncFnOnce(I) -> Result<O, StepError>) -> Result<Value, StepError>
where
    I: DeserializeOwned,
    O: Serialize,
{
    let output = handle(decode(payload)?).await?;
    serde_json::to_value(output).map_err(|error| StepError::internal("the step's output is not JSON").caused_by(error))
}

fn decode<I: DeserializeOwned>(payload: Value) -> Result<I, StepError> {
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let path = error.path().to_string();
        StepError::new(ErrorCode::ContractViolation, format!("at {path}: {}", error.inner()))
    })
}

/// What joins a line of the log to the video and the run, wherever the event has it.
fn invocation_span(payload: &Value, cold_start: bool) -> tracing::Span {
    let text = |pointers: &[&str]| pointers.iter().find_map(|pointer| payload.pointer(pointer)?.as_str());
    let attempt = payload.pointer("/run/retryCount").and_then(Value::as_u64);
    tracing::info_span!(
        "step",
        videoId = text(&["/videoId", "/detail/userMetadata/videoId", "/pathParameters/videoId"]),
        execution = text(&["/run/executionArn", "/detail/executionArn"]),
        state = text(&["/run/state"]),
        attempt,
        coldStart = cold_start,
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        sizes: Vec<u32>,
    }

    async fn check(payload: Value, expected: Result<Value, (&str, &str)>) {
        let event = LambdaEvent::new(payload, lambda_runtime::Context::default());
        let outcome = invoke(event, true, async |input: Input| match input.sizes.as_slice() {
            [] => Err(StepError::new(ErrorCode::UnsupportedSource, "nothing there")),
            [0] => panic!("zero"),
            sizes => Ok(sizes.iter().sum::<u32>()),
        })
        .await;
        let expected = expected.map_err(|(error_type, error_message)| Diagnostic {
            error_type: error_type.to_owned(),
            error_message: error_message.to_owned(),
        });
        assert_eq!(outcome, expected);
    }

    #[tokio::test]
    async fn an_invocation_ends_in_an_output_or_in_a_name_the_machine_knows() {
        let json = |text| serde_json::from_str(text).expect("JSON");
        check(json(r#"{"sizes": [1, 2]}"#), Ok(3.into())).await;
        check(json(r#"{"sizes": []}"#), Err(("Vod.UnsupportedSource", "nothing there"))).await;
        check(
            json(r#"{"sizes": [1, "two"]}"#),
            Err(("Vod.ContractViolation", r#"at sizes[1]: invalid type: string "two", expected u32"#)),
        )
        .await;
        check(
            json(r#"{"sizes": [1], "more": 1}"#),
            Err(("Vod.ContractViolation", "at more: unknown field `more`, expected `sizes`")),
        )
        .await;
        check(
            json("[]"),
            Err(("Vod.ContractViolation", "at .: invalid length 0, expected struct Input with 1 element")),
        )
        .await;
        check(json(r#"{"sizes": [0]}"#), Err(("Vod.Internal", "the step panicked; its log has the place"))).await;
    }
}
