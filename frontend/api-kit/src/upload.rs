//! What uploading needs: the upload key, and S3 as browsers use it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::config::RequestChecksumCalculation;
use subtle::ConstantTimeEq;
use tokio::{sync::Mutex, time::Instant};
use vodline_step::{StepError, aws::service_error};

use crate::{Failure, Request};

/// The header that shows the upload key.
const HEADER: &str = "x-upload-key";
/// How long a key that was read is good for; a new one takes effect within this time.
const KEY_LIFETIME: Duration = Duration::from_secs(60);
/// The prefix of every key that the API hands out, and the only one it takes back.
pub const KEY_PREFIX: &str = "uploads/";

/// S3, for multipart uploads whose parts a browser sends: it knows nothing of the SDK's checksums, so none is promised.
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The upload key, kept for a minute.
#[derive(Debug)]
pub struct UploadKey {
    client: aws_sdk_secretsmanager::Client,
    secret_id: String,
    known: Mutex<Option<Known>>,
}

struct Known {
    key: String,
    until: Instant,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known(..)")
    }
}

impl UploadKey {
    /// The key in this secret.
    #[must_use]
    pub fn new(client: aws_sdk_secretsmanager::Client, secret_id: String) -> Self {
        Self { client, secret_id, known: Mutex::new(None) }
    }

    /// The key, at most a minute old.
    ///
    /// # Errors
    /// What Secrets Manager answers.
    pub async fn current(&self) -> Result<String, StepError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return Ok(known.key.clone());
        }
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret_id)
            .send()
            .await
            .map_err(|error| service_error("secretsmanager:GetSecretValue", error))?;
        let key = answer
            .secret_string
            .filter(|key| !key.is_empty())
            .ok_or_else(|| StepError::internal("the secret of the upload key has no text"))?;
        *known = Some(Known { key: key.clone(), until: Instant::now() + KEY_LIFETIME });
        Ok(key)
    }
}

/// Lets a request through that shows this key. The comparison takes equally long whatever is wrong.
///
/// # Errors
/// [`Failure::upload_key_required`].
pub fn authorize(request: &Request, key: &str) -> Result<(), Failure> {
    let shown = request.headers.get(HEADER).map(|value| value.as_bytes()).unwrap_or_default();
    let matches: bool = shown.ct_eq(key.as_bytes()).into();
    if matches { Ok(()) } else { Err(Failure::upload_key_required()) }
}

/// Takes back a key that the API has handed out, and no other.
///
/// # Errors
/// A bad request.
pub fn check_key(key: &str) -> Result<(), Failure> {
    if key.starts_with(KEY_PREFIX) {
        Ok(())
    } else {
        Err(Failure::bad_request(format!("the key does not begin with {KEY_PREFIX}")))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_key_itself_lets_through() {
        let check = |shown: Option<&str>, expected: bool| {
            let mut request = Request::default();
            if let Some(shown) = shown {
                request.headers.insert(HEADER, HeaderValue::from_str(shown).expect("a header value"));
            }
            let outcome = authorize(&request, "key-of-the-stack");
            assert_eq!(outcome.is_ok(), expected, "{shown:?}");
            if let Err(failure) = outcome {
                assert_eq!((failure.status().as_u16(), failure.code()), (401, "UploadKeyRequired"));
            }
        };
        check(Some("key-of-the-stack"), true);
        check(Some("key-of-the-stacK"), false);
        check(Some("key-of-the-stack "), false);
        check(Some("key-of-the"), false);
        check(Some(""), false);
        check(None, false);
    }

    #[test]
    fn keys_elsewhere_are_not_taken() {
        assert!(check_key("uploads/7f/clip.mp4").is_ok());
        for key in ["", "uploads", "media/x", "/uploads/x", "UPLOADS/x"] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }
}
