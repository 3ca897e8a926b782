//! Express executions.

use serde_json::json;

use crate::support::{Home, function_task, one};

#[tokio::test]
async fn a_synchronous_execution_answers_with_its_output() {
    let home = Home::new();
    let machine = home.machine_of("EXPRESS", "quick", one(function_task("f"))).await;
    let found =
        home.ok("StartSyncExecution", json!({"stateMachineArn": machine, "name": "n", "input": "{\"a\":1}"})).await;
    assert_eq!((&found["status"], &found["output"]), (&json!("SUCCEEDED"), &json!("{\"a\":1}")));
    assert!(found["executionArn"].as_str().unwrap().contains(":express:quick:n:"), "{found}");
    assert_eq!(found["billingDetails"], json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100}));
}

#[tokio::test]
async fn a_failure_is_an_answer_too() {
    let home = Home::new();
    let machine = home.machine_of("EXPRESS", "bad", one(json!({"Type": "Fail", "Error": "E", "Cause": "C"}))).await;
    let found = home.ok("StartSyncExecution", json!({"stateMachineArn": machine})).await;
    assert_eq!((&found["status"], &found["error"], &found["cause"]), (&json!("FAILED"), &json!("E"), &json!("C")));
}

#[tokio::test]
async fn branches_run_side_by_side_and_waits_pass() {
    let home = std::sync::Arc::new(Home::new());
    let branch = |name: &str, state: serde_json::Value| json!({"StartAt": name, "States": {name: state}});
    let mut call = function_task("f");
    call["End"] = json!(true);
    let parallel = json!({
        "Type": "Parallel",
        "Branches": [branch("Call", call), branch("Rest", json!({"Type": "Wait", "Seconds": 10, "End": true}))],
    });
    let machine = home.machine_of("EXPRESS", "both", one(parallel)).await;
    let running = {
        let (home, machine) = (std::sync::Arc::clone(&home), machine.clone());
        tokio::spawn(async move { home.ok("StartSyncExecution", json!({"stateMachineArn": machine})).await })
    };
    home.called().await;
    home.pass(10);
    let found = running.await.unwrap();
    assert_eq!(found["output"], "[{},{}]");
}

#[tokio::test]
async fn five_minutes_are_the_most() {
    let home = std::sync::Arc::new(Home::new());
    home.functions(|_, _| None);
    let machine = home.machine_of("EXPRESS", "slow", one(function_task("f"))).await;
    let running = {
        let (home, machine) = (std::sync::Arc::clone(&home), machine.clone());
        tokio::spawn(async move { home.ok("StartSyncExecution", json!({"stateMachineArn": machine})).await })
    };
    home.called().await;
    home.pass(300);
    let found = running.await.unwrap();
    assert_eq!((&found["status"], &found["error"]), (&json!("TIMED_OUT"), &json!("States.Timeout")));
}

#[tokio::test]
async fn an_asynchronous_execution_runs_and_leaves_nothing() {
    let home = Home::new();
    let machine = home.machine_of("EXPRESS", "quick", one(function_task("f"))).await;
    let arn = home.begin(&machine, json!({"a": 1})).await;
    assert_eq!(home.called().await.1, json!({"a": 1}));
    assert_eq!(home.err("DescribeExecution", json!({"executionArn": arn})).await.0, "InvalidArn");
    assert_eq!(home.err("ListExecutions", json!({"stateMachineArn": machine})).await.0, "StateMachineTypeNotSupported");
    let standard = home.machine("slow", one(json!({"Type": "Pass"}))).await;
    let refused = home.err("StartSyncExecution", json!({"stateMachineArn": standard})).await;
    assert_eq!(refused.0, "StateMachineTypeNotSupported");
}
