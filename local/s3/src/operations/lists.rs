//! Listings of objects, versions and uploads.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{
    S3Request, S3Response,
    crypto::{Checksum as _, Sha256},
    dto::*,
};

use super::{check_owner, etag, refuse, size};
use crate::{
    bucket,
    failure::Failure,
    listing::{Current, Entry, MAX_ENTRIES, Page, Query, Start, list},
    service::Core,
    uploads::{self, Upload},
    versions::{self, Version, s3_time},
};

/// What S3 leaves as it is in a listing with `encoding-type=url`; a space becomes `+`.
const LISTED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// How keys are written in an answer.
#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    fn parse(encoding: Option<&EncodingType>) -> Result<Self, Failure> {
        match encoding.map(|encoding| encoding.as_str()) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(_) => Err(Failure::invalid_argument("Invalid Encoding Method specified in Request")),
        }
    }

    fn write(self, text: String) -> String {
        match self {
            Self::Plain => text,
            Self::Url => utf8_percent_encode(&text, LISTED).to_string().replace(' ', "+"),
        }
    }

    fn write_all(self, prefixes: Vec<String>) -> Option<CommonPrefixList> {
        let prefixes: Vec<_> =
            prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(self.write(prefix)) }).collect();
        (!prefixes.is_empty()).then_some(prefixes)
    }
}

/// The one owner of everything: its canonical id, which on AWS is 64 hexadecimal digits that say nothing.
pub(super) fn owner(core: &Core) -> Owner {
    Owner { display_name: None, id: Some(hex::encode(Sha256::checksum(core.account.id.as_bytes()))) }
}

/// The number of entries to return, and as the answer repeats it.
fn limit(asked: Option<i32>, name: &str) -> Result<(usize, i32), Failure> {
    let asked = asked.unwrap_or(MAX_ENTRIES);
    let limit = usize::try_from(asked.min(MAX_ENTRIES)).map_err(|_| {
        Failure::invalid_argument(format!("Argument {name} must be an integer between 0 and 2147483647"))
    })?;
    Ok((limit, asked))
}

/// Walks a bucket, which must exist.
async fn walk<T: Entry + Send + 'static>(
    core: &Arc<Core>,
    name: String,
    query: impl FnOnce(&rusqlite::Connection, &str) -> Result<Query<T::Position>, Failure> + Send + 'static,
) -> Result<(bucket::Bucket, Page<T>), Failure> {
    core.blocking(move |core| {
        core.store.read(|connection| {
            let bucket = bucket::find(connection, &name)?;
            let query = query(connection, &name)?;
            let page = list(connection, &name, &query)?;
            Ok((bucket, page))
        })
    })
    .await
}

/// An empty delimiter or marker is none.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn object(version: Version, encoding: Encoding, owner: Option<Owner>) -> Object {
    let checksum = version.details.checksum;
    Object {
        checksum_algorithm: checksum
            .as_ref()
            .map(|checksum| vec![ChecksumAlgorithm::from_static(checksum.algorithm.name())]),
        checksum_type: checksum.map(|checksum| ChecksumType::from_static(checksum.kind.name())),
        e_tag: Some(etag(&version.etag)),
        key: Some(encoding.write(version.key)),
        last_modified: Some(s3_time(version.modified)),
        owner,
        restore_status: None,
        size: Some(size(version.size_bytes)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
    }
}

pub(super) async fn list_objects(
    core: &Arc<Core>,
    request: S3Request<ListObjectsInput>,
) -> Result<S3Response<ListObjectsOutput>, Failure> {
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse!("ListObjects", input, optional_object_attributes => "OptionalObjectAttributes");
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (limit, max_keys) = limit(input.max_keys, "max-keys")?;
    let delimiter = given(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    let query = Query {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        start: given(input.marker.clone()).map(Start::AfterKey),
        limit,
    };
    let (bucket, page) = walk::<Current>(core, input.bucket, |_, _| Ok(query)).await?;
    let owner = owner(core);
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(bucket.name),
        prefix: Some(encoding.write(prefix)),
        marker: Some(encoding.write(input.marker.unwrap_or_default())),
        max_keys: Some(max_keys),
        is_truncated: Some(page.next.is_some()),
        // Version 1 says where to go on only where the last key would not do.
        next_marker: page.next.filter(|_| delimiter.is_some()).map(|next| encoding.write(next)),
        contents: Some(page.items.into_iter().map(|item| object(item.0, encoding, Some(owner.clone()))).collect()),
        common_prefixes: encoding.write_all(page.common_prefixes),
        delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
        encoding_type: input.encoding_type,
        request_charged: None,
    }))
}

