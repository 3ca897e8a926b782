//! Waits, timeouts and retries by the clock.

use serde_json::json;

use crate::support::{Home, function_task, one};

#[tokio::test]
async fn a_wait_ends_when_the_clock_says_so() {
    let home = Home::new();
    let machine = home.machine("waits", one(json!({"Type": "Wait", "Seconds": 30}))).await;
    let arn = home.begin(&machine, json!({})).await;
    home.pass(29);
    home.until(&arn, "RUNNING").await;
    home.pass(1);
    let found = home.until(&arn, "SUCCEEDED").await;
    assert_eq!(found["stopDate"], 1_750_000_030.0);
}

#[tokio::test]
async fn timers_outlive_a_crash_and_fire_late_ones_at_once() {
    let mut home = Home::new();
    let machine = home.machine("waits", one(json!({"Type": "Wait", "Seconds": 3600}))).await;
    let early = home.begin(&machine, json!({})).await;
    home.crash().await;
    home.clock.advance(jiff::SignedDuration::from_hours(2));
    home.start();
    home.until(&early, "SUCCEEDED").await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_times_out() {
    let home = Home::new();
    home.functions(|_, _| None);
    let mut task = function_task("slow");
    task["TimeoutSeconds"] = json!(5);
    let machine = home.machine("slow", one(task)).await;
    let arn = home.begin(&machine, json!({})).await;
    home.called().await;
    home.pass(5);
    assert_eq!(home.until(&arn, "FAILED").await["error"], "States.Timeout");
    assert!(home.types(&arn).await.contains(&"LambdaFunctionTimedOut".to_owned()));
}

#[tokio::test]
async fn a_machine_has_a_timeout_of_its_own() {
    let home = Home::new();
    let mut machine = one(json!({"Type": "Wait", "Seconds": 100}));
    machine["TimeoutSeconds"] = json!(10);
    let machine = home.machine("slow", machine).await;
    let arn = home.begin(&machine, json!({})).await;
    home.pass(10);
    home.until(&arn, "TIMED_OUT").await;
    assert_eq!(home.statuses(&arn), ["RUNNING", "TIMED_OUT"]);
}

#[tokio::test]
async fn a_retry_waits_its_interval() {
    let home = Home::new();
    home.functions(|_, _| Some(Err(json!({"errorType": "Busy", "errorMessage": "later"}))));
    let mut task = function_task("busy");
    task["Retry"] = json!([{"ErrorEquals": ["Busy"], "IntervalSeconds": 8, "MaxAttempts": 1}]);
    let machine = home.machine("busy", one(task)).await;
    let arn = home.begin(&machine, json!({})).await;
    home.called().await;
    home.event(&arn, "LambdaFunctionFailed").await;
    home.functions(|_, input| Some(Ok(input)));
    home.pass(7);
    home.until(&arn, "RUNNING").await;
    home.nothing_called().await;
    home.pass(1);
    home.until(&arn, "SUCCEEDED").await;
}
