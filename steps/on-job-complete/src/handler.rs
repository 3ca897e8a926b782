//! Keep how the job ended, then tell the task.

use vodline_catalog::{JobFailure, waiting::Ports};
use vodline_contracts::{
    ErrorCode, VideoId,
    aws::{
        Envelope,
        mediaconvert::{JobStateChange, JobStatus},
    },
    video::Progress,
};
use vodline_step::{
    StepError,
    callback::{Callback, Delivery},
};

use crate::outputs;

/// Ends the wait for a job. An event about a job that nothing waits for, or about an attempt that is over, changes nothing.
///
/// # Errors
/// What Step Functions and DynamoDB answer.
pub async fn handle(event: Envelope<JobStateChange>, ports: &impl Ports) -> Result<(), StepError> {
    let job = event.detail;
    let Some((video_id, attempt)) = of_ours(&job) else {
        return ignored(&job);
    };
    let failure = match job.status {
        JobStatus::Complete => match outputs::of_event(&job) {
            Some(outputs) => {
                let recorded = ports.catalog().record_outputs(&video_id, attempt, &outputs, ports.now()).await?;
                let Some(item) = recorded else { return ignored(&job) };
                ports.callback().succeed(&item.task_token, &outputs).await?;
                let progress = Progress { phase: "UPLOADING".to_owned(), percent: 100 };
                ports.catalog().record_progress(&video_id, attempt, &progress, ports.now()).await?;
                return Ok(());
            }
            None => failure(ErrorCode::TranscodeFailed, "MediaConvert made no HLS playlist".to_owned()),
        },
        JobStatus::Error => {
            let code = job.error_code.map_or_else(String::new, |code| format!(" {code}"));
            let words = job.error_message.as_deref().unwrap_or("the job failed");
            failure(ErrorCode::TranscodeFailed, format!("MediaConvert{code}: {words}"))
        }
        JobStatus::Canceled => {
            failure(ErrorCode::TranscodeCanceled, format!("MediaConvert job {} was canceled", job.job_id))
        }
        _ => return ignored(&job),
    };
    fail(&video_id, attempt, &job, failure, ports).await
}

fn failure(code: ErrorCode, message: String) -> JobFailure {
    JobFailure { code, message, told: false }
}

/// Keeps the failure, tells it, and keeps that it was told, so that a redrive begins a new attempt.
async fn fail(
    video_id: &VideoId,
    attempt: u32,
    job: &JobStateChange,
    failure: JobFailure,
    ports: &impl Ports,
) -> Result<(), StepError> {
    let keep = async |failure: &JobFailure| {
        ports.catalog().record_job_failure(video_id, attempt, &job.job_id, failure, ports.now()).await
    };
    let known = ports.catalog().job(video_id).await?.and_then(|item| item.failure);
    if known.is_some_and(|failure| failure.told) {
        return ignored(job);
    }
    let Some(item) = keep(&failure).await? else { return ignored(job) };
    if ports.callback().fail(&item.task_token, failure.code, &failure.message).await? == Delivery::Delivered {
        keep(&JobFailure { told: true, ..failure }).await?;
    }
    Ok(())
}

/// The video and the attempt that start-job wrote into the job's metadata.
fn of_ours(job: &JobStateChange) -> Option<(VideoId, u32)> {
    let video_id = VideoId::parse(job.user_metadata.get("videoId")?)?;
    let attempt = job.user_metadata.get("attempt")?.parse().ok()?;
    Some((video_id, attempt))
}

