//! Name the object, size its parts.

use std::future::Future;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use vodline_api_kit::{
    Failure, Request, body,
    upload::{KEY_PREFIX, authorize},
};
use vodline_contracts::{
    api::{BeginUploadRequest, BeginUploadResponse},
    title,
};
use vodline_step::StepError;

/// S3's largest object, its most parts, and its smallest part but the last.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * MIB;
const PARTS_MAX: u64 = 10_000;
const MIB: u64 = 1024 * 1024;
/// The smallest part of ours: large enough to be quick, small enough to be lost.
const PART_BYTES_MIN: u64 = 8 * MIB;
/// Bytes of a file name in the key; a key has 1024 at most.
const FILENAME_BYTES_MAX: usize = 255;
/// Bytes of the title as metadata; an object's metadata has 2 KB in all.
const TITLE_BYTES_MAX: usize = 1_800;
/// Bytes of a content type that is taken for one.
const CONTENT_TYPE_BYTES_MAX: usize = 127;

/// A multipart upload to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// The object's key.
    pub key: String,
    /// The title, percent-encoded, where there is one.
    pub title: Option<String>,
    /// Where the browser knows it.
    pub content_type: Option<String>,
}

/// What the handler touches.
pub trait Ports {
    /// The upload key.
    fn upload_key(&self) -> impl Future<Output = Result<String, StepError>>;
    /// A name that nobody can guess and nobody has had.
    fn unique(&self) -> String;
    /// Begins a multipart upload; S3's id of it.
    fn begin(&self, upload: NewUpload) -> impl Future<Output = Result<String, StepError>>;
}

/// Begins an upload.
///
/// # Errors
/// A bad request, a missing key, and what S3 and Secrets Manager answer.
pub async fn handle(request: &Request, ports: &impl Ports) -> Result<BeginUploadResponse, Failure> {
    authorize(request, &ports.upload_key().await?)?;
    let wanted: BeginUploadRequest = body(request)?;
    if wanted.size_bytes > OBJECT_BYTES_MAX {
        return Err(Failure::bad_request(format!("the file is larger than {OBJECT_BYTES_MAX} bytes")));
    }
    let key = format!("{KEY_PREFIX}{}/{}", ports.unique(), clean_filename(&wanted.filename));
    let title = wanted.title.as_deref().map(encode_title).filter(|title| !title.is_empty());
    let content_type = wanted.content_type.filter(|content_type| is_content_type(content_type));
    let upload_id = ports.begin(NewUpload { key: key.clone(), title, content_type }).await?;
    Ok(BeginUploadResponse { upload_id, key, part_size_bytes: part_size(wanted.size_bytes) })
}

/// Bytes of every part but the last: whole mebibytes, so that all of them are ten thousand at most.
fn part_size(size_bytes: u64) -> u64 {
    (size_bytes.div_ceil(PARTS_MAX).div_ceil(MIB) * MIB).max(PART_BYTES_MIN)
}

/// The last part of a file's name, in which nothing is a control character or a separator, and not too much of it: the end
/// with the suffix is kept.
fn clean_filename(filename: &str) -> String {
    let last = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    let clean = clean.trim();
    let start = (0..clean.len())
        .find(|start| clean.is_char_boundary(*start) && clean.len() - start <= FILENAME_BYTES_MAX)
        .unwrap_or_default();
    match &clean[start..] {
        "" | "." | ".." => "video".to_owned(),
        name => name.to_owned(),
    }
}

/// The title as metadata can carry it: headers are ASCII.
fn encode_title(text: &str) -> String {
    let mut title = title::clean(text);
    loop {
        let encoded = utf8_percent_encode(&title, NON_ALPHANUMERIC).to_string();
        if encoded.len() <= TITLE_BYTES_MAX {
            return encoded;
        }
        title.pop();
    }
}

