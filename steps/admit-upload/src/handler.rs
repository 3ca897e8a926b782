//! Dedupes and registers.

use std::future::Future;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use vodline_catalog::{Admission, Catalog};
use vodline_contracts::{
    ErrorCode,
    source::Source,
    steps::{AdmitUploadInput, AdmitUploadOutput},
    video::Video,
};
use vodline_step::{StepError, time::rfc3339};

/// What the step touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The title in the object's metadata, percent-encoded, where there is one. Fails when this version of the object is gone.
    fn title(&self, source: &Source) -> impl Future<Output = Result<Option<String>, StepError>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Registers the upload as a video. A retry of the same execution finds its own row and goes on; any other execution is a
/// duplicate.
///
/// # Errors
/// [`ErrorCode::DuplicateUpload`], [`ErrorCode::SourceUnavailable`], and what S3 and DynamoDB answer.
pub async fn handle(input: AdmitUploadInput, ports: &impl Ports) -> Result<AdmitUploadOutput, StepError> {
    let source = Source::of_upload(&input.upload);
    let encoded = ports.title(&source).await?;
    let title = encoded.as_deref().map(|title| percent_decode_str(title).decode_utf8_lossy());
    let video = Video::admitted(source, title.as_deref(), &input.run.execution_arn, rfc3339(ports.now()));
    let video = match ports.catalog().admit(&video).await? {
        Admission::Admitted => video,
        Admission::Known(known) if known.execution_arn == input.run.execution_arn => *known,
        Admission::Known(known) => {
            tracing::info!(published_by = known.execution_arn, "the upload is a video already");
            return Err(StepError::new(
                ErrorCode::DuplicateUpload,
                format!("the upload is video {} already", known.video_id),
            ));
        }
    };
    Ok(AdmitUploadOutput { video_id: video.video_id, source: video.source, title: video.title })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use vodline_contracts::{
        aws::s3::{Bucket, Object, ObjectCreated},
        video::VideoStatus,
    };
    use vodline_testing::samples::{self, EXECUTION, OTHER_EXECUTION, at};

    use super::*;

    struct Fake {
        catalog: Catalog,
        title: Option<&'static str>,
        gone: bool,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        async fn title(&self, _: &Source) -> Result<Option<String>, StepError> {
            if self.gone {
                return Err(StepError::new(ErrorCode::SourceUnavailable, "gone"));
            }
            Ok(self.title.map(str::to_owned))
        }

        fn now(&self) -> Timestamp {
            at(0)
        }
    }

    fn fake(title: Option<&'static str>) -> Fake {
        Fake { catalog: vodline_testing::catalog(), title, gone: false }
    }

    fn input(key: &str, execution: &str) -> AdmitUploadInput {
        let mut run = samples::run("AdmitUpload");
        run.execution_arn = execution.to_owned();
        AdmitUploadInput {
            run,
            upload: ObjectCreated {
                bucket: Bucket { name: "uploads".to_owned() },
                object: Object {
                    key: key.to_owned(),
                    size: 0,
                    etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
                    version_id: Some("3HL4".to_owned()),
                    sequencer: None,
                },
                reason: None,
            },
        }
    }

    #[tokio::test]
    async fn an_upload_gets_a_row_with_its_title_or_its_name() {
        let check = async |key: &str, title: Option<&'static str>, expected: &str| {
            let fake = fake(title);
            let output = handle(input(key, EXECUTION), &fake).await.expect("admitted");
            assert_eq!(output.title, expected, "{key}, {title:?}");
            let row = fake.catalog.video(&output.video_id).await.expect("an answer").expect("a row");
            assert_eq!((row.status, row.title.as_str()), (VideoStatus::Processing, expected));
            assert_eq!(row.source, output.source);
        };
        check("uploads/7f/clip.mp4", None, "clip").await;
        check("uploads/7f/clip.mp4", Some("Caf%C3%A9%20%F0%9F%98%80"), "Café 😀").await;
        check("uploads/7f/clip.mp4", Some("50%"), "50%").await;
        check("uploads/7f/clip.mp4", Some("%0A"), "clip").await;
        check("a b+c%20'\"😀.v1.mov", None, "a b+c%20'\"😀.v1").await;
        check("folder/", None, "Untitled").await;
    }

    #[tokio::test]
    async fn an_object_version_is_one_video_whoever_asks_and_how_often() {
        let fake = fake(None);
        let first = handle(input("a/clip.mp4", EXECUTION), &fake).await.expect("admitted");
        let again = handle(input("a/clip.mp4", EXECUTION), &fake).await.expect("a retry finds its row");
        assert_eq!(again, first);
        let error = handle(input("a/clip.mp4", OTHER_EXECUTION), &fake).await.expect_err("a duplicate");
        assert_eq!(error.code(), ErrorCode::DuplicateUpload);
        let elsewhere = handle(input("b/clip.mp4", OTHER_EXECUTION), &fake).await.expect("another object");
        assert_ne!(elsewhere.video_id, first.video_id);
    }

    #[tokio::test]
    async fn an_upload_that_is_gone_gets_no_row() {
        let fake = Fake { gone: true, ..fake(None) };
        let error = handle(input("clip.mp4", EXECUTION), &fake).await.expect_err("gone");
        assert_eq!(error.code(), ErrorCode::SourceUnavailable);
    }
}
