//! The API: what s3s has routed, authenticated and decoded, done on the index and the files.

mod buckets;
mod copy;
mod delete;
mod lists;
mod multipart;
mod read;
mod write;

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result, dto::*};
use vodline_core::Principal;

use crate::{event::Cause, failure::Failure, http_entry::Arrival, service::Core};

/// S3's operations, as s3s calls them. Those not here are refused by their names before they get this far.
pub(crate) struct Operations(pub(crate) Arc<Core>);

/// Who calls, from where.
#[derive(Clone)]
struct Caller {
    principal: Principal,
    arrival: Arrival,
}

impl Caller {
    fn of<T>(core: &Core, request: &S3Request<T>) -> Result<Self, Failure> {
        // The access check has put it there; without it nobody is anybody.
        let principal = request
            .extensions
            .get::<Principal>()
            .cloned()
            .ok_or_else(|| Failure::new(S3ErrorCode::AccessDenied, "Access Denied"))?;
        let arrival = request
            .extensions
            .get::<Arrival>()
            .cloned()
            .unwrap_or_else(|| Arrival { request_id: core.request_id(), source: IpAddr::from([127, 0, 0, 1]) });
        Ok(Self { principal, arrival })
    }

    fn cause(&self, reason: &'static str) -> Cause {
        Cause { request_id: self.arrival.request_id.clone(), source: self.arrival.source, reason }
    }

    fn permit(&self, core: &Core, action: &str, resource: &str) -> Result<(), Failure> {
        crate::auth::permit(&*core.authorizer, &self.principal, action, resource)
    }
}

/// Refuses fields the home does not serve, by their names.
macro_rules! refuse {
    ($operation:literal, $input:expr, $($field:ident => $name:literal),+ $(,)?) => {
        $(if $input.$field.is_some() {
            return Err($crate::failure::Failure::unsupported($operation, $name));
        })+
    };
}
use refuse;

/// Refuses a customer's own encryption keys.
macro_rules! refuse_customer_keys {
    ($operation:literal, $input:expr) => {
        $crate::operations::refuse!($operation, $input,
            sse_customer_algorithm => "SSECustomerAlgorithm",
            sse_customer_key => "SSECustomerKey",
            sse_customer_key_md5 => "SSECustomerKeyMD5",
        )
    };
}
use refuse_customer_keys;

/// Refuses what PutObject, CopyObject and CreateMultipartUpload can say of a new object and the home does not serve.
macro_rules! refuse_write_fields {
    ($operation:literal, $input:expr) => {{
        $crate::operations::check_acl($input.acl.as_ref().map(|acl| acl.as_str()))?;
        $crate::operations::check_storage_class($operation, $input.storage_class.as_ref().map(|class| class.as_str()))?;
        $crate::operations::refuse_customer_keys!($operation, $input);
        $crate::operations::refuse!($operation, $input,
            bucket_key_enabled => "BucketKeyEnabled",
            grant_full_control => "GrantFullControl",
            grant_read => "GrantRead",
            grant_read_acp => "GrantReadACP",
            grant_write_acp => "GrantWriteACP",
            object_lock_legal_hold_status => "ObjectLockLegalHoldStatus",
            object_lock_mode => "ObjectLockMode",
            object_lock_retain_until_date => "ObjectLockRetainUntilDate",
            server_side_encryption => "ServerSideEncryption",
            ssekms_encryption_context => "SSEKMSEncryptionContext",
            ssekms_key_id => "SSEKMSKeyId",
            tagging => "Tagging",
            website_redirect_location => "WebsiteRedirectLocation",
        );
    }};
}
use refuse_write_fields;

/// Buckets own their objects, the default of AWS since April 2023, and then take no other access control list.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>.
fn check_acl(acl: Option<&str>) -> Result<(), Failure> {
    match acl {
        None | Some(ObjectCannedACL::BUCKET_OWNER_FULL_CONTROL) => Ok(()),
        Some(_) => Err(Failure::custom(
            "AccessControlListNotSupported",
            http::StatusCode::BAD_REQUEST,
            "The bucket does not allow ACLs",
        )),
    }
}

fn check_storage_class(operation: &str, class: Option<&str>) -> Result<(), Failure> {
    match class {
        None | Some(StorageClass::STANDARD) => Ok(()),
        Some(other) => Err(Failure::unsupported(operation, &format!("StorageClass {other}"))),
    }
}

/// Refuses a request that expects somebody else to own the bucket.
fn check_owner(core: &Core, expected: Option<&str>) -> Result<(), Failure> {
    if expected.is_some_and(|expected| expected != core.account.id) {
        return Err(Failure::new(S3ErrorCode::AccessDenied, "Access Denied"));
    }
    Ok(())
}

fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

/// A size as S3's types have it.
fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

macro_rules! serve {
    ($($method:ident($input:ty) -> $output:ty => $module:ident),+ $(,)?) => {
        #[async_trait]
        impl s3s::S3 for Operations {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                Ok($module::$method(&self.0, request).await?)
            })+

            // s3s would turn a browser's form into a PutObject; its policy document is not ours to vouch for yet.
            async fn post_object(&self, _request: S3Request<PostObjectInput>) -> S3Result<S3Response<PostObjectOutput>> {
                Err(Failure::new(S3ErrorCode::NotImplemented, "the local home does not support s3:PostObject").into())
            }
        }
    };
}

serve! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput => buckets,
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput => buckets,
    head_bucket(HeadBucketInput) -> HeadBucketOutput => buckets,
    list_buckets(ListBucketsInput) -> ListBucketsOutput => buckets,
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput => buckets,
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput => buckets,
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput => buckets,
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput => buckets,
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput => buckets,
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput => buckets,
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput => buckets,
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput)
        -> PutBucketNotificationConfigurationOutput => buckets,
    get_object(GetObjectInput) -> GetObjectOutput => read,
    head_object(HeadObjectInput) -> HeadObjectOutput => read,
    put_object(PutObjectInput) -> PutObjectOutput => write,
    copy_object(CopyObjectInput) -> CopyObjectOutput => copy,
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput => copy,
    delete_object(DeleteObjectInput) -> DeleteObjectOutput => delete,
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput => delete,
    list_objects(ListObjectsInput) -> ListObjectsOutput => lists,
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output => lists,
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput => lists,
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput => lists,
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput => multipart,
    upload_part(UploadPartInput) -> UploadPartOutput => multipart,
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput => multipart,
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput => multipart,
    list_parts(ListPartsInput) -> ListPartsOutput => multipart,
}
