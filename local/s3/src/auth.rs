//! Who calls, and whether they may: SigV4's secrets, and the policies asked before an operation runs.

use std::{fmt, sync::Arc};

use s3s::{
    S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
};
use vodline_core::{Authorizer, Principal};

use crate::{event::bucket_arn, failure::Failure, service::Core};

/// What belongs to an access key.
#[derive(Clone)]
pub struct Credential {
    /// What requests are signed with.
    pub secret_key: String,
    /// The session token that must come with requests, for temporary credentials.
    pub session_token: Option<String>,
    /// Who it is.
    pub principal: Principal,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credential").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// Knows the secrets of access keys; the home's IAM implements it.
pub trait Credentials: Send + Sync + 'static {
    /// What belongs to this access key, or `None` when there is no such key (or it has expired).
    fn find(&self, access_key: &str) -> Option<Credential>;
}

fn unknown_key() -> Failure {
    Failure::new(S3ErrorCode::InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

/// Hands s3s the secrets it checks signatures with.
pub(crate) struct Authentication(pub(crate) Arc<dyn Credentials>);

#[async_trait::async_trait]
impl S3Auth for Authentication {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let credential = self.0.find(access_key).ok_or_else(unknown_key)?;
        Ok(SecretKey::from(credential.secret_key))
    }
}

/// Asks the policies, once a signature holds. Leaves the [`Principal`] in the request's extensions.
pub(crate) struct Permissions {
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) core: Arc<Core>,
}

#[async_trait::async_trait]
impl S3Access for Permissions {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(self.check_request(context)?)
    }
}

impl Permissions {
    fn check_request(&self, context: &mut S3AccessContext<'_>) -> Result<(), Failure> {
        let Some(signer) = context.credentials() else {
            return Err(Failure::new(S3ErrorCode::AccessDenied, "Access Denied"));
        };
        let credential = self.credentials.find(&signer.access_key).ok_or_else(unknown_key)?;
        if let Some(expected) = &credential.session_token
            && session_token(context).as_deref() != Some(expected)
        {
            return Err(Failure::new(
                S3ErrorCode::InvalidToken,
                "The provided token is malformed or otherwise invalid.",
            ));
        }
        let operation = context.s3_op().name();
        let versioned = query_value(context, "versionId").is_some();
        let action = action(operation, versioned).ok_or_else(|| {
            Failure::new(S3ErrorCode::NotImplemented, format!("the local home does not support s3:{operation}"))
        })?;
        if let Some(action) = action {
            let resource = match context.s3_path() {
                S3Path::Root => "*".to_owned(),
                S3Path::Bucket { bucket } => bucket_arn(bucket),
                S3Path::Object { bucket, .. } if on_bucket(action) => bucket_arn(bucket),
                S3Path::Object { bucket, key } => object_arn(bucket, key),
            };
            permit(&*self.core.authorizer, &credential.principal, action, &resource)?;
        }
        context.extensions_mut().insert(credential.principal);
        Ok(())
    }
}

fn query_value(context: &S3AccessContext<'_>, name: &str) -> Option<String> {
    context.uri().query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

fn session_token(context: &S3AccessContext<'_>) -> Option<String> {
    let header = context.headers().get("x-amz-security-token").and_then(|token| token.to_str().ok());
    header.map(str::to_owned).or_else(|| query_value(context, "X-Amz-Security-Token"))
}

/// `arn:aws:s3:::<bucket>/<key>`.
pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// Asks for one permission, with S3's code and words when it is not given.
pub(crate) fn permit(
    authorizer: &dyn Authorizer,
    principal: &Principal,
    action: &str,
    resource: &str,
) -> Result<(), Failure> {
    authorizer
        .authorize(principal, action, resource)
        .map_err(|denied| Failure::new(S3ErrorCode::AccessDenied, denied.message))
}

fn on_bucket(action: &str) -> bool {
    action.starts_with("s3:List") && action != "s3:ListMultipartUploadParts"
}

/// The permission an operation needs; `Some(None)` when the operation asks by itself, key by key; `None` when the home does not
/// serve it. Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
fn action(operation: &str, versioned: bool) -> Option<Option<&'static str>> {
    Some(Some(match operation {
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "CompleteMultipartUpload"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "PutObject"
        | "UploadPart"
        | "UploadPartCopy" => "s3:PutObject",
        "CreateBucket" => "s3:CreateBucket",
        "DeleteBucket" => "s3:DeleteBucket",
        "DeleteBucketCors" | "PutBucketCors" => "s3:PutBucketCORS",
        "DeleteObject" if versioned => "s3:DeleteObjectVersion",
        "DeleteObject" => "s3:DeleteObject",
        "DeleteObjects" => return Some(None),
        "GetBucketCors" => "s3:GetBucketCORS",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetBucketNotificationConfiguration" => "s3:GetBucketNotification",
        "GetBucketVersioning" => "s3:GetBucketVersioning",
        "GetObject" | "HeadObject" if versioned => "s3:GetObjectVersion",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "s3:ListBucket",
        "ListBuckets" => "s3:ListAllMyBuckets",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "ListObjectVersions" => "s3:ListBucketVersions",
        "ListParts" => "s3:ListMultipartUploadParts",
        "PutBucketNotificationConfiguration" => "s3:PutBucketNotification",
        "PutBucketVersioning" => "s3:PutBucketVersioning",
        _ => return None,
    }))
}
