//! The quotas: events in a history, bytes in a payload.

use serde_json::{Value, json};
use vodline_asl::Event;
use vodline_asl::limits::{HISTORY_EVENTS_MAX, PAYLOAD_BYTES_MAX, VARIABLE_BYTES_MAX};

use crate::driver::{Driver, LAMBDA};

const FULL: &str = "The execution reached the maximum number of history events (25000).";

fn assert_full(run: &Driver) {
    assert_eq!(run.history.len() as u64, HISTORY_EVENTS_MAX);
    let last = run.history.last().unwrap();
    assert_eq!((last["id"].as_u64(), &last["type"]), (Some(HISTORY_EVENTS_MAX), &json!("ExecutionFailed")));
    assert_eq!(last["executionFailedEventDetails"], json!({"error": "States.Runtime", "cause": FULL}));
    assert!(run.execution.pending().is_empty());
    assert_eq!(run.execution.redrivable(run.now), Err("Execution history event limit exceeded"));
}

#[test]
fn an_endless_loop_ends_with_its_history() {
    let definition =
        json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}});
    assert_full(&Driver::start(&definition, &json!({})));
}

#[test]
fn a_history_fills_up_between_branches_too() {
    let branch = json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}});
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [branch, {
        "StartAt": "T", "States": {"T": {"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "TimeoutSeconds": 999_999, "End": true}}}], "End": true}}});
    let mut run = Driver::start(&definition, &json!({}));
    while run.status() == "RUNNING" {
        run.wait();
    }
    assert_full(&run);
}

#[test]
fn an_event_from_outside_can_be_the_one_too_many() {
    let task = json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 1, "MaxAttempts": 99_999, "MaxDelaySeconds": 2}], "End": true});
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": task}}), &json!({}));
    loop {
        let task = run.task("A");
        run.send(Event::TaskStarted { task, worker: None });
        if run.status() != "RUNNING" {
            break;
        }
        run.fail("A", "E");
        if run.status() != "RUNNING" {
            break;
        }
        run.wait();
        if run.status() != "RUNNING" {
            break;
        }
    }
    assert_full(&run);
}

fn text_of(bytes: usize) -> Value {
    // The quotes count.
    json!("x".repeat(bytes - 2))
}

#[test]
fn a_result_may_have_so_many_bytes_and_no_more() {
    let task = json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "End": true});
    let definition = json!({"StartAt": "A", "States": {"A": task}});
    let mut run = Driver::start(&definition, &json!({}));
    run.succeed("A", text_of(PAYLOAD_BYTES_MAX));
    assert_eq!(run.status(), "SUCCEEDED");
    let mut run = Driver::start(&definition, &json!({}));
    run.succeed("A", text_of(PAYLOAD_BYTES_MAX + 1));
    assert_eq!(run.types(3), ["TaskFailed", "ExecutionFailed"]);
    let details = &run.history.last().unwrap()["executionFailedEventDetails"];
    assert_eq!(details["error"], "States.DataLimitExceeded");
    assert_eq!(
        details["cause"],
        "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit."
    );
}

#[test]
fn a_state_cannot_make_its_output_too_big() {
    let definition =
        json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": true}}});
    let run = Driver::start(&definition, &text_of(PAYLOAD_BYTES_MAX / 2));
    assert_eq!(run.status(), "FAILED");
    assert_eq!(run.history.last().unwrap()["executionFailedEventDetails"]["error"], "States.DataLimitExceeded");
}

#[test]
fn data_that_nests_deeper_each_round_comes_to_an_end() {
    let check = |definition: Value, input: Value| {
        let run = Driver::start(&definition, &input);
        assert_eq!(run.status(), "FAILED");
        let cause = run.history.last().unwrap()["executionFailedEventDetails"]["cause"].as_str().unwrap();
        assert!(cause.ends_with("The data nests deeper than 100 levels."), "{cause}");
        assert!(run.history.len() < 2_000);
    };
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass", "Next": "A"});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"StartAt": "A", "States": {"A": state}})
    };
    check(pass(json!({"Parameters": {"a.$": "$"}})), json!(1));
    check(pass(json!({"ResultPath": "$.a.b"})), json!({}));
    check(pass(json!({"QueryLanguage": "JSONata", "Output": "{% [[$states.input]] %}"})), json!({}));
    let start = json!({"Type": "Pass", "Assign": {"v": 1}, "Next": "B"});
    let grow = json!({"Type": "Pass", "Assign": {"v.$": "States.Array($v)"}, "Next": "B"});
    check(json!({"StartAt": "A", "States": {"A": start, "B": grow}}), json!({}));
    let processor = json!({"StartAt": "X", "States": {"X": {"Type": "Pass", "End": true}}});
    let map =
        json!({"Type": "Map", "ItemProcessor": processor, "ItemsPath": "$.l", "ResultPath": "$.l[0]", "Next": "A"});
    check(json!({"StartAt": "A", "States": {"A": map}}), json!({"l": [1]}));
    let parallel = json!({"Type": "Parallel", "Branches": [processor], "Next": "A"});
    check(json!({"StartAt": "A", "States": {"A": parallel}}), json!({}));
}

#[test]
fn variables_have_a_limit_together() {
    // Forty variables of 256 KiB are 10 MiB.
    let set =
        |i: u32| json!({"Type": "Pass", "Assign": {format!("v{i}.$"): "$"}, "Next": format!("S{}", (i + 1) % 41)});
    let states: serde_json::Map<String, Value> = (0..41).map(|i| (format!("S{i}"), set(i))).collect();
    let run = Driver::start(&json!({"StartAt": "S0", "States": states}), &text_of(VARIABLE_BYTES_MAX));
    assert_eq!(run.history.last().unwrap()["executionFailedEventDetails"]["error"], "States.DataLimitExceeded");
    assert_eq!(run.types(0).iter().filter(|name| **name == "PassStateExited").count(), 40);
}
