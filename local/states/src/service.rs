//! The service as the home sees it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use vodline_core::{AwsError, Executions, Protocol, Request, Response, Service, Store};

use crate::{
    Config, Error,
    activities::Offers,
    dispatch::Dispatcher,
    engine::{self, Engine, Work},
    retention, schema,
    starter::Start,
    timers,
};

/// Step Functions.
///
/// Opened once a process. [`States::run`] must be spawned once: it carries out what executions ask for. Executions that
/// were under way when the process ended go on as soon as it runs.
pub struct States {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) offers: Offers,
    work: UnboundedSender<Work>,
    /// Taken by `run`.
    received: Mutex<Option<UnboundedReceiver<Work>>>,
    this: Weak<Self>,
}

impl States {
    /// Opens the service over the store in `config.directory`.
    ///
    /// # Errors
    /// When the store cannot be used or a thread cannot be started.
    pub fn open(config: Config) -> Result<Arc<Self>, Error> {
        let store = Arc::new(Store::open(&config.directory, schema::TABLES)?);
        let (work, received) = unbounded_channel();
        let engine = Engine::start(engine::context(&config, store)?, work.clone())?;
        Ok(Arc::new_cyclic(|this| Self {
            config,
            engine,
            offers: Offers::default(),
            work,
            received: Mutex::new(Some(received)),
            this: this.clone(),
        }))
    }

    /// Does the background work: tasks, timers, nested executions, Map Runs. Never returns; dropping the future stops
    /// the work, and opening the service again resumes it.
    pub async fn run(self: Arc<Self>) {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut received) = received else {
            tracing::error!("step functions runs already");
            return;
        };
        let dispatcher = Dispatcher::new(Arc::clone(&self));
        tokio::join!(timers::run(&self.engine), retention::run(self.engine.context()), dispatcher.run(&mut received));
    }

    /// Looks at the clock at once instead of within a second; for tests that move it.
    pub fn look_at_clock(&self) {
        self.engine.context().timers.look();
    }

    /// Queues work for the dispatcher.
    pub(crate) fn later(&self, work: Work) {
        // Without a dispatcher nobody is to do it.
        let _ = self.work.send(work);
    }

    /// The service for work that outlives this call.
    ///
    /// # Panics
    /// Never: whoever calls a method holds the service.
    #[expect(clippy::expect_used, reason = "a method's caller holds the only kind of reference there is: an Arc")]
    pub(crate) fn shared(&self) -> Arc<Self> {
        self.this.upgrade().expect("the service is alive while a method of it runs")
    }
}

#[async_trait]
impl Service for States {
    fn protocol(&self) -> Protocol {
        Protocol::Json10
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        self.call_operation(request).await
    }
}

#[async_trait]
impl Executions for States {
    async fn start(&self, state_machine_arn: &str, name: Option<&str>, input: &str) -> Result<String, AwsError> {
        let start = Start {
            machine_arn: state_machine_arn.to_owned(),
            name: name.map(str::to_owned),
            input: input.to_owned(),
            trace_header: None,
            starter: None,
        };
        Ok(self.start_execution(start).await?.execution_arn)
    }
}
