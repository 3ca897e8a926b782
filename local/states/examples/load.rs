//! Measures the durable runner in this process: states a second, the cost of a Lambda task, waiting executions, a restart.
//!
//! `cargo run --release -p vodline-states --example load`. The benchmark against other emulators, over HTTP, is
//! `cargo xtask bench states`; this one shows what the runner itself allows.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and may panic")]

use std::{path::Path, sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use vodline_core::{
    Account, Authorizer, AwsError, Event, EventBus, Functions, Invocation, ObjectBody, ObjectInfo, ObjectMetadata,
    Objects, Principal, Request, Service, StoreError, SystemClock, SystemEntropy, rusqlite::Transaction,
};
use vodline_states::{Config, ServiceCaller, States};

/// Every port answers at once, and every role may do everything.
struct Ports;

impl Authorizer for Ports {
    fn authorize(&self, _: &Principal, _: &str, _: &str) -> Result<(), AwsError> {
        Ok(())
    }
}

impl EventBus for Ports {
    fn enqueue(&self, _: &Transaction<'_>, _: &Event) -> Result<(), StoreError> {
        Ok(())
    }

    fn wake(&self) {}
}

#[async_trait]
impl Functions for Ports {
    async fn invoke(&self, _: &str, payload: Bytes) -> Result<Invocation, AwsError> {
        Ok(Invocation { payload, function_error: None })
    }
}

#[async_trait]
impl ServiceCaller for Ports {
    fn serves(&self, _: &str, _: &str) -> bool {
        false
    }

    async fn call(&self, _: &Principal, service: &str, action: &str, _: Value) -> Result<Value, AwsError> {
        Err(AwsError::unsupported_operation(service, action))
    }
}

impl Objects for Ports {
    fn get(&self, _: &str, _: &str) -> Result<ObjectBody, AwsError> {
        Err(AwsError::not_found("NoSuchBucket", "there is none"))
    }

    fn put_file(&self, _: &str, _: &str, _: &Path, _: ObjectMetadata) -> Result<ObjectInfo, AwsError> {
        Err(AwsError::not_found("NoSuchBucket", "there is none"))
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), AwsError> {
        Ok(())
    }

    fn list(&self, _: &str, _: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        Ok(Vec::new())
    }
}

fn open(directory: &Path) -> Arc<States> {
    let ports = Arc::new(Ports);
    States::open(Config {
        directory: directory.to_owned(),
        account: Account::default(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bus: ports.clone(),
        functions: ports.clone(),
        objects: ports.clone(),
        services: ports.clone(),
        authorizer: ports,
    })
    .unwrap()
}

async fn call(states: &States, operation: &str, input: Value) -> Value {
    let request = Request {
        operation: operation.to_owned(),
        method: http::Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: input.to_string().into(),
        principal: Principal::Root,
        request_id: String::new(),
        authorizer: Arc::new(Ports),
    };
    serde_json::from_slice(&states.call(request).await.unwrap().body).unwrap()
}

async fn create(states: &States, name: &str, definition: Value) -> String {
    let role = "arn:aws:iam::000000000000:role/machine";
    let input = json!({"name": name, "definition": definition.to_string(), "roleArn": role});
    call(states, "CreateStateMachine", input).await["stateMachineArn"].as_str().unwrap().to_owned()
}

/// Starts executions from several callers at a time, and waits for all answers.
async fn start_all(states: &Arc<States>, machine: &str, count: usize) -> Vec<String> {
    const CALLERS: usize = 32;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (states, machine) = (Arc::clone(states), machine.to_owned());
            tokio::spawn(async move {
                let mut arns = Vec::new();
                for _ in (caller..count).step_by(CALLERS) {
                    let started = call(&states, "StartExecution", json!({"stateMachineArn": machine})).await;
                    arns.push(started["executionArn"].as_str().unwrap().to_owned());
                }
                arns
            })
        })
        .collect();
    let mut arns = Vec::new();
    for caller in callers {
        arns.extend(caller.await.unwrap());
    }
    arns
}

async fn running(states: &States, machine: &str) -> usize {
    let input = json!({"stateMachineArn": machine, "statusFilter": "RUNNING", "maxResults": 1});
    call(states, "ListExecutions", input).await["executions"].as_array().unwrap().len()
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let states = open(directory.path());
    let runner = tokio::spawn(Arc::clone(&states).run());

    let ten: Value = (0..10)
        .map(|n| {
            let state = if n == 9 {
                json!({"Type": "Pass", "End": true})
            } else {
                json!({"Type": "Pass", "Next": format!("P{}", n + 1)})
            };
            (format!("P{n}"), state)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let machine = create(&states, "ten", json!({"StartAt": "P0", "States": ten})).await;
    let began = Instant::now();
    start_all(&states, &machine, 2_000).await;
    while running(&states, &machine).await > 0 {
        tokio::task::yield_now().await;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("10 Pass x 2,000: {:.0} states/s ({:.0} executions/s)", 20_000.0 / seconds, 2_000.0 / seconds);

    let function = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "End": true});
    let machine = create(&states, "one", json!({"StartAt": "F", "States": {"F": function}})).await;
    let mut micros = Vec::new();
    for _ in 0..300 {
        let began = Instant::now();
        start_all(&states, &machine, 1).await;
        while running(&states, &machine).await > 0 {
            tokio::task::yield_now().await;
        }
        micros.push(began.elapsed().as_micros());
    }
    micros.sort_unstable();
    println!("an execution with one Lambda task: {} us at the median, {} us at p99", micros[150], micros[297]);
    let began = Instant::now();
    start_all(&states, &machine, 2_000).await;
    while running(&states, &machine).await > 0 {
        tokio::task::yield_now().await;
    }
    println!("one Lambda task x 2,000: {:.0} executions/s", 2_000.0 / began.elapsed().as_secs_f64());

    let wait = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": 3600,
        "End": true,
    });
    let machine = create(&states, "waits", json!({"StartAt": "W", "States": {"W": wait}})).await;
    let before = resident_mib();
    let began = Instant::now();
    let arns = start_all(&states, &machine, 10_000).await;
    let last = arns.last().unwrap();
    loop {
        let history = call(&states, "GetExecutionHistory", json!({"executionArn": last})).await;
        if history["events"].as_array().unwrap().iter().any(|event| event["type"] == "TaskSubmitted") {
            break;
        }
        tokio::task::yield_now().await;
    }
    println!(
        "10,000 executions waiting for tokens: started in {:.1} s, {:.0} MiB more than before ({:.0} MiB in all)",
        began.elapsed().as_secs_f64(),
        resident_mib() - before,
        resident_mib()
    );
    runner.abort();
    let _ = runner.await;
    drop(states);
    let began = Instant::now();
    let states = open(directory.path());
    let _runner = tokio::spawn(Arc::clone(&states).run());
    call(&states, "DescribeExecution", json!({"executionArn": last})).await;
    println!("a restart with them: {:.3} s to the first answer", began.elapsed().as_secs_f64());
}
