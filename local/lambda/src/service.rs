//! The service: opened with its configuration, shared by the API, the port and the background work.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use tokio::sync::Notify;
use vodline_core::{Account, Arn, AwsError, Clock, Entropy, Functions, Invocation, Store, StoreError};

use crate::{
    environment::RoleCredentials,
    events::Queue,
    invoke::Call,
    logs::{self, Writer},
    logs_api::Logs,
    pool::{Function, Gate},
    schema::MIGRATION,
    spec::FunctionSpec,
};

/// How often [`Lambda::run`] looks for what has become too old.
const TIDY_INTERVAL: Duration = Duration::from_secs(30);

/// The service could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The home's store refused.
    #[error("the store of Lambda cannot be opened")]
    Store(#[from] StoreError),
}

/// Bounds of the local home. The defaults suit one machine.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Processes that may run at the same time, of all functions together (AWS: 1,000 an account).
    pub concurrency: usize,
    /// Invocations that may wait for their turn; beyond, they are refused with `TooManyRequestsException`.
    pub queue: usize,
    /// How long a warm process is kept without work.
    pub idle: Duration,
    /// How long to wait before an asynchronous invocation is tried again after the function failed it; it is given up after the
    /// last. Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
    pub event_retries: Vec<Duration>,
    /// How long an asynchronous invocation may wait. Same source.
    pub event_age: SignedDuration,
    /// How long log lines are kept.
    pub log_age: SignedDuration,
    /// How many log lines are kept of each function.
    pub log_lines: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            queue: 1000,
            idle: Duration::from_secs(600),
            event_retries: vec![Duration::from_secs(60), Duration::from_secs(120)],
            event_age: SignedDuration::from_hours(6),
            log_age: SignedDuration::from_hours(14 * 24),
            log_lines: 100_000,
        }
    }
}

/// What the service is made of.
pub struct Config {
    /// The home's data directory.
    pub directory: PathBuf,
    /// Whose functions these are.
    pub account: Account,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where request ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// `AWS_ENDPOINT_URL` of every function: the home's own port.
    pub endpoint_url: String,
    /// Where the functions' binaries are.
    pub bin_dir: PathBuf,
    /// Who hands out the functions' credentials.
    pub credentials: Arc<dyn RoleCredentials>,
    /// Bounds.
    pub limits: Limits,
}

/// Lambda. Also [`vodline_core::Functions`].
pub struct Lambda {
    pub(crate) core: Arc<Core>,
}

/// The state that all operations work on.
pub(crate) struct Core {
    pub(crate) store: Arc<Store>,
    pub(crate) account: Account,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) endpoint_url: String,
    pub(crate) bin_dir: PathBuf,
    pub(crate) credentials: Arc<dyn RoleCredentials>,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    pub(crate) log_writer: Writer,
    pub(crate) queue: Queue,
    functions: RwLock<BTreeMap<String, Arc<Function>>>,
}

impl Lambda {
    /// Opens the store and starts the task that writes logs; must be called inside a Tokio runtime. No function runs before it is
    /// invoked.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let store = Arc::new(Store::open(&config.directory, MIGRATION)?);
        let core = Core {
            log_writer: Writer::start(store.clone()),
            store,
            account: config.account,
            clock: config.clock,
            entropy: config.entropy,
            endpoint_url: config.endpoint_url,
            bin_dir: config.bin_dir,
            credentials: config.credentials,
            gate: Gate::new(config.limits.concurrency, config.limits.queue),
            limits: config.limits,
            queue: Queue { wake: Notify::new(), taken: std::sync::Mutex::default() },
            functions: RwLock::default(),
        };
        Ok(Arc::new(Self { core: Arc::new(core) }))
    }

    /// Makes a function, or brings one to what the template says of it. Processes of an older definition take no more invocations.
    ///
    /// # Errors
    /// `InvalidParameterValueException`.
    pub fn define_function(&self, spec: FunctionSpec) -> Result<(), AwsError> {
        spec.check()?;
        let core = &self.core;
        let (now, revision) = (core.clock.now(), core.entropy.uuid());
        let mut functions = core.functions.write().unwrap_or_else(PoisonError::into_inner);
        match functions.get(&spec.name) {
            Some(function) => function.redefine(spec, now, revision),
            None => {
                functions.insert(spec.name.clone(), Arc::new(Function::new(spec, now, revision)));
            }
        }
        Ok(())
    }

    /// CloudWatch Logs' API over what the functions have written.
    #[must_use]
    pub fn logs(&self) -> Logs {
        Logs { core: self.core.clone() }
    }

    /// Delivers asynchronous invocations, ends idle processes and trims logs. Never returns.
    pub async fn run(self: Arc<Self>) {
        tokio::join!(self.core.clone().deliver(), self.core.clone().tidy());
    }
}

