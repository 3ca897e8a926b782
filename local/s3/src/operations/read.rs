//! GetObject and HeadObject.

use std::{ops, sync::Arc};

use s3s::{S3ErrorCode, S3Request, S3Response, dto::*};

use super::{Caller, check_owner, etag, refuse_customer_keys, size};
use crate::{
    bucket::{self, Bucket},
    checksum::set_checksum,
    conditions::{ReadCondition, read_condition_of},
    details::DEFAULT_CONTENT_TYPE,
    event::bucket_arn,
    failure::Failure,
    send::send,
    service::Core,
    versions::{self, Version, s3_time},
};

/// The part of an object's bytes that a read asks for.
struct Selection {
    bytes: ops::Range<u64>,
    /// `Content-Range`, unless it is the whole object.
    content_range: Option<String>,
    parts_count: Option<i32>,
}

fn select(version: &Version, range: Option<Range>, part_number: Option<i32>) -> Result<Selection, Failure> {
    let whole = version.size_bytes;
    let unsatisfiable = || {
        Failure::new(S3ErrorCode::InvalidRange, "The requested range is not satisfiable")
            .header("content-range", &format!("bytes */{whole}"))
    };
    let bytes = match (range, part_number) {
        (Some(_), Some(_)) => {
            return Err(Failure::invalid_request("Cannot specify both Range header and partNumber query parameter"));
        }
        (None, None) => return Ok(Selection { bytes: 0..whole, content_range: None, parts_count: None }),
        (Some(_), None) if whole == 0 => return Err(unsatisfiable()),
        (Some(range), None) => range.check(whole).map_err(|_| unsatisfiable())?,
        (None, Some(number)) => part(version, number)?,
    };
    let content_range = Some(format!("bytes {}-{}/{whole}", bytes.start, bytes.end.saturating_sub(1)));
    let parts_count = part_number.and(i32::try_from(version.part_sizes.len()).ok()).filter(|count| *count > 0);
    Ok(Selection { bytes, content_range, parts_count })
}

fn part(version: &Version, number: i32) -> Result<ops::Range<u64>, Failure> {
    let invalid = || {
        Failure::custom(
            "InvalidPartNumber",
            http::StatusCode::RANGE_NOT_SATISFIABLE,
            "The requested partnumber is not satisfiable",
        )
    };
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).ok_or_else(invalid)?;
    if version.part_sizes.is_empty() {
        return if index == 0 { Ok(0..version.size_bytes) } else { Err(invalid()) };
    }
    let size = version.part_sizes.get(index).ok_or_else(invalid)?;
    let start: u64 = version.part_sizes[..index].iter().sum();
    Ok(start..start + size)
}

/// Finds what a read addresses. To those who may not list the bucket, S3 does not tell that a key is missing.
fn find(
    core: &Core,
    caller: &Caller,
    bucket: &str,
    key: &str,
    id: Option<&str>,
    condition: &ReadCondition,
) -> Result<(Bucket, Version), Failure> {
    let found = core.store.read(|connection| {
        let bucket = bucket::find(connection, bucket)?;
        let version = versions::readable(connection, &bucket, key, id)?;
        Ok((bucket, version))
    });
    if let Err(Failure::Refused(refusal)) = &found
        && refusal.code == S3ErrorCode::NoSuchKey
    {
        caller.permit(core, "s3:ListBucket", &bucket_arn(bucket))?;
    }
    let (bucket, version) = found?;
    condition.check_read(&version)?;
    Ok((bucket, version))
}

fn wants_checksum(mode: Option<&ChecksumMode>, selection: &Selection) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED) && selection.content_range.is_none()
}

/// The fields that GetObject's and HeadObject's answers share.
macro_rules! describe {
    ($output:ty, $bucket:expr, $version:expr, $selection:expr, $with_checksum:expr) => {{
        let version: Version = $version;
        let selection: &Selection = $selection;
        let mut output = <$output>::default();
        output.accept_ranges = Some("bytes".into());
        output.content_length = Some(size(selection.bytes.end - selection.bytes.start));
        output.content_range.clone_from(&selection.content_range);
        output.parts_count = selection.parts_count;
        output.e_tag = Some(etag(&version.etag));
        output.last_modified = Some(s3_time(version.modified));
        output.version_id = version.shown_id($bucket);
        if let Some(checksum) = version.details.checksum.as_ref().filter(|_| $with_checksum) {
            set_checksum!(output, checksum);
            output.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
        }
        let details = version.details;
        output.cache_control = details.cache_control;
        output.content_disposition = details.content_disposition;
        output.content_encoding = details.content_encoding;
        output.content_language = details.content_language;
        output.content_type = Some(details.content_type.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.into()));
        output.expires = details.expires;
        output.metadata = (!details.user.is_empty()).then(|| details.user.into_iter().collect());
        output
    }};
}

