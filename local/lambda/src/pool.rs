//! A function's sandboxes: warm ones are used first, the warmest before others.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{body::Bytes, http::StatusCode};
use tokio::sync::Semaphore;
use vodline_core::{AwsError, Invocation};

use crate::{
    config::{Config, FunctionSpec},
    logs::Logs,
    runtime_api::Reply,
    sandbox::{Ended, Sandbox, Start},
};

/// Processes of one function at once, where the template does not say. One machine has few cores: more only take memory.
const CONCURRENCY_DEFAULT: u32 = 16;
/// How long an invocation waits for its turn before it is throttled.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a process is kept without work.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// The sandboxes of one function.
pub(crate) struct Pool {
    pub(crate) spec: FunctionSpec,
    pub(crate) arn: String,
    config: Arc<Config>,
    logs: Arc<Logs>,
    turns: Semaphore,
    idle: Mutex<Vec<Sandbox>>,
}

/// What an invocation came to, with the end of its log for callers that ask for it.
pub(crate) struct Outcome {
    pub(crate) invocation: Invocation,
    pub(crate) report: String,
}

impl Pool {
    pub(crate) fn new(config: Arc<Config>, logs: Arc<Logs>, spec: FunctionSpec) -> Self {
        let arn = config.account.arn("lambda", &format!("function:{}", spec.name));
        let turns = spec.reserved_concurrency.unwrap_or(CONCURRENCY_DEFAULT);
        Self { arn, config, logs, turns: Semaphore::new(turns as usize), idle: Mutex::default(), spec }
    }

    /// Runs one invocation to its end.
    pub(crate) async fn invoke(&self, payload: Bytes) -> Result<Outcome, AwsError> {
        let turn = tokio::time::timeout(QUEUE_TIMEOUT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let error =
                AwsError::with_status(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.");
            return Err(error.member("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded"));
        };
        let request_id = self.config.entropy.uuid();
        let mut sandbox = match self.warm() {
            Some(sandbox) => sandbox,
            None => match Sandbox::start(&self.config, &self.spec, &self.logs).await {
                Ok(sandbox) => sandbox,
                Err(Start::Failed(error)) => return Err(error),
                Err(Start::Init(body)) => return Ok(Outcome { invocation: unhandled(body), report: String::new() }),
            },
        };
        let log = |line: String| self.logs.append(&self.spec.name, &sandbox.stream, line);
        log(format!("START RequestId: {request_id} Version: $LATEST"));
        let stream = sandbox.stream.clone();
        let began = Instant::now();
        let now_ms = self.config.clock.now().as_millisecond();
        let ended = sandbox.run(&self.spec, &request_id, &self.arn, now_ms, payload).await;
        let took = began.elapsed();
        let report = self.report(&request_id, took, &mut sandbox);
        self.logs.append(&self.spec.name, &stream, format!("END RequestId: {request_id}"));
        self.logs.append(&self.spec.name, &stream, report.clone());
        let invocation = match ended {
            Ended::Reply(reply) => {
                sandbox.last_used = Instant::now();
                lock(&self.idle).push(sandbox);
                match reply {
                    Reply::Response(payload) => Invocation { payload, function_error: None },
                    Reply::Error(payload) => Invocation { payload, function_error: Some("Unhandled".into()) },
                }
            }
            Ended::Lost(body) => {
                self.logs.append(&self.spec.name, &stream, String::from_utf8_lossy(&body).into_owned());
                unhandled(body)
            }
        };
        Ok(Outcome { invocation, report })
    }

    fn warm(&self) -> Option<Sandbox> {
        let mut idle = lock(&self.idle);
        while let Some(mut sandbox) = idle.pop() {
            if sandbox.usable(&self.config, &self.spec) {
                return Some(sandbox);
            }
        }
        None
    }

    /// Ends processes that have had nothing to do for long.
    pub(crate) fn cool(&self) {
        lock(&self.idle).retain(|sandbox| sandbox.last_used.elapsed() < IDLE_MAX);
    }

    fn report(&self, request_id: &str, took: Duration, sandbox: &mut Sandbox) -> String {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let init = sandbox.init.take().map(|init| init.as_secs_f64() * 1000.0);
        // Since August 2025 AWS bills the time of initialisation too.
        // Source: <https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/>.
        let billed = (milliseconds + init.unwrap_or(0.0)).ceil();
        let used = sandbox.memory_mb().unwrap_or(0);
        let mut report = format!(
            "REPORT RequestId: {request_id}\tDuration: {milliseconds:.2} ms\tBilled Duration: {billed} ms\t\
             Memory Size: {} MB\tMax Memory Used: {used} MB",
            self.spec.memory_mb
        );
        if let Some(init) = init {
            report.push_str(&format!("\tInit Duration: {init:.2} ms"));
        }
        report
    }
}

fn unhandled(body: Vec<u8>) -> Invocation {
    Invocation { payload: body.into(), function_error: Some("Unhandled".into()) }
}

fn lock(idle: &Mutex<Vec<Sandbox>>) -> std::sync::MutexGuard<'_, Vec<Sandbox>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
