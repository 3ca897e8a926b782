//! Find the video of the execution, and say on its row why it failed, or that it is in the making again.

use std::future::Future;

use jiff::Timestamp;
use serde::Deserialize;
use vodline_catalog::{Admission, Catalog, FailureRecord};
use vodline_contracts::{
    aws::{Envelope, s3::ObjectCreated, states::ExecutionStatusChange},
    source::Source,
    video::{Failure, Video, VideoFailed, VideoStatus},
};
use vodline_step::{StepError, announce::Announce, time::rfc3339};

/// Characters of a message on the row at most; the run has all of it.
const MESSAGE_CHARACTERS_MAX: usize = 2_000;

/// An execution, as Step Functions tells of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// `RUNNING`, `FAILED`, and so on.
    pub status: String,
    /// JSON text.
    pub input: Option<String>,
    /// The error's name.
    pub error: Option<String>,
    /// The error's words.
    pub cause: Option<String>,
}

/// What the step touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The event bus.
    fn bus(&self) -> &impl Announce;
    /// The execution; nothing when it is gone.
    fn execution(&self, arn: &str) -> impl Future<Output = Result<Option<Execution>, StepError>>;
    /// The state it failed in, where its history says so.
    fn failed_state(&self, arn: &str) -> impl Future<Output = Result<Option<String>, StepError>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// What Lambda makes of a function's error, and Step Functions of its cause.
#[derive(Deserialize)]
struct FunctionError {
    #[serde(rename = "errorMessage")]
    message: String,
}

/// Brings the row to where the execution is, whatever the event was about: events come late and out of order. A failed
/// execution's row is FAILED; a redriven one's is in progress again. The row of another execution, and one that is READY, are
/// left alone.
///
/// # Errors
/// What Step Functions, DynamoDB and EventBridge answer.
pub async fn handle(event: Envelope<ExecutionStatusChange>, ports: &impl Ports) -> Result<(), StepError> {
    let arn = event.detail.execution_arn;
    let Some(execution) = ports.execution(&arn).await? else {
        tracing::warn!("the execution is gone, nobody can say what became of it");
        return Ok(());
    };
    let input = execution.input.as_deref().or(event.detail.input.as_deref());
    let Some(source) = input.and_then(source_of) else {
        tracing::warn!("the execution was not started by an upload, it has no video");
        return Ok(());
    };
    match execution.status.as_str() {
        "RUNNING" => ports.catalog().resume(&source.video_id(), &arn, ports.now()).await,
        "FAILED" | "TIMED_OUT" | "ABORTED" => fail(&source, arn, &execution, ports).await,
        status => {
            tracing::info!(status, "the execution has gone on since");
            Ok(())
        }
    }
}

/// Marks the video, and tells the bus.
async fn fail(source: &Source, arn: String, execution: &Execution, ports: &impl Ports) -> Result<(), StepError> {
    let failure =
        Failure { code: code_of(execution), message: message_of(execution), state: ports.failed_state(&arn).await? };
    let Some(video) = record(source, &arn, &failure, ports).await? else {
        tracing::info!("the video is published, or another run's: the failure is not its own");
        return Ok(());
    };
    let failed = VideoFailed { video_id: video.video_id, error: failure, execution_arn: arn };
    ports.bus().announce("VideoFailed", &failed).await
}

/// The row, marked. A video whose admission itself failed has no row yet: it gets one, so that no upload is lost in silence.
async fn record(source: &Source, arn: &str, failure: &Failure, ports: &impl Ports) -> Result<Option<Video>, StepError> {
    let video_id = source.video_id();
    let (catalog, now) = (ports.catalog(), ports.now());
    match catalog.record_failure(&video_id, arn, failure, now).await? {
        FailureRecord::Recorded(video) => return Ok(Some(*video)),
        FailureRecord::Superseded => return Ok(None),
        FailureRecord::NoSuchVideo => {}
    }
    let mut video = Video::admitted(source.clone(), None, arn, rfc3339(now));
    video.status = VideoStatus::Failed;
    video.error = Some(failure.clone());
    match catalog.admit(&video).await? {
        Admission::Admitted => Ok(Some(video)),
        // Someone made one meanwhile; the event comes again, and finds it.
        Admission::Known(_) => Err(StepError::new(
            vodline_step::ErrorCode::ServiceUnavailable,
            "the row appeared while the failure was being recorded",
        )),
    }
}

