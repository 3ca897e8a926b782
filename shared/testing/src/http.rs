//! The other end of an SDK client's connection, in this process.

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `POST`, ...
    pub method: String,
    /// With scheme, host and query.
    pub uri: String,
    /// `x-amz-target`, where the protocol has it.
    pub target: String,
    /// The body, as text.
    pub body: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP's.
    pub status: u16,
    /// Becomes `x-amzn-errortype`, for REST protocols.
    pub error_type: Option<&'static str>,
    /// JSON or XML.
    pub body: String,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, error_type: None, body: body.into() }
    }
}

struct Connector<F>(F);

impl<F> std::fmt::Debug for Connector<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl<F: Fn(&Asked) -> Answer + Send + Sync> HttpConnector for Connector<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let asked = Asked {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            target: request.headers().get("x-amz-target").unwrap_or_default().to_owned(),
            body: String::from_utf8(body.to_vec()).expect("request bodies are text"),
        };
        let answer = (self.0)(&asked);
        let status = StatusCode::try_from(answer.status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
        if let Some(error_type) = answer.error_type {
            response.headers_mut().insert("x-amzn-errortype", error_type);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// An HTTP client for an SDK whose every request this function answers.
pub fn client(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(answer));
    http_client_fn(move |_, _| connector.clone())
}