pub(super) async fn get_object(
    core: &Arc<Core>,
    request: S3Request<GetObjectInput>,
) -> Result<S3Response<GetObjectOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_customer_keys!("GetObject", input);
    let condition = read_condition_of!(input);
    // s3s applies the response-* overrides by itself.
    core.blocking(move |core| {
        let (bucket, version) =
            find(core, &caller, &input.bucket, &input.key, input.version_id.as_deref(), &condition)?;
        let selection = select(&version, input.range, input.part_number)?;
        let body = send(core.files.read(&version.file)?, selection.bytes.clone())?;
        let with_checksum = wants_checksum(input.checksum_mode.as_ref(), &selection);
        let mut output = describe!(GetObjectOutput, &bucket, version, &selection, with_checksum);
        output.body = Some(body);
        Ok(S3Response::new(output))
    })
    .await
}

pub(super) async fn head_object(
    core: &Arc<Core>,
    request: S3Request<HeadObjectInput>,
) -> Result<S3Response<HeadObjectOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_customer_keys!("HeadObject", input);
    super::refuse!("HeadObject", input,
        response_cache_control => "ResponseCacheControl",
        response_content_disposition => "ResponseContentDisposition",
        response_content_encoding => "ResponseContentEncoding",
        response_content_language => "ResponseContentLanguage",
        response_content_type => "ResponseContentType",
        response_expires => "ResponseExpires",
    );
    let condition = read_condition_of!(input);
    core.blocking(move |core| {
        let (bucket, version) =
            find(core, &caller, &input.bucket, &input.key, input.version_id.as_deref(), &condition)?;
        let selection = select(&version, input.range, input.part_number)?;
        let with_checksum = wants_checksum(input.checksum_mode.as_ref(), &selection);
        let output = describe!(HeadObjectOutput, &bucket, version, &selection, with_checksum);
        let mut response = S3Response::new(output);
        if selection.content_range.is_some() {
            response.status = Some(http::StatusCode::PARTIAL_CONTENT);
        }
        Ok(response)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(part_sizes: &[u64], range: Option<&str>, part_number: Option<i32>, expected: Result<&str, u16>) {
        let version = Version { size_bytes: 100, part_sizes: part_sizes.to_vec(), ..Version::default() };
        let range = range.and_then(|text| Range::parse(text).ok());
        let found = match select(&version, range, part_number) {
            Ok(selection) => Ok(selection.content_range.unwrap_or_else(|| "whole".into())),
            Err(Failure::Refused(refusal)) => Err(refusal.status().as_u16()),
            Err(_) => Err(500),
        };
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn ranges_and_parts() {
        check(&[], None, None, Ok("whole"));
        check(&[], Some("bytes=0-9"), None, Ok("bytes 0-9/100"));
        check(&[], Some("bytes=90-"), None, Ok("bytes 90-99/100"));
        check(&[], Some("bytes=90-1000"), None, Ok("bytes 90-99/100"));
        check(&[], Some("bytes=-10"), None, Ok("bytes 90-99/100"));
        check(&[], Some("bytes=-1000"), None, Ok("bytes 0-99/100"));
        check(&[], Some("bytes=100-"), None, Err(416));
        check(&[], Some("bytes=0-9"), Some(1), Err(400));
        check(&[], None, Some(1), Ok("bytes 0-99/100"));
        check(&[], None, Some(2), Err(416));
        check(&[60, 40], None, Some(1), Ok("bytes 0-59/100"));
        check(&[60, 40], None, Some(2), Ok("bytes 60-99/100"));
        check(&[60, 40], None, Some(3), Err(416));
        check(&[60, 40], None, Some(0), Err(416));
    }
}