/// The uploaded object that started the execution.
fn source_of(input: &str) -> Option<Source> {
    let event: Envelope<ObjectCreated> = serde_json::from_str(input).ok()?;
    Some(Source::of_upload(&event.detail))
}

/// The error's name; an execution that was stopped, or ran out of time, has none of its own.
fn code_of(execution: &Execution) -> String {
    let unnamed = if execution.status == "TIMED_OUT" { "States.Timeout" } else { "Aborted" };
    execution.error.clone().filter(|error| !error.is_empty()).unwrap_or_else(|| unnamed.to_owned())
}

/// The words for people: those of the function, where the cause is a function's error.
fn message_of(execution: &Execution) -> String {
    let unexplained = match execution.status.as_str() {
        "ABORTED" => "the run was stopped",
        "TIMED_OUT" => "the run took too long",
        _ => "the run failed without a word",
    };
    let cause = execution.cause.as_deref().filter(|cause| !cause.is_empty()).unwrap_or(unexplained);
    let message = serde_json::from_str::<FunctionError>(cause).map_or_else(|_| cause.to_owned(), |error| error.message);
    message.chars().take(MESSAGE_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::{Value, json};
    use vodline_contracts::video::VideoStatus;
    use vodline_testing::{
        Announcements,
        samples::{self, EXECUTION, OTHER_EXECUTION, at},
    };

    use super::*;

    struct Fake {
        catalog: Catalog,
        bus: Announcements,
        execution: Option<Execution>,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn bus(&self) -> &impl Announce {
            &self.bus
        }

        async fn execution(&self, _: &str) -> Result<Option<Execution>, StepError> {
            Ok(self.execution.clone())
        }

        async fn failed_state(&self, _: &str) -> Result<Option<String>, StepError> {
            Ok(Some("ProbeSource".to_owned()))
        }

        fn now(&self) -> Timestamp {
            at(60)
        }
    }

    fn upload() -> String {
        let source = samples::source();
        json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
            "source": "aws.s3", "account": "111122223333", "time": "2021-11-12T00:00:00Z", "region": "eu-west-1",
            "resources": ["arn:aws:s3:::uploads"],
            "detail": {
                "version": "0", "bucket": { "name": source.bucket },
                "object": {
                    "key": source.key, "size": source.size_bytes, "etag": source.etag,
                    "version-id": source.version_id, "sequencer": "617f08299329d189",
                },
                "request-id": "N4N7GDK58NMKJ12R", "requester": "111122223333", "reason": "PutObject",
            },
        })
        .to_string()
    }

    fn execution(status: &str, error: Option<&str>, cause: Option<&str>) -> Option<Execution> {
        Some(Execution {
            status: status.to_owned(),
            input: Some(upload()),
            error: error.map(str::to_owned),
            cause: cause.map(str::to_owned),
        })
    }

    async fn call(fake: &Fake, arn: &str) {
        let event = json!({
            "id": "1", "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "time": "2026-11-22T00:00:00Z", "detail": { "executionArn": arn, "status": "FAILED" },
        });
        handle(serde_json::from_value(event).expect("an event"), fake).await.expect("no error");
    }

    async fn fake(execution: Option<Execution>) -> Fake {
        let catalog = vodline_testing::catalog();
        catalog.admit(&samples::video()).await.expect("admitted");
        Fake { catalog, bus: Announcements::default(), execution }
    }

    async fn row(fake: &Fake) -> Video {
        fake.catalog.video(&samples::video_id()).await.expect("an answer").expect("a row")
    }

    fn failed(code: &str, message: &str) -> Value {
        json!({ "code": code, "message": message, "state": "ProbeSource" })
    }

    #[tokio::test]
    async fn a_failed_run_is_on_the_row_and_the_bus_hears_of_it() {
        let check = async |status: &str, error: Option<&str>, cause: Option<&str>, code: &str, message: &str| {
            let fake = fake(execution(status, error, cause)).await;
            call(&fake, EXECUTION).await;
            let row = row(&fake).await;
            assert_eq!((row.status, json!(row.error)), (VideoStatus::Failed, failed(code, message)));
            let told = json!({
                "videoId": samples::video_id(), "error": failed(code, message), "executionArn": EXECUTION,
            });
            assert_eq!(fake.bus.take(), [("VideoFailed".to_owned(), told)]);
        };
        let cause = r#"{"errorType":"Vod.UnsupportedSource","errorMessage":"the file is empty"}"#;
        check("FAILED", Some("Vod.UnsupportedSource"), Some(cause), "Vod.UnsupportedSource", "the file is empty").await;
        check("FAILED", Some("Vod.TranscodeFailed"), Some("words"), "Vod.TranscodeFailed", "words").await;
        check("FAILED", Some("States.Runtime"), None, "States.Runtime", "the run failed without a word").await;
        check("TIMED_OUT", None, None, "States.Timeout", "the run took too long").await;
        check("ABORTED", None, None, "Aborted", "the run was stopped").await;
        check("ABORTED", Some("Oops"), Some("mine"), "Oops", "mine").await;
        let long = "x".repeat(10_000);
        check("FAILED", Some("E"), Some(&long), "E", &long[..MESSAGE_CHARACTERS_MAX]).await;
    }

    #[tokio::test]
    async fn a_run_that_is_at_work_again_or_has_no_video_changes_nothing() {
        let mut foreign = execution("FAILED", None, None).expect("one");
        foreign.input = Some("{}".to_owned());
        for (execution, arn) in [
            (execution("RUNNING", None, None), EXECUTION),
            (execution("RUNNING", None, None), OTHER_EXECUTION),
            (execution("SUCCEEDED", None, None), EXECUTION),
            (execution("PENDING_REDRIVE", None, None), EXECUTION),
            (execution("FAILED", None, None), OTHER_EXECUTION),
            (Some(foreign), EXECUTION),
            (None, EXECUTION),
        ] {
            let fake = fake(execution).await;
            call(&fake, arn).await;
            assert_eq!(row(&fake).await.status, VideoStatus::Processing);
            assert_eq!(fake.bus.take(), []);
        }
    }

    #[tokio::test]
    async fn a_redriven_run_is_in_progress_again_in_whatever_order_its_events_come() {
        let mut fake = fake(execution("FAILED", Some("Vod.PlaybackUnverified"), Some("no"))).await;
        let becomes = async |fake: &mut Fake, status: &str, expected: VideoStatus| {
            fake.execution = execution(status, None, None);
            call(fake, EXECUTION).await;
            assert_eq!(row(fake).await.status, expected, "{status}");
        };
        becomes(&mut fake, "FAILED", VideoStatus::Failed).await;
        becomes(&mut fake, "RUNNING", VideoStatus::Processing).await;
        assert_eq!(row(&fake).await.error, None);
        // It failed again before its news of running came, and is redriven once more.
        becomes(&mut fake, "FAILED", VideoStatus::Failed).await;
        becomes(&mut fake, "RUNNING", VideoStatus::Processing).await;
        assert_eq!(fake.bus.take().len(), 2);
    }

    #[tokio::test]
    async fn a_video_whose_admission_failed_gets_a_row_too() {
        let execution = execution("FAILED", Some("Vod.AccessDenied"), Some("no"));
        let fake = Fake { catalog: vodline_testing::catalog(), bus: Announcements::default(), execution };
        call(&fake, EXECUTION).await;
        let row = row(&fake).await;
        assert_eq!((row.title.as_str(), row.status), ("A cat & a dog", VideoStatus::Failed));
        assert_eq!(row.error.map(|error| error.code).as_deref(), Some("Vod.AccessDenied"));
        assert_eq!(fake.bus.take().len(), 1);
    }
}
