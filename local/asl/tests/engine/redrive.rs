//! Redriving, sentence by sentence of
//! <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>.

use serde_json::{Value, json};
use vodline_asl::{Event, FailurePhase, UnixMillis};

use crate::driver::{Driver, LAMBDA};

fn task() -> Value {
    json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {"in.$": "$"}, "End": true})
}

fn then(mut state: Value, next: &str) -> Value {
    state.as_object_mut().unwrap().remove("End");
    state["Next"] = next.into();
    state
}

/// Redrives and answers the types of the new events.
fn redrive(run: &mut Driver) -> Vec<String> {
    let from = run.history.len();
    run.now = run.now.plus_seconds(60);
    run.send(Event::Redrive);
    run.types(from).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_failed_task_runs_again_with_its_input_and_what_succeeded_is_kept() {
    let definition =
        json!({"StartAt": "A", "States": {"A": then(task(), "B"), "B": then(task(), "C"), "C": {"Type": "Succeed"}}});
    let mut run = Driver::start(&definition, &json!({"k": 1}));
    run.succeed("A", json!({"from": "A"}));
    let input = run.tasks("B")[0].arguments.clone();
    run.fail("B", "E");
    assert_eq!(run.status(), "FAILED");
    let failed = run.history.len() as u64;
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "TaskScheduled"]);
    let redriven = &run.history[usize::try_from(failed).unwrap()];
    assert_eq!((redriven["id"].as_u64(), redriven["previousEventId"].as_u64()), (Some(failed + 1), Some(failed)));
    assert_eq!(redriven["executionRedrivenEventDetails"], json!({"redriveCount": 1}));
    assert_eq!(run.history.last().unwrap()["previousEventId"], failed + 1);
    assert_eq!(run.tasks("B")[0].arguments, input);
    assert_eq!((run.execution.redrive_count(), run.execution.redriven_at()), (1, Some(run.now)));
    run.succeed("B", json!(2));
    assert_eq!(run.output(), json!(2));
    assert_eq!(run.execution.redrivable(run.now), Err("Execution is SUCCEEDED and cannot be redriven"));
}

#[test]
fn the_context_object_counts_redrives() {
    let mut state = task();
    state["Parameters"] = json!({"count.$": "$$.Execution.RedriveCount"});
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": state}}), &json!({}));
    for count in 0..3 {
        assert_eq!(*run.tasks("A")[0].arguments.value(), json!({"count": count}));
        run.fail("A", "E");
        redrive(&mut run);
    }
}

#[test]
fn retries_start_over() {
    let mut state = task();
    state["Retry"] = json!([{"ErrorEquals": ["E"], "MaxAttempts": 1, "IntervalSeconds": 1}]);
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": state}}), &json!({}));
    for _ in 0..2 {
        run.fail("A", "E");
        run.wait();
        assert_eq!(run.status(), "RUNNING");
        run.fail("A", "E");
        assert_eq!(run.status(), "FAILED");
        redrive(&mut run);
        assert_eq!(run.tasks("A")[0].retry_count, 0);
    }
}

#[test]
fn a_fail_state_is_entered_again() {
    let definition =
        json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "F"}, "F": {"Type": "Fail", "Error": "E"}}});
    let mut run = Driver::start(&definition, &json!({}));
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "FailStateEntered", "ExecutionFailed"]);
    assert_eq!(run.status(), "FAILED");
}

#[test]
fn only_unsuccessful_branches_run_again() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task()}});
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [branch("A"), branch("B"), branch("C")], "End": true}}});
    let mut run = Driver::start(&definition, &json!({}));
    run.succeed("A", json!("a"));
    run.fail("B", "E");
    // C was aborted: it runs again, too.
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "TaskScheduled", "TaskScheduled"]);
    assert!(run.tasks("A").is_empty());
    run.succeed("C", json!("c"));
    run.succeed("B", json!("b"));
    assert_eq!(run.output(), json!(["a", "b", "c"]));
}

