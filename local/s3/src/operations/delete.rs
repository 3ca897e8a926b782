//! DeleteObject and DeleteObjects.

use std::sync::Arc;

use s3s::{S3ErrorCode, S3Request, S3Response, dto::*};

use super::{Caller, check_owner, refuse};
use crate::{
    auth::object_arn,
    conditions::WriteCondition,
    failure::Failure,
    service::{Core, Deletion},
};

/// The most keys of one DeleteObjects.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
const MAX_KEYS: usize = 1000;

pub(super) async fn delete_object(
    core: &Arc<Core>,
    request: S3Request<DeleteObjectInput>,
) -> Result<S3Response<DeleteObjectOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse!("DeleteObject", input,
        bypass_governance_retention => "BypassGovernanceRetention",
        if_match_last_modified_time => "IfMatchLastModifiedTime",
        if_match_size => "IfMatchSize",
        mfa => "MFA",
    );
    let condition = WriteCondition { if_match: input.if_match, if_none_match: None };
    let Deletion { version_id, delete_marker } = core
        .blocking(move |core| {
            let check = |current: Option<&_>| condition.check(current);
            core.delete(&input.bucket, &input.key, input.version_id.as_deref(), check, &caller.cause("DeleteObject"))
        })
        .await?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: delete_marker.then_some(true),
        version_id,
        request_charged: None,
    }))
}

pub(super) async fn delete_objects(
    core: &Arc<Core>,
    request: S3Request<DeleteObjectsInput>,
) -> Result<S3Response<DeleteObjectsOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse!("DeleteObjects", input,
        bypass_governance_retention => "BypassGovernanceRetention",
        mfa => "MFA",
    );
    let Delete { objects, quiet } = input.delete;
    if objects.is_empty() || objects.len() > MAX_KEYS {
        return Err(Failure::new(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    for object in &objects {
        refuse!("DeleteObjects", object, last_modified_time => "LastModifiedTime", size => "Size");
    }
    let bucket = input.bucket;
    let (deleted, errors) = core
        .blocking(move |core| {
            // The bucket itself is the request's business, each key its own.
            core.store.read(|connection| crate::bucket::find(connection, &bucket))?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in objects {
                match delete_one(core, &caller, &bucket, &object) {
                    Ok(deletion) => deleted.push(describe(object, deletion)),
                    Err(failure) => errors.push(error(object, failure)),
                }
            }
            Ok((deleted, errors))
        })
        .await?;
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (quiet != Some(true)).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    }))
}

fn delete_one(core: &Core, caller: &Caller, bucket: &str, object: &ObjectIdentifier) -> Result<Deletion, Failure> {
    let action = if object.version_id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    caller.permit(core, action, &object_arn(bucket, &object.key))?;
    let condition = WriteCondition { if_match: object.e_tag.clone().map(ETagCondition::ETag), if_none_match: None };
    let check = |current: Option<&_>| condition.check(current);
    core.delete(bucket, &object.key, object.version_id.as_deref(), check, &caller.cause("DeleteObject"))
}

fn describe(object: ObjectIdentifier, deletion: Deletion) -> DeletedObject {
    let mut deleted = DeletedObject { key: Some(object.key), version_id: object.version_id, ..Default::default() };
    if deletion.delete_marker {
        deleted.delete_marker = Some(true);
        deleted.delete_marker_version_id = deletion.version_id;
    }
    deleted
}

fn error(object: ObjectIdentifier, failure: Failure) -> Error {
    let failure = vodline_core::AwsError::from(failure);
    Error {
        code: Some(failure.code),
        key: Some(object.key),
        message: Some(failure.message),
        version_id: object.version_id,
    }
}
