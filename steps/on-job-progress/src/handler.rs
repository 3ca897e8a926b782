//! The percentage to the row, a heartbeat to the task.

use vodline_catalog::waiting::Ports;
use vodline_contracts::{
    VideoId,
    aws::{
        Envelope,
        mediaconvert::{JobStateChange, JobStatus},
    },
    video::Progress,
};
use vodline_step::{StepError, callback::Callback};

/// MediaConvert's phases, as the row may show them.
const PHASES: &[&str] = &["PROBING", "TRANSCODING", "UPLOADING"];

/// Takes note of a job's progress. Late and repeated news is no news.
///
/// # Errors
/// What Step Functions and DynamoDB answer.
pub async fn handle(event: Envelope<JobStateChange>, ports: &impl Ports) -> Result<(), StepError> {
    let job = event.detail;
    let Some((video_id, attempt)) = of_ours(&job) else { return Ok(()) };
    if job.status != JobStatus::StatusUpdate {
        return Ok(());
    }
    let Some(item) = ports.catalog().job(&video_id).await? else { return Ok(()) };
    let ended = item.outputs.is_some() || item.failure.is_some();
    if ended || !item.is_of(attempt, &job.job_id) {
        tracing::info!(job_id = job.job_id, attempt, "news of a job that is over");
        return Ok(());
    }
    // The heartbeat first: the row can wait, the task's timeout does not.
    ports.callback().heartbeat(&item.task_token).await?;
    if let Some(progress) = job.job_progress {
        let phase = PHASES.iter().find(|phase| **phase == progress.current_phase).copied().unwrap_or_default();
        let progress = Progress { phase: phase.to_owned(), percent: progress.job_percent_complete.min(100) };
        ports.catalog().record_progress(&video_id, attempt, &progress, ports.now()).await?;
    }
    Ok(())
}

/// The video and the attempt that start-job wrote into the job's metadata.
fn of_ours(job: &JobStateChange) -> Option<(VideoId, u32)> {
    let video_id = VideoId::parse(job.user_metadata.get("videoId")?)?;
    let attempt = job.user_metadata.get("attempt")?.parse().ok()?;
    Some((video_id, attempt))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use jiff::Timestamp;
    use serde_json::json;
    use vodline_catalog::Catalog;
    use vodline_testing::{
        Callbacks, Sent,
        samples::{self, at},
    };

    use super::*;

    struct Fake {
        catalog: Catalog,
        callbacks: Callbacks,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn callback(&self) -> &impl Callback {
            &self.callbacks
        }

        fn now(&self) -> Timestamp {
            at(9)
        }
    }

    fn update(job_id: &str, attempt: u32, percent: u32) -> Envelope<JobStateChange> {
        let envelope = json!({
            "id": "1", "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert",
            "time": "2022-12-19T21:14:41Z",
            "detail": {
                "timestamp": 1_671_477_681_737_i64,
                "accountId": "111122223333",
                "queue": "arn:aws:mediaconvert:us-west-2:111122223333:queues/Default",
                "jobId": job_id,
                "status": "STATUS_UPDATE",
                "userMetadata": { "videoId": samples::video_id(), "attempt": attempt.to_string() },
                "framesDecoded": 353,
                "jobProgress": {
                    "phaseProgress": {
                        "PROBING": { "status": "COMPLETE", "percentComplete": 100 },
                        "TRANSCODING": { "status": "PROGRESSING", "percentComplete": percent },
                        "UPLOADING": { "status": "PENDING", "percentComplete": 0 },
                    },
                    "jobPercentComplete": percent,
                    "currentPhase": "TRANSCODING",
                    "retryCount": 0,
                },
            },
        });
        serde_json::from_value(envelope).expect("an event")
    }

    #[tokio::test]
    async fn progress_grows_and_the_task_stays_alive_until_the_job_is_over() {
        let catalog = vodline_testing::catalog();
        let id = samples::video_id();
        catalog.admit(&samples::video()).await.expect("admitted");
        catalog.await_job(&id, "t1", at(0)).await.expect("written");
        catalog.begin_attempt(&id, 0, at(0)).await.expect("written");
        let fake = Fake { catalog, callbacks: Callbacks::default() };

        let check = async |event: Envelope<JobStateChange>, beats: bool, percent: Option<u32>| {
            let shown = format!("{} {:?}", event.detail.job_id, event.detail.job_progress);
            handle(event, &fake).await.expect("noted");
            let expected = if beats { vec![Sent::Heartbeat("t1".to_owned())] } else { vec![] };
            assert_eq!(fake.callbacks.take(), expected, "{shown}");
            let row = fake.catalog.video(&id).await.expect("an answer").expect("a row");
            assert_eq!(row.progress.map(|progress| progress.percent), percent, "{shown}");
        };
        check(update("job-0", 0, 50), false, None).await;
        // The job's id is not recorded yet; its attempt is.
        check(update("job-1", 1, 7), true, Some(7)).await;
        fake.catalog.record_job(&id, 1, "job-1", at(1)).await.expect("written");
        check(update("job-2", 1, 9), false, Some(7)).await;
        check(update("job-1", 1, 30), true, Some(30)).await;
        check(update("job-1", 1, 20), true, Some(30)).await;
        check(update("job-1", 1, 400), true, Some(100)).await;
        let mut silent = update("job-1", 1, 0);
        silent.detail.job_progress = None;
        check(silent, true, Some(100)).await;
        let mut foreign = update("job-1", 1, 0);
        foreign.detail.user_metadata.clear();
        check(foreign, false, Some(100)).await;
        fake.catalog.record_outputs(&id, 1, &samples::job_outputs("job-1"), at(2)).await.expect("written");
        check(update("job-1", 1, 90), false, Some(100)).await;
    }
}
