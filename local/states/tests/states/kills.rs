//! SIGKILL at random moments under load: what was acknowledged is there, and goes on.
//!
//! The victim is this test binary again, running [`victim`] alone. `VODLINE_KILLS` asks for more kills than a usual run makes.
#![expect(clippy::print_stdout, reason = "the victim tells the killer what was acknowledged")]

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::SignedDuration;
use serde_json::{Value, json};
use vodline_core::{Entropy, SeededEntropy};

use crate::support::{Home, assert_well_formed, function_task, one, waiting_task};

/// Tells the victim where its data are, and which start of it this is.
const DIRECTORY: &str = "VODLINE_STATES_VICTIM";
const ROUND: &str = "VODLINE_STATES_ROUND";

/// Kills in a usual run.
const KILLS: u64 = 20;

/// The victim is killed after at most this many acknowledgements.
const LINES_MAX: f64 = 60.0;

/// Clocks of one start of the victim begin this much later than those of the one before, in seconds: longer than a victim
/// lives, and two hundred of them are less than the ninety days that executions are kept.
const ROUND_S: i64 = 10_000;

/// Executions of a Distributed Map's children, and of the iterations of an inline one.
const ITEMS: u64 = 3;

/// A machine of every kind: what a crash may hit. Each ends well, however often it is interrupted.
fn machines() -> Vec<(&'static str, Value)> {
    let passes = json!({
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Pass", "End": true}},
    });
    let mut call = function_task("f");
    call["End"] = json!(true);
    let mut flaky = function_task("flaky");
    flaky["Retry"] =
        json!([{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 1_000}]);
    let items = Value::from_iter(0..ITEMS);
    let each = |config: Value| json!({"ProcessorConfig": config, "StartAt": "Each", "States": {"Each": call}});
    let inline = json!({
        "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": each(json!({"Mode": "INLINE"})),
    });
    let distributed = json!({
        "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "Label": "Items",
        "ItemProcessor": each(json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"})),
    });
    let with_items = |mut map: Value| {
        map["End"] = json!(true);
        json!({
            "StartAt": "Items",
            "States": {"Items": {"Type": "Pass", "Result": {"items": items}, "Next": "Map"}, "Map": map},
        })
    };
    let branch = |name: &str, state: &Value| json!({"StartAt": name, "States": {name: state}});
    let nested = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {
            "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:inner",
            "Input": {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"},
        },
    });
    vec![
        ("passes", passes),
        ("calls", one(function_task("f"))),
        ("waits", one(waiting_task())),
        ("sleeps", one(json!({"Type": "Wait", "Seconds": 5}))),
        ("forks", one(json!({"Type": "Parallel", "Branches": [branch("L", &call), branch("R", &call)]}))),
        ("retries", one(flaky)),
        ("iterates", with_items(inline)),
        ("spreads", with_items(distributed)),
        ("nests", one(nested)),
    ]
}

/// The machine that `nests` starts.
fn inner() -> Value {
    json!({
        "StartAt": "Rest",
        "States": {
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Call"},
            "Call": {"Type": "Task", "Resource": function_task("f")["Resource"], "End": true},
        },
    })
}

/// Of which machine an execution is.
fn machine_of(arn: &str) -> &str {
    arn.split(':').nth(6).unwrap()
}

fn count(history: &[Value], ending: &str) -> usize {
    history.iter().filter(|event| event["type"].as_str().unwrap().ends_with(ending)).count()
}

