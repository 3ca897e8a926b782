//! Which data plane an origin's domain name means.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use vodline_core::{Origin, OriginBody, OriginRequest, OriginResponse};

/// The data planes that a distribution can reach.
pub struct Origins {
    /// `<bucket>.s3.<region>.amazonaws.com`.
    pub objects: Arc<dyn Origin>,
    /// `<id>.egress.mediapackage-vod.<region>.amazonaws.com`.
    pub egress: Arc<dyn Origin>,
    /// `<apiId>.execute-api.<region>.amazonaws.com`.
    pub apis: Arc<dyn Origin>,
}

#[async_trait]
impl Origin for Origins {
    async fn fetch(&self, request: OriginRequest) -> OriginResponse {
        let mut labels = request.domain_name.split('.').skip(1);
        match labels.next() {
            Some("s3") => self.objects.fetch(request).await,
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
