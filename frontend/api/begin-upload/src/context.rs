//! Clients and environment.

use aws_sdk_s3::Client;
use uuid::Uuid;
use vodline_api_kit::upload::{self, UploadKey};
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::{NewUpload, Ports};

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

    fn unique(&self) -> String {
        Uuid::new_v4().simple().to_string()
    }

    async fn begin(&self, upload: NewUpload) -> Result<String, StepError> {
        let request = self.s3.create_multipart_upload().bucket(&self.bucket).key(upload.key);
        let request = match upload.title {
            Some(title) => request.metadata("title", title),
            None => request,
        };
        let answer = request
            .set_content_type(upload.content_type)
            .send()
            .await
            .map_err(|error| service_error("s3:CreateMultipartUpload", error))?;
        answer.upload_id.ok_or_else(|| StepError::internal("s3:CreateMultipartUpload answered without an id"))
    }
}
