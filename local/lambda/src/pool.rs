//! The processes of one function, and how many invocations may run at once.

use std::{
    sync::{Arc, Mutex as Lock, PoisonError, RwLock},
    time::Duration,
};

use http::StatusCode;
use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use vodline_core::AwsError;

use crate::{
    process::{Process, Stamp},
    spec::FunctionSpec,
};

/// A function and its warm processes.
pub(crate) struct Function {
    state: RwLock<State>,
    idle: Lock<Vec<Process>>,
}

struct State {
    spec: Arc<FunctionSpec>,
    reserved: Option<Arc<Semaphore>>,
    defined: Timestamp,
    revision: String,
}

impl State {
    fn new(spec: FunctionSpec, defined: Timestamp, revision: String) -> Self {
        let reserved = spec.reserved_concurrency.map(|limit| Arc::new(Semaphore::new(limit as usize)));
        Self { spec: Arc::new(spec), reserved, defined, revision }
    }
}

impl Function {
    pub(crate) fn new(spec: FunctionSpec, defined: Timestamp, revision: String) -> Self {
        Self { state: RwLock::new(State::new(spec, defined, revision)), idle: Lock::default() }
    }

    /// Takes a new definition; one that changes nothing changes nothing.
    pub(crate) fn redefine(&self, spec: FunctionSpec, now: Timestamp, revision: String) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if *state.spec == spec {
            return;
        }
        let reserved = state.reserved.take().filter(|_| state.spec.reserved_concurrency == spec.reserved_concurrency);
        *state = State::new(spec, now, revision);
        if reserved.is_some() {
            // Invocations that run keep counting.
            state.reserved = reserved;
        }
    }

    pub(crate) fn spec(&self) -> Arc<FunctionSpec> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).spec.clone()
    }

    /// When it was last changed, and the id of that change.
    pub(crate) fn revision(&self) -> (Timestamp, String) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        (state.defined, state.revision.clone())
    }

    fn reserved(&self) -> Option<Arc<Semaphore>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).reserved.clone()
    }

    /// The process that was used last, if it still is what it should be. Others that are not are ended.
    pub(crate) fn take_idle(&self, spec: &FunctionSpec, stamp: Option<Stamp>) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|process| process.is_current(spec, stamp));
        idle.pop()
    }

    pub(crate) fn put_idle(&self, mut process: Process) {
        process.idle_since = Instant::now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    /// Ends processes that have had nothing to do for `limit`.
    pub(crate) fn end_idle(&self, limit: Duration) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).retain(|process| process.idle_since.elapsed() < limit);
    }
}

/// Lets so many invocations run, so many wait, and refuses the rest.
pub(crate) struct Gate {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// The right to run one invocation, until dropped.
pub(crate) struct Permit {
    _reserved: Option<OwnedSemaphorePermit>,
    _running: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(running: usize, waiting: usize) -> Self {
        Self { running: Arc::new(Semaphore::new(running)), waiting: Arc::new(Semaphore::new(waiting)) }
    }

    /// Waits its turn.
    pub(crate) async fn enter(&self, function: &Function) -> Result<Permit, AwsError> {
        if function.spec().reserved_concurrency == Some(0) {
            return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
        }
        let reserved = match function.reserved() {
            None => None,
            Some(semaphore) => {
                Some(self.acquire(semaphore, "ReservedFunctionConcurrentInvocationLimitExceeded").await?)
            }
        };
        let running = self.acquire(self.running.clone(), "ConcurrentInvocationLimitExceeded").await?;
        Ok(Permit { _reserved: reserved, _running: running })
    }

    async fn acquire(&self, semaphore: Arc<Semaphore>, reason: &str) -> Result<OwnedSemaphorePermit, AwsError> {
        if let Ok(permit) = semaphore.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.waiting.clone().try_acquire_owned().map_err(|_| throttled(reason))?;
        semaphore.acquire_owned().await.map_err(|_| throttled(reason))
    }
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.
fn throttled(reason: &str) -> AwsError {
    AwsError::with_status(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.")
        .member("Reason", reason)
        .member("Type", "User")
}
