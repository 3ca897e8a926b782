//! The end of an upload.

use std::future::Future;

use vodline_api_kit::{
    Failure, Request, body,
    upload::{authorize, check_key},
};
use vodline_contracts::{
    VideoId,
    api::{FinishUploadRequest, FinishUploadResponse, UploadedPart},
};
use vodline_step::StepError;

/// Parts of an upload.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PARTS_MAX: usize = 10_000;

/// Which version of an object it is: the version id, or the ETag without quotes in a bucket that keeps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is an object now.
    Yes(Version),
    /// S3 would not, in these words.
    Refused(String),
    /// There is no such upload: it was aborted, or finished before.
    NoSuchUpload,
}

/// What the handler touches.
pub trait Ports {
    /// The upload key.
    fn upload_key(&self) -> impl Future<Output = Result<String, StepError>>;
    /// The upload bucket's name.
    fn bucket(&self) -> &str;
    /// Makes an object of the parts.
    fn finish(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[UploadedPart],
    ) -> impl Future<Output = Result<Finished, StepError>>;
    /// The object of this key, where there is one.
    fn object(&self, key: &str) -> impl Future<Output = Result<Option<Version>, StepError>>;
}

/// Finishes an upload. To finish it again is to be told the same: every key is an upload's own.
///
/// # Errors
/// A bad request, a missing key, an unknown upload, and what S3 and Secrets Manager answer.
pub async fn handle(request: &Request, ports: &impl Ports) -> Result<FinishUploadResponse, Failure> {
    authorize(request, &ports.upload_key().await?)?;
    let FinishUploadRequest { upload_id, key, parts } = body(request)?;
    check_key(&key)?;
    if parts.is_empty() || parts.len() > PARTS_MAX {
        return Err(Failure::bad_request(format!("an upload has from 1 to {PARTS_MAX} parts")));
    }
    let version = match ports.finish(&key, &upload_id, &parts).await? {
        Finished::Yes(version) => version,
        Finished::Refused(words) => return Err(Failure::bad_request(words)),
        Finished::NoSuchUpload => {
            ports.object(&key).await?.ok_or_else(|| Failure::not_found("there is no such upload"))?
        }
    };
    Ok(FinishUploadResponse { video_id: VideoId::of_object(ports.bucket(), &key, &version.0) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::{Value, json};

    use super::*;

    struct Fake {
        finished: Finished,
        object: Option<Version>,
    }

    impl Ports for Fake {
        async fn upload_key(&self) -> Result<String, StepError> {
            Ok("key".to_owned())
        }

        fn bucket(&self) -> &str {
            "uploads"
        }

        async fn finish(&self, _: &str, _: &str, _: &[UploadedPart]) -> Result<Finished, StepError> {
            Ok(self.finished.clone())
        }

        async fn object(&self, _: &str) -> Result<Option<Version>, StepError> {
            Ok(self.object.clone())
        }
    }

    async fn call(fake: &Fake, upload_key: &str, key: &str, parts: Value) -> Result<FinishUploadResponse, Failure> {
        let body = json!({ "uploadId": "u1", "key": key, "parts": parts }).to_string();
        let request = json!({
            "version": "2.0", "headers": { "x-upload-key": upload_key }, "body": body, "isBase64Encoded": false,
            "requestContext": { "http": { "method": "POST" }, "timeEpoch": 0 },
        });
        handle(&serde_json::from_value(request).expect("a request"), fake).await
    }

    fn version() -> Version {
        Version("v1".to_owned())
    }

    fn one_part() -> Value {
        json!([{ "partNumber": 1, "etag": "\"e\"" }])
    }

    #[tokio::test]
    async fn a_finished_upload_is_a_video_also_when_it_is_finished_again() {
        let expected = VideoId::of_object("uploads", "uploads/7f/a.mp4", "v1");
        for fake in [
            Fake { finished: Finished::Yes(version()), object: None },
            Fake { finished: Finished::NoSuchUpload, object: Some(version()) },
        ] {
            let answer = call(&fake, "key", "uploads/7f/a.mp4", one_part()).await.expect("finished");
            assert_eq!(answer.video_id, expected);
        }
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_refused() {
        let fake = |finished| Fake { finished, object: None };
        let check = async |finished, upload_key: &str, key: &str, parts: Value, code: &str| {
            let failure = call(&fake(finished), upload_key, key, parts).await.expect_err("refused");
            assert_eq!(failure.code(), code);
        };
        let yes = || Finished::Yes(version());
        check(yes(), "", "uploads/a", one_part(), "UploadKeyRequired").await;
        check(yes(), "key", "media/a", one_part(), "BadRequest").await;
        check(yes(), "key", "uploads/a", json!([]), "BadRequest").await;
        check(Finished::Refused("a part is missing".to_owned()), "key", "uploads/a", one_part(), "BadRequest").await;
        check(Finished::NoSuchUpload, "key", "uploads/a", one_part(), "NotFound").await;
    }
}
