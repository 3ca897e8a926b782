//! The one port: finds out which service a request is for, and who sends it.
//!
//! - `Host: *.egress.mediapackage-vod.*`: MediaPackage's data plane (closed without the CDN's header)
//! - `/_console/`: the executions console's static files
//! - `x-amz-target`, or the service in the signature's scope: that service's API, if the signature is right
//! - everything else: S3, which checks its own signatures

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request as HttpRequest, Response as HttpResponse, StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use vodline_core::{
    Authorizer, AwsError, Entropy, Origin, OriginBody, OriginRequest, Principal, Protocol, Request, Response, Service,
};
use vodline_s3::{Body, S3};

use crate::{cloudformation::Form, iam::Iam, signature::Authorization};

/// No AWS API but S3 takes larger bodies than DynamoDB's 16 MiB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024 + 64 * 1024;

/// The services behind the port, by the name that signatures give them.
#[derive(Clone, Default)]
pub struct Services(BTreeMap<&'static str, Arc<dyn Service>>);

impl Services {
    /// Adds a service.
    #[must_use]
    pub fn with(mut self, name: &'static str, service: Arc<dyn Service>) -> Self {
        self.0.insert(name, service);
        self
    }

    /// The service of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Service>> {
        self.0.get(name)
    }
}

/// Services whose operations are named in `x-amz-target`, by the prefix they use there.
const TARGETS: &[(&str, &str)] = &[
    ("AWSStepFunctions", "states"),
    ("AWSEvents", "events"),
    ("secretsmanager", "secretsmanager"),
    ("DynamoDB_20120810", "dynamodb"),
    ("Logs_20140328", "logs"),
    ("AmazonSQS", "sqs"),
];

/// The service that an operation's target prefix belongs to.
#[must_use]
pub fn service_of_target(prefix: &str) -> Option<&'static str> {
    TARGETS.iter().find(|(target, _)| *target == prefix).map(|(_, service)| *service)
}

/// The port's request handler.
pub struct Gateway {
    /// Everything but S3.
    pub services: Services,
    /// S3.
    pub s3: Arc<S3>,
    /// MediaPackage's data plane.
    pub egress: Arc<dyn Origin>,
    /// Keys and policies.
    pub iam: Arc<Iam>,
    /// Request ids.
    pub entropy: Arc<dyn Entropy>,
    /// The console's static files, if they were built.
    pub console: Option<PathBuf>,
    /// Such as `us-east-1`.
    pub region: String,
}

impl Gateway {
    /// Answers one request that came from `source`.
    pub async fn handle(&self, request: HttpRequest<Incoming>, source: IpAddr) -> HttpResponse<Body> {
        let host = request.headers().get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().to_owned();
        if host.contains(".egress.mediapackage-vod.") {
            return self.egress(&host, request).await;
        }
        if let Some(path) = request.uri().path().strip_prefix("/_console/") {
            return self.console(&host, path).await;
        }
        let authorization =
            request.headers().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let authorization = authorization.as_deref().and_then(Authorization::parse);
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let name = match (&target, &authorization) {
            (Some(target), _) => target.split('.').next().and_then(service_of_target),
            (None, Some(authorization)) => Some(authorization.service).filter(|name| *name != "s3"),
            (None, None) => None,
        };
        let Some(name) = name else {
            return self.s3.handle(request, source).await;
        };
        let request_id = self.entropy.uuid();
        let Some(service) = self.services.get(name) else {
            let message = format!("the local home does not serve {name}");
            let error = AwsError::with_status(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message);
            return http(error.to_response(Protocol::Json10, &request_id), &request_id);
        };
        let protocol = service.protocol();
        let response =
            match self.decode(request, authorization.as_ref(), target.as_deref(), protocol, &request_id).await {
                Ok(request) => service.call(request).await,
                Err(error) => Err(error),
            };
        http(response.unwrap_or_else(|error| error.to_response(protocol, &request_id)), &request_id)
    }

