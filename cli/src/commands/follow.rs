//! Follows a video's run state by state until it ends.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_sfn::{Client, types::ExecutionStatus};
use indicatif::{ProgressBar, ProgressStyle};
use vodline_contracts::{
    VideoId,
    video::{Video, VideoStatus},
};

use super::history::{self, Visit};
use crate::{
    error::{CliError, doing},
    home::Stack,
    render, row,
};

/// How often the home is asked; often enough to feel live, seldom enough to cost nothing on AWS.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long after an upload the row may take to appear.
const ADMISSION_POLLS_MAX: u32 = 240;

/// Waits until the upload has been admitted, then follows its run to the end and returns the row.
pub(crate) async fn follow(stack: &Stack, video_id: &VideoId) -> Result<Video, CliError> {
    let admitted = admission(stack, video_id).await?;
    let client = Client::new(&stack.config);
    let mut printer = Printer::default();
    loop {
        let execution = client
            .describe_execution()
            .execution_arn(&admitted.execution_arn)
            .send()
            .await
            .map_err(doing("read the run"))?;
        let events = history::events(&client, &admitted.execution_arn).await?;
        let video = row::find(stack, video_id).await?.unwrap_or_else(|| admitted.clone());
        printer.update(&history::visits(&events), &video);
        // The row of a failed run is written by an event after the run's end: wait for it, so that its words are there.
        let settled = match execution.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => false,
            ExecutionStatus::Succeeded => true,
            _ => video.status == VideoStatus::Failed,
        };
        if settled {
            printer.finish();
            return Ok(video);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn admission(stack: &Stack, video_id: &VideoId) -> Result<Video, CliError> {
    for _ in 0..ADMISSION_POLLS_MAX {
        if let Some(video) = row::find(stack, video_id).await? {
            return Ok(video);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(CliError::Plain(format!(
        "the upload arrived, but no run has admitted it as {video_id}; `vodline runs` and `vodline logs admit-upload` may say why"
    )))
}

/// Prints every state once when it ends, and the transcode's percentage while it runs.
#[derive(Default)]
struct Printer {
    printed: BTreeSet<usize>,
    bar: Option<ProgressBar>,
}

impl Printer {
    fn update(&mut self, visits: &[Visit], video: &Video) {
        for (index, visit) in visits.iter().enumerate() {
            if let Some(exited) = visit.exited
                && self.printed.insert(index)
            {
                self.print(&format!("  {:<28} {}", visit.state, render::elapsed(visit.entered, exited)));
            }
        }
        match (&video.progress, video.status) {
            (Some(progress), VideoStatus::Processing) => {
                let bar = self.bar.get_or_insert_with(transcode_bar);
                bar.set_position(u64::from(progress.percent));
            }
            _ => self.finish(),
        }
    }

    fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| render::note(text)),
            None => render::note(text),
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn transcode_bar() -> ProgressBar {
    let bar = if render::interactive() { ProgressBar::new(100) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("  transcoding [{bar:40}] {pos} %") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
