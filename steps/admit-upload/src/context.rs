//! Clients and environment.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_contracts::{ErrorCode, source::Source};
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::Ports;

/// Name of the metadata entry that holds the title: `x-amz-meta-title`.
const TITLE: &str = "title";

/// S3 and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    s3: Client,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let config = aws::config().await;
        let catalog = Catalog::new(aws_sdk_dynamodb::Client::new(&config), table);
        Ok(Self { catalog, s3: Client::new(&config) })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    async fn title(&self, source: &Source) -> Result<Option<String>, StepError> {
        // Without a version id, the ETag makes sure that it still is the object the event was about.
        let unversioned = source.version_id.is_none().then(|| format!("\"{}\"", source.etag));
        let answer = self
            .s3
            .head_object()
            .bucket(&source.bucket)
            .key(&source.key)
            .set_version_id(source.version_id.clone())
            .set_if_match(unversioned)
            .send()
            .await;
        match answer {
            Ok(head) => Ok(head.metadata.and_then(|mut metadata| metadata.remove(TITLE))),
            Err(error) => {
                // The answer to HEAD has no body, so the status is all there is.
                let words = match error.raw_response().map(|response| response.status().as_u16()) {
                    Some(404) => "the uploaded object is gone",
                    Some(405) => "the uploaded object has been deleted",
                    Some(412) => "the uploaded object has been replaced",
                    _ => return Err(service_error("s3:HeadObject", error)),
                };
                Err(StepError::new(ErrorCode::SourceUnavailable, words).caused_by(error))
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use vodline_testing::{
        http::{self, Answer, Asked},
        samples,
    };

    use super::*;

    fn context(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Context {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
            .http_client(http::client(answer))
            .build();
        Context { catalog: vodline_testing::catalog(), s3: Client::from_conf(config) }
    }

    #[tokio::test]
    async fn the_title_is_that_of_the_very_version() {
        let versioned = context(|asked| {
            assert!(asked.uri.ends_with("/uploads/7f/A%20cat%20%26%20a%20dog.mp4?versionId=3HL4kqtJvjVBH40Nrjfkd"));
            assert_eq!(asked.if_match, "");
            Answer::ok("").header("x-amz-meta-title", "Caf%C3%A9")
        });
        assert_eq!(versioned.title(&samples::source()).await.expect("there"), Some("Caf%C3%A9".to_owned()));
        let unversioned = context(|asked| {
            assert_eq!(asked.if_match, "\"9b2cf535f27731c974343645a3985328\"");
            Answer::ok("")
        });
        let source = Source { version_id: None, ..samples::source() };
        assert_eq!(unversioned.title(&source).await.expect("there"), None);
    }

    #[tokio::test]
    async fn what_is_not_there_is_named() {
        let check = async |status: u16, code: ErrorCode, words: &str| {
            let context = context(move |_| Answer::status(status, ""));
            let error = context.title(&samples::source()).await.expect_err("not there");
            assert_eq!((error.code(), error.to_string().as_str()), (code, words));
        };
        check(404, ErrorCode::SourceUnavailable, "the uploaded object is gone").await;
        check(405, ErrorCode::SourceUnavailable, "the uploaded object has been deleted").await;
        check(412, ErrorCode::SourceUnavailable, "the uploaded object has been replaced").await;
        check(403, ErrorCode::AccessDenied, "s3:HeadObject answered status 403").await;
    }
}
