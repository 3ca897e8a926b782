//! What survives the end of the process.

use serde_json::json;

use crate::support::{Home, assert_well_formed, function_task, one, waiting_task};

#[tokio::test]
async fn a_function_call_under_way_is_made_again() {
    let mut home = Home::new();
    home.functions(|_, _| None);
    let machine = home.machine("calls", one(function_task("f"))).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    home.called().await;
    home.crash().await;
    home.functions(|_, input| Some(Ok(input)));
    home.start();
    assert_eq!(home.called().await.1, json!({"n": 1}));
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "{\"n\":1}");
    let history = home.history(&arn).await;
    assert_well_formed(&history);
    assert_eq!(history.iter().filter(|event| event["type"] == "LambdaFunctionScheduled").count(), 1);
}

#[tokio::test]
async fn a_task_that_was_handed_over_is_joined_and_not_sent_again() {
    let mut home = Home::new();
    let machine = home.machine("waits", one(waiting_task())).await;
    let arn = home.begin(&machine, json!({})).await;
    let (_, payload) = home.called().await;
    home.event(&arn, "TaskSubmitted").await;
    home.restart().await;
    home.ok("SendTaskSuccess", json!({"taskToken": payload["token"], "output": "\"joined\""})).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "\"joined\"");
    home.nothing_called().await;
}

#[tokio::test]
async fn many_waiting_executions_outlive_a_restart() {
    let mut home = Home::new();
    let machine = home.machine("waits", one(waiting_task())).await;
    let mut waiting = Vec::new();
    for n in 0..300 {
        let arn = home.begin(&machine, json!({"n": n})).await;
        waiting.push(arn);
    }
    let mut tokens = Vec::new();
    for _ in 0..waiting.len() {
        tokens.push(home.called().await.1);
    }
    for arn in &waiting {
        home.event(arn, "TaskSubmitted").await;
    }
    home.restart().await;
    for payload in tokens {
        let output = payload["input"]["n"].to_string();
        home.ok("SendTaskSuccess", json!({"taskToken": payload["token"], "output": output})).await;
    }
    for (n, arn) in waiting.iter().enumerate() {
        assert_eq!(home.until(arn, "SUCCEEDED").await["output"], n.to_string());
        assert_well_formed(&home.history(arn).await);
    }
}

#[tokio::test]
async fn a_redrive_outlives_a_crash() {
    let mut home = Home::new();
    home.functions(|_, _| Some(Err(json!({"errorType": "Broken", "errorMessage": "no"}))));
    let machine = home.machine("calls", one(function_task("f"))).await;
    let arn = home.begin(&machine, json!({})).await;
    home.until(&arn, "FAILED").await;
    home.called().await;
    home.functions(|_, _| None);
    home.ok("RedriveExecution", json!({"executionArn": arn})).await;
    home.called().await;
    home.crash().await;
    home.functions(|_, _| Some(Ok(json!("mended"))));
    home.start();
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "\"mended\"");
    assert_well_formed(&home.history(&arn).await);
}
