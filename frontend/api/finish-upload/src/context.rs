//! Clients and environment.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    operation::head_object::HeadObjectError,
    types::{CompletedMultipartUpload, CompletedPart},
};
use vodline_api_kit::upload::{self, UploadKey};
use vodline_contracts::api::UploadedPart;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::{Finished, Ports, Version};

/// What S3 answers to parts that are not as they should be.
const REFUSALS: &[&str] = &["EntityTooSmall", "InvalidPart", "InvalidPartOrder", "InvalidRequest", "MalformedXML"];

/// S3 and the upload key.
#[derive(Debug)]
pub struct Context {
    s3: Client,
    bucket: String,
    key: UploadKey,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let bucket = required("UPLOAD_BUCKET")?;
        let secret = required("UPLOAD_KEY_SECRET")?;
        let config = aws::config().await;
        let key = UploadKey::new(aws_sdk_secretsmanager::Client::new(&config), secret);
        Ok(Self { s3: upload::s3(&config), bucket, key })
    }
}

impl Ports for Context {
    async fn upload_key(&self) -> Result<String, StepError> {
        self.key.current().await
    }

    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn finish(&self, key: &str, upload_id: &str, parts: &[UploadedPart]) -> Result<Finished, StepError> {
        let parts = parts.iter().map(|part| {
            let number = i32::try_from(part.part_number).unwrap_or_default();
            CompletedPart::builder().part_number(number).e_tag(&part.etag).build()
        });
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let answer = self
            .s3
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(upload)
            .send()
            .await;
        match answer {
            Ok(answer) => version(answer.version_id, answer.e_tag).map(Finished::Yes),
            Err(error) => match error.code() {
                Some("NoSuchUpload") => Ok(Finished::NoSuchUpload),
                Some(code) if REFUSALS.contains(&code) => {
                    Ok(Finished::Refused(error.message().unwrap_or(code).to_owned()))
                }
                _ => Err(service_error("s3:CompleteMultipartUpload", error)),
            },
        }
    }

    async fn object(&self, key: &str) -> Result<Option<Version>, StepError> {
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => version(answer.version_id, answer.e_tag).map(Some),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(service_error("s3:HeadObject", error)),
        }
    }
}

fn version(version_id: Option<String>, etag: Option<String>) -> Result<Version, StepError> {
    // S3 calls the version of an object in a bucket that keeps none `null`.
    version_id
        .filter(|version| version != "null")
        .or_else(|| etag.map(|etag| etag.trim_matches('"').to_owned()))
        .map(Version)
        .ok_or_else(|| StepError::internal("S3 answered without a version"))
}
