//! Executions that start executions.

use serde_json::{Value, json};

use crate::support::{Home, assert_well_formed, one, waiting_task};

fn start(child: &str, suffix: &str) -> Value {
    one(json!({
        "Type": "Task",
        "Resource": format!("arn:aws:states:::states:startExecution{suffix}"),
        "Parameters": {"StateMachineArn": child, "Name": "child", "Input": {"n.$": "$.n"}},
    }))
}

#[tokio::test]
async fn sync_waits_for_the_end_and_gets_text_or_json() {
    let home = Home::new();
    let child = home.machine("child", one(json!({"Type": "Pass"}))).await;
    for (name, suffix, expected) in [("sync", ".sync", json!("{\"n\":1}")), ("sync2", ".sync:2", json!({"n": 1}))] {
        let machine_child = home.machine(&format!("child-{name}"), one(json!({"Type": "Pass"}))).await;
        let machine = home.machine(name, start(&machine_child, suffix)).await;
        let arn = home.begin(&machine, json!({"n": 1})).await;
        let found = home.until(&arn, "SUCCEEDED").await;
        let output: Value = serde_json::from_str(found["output"].as_str().unwrap()).unwrap();
        assert_eq!(output["Output"], expected);
        assert_eq!(output["Status"], "SUCCEEDED");
        assert_eq!(output["Name"], "child");
        assert_eq!(output["StartDate"], 1_750_000_000_000_i64);
        assert_eq!(
            home.types(&arn).await[2..6],
            ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"].map(str::to_owned)
        );
        assert_well_formed(&home.history(&arn).await);
    }
    let machine = home.machine("plain", start(&child, "")).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    let found = home.until(&arn, "SUCCEEDED").await;
    let output: Value = serde_json::from_str(found["output"].as_str().unwrap()).unwrap();
    assert!(output["ExecutionArn"].as_str().unwrap().ends_with(":execution:child:child"));
    assert_eq!(output["StartDate"], "2025-06-15T15:06:40.000Z");
}

#[tokio::test]
async fn a_child_that_fails_fails_the_task() {
    let home = Home::new();
    let child = home.machine("child", one(json!({"Type": "Fail", "Error": "Inner", "Cause": "why"}))).await;
    let machine = home.machine("parent", start(&child, ".sync")).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    let found = home.until(&arn, "FAILED").await;
    assert_eq!(found["error"], "States.TaskFailed");
    let cause: Value = serde_json::from_str(found["cause"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&cause["Error"], &cause["Cause"], &cause["Status"]),
        (&json!("Inner"), &json!("why"), &json!("FAILED"))
    );
}

#[tokio::test]
async fn a_missing_machine_is_a_named_error() {
    let home = Home::new();
    let missing = "arn:aws:states:us-east-1:000000000000:stateMachine:none";
    let machine = home.machine("parent", start(missing, "")).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    let found = home.until(&arn, "FAILED").await;
    assert_eq!(found["error"], "StepFunctions.StateMachineDoesNotExistException");
    let expected = format!(
        "State Machine Does Not Exist: '{missing}' (Service: AWSStepFunctions; Status Code: 400; \
         Error Code: StateMachineDoesNotExist; Request ID: "
    );
    assert!(found["cause"].as_str().unwrap().starts_with(&expected), "{found}");
}

#[tokio::test]
async fn stopping_the_parent_stops_the_child() {
    let home = Home::new();
    let child = home.machine("child", one(waiting_task())).await;
    let machine = home.machine("parent", start(&child, ".sync")).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    home.called().await;
    home.event(&arn, "TaskSubmitted").await;
    home.ok("StopExecution", json!({"executionArn": arn})).await;
    home.until(&arn, "ABORTED").await;
    home.until("arn:aws:states:us-east-1:000000000000:execution:child:child", "ABORTED").await;
}

#[tokio::test]
async fn a_child_that_ends_while_the_process_is_down_is_joined() {
    let mut home = Home::new();
    let child = home.machine("child", one(waiting_task())).await;
    let machine = home.machine("parent", start(&child, ".sync:2")).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    let (_, payload) = home.called().await;
    home.event(&arn, "TaskSubmitted").await;
    home.restart().await;
    home.ok("SendTaskSuccess", json!({"taskToken": payload["token"], "output": "{\"ok\":1}"})).await;
    home.restart().await;
    let found = home.until(&arn, "SUCCEEDED").await;
    let output: Value = serde_json::from_str(found["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["Output"], json!({"ok": 1}));
}
