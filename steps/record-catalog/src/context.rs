//! Clients and environment.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_contracts::source::Source;
use vodline_step::{
    StepError,
    announce::{Announce, EventBridge},
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::Ports;

/// EventBridge, S3 and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    bus: EventBridge,
    s3: Client,
    site_url: String,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let site_url = required("SITE_URL")?;
        let config = aws::config().await;
        Ok(Self {
            catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table),
            bus: EventBridge::new(aws_sdk_eventbridge::Client::new(&config)),
            s3: Client::new(&config),
            site_url: site_url.trim_end_matches('/').to_owned(),
        })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn bus(&self) -> &impl Announce {
        &self.bus
    }

    fn site_url(&self) -> &str {
        &self.site_url
    }

    async fn is_overwritten(&self, source: &Source) -> Result<bool, StepError> {
        match self.s3.head_object().bucket(&source.bucket).key(&source.key).send().await {
            Ok(current) => Ok(match &source.version_id {
                Some(version_id) => current.version_id() != Some(version_id.as_str()),
                None => current.e_tag().map(|etag| etag.trim_matches('"')) != Some(source.etag.as_str()),
            }),
            // Deleted since: MediaConvert could not have read anything else.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(false),
            Err(error) => Err(service_error("s3:HeadObject", error)),
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
        http::{self, Answer},
        samples,
    };

    use super::*;

    fn context(answer: Answer) -> Context {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
            .http_client(http::client(move |asked| {
                assert!(asked.uri.ends_with("/uploads/7f/A%20cat%20%26%20a%20dog.mp4"), "{}", asked.uri);
                answer.clone()
            }))
            .build();
        let bus = aws_sdk_eventbridge::Config::builder();
        let bus = bus.behavior_version(aws_sdk_eventbridge::config::BehaviorVersion::latest()).build();
        Context {
            catalog: vodline_testing::catalog(),
            bus: EventBridge::new(aws_sdk_eventbridge::Client::from_conf(bus)),
            s3: Client::from_conf(config),
            site_url: String::new(),
        }
    }

    #[tokio::test]
    async fn another_version_under_the_key_is_noticed() {
        let check = async |source: Source, answer: Answer, expected: bool| {
            let shown = format!("{source:?} {answer:?}");
            let found = context(answer).is_overwritten(&source).await.expect("an answer");
            assert_eq!(found, expected, "{shown}");
        };
        let versioned = samples::source;
        let unversioned = || Source { version_id: None, ..samples::source() };
        let version = |id: &str| Answer::ok("").header("x-amz-version-id", id);
        check(versioned(), version("3HL4kqtJvjVBH40Nrjfkd"), false).await;
        check(versioned(), version("another"), true).await;
        check(versioned(), Answer::status(404, ""), false).await;
        check(unversioned(), Answer::ok("").header("etag", "\"9b2cf535f27731c974343645a3985328\""), false).await;
        check(unversioned(), Answer::ok("").header("etag", "\"another\""), true).await;
        let error = context(Answer::status(403, "")).is_overwritten(&versioned()).await.expect_err("denied");
        assert_eq!(error.code(), vodline_step::ErrorCode::AccessDenied);
    }
}
