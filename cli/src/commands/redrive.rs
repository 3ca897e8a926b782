//! `vodline redrive`.

use std::process::ExitCode;

use aws_sdk_sfn::Client;
use clap::Args;
use vodline_contracts::{VideoId, video::VideoStatus};

use super::follow::follow;
use crate::{
    error::{CliError, doing},
    home::HomeArgs,
    render,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The run's name or ARN, or a video's id.
    id: String,
    /// Do not follow the run.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    let stack = home.stack().await?;
    let arn = stack.execution_arn(&arguments.id).await?;
    // The same token on the SDK's retries: one redrive, however often the call is sent.
    Client::new(&stack.config)
        .redrive_execution()
        .execution_arn(&arn)
        .client_token(uuid::Uuid::new_v4().to_string())
        .send()
        .await
        .map_err(doing(format!("redrive {}", arguments.id)))?;
    render::note(format!("redriven: {arn}"));
    match VideoId::parse(&arguments.id) {
        Some(video_id) if !arguments.no_wait => {
            let video = follow(&stack, &video_id).await?;
            Ok(if video.status == VideoStatus::Ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
