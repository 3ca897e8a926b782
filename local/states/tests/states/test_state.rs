//! TestState: mocked, and really run.

use serde_json::{Value, json};

use crate::support::{Home, ROLE, function_task};

fn task() -> Value {
    let mut task = function_task("f");
    task["Next"] = json!("After");
    task["Retry"] = json!([{"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "MaxAttempts": 2}]);
    task["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]);
    task
}

#[tokio::test]
async fn a_task_without_a_mock_really_runs() {
    let home = Home::new();
    let test = json!({"definition": task().to_string(), "roleArn": ROLE, "input": "{\"n\":1}"});
    let found = home.ok("TestState", test.clone()).await;
    assert_eq!(found, json!({"status": "SUCCEEDED", "output": "{\"n\":1}", "nextState": "After"}));
    assert_eq!(home.called().await.1, json!({"n": 1}));
    home.functions(|_, _| Some(Err(json!({"errorType": "Busy", "errorMessage": "later"}))));
    let found = home.ok("TestState", test.clone()).await;
    assert_eq!((&found["status"], &found["error"]), (&json!("RETRIABLE"), &json!("Busy")));
    home.functions(|_, _| Some(Err(json!({"errorType": "Broken", "errorMessage": "no"}))));
    let found = home.ok("TestState", test).await;
    assert_eq!((&found["status"], &found["nextState"]), (&json!("CAUGHT_ERROR"), &json!("Failed")));
    let (code, message) = home.err("TestState", json!({"definition": task().to_string()})).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ValidationException", "RoleArn must be specified when testing a Task state")
    );
}

#[tokio::test]
async fn a_mock_stands_for_what_the_home_does_not_serve() {
    let home = Home::new();
    let definition = json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ec2:describeHosts", "Parameters": {}, "End": true});
    let test = json!({"definition": definition.to_string(), "roleArn": ROLE});
    assert_eq!(home.err("TestState", test.clone()).await.0, "InvalidDefinition");
    let mut mocked = test;
    mocked["mock"] = json!({"result": "{\"Hosts\":[]}"});
    assert_eq!(home.ok("TestState", mocked).await, json!({"status": "SUCCEEDED", "output": "{\"Hosts\":[]}"}));
    home.nothing_called().await;
}
