//! The objects of a source's bucket.

use std::{fs, path::PathBuf};

use vodline_core::{AwsError, ObjectBody, Objects};

use super::SourceError;
use crate::facts::{File, Rendition, Segment};

/// A playlist of 100 hours in segments of one second stays below this; so do captions and manifests.
const TEXT_BYTES_MAX: u64 = 32 << 20;

pub(super) struct Files<'a> {
    pub(super) objects: &'a dyn Objects,
    pub(super) bucket: &'a str,
}

impl Files<'_> {
    pub(super) fn object(&self, key: &str, limit_bytes: u64) -> Result<ObjectBody, SourceError> {
        let object = self.objects.get(self.bucket, key).map_err(|error| SourceError::Object {
            bucket: self.bucket.into(),
            key: key.into(),
            error,
        })?;
        let size_bytes = object.info.size_bytes;
        if size_bytes > limit_bytes {
            return Err(SourceError::TooLarge { bucket: self.bucket.into(), key: key.into(), size_bytes, limit_bytes });
        }
        Ok(object)
    }

    pub(super) fn read_error(&self, key: &str, source: std::io::Error) -> SourceError {
        SourceError::Read { bucket: self.bucket.into(), key: key.into(), source }
    }

    pub(super) fn bytes(&self, key: &str, object: &ObjectBody) -> Result<Vec<u8>, SourceError> {
        fs::read(&object.path).map_err(|error| self.read_error(key, error))
    }

    pub(super) fn text_of(&self, key: &str, object: &ObjectBody) -> Result<String, SourceError> {
        Ok(String::from_utf8_lossy(&self.bytes(key, object)?).into_owned())
    }

    pub(super) fn text(&self, key: &str) -> Result<(String, File), SourceError> {
        let object = self.object(key, TEXT_BYTES_MAX)?;
        Ok((self.text_of(key, &object)?, file(key, object)))
    }
}

pub(super) fn file(key: &str, object: ObjectBody) -> File {
    File { key: key.to_owned(), etag: object.info.etag, path: object.path, size_bytes: object.info.size_bytes }
}

/// The key that a manifest's relative URI means.
pub(super) fn resolve(manifest_key: &str, uri: &str) -> Result<String, SourceError> {
    let refused = || SourceError::Uri(uri.to_owned());
    if uri.contains("://") || uri.starts_with('/') {
        return Err(refused());
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let path = percent_encoding::percent_decode_str(path).decode_utf8().map_err(|_| refused())?;
    let mut parts: Vec<&str> = manifest_key.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop().ok_or_else(refused)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Finds a segment's file again: where it was at ingest, or in the bucket when it has moved since.
pub(crate) fn segment_file(
    objects: &dyn Objects,
    bucket: &str,
    rendition: &Rendition,
    segment: &Segment,
) -> Result<PathBuf, AwsError> {
    let changed = || AwsError::not_found("NotFoundException", "the source has changed since it was ingested");
    let file = rendition.file(segment).ok_or_else(changed)?;
    if fs::metadata(&file.path).is_ok_and(|metadata| metadata.len() == file.size_bytes) {
        return Ok(file.path.clone());
    }
    let object = objects.get(bucket, &file.key)?;
    if object.info.etag == file.etag && object.info.size_bytes == file.size_bytes {
        Ok(object.path)
    } else {
        Err(changed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_key(playlist: &str, uri: &str, expected: Option<&str>) {
        assert_eq!(resolve(playlist, uri).ok().as_deref(), expected, "{uri}");
    }

    #[test]
    fn uris_resolve_within_the_bucket() {
        check_key("v/1/hls/a.m3u8", "a_360.m3u8", Some("v/1/hls/a_360.m3u8"));
        check_key("a.m3u8", "x/seg%20one.ts", Some("x/seg one.ts"));
        check_key("v/1/hls/a.m3u8", "../other/./b.ts?x=1", Some("v/1/other/b.ts"));
        check_key("a.m3u8", "../b.ts", None);
        check_key("a.m3u8", "https://elsewhere/b.ts", None);
        check_key("a.m3u8", "/b.ts", None);
    }
}