fn is_content_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.len() <= CONTENT_TYPE_BYTES_MAX
        && text.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::cell::RefCell;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Fake {
        begun: RefCell<Vec<NewUpload>>,
    }

    impl Ports for Fake {
        async fn upload_key(&self) -> Result<String, StepError> {
            Ok("key".to_owned())
        }

        fn unique(&self) -> String {
            "7f".to_owned()
        }

        async fn begin(&self, upload: NewUpload) -> Result<String, StepError> {
            self.begun.borrow_mut().push(upload);
            Ok("u1".to_owned())
        }
    }

    fn request(key: &str, body: serde_json::Value) -> Request {
        let request = json!({
            "version": "2.0", "headers": { "x-upload-key": key }, "body": body.to_string(), "isBase64Encoded": false,
            "requestContext": { "http": { "method": "POST" }, "timeEpoch": 0 },
        });
        serde_json::from_value(request).expect("a request")
    }

    #[tokio::test]
    async fn an_upload_is_begun_under_a_key_of_its_own() {
        let fake = Fake::default();
        let body = json!({
            "filename": "a b+c%20'😀.mp4", "sizeBytes": 100, "contentType": "video/mp4", "title": " Café\n😀 ",
        });
        let begun = handle(&request("key", body), &fake).await.expect("begun");
        let key = "uploads/7f/a b+c%20'😀.mp4".to_owned();
        assert_eq!(
            begun,
            BeginUploadResponse { upload_id: "u1".to_owned(), key: key.clone(), part_size_bytes: 8 * MIB }
        );
        let title = Some("Caf%C3%A9%20%F0%9F%98%80".to_owned());
        let expected = NewUpload { key, title, content_type: Some("video/mp4".to_owned()) };
        assert_eq!(*fake.begun.borrow(), [expected]);
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_refused_before_anything_is_begun() {
        let fake = Fake::default();
        let check = async |key: &str, body: serde_json::Value, code: &str| {
            let failure = handle(&request(key, body), &fake).await.expect_err("refused");
            assert_eq!(failure.code(), code);
        };
        check("wrong", json!({ "filename": "a", "sizeBytes": 1 }), "UploadKeyRequired").await;
        check("wrong", json!({}), "UploadKeyRequired").await;
        check("key", json!({}), "BadRequest").await;
        check("key", json!({ "filename": "a", "sizeBytes": OBJECT_BYTES_MAX + 1 }), "BadRequest").await;
        check("key", json!({ "filename": "a", "sizeBytes": 1, "acl": "public" }), "BadRequest").await;
        assert_eq!(*fake.begun.borrow(), []);
    }

    #[test]
    fn file_names_are_one_clean_part_of_a_key() {
        let check = |filename: &str, expected: &str| assert_eq!(clean_filename(filename), expected, "{filename:?}");
        check("clip.mp4", "clip.mp4");
        check("C:\\fakepath\\clip.mp4", "clip.mp4");
        check("../../etc/passwd", "passwd");
        check("..", "video");
        check(" ", "video");
        check("a\r\nb.mp4", "a__b.mp4");
        check(&format!("{}.mp4", "é".repeat(200)), &format!("{}.mp4", "é".repeat(125)));
    }

    #[test]
    fn content_types_are_types() {
        for good in ["video/mp4", "video/x-matroska", "application/vnd.rn-realmedia+x"] {
            assert!(is_content_type(good), "{good}");
        }
        for bad in ["", "video", "video/", "/mp4", "video/mp4; a=b", "video/mp4\r\nx: y", "a/b/c"] {
            assert!(!is_content_type(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_never_too_many_or_too_small(size in 0..=OBJECT_BYTES_MAX) {
            let part = part_size(size);
            prop_assert!(part >= PART_BYTES_MIN && size.div_ceil(part) <= PARTS_MAX && part.is_multiple_of(MIB));
        }

        #[test]
        fn names_and_titles_fit(text in any::<String>()) {
            let name = clean_filename(&text);
            prop_assert!(!name.is_empty() && name.len() <= FILENAME_BYTES_MAX && !name.contains(['/', '\\', '\n']));
            let title = encode_title(&text.repeat(20));
            prop_assert!(title.len() <= TITLE_BYTES_MAX && title.is_ascii());
        }
    }
}
