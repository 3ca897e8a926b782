//! `Object Created` of Amazon S3.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The detail of `Object Created`. The key is not URL-encoded here (in S3's own notifications it is).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectCreated {
    /// Where.
    pub bucket: Bucket,
    /// What.
    pub object: Object,
    /// `PutObject`, `CompleteMultipartUpload`, `CopyObject` or `POST Object`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// Its name.
    pub name: String,
}

/// An object version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Object {
    /// Its key, as stored.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Absent in an unversioned bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Grows with every change of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
}
