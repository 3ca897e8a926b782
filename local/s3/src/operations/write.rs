//! PutObject.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::{S3ErrorCode, S3Request, S3Response, dto::*};

use super::{Caller, check_owner, etag, refuse, refuse_write_fields};
use crate::{
    bucket,
    checksum::{DEFAULT_ALGORITHM, Declared, set_checksum},
    conditions::WriteCondition,
    details::details_of,
    failure::Failure,
    receive::{MAX_BODY_BYTES, Received, receive},
    service::{Core, NewObject},
    versions,
};

/// Compares `Content-MD5`, if sent, with the digest of what came.
pub(super) fn check_md5(header: Option<&str>, received: &Received) -> Result<(), Failure> {
    let Some(header) = header else { return Ok(()) };
    match BASE64_STANDARD.decode(header) {
        Ok(expected) if expected.len() == received.md5.len() => {
            if expected == received.md5 {
                Ok(())
            } else {
                Err(Failure::new(
                    S3ErrorCode::BadDigest,
                    "The Content-MD5 you specified did not match what we received.",
                ))
            }
        }
        _ => Err(Failure::new(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified was invalid.")),
    }
}

/// Refuses a body that announces itself as too large before any of it is read.
pub(super) fn check_length(length: Option<i64>) -> Result<(), Failure> {
    if length.is_some_and(|length| u64::try_from(length).is_ok_and(|length| length > MAX_BODY_BYTES)) {
        return Err(Failure::new(S3ErrorCode::EntityTooLarge, "Your proposed upload exceeds the maximum allowed size"));
    }
    Ok(())
}

pub(super) async fn put_object(
    core: &Arc<Core>,
    request: S3Request<PutObjectInput>,
) -> Result<S3Response<PutObjectOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let declared = Declared::from_headers(&request.headers, DEFAULT_ALGORITHM)?;
    let trailers = request.trailing_headers;
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_write_fields!("PutObject", input);
    refuse!("PutObject", input, write_offset_bytes => "WriteOffsetBytes");
    check_length(input.content_length)?;
    let details = details_of!(input)?;
    let condition = WriteCondition { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() }
        .checked("PutObject")?;
    let (bucket, key) = (input.bucket, input.key);

    // What can be refused is refused before the body is read; the transaction asks again.
    let (early_bucket, early_key, early) = (bucket.clone(), key.clone(), condition.clone());
    core.blocking(move |core| {
        core.store.read(|connection| {
            bucket::find(connection, &early_bucket)?;
            early.check(versions::current(connection, &early_bucket, &early_key)?.as_ref())
        })
    })
    .await?;

    let received = receive(core, input.body.take(), vec![declared.algorithm]).await?;
    check_md5(input.content_md5.as_deref(), &received)?;
    let checksum = declared.verify(received.digest(declared.algorithm), trailers.as_ref())?;
    let object = NewObject {
        bucket,
        key,
        size_bytes: received.size_bytes,
        etag: hex::encode(received.md5),
        details: crate::details::Details { checksum: Some(checksum.clone()), ..details },
        part_sizes: Vec::new(),
        condition,
        cause: caller.cause("PutObject"),
        file: received.file,
    };
    let (bucket, version) = core.blocking(move |core| core.put(object, |_, _| Ok(Vec::new()))).await?;
    let mut output = PutObjectOutput {
        e_tag: Some(etag(&version.etag)),
        checksum_type: Some(ChecksumType::from_static(checksum.kind.name())),
        version_id: version.shown_id(&bucket),
        ..Default::default()
    };
    set_checksum!(output, &checksum);
    Ok(S3Response::new(output))
}
