//! Addresses for parts.

use std::future::Future;

use vodline_api_kit::{
    Failure, Request, body,
    upload::{authorize, check_key},
};
use vodline_contracts::api::{SignPartsRequest, SignPartsResponse, SignedPart, UploadedPart};
use vodline_step::StepError;

/// Parts that are signed at once.
const PARTS_AT_ONCE_MAX: usize = 100;
/// Numbers of parts.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PART_NUMBER_MAX: u32 = 10_000;

/// What the handler touches.
pub trait Ports {
    /// The upload key.
    fn upload_key(&self) -> impl Future<Output = Result<String, StepError>>;
    /// The parts that S3 has; nothing when it knows no such upload.
    fn uploaded(
        &self,
        key: &str,
        upload_id: &str,
    ) -> impl Future<Output = Result<Option<Vec<UploadedPart>>, StepError>>;
    /// An address to PUT a part to, good for minutes.
    fn sign(&self, key: &str, upload_id: &str, part_number: u32) -> impl Future<Output = Result<String, StepError>>;
}

/// Signs parts.
///
/// # Errors
/// A bad request, a missing key, an unknown upload, and what S3 and Secrets Manager answer.
pub async fn handle(request: &Request, ports: &impl Ports) -> Result<SignPartsResponse, Failure> {
    authorize(request, &ports.upload_key().await?)?;
    let SignPartsRequest { upload_id, key, part_numbers } = body(request)?;
    check_key(&key)?;
    if part_numbers.len() > PARTS_AT_ONCE_MAX {
        return Err(Failure::bad_request(format!("at most {PARTS_AT_ONCE_MAX} parts are signed at once")));
    }
    if part_numbers.iter().any(|number| !(1..=PART_NUMBER_MAX).contains(number)) {
        return Err(Failure::bad_request(format!("part numbers are from 1 to {PART_NUMBER_MAX}")));
    }
    let uploaded =
        ports.uploaded(&key, &upload_id).await?.ok_or_else(|| Failure::not_found("there is no such upload"))?;
    let mut parts = Vec::new();
    for part_number in part_numbers {
        parts.push(SignedPart { part_number, url: ports.sign(&key, &upload_id, part_number).await? });
    }
    Ok(SignPartsResponse { parts, uploaded })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::{Value, json};

    use super::*;

    struct Fake;

    impl Ports for Fake {
        async fn upload_key(&self) -> Result<String, StepError> {
            Ok("key".to_owned())
        }

        async fn uploaded(&self, _: &str, upload_id: &str) -> Result<Option<Vec<UploadedPart>>, StepError> {
            Ok((upload_id == "u1").then(|| vec![UploadedPart { part_number: 1, etag: "\"e\"".to_owned() }]))
        }

        async fn sign(&self, key: &str, upload_id: &str, part_number: u32) -> Result<String, StepError> {
            Ok(format!("https://s3/{key}?{upload_id}&{part_number}"))
        }
    }

    async fn call(upload_key: &str, upload_id: &str, key: &str, numbers: Value) -> Result<SignPartsResponse, Failure> {
        let body = json!({ "uploadId": upload_id, "key": key, "partNumbers": numbers }).to_string();
        let request = json!({
            "version": "2.0", "headers": { "x-upload-key": upload_key }, "body": body, "isBase64Encoded": false,
            "requestContext": { "http": { "method": "POST" }, "timeEpoch": 0 },
        });
        handle(&serde_json::from_value(request).expect("a request"), &Fake).await
    }

    #[tokio::test]
    async fn parts_are_signed_and_those_that_are_there_are_told() {
        let answer = call("key", "u1", "uploads/a", json!([2, 10_000])).await.expect("signed");
        let urls: Vec<_> = answer.parts.iter().map(|part| part.url.as_str()).collect();
        assert_eq!(urls, ["https://s3/uploads/a?u1&2", "https://s3/uploads/a?u1&10000"]);
        assert_eq!(answer.uploaded.len(), 1);
        assert!(call("key", "u1", "uploads/a", json!([])).await.expect("told").parts.is_empty());
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_refused() {
        let check = async |upload_key: &str, upload_id: &str, key: &str, numbers: Value, code: &str| {
            let failure = call(upload_key, upload_id, key, numbers).await.expect_err("refused");
            assert_eq!(failure.code(), code);
        };
        check("", "u1", "uploads/a", json!([1]), "UploadKeyRequired").await;
        check("key", "u2", "uploads/a", json!([1]), "NotFound").await;
        check("key", "u1", "media/a", json!([1]), "BadRequest").await;
        check("key", "u1", "uploads/a", json!([0]), "BadRequest").await;
        check("key", "u1", "uploads/a", json!([10_001]), "BadRequest").await;
        check("key", "u1", "uploads/a", json!(vec![1; 101]), "BadRequest").await;
    }
}
