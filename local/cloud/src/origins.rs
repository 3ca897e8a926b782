//! Which data plane an origin's domain name means.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use vodline_core::{Origin, OriginBody, OriginRequest, OriginResponse};

use crate::bucket_policy::BucketPolicies;

/// The data planes that a distribution can reach.
pub struct Origins {
    /// `<bucket>.s3.<region>.amazonaws.com`.
    pub objects: Arc<dyn Origin>,
    /// Which distribution may read which bucket.
    pub bucket_policies: Arc<BucketPolicies>,
    /// `<id>.egress.mediapackage-vod.<region>.amazonaws.com`.
    pub egress: Arc<dyn Origin>,
    /// `<apiId>.execute-api.<region>.amazonaws.com`.
    pub apis: Arc<dyn Origin>,
}

#[async_trait]
impl Origin for Origins {
    async fn fetch(&self, request: OriginRequest) -> OriginResponse {
        if let Some((bucket, _)) = request.domain_name.split_once(".s3.") {
            if !self.admits(bucket, &request) {
                return access_denied();
            }
            return self.objects.fetch(request).await;
        }
        let mut labels = request.domain_name.split('.').skip(1);
        match labels.next() {
            Some("egress") if labels.next() == Some("mediapackage-vod") => self.egress.fetch(request).await,
            Some("execute-api") => self.apis.fetch(request).await,
            _ => {
                tracing::warn!(domain = request.domain_name, "the local home has no such origin");
                OriginResponse {
                    status: StatusCode::BAD_GATEWAY,
                    headers: HeaderMap::new(),
                    body: OriginBody::Bytes(Bytes::from_static(b"the local home has no such origin")),
                }
            }
        }
    }
}

impl Origins {
    /// Whether the bucket's policy lets the request's signer in; it lets nobody in who does not sign.
    fn admits(&self, bucket: &str, request: &OriginRequest) -> bool {
        let path = request.path.strip_prefix('/').unwrap_or(&request.path);
        let key = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        request.signer.as_deref().is_some_and(|signer| self.bucket_policies.admit(signer, bucket, &key))
    }
}

/// S3's refusal.
fn access_denied() -> OriginResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    OriginResponse {
        status: StatusCode::FORBIDDEN,
        headers,
        body: OriginBody::Bytes(Bytes::from_static(body.as_bytes())),
    }
}
