//! The API over real HTTP, as the official SDK sees it.

use std::{convert::Infallible, sync::Arc};

use aws_sdk_cloudfront::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::{ProvideErrorMetadata, SdkError},
};
use http::{Request as HttpRequest, Response as HttpResponse};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use vodline_core::{Authorizer, AwsError, Principal, Protocol, Request, Service};
use vodline_edge::Edge;

use super::Home;

/// Everybody may do everything but delete the cache's contents.
pub(crate) struct Policy;

impl Authorizer for Policy {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if action == "cloudfront:ListInvalidations" {
            return Err(AwsError::access_denied(principal.arn(), action, resource));
        }
        Ok(())
    }
}

async fn call(edge: Arc<Edge>, request: HttpRequest<Incoming>) -> Result<HttpResponse<Full<bytes::Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let request = Request {
        operation: String::new(),
        method: head.method,
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
        principal: Principal::Root,
        request_id: "r".into(),
        authorizer: Arc::new(Policy),
    };
    let response = edge.call(request).await.unwrap_or_else(|error| error.to_response(Protocol::RestXml, "r"));
    let mut http = HttpResponse::new(Full::new(response.body));
    *http.status_mut() = response.status;
    *http.headers_mut() = response.headers;
    Ok(http)
}

/// A client of this edge's API.
pub(crate) async fn client(home: &Home) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let edge = home.edge.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let edge = edge.clone();
            let service = service_fn(move |request| call(edge.clone(), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let config = aws_sdk_cloudfront::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("k", "s", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .build();
    Client::from_conf(config)
}

/// The error code that a call was refused with.
pub(crate) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or("no service error")
}