/// Continuation tokens are opaque on AWS; ours are the last key in hexadecimal, so that nobody is tempted to make them up.
fn parse_token(token: Option<&String>) -> Result<Option<String>, Failure> {
    let Some(token) = token else { return Ok(None) };
    let key = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.map(Some).ok_or_else(|| Failure::invalid_argument("The continuation token provided is incorrect"))
}

pub(super) async fn list_objects_v2(
    core: &Arc<Core>,
    request: S3Request<ListObjectsV2Input>,
) -> Result<S3Response<ListObjectsV2Output>, Failure> {
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse!("ListObjectsV2", input, optional_object_attributes => "OptionalObjectAttributes");
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (limit, max_keys) = limit(input.max_keys, "max-keys")?;
    let delimiter = given(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    let token = parse_token(input.continuation_token.as_ref())?;
    let query = Query {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        start: token.or_else(|| given(input.start_after.clone())).map(Start::AfterKey),
        limit,
    };
    let (bucket, page) = walk::<Current>(core, input.bucket, |_, _| Ok(query)).await?;
    let owner = (input.fetch_owner == Some(true)).then(|| owner(core));
    let key_count = page.items.len() + page.common_prefixes.len();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(bucket.name),
        prefix: Some(encoding.write(prefix)),
        max_keys: Some(max_keys),
        key_count: i32::try_from(key_count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(hex::encode),
        contents: Some(page.items.into_iter().map(|item| object(item.0, encoding, owner.clone())).collect()),
        common_prefixes: encoding.write_all(page.common_prefixes),
        delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|key| encoding.write(key)),
        request_charged: None,
    }))
}

pub(super) async fn list_object_versions(
    core: &Arc<Core>,
    request: S3Request<ListObjectVersionsInput>,
) -> Result<S3Response<ListObjectVersionsOutput>, Failure> {
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse!("ListObjectVersions", input, optional_object_attributes => "OptionalObjectAttributes");
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (limit, max_keys) = limit(input.max_keys, "max-keys")?;
    let delimiter = given(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    let (key_marker, version_marker) = (given(input.key_marker.clone()), given(input.version_id_marker.clone()));
    if key_marker.is_none() && version_marker.is_some() {
        return Err(Failure::invalid_argument("A version-id marker cannot be specified without a key marker."));
    }
    let (wanted_prefix, wanted_delimiter) = (prefix.clone(), delimiter.clone());
    let (bucket, page) = walk::<Version>(core, input.bucket, move |connection, bucket| {
        let start = match (key_marker, version_marker) {
            (None, _) => None,
            (Some(key), None) => Some(Start::AfterKey(key)),
            (Some(key), Some(id)) => {
                let version = versions::by_id(connection, bucket, &key, &id)?
                    .ok_or_else(|| Failure::invalid_argument("Invalid version id specified"))?;
                Some(Start::After((key, version.sequence)))
            }
        };
        Ok(Query { prefix: wanted_prefix, delimiter: wanted_delimiter, start, limit })
    })
    .await?;
    let is_truncated = page.next.is_some();
    // The next page follows the last version, or the last common prefix, whichever was found later.
    let next_version_id_marker = page
        .items
        .last()
        .filter(|version| page.next.as_ref() == Some(&version.key))
        .map(|version| version.version_id.clone());
    let owner = owner(core);
    let (mut entries, mut markers) = (Vec::new(), Vec::new());
    for version in page.items {
        let (is_latest, version_id) = (Some(version.latest), Some(version.version_id.clone()));
        if version.delete_marker {
            markers.push(DeleteMarkerEntry {
                is_latest,
                key: Some(encoding.write(version.key)),
                last_modified: Some(s3_time(version.modified)),
                owner: Some(owner.clone()),
                version_id,
            });
        } else {
            let object = object(version, encoding, Some(owner.clone()));
            entries.push(ObjectVersion {
                checksum_algorithm: object.checksum_algorithm,
                checksum_type: object.checksum_type,
                e_tag: object.e_tag,
                is_latest,
                key: object.key,
                last_modified: object.last_modified,
                owner: object.owner,
                restore_status: None,
                size: object.size,
                storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
                version_id,
            });
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: encoding.write_all(page.common_prefixes),
        delete_markers: Some(markers),
        delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(is_truncated),
        key_marker: Some(encoding.write(input.key_marker.unwrap_or_default())),
        max_keys: Some(max_keys),
        name: Some(bucket.name),
        next_key_marker: page.next.map(|next| encoding.write(next)),
        next_version_id_marker,
        prefix: Some(encoding.write(prefix)),
        request_charged: None,
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        versions: Some(entries),
    }))
}