/// The process that is killed: starts executions for ever. Does nothing unless it is the victim.
#[tokio::test]
async fn victim() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let mut home = Home::at(PathBuf::from(directory), round);
    home.clock.advance(SignedDuration::from_secs(ROUND_S * i64::try_from(round).unwrap()));
    let calls = AtomicU64::new(0);
    home.functions(move |function, input| {
        if function.ends_with("submit") {
            println!("\ntoken {}", input["token"].as_str().unwrap());
        }
        if function.ends_with("flaky") && calls.fetch_add(1, Ordering::Relaxed) % 3 < 2 {
            return Some(Err(json!({"errorType": "Flaky", "errorMessage": "once more"})));
        }
        Some(Ok(input))
    });
    home.start();
    home.machine("inner", inner()).await;
    let mut arns = Vec::new();
    for (name, definition) in machines() {
        arns.push(home.machine(name, definition).await);
    }
    for n in 0.. {
        let arn = home.begin(&arns[n % arns.len()], json!({"n": n})).await;
        println!("\nstarted {arn}");
        home.pass(1);
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let kills = std::env::var("VODLINE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let random = SeededEntropy::new(kills);
    let mut started = Vec::new();
    let mut tokens = HashSet::new();
    for round in 0..kills {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::victim", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, (round + 1).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wanted = (random.unit() * LINES_MAX).ceil();
        let mut seen = 0.0;
        let mut killed = false;
        // What it wrote before it died is still to be read.
        for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(arn) = line.strip_prefix("started ") {
                started.push(arn.to_owned());
                seen += 1.0;
            }
            if let Some(token) = line.strip_prefix("token ") {
                tokens.insert(token.to_owned());
            }
            if seen >= wanted && !killed {
                victim.kill().unwrap();
                killed = true;
            }
        }
        victim.wait().unwrap();
        assert!(killed, "the victim ended by itself");
    }
    let mut home = Home::at(directory.path().to_owned(), kills + 1);
    home.clock.advance(SignedDuration::from_secs(ROUND_S * i64::try_from(kills + 1).unwrap()));
    home.start();
    // Tokens of tasks that the last victim had not handed over come now.
    for arn in started.iter().filter(|arn| machine_of(arn) == "waits") {
        home.event(arn, "TaskSubmitted").await;
    }
    while let Some((_, payload)) = home.try_called().await {
        tokens.extend(payload["token"].as_str().map(str::to_owned));
    }
    for token in &tokens {
        home.ok("SendTaskSuccess", json!({"taskToken": token, "output": "1"})).await;
    }
    for arn in &started {
        // What sleeps or retries goes on as time does.
        while home.ok("DescribeExecution", json!({"executionArn": arn})).await["status"] == "RUNNING" {
            home.pass(1);
            tokio::task::yield_now().await;
        }
        home.until(arn, "SUCCEEDED").await;
        check(&home, arn).await;
    }
    // Whoever nests started one execution, however often it was interrupted.
    let nested = started.iter().filter(|arn| machine_of(arn) == "nests").count();
    let machine = json!({"stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:inner"});
    let (mut inner, mut page) = (0, machine.clone());
    loop {
        let found = home.ok("ListExecutions", page).await;
        inner += found["executions"].as_array().unwrap().len();
        let Some(next) = found["nextToken"].as_str() else { break };
        page = machine.clone();
        page["nextToken"] = json!(next);
    }
    // A start that was never acknowledged may have been made all the same.
    let unacknowledged = usize::try_from(kills).unwrap();
    assert!((nested..=nested + unacknowledged).contains(&inner), "{inner} executions of {nested}");
}

/// Holds the history of an execution that succeeded against the rules, and counts how often its tasks ran.
async fn check(home: &Home, arn: &str) {
    let history = home.history(arn).await;
    assert_well_formed(&history);
    let scheduled = count(&history, "Scheduled");
    let items = usize::try_from(ITEMS).unwrap();
    let expected = match machine_of(arn) {
        "calls" | "waits" | "nests" => 1,
        "forks" => 2,
        "iterates" => items,
        "retries" => count(&history, "FunctionFailed") + 1,
        _ => 0,
    };
    assert_eq!(scheduled, expected, "{arn}");
    if machine_of(arn) == "spreads" {
        let runs = home.ok("ListMapRuns", json!({"executionArn": arn})).await;
        assert_eq!(runs["mapRuns"].as_array().unwrap().len(), 1, "{arn}");
        let children = home.ok("ListExecutions", json!({"mapRunArn": runs["mapRuns"][0]["mapRunArn"]})).await;
        let children = children["executions"].as_array().unwrap();
        assert_eq!(children.len(), items, "{arn}");
        for child in children {
            assert_eq!(child["status"], "SUCCEEDED", "{child}");
            let history = home.history(child["executionArn"].as_str().unwrap()).await;
            assert_well_formed(&history);
            assert_eq!(count(&history, "Scheduled"), 1, "{child}");
        }
    }
}