#[async_trait]
impl Functions for Lambda {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invocation, AwsError> {
        let (function, qualifier) = self.core.find(function, None)?;
        let call = self.core.call(&function, qualifier.as_deref(), payload);
        Ok(self.core.invoke(function, call).await?.invocation)
    }
}

impl Core {
    async fn tidy(self: Arc<Self>) {
        let mut interval = tokio::time::interval(TIDY_INTERVAL);
        loop {
            interval.tick().await;
            for function in self.all() {
                function.end_idle(self.limits.idle);
            }
            let core = self.clone();
            let trimmed = tokio::task::spawn_blocking(move || {
                logs::trim(&core.store, core.clock.now(), core.limits.log_age, core.limits.log_lines)
            });
            if let Ok(Err(error)) = trimmed.await {
                tracing::error!(error = ?error, "the logs of functions could not be trimmed");
            }
        }
    }

    /// All functions in order of name.
    pub(crate) fn all(&self) -> Vec<Arc<Function>> {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The function of a name, a partial ARN or an ARN, each with or without a qualifier, and the qualifier.
    pub(crate) fn find(
        &self,
        address: &str,
        qualifier: Option<&str>,
    ) -> Result<(Arc<Function>, Option<String>), AwsError> {
        let rest = match Arn::parse(address) {
            Some(arn)
                if arn.service == "lambda" && arn.account == self.account.id && arn.region == self.account.region =>
            {
                arn.resource
            }
            Some(_) => return Err(self.not_found(address, qualifier)),
            None => address.strip_prefix(&format!("{}:", self.account.id)).unwrap_or(address),
        };
        let rest = rest.strip_prefix("function:").unwrap_or(rest);
        let (name, suffix) = rest.split_once(':').map_or((rest, None), |(name, suffix)| (name, Some(suffix)));
        let qualifier = qualifier.or(suffix);
        let function = self.functions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let function = function.ok_or_else(|| self.not_found(name, qualifier))?;
        match qualifier {
            Some(wanted) if wanted != "$LATEST" && !function.spec().qualifiers.iter().any(|known| known == wanted) => {
                Err(self.not_found(name, qualifier))
            }
            _ => Ok((function, qualifier.map(str::to_owned))),
        }
    }

    fn not_found(&self, name: &str, qualifier: Option<&str>) -> AwsError {
        let arn = if name.starts_with("arn:") { name.to_owned() } else { self.arn(name, qualifier) };
        AwsError::not_found("ResourceNotFoundException", format!("Function not found: {arn}")).member("Type", "User")
    }

    /// `arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]`.
    pub(crate) fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let resource = match qualifier {
            Some(qualifier) => format!("function:{name}:{qualifier}"),
            None => format!("function:{name}"),
        };
        self.account.arn("lambda", &resource)
    }

    /// A new invocation of the function.
    pub(crate) fn call(&self, function: &Function, qualifier: Option<&str>, payload: Bytes) -> Call {
        Call {
            request_id: self.entropy.uuid(),
            function_arn: self.arn(&function.spec().name, qualifier),
            // Without a payload, functions get an empty event.
            payload: if payload.is_empty() { Bytes::from_static(b"{}") } else { payload },
            client_context: None,
        }
    }

    pub(crate) fn binary(&self, spec: &FunctionSpec) -> PathBuf {
        self.bin_dir.join(&spec.binary)
    }

    /// The name of a new process's log stream: `yyyy/mm/dd/[$LATEST]<32 hexadecimal digits>`.
    pub(crate) fn log_stream(&self) -> String {
        format!("{}/[$LATEST]{}", self.clock.now().strftime("%Y/%m/%d"), self.entropy.hex(32))
    }

    /// An X-Ray trace header that says not to sample: the home traces nothing.
    /// Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.
    pub(crate) fn trace_id(&self) -> String {
        let (root, parent) = (self.entropy.hex(24), self.entropy.hex(16));
        format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", self.clock.now().as_second())
    }
}
