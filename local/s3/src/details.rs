//! What a writer says of an object besides its bytes.

use std::collections::BTreeMap;

use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};
use vodline_core::ObjectMetadata;

use crate::{checksum::Checksum, failure::Failure};

/// The longest user metadata: the sum of the bytes of names and values.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>.
const USER_METADATA_BYTES: usize = 2048;

/// The headers and metadata kept with an object, and its checksum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) user: BTreeMap<String, String>,
    /// Absent on uploads that are not complete and on delete markers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Checksum>,
}

/// What S3 says an object is whose writer did not say.
pub(crate) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

impl Details {
    /// Refuses user metadata beyond S3's limit.
    pub(crate) fn check(self) -> Result<Self, Failure> {
        let bytes: usize = self.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > USER_METADATA_BYTES {
            return Err(Failure::new(
                s3s::S3ErrorCode::MetadataTooLarge,
                "Your metadata headers exceed the maximum allowed metadata size",
            ));
        }
        Ok(self)
    }
}

impl From<ObjectMetadata> for Details {
    fn from(metadata: ObjectMetadata) -> Self {
        Self {
            content_type: metadata.content_type,
            cache_control: metadata.cache_control,
            user: metadata.user,
            ..Self::default()
        }
    }
}

impl From<Details> for ObjectMetadata {
    fn from(details: Details) -> Self {
        Self { content_type: details.content_type, cache_control: details.cache_control, user: details.user }
    }
}

/// The [`Details`] of the inputs that carry them as the same set of fields (`PutObjectInput` and its kin).
macro_rules! details_of {
    ($input:expr) => {
        $crate::details::Details {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::details::stored_encoding($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            user: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            checksum: None,
        }
        .check()
    };
}
pub(crate) use details_of;

/// `Content-Encoding` without `aws-chunked`, which describes the transfer and not the object.
pub(crate) fn stored_encoding(header: Option<String>) -> Option<String> {
    let rest: Vec<&str> = header
        .as_deref()?
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    (!rest.is_empty()).then(|| rest.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transfer_coding_is_not_stored() {
        for (header, stored) in
            [("aws-chunked", None), ("gzip,aws-chunked", Some("gzip")), ("gzip", Some("gzip")), ("", None)]
        {
            assert_eq!(stored_encoding(Some(header.into())).as_deref(), stored, "{header}");
        }
    }

    #[test]
    fn user_metadata_has_a_limit() {
        let details =
            |bytes: usize| Details { user: [("k".into(), "v".repeat(bytes - 1))].into(), ..Details::default() };
        assert!(details(USER_METADATA_BYTES).check().is_ok());
        assert!(details(USER_METADATA_BYTES + 1).check().is_err());
    }
}
