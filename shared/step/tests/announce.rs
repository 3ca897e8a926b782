//! What EventBridge answers to an event, and what that means.
#![cfg(feature = "announce")]
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::unwrap_used, reason = "a test")]

use aws_sdk_eventbridge::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use serde_json::{Value, json};
use vodline_step::{
    ErrorCode,
    announce::{Announce, EventBridge},
};
use vodline_testing::http::{self, Answer, Asked};

fn bus(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> EventBridge {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
        .http_client(http::client(answer))
        .build();
    EventBridge::new(Client::from_conf(config))
}

#[tokio::test]
async fn an_event_is_sent_as_ours() {
    let bus = bus(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let entry = json!({ "Source": "vodline", "DetailType": "VideoReady", "Detail": "{\"a\":1}" });
        assert_eq!(body["Entries"], json!([entry]));
        Answer::ok(r#"{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}"#)
    });
    bus.announce("VideoReady", &json!({ "a": 1 })).await.unwrap();
}

#[tokio::test]
async fn an_entry_that_was_not_taken_is_an_error() {
    let bus = bus(|_| {
        Answer::ok(r#"{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "x"}]}"#)
    });
    let error = bus.announce("VideoReady", &json!({})).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServiceUnavailable);
}
