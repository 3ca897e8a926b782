//! Timeouts, heartbeats, backoff, stopping, answers that come late.

use serde_json::{Value, json};
use vodline_asl::{Command, Event, FailurePhase, TaskProgress, TimerId};

use crate::driver::{Driver, LAMBDA};

fn one_task(fields: Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "End": true});
    task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "A", "States": {"A": task}})
}

fn callback(fields: Value) -> Value {
    let mut definition = one_task(fields);
    definition["States"]["A"]["Resource"] = format!("{LAMBDA}.waitForTaskToken").into();
    definition["States"]["A"]["Parameters"] = json!({"t.$": "$$.Task.Token"});
    definition
}

#[test]
fn backoff_grows_to_its_limit() {
    let retry = json!({"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 4, "MaxDelaySeconds": 20}]});
    let mut run = Driver::start(&one_task(retry), &json!({}));
    let mut delays = Vec::new();
    for _ in 0..4 {
        run.fail("A", "E");
        delays.push(run.timers()[0].0);
        run.wait();
    }
    assert_eq!(delays, [2_000, 6_000, 18_000, 20_000]);
    assert_eq!(run.tasks("A")[0].retry_count, 4);
    run.fail("A", "E");
    assert_eq!(run.status(), "FAILED");
}

#[test]
fn full_jitter_stays_below_the_backoff() {
    let retry = json!({"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 100, "MaxAttempts": 50, "BackoffRate": 1, "JitterStrategy": "FULL"}]});
    let mut run = Driver::start(&one_task(retry), &json!({}));
    let mut delays = Vec::new();
    for _ in 0..50 {
        run.fail("A", "E");
        delays.push(run.timers()[0].0);
        run.wait();
    }
    assert!(delays.iter().all(|delay| (0..100_000).contains(delay)));
    assert!(delays.iter().any(|delay| *delay < 30_000) && delays.iter().any(|delay| *delay > 70_000));
}

#[test]
fn a_timeout_of_zero_attempts_is_final() {
    let mut run = Driver::start(&one_task(json!({"TimeoutSeconds": 5})), &json!({}));
    let commands = run.wait();
    assert!(commands.iter().any(|command| matches!(command, Command::CancelTask { .. })));
    assert_eq!(run.types(2), ["TaskScheduled", "TaskTimedOut", "ExecutionFailed"]);
    assert_eq!(run.history.last().unwrap()["executionFailedEventDetails"], json!({"error": "States.Timeout"}));
}

#[test]
fn a_heartbeat_starts_its_timer_over() {
    let mut run = Driver::start(&callback(json!({"HeartbeatSeconds": 10, "TimeoutSeconds": 60})), &json!({}));
    run.now = run.now.plus_seconds(9);
    let (_, timer) = run.timers()[0];
    let moved = run.send(Event::TaskHeartbeat { task: run.task("A") });
    assert_eq!(moved, [Command::SetTimer { timer, at: run.now.plus_seconds(10) }]);
    // The timer may have gone off meanwhile.
    assert_eq!(run.send(Event::TimerFired { timer }), moved);
    assert_eq!(run.timers().iter().map(|(left, _)| *left).collect::<Vec<_>>(), [10_000, 51_000]);
    run.wait();
    assert_eq!(run.status(), "FAILED");
    assert_eq!(run.types(0).iter().filter(|name| **name == "TaskTimedOut").count(), 1);
}

#[test]
fn answers_that_come_late_or_twice_change_nothing() {
    let mut run =
        Driver::start(&callback(json!({"TimeoutSeconds": 5, "Retry": [{"ErrorEquals": ["States.ALL"]}]})), &json!({}));
    let (task, token) = (run.task("A"), run.tasks("A")[0].token.clone().unwrap());
    assert_eq!(run.execution.task_of_token(&token), Some(task));
    run.send(Event::TaskStarted { task, worker: None });
    assert!(run.send(Event::TaskStarted { task, worker: None }).is_empty());
    run.send(Event::TaskSubmitted { task, output: json!({}).into() });
    assert_eq!(run.execution.task_progress(task), Some(TaskProgress::Submitted));
    assert_eq!(run.types(2), ["TaskScheduled", "TaskStarted", "TaskSubmitted"]);
    run.wait();
    run.wait();
    let events = run.history.len();
    let stale = [
        Event::Start,
        Event::TaskStarted { task, worker: None },
        Event::TaskHeartbeat { task },
        Event::TaskSucceeded { task, output: json!(1).into() },
        Event::TaskFailed { task, phase: FailurePhase::Run, error: None, cause: None },
        Event::TaskTimedOut { task, error: None, cause: None },
        Event::TimerFired { timer: TimerId(999) },
        Event::Redrive,
    ];
    for event in stale {
        let before = run.execution.clone();
        assert!(run.send(event).is_empty());
        assert_eq!(run.execution, before);
    }
    assert_eq!(run.history.len(), events);
    let next = run.tasks("A")[0].token.clone().unwrap();
    assert_ne!(next, token);
    assert_eq!(run.execution.task_of_token(&token), None);
}

#[test]
fn a_machine_runs_out_of_time() {
    let mut definition = json!({"TimeoutSeconds": 30, "StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}},
        {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "End": true}}},
    ]}}});
    let mut run = Driver::start(&definition, &json!({}));
    assert_eq!(run.timers()[0].0, 30_000);
    let commands = run.wait();
    assert_eq!(run.status(), "TIMED_OUT");
    assert!(matches!(commands.last(), Some(Command::Finish(_))));
    let last = run.history.last().unwrap();
    assert_eq!(last["previousEventId"], run.history.len() as u64 - 1);
    assert_eq!(last["executionTimedOutEventDetails"], json!({"error": "States.Timeout"}));
    assert!(run.execution.pending().is_empty());
    // Without its own limit it ends with its branches.
    definition.as_object_mut().unwrap().remove("TimeoutSeconds");
    let mut run = Driver::start(&definition, &json!({}));
    run.succeed("T", json!(1));
    run.wait();
    assert_eq!(run.output(), json!([{}, 1]));
}

