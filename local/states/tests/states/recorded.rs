//! The executions recorded on AWS that need no other service, through the API. Whether each equals its recording event by
//! event is `local/asl`'s to test; here it must end, as it ended on AWS, with a history that keeps the rules.

use std::path::Path;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Home, ROLE, assert_well_formed};

/// The share of recordings whose status must be AWS's.
const STATUS_PERCENT_MIN: usize = 96;

/// More than any of the recorded executions waits, in seconds.
const LONGEST_WAIT_S: i64 = 3_600;

#[tokio::test]
async fn recorded_executions_end_as_on_aws() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/asl-cases/cases.json");
    // The recordings lie beside the repository, where there are any.
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let home = Home::new();
    let (mut ran, mut equal) = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        if case["class"] != "selfcontained" || case["type"] != "STANDARD" {
            continue;
        }
        ran += 1;
        let create = json!({"name": format!("case-{number}"), "definition": case["definition"], "roleArn": ROLE});
        let Ok(machine) = home.call("CreateStateMachine", create).await else { continue };
        let start = json!({"stateMachineArn": machine["stateMachineArn"], "input": case["input"]});
        let Ok(started) = home.call("StartExecution", start).await else { continue };
        let arn = started["executionArn"].as_str().unwrap();
        // Waits and retries are over at once.
        let mut status = String::new();
        for _ in 0..1_000 {
            let found = home.ok("DescribeExecution", json!({"executionArn": arn})).await;
            found["status"].as_str().unwrap().clone_into(&mut status);
            if status != "RUNNING" {
                break;
            }
            home.clock.advance(SignedDuration::from_secs(LONGEST_WAIT_S));
            home.states().look_at_clock();
            tokio::task::yield_now().await;
        }
        assert_well_formed(&home.history(arn).await);
        let recorded = case["events"].as_array().unwrap().last().unwrap()["type"].as_str().unwrap();
        let expected = match recorded {
            "ExecutionSucceeded" => "SUCCEEDED",
            "ExecutionFailed" => "FAILED",
            "ExecutionTimedOut" => "TIMED_OUT",
            "ExecutionAborted" => "ABORTED",
            other => other,
        };
        equal += usize::from(status == expected);
    }
    assert!(equal * 100 >= ran * STATUS_PERCENT_MIN, "{equal} of {ran} recorded executions end as on AWS");
}
