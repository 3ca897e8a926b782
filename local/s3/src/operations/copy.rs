//! CopyObject and UploadPartCopy. Files never change, so a whole copy is another name for the same file.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops,
    sync::Arc,
};

use s3s::{
    S3Request, S3Response,
    crypto::{Checksum as _, Md5},
    dto::*,
};

use super::{Caller, check_owner, etag, multipart, refuse, refuse_customer_keys, refuse_write_fields};
use crate::{
    auth::object_arn,
    bucket,
    checksum::{Algorithm, Checksum, ChecksumType as Kind, DEFAULT_ALGORITHM, Hasher, set_checksum},
    conditions::{ReadCondition, WriteCondition, copy_condition_of},
    details::details_of,
    failure::Failure,
    receive::{MAX_BODY_BYTES, Writer},
    service::{Core, NewObject},
    uploads,
    versions::{self, Version, s3_time},
};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// A copy's source, found and permitted.
struct Source {
    version: Version,
    /// As answers show it.
    version_id: Option<String>,
    /// Whether it addresses the newest version of this very key.
    same: bool,
}

/// Where a copy comes from, taken apart.
struct Address {
    bucket: String,
    key: String,
    version_id: Option<String>,
}

fn address(operation: &str, source: CopySource) -> Result<Address, Failure> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            Ok(Address { bucket: bucket.into(), key: key.into(), version_id: version_id.map(Into::into) })
        }
        _ => Err(Failure::unsupported(operation, "access points in CopySource")),
    }
}

fn find(
    core: &Core,
    caller: &Caller,
    address: &Address,
    condition: &ReadCondition,
    target: (&str, &str),
) -> Result<Source, Failure> {
    let Address { bucket, key, version_id } = address;
    let action = if version_id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    caller.permit(core, action, &object_arn(bucket, key))?;
    let (version, shown) = core.store.read(|connection| {
        let bucket = bucket::find(connection, bucket)?;
        let version = versions::readable(connection, &bucket, key, version_id.as_deref())?;
        let shown = version.shown_id(&bucket);
        Ok::<_, Failure>((version, shown))
    })?;
    condition.check_copy(&version)?;
    if version.size_bytes > MAX_BODY_BYTES {
        return Err(Failure::invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {MAX_BODY_BYTES}"
        )));
    }
    let same = (bucket.as_str(), key.as_str()) == target && version_id.is_none();
    Ok(Source { version, version_id: shown, same })
}

/// The MD5 and the checksum of a file's bytes.
fn digest(mut file: File, algorithm: Algorithm) -> Result<([u8; 16], Vec<u8>), Failure> {
    let (mut md5, mut hasher) = (Md5::new(), Hasher::new(algorithm));
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(Failure::disk("read"))?;
        if read == 0 {
            return Ok((md5.finalize(), hasher.finish()));
        }
        md5.update(&buffer[..read]);
        hasher.update(&buffer[..read]);
    }
}

/// The ETag and checksum of a whole copy: the source's own where they speak of its bytes, computed where they speak of its parts.
fn describe(core: &Core, source: &Version, wanted: Option<Algorithm>) -> Result<(String, Checksum), Failure> {
    let known = source.details.checksum.as_ref();
    if source.part_sizes.is_empty()
        && let Some(checksum) = known
        && checksum.kind == Kind::FullObject
        && wanted.is_none_or(|wanted| wanted == checksum.algorithm)
    {
        return Ok((source.etag.clone(), checksum.clone()));
    }
    let algorithm = wanted.or(known.map(|checksum| checksum.algorithm)).unwrap_or(DEFAULT_ALGORITHM);
    let (md5, digest) = digest(core.files.read(&source.file)?, algorithm)?;
    Ok((hex::encode(md5), Checksum::of_bytes(algorithm, &digest)))
}

