//! Clients and environment.

use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_step::{
    announce::{Announce, EventBridge},
    aws,
    env::{MissingVariable, required},
};

use crate::Ports;

/// EventBridge and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    bus: EventBridge,
    site_url: String,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let site_url = required("SITE_URL")?;
        let config = aws::config().await;
        Ok(Self {
            catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table),
            bus: EventBridge::new(aws_sdk_eventbridge::Client::new(&config)),
            site_url: site_url.trim_end_matches('/').to_owned(),
        })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn bus(&self) -> &impl Announce {
        &self.bus
    }

    fn site_url(&self) -> &str {
        &self.site_url
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
