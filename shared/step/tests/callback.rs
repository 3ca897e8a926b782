//! What Step Functions answers to a callback, and what that means.
#![cfg(feature = "callback")]
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::unwrap_used, reason = "a test")]

use aws_sdk_sfn::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use serde_json::{Value, json};
use vodline_step::{
    ErrorCode,
    callback::{Callback, Delivery, StepFunctions},
};
use vodline_testing::http::{self, Answer, Asked};

fn states(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> StepFunctions {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
        .retry_config(RetryConfig::disabled())
        .http_client(http::client(answer))
        .build();
    StepFunctions::new(Client::from_conf(config))
}

async fn check(status: u16, error: Option<&str>, expected: Result<Delivery, ErrorCode>) {
    let body = error.map_or_else(|| json!({}), |error| json!({ "__type": error, "message": "words" })).to_string();
    let states = states(move |_| Answer::status(status, body.clone()));
    let outcomes = [
        states.succeed("t", &json!({})).await,
        states.fail("t", ErrorCode::TranscodeFailed, "no").await,
        states.heartbeat("t").await,
    ];
    for outcome in outcomes {
        assert_eq!(outcome.map_err(|error| error.code()), expected, "{error:?}");
    }
}

#[tokio::test]
async fn a_task_that_is_over_is_no_error() {
    check(200, None, Ok(Delivery::Delivered)).await;
    check(400, Some("TaskTimedOut"), Ok(Delivery::NoOneWaits)).await;
    check(400, Some("TaskDoesNotExist"), Ok(Delivery::NoOneWaits)).await;
    check(400, Some("InvalidToken"), Ok(Delivery::NoOneWaits)).await;
    check(400, Some("ThrottlingException"), Err(ErrorCode::ServiceUnavailable)).await;
    check(400, Some("AccessDeniedException"), Err(ErrorCode::AccessDenied)).await;
    check(400, Some("InvalidOutput"), Err(ErrorCode::Internal)).await;
    check(503, None, Err(ErrorCode::ServiceUnavailable)).await;
}

#[tokio::test]
async fn a_failure_has_the_errors_name_and_no_more_words_than_fit() {
    let states = states(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!((body["error"].as_str(), body["taskToken"].as_str()), (Some("Vod.PackagingFailed"), Some("t")));
        assert_eq!(body["cause"].as_str().unwrap().chars().count(), 32_768);
        Answer::ok("{}")
    });
    states.fail("t", ErrorCode::PackagingFailed, &"é".repeat(40_000)).await.unwrap();
}
