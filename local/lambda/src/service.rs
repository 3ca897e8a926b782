//! All functions of the home.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Bytes;
use tokio::sync::Notify;
use vodline_core::{AwsError, Functions, Invocation, Store, StoreError};

use crate::{
    asynchronous,
    config::{Config, FunctionSpec},
    logs::{self, Logs},
    pool::{Outcome, Pool},
};

/// How often idle processes are ended and old log lines forgotten.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);

/// Lambda cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store failed.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// The thread that writes logs cannot be started.
    #[error("the log writer cannot be started")]
    Thread(#[from] std::io::Error),
}

/// Lambda.
pub struct Lambda {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) arrived: Notify,
    logs: Arc<Logs>,
    functions: RwLock<BTreeMap<String, Arc<Pool>>>,
}

impl Lambda {
    /// Opens Lambda in the data directory, with no functions.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let logs = Store::open(&config.directory, logs::TABLES)?;
        let logs = Logs::open(logs, config.account.clone(), Arc::clone(&config.clock))?;
        Ok(Arc::new(Self {
            store: Store::open(&config.directory, asynchronous::TABLES)?,
            arrived: Notify::new(),
            logs: Arc::new(logs),
            functions: RwLock::default(),
            config: Arc::new(config),
        }))
    }

    /// Makes the function, or makes the existing one so. Invocations under way end as they began.
    ///
    /// # Errors
    /// When the program is not where it must be.
    pub fn define_function(&self, spec: FunctionSpec) -> Result<(), AwsError> {
        let program = self.config.functions.join(&spec.binary);
        if !program.is_file() {
            let message = format!("there is no program {}; build it first", program.display());
            return Err(AwsError::bad_request("InvalidParameterValueException", message));
        }
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        if functions.get(&spec.name).is_some_and(|pool| pool.spec == spec) {
            return Ok(());
        }
        let pool = Pool::new(Arc::clone(&self.config), Arc::clone(&self.logs), spec);
        functions.insert(pool.spec.name.clone(), Arc::new(pool));
        Ok(())
    }

    /// The functions' logs, as a service.
    #[must_use]
    pub fn logs(&self) -> Arc<Logs> {
        Arc::clone(&self.logs)
    }

    /// Delivers asynchronous invocations and tidies up.
    pub async fn run(self: Arc<Self>) {
        tokio::join!(asynchronous::run(Arc::clone(&self)), self.tidy());
    }

    async fn tidy(&self) {
        loop {
            for pool in self.pools() {
                pool.cool();
            }
            if let Err(error) = self.logs.prune() {
                tracing::warn!(error = ?error, "old log lines could not be forgotten");
            }
            tokio::time::sleep(TIDY_INTERVAL).await;
        }
    }

    pub(crate) fn pools(&self) -> Vec<Arc<Pool>> {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The function by name, partial ARN or ARN, with or without a version.
    pub(crate) fn pool(&self, function: &str) -> Result<Arc<Pool>, AwsError> {
        let name = function_name(function);
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(name).cloned().ok_or_else(|| {
            let arn = self.config.account.arn("lambda", &format!("function:{name}"));
            AwsError::not_found("ResourceNotFoundException", format!("Function not found: {arn}"))
                .member("Type", "User")
        })
    }

    pub(crate) async fn invoke_pool(pool: Arc<Pool>, payload: Bytes) -> Result<Outcome, AwsError> {
        // In a task of its own: an invocation that began runs to its end, whatever becomes of the caller.
        let task = tokio::spawn(async move { pool.invoke(payload).await });
        task.await.unwrap_or_else(|error| Err(AwsError::internal(error.to_string())))
    }
}

#[async_trait]
impl Functions for Lambda {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invocation, AwsError> {
        Ok(Self::invoke_pool(self.pool(function)?, payload).await?.invocation)
    }
}

/// `arn:aws:lambda:us-east-1:000000000000:function:NAME:VERSION`, `000000000000:function:NAME`, `NAME:VERSION` or `NAME`.
fn function_name(text: &str) -> &str {
    let after = text.rsplit_once("function:").map_or(text, |(_, after)| after);
    after.split(':').next().unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::function_name;

    #[test]
    fn functions_are_named_in_many_ways() {
        for text in [
            "f",
            "f:live",
            "000000000000:function:f",
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        ] {
            assert_eq!(function_name(text), "f", "{text}");
        }
    }
}
