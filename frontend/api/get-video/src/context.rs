//! Clients and environment.

use aws_sdk_sfn::{Client, operation::describe_execution::DescribeExecutionError};
use vodline_catalog::Catalog;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::{Ports, Run};

/// Events in a page of a history; the API's largest.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html>.
const PAGE_EVENTS: i32 = 1000;
/// Pages that are read; a run of the publish machine has some sixty events, and a few for every retry.
const PAGES_MAX: usize = 4;

/// Step Functions and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
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
        let catalog = Catalog::new(aws_sdk_dynamodb::Client::new(&config), table);
        Ok(Self { catalog, states: Client::new(&config) })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    async fn run(&self, execution_arn: &str) -> Result<Option<Run>, StepError> {
        let described = self.states.describe_execution().execution_arn(execution_arn).send().await;
        let status = match described {
            Ok(answer) => answer.status.as_str().to_owned(),
            Err(error) if error.as_service_error().is_some_and(DescribeExecutionError::is_execution_does_not_exist) => {
                return Ok(None);
            }
            Err(error) => return Err(service_error("states:DescribeExecution", error)),
        };
        let mut history = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let answer = self
                .states
                .get_execution_history()
                .execution_arn(execution_arn)
                .max_results(PAGE_EVENTS)
                .include_execution_data(false)
                .set_next_token(token.take())
                .send()
                .await
                .map_err(|error| service_error("states:GetExecutionHistory", error))?;
            history.extend(answer.events);
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(Some(Run { status, history }))
    }
}
