//! Clients and environment.

use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_step::{
    aws,
    callback::{Callback, StepFunctions},
    env::{MissingVariable, required},
};

use crate::Ports;

/// Step Functions and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    callback: StepFunctions,
}

impl Context {
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

impl Ports for Context {
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