#[test]
fn a_user_stops_it() {
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor":
        {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "TimeoutSeconds": 9, "End": true}}}, "End": true}}});
    let mut run = Driver::start(&definition, &json!([1, 2]));
    let events = run.history.len();
    run.send(Event::Stop { error: Some("Enough".to_owned()), cause: None });
    assert_eq!(run.status(), "ABORTED");
    assert_eq!(
        run.types(events),
        [
            "TaskStateAborted",
            "MapIterationAborted",
            "TaskStateAborted",
            "MapIterationAborted",
            "MapStateAborted",
            "ExecutionAborted"
        ]
    );
    assert_eq!(run.history.last().unwrap()["executionAbortedEventDetails"], json!({"error": "Enough"}));
    assert!(run.execution.pending().is_empty());
    assert!(run.send(Event::Stop { error: None, cause: None }).is_empty());
}

#[test]
fn a_failing_branch_takes_back_what_its_siblings_wait_for() {
    let task = json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {}, "TimeoutSeconds": 9, "End": true});
    let inner = json!({"Type": "Parallel", "Branches": [{"StartAt": "C", "States": {"C": task}}], "End": true});
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": task}}, {"StartAt": "B", "States": {"B": inner}}],
              "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 1}], "End": true}}});
    let mut run = Driver::start(&definition, &json!({}));
    let commands = run.fail("A", "E");
    assert_eq!(commands.iter().filter(|command| matches!(command, Command::CancelTask { .. })).count(), 1);
    assert_eq!(run.execution.pending().len(), 1, "the backoff");
    run.wait();
    run.succeed("A", json!(1));
    run.succeed("C", json!(2));
    assert_eq!(run.output(), json!([1, [2]]));
}

#[test]
fn a_selector_that_fails_takes_back_what_iterations_wait_for() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1,
        "ItemSelector": "{% $states.context.Map.Item.Value.v %}",
        "ItemProcessor": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}], "End": true}, "Z": {"Type": "Succeed"}}});
    let mut definition_of_two = definition.clone();
    definition_of_two["States"]["M"]["MaxConcurrency"] = 2.into();
    for definition in [definition, definition_of_two] {
        let mut run = Driver::start(&definition, &json!([{"v": 1}, {}]));
        if run.status() == "RUNNING" {
            run.wait();
        }
        assert_eq!(run.status(), "SUCCEEDED");
        assert!(run.execution.pending().is_empty());
    }
}
