//! Task tokens.

use serde_json::json;

use crate::support::{Home, assert_well_formed, one, waiting_task};

#[tokio::test]
async fn a_token_ends_its_task_once() {
    let home = Home::new();
    let machine = home.machine("waits", one(waiting_task())).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    let (_, payload) = home.called().await;
    let token = payload["token"].as_str().unwrap();
    home.event(&arn, "TaskSubmitted").await;
    home.ok("SendTaskHeartbeat", json!({"taskToken": token})).await;
    let success = json!({"taskToken": token, "output": "{\"done\":true}"});
    assert_eq!(home.ok("SendTaskSuccess", success.clone()).await, json!({}));
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "{\"done\":true}");
    let late = ("TaskTimedOut".to_owned(), "Task Timed Out: 'Provided task does not exist anymore'".to_owned());
    assert_eq!(home.err("SendTaskSuccess", success).await, late);
    assert_eq!(home.err("SendTaskHeartbeat", json!({"taskToken": token})).await, late);
    assert_eq!(
        home.types(&arn).await,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_well_formed(&home.history(&arn).await);
}

#[tokio::test]
async fn a_token_may_come_back_before_the_function_that_got_it() {
    let home = Home::new();
    home.functions(|_, _| None);
    let machine = home.machine("waits", one(waiting_task())).await;
    let arn = home.begin(&machine, json!({})).await;
    let (_, payload) = home.called().await;
    home.ok("SendTaskSuccess", json!({"taskToken": payload["token"], "output": "1"})).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "1");
}

#[tokio::test]
async fn a_failure_is_the_tasks_error() {
    let home = Home::new();
    let machine = home.machine("waits", one(waiting_task())).await;
    let arn = home.begin(&machine, json!({})).await;
    let (_, payload) = home.called().await;
    let failure = json!({"taskToken": payload["token"], "error": "Vod.TranscodeFailed", "cause": "1040"});
    home.ok("SendTaskFailure", failure).await;
    let found = home.until(&arn, "FAILED").await;
    assert_eq!((&found["error"], &found["cause"]), (&json!("Vod.TranscodeFailed"), &json!("1040")));
}

#[tokio::test]
async fn wrong_tokens_and_outputs_are_refused() {
    let home = Home::new();
    let machine = home.machine("waits", one(waiting_task())).await;
    let arn = home.begin(&machine, json!({})).await;
    let (_, payload) = home.called().await;
    let token = payload["token"].as_str().unwrap();
    let check = async |input: serde_json::Value, code: &str| {
        assert_eq!(home.err("SendTaskSuccess", input.clone()).await.0, code, "{input}");
    };
    check(json!({"taskToken": "made-up", "output": "1"}), "InvalidToken").await;
    check(json!({"taskToken": "", "output": "1"}), "ValidationException").await;
    check(json!({"taskToken": "x".repeat(2_049), "output": "1"}), "ValidationException").await;
    check(json!({"output": "1"}), "ValidationException").await;
    check(json!({"taskToken": token}), "ValidationException").await;
    check(json!({"taskToken": token, "output": "{"}), "InvalidOutput").await;
    home.until(&arn, "RUNNING").await;
}

#[tokio::test]
async fn a_missing_heartbeat_ends_the_wait() {
    let home = Home::new();
    let mut task = waiting_task();
    task["HeartbeatSeconds"] = json!(60);
    task["TimeoutSeconds"] = json!(600);
    let machine = home.machine("beats", one(task)).await;
    let arn = home.begin(&machine, json!({})).await;
    let (_, payload) = home.called().await;
    home.event(&arn, "TaskSubmitted").await;
    for _ in 0..3 {
        home.pass(50);
        home.ok("SendTaskHeartbeat", json!({"taskToken": payload["token"]})).await;
    }
    home.until(&arn, "RUNNING").await;
    home.pass(61);
    let found = home.until(&arn, "FAILED").await;
    assert_eq!(found["error"], "States.Timeout");
    assert_eq!(
        home.err("SendTaskSuccess", json!({"taskToken": payload["token"], "output": "1"})).await.0,
        "TaskTimedOut"
    );
}
