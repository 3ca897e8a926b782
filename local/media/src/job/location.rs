//! S3 URIs as MediaConvert takes them: `s3://bucket/key` with the key raw, not percent-encoded.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error};

use super::Identifiers;

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectLocation {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl ObjectLocation {
    /// Takes an URI apart; `None` when it is not `s3://bucket/key`.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let (bucket, key) = split(uri)?;
        (!key.is_empty()).then(|| Self { bucket: bucket.into(), key: key.into() })
    }

    /// The ARN that IAM policies name.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:s3:::{}/{}", self.bucket, self.key)
    }

    /// The key's last part without its extension.
    pub(crate) fn base_name(&self) -> &str {
        let name = self.key.rsplit('/').next().unwrap_or_default();
        match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => name,
        }
    }
}

impl ObjectLocation {
    /// What follows the last dot of the key's last part; empty when there is none.
    pub(crate) fn extension(&self) -> &str {
        let name = self.key.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or("", |(_, extension)| extension)
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl<'de> Deserialize<'de> for ObjectLocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let uri = String::deserialize(deserializer)?;
        Self::parse(&uri).ok_or_else(|| D::Error::custom("the local home supports only s3://bucket/key"))
    }
}

/// Where an output group goes: a folder, and perhaps the name its files begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) bucket: String,
    /// Empty, or ends in a slash.
    folder: String,
    /// What follows the last slash; the input's name stands in when empty.
    name: String,
}

impl Destination {
    /// Takes a destination apart; `None` when it is not an S3 URI.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let (bucket, key) = split(uri)?;
        let (folder, name) = key.rfind('/').map_or(("", key), |at| key.split_at(at + 1));
        Some(Self { bucket: bucket.into(), folder: folder.into(), name: name.into() })
    }

    /// The name all files of the group begin with.
    /// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`destination`): without a base name
    /// "the service will use the filename of the input file".
    pub(crate) fn base_name<'a>(&'a self, input: &'a ObjectLocation) -> &'a str {
        if self.name.is_empty() { input.base_name() } else { &self.name }
    }

    /// What follows the last slash; perhaps nothing.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// With its identifiers replaced.
    pub(crate) fn resolved(&self, identifiers: &Identifiers<'_>) -> Self {
        Self {
            bucket: self.bucket.clone(),
            folder: identifiers.resolve(&self.folder),
            name: identifiers.resolve(&self.name),
        }
    }

    /// The key of one file of the group.
    pub(crate) fn key(&self, file: &str) -> String {
        format!("{}{file}", self.folder)
    }

    /// The URI of one file of the group.
    pub(crate) fn uri(&self, file: &str) -> String {
        format!("s3://{}/{}{file}", self.bucket, self.folder)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let uri = String::deserialize(deserializer)?;
        Self::parse(&uri).ok_or_else(|| D::Error::custom("Should match the pattern s3://bucket/prefix"))
    }
}

fn split(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, key))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn an_object_keeps_its_key_raw() {
        let check = |uri: &str, bucket: &str, key: &str, base: &str| {
            let location = ObjectLocation::parse(uri).unwrap();
            assert_eq!((location.bucket.as_str(), location.key.as_str()), (bucket, key));
            assert_eq!(location.base_name(), base);
            assert_eq!(location.to_string(), uri);
        };
        check("s3://b/clip.mp4", "b", "clip.mp4", "clip");
        check("s3://b/a b/100%+🎬.v2.mov", "b", "a b/100%+🎬.v2.mov", "100%+🎬.v2");
        check("s3://b/.hidden", "b", ".hidden", ".hidden");
        for uri in ["s3://b", "s3://b/", "s3:///k", "https://b/k", "/etc/passwd", ""] {
            assert_eq!(ObjectLocation::parse(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_destination_without_a_name_takes_the_inputs() {
        let input = ObjectLocation::parse("s3://in/f/clip.mp4").unwrap();
        let check = |uri: &str, base: &str, key: &str| {
            let destination = Destination::parse(uri).unwrap();
            assert_eq!(destination.base_name(&input), base);
            assert_eq!(destination.key("x.ts"), key);
        };
        check("s3://out/v/hls/master", "master", "v/hls/x.ts");
        check("s3://out/v/hls/", "clip", "v/hls/x.ts");
        check("s3://out", "clip", "x.ts");
        check("s3://out/name", "name", "x.ts");
    }
}