#[test]
fn only_unsuccessful_iterations_run_again() {
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "A", "States": {"A": task()}}, "End": true}}});
    let mut run = Driver::start(&definition, &json!([1, 2, 3]));
    run.succeed("A", json!("one"));
    run.fail("A", "E");
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "TaskScheduled"]);
    assert_eq!(*run.tasks("A")[0].arguments.value(), json!({"in": 2}));
    run.succeed("A", json!("two"));
    run.succeed("A", json!("three"));
    assert_eq!(run.output(), json!(["one", "two", "three"]));
}

#[test]
fn a_stopped_and_a_timed_out_execution_go_on() {
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let wait = json!({"Type": "Wait", "Seconds": 100, "End": true});
    let definition = json!({"TimeoutSeconds": 50, "StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [branch("A", task()), branch("W", wait)], "End": true}}});
    let mut run = Driver::start(&definition, &json!({}));
    run.send(Event::Stop { error: None, cause: None });
    redrive(&mut run);
    run.succeed("A", json!(1));
    // The machine's timeout starts over with each redrive.
    assert_eq!(run.timers()[0].0, 50_000);
    run.wait();
    assert_eq!(run.status(), "TIMED_OUT");
    redrive(&mut run);
    assert_eq!(run.timers().iter().map(|(left, _)| *left).collect::<Vec<_>>(), [50_000, 100_000]);
    assert!(run.tasks("A").is_empty());
}

#[test]
fn outputs_that_are_too_big_together_run_all_branches_again() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task()}});
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [branch("A"), branch("B")], "End": true}}});
    let mut run = Driver::start(&definition, &json!({}));
    let big = json!("x".repeat(200_000));
    run.succeed("A", big.clone());
    run.succeed("B", big);
    assert_eq!(run.history.last().unwrap()["executionFailedEventDetails"]["error"], "States.DataLimitExceeded");
    redrive(&mut run);
    run.succeed("A", json!(1));
    run.succeed("B", json!(2));
    assert_eq!(run.output(), json!([1, 2]));
}

#[test]
fn a_failure_inside_an_expression_can_be_redriven() {
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "A", "States": {"A": task()}},
        {"StartAt": "B", "States": {"B": then(task(), "X"), "X": {"Type": "Pass", "InputPath": "$.no", "End": true}}},
    ]}}});
    let mut run = Driver::start(&definition, &json!({}));
    run.succeed("B", json!({}));
    assert_eq!(run.status(), "FAILED");
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "TaskScheduled", "ExecutionFailed"]);
}

#[test]
fn says_why_it_cannot_be_redriven() {
    let check = |wait: u64, ends: bool, expected: Result<(), &'static str>| {
        let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": task()}}), &json!({}));
        if ends {
            let (task, phase) = (run.task("A"), FailurePhase::Run);
            run.send(Event::TaskFailed { task, phase, error: None, cause: None });
        }
        assert_eq!(run.execution.redrivable(run.now.plus_seconds(wait)), expected);
    };
    const DAY: u64 = 86_400;
    check(0, false, Err("Execution is RUNNING and cannot be redriven"));
    check(14 * DAY, true, Ok(()));
    check(14 * DAY + 1, true, Err("Execution redrivable period exceeded"));
    check(366 * DAY, true, Err("Execution has exceeded the max execution time"));
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": task()}}), &json!({}));
    run.fail("A", "E");
    run.now = UnixMillis(run.now.0 + 15 * 86_400_000);
    assert!(redrive(&mut run).is_empty());
}

/// "Reevaluates the Choice state rules."
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html#redrive-individual-state-behavior>,
/// as for the following ones.
#[test]
fn a_choice_is_made_again() {
    let choice = json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsString": true, "Next": "B"}]});
    let definition = json!({"StartAt": "A", "States": {"A": choice, "B": {"Type": "Succeed"}}});
    let mut run = Driver::start(&definition, &json!({"a": 1}));
    assert_eq!(run.status(), "FAILED");
    // It was entered before, and fails for the same reason.
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "ExecutionFailed"]);
    let causes: Vec<_> =
        run.history.iter().filter_map(|event| event["executionFailedEventDetails"].get("cause")).collect();
    assert_eq!((causes.len(), causes[0]), (2, causes[1]));
}

