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
    /// `if-match`, where the request has a condition.
    pub if_match: String,
    /// The body, as text.
    pub body: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// 200 with this body, JSON or XML.
    pub fn ok(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    /// Another status with this body.
    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the header in which REST protocols name an error.
    #[must_use]
    pub fn error_type(self, name: &str) -> Self {
        self.header("x-amzn-errortype", name)
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
            if_match: request.headers().get("if-match").unwrap_or_default().to_owned(),
            body: String::from_utf8(body.to_vec()).expect("request bodies are text"),
        };
        let answer = (self.0)(&asked);
        let status = StatusCode::try_from(answer.status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
        for (name, value) in answer.headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// An HTTP client for an SDK whose every request this function answers.
pub fn client(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(answer));
    http_client_fn(move |_, _| connector.clone())
}