pub(super) async fn list_multipart_uploads(
    core: &Arc<Core>,
    request: S3Request<ListMultipartUploadsInput>,
) -> Result<S3Response<ListMultipartUploadsOutput>, Failure> {
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (limit, max_uploads) = limit(input.max_uploads, "max-uploads")?;
    let delimiter = given(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    // Without a key marker S3 does not look at the upload id marker.
    let start = given(input.key_marker.clone()).map(|key| match given(input.upload_id_marker.clone()) {
        Some(id) => Start::After((key, id)),
        None => Start::AfterKey(key),
    });
    let query = Query { prefix: prefix.clone(), delimiter: delimiter.clone(), start, limit };
    let (bucket, page) = walk::<Upload>(core, input.bucket, |_, _| Ok(query)).await?;
    let next_upload_id_marker =
        page.items.last().filter(|upload| page.next.as_ref() == Some(&upload.key)).map(|upload| upload.id.clone());
    let owner = owner(core);
    let uploads = page.items.into_iter().map(|upload| MultipartUpload {
        checksum_algorithm: upload.named.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: upload.named.map(|_| ChecksumType::from_static(upload.checksum_type.name())),
        initiated: Some(s3_time(upload.initiated)),
        initiator: Some(Initiator { display_name: None, id: owner.id.clone() }),
        key: Some(encoding.write(upload.key)),
        owner: Some(owner.clone()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(upload.id),
    });
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(bucket.name),
        uploads: Some(uploads.collect()),
        common_prefixes: encoding.write_all(page.common_prefixes),
        delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(encoding.write(input.key_marker.unwrap_or_default())),
        max_uploads: Some(max_uploads),
        next_key_marker: page.next.map(|next| encoding.write(next)),
        next_upload_id_marker,
        prefix: Some(encoding.write(prefix)),
        request_charged: None,
        upload_id_marker: input.upload_id_marker,
    }))
}

/// The parts of one upload, for ListParts.
pub(super) fn parts(
    core: &Core,
    upload: &Upload,
    after: i32,
    asked: Option<i32>,
) -> Result<(Vec<uploads::Part>, bool, i32), Failure> {
    let (limit, max_parts) = limit(asked, "max-parts")?;
    let mut parts = core.store.read(|connection| uploads::parts(connection, &upload.id, after, limit + 1))?;
    let more = parts.len() > limit;
    parts.truncate(limit);
    Ok((parts, more, max_parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_listings_write_them() {
        for (key, written) in [
            ("a/b c+d%.mp4", "a/b+c%2Bd%25.mp4"),
            ("test_file(3).png", "test_file%283%29.png"),
            ("🎬'\"", "%F0%9F%8E%AC%27%22"),
            ("../x\u{1}", "../x%01"),
        ] {
            assert_eq!(Encoding::Url.write(key.into()), written);
            assert_eq!(Encoding::Plain.write(key.into()), key);
        }
    }
}