pub(super) async fn copy_object(
    core: &Arc<Core>,
    request: S3Request<CopyObjectInput>,
) -> Result<S3Response<CopyObjectOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    check_owner(core, input.expected_source_bucket_owner.as_deref())?;
    refuse_write_fields!("CopyObject", input);
    refuse!("CopyObject", input,
        copy_source_sse_customer_algorithm => "CopySourceSSECustomerAlgorithm",
        copy_source_sse_customer_key => "CopySourceSSECustomerKey",
        copy_source_sse_customer_key_md5 => "CopySourceSSECustomerKeyMD5",
    );
    if input.tagging_directive.as_ref().is_some_and(|directive| directive.as_str() != TaggingDirective::COPY) {
        return Err(Failure::unsupported("CopyObject", "TaggingDirective"));
    }
    let replace = match input.metadata_directive.as_ref().map(|directive| directive.as_str()) {
        None | Some(MetadataDirective::COPY) => false,
        Some(MetadataDirective::REPLACE) => true,
        Some(_) => return Err(Failure::invalid_argument("Unknown metadata directive.")),
    };
    let wanted = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
    let condition = copy_condition_of!(input);
    let replacement = details_of!(input)?;
    let address = address("CopyObject", input.copy_source)?;
    let (target_bucket, target_key) = (input.bucket, input.key);
    let (bucket, version, source) = core
        .blocking(move |core| {
            let source = find(core, &caller, &address, &condition, (&target_bucket, &target_key))?;
            if source.same && !replace {
                return Err(Failure::invalid_request(
                    "This copy request is illegal because it is trying to copy an object to itself without changing the \
                     object's metadata, storage class, website redirect location or encryption attributes.",
                ));
            }
            let (etag, checksum) = describe(core, &source.version, wanted)?;
            let mut details = if replace { replacement } else { source.version.details.clone() };
            details.checksum = Some(checksum);
            let object = NewObject {
                bucket: target_bucket,
                key: target_key,
                file: core.files.link(&source.version.file)?,
                size_bytes: source.version.size_bytes,
                etag,
                details,
                part_sizes: Vec::new(),
                condition: WriteCondition::default(),
                cause: caller.cause("CopyObject"),
            };
            let (bucket, version) = core.put(object, |_, _| Ok(Vec::new()))?;
            Ok((bucket, version, source))
        })
        .await?;
    let mut result = CopyObjectResult {
        e_tag: Some(etag(&version.etag)),
        last_modified: Some(s3_time(version.modified)),
        ..Default::default()
    };
    if let Some(checksum) = &version.details.checksum {
        set_checksum!(result, checksum);
        result.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
    }
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source.version_id,
        version_id: version.shown_id(&bucket),
        ..Default::default()
    }))
}

/// The bytes that `x-amz-copy-source-range` asks for.
fn copied_range(header: Option<&str>, size: u64) -> Result<ops::Range<u64>, Failure> {
    let Some(header) = header else { return Ok(0..size) };
    match Range::parse(header) {
        Ok(Range::Int { first, last: Some(last) }) if last < size => Ok(first..last + 1),
        Ok(Range::Int { last: Some(_), .. }) => {
            Err(Failure::invalid_argument(format!("Range specified is not valid for source object of size: {size}")))
        }
        _ => Err(Failure::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based \
             offsets of the first and last bytes to copy",
        )),
    }
}

pub(super) async fn upload_part_copy(
    core: &Arc<Core>,
    request: S3Request<UploadPartCopyInput>,
) -> Result<S3Response<UploadPartCopyOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    check_owner(core, input.expected_source_bucket_owner.as_deref())?;
    refuse_customer_keys!("UploadPartCopy", input);
    refuse!("UploadPartCopy", input,
        copy_source_sse_customer_algorithm => "CopySourceSSECustomerAlgorithm",
        copy_source_sse_customer_key => "CopySourceSSECustomerKey",
        copy_source_sse_customer_key_md5 => "CopySourceSSECustomerKeyMD5",
    );
    multipart::check_number(input.part_number)?;
    let condition = copy_condition_of!(input);
    let address = address("UploadPartCopy", input.copy_source)?;
    let (bucket, key, upload_id, number) = (input.bucket, input.key, input.upload_id, input.part_number);
    let range_header = input.copy_source_range;
    let (part, source_version_id) = core
        .blocking(move |core| {
            let upload = core.store.read(|connection| uploads::find_open(connection, &bucket, &key, &upload_id))?;
            let source = find(core, &caller, &address, &condition, ("", ""))?;
            let range = copied_range(range_header.as_deref(), source.version.size_bytes)?;
            let mut file = core.files.read(&source.version.file)?;
            file.seek(SeekFrom::Start(range.start)).map_err(Failure::disk("read"))?;
            let mut writer = Writer::create(core, vec![upload.algorithm()])?;
            let mut rest = file.take(range.end - range.start);
            let mut buffer = vec![0; CHUNK_BYTES];
            loop {
                let read = rest.read(&mut buffer).map_err(Failure::disk("read"))?;
                if read == 0 {
                    break;
                }
                writer.write(&buffer[..read])?;
            }
            let received = writer.finish();
            let checksum = Checksum::of_bytes(upload.algorithm(), received.digest(upload.algorithm()));
            let part = multipart::store_part(core, &bucket, &key, &upload_id, number, received, checksum)?;
            Ok((part, source.version_id))
        })
        .await?;
    let mut result = CopyPartResult {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(s3_time(part.modified)),
        ..Default::default()
    };
    set_checksum!(result, &part.checksum);
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source_version_id,
        ..Default::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_part_copies() {
        for (header, expected) in [
            (None, Some(0..100)),
            (Some("bytes=0-99"), Some(0..100)),
            (Some("bytes=10-19"), Some(10..20)),
            (Some("bytes=0-100"), None),
            (Some("bytes=10-"), None),
            (Some("bytes=-10"), None),
            (Some("10-19"), None),
        ] {
            assert_eq!(copied_range(header, 100).ok(), expected, "{header:?}");
        }
    }
}
