//! What this crate's tests share: a home of one service, with functions and executions that answer as told.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use vodline_core::{
    Account, Authorizer, AwsError, Event, EventBus, Executions, Functions, Invocation, ManualClock, Principal, Request,
    SeededEntropy, Service, StoreError,
};

use crate::{Config, Events, Peers, PromptDelivery, Queues, QueuesConfig};

pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
pub(crate) const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
pub(crate) const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
pub(crate) const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

/// A home in a directory that is removed with it.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: Arc<Events>,
    pub(crate) queues: Arc<Queues>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00.5Z".parse().unwrap()));
        let (events, queues) = open(&directory, &clock);
        Self { directory, clock, events, queues }
    }

    /// The same home after a stop.
    pub(crate) fn reopen(self) -> Self {
        let Self { directory, clock, events, queues } = self;
        drop((events, queues));
        let (events, queues) = open(&directory, &clock);
        Self { directory, clock, events, queues }
    }

    pub(crate) fn connect(&self, script: &Arc<Script>) {
        let authorizer = Arc::new(Deny("arn:aws:iam::000000000000:role/none"));
        self.events.connect(Peers { functions: script.clone(), executions: script.clone(), authorizer });
    }

    /// Sends an event as another service does: in a transaction of its own.
    pub(crate) fn send(&self, event: &Event) {
        self.events.store.write(|transaction| self.events.enqueue(transaction, event)).unwrap();
        self.events.wake();
    }
}

fn open(directory: &TempDir, clock: &Arc<ManualClock>) -> (Arc<Events>, Arc<Queues>) {
    let queues = Queues::open(QueuesConfig {
        directory: directory.path().into(),
        account: Account::default(),
        endpoint: "http://127.0.0.1:4566".into(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1)),
    })
    .unwrap();
    let events = Events::open(Config {
        directory: directory.path().into(),
        account: Account::default(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(2)),
        queues: queues.clone(),
        policy: Arc::new(PromptDelivery),
    })
    .unwrap();
    (events, queues)
}

pub(crate) fn event(detail: Value) -> Event {
    Event {
        version: "0".into(),
        id: "e-1".into(),
        detail_type: "Done".into(),
        source: "test".into(),
        account: "000000000000".into(),
        time: "2026-11-22T10:00:00.25Z".parse::<Timestamp>().unwrap(),
        region: "us-east-1".into(),
        resources: vec![],
        detail,
    }
}

/// Refuses this one role everything and nothing to others.
struct Deny(&'static str);

impl Authorizer for Deny {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if principal.arn() == self.0 { Err(AwsError::access_denied(self.0, action, resource)) } else { Ok(()) }
    }
}

/// Functions and executions that tell of each call and answer from a list; success when it is used up.
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<Invocation, AwsError>>>,
    calls: mpsc::UnboundedSender<(String, String)>,
}

impl Script {
    pub(crate) fn new(
        answers: impl IntoIterator<Item = Result<Invocation, AwsError>>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<(String, String)>) {
        let (calls, called) = mpsc::unbounded_channel();
        (Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), calls }), called)
    }

    fn answer(&self, target: &str, payload: &str) -> Result<Invocation, AwsError> {
        self.calls.send((target.into(), payload.into())).expect("the test still listens");
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| Ok(Invocation { payload: "null".into(), function_error: None }))
    }
}

pub(crate) fn function_error() -> Result<Invocation, AwsError> {
    let payload = r#"{"errorType":"Vod.Broken","errorMessage":"it broke"}"#.into();
    Ok(Invocation { payload, function_error: Some("Unhandled".into()) })
}

#[async_trait]
impl Functions for Script {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invocation, AwsError> {
        self.answer(function, std::str::from_utf8(&payload).unwrap())
    }
}

#[async_trait]
impl Executions for Script {
    async fn start(&self, state_machine_arn: &str, name: Option<&str>, input: &str) -> Result<String, AwsError> {
        assert_eq!(name, None);
        self.answer(state_machine_arn, input).map(|_| "arn:execution".into())
    }
}

/// Calls a service as its owner.
pub(crate) async fn call(service: &dyn Service, operation: &str, body: Value) -> Result<Value, AwsError> {
    let request = Request {
        operation: operation.into(),
        method: Method::POST,
        path: "/".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        principal: Principal::Root,
        request_id: "r-1".into(),
        authorizer: Arc::new(Deny("")),
    };
    Ok(serde_json::from_slice(&service.call(request).await?.body).unwrap())
}

/// So that a store's error can be asked for without naming it.
pub(crate) type Stored<T> = Result<T, StoreError>;
