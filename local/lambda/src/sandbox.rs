//! One process of a function.

use std::{
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::body::Bytes;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use vodline_core::AwsError;

use crate::{
    config::{Config, FunctionSpec},
    logs::Logs,
    runtime_api::{Reply, Runtime, Work, serve},
};

/// How long a process may take to ask for its first invocation.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A process and the listener that feeds it.
pub(crate) struct Sandbox {
    child: Child,
    work: mpsc::Sender<Work>,
    server: JoinHandle<()>,
    /// Names it in the log.
    pub(crate) stream: String,
    /// When its program was built; a newer program means a new process.
    pub(crate) built: Option<SystemTime>,
    /// When it last worked.
    pub(crate) last_used: Instant,
    /// How long it took to be ready; taken by the first REPORT line.
    pub(crate) init: Option<Duration>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
        // The child is killed on drop.
    }
}

/// How an invocation in a sandbox ended.
pub(crate) enum Ended {
    /// The sandbox can take another.
    Reply(Reply),
    /// The sandbox is gone; the error object that AWS would answer.
    Lost(Vec<u8>),
}

impl Sandbox {
    /// Starts a process of the function and waits until it is ready.
    pub(crate) async fn start(config: &Config, spec: &FunctionSpec, logs: &Arc<Logs>) -> Result<Self, Start> {
        let program = config.functions.join(&spec.binary);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| Start::Failed(internal(&error)))?;
        let address = listener.local_addr().map_err(|error| Start::Failed(internal(&error)))?;
        let now = config.clock.now();
        let stream = format!("{}/[$LATEST]{}", now.strftime("%Y/%m/%d"), config.entropy.hex(32));
        let built = std::fs::metadata(&program).and_then(|metadata| metadata.modified()).ok();
        let began = Instant::now();
        let mut child = Command::new(&program)
            .env_clear()
            .envs(environment(config, spec, &address.to_string(), &stream))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                Start::Failed(AwsError::with_status(
                    axum::http::StatusCode::BAD_GATEWAY,
                    "InvalidRuntimeException",
                    format!("cannot start {}: {error}; is it built?", program.display()),
                ))
            })?;
        for pipe in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)].into_iter().flatten() {
            tokio::spawn(copy_lines(pipe, Arc::clone(logs), spec.name.clone(), stream.clone()));
        }
        let (work, receiver) = mpsc::channel(1);
        let (ready, is_ready) = oneshot::channel();
        let server = tokio::spawn(serve(listener, Runtime::new(receiver, ready)));
        let mut sandbox = Self { child, work, server, stream, built, last_used: began, init: None };
        tokio::select! {
            outcome = tokio::time::timeout(INIT_TIMEOUT, is_ready) => match outcome {
                Ok(Ok(Ok(()))) => {
                    sandbox.init = Some(began.elapsed());
                    Ok(sandbox)
                }
                Ok(Ok(Err(body))) => Err(Start::Init(body.to_vec())),
                Ok(Err(_)) => Err(Start::Init(error_object("Runtime.InitError", "the runtime ended before it was ready"))),
                Err(_) => Err(Start::Init(error_object("Sandbox.Timedout", "the function took longer than 10 s to initialise"))),
            },
            status = sandbox.child.wait() => {
                Err(Start::Init(error_object("Runtime.ExitError", &exit_message(status.ok()))))
            }
        }
    }

    /// Whether the process is still there and of the program as it is now.
    pub(crate) fn usable(&mut self, config: &Config, spec: &FunctionSpec) -> bool {
        let built =
            std::fs::metadata(config.functions.join(&spec.binary)).and_then(|metadata| metadata.modified()).ok();
        built == self.built && matches!(self.child.try_wait(), Ok(None))
    }

    /// Runs one invocation.
    pub(crate) async fn run(
        &mut self,
        spec: &FunctionSpec,
        request_id: &str,
        arn: &str,
        now_ms: i64,
        payload: Bytes,
    ) -> Ended {
        let (taken, is_taken) = oneshot::channel();
        let (reply, ended) = oneshot::channel();
        let deadline_ms = now_ms + i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX / 2);
        let work = Work { request_id: request_id.into(), function_arn: arn.into(), deadline_ms, payload, taken, reply };
        if self.work.send(work).await.is_err() {
            return Ended::Lost(error_object(
                "Runtime.ExitError",
                &format!("RequestId: {request_id} Error: Runtime exited"),
            ));
        }
        let outcome = async {
            // The clock of the timeout starts when the function takes the invocation up.
            let _ = is_taken.await;
            tokio::time::timeout(spec.timeout, ended).await
        };
        tokio::select! {
            outcome = outcome => match outcome {
                Ok(Ok(reply)) => Ended::Reply(reply),
                Ok(Err(_)) => Ended::Lost(error_object("Runtime.ExitError", &format!("RequestId: {request_id} Error: Runtime exited"))),
                Err(_) => {
                    let _ = self.child.start_kill();
                    let seconds = spec.timeout.as_secs_f64();
                    let message = format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
                    Ended::Lost(error_object("Sandbox.Timedout", &message))
                }
            },
            status = self.child.wait() => {
                let message = format!("RequestId: {request_id} Error: {}", exit_message(status.ok()));
                Ended::Lost(error_object("Runtime.ExitError", &message))
            }
        }
    }

    /// The most memory the process has held, in MB.
    pub(crate) fn memory_mb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib.div_ceil(1024))
    }
}

