//! Whatever happens in whatever order, no execution is lost and every history keeps the rules.

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::support::{Home, assert_well_formed, function_task, waiting_task};

#[derive(Clone, Debug)]
enum Act {
    Start,
    Succeed(usize),
    Fail(usize),
    Beat(usize),
    Pass(u16),
    Crash,
    Stop(usize),
    Redrive(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Start),
        4 => any::<usize>().prop_map(Act::Succeed),
        2 => any::<usize>().prop_map(Act::Fail),
        1 => any::<usize>().prop_map(Act::Beat),
        3 => (1_u16..90).prop_map(Act::Pass),
        2 => Just(Act::Crash),
        1 => any::<usize>().prop_map(Act::Stop),
        2 => any::<usize>().prop_map(Act::Redrive),
    ]
}

/// Everything that waits for something outside: a token with a heartbeat and retries, a timer, a function, a map.
fn machine() -> Value {
    let mut token = waiting_task();
    token["HeartbeatSeconds"] = json!(60);
    token["Retry"] = json!([{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 5, "MaxAttempts": 2}]);
    token["End"] = json!(true);
    let mut function = function_task("sometimes");
    function["Next"] = json!("Rest");
    function["Catch"] = json!([{"ErrorEquals": ["Soft"], "Next": "Rest"}]);
    let mut each = function_task("each");
    each["End"] = json!(true);
    json!({
        "StartAt": "Both",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Next": "All",
                "Branches": [
                    {"StartAt": "Token", "States": {"Token": token}},
                    {"StartAt": "Function", "States": {
                        "Function": function,
                        "Rest": {"Type": "Wait", "Seconds": 10, "End": true},
                    }},
                ],
            },
            "All": {
                "Type": "Map",
                "ItemsPath": "$",
                "ItemProcessor": {"StartAt": "Each", "States": {"Each": each}},
                "End": true,
            },
        },
    })
}

async fn play(acts: Vec<Act>) {
    let mut home = Home::new();
    let count = std::sync::atomic::AtomicUsize::new(0);
    home.functions(move |function, input| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if function.ends_with("submit") {
            return Some(Ok(Value::Null));
        }
        match n % 7 {
            3 => Some(Err(json!({"errorType": "Soft", "errorMessage": ""}))),
            5 => Some(Err(json!({"errorType": "Hard", "errorMessage": ""}))),
            6 => None,
            _ => Some(Ok(input)),
        }
    });
    let machine = home.machine("mixed", machine()).await;
    let mut executions: Vec<String> = Vec::new();
    let mut tokens: Vec<Value> = Vec::new();
    for act in acts {
        while let Some((_, payload)) = home.try_called().await {
            if let Some(token) = payload.get("token") {
                tokens.push(token.clone());
            }
        }
        let token = |n: usize| tokens.get(n % tokens.len().max(1)).cloned().unwrap_or_else(|| json!("none"));
        let execution = |n: usize| executions.get(n % executions.len().max(1)).cloned();
        // Whether an act is allowed at this time is not the question: no answer may be a failure of the home.
        let answer = match act {
            Act::Start => {
                let arn = home.begin(&machine, json!({"n": executions.len()})).await;
                executions.push(arn);
                continue;
            }
            Act::Pass(seconds) => {
                home.pass(i64::from(seconds));
                continue;
            }
            Act::Crash => {
                home.restart().await;
                continue;
            }
            Act::Succeed(n) => home.call("SendTaskSuccess", json!({"taskToken": token(n), "output": "1"})).await,
            Act::Fail(n) => home.call("SendTaskFailure", json!({"taskToken": token(n), "error": "No"})).await,
            Act::Beat(n) => home.call("SendTaskHeartbeat", json!({"taskToken": token(n)})).await,
            Act::Stop(n) => match execution(n) {
                Some(arn) => home.call("StopExecution", json!({"executionArn": arn})).await,
                None => continue,
            },
            Act::Redrive(n) => match execution(n) {
                Some(arn) => home.call("RedriveExecution", json!({"executionArn": arn})).await,
                None => continue,
            },
        };
        if let Err(error) = answer {
            assert_eq!(error.status.as_u16(), 400, "{error}");
        }
        tokio::task::yield_now().await;
    }
    home.crash().await;
    home.open_idle();
    for arn in &executions {
        let found = home.ok("DescribeExecution", json!({"executionArn": arn})).await;
        let history = home.history(arn).await;
        assert_well_formed(&history);
        let last = history.last().unwrap()["type"].as_str().unwrap();
        let ended = matches!(last, "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut");
        assert_eq!(found["status"] != "RUNNING", ended, "{found} and {last}");
        let statuses = home.statuses(arn);
        assert_eq!(statuses.first().map(String::as_str), Some("RUNNING"));
        let status = found["status"].as_str();
        assert_eq!(statuses.last().map(String::as_str), status);
        for pair in statuses.windows(2) {
            assert_ne!(pair[0] == "RUNNING", pair[1] == "RUNNING", "{statuses:?}");
        }
    }
}

#[test]
fn nothing_is_lost_whatever_happens() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let acts = prop::collection::vec(act(), 1..40);
    TestRunner::new(config)
        .run(&acts, |acts| {
            runtime.block_on(play(acts));
            Ok(())
        })
        .unwrap();
}
