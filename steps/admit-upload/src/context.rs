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