fn ignored(job: &JobStateChange) -> Result<(), StepError> {
    tracing::info!(job_id = job.job_id, status = ?job.status, "the event changes nothing");
    Ok(())
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

    /// A video whose first job is at work, and a task with token `t1` waiting for it.
    async fn waiting(callbacks: Callbacks) -> Fake {
        let catalog = vodline_testing::catalog();
        let id = samples::video_id();
        catalog.admit(&samples::video()).await.expect("admitted");
        catalog.await_job(&id, "t1", at(0)).await.expect("written");
        catalog.begin_attempt(&id, 0, at(0)).await.expect("written");
        catalog.record_job(&id, 1, "job-1", at(0)).await.expect("written");
        Fake { catalog, callbacks }
    }

    fn event(job_id: &str, attempt: u32, more: serde_json::Value) -> Envelope<JobStateChange> {
        let mut detail = json!({
            "jobId": job_id,
            "timestamp": 1_771_852_259_573_i64,
            "accountId": "111122223333",
            "userMetadata": { "videoId": samples::video_id(), "attempt": attempt.to_string(), "app": "vodline" },
        });
        detail.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let envelope = json!({
            "version": "0",
            "id": "6024dfe7-0e47-8fcd-7cfc-c507ced492fe",
            "detail-type": "MediaConvert Job State Change",
            "source": "aws.mediaconvert",
            "time": "2026-02-23T13:10:59Z",
            "resources": [],
            "detail": detail,
        });
        serde_json::from_value(envelope).expect("an event")
    }

    fn complete(job_id: &str, attempt: u32) -> Envelope<JobStateChange> {
        let prefix = format!("s3://media/{}", samples::video_id().media_prefix());
        let video = |path: &str, width: u32, height: u32, bitrate: u32| {
            json!({
                "outputFilePaths": [format!("{prefix}{path}")],
                "durationInMs": 20_000,
                "videoDetails": { "widthInPx": width, "heightInPx": height, "averageBitrate": bitrate, "qvbrAvgQuality": 7.1 },
            })
        };
        event(
            job_id,
            attempt,
            json!({
                "status": "COMPLETE",
                "outputGroupDetails": [
                    {
                        "type": "FILE_GROUP",
                        "outputDetails": [video("mp4/video_720p.mp4", 1280, 720, 1_500_000)],
                    },
                    {
                        "type": "FILE_GROUP",
                        "outputDetails": [
                            video("images/video_poster.0000001.jpg", 1280, 720, 300_000),
                            video("images/video_thumbnail.0000019.jpg", 320, 180, 300_000),
                        ],
                    },
                    {
                        "type": "DASH_ISO_GROUP",
                        "outputDetails": [video("dash/manifest_360p.mp4", 640, 360, 500_000)],
                        "playlistFilePaths": [format!("{prefix}dash/manifest.mpd")],
                    },
                    {
                        "type": "HLS_GROUP",
                        "outputDetails": [
                            video("hls/master_720p.m3u8", 1280, 720, 1_500_000),
                            video("hls/master_360p.m3u8", 640, 360, 500_000),
                            video("hls/master_540p.m3u8", 960, 540, 1_000_000),
                            { "outputFilePaths": [format!("{prefix}hls/master_captions.m3u8")], "durationInMs": 0 },
                        ],
                        "playlistFilePaths": [format!("{prefix}hls/master.m3u8")],
                    },
                ],
                "warnings": [{ "code": 250_003, "count": 1 }],
            }),
        )
    }

    #[tokio::test]
    async fn a_complete_job_ends_the_wait_with_what_it_made() {
        let fake = waiting(Callbacks::default()).await;
        handle(complete("job-1", 1), &fake).await.expect("told");
        let mut outputs = samples::job_outputs("job-1");
        outputs.warnings = vec![250_003];
        assert_eq!(fake.callbacks.take(), [Sent::Success("t1".to_owned(), json!(outputs))]);
        let row = fake.catalog.video(&samples::video_id()).await.expect("an answer").expect("a row");
        assert_eq!(row.progress.map(|progress| progress.percent), Some(100));
    }

    #[tokio::test]
    async fn what_was_made_is_kept_when_no_one_waits() {
        let fake = waiting(Callbacks::unawaited()).await;
        handle(complete("job-1", 1), &fake).await.expect("kept");
        let item = fake.catalog.job(&samples::video_id()).await.expect("an answer").expect("an item");
        assert_eq!(item.outputs.map(|outputs| outputs.job_id).as_deref(), Some("job-1"));
    }

    #[tokio::test]
    async fn a_failure_is_told_with_its_code_and_words_and_only_once() {
        let check = async |more: serde_json::Value, code: ErrorCode, message: &str| {
            let fake = waiting(Callbacks::default()).await;
            handle(event("job-1", 1, more.clone()), &fake).await.expect("told");
            assert_eq!(fake.callbacks.take(), [Sent::Failure("t1".to_owned(), code, message.to_owned())]);
            handle(event("job-1", 1, more), &fake).await.expect("ignored");
            assert_eq!(fake.callbacks.take(), []);
        };
        check(
            json!({"status": "ERROR", "errorCode": 1040, "errorMessage": "Example error message"}),
            ErrorCode::TranscodeFailed,
            "MediaConvert 1040: Example error message",
        )
        .await;
        check(json!({"status": "ERROR"}), ErrorCode::TranscodeFailed, "MediaConvert: the job failed").await;
        check(json!({"status": "CANCELED"}), ErrorCode::TranscodeCanceled, "MediaConvert job job-1 was canceled").await;
        check(json!({"status": "COMPLETE"}), ErrorCode::TranscodeFailed, "MediaConvert made no HLS playlist").await;
    }

    #[tokio::test]
    async fn a_failure_that_found_no_one_is_not_told_yet() {
        let fake = waiting(Callbacks::unawaited()).await;
        handle(event("job-1", 1, json!({"status": "CANCELED"})), &fake).await.expect("kept");
        let item = fake.catalog.job(&samples::video_id()).await.expect("an answer").expect("an item");
        assert!(item.failure.is_some_and(|failure| !failure.told));
    }

    #[tokio::test]
    async fn events_of_other_jobs_and_attempts_change_nothing() {
        let fake = waiting(Callbacks::default()).await;
        let before = fake.catalog.job(&samples::video_id()).await.expect("an answer");
        let mut foreign = complete("job-1", 1);
        foreign.detail.user_metadata.clear();
        for event in [
            foreign,
            complete("job-2", 1),
            complete("job-1", 2),
            event("job-0", 0, json!({"status": "ERROR"})),
            event("job-1", 1, json!({"status": "PROGRESSING"})),
        ] {
            handle(event, &fake).await.expect("ignored");
        }
        assert_eq!(fake.callbacks.take(), []);
        assert_eq!(fake.catalog.job(&samples::video_id()).await.expect("an answer"), before);
    }

    #[tokio::test]
    async fn a_late_error_does_not_undo_a_completion() {
        let fake = waiting(Callbacks::default()).await;
        handle(complete("job-1", 1), &fake).await.expect("told");
        handle(event("job-1", 1, json!({"status": "ERROR"})), &fake).await.expect("ignored");
        assert_eq!(fake.callbacks.take().len(), 1);
    }
}
