//! `vodline run`: one run, state by state.

use std::process::ExitCode;

use aws_sdk_sfn::Client;
use clap::Args;

use super::history;
use crate::{
    error::{CliError, doing},
    home::HomeArgs,
    render,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The run's name or ARN, or a video's id.
    id: String,
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    let stack = home.stack().await?;
    let arn = stack.execution_arn(&arguments.id).await?;
    let client = Client::new(&stack.config);
    let execution = client
        .describe_execution()
        .execution_arn(&arn)
        .send()
        .await
        .map_err(doing(format!("read the run {}", arguments.id)))?;
    render::line(format!("{}  {}", execution.status().as_str(), execution.execution_arn()));
    if let Some(count) = execution.redrive_count().filter(|&count| count > 0) {
        render::line(format!("redriven {count} times"));
    }
    if execution.error().is_some() || execution.cause().is_some() {
        render::line(render::printable(&history::message(execution.error(), execution.cause())));
    }
    let visits = history::visits(&history::events(&client, &arn).await?);
    let rows: Vec<Vec<String>> = visits
        .iter()
        .map(|visit| {
            vec![
                visit.state.clone(),
                visit.entered.to_string(),
                visit.exited.map(|exited| render::elapsed(visit.entered, exited)).unwrap_or_default(),
                visit.errors.join(" | "),
            ]
        })
        .collect();
    render::table(&["STATE", "ENTERED", "TOOK", "ERRORS"], &rows);
    Ok(ExitCode::SUCCESS)
}
