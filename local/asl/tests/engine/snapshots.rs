//! Executions that older versions of this crate stored go on under the present one.
//!
//! A file in `tests/snapshots` is never changed. When the form of an execution changes, the change adds a file:
//! `WRITE_SNAPSHOT=name cargo test -p vodline-asl --test engine snapshots`.

use std::path::PathBuf;

use serde_json::{Value, json};
use vodline_asl::{Event, Execution};

use crate::driver::{Driver, LAMBDA};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

/// A machine that has something of everything open after one failure: a backoff, a wait, tasks, items to come, a
/// Map Run, variables.
fn definition() -> Value {
    let task = |name: &str, fields: Value| {
        let mut task = json!({"Type": "Task", "Resource": format!("{LAMBDA}.waitForTaskToken"), "Parameters": {"in.$": "$", "t.$": "$$.Task.Token"}, "End": true});
        task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"StartAt": name, "States": {name: task}})
    };
    json!({"TimeoutSeconds": 3600, "StartAt": "V", "States": {
    "V": {"Type": "Pass", "Assign": {"v.$": "$[0]"}, "Next": "P"},
    "P": {"Type": "Parallel", "End": true, "Branches": [
        task("Retried", json!({"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 60}]})),
        task("Open", json!({"TimeoutSeconds": 600, "HeartbeatSeconds": 300, "ResultSelector": {"r.$": "$", "v.$": "$v"}})),
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 90, "End": true}}},
        {"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": task("Item", json!({})), "End": true}}},
        {"StartAt": "D", "States": {"D": {"Type": "Map", "Label": "L", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "X", "States": {"X": {"Type": "Pass", "End": true}}}}}},
    ]}}})
}

#[test]
fn every_stored_execution_goes_on() {
    if let Ok(name) = std::env::var("WRITE_SNAPSHOT") {
        let mut run = Driver::start(&definition(), &json!(["one", "two"]));
        run.fail("Retried", "E");
        run.succeed("Item", json!(1));
        let text = serde_json::to_string_pretty(&run.execution).unwrap();
        std::fs::write(folder().join(format!("{name}.json")), format!("{text}\n")).unwrap();
    }
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let execution: Execution = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        files += 1;
        let mut run = Driver::start(&definition(), &json!([]));
        run.execution = execution;
        let (map_run, _) = run.execution.pending_map_runs().next().expect("the Map Run");
        run.succeed("Item", json!(2));
        run.succeed("Open", json!("done"));
        run.wait();
        run.succeed("Retried", json!("again"));
        run.wait();
        let outcome = vodline_asl::MapRunOutcome::Succeeded { output: json!(["d"]).into() };
        run.send(Event::MapRunFinished { task: map_run, outcome });
        let expected = json!(["again", {"r": "done", "v": "one"}, ["one", "two"], [1, 2], ["d"]]);
        assert_eq!(run.output(), expected);
    }
    assert!(files > 0);
}
