//! Client and environment.

use std::convert::Infallible;

use aws_sdk_s3::{Client, primitives::ByteStream};
use vodline_contracts::ErrorCode;
use vodline_step::{
    StepError,
    aws::{self, service_error},
};

use crate::Ports;

/// Bytes of a thumbnail at most: many times what any of the job's size has.
const THUMBNAIL_BYTES_MAX: i64 = 1024 * 1024;
/// A run that is redriven may make the storyboard anew under the same names, so nobody keeps it for ever.
const CACHE_CONTROL: &str = "public, max-age=86400";

/// S3.
#[derive(Debug)]
pub struct Context {
    s3: Client,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// Never.
    pub async fn load() -> Result<Self, Infallible> {
        Ok(Self { s3: Client::new(&aws::config().await) })
    }
}

impl Ports for Context {
    async fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, StepError> {
        let failed = |words: &str| StepError::new(ErrorCode::StoryboardFailed, format!("the thumbnail {key} {words}"));
        let answer = match self.s3.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                return Err(failed("is missing").caused_by(error));
            }
            Err(error) => return Err(service_error("s3:GetObject", error)),
        };
        if answer.content_length().is_none_or(|length| length > THUMBNAIL_BYTES_MAX) {
            return Err(failed("is too large"));
        }
        let body = answer.body.collect().await.map_err(|error| failed("broke off").caused_by(error))?;
        Ok(body.to_vec())
    }

    async fn write(&self, bucket: &str, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), StepError> {
        self.s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(content_type)
            .cache_control(CACHE_CONTROL)
            .body(ByteStream::from(body))
            .send()
            .await
            .map(drop)
            .map_err(|error| service_error("s3:PutObject", error))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use vodline_testing::http::{self, Answer, Asked};

    use super::*;

    fn context(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Context {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
            .http_client(http::client(answer))
            .build();
        Context { s3: Client::from_conf(config) }
    }

    #[tokio::test]
    async fn thumbnails_are_read_up_to_a_bound() {
        let check = async |answer: Answer, expected: Result<Vec<u8>, &str>| {
            let context = context(move |asked| {
                assert!(asked.uri.contains("media.s3.eu-west-1.amazonaws.com/a/b.jpg"), "{}", asked.uri);
                answer.clone()
            });
            let found = context.read("media", "a/b.jpg").await.map_err(|error| {
                assert_eq!(error.code(), ErrorCode::StoryboardFailed);
                error.to_string()
            });
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        check(Answer::ok("12345").header("content-length", "5"), Ok(b"12345".to_vec())).await;
        check(Answer::ok("1").header("content-length", "1048577"), Err("the thumbnail a/b.jpg is too large")).await;
        let missing = Answer::status(404, "<Error><Code>NoSuchKey</Code></Error>");
        check(missing, Err("the thumbnail a/b.jpg is missing")).await;
    }

    #[tokio::test]
    async fn what_is_made_is_put_where_it_belongs() {
        let context = context(|asked| {
            assert_eq!(asked.method, "PUT");
            assert!(asked.uri.contains("/a/b.vtt"), "{}", asked.uri);
            assert!(asked.body.contains("WEBVTT"));
            Answer::ok("")
        });
        context.write("media", "a/b.vtt", "text/vtt", b"WEBVTT".to_vec()).await.expect("put");
    }
}
