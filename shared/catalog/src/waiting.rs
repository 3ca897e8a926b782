//! What the functions have in common that hear of the end, or the progress, of what a task waits for: the table that knows
//! the task's token, and Step Functions.

use jiff::Timestamp;
use vodline_step::{
    aws,
    callback::{Callback, StepFunctions},
    env::{MissingVariable, required},
};

use crate::Catalog;

/// What such a function touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The waiting task.
    fn callback(&self) -> &impl Callback;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Step Functions and the table.
#[derive(Debug)]
pub struct TableAndCallback {
    catalog: Catalog,
    callback: StepFunctions,
}

impl TableAndCallback {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let config = aws::config().await;
        Ok(Self {
            catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table),
            callback: StepFunctions::new(aws_sdk_sfn::Client::new(&config)),
        })
    }
}

impl Ports for TableAndCallback {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn callback(&self) -> &impl Callback {
        &self.callback
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
