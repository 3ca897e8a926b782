//! Loads a Step Functions endpoint and prints one figure; used by `cargo xtask bench states`.
//! Usage: `states_load ENDPOINT passes|lambda|waiting COUNT`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool; it may panic and must print")]

use std::time::{Duration, Instant};

use aws_sdk_sfn::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    types::ExecutionStatus,
};
use futures::StreamExt;
use serde_json::{Value, json};

/// States of the machine.
const STATES: usize = 10;
/// Requests under way at once.
const CLIENTS: usize = 16;
/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn definition() -> String {
    let name = |index: usize| format!("Pass{index}");
    let states: serde_json::Map<String, Value> = (0..STATES)
        .map(|index| {
            let state = match index + 1 {
                STATES => json!({ "Type": "Pass", "End": true }),
                next => json!({ "Type": "Pass", "Next": name(next) }),
            };
            (name(index), state)
        })
        .collect();
    json!({ "StartAt": name(0), "States": states }).to_string()
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (endpoint, what, count) = (&arguments[0], arguments[1].as_str(), arguments[2].parse::<usize>().unwrap());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("vodline", "vodline-local", None, None, "bench"))
        .retry_config(RetryConfig::standard())
        .build();
    let client = Client::from_conf(config);
    match what {
        "passes" => passes(&client, count).await,
        "lambda" => lambda(&client, count).await,
        "waiting" => waiting(&client, count).await,
        other => panic!("{other} is none of passes, lambda, waiting"),
    }
}

async fn machine(client: &Client, role_arn: &str, definition: String) -> String {
    let name = format!("bench-{}", std::process::id());
    let created = client.create_state_machine().name(name).role_arn(role_arn).definition(definition).send().await;
    created.unwrap().state_machine_arn
}

async fn start_all(client: &Client, arn: &str, count: usize) {
    futures::stream::iter(0..count)
        .for_each_concurrent(CLIENTS, |_| async {
            client.start_execution().state_machine_arn(arn).input("{}").send().await.unwrap();
        })
        .await;
}

/// Prints states per second of `count` executions of the ten Pass states.
async fn passes(client: &Client, count: usize) {
    let arn = machine(client, "arn:aws:iam::000000000000:role/bench", definition()).await;
    let began = Instant::now();
    start_all(client, &arn, count).await;
    while running(client, &arn).await {
        assert!(began.elapsed() < PATIENCE, "executions are still running");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let states = (count * STATES) as f64;
    println!("{:.0}", states / began.elapsed().as_secs_f64());
}

/// Prints the median milliseconds, from start to stop, of an execution that is one Lambda task. The function refuses its
/// input at once, so that nearly all of it is what the task costs.
async fn lambda(client: &Client, count: usize) {
    let definition = json!({
        "StartAt": "Invoke",
        "States": {
            "Invoke": {
                "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:vodline-admit-upload",
                "Catch": [{ "ErrorEquals": ["Vod.ContractViolation"], "Next": "Refused" }], "End": true
            },
            "Refused": { "Type": "Succeed" }
        }
    });
    let arn = machine(client, "arn:aws:iam::000000000000:role/vodline-bench", definition.to_string()).await;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let started = client.start_execution().state_machine_arn(&arn).input("{}").send().await.unwrap();
        let execution = loop {
            let execution = client.describe_execution().execution_arn(&started.execution_arn).send().await.unwrap();
            if execution.status != ExecutionStatus::Running {
                break execution;
            }
        };
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{:?}", execution.error);
        let milliseconds = |time: &aws_sdk_sfn::primitives::DateTime| time.as_secs_f64() * 1000.0;
        took.push(milliseconds(&execution.stop_date.unwrap()) - milliseconds(&execution.start_date));
    }
    took.sort_by(f64::total_cmp);
    println!("{:.2}", took[took.len() / 2]);
}

/// Leaves `count` executions waiting for an activity's worker that never comes.
async fn waiting(client: &Client, count: usize) {
    let activity = client.create_activity().name("bench").send().await.unwrap().activity_arn;
    let definition =
        json!({ "StartAt": "Wait", "States": { "Wait": { "Type": "Task", "Resource": activity, "End": true } } });
    let arn = machine(client, "arn:aws:iam::000000000000:role/bench", definition.to_string()).await;
    start_all(client, &arn, count).await;
    println!("{count}");
}

async fn running(client: &Client, arn: &str) -> bool {
    let answer = client
        .list_executions()
        .state_machine_arn(arn)
        .status_filter(ExecutionStatus::Running)
        .max_results(1)
        .send()
        .await
        .unwrap();
    !answer.executions().is_empty()
}
