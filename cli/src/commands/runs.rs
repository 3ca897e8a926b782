//! `vodline runs`.

use std::process::ExitCode;

use aws_sdk_sfn::{Client, types::ExecutionStatus};
use clap::Args;

use super::history::timestamp;
use crate::{
    error::{CliError, doing},
    home::HomeArgs,
    render,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only runs with this status, such as FAILED.
    #[arg(long, value_parser = parse_status)]
    status: Option<ExecutionStatus>,
    /// How many to list.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
}

fn parse_status(text: &str) -> Result<ExecutionStatus, String> {
    ExecutionStatus::try_parse(&text.to_ascii_uppercase())
        .map_err(|_| format!("one of {}", ExecutionStatus::values().join(", ")))
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    let stack = home.stack().await?;
    let answer = Client::new(&stack.config)
        .list_executions()
        .state_machine_arn(stack.output("PublishArn")?)
        .set_status_filter(arguments.status.clone())
        .max_results(arguments.limit)
        .send()
        .await
        .map_err(doing("list the runs"))?;
    let rows: Vec<Vec<String>> = answer
        .executions()
        .iter()
        .map(|execution| {
            let started = timestamp(execution.start_date());
            let took = execution.stop_date().map(|stop| render::elapsed(started, timestamp(stop)));
            vec![
                execution.name().to_owned(),
                execution.status().as_str().to_owned(),
                started.to_string(),
                took.unwrap_or_default(),
            ]
        })
        .collect();
    render::table(&["RUN", "STATUS", "STARTED", "TOOK"], &rows);
    Ok(ExitCode::SUCCESS)
}
