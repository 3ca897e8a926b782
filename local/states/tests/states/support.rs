//! A Step Functions service with other services faked at its ports.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::mpsc, sync::watch, task::JoinHandle};
use vodline_core::{
    Account, Authorizer, AwsError, Event, EventBus, Functions, Invocation, ManualClock, ObjectBody, ObjectInfo,
    ObjectMetadata, Objects, Principal, Request, SeededEntropy, Service, StoreError, rusqlite::Transaction,
};
use vodline_states::{Config, ServiceCaller, States};

/// Nothing in these tests takes this long; a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/machine";

/// The answer of a faked function.
pub(crate) type Answer = Result<Value, Value>;

type Handler = Arc<dyn Fn(&str, Value) -> Option<Answer> + Send + Sync>;

/// Functions that a closure answers for; `None` never answers.
pub(crate) struct FakeFunctions {
    handler: Mutex<Handler>,
    called: mpsc::UnboundedSender<(String, Value)>,
}

#[async_trait]
impl Functions for FakeFunctions {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invocation, AwsError> {
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        let _ = self.called.send((function.to_owned(), payload.clone()));
        let handler = self.handler.lock().unwrap().clone();
        match handler(function, payload) {
            Some(Ok(value)) => Ok(Invocation { payload: value.to_string().into(), function_error: None }),
            Some(Err(value)) if value.get("refuse").is_some() => {
                Err(AwsError::bad_request(value["refuse"].as_str().unwrap(), "refused"))
            }
            Some(Err(value)) => {
                Ok(Invocation { payload: value.to_string().into(), function_error: Some("Unhandled".into()) })
            }
            None => std::future::pending().await,
        }
    }
}

/// Keeps events, and tells of every commit that had some.
pub(crate) struct FakeBus {
    events: Mutex<Vec<Event>>,
    changed: watch::Sender<u64>,
}

impl EventBus for FakeBus {
    fn enqueue(&self, _: &Transaction<'_>, event: &Event) -> Result<(), StoreError> {
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

/// Allows everything but what is named.
#[derive(Default)]
pub(crate) struct FakeAuthorizer {
    pub(crate) denied: Mutex<HashSet<String>>,
}

impl Authorizer for FakeAuthorizer {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if self.denied.lock().unwrap().contains(action) {
            return Err(AwsError::access_denied(principal.arn(), action, resource));
        }
        Ok(())
    }
}

/// Objects in memory, on files.
pub(crate) struct FakeObjects {
    directory: TempDir,
    objects: Mutex<BTreeMap<(String, String), ObjectBody>>,
}

impl FakeObjects {
    pub(crate) fn put(&self, bucket: &str, key: &str, body: impl AsRef<[u8]>) {
        let path = self.directory.path().join(format!("source-{}", self.objects.lock().unwrap().len()));
        std::fs::write(&path, body).unwrap();
        self.put_file(bucket, key, &path, ObjectMetadata::default()).unwrap();
    }

    pub(crate) fn read(&self, bucket: &str, key: &str) -> String {
        std::fs::read_to_string(self.get(bucket, key).unwrap().path).unwrap()
    }
}

impl Objects for FakeObjects {
    fn get(&self, bucket: &str, key: &str) -> Result<ObjectBody, AwsError> {
        let found = self.objects.lock().unwrap().get(&(bucket.to_owned(), key.to_owned())).cloned();
        found.ok_or_else(|| AwsError::not_found("NoSuchKey", "The specified key does not exist."))
    }

    fn put_file(&self, bucket: &str, key: &str, from: &Path, metadata: ObjectMetadata) -> Result<ObjectInfo, AwsError> {
        let mut objects = self.objects.lock().unwrap();
        let path = self.directory.path().join(format!("object-{}", objects.len()));
        std::fs::rename(from, &path).unwrap();
        let info = ObjectInfo {
            key: key.to_owned(),
            size_bytes: std::fs::metadata(&path).unwrap().len(),
            etag: "\"etag\"".to_owned(),
            version_id: None,
            last_modified: Timestamp::from_second(1_700_000_000).unwrap(),
            metadata,
        };
        objects.insert((bucket.to_owned(), key.to_owned()), ObjectBody { info: info.clone(), path });
        Ok(info)
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        self.objects.lock().unwrap().remove(&(bucket.to_owned(), key.to_owned()));
        Ok(())
    }

    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        let objects = self.objects.lock().unwrap();
        Ok(objects
            .iter()
            .filter(|((b, key), _)| b == bucket && key.starts_with(prefix))
            .map(|(_, object)| object.info.clone())
            .collect())
    }
}

/// Services with two actions: `dynamodb:getItem` answers, `secretsmanager:getSecretValue` fails.
pub(crate) struct FakeServices;

#[async_trait]
impl ServiceCaller for FakeServices {
    fn serves(&self, service: &str, action: &str) -> bool {
        matches!((service, action), ("dynamodb", "getItem") | ("secretsmanager", "getSecretValue"))
    }

