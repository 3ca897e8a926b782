//! Clients and environment.

use aws_sdk_sfn::{Client, operation::describe_execution::DescribeExecutionError};
use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_step::{
    StepError,
    announce::{Announce, EventBridge},
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::{Execution, Ports, history};

/// Events of a history that are looked at, newest first; the API's largest page.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html>.
const EVENTS_MAX: i32 = 1000;

/// Step Functions, EventBridge and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    bus: EventBridge,
    states: Client,
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
            bus: EventBridge::new(aws_sdk_eventbridge::Client::new(&config)),
            states: Client::new(&config),
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

    async fn execution(&self, arn: &str) -> Result<Option<Execution>, StepError> {
        match self.states.describe_execution().execution_arn(arn).send().await {
            Ok(answer) => Ok(Some(Execution {
                status: answer.status.as_str().to_owned(),
                input: answer.input,
                error: answer.error,
                cause: answer.cause,
            })),
            Err(error) if error.as_service_error().is_some_and(DescribeExecutionError::is_execution_does_not_exist) => {
                Ok(None)
            }
            Err(error) => Err(service_error("states:DescribeExecution", error)),
        }
    }

    async fn failed_state(&self, arn: &str) -> Result<Option<String>, StepError> {
        let answer = self
            .states
            .get_execution_history()
            .execution_arn(arn)
            .reverse_order(true)
            .max_results(EVENTS_MAX)
            .include_execution_data(false)
            .send()
            .await
            .map_err(|error| service_error("states:GetExecutionHistory", error))?;
        Ok(history::failed_state(&answer.events))
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
