//! One video.

use std::future::Future;

use aws_sdk_sfn::types::HistoryEvent;
use vodline_api_kit::{Failure, Request};
use vodline_catalog::Catalog;
use vodline_contracts::{
    VideoId,
    api::{RunProgress, VideoDetail},
    video::VideoStatus,
};
use vodline_step::StepError;

use crate::progress;

/// A run, as Step Functions tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// `RUNNING`, `FAILED`, and so on.
    pub status: String,
    /// Oldest first.
    pub history: Vec<HistoryEvent>,
}

/// What the handler touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The run; nothing when it is gone.
    fn run(&self, execution_arn: &str) -> impl Future<Output = Result<Option<Run>, StepError>>;
}

/// The video with its run.
///
/// # Errors
/// Not found, and what DynamoDB and Step Functions answer.
pub async fn handle(request: &Request, ports: &impl Ports) -> Result<VideoDetail, Failure> {
    let unknown = || Failure::not_found("there is no such video");
    let video_id = request.path_parameters.get("videoId").and_then(|text| VideoId::parse(text)).ok_or_else(unknown)?;
    let video = ports.catalog().video(&video_id).await?.ok_or_else(unknown)?;
    let run = if video.status == VideoStatus::Ready { None } else { ports.run(&video.execution_arn).await? };
    let run = run.map(|run| RunProgress { status: run.status, states: progress::states(&run.history) });
    Ok(VideoDetail { video, run })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use vodline_catalog::Published;
    use vodline_testing::samples::{self, EXECUTION, at};

    use super::*;

    struct Fake(Catalog);

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.0
        }

        async fn run(&self, execution_arn: &str) -> Result<Option<Run>, StepError> {
            assert_eq!(execution_arn, EXECUTION);
            Ok(Some(Run { status: "RUNNING".to_owned(), history: Vec::new() }))
        }
    }

    fn request(video_id: &str) -> Request {
        let mut request = Request::default();
        request.path_parameters.insert("videoId".to_owned(), video_id.to_owned());
        request
    }

    #[tokio::test]
    async fn a_video_comes_with_its_run_until_it_is_ready() {
        let catalog = vodline_testing::catalog();
        catalog.admit(&samples::video()).await.expect("admitted");
        let fake = Fake(catalog);
        let detail = handle(&request(samples::video_id().as_str()), &fake).await.expect("found");
        assert_eq!(detail.video, samples::video());
        assert_eq!(detail.run.map(|run| run.status).as_deref(), Some("RUNNING"));

        let outputs = samples::job_outputs("job-1");
        let published = Published {
            duration_ms: outputs.duration_ms,
            renditions: outputs.renditions,
            endpoint: None,
            domain_name: Some("h".to_owned()),
            storyboard: None,
            playback: samples::playback(),
            poster: None,
            receipt: samples::receipt(),
        };
        fake.0.record_ready(&samples::video_id(), EXECUTION, &published, at(1)).await.expect("written");
        let detail = handle(&request(samples::video_id().as_str()), &fake).await.expect("found");
        assert_eq!((detail.video.status, detail.run), (VideoStatus::Ready, None));
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let fake = Fake(vodline_testing::catalog());
        for id in ["v0123456789abcdef0123", "x", "", "../../etc"] {
            assert_eq!(handle(&request(id), &fake).await.expect_err("not found").code(), "NotFound", "{id}");
        }
        assert_eq!(handle(&Request::default(), &fake).await.expect_err("not found").code(), "NotFound");
    }
}