    async fn call(&self, _: &Principal, service: &str, action: &str, arguments: Value) -> Result<Value, AwsError> {
        match (service, action) {
            ("dynamodb", "getItem") => Ok(json!({"Item": {"id": {"S": arguments["Key"]["id"]["S"]}}})),
            _ => Err(AwsError::bad_request("ResourceNotFoundException", "Secrets Manager can't find the secret.")),
        }
    }
}

/// The service, its fakes, and its data directory, which outlives a crash.
pub(crate) struct Home {
    directory: PathBuf,
    /// Removes the directory with the home that made it.
    _temporary: Option<TempDir>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) bus: Arc<FakeBus>,
    functions: Arc<FakeFunctions>,
    called: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
    pub(crate) authorizer: Arc<FakeAuthorizer>,
    pub(crate) objects: Arc<FakeObjects>,
    states: Option<Arc<States>>,
    running: Option<JoinHandle<()>>,
    seed: u64,
}

impl Home {
    /// A home whose functions return their input.
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut home = Self::at(temporary.path().to_owned(), 1);
        home._temporary = Some(temporary);
        home.start();
        home
    }

    /// A home over a directory that may hold one already, not started yet.
    pub(crate) fn at(directory: PathBuf, seed: u64) -> Self {
        let (called, receiver) = mpsc::unbounded_channel();
        Self {
            directory,
            _temporary: None,
            clock: Arc::new(ManualClock::new(Timestamp::from_second(1_750_000_000).unwrap())),
            bus: Arc::new(FakeBus { events: Mutex::default(), changed: watch::Sender::new(0) }),
            functions: Arc::new(FakeFunctions { handler: Mutex::new(Arc::new(|_, input| Some(Ok(input)))), called }),
            called: tokio::sync::Mutex::new(receiver),
            authorizer: Arc::default(),
            objects: Arc::new(FakeObjects { directory: tempfile::tempdir().unwrap(), objects: Mutex::default() }),
            states: None,
            running: None,
            seed,
        }
    }

    /// From now on functions answer like this; `None` never answers.
    pub(crate) fn functions(&self, handler: impl Fn(&str, Value) -> Option<Answer> + Send + Sync + 'static) {
        *self.functions.handler.lock().unwrap() = Arc::new(handler);
    }

    pub(crate) fn states(&self) -> &Arc<States> {
        self.states.as_ref().unwrap()
    }

    pub(crate) fn start(&mut self) {
        self.open_idle();
        self.running = Some(tokio::spawn(Arc::clone(self.states()).run()));
    }

    /// Opens the service without running it: it answers, and nothing moves.
    pub(crate) fn open_idle(&mut self) {
        let config = Config {
            directory: self.directory.clone(),
            account: Account::default(),
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::new(SeededEntropy::new(self.seed)),
            bus: Arc::clone(&self.bus) as _,
            functions: Arc::clone(&self.functions) as _,
            objects: Arc::clone(&self.objects) as _,
            services: Arc::new(FakeServices),
            authorizer: Arc::clone(&self.authorizer) as _,
        };
        self.states = Some(States::open(config).unwrap());
    }

    /// Ends the service as a crash would: nothing is finished, nothing is told to anybody.
    pub(crate) async fn crash(&mut self) {
        let running = self.running.take().unwrap();
        running.abort();
        let _ = running.await;
        let states = self.states.take().unwrap();
        // Work that another thread is just polling lets go a moment later.
        let alone = async {
            while Arc::strong_count(&states) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, alone).await.expect("nothing of the service outlives its run");
        drop(states);
        self.seed += 1;
    }

    pub(crate) async fn restart(&mut self) {
        self.crash().await;
        self.start();
    }

    /// Calls an operation.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.call_as(Principal::Root, operation, input).await
    }

    pub(crate) async fn call_as(&self, principal: Principal, operation: &str, input: Value) -> Result<Value, AwsError> {
        let request = Request {
            operation: operation.to_owned(),
            method: http::Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: http::HeaderMap::new(),
            body: input.to_string().into(),
            principal,
            request_id: "request".to_owned(),
            authorizer: Arc::clone(&self.authorizer) as _,
        };
        let response = tokio::time::timeout(PATIENCE, self.states().call(request)).await.expect(operation)?;
        assert_eq!(response.headers["content-type"], "application/x-amz-json-1.0");
        Ok(serde_json::from_slice(&response.body).unwrap())
    }

    /// Calls an operation that must work.
    pub(crate) async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Calls an operation that must fail; returns code and message.
    pub(crate) async fn err(&self, operation: &str, input: Value) -> (String, String) {
        let error = self.call(operation, input.clone()).await.expect_err(&format!("{operation} {input}"));
        (error.code, error.message)
    }

    /// Creates a Standard machine and returns its ARN.
    pub(crate) async fn machine(&self, name: &str, definition: Value) -> String {
        self.machine_of("STANDARD", name, definition).await
    }

    pub(crate) async fn machine_of(&self, kind: &str, name: &str, definition: Value) -> String {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": kind});
        self.ok("CreateStateMachine", input).await["stateMachineArn"].as_str().unwrap().to_owned()
    }

    /// Starts an execution and returns its ARN.
    pub(crate) async fn begin(&self, machine_arn: &str, input: Value) -> String {
        let input = json!({"stateMachineArn": machine_arn, "input": input.to_string()});
        self.ok("StartExecution", input).await["executionArn"].as_str().unwrap().to_owned()
    }

    /// Waits until an execution has this status and describes it.
    pub(crate) async fn until(&self, execution_arn: &str, status: &str) -> Value {
        let mut changed = self.bus.changed.subscribe();
        let wait = async {
            loop {
                let found = self.ok("DescribeExecution", json!({"executionArn": execution_arn})).await;
                if found["status"] == status {
                    return found;
                }
                assert_eq!(found["status"], "RUNNING", "waiting for {status}: {found}");
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("{execution_arn} is not {status}: {}", self.history_text(execution_arn).await),
        }
    }

    /// The next call of a function: its name and payload.
    pub(crate) async fn called(&self) -> (String, Value) {
        let mut called = self.called.lock().await;
        tokio::time::timeout(PATIENCE, called.recv()).await.expect("a function call").unwrap()
    }

    /// A call that was made already.
    pub(crate) async fn try_called(&self) -> Option<(String, Value)> {
        self.called.lock().await.try_recv().ok()
    }

    /// No function was called since the last that was asked for.
    pub(crate) async fn nothing_called(&self) {
        assert_eq!(self.called.lock().await.try_recv().ok(), None);
    }

    /// The whole history.
    pub(crate) async fn history(&self, execution_arn: &str) -> Vec<Value> {
        let found = self.ok("GetExecutionHistory", json!({"executionArn": execution_arn, "maxResults": 1000})).await;
        found["events"].as_array().unwrap().clone()
    }

    /// The types of a history's events.
    pub(crate) async fn types(&self, execution_arn: &str) -> Vec<String> {
        let history = self.history(execution_arn).await;
        history.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the history has an event of a type, and returns the first.
    pub(crate) async fn event(&self, execution_arn: &str, event_type: &str) -> Value {
        let wait = async {
            loop {
                let history = self.history(execution_arn).await;
                if let Some(event) = history.into_iter().find(|event| event["type"] == event_type) {
                    return event;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(event) => event,
            Err(_) => panic!("no {event_type} in {}", self.history_text(execution_arn).await),
        }
    }

    async fn history_text(&self, execution_arn: &str) -> String {
        format!("{:#}", Value::Array(self.history(execution_arn).await))
    }

    /// Moves the clock and lets timers fire.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.states().look_at_clock();
    }

    /// Everything the bus was told of an execution: the statuses.
    pub(crate) fn statuses(&self, execution_arn: &str) -> Vec<String> {
        let events = self.bus.events.lock().unwrap();
        events
            .iter()
            .filter(|event| event.detail["executionArn"] == execution_arn)
            .map(|event| event.detail["status"].as_str().unwrap().to_owned())
            .collect()
    }

    /// All events the bus was told.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.bus.events.lock().unwrap().clone()
    }
}

/// A machine of one state.
pub(crate) fn one(state: Value) -> Value {
    let mut state = state;
    if state["Type"] != "Fail" && state["Type"] != "Succeed" {
        state["End"] = json!(true);
    }
    json!({"StartAt": "Only", "States": {"Only": state}})
}

/// A state that hands its token to a function and waits.
pub(crate) fn waiting_task() -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "submit", "Payload": {"token.$": "$$.Task.Token", "input.$": "$"}},
    })
}

/// A state that runs a function by its ARN.
pub(crate) fn function_task(function: &str) -> Value {
    json!({"Type": "Task", "Resource": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")})
}

/// The rules every history keeps: ids from 1 without gaps, times that do not go back, previous events that exist.
pub(crate) fn assert_well_formed(history: &[Value]) {
    let mut time = 0.0;
    for (index, event) in history.iter().enumerate() {
        let id = event["id"].as_u64().unwrap();
        assert_eq!(id, index as u64 + 1, "{event}");
        assert!(event["previousEventId"].as_u64().unwrap() < id, "{event}");
        let at = event["timestamp"].as_f64().unwrap();
        assert!(at >= time, "{event}");
        time = at;
    }
    assert_eq!(history[0]["type"], "ExecutionStarted");
    let terminal = |event: &Value| {
        matches!(
            event["type"].as_str().unwrap(),
            "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut"
        )
    };
    for pair in history.windows(2) {
        assert!(!terminal(&pair[0]) || pair[1]["type"] == "ExecutionRedriven", "{} after {}", pair[1], pair[0]);
    }
}