    async fn decode(
        &self,
        request: HttpRequest<Incoming>,
        authorization: Option<&Authorization<'_>>,
        target: Option<&str>,
        protocol: Protocol,
        request_id: &str,
    ) -> Result<Request, AwsError> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| {
            AwsError::with_status(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                "the body is too large",
            )
        })?;
        let body = body.to_bytes();
        let principal = self.identify(authorization, &parts, &body)?;
        let operation = match (target, protocol) {
            (Some(target), _) => target.split_once('.').map(|(_, operation)| operation.to_owned()).unwrap_or_default(),
            (None, Protocol::Query) => Form::parse(&body).value("Action").unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        Ok(Request {
            operation,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            method: parts.method,
            headers: parts.headers,
            body,
            principal,
            request_id: request_id.to_owned(),
            authorizer: Arc::clone(&self.iam) as Arc<dyn Authorizer>,
        })
    }

    fn identify(
        &self,
        authorization: Option<&Authorization<'_>>,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Principal, AwsError> {
        match authorization {
            Some(authorization) => authorization.verify(&self.iam, parts, body),
            None => Err(AwsError::with_status(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                "Request is missing Authentication Token",
            )),
        }
    }

    async fn egress(&self, host: &str, request: HttpRequest<Incoming>) -> HttpResponse<Body> {
        let (parts, _) = request.into_parts();
        let answer = self
            .egress
            .fetch(OriginRequest {
                domain_name: host.to_owned(),
                method: parts.method,
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: parts.headers,
                body: Bytes::new(),
                signer: None,
            })
            .await;
        let body = match answer.body {
            OriginBody::Bytes(bytes) => bytes,
            OriginBody::File { path, .. } => tokio::fs::read(path).await.unwrap_or_default().into(),
        };
        let mut response = HttpResponse::new(Body::from(body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    /// The console's files, and the keys it signs with. Those are for pages of this machine only: a page that reached this
    /// port under another name (DNS rebinding) gets nothing.
    async fn console(&self, host: &str, path: &str) -> HttpResponse<Body> {
        let id = self.entropy.uuid();
        let plain = |status: StatusCode, text: &str| {
            http(Response::new(status, "text/plain; charset=utf-8", text.to_owned()), &id)
        };
        if !matches!(host, "127.0.0.1" | "localhost") {
            return plain(StatusCode::FORBIDDEN, "the console answers on 127.0.0.1 and localhost only");
        }
        if path == "console-config.json" {
            let root = self.iam.root();
            let config = json!({
                "endpoint": "/",
                "region": self.region,
                "accessKeyId": root.access_key_id,
                "secretAccessKey": root.secret_access_key,
            });
            let mut response = Response::new(StatusCode::OK, "application/json", config.to_string());
            response.set_header("cache-control", "no-store");
            return http(response, &id);
        }
        let Some(folder) = &self.console else {
            return plain(
                StatusCode::NOT_FOUND,
                "the console is not built: run `npm ci && npm run build` in frontend/web",
            );
        };
        let path = if path.is_empty() { "executions.html" } else { path };
        // Built files have plain names; anything else cannot leave the folder because it is not looked up at all.
        let plain_name = |part: &str| {
            !part.starts_with('.') && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if !path.split('/').all(plain_name) {
            return plain(StatusCode::NOT_FOUND, "no such file");
        }
        match tokio::fs::read(folder.join(path)).await {
            Ok(bytes) => {
                let mut response = Response::new(StatusCode::OK, content_type(path), bytes);
                response.set_header(
                    "content-security-policy",
                    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
                );
                response.set_header("x-content-type-options", "nosniff");
                http(response, &id)
            }
            Err(_) => plain(StatusCode::NOT_FOUND, "no such file"),
        }
    }
}

/// The type of a static file, by its suffix.
#[must_use]
pub fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn http(response: Response, request_id: &str) -> HttpResponse<Body> {
    let mut answer = HttpResponse::new(Body::from(response.body));
    *answer.status_mut() = response.status;
    *answer.headers_mut() = response.headers;
    if let Ok(id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert("x-amzn-requestid", id);
    }
    answer
}
