//! The Runtime API that one sandbox sees.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot},
};

/// What a function may answer; the limit on a synchronous response.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024 + 64 * 1024;

/// An invocation on its way to the function.
pub(crate) struct Work {
    pub(crate) request_id: String,
    pub(crate) function_arn: String,
    pub(crate) deadline_ms: i64,
    pub(crate) payload: Bytes,
    /// Told when the function takes it up.
    pub(crate) taken: oneshot::Sender<()>,
    /// Told how it ended.
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// How the function ended an invocation.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It answered.
    Response(Bytes),
    /// It reported an error.
    Error(Bytes),
}

/// The listener's state.
pub(crate) struct Runtime {
    work: Mutex<mpsc::Receiver<Work>>,
    current: std::sync::Mutex<Option<(String, oneshot::Sender<Reply>)>>,
    /// Told when the function first asks for work, or that it could not initialise.
    ready: std::sync::Mutex<Option<oneshot::Sender<Result<(), Bytes>>>>,
}

impl Runtime {
    pub(crate) fn new(work: mpsc::Receiver<Work>, ready: oneshot::Sender<Result<(), Bytes>>) -> Arc<Self> {
        Arc::new(Self {
            work: Mutex::new(work),
            current: std::sync::Mutex::new(None),
            ready: std::sync::Mutex::new(Some(ready)),
        })
    }

    fn initialised(&self, outcome: Result<(), Bytes>) {
        if let Some(ready) = lock(&self.ready).take() {
            let _ = ready.send(outcome);
        }
    }

    fn end(&self, request_id: &str, reply: Reply) -> StatusCode {
        let mut current = lock(&self.current);
        match current.take_if(|(id, _)| id == request_id) {
            Some((_, sender)) => {
                let _ = sender.send(reply);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

/// Serves the sandbox until the listener is dropped with its task.
pub(crate) async fn serve(listener: TcpListener, runtime: Arc<Runtime>) {
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(RESPONSE_BYTES_MAX))
        .with_state(runtime);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::warn!(%error, "a function's Runtime API ended");
    }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    runtime.initialised(Ok(()));
    let Some(work) = runtime.work.lock().await.recv().await else {
        // The pool has let go of this sandbox; the process is about to be ended.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    *lock(&runtime.current) = Some((work.request_id.clone(), work.reply));
    let _ = work.taken.send(());
    let mut answer = work.payload.into_response();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", work.request_id),
        ("lambda-runtime-deadline-ms", work.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", work.function_arn),
        ("content-type", "application/json".into()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

async fn response(State(runtime): State<Arc<Runtime>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    runtime.end(&id, Reply::Response(body))
}

async fn error(State(runtime): State<Arc<Runtime>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    runtime.end(&id, Reply::Error(body))
}

async fn init_error(State(runtime): State<Arc<Runtime>>, body: Bytes) -> StatusCode {
    runtime.initialised(Err(body));
    StatusCode::ACCEPTED
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
