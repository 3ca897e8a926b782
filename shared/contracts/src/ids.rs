//! Identifiers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a video id: 80 bits, so that a collision among a billion videos is one in a million.
const DIGITS: usize = 20;

/// Identifies a video, and prefixes everything made of it. Derived from the object version it was uploaded as, so the same
/// event always means the same video, and two uploads never share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct VideoId(#[schemars(regex(pattern = r"^v[0-9a-f]{20}$"))] String);

impl VideoId {
    /// The video that the object version is. `version` is the version id, or the ETag (without quotes) in an unversioned
    /// bucket.
    #[must_use]
    pub fn of_object(bucket: &str, key: &str, version: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [bucket, key, version] {
            // Length first, so that no two triples hash the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(format!("v{}", &hex::encode(hash.finalize())[..DIGITS]))
    }

    /// Reads an id that came from outside; `None` unless it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('v')?;
        let well_formed = digits.len() == DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The id as text; safe in URLs, object keys and names of AWS resources.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where everything made of this video is kept in the media bucket: `media/<videoId>/`. The distribution serves
    /// `/media/*` from there, so a key is also a path of the site.
    #[must_use]
    pub fn media_prefix(&self) -> String {
        format!("media/{}/", self.0)
    }
}

impl fmt::Display for VideoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_version_is_one_video() {
        let id = VideoId::of_object("uploads", "a/clip.mp4", "1");
        assert_eq!(id, VideoId::of_object("uploads", "a/clip.mp4", "1"));
        assert_eq!(VideoId::parse(id.as_str()), Some(id.clone()));
        for other in [
            VideoId::of_object("uploads", "b/clip.mp4", "1"),
            VideoId::of_object("uploads", "a/clip.mp4", "2"),
            VideoId::of_object("uploadsa", "/clip.mp4", "1"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn foreign_ids_are_refused() {
        for text in ["", "v", "v0123456789abcdef012", "w0123456789abcdef0123", "v0123456789ABCDEF0123", "../../etc"] {
            assert_eq!(VideoId::parse(text), None, "{text}");
        }
    }
}
