//! The Runtime API, as a function process sees it on its own port.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::sync::{Arc, Mutex as Lock, PoisonError};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot, watch},
};

/// The largest synchronous payload, in either direction, in bytes.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html> (6 MB; the exact number is the service's own).
pub(crate) const MAX_PAYLOAD_BYTES: usize = 6_291_556;

/// An invocation on its way to the process.
pub(crate) struct Job {
    pub(crate) request_id: String,
    pub(crate) function_arn: String,
    /// Milliseconds since 1970.
    pub(crate) deadline_ms: i64,
    pub(crate) trace_id: String,
    pub(crate) client_context: Option<String>,
    pub(crate) payload: Bytes,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// What the process made of a [`Job`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Response(Bytes),
    /// An error object of the function's own.
    Error(Bytes),
    /// A response larger than [`MAX_PAYLOAD_BYTES`].
    TooLarge,
}

/// The state behind one process's port.
pub(crate) struct Session {
    jobs: Mutex<mpsc::Receiver<Job>>,
    current: Lock<Option<(String, oneshot::Sender<Reply>)>>,
    /// How often the process has asked for work: once it is ready, and once after each invocation.
    polls: watch::Sender<u64>,
    /// What the process said of its failed initialisation.
    init_error: watch::Sender<Option<Bytes>>,
}

impl Session {
    pub(crate) fn new(jobs: mpsc::Receiver<Job>) -> Arc<Self> {
        Arc::new(Self {
            jobs: Mutex::new(jobs),
            current: Lock::default(),
            polls: watch::Sender::new(0),
            init_error: watch::Sender::new(None),
        })
    }

    pub(crate) fn polls(&self) -> watch::Receiver<u64> {
        self.polls.subscribe()
    }

    pub(crate) fn init_error(&self) -> Option<Bytes> {
        self.init_error.borrow().clone()
    }

    /// Serves the process until dropped.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(self);
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the Runtime API of a function stopped");
        }
    }

    /// Answers the current invocation, if it is the one of this id.
    fn reply(&self, id: &str, reply: Reply) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take() {
            Some((expected, sender)) if expected == id => {
                // Nobody waits any more when the invocation has timed out.
                let _ = sender.send(reply);
                true
            }
            other => {
                *current = other;
                false
            }
        }
    }
}

async fn next(State(session): State<Arc<Session>>) -> Response {
    session.polls.send_modify(|polls| *polls += 1);
    let Some(job) = session.jobs.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Job { request_id, function_arn, deadline_ms, trace_id, client_context, payload, reply } = job;
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("lambda-runtime-aws-request-id", &request_id);
    set("lambda-runtime-deadline-ms", &deadline_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &function_arn);
    set("lambda-runtime-trace-id", &trace_id);
    if let Some(context) = &client_context {
        set("lambda-runtime-client-context", context);
    }
    set("content-type", "application/json");
    *session.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((request_id, reply));
    (headers, payload).into_response()
}

/// What the runtime is told of a report that was taken.
fn accepted() -> Response {
    (StatusCode::ACCEPTED, [("content-type", "application/json")], r#"{"status":"OK"}"#).into_response()
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = format!(r#"{{"errorMessage":"{message}","errorType":"{kind}"}}"#);
    (status, [("content-type", "application/json")], body).into_response()
}

async fn response(State(session): State<Arc<Session>>, Path(id): Path<String>, body: Body) -> Response {
    let (reply, answer) = match to_bytes(body, MAX_PAYLOAD_BYTES).await {
        Ok(payload) => (Reply::Response(payload), accepted()),
        Err(_) => (
            Reply::TooLarge,
            refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "Exceeded maximum allowed payload size"),
        ),
    };
    if session.reply(&id, reply) { answer } else { unknown_id() }
}

async fn error(State(session): State<Arc<Session>>, Path(id): Path<String>, body: Body) -> Response {
    let payload = to_bytes(body, MAX_PAYLOAD_BYTES).await.unwrap_or_default();
    if session.reply(&id, Reply::Error(payload)) { accepted() } else { unknown_id() }
}

async fn init_error(State(session): State<Arc<Session>>, body: Body) -> Response {
    session.init_error.send_replace(to_bytes(body, MAX_PAYLOAD_BYTES).await.ok());
    accepted()
}

fn unknown_id() -> Response {
    refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}
