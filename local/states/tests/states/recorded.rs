//! The executions recorded on AWS that need no other service, through the API: each is created, started and read back, and
//! its status, its output and its whole history held against what AWS answered.
//!
//! What passes is written down in `tests/score/`; `UPDATE_SCORE=1 cargo test -p vodline-states recorded` writes it anew.
//! What does not is listed with its reason in `tests/unmatched.json`.

use std::path::Path;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    compare,
    score::Score,
    support::{Home, ROLE, assert_well_formed},
};

/// The aims, in percent of the cases.
/// Source: issue 3, "What must be true at the end".
const OUTPUT_PERCENT_MIN: usize = 96;
const HISTORY_PERCENT_MIN: usize = 90;

/// Steps of the clock that are enough for every recorded wait and retry, and how long they are.
const STEPS_MAX: usize = 10_000;
const STEP: SignedDuration = SignedDuration::from_secs(10);

#[tokio::test]
async fn recorded_executions_equal_those_of_aws() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/asl-cases/cases.json");
    // The recordings lie beside the repository, where there are any.
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let home = Home::new();
    let mut score = Score::new("executions");
    let (mut ran, mut outputs, mut histories) = (0, 0, 0);
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| case["class"] == "selfcontained") {
        let history = run(&home, number, case).await;
        let recorded = case["events"].as_array().unwrap();
        let measures = compare::executions(case["definition"].as_str().unwrap(), recorded, &history);
        ran += 1;
        outputs += usize::from(measures.output);
        histories += usize::from(measures.history);
        score.add("selfcontained", &format!("{}#{}", case["id"].as_str().unwrap(), case["i"]), measures);
    }
    score.hold();
    assert!(outputs * 100 >= ran * OUTPUT_PERCENT_MIN, "{outputs} of {ran} outputs are those of AWS");
    assert!(histories * 100 >= ran * HISTORY_PERCENT_MIN, "{histories} of {ran} histories are those of AWS");
}

/// Runs a case to its end; the history as a client reads it, nothing where the case is refused.
async fn run(home: &Home, number: usize, case: &Value) -> Vec<Value> {
    let create = json!({
        "name": format!("case-{number}"), "definition": case["definition"], "roleArn": ROLE, "type": case["type"],
    });
    let Ok(machine) = home.call("CreateStateMachine", create).await else { return Vec::new() };
    let start = json!({"stateMachineArn": machine["stateMachineArn"], "input": case["input"]});
    let Ok(started) = home.call("StartExecution", start).await else { return Vec::new() };
    let arn = started["executionArn"].as_str().unwrap();
    for _ in 0..STEPS_MAX {
        let found = home.ok("DescribeExecution", json!({"executionArn": arn})).await;
        if found["status"] != "RUNNING" {
            break;
        }
        home.clock.advance(STEP);
        home.states().look_at_clock();
        tokio::task::yield_now().await;
    }
    let history = home.history(arn).await;
    assert_well_formed(&history);
    history
}
