//! The way in for HTTP: request ids, CORS, and everything else to s3s.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use s3s::{Body, S3Error, S3ErrorCode, path::S3Path};

use crate::{
    bucket,
    cors::{self, CorsRule},
    failure::Failure,
    service::S3,
};

/// What an operation knows of the HTTP request it came in.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) request_id: String,
    pub(crate) source: IpAddr,
}

/// Operations younger than s3s, which would take their requests for something else: the query parameter that marks each.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>.
const UNKNOWN_TO_S3S: [(&str, &str); 6] = [
    ("abac", "PutBucketAbac"),
    ("annotation", "PutObjectAnnotation"),
    ("metadataConfiguration", "CreateBucketMetadataConfiguration"),
    ("metadataInventoryTable", "UpdateBucketMetadataInventoryTableConfiguration"),
    ("metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration"),
    ("renameObject", "RenameObject"),
];

impl S3 {
    /// Serves one HTTP request, path-style (`/bucket/key`) or virtual-hosted; the answer streams. `source` is the client's
    /// address, which events carry. Failures are answers too.
    pub async fn handle<B: Into<Body>>(&self, request: Request<B>, source: IpAddr) -> Response<Body> {
        let request_id = self.core.request_id();
        let mut request = request.map(Into::into);
        request.extensions_mut().insert(Arrival { request_id: request_id.clone(), source });
        let mut response = self.answer(request).await;
        if response.status() == StatusCode::NOT_MODIFIED {
            // s3s gives every error a body; this one must not have one.
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        let headers = response.headers_mut();
        headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert("x-amz-id-2", value.clone());
            headers.insert("x-amz-request-id", value);
        }
        response
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let origin = text(request.headers(), &header::ORIGIN).map(str::to_owned);
        let bucket = self.bucket_of(&request);
        if request.method() == Method::OPTIONS {
            return self.preflight(request.headers(), origin.as_deref(), bucket).await.unwrap_or_else(refusal);
        }
        if let Some(operation) = unknown_operation(request.uri().query().unwrap_or_default()) {
            let message = format!("the local home does not support s3:{operation}");
            return refusal(Failure::new(S3ErrorCode::NotImplemented, message));
        }
        let method = request.method().clone();
        // s3s's future holds every operation's; it is too large for the stack of its callers.
        let mut response = match Box::pin(self.protocol.call(request)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(?error, "s3s could not answer");
                refusal(Failure::new(S3ErrorCode::InternalError, "We encountered an internal error. Please try again."))
            }
        };
        if let (Some(origin), Some(bucket)) = (origin, bucket) {
            let rules = self.rules(bucket).await.unwrap_or_default().unwrap_or_default();
            if let Some(headers) = cors::actual(&rules, &origin, method.as_str()) {
                response.headers_mut().extend(headers);
            }
        }
        response
    }

    async fn preflight(
        &self,
        headers: &HeaderMap,
        origin: Option<&str>,
        bucket: Option<String>,
    ) -> Result<Response<Body>, Failure> {
        let bad_request = |message: &'static str| Failure::custom("BadRequest", StatusCode::BAD_REQUEST, message);
        let origin = origin.ok_or_else(|| bad_request("Insufficient information. Origin request header needed."))?;
        let method = text(headers, &header::ACCESS_CONTROL_REQUEST_METHOD)
            .ok_or_else(|| bad_request("Invalid Access-Control-Request-Method: null"))?;
        let announced = text(headers, &header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let rules = match bucket {
            Some(bucket) => self.rules(bucket).await?.ok_or_else(Failure::no_such_bucket)?,
            None => Vec::new(),
        };
        let forbidden = |message: &'static str| Failure::custom("AccessForbidden", StatusCode::FORBIDDEN, message);
        if rules.is_empty() {
            return Err(forbidden("CORSResponse: CORS is not enabled for this bucket."));
        }
        let answer = cors::preflight(&rules, origin, method, announced).ok_or_else(|| {
            forbidden(
                "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
                 method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
                 resource's CORS spec.",
            )
        })?;
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = answer;
        Ok(response)
    }

    /// A bucket's CORS rules; `None` when there is no such bucket.
    async fn rules(&self, name: String) -> Result<Option<Vec<CorsRule>>, Failure> {
        self.core.blocking(move |core| core.store.read(|connection| bucket::cors(connection, &name))).await
    }

    fn bucket_of(&self, request: &Request<Body>) -> Option<String> {
        let host = text(request.headers(), &header::HOST).or_else(|| request.uri().host())?;
        if let Some(bucket) = self.hosts.bucket(host) {
            return Some(bucket.to_owned());
        }
        let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8().ok()?;
        match s3s::path::parse_path_style(&path).ok()? {
            S3Path::Root => None,
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => Some(bucket.into()),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unknown_operation(query: &str) -> Option<&'static str> {
    let names = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    names.into_iter().find_map(|name| {
        UNKNOWN_TO_S3S.iter().find(|(parameter, _)| *parameter == name).map(|(_, operation)| *operation)
    })
}

fn refusal(failure: Failure) -> Response<Body> {
    S3Error::from(failure).to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
