//! Clients and environment.

use vodline_catalog::Catalog;
use vodline_step::{
    aws,
    env::{MissingVariable, required},
};

use crate::Ports;

/// The table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let config = aws::config().await;
        Ok(Self { catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table) })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}
