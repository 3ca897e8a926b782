//! `vodline videos`.

use std::process::ExitCode;

use clap::Args;
use vodline_contracts::video::VideoStatus;

use crate::{error::CliError, home::HomeArgs, render, row};

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many to list.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
    /// Print rows as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    let stack = home.stack().await?;
    let videos = row::newest(&stack, arguments.limit).await?;
    if arguments.json {
        render::line(serde_json::to_string_pretty(&videos).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = videos
        .iter()
        .map(|video| {
            let status = match (video.status, &video.progress, &video.error) {
                (VideoStatus::Ready, ..) => "READY".to_owned(),
                (VideoStatus::Processing, Some(progress), _) => format!("PROCESSING {} %", progress.percent),
                (VideoStatus::Processing, ..) => "PROCESSING".to_owned(),
                (VideoStatus::Failed, _, Some(error)) => format!("FAILED {}", error.code),
                (VideoStatus::Failed, ..) => "FAILED".to_owned(),
            };
            vec![
                video.video_id.to_string(),
                status,
                video.duration_ms.map(render::clock).unwrap_or_default(),
                video.created_at.clone(),
                video.title.clone(),
            ]
        })
        .collect();
    render::table(&["VIDEO", "STATUS", "LENGTH", "CREATED", "TITLE"], &rows);
    Ok(ExitCode::SUCCESS)
}