/// Why a process did not become ready.
pub(crate) enum Start {
    /// There is no process: Lambda's own error.
    Failed(AwsError),
    /// It could not initialise: the function's error object.
    Init(Vec<u8>),
}

/// Lambda's environment variables, the function's own, and where AWS is; nothing else but PATH is inherited.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
fn environment(config: &Config, spec: &FunctionSpec, runtime_api: &str, stream: &str) -> Vec<(String, String)> {
    let keys = config.credentials.keys(&spec.role_arn);
    let region = &config.account.region;
    let mut variables: Vec<(String, String)> = spec.environment.clone().into_iter().collect();
    let reserved: [(&str, String); 18] = [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.into()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", spec.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream.into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".into()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region.clone()),
        ("AWS_ACCESS_KEY_ID", keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
        ("AWS_ENDPOINT_URL", config.endpoint_url.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("LAMBDA_TASK_ROOT", config.functions.display().to_string()),
        ("_HANDLER", "bootstrap".into()),
        ("TZ", ":UTC".into()),
        ("PATH", std::env::var("PATH").unwrap_or_default()),
    ];
    variables.extend(reserved.map(|(name, value)| (name.to_owned(), value)));
    variables
}

fn boxed(pipe: impl AsyncRead + Send + Unpin + 'static) -> Box<dyn AsyncRead + Send + Unpin> {
    Box::new(pipe)
}

async fn copy_lines(pipe: Box<dyn AsyncRead + Send + Unpin>, logs: Arc<Logs>, function: String, stream: String) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        if !text.is_empty() {
            logs.append(&function, &stream, text);
        }
        line.clear();
    }
}

pub(crate) fn error_object(error_type: &str, message: &str) -> Vec<u8> {
    serde_json::json!({ "errorType": error_type, "errorMessage": message }).to_string().into_bytes()
}

fn exit_message(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(0), _)) => "Runtime exited without providing a reason".into(),
        Some((Some(code), _)) => format!("Runtime exited with error: exit status {code}"),
        Some((None, Some(9))) => "Runtime exited with error: signal: killed".into(),
        Some((None, Some(signal))) => format!("Runtime exited with error: signal: {signal}"),
        _ => "Runtime exited".into(),
    }
}

fn internal(error: &std::io::Error) -> AwsError {
    AwsError::with_status(
        axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        "ServiceException",
        format!("a function's listener cannot be opened: {error}"),
    )
}