/// A timestamp in the past: "redrive causes the Wait state to be exited".
#[test]
fn a_wait_for_a_time_that_has_passed_is_over() {
    let wait = json!({"Type": "Wait", "Timestamp": "1970-01-01T01:00:00Z", "Next": "B"});
    let definition = json!({"StartAt": "A", "States": {"A": wait, "B": task()}});
    let mut run = Driver::start(&definition, &json!({}));
    run.send(Event::Stop { error: None, cause: None });
    run.now = run.now.plus_seconds(7_200);
    assert_eq!(redrive(&mut run), ["ExecutionRedriven"]);
    let at = run.now;
    let from = run.history.len();
    run.wait();
    assert_eq!(run.types(from), ["WaitStateExited", "TaskStateEntered", "TaskScheduled"]);
    assert_eq!(run.now, at);
}

/// "`TimeoutSeconds` for the state, if defined, is reset to 0."
#[test]
fn a_tasks_timeout_and_heartbeat_start_over() {
    let mut state = task();
    state["TimeoutSeconds"] = json!(30);
    state["HeartbeatSeconds"] = json!(20);
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": state}}), &json!({}));
    run.wait();
    assert_eq!(run.status(), "FAILED");
    assert_eq!(redrive(&mut run), ["ExecutionRedriven", "TaskScheduled"]);
    assert_eq!(run.timers().iter().map(|(left, _)| *left).collect::<Vec<_>>(), [20_000, 30_000]);
}

/// An inline Map that failed because of `States.DataLimitExceeded` is rerun, "including the iterations that were successful".
#[test]
fn outputs_of_iterations_that_are_too_big_together_run_all_of_them_again() {
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "A", "States": {"A": task()}}, "End": true}}});
    let mut run = Driver::start(&definition, &json!([1, 2]));
    for _ in 0..2 {
        run.succeed("A", json!("x".repeat(200_000)));
    }
    assert_eq!(run.history.last().unwrap()["executionFailedEventDetails"]["error"], "States.DataLimitExceeded");
    redrive(&mut run);
    for output in ["one", "two"] {
        run.succeed("A", json!(output));
    }
    assert_eq!(run.output(), json!(["one", "two"]));
}

/// "The retry attempt count for these states is reset to 0": Task, Parallel, and Map.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html#redrive-retry-behavior>.
#[test]
fn retries_of_a_parallel_and_a_map_start_over() {
    let retry = json!([{"ErrorEquals": ["E"], "MaxAttempts": 1, "IntervalSeconds": 1}]);
    let inner = json!({"StartAt": "A", "States": {"A": task()}});
    for state in [
        json!({"Type": "Parallel", "Branches": [inner], "Retry": retry, "End": true}),
        json!({"Type": "Map", "ItemProcessor": inner, "Retry": retry, "End": true}),
    ] {
        let mut run = Driver::start(&json!({"StartAt": "S", "States": {"S": state}}), &json!([1]));
        for _ in 0..3 {
            run.fail("A", "E");
            assert_eq!(run.status(), "RUNNING", "the retry");
            run.wait();
            run.fail("A", "E");
            assert_eq!(run.status(), "FAILED");
            redrive(&mut run);
        }
    }
}

/// "Doesn't redrive state machine executions that enter the Succeed state."
#[test]
fn what_succeeded_stays_so() {
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}), &json!({}));
    assert!(redrive(&mut run).is_empty());
    assert_eq!(run.status(), "SUCCEEDED");
}

/// Each redrive adds its event to the one history, and counts.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html#redrive-execution-examine>.
#[test]
fn redrives_are_counted_in_one_history() {
    let mut run = Driver::start(&json!({"StartAt": "A", "States": {"A": task()}}), &json!({}));
    for count in 1..=3 {
        run.fail("A", "E");
        redrive(&mut run);
        assert_eq!(run.execution.redrive_count(), count);
    }
    let redriven: Vec<_> = run.history.iter().filter(|event| event["type"] == "ExecutionRedriven").collect();
    let counts: Vec<_> = redriven.iter().map(|event| &event["executionRedrivenEventDetails"]["redriveCount"]).collect();
    assert_eq!(counts, [1, 2, 3]);
    assert!(run.history.iter().zip(1_u64..).all(|(event, id)| event["id"] == id));
}
