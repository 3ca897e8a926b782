//! Clients and environment.

use std::time::Duration;

use aws_sdk_s3::{Client, error::ProvideErrorMetadata, presigning::PresigningConfig};
use vodline_api_kit::upload::{self, UploadKey};
use vodline_contracts::api::UploadedPart;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::Ports;

/// How long a signed address is good for: long enough for a part on a slow line.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// Pages of a thousand parts.
const PAGES_MAX: usize = 10;

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

    async fn uploaded(&self, key: &str, upload_id: &str) -> Result<Option<Vec<UploadedPart>>, StepError> {
        let mut uploaded = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let request = self.s3.list_parts().bucket(&self.bucket).key(key).upload_id(upload_id);
            let answer = match request.set_part_number_marker(after.take()).send().await {
                Ok(answer) => answer,
                Err(error) if error.code() == Some("NoSuchUpload") => return Ok(None),
                Err(error) => return Err(service_error("s3:ListParts", error)),
            };
            uploaded.extend(answer.parts().iter().filter_map(|part| {
                let part_number = u32::try_from(part.part_number()?).ok()?;
                Some(UploadedPart { part_number, etag: part.e_tag()?.to_owned() })
            }));
            if !answer.is_truncated().unwrap_or_default() {
                break;
            }
            after = answer.next_part_number_marker;
        }
        Ok(Some(uploaded))
    }

    async fn sign(&self, key: &str, upload_id: &str, part_number: u32) -> Result<String, StepError> {
        let config = PresigningConfig::expires_in(SIGNED_FOR)
            .map_err(|error| StepError::internal("an address cannot be signed for so long").caused_by(error))?;
        let part_number = i32::try_from(part_number)
            .map_err(|error| StepError::internal("a part number is out of range").caused_by(error))?;
        let signed = self
            .s3
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(part_number)
            .presigned(config)
            .await
            .map_err(|error| service_error("s3:UploadPart", error))?;
        Ok(signed.uri().to_owned())
    }
}
