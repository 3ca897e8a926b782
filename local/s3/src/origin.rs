//! S3 as an origin of the edge. What arrives here was signed by the distribution's origin access control, so the question is only
//! what S3 says of the object.

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use s3s::{
    S3ErrorCode,
    dto::{ETag, ETagCondition, Timestamp, TimestampFormat},
};
use vodline_core::{AwsError, Origin, OriginBody, OriginRequest, OriginResponse};

use crate::{
    bucket,
    conditions::ReadCondition,
    details::DEFAULT_CONTENT_TYPE,
    failure::Failure,
    service::S3,
    versions::{self, Version, s3_time},
};

#[async_trait]
impl Origin for S3 {
    async fn fetch(&self, request: OriginRequest) -> OriginResponse {
        let request_id = self.core.request_id();
        let mut response = match self.read(request).await {
            Ok(response) => response,
            Err(failure) => refusal(failure, &request_id),
        };
        response.headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
        insert(&mut response.headers, HeaderName::from_static("x-amz-request-id"), &request_id);
        response
    }
}

impl S3 {
    async fn read(&self, request: OriginRequest) -> Result<OriginResponse, Failure> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(Failure::new(
                S3ErrorCode::MethodNotAllowed,
                "The specified method is not allowed against this resource.",
            ));
        }
        // Parameters S3 does not know have no effect there either; those it knows would.
        if request.query.split('&').any(|pair| pair.starts_with("versionId=") || pair.starts_with("response-")) {
            return Err(Failure::unsupported("GetObject", "query parameters from an origin access control"));
        }
        let name = self.hosts.bucket(&request.domain_name).ok_or_else(Failure::no_such_bucket)?.to_owned();
        let path = request.path.strip_prefix('/').unwrap_or(&request.path);
        let key = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| Failure::new(S3ErrorCode::InvalidURI, "Couldn't parse the specified URI."))?
            .into_owned();
        let condition = condition(&request.headers);
        let version = self
            .core
            .blocking(move |core| {
                core.store.read(|connection| {
                    let bucket = bucket::find(connection, &name)?;
                    // An origin access control may get objects but not list them, so S3 does not say that one is missing.
                    versions::current(connection, &bucket.name, &key)?
                        .ok_or_else(|| Failure::new(S3ErrorCode::AccessDenied, "Access Denied"))
                })
            })
            .await?;
        condition.check_read(&version)?;
        let path = self.core.files.path(&version.file);
        let size_bytes = version.size_bytes;
        Ok(OriginResponse {
            status: StatusCode::OK,
            headers: headers(version),
            body: OriginBody::File { path, size_bytes },
        })
    }
}

fn condition(headers: &HeaderMap) -> ReadCondition {
    let tag = |name| {
        let value: &HeaderValue = headers.get(name)?;
        ETagCondition::parse_http_header(value.as_bytes()).ok()
    };
    let time = |name| Timestamp::parse(TimestampFormat::HttpDate, headers.get(name)?.to_str().ok()?).ok();
    ReadCondition {
        if_match: tag(header::IF_MATCH),
        if_none_match: tag(header::IF_NONE_MATCH),
        if_modified_since: time(header::IF_MODIFIED_SINCE),
        if_unmodified_since: time(header::IF_UNMODIFIED_SINCE),
    }
}

fn headers(version: Version) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, version.size_bytes.into());
    if let Ok(etag) = ETag::Strong(version.etag.clone()).to_http_header() {
        headers.insert(header::ETAG, etag);
    }
    insert_time(&mut headers, header::LAST_MODIFIED, &s3_time(version.modified));
    let details = version.details;
    let content_type = details.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
    insert(&mut headers, header::CONTENT_TYPE, content_type);
    for (name, value) in [
        (header::CACHE_CONTROL, &details.cache_control),
        (header::CONTENT_DISPOSITION, &details.content_disposition),
        (header::CONTENT_ENCODING, &details.content_encoding),
        (header::CONTENT_LANGUAGE, &details.content_language),
    ] {
        if let Some(value) = value {
            insert(&mut headers, name, value);
        }
    }
    if let Some(expires) = &details.expires {
        insert_time(&mut headers, header::EXPIRES, expires);
    }
    for (name, value) in &details.user {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-meta-{name}")) {
            insert(&mut headers, name, value);
        }
    }
    headers
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn insert_time(headers: &mut HeaderMap, name: HeaderName, time: &Timestamp) {
    let mut text = Vec::new();
    if time.format(TimestampFormat::HttpDate, &mut text).is_ok()
        && let Ok(value) = HeaderValue::from_bytes(&text)
    {
        headers.insert(name, value);
    }
}

/// S3's error document.
fn refusal(failure: Failure, request_id: &str) -> OriginResponse {
    let mut headers = match &failure {
        Failure::Refused(refusal) => refusal.headers.clone(),
        _ => HeaderMap::new(),
    };
    let error = AwsError::from(failure);
    if error.status == StatusCode::NOT_MODIFIED {
        return OriginResponse { status: error.status, headers, body: OriginBody::Bytes(bytes::Bytes::new()) };
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    // Codes and messages of ours hold nothing that XML would have to escape.
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{request_id}</RequestId></Error>",
        error.code, error.message
    );
    OriginResponse { status: error.status, headers, body: OriginBody::Bytes(body.into()) }
}
