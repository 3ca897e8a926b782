//! `vodline logs`.

use std::{process::ExitCode, time::Duration};

use aws_sdk_cloudwatchlogs::Client;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{CliError, doing},
    home::HomeArgs,
    render,
};

/// How often a followed log is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The function, such as `start-job`.
    function: String,
    /// How far back, such as `2h` or `30m`.
    #[arg(long, default_value = "1h")]
    since: SignedDuration,
    /// Only lines with this text.
    #[arg(long)]
    filter: Option<String>,
    /// Go on as new lines come.
    #[arg(long, short)]
    follow: bool,
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    let config = home.sdk_config().await;
    let client = Client::new(&config);
    let prefix = format!("{}-", home.stack);
    let name = arguments.function.strip_prefix(&prefix).unwrap_or(&arguments.function);
    let group = format!("/aws/lambda/{prefix}{name}");
    let mut from = (Timestamp::now() - arguments.since).as_millisecond();
    loop {
        let mut pages = client
            .filter_log_events()
            .log_group_name(&group)
            .start_time(from)
            .set_filter_pattern(arguments.filter.as_ref().map(|text| format!("\"{}\"", text.replace('"', "\\\""))))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for event in page.map_err(doing(format!("read the log {group}")))?.events() {
                let at = event.timestamp().unwrap_or_default();
                let time = Timestamp::from_millisecond(at).unwrap_or_default();
                render::line(format!(
                    "{time:.3}  {}",
                    render::printable(event.message().unwrap_or_default().trim_end())
                ));
                from = from.max(at + 1);
            }
        }
        if !arguments.follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
