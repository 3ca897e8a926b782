//! One invocation, from the payload to the outcome.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use tokio::{sync::oneshot, time::Instant};
use vodline_core::{AwsError, Invocation};

use crate::{
    pool::Function,
    process::{INIT_TIMEOUT, Process, Stamp},
    report::{self, Ending, Report},
    runtime_api::{Job, MAX_PAYLOAD_BYTES, Reply},
    service::Core,
    spec::FunctionSpec,
};

/// How long a caller waits, beyond the function's answer, for the runtime to ask for more work. It does so at once; waiting makes
/// the process free, and the log complete, before the caller goes on.
const SETTLE_TIME: Duration = Duration::from_millis(50);

/// An invocation as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) request_id: String,
    /// As it was addressed, qualifier included.
    pub(crate) function_arn: String,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<String>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) invocation: Invocation,
    /// The end of the invocation's log.
    pub(crate) log_tail: String,
}

/// Lambda's own error objects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorObject<'a> {
    error_type: &'a str,
    error_message: String,
}

fn error(kind: &str, message: String) -> Bytes {
    // Two strings always serialise.
    serde_json::to_vec(&ErrorObject { error_type: kind, error_message: message }).unwrap_or_default().into()
}

/// How the process left an invocation.
struct Run {
    payload: Bytes,
    failed: bool,
    ending: Ending,
    duration: Duration,
    init: Option<Duration>,
    /// Polls before the invocation, when the process lives on.
    alive: Option<u64>,
    deadline: Instant,
}

impl Core {
    /// Invokes a function and waits for the outcome. If the caller goes away, the invocation runs on, as on AWS.
    pub(crate) async fn invoke(self: &Arc<Self>, function: Arc<Function>, call: Call) -> Result<Outcome, AwsError> {
        let permit = self.gate.enter(&function).await?;
        let (sender, receiver) = oneshot::channel();
        let core = self.clone();
        tokio::spawn(async move {
            let spec = function.spec();
            let mut process = match core.process(&function, &spec).await {
                Ok(process) => process,
                Err(error) => {
                    let _ = sender.send(Err(error));
                    return;
                }
            };
            let run = core.run(&mut process, &spec, &call).await;
            let settled = settle(&mut process, &run, SETTLE_TIME).await;
            let report = Report {
                request_id: &call.request_id,
                duration: run.duration,
                init: run.init,
                memory_mb: spec.memory_mb,
                max_memory_mb: process.max_memory_mb(),
                ending: run.ending,
            };
            process.output.write(&[&report::end(&call.request_id), &report.line()]).await;
            let outcome = Outcome {
                invocation: Invocation {
                    payload: run.payload.clone(),
                    function_error: run.failed.then(|| "Unhandled".to_owned()),
                },
                log_tail: process.output.tail(),
            };
            if settled {
                function.put_idle(process);
                drop(permit);
                // The caller may have gone away.
                let _ = sender.send(Ok(outcome));
                return;
            }
            let _ = sender.send(Ok(outcome));
            // The function goes on after its answer; it may, until its time is up.
            let left = run.deadline.saturating_duration_since(Instant::now());
            if settle(&mut process, &run, left).await {
                function.put_idle(process);
            }
            drop(permit);
        });
        receiver.await.map_err(|_| AwsError::internal("the invocation was abandoned; the home's log says why"))?
    }

    /// A process for the invocation, warm if there is one.
    async fn process(&self, function: &Function, spec: &Arc<FunctionSpec>) -> Result<Process, AwsError> {
        let stamp = Stamp::of(&self.binary(spec)).ok();
        if let Some(process) = function.take_idle(spec, stamp) {
            return Ok(process);
        }
        Process::spawn(self, spec.clone()).await.map_err(|error| {
            tracing::error!(%error, function = spec.name, binary = spec.binary, "a function cannot be started");
            AwsError::with_status(
                StatusCode::BAD_GATEWAY,
                "InvalidRuntimeException",
                format!("the binary {} of {} cannot be started", spec.binary, spec.name),
            )
        })
    }

    async fn run(&self, process: &mut Process, spec: &FunctionSpec, call: &Call) -> Run {
        let id = &call.request_id;
        let mut init = None;
        if !process.used {
            let ready = tokio::time::timeout(INIT_TIMEOUT, process.ready()).await;
            let took = process.spawned.elapsed();
            init = Some(took);
            process.output.begin(&report::start(id)).await;
            match ready {
                Ok(Ok(())) => {}
                Ok(Err(how)) => return self.exited(process, call, &how, Duration::ZERO, init).await,
                Err(_) => return self.timed_out(process, call, INIT_TIMEOUT, Duration::ZERO, init).await,
            }
        } else {
            process.output.begin(&report::start(id)).await;
        }
        let (sender, mut receiver) = oneshot::channel();
        let polls = process.polls();
        let started = Instant::now();
        let deadline = started + spec.timeout;
        let job = Job {
            request_id: id.clone(),
            function_arn: call.function_arn.clone(),
            deadline_ms: self.clock.now().as_millisecond()
                + i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX),
            trace_id: self.trace_id(),
            client_context: call.client_context.clone(),
            payload: call.payload.clone(),
            reply: sender,
        };
        process.give(job).await;
        let replied = tokio::select! {
            // A process that answers and exits at once has answered.
            biased;
            reply = &mut receiver => reply.ok(),
            how = process.exited() => match receiver.try_recv() {
                Ok(reply) => Some(reply),
                Err(_) => return self.exited(process, call, &how, started.elapsed(), init).await,
            },
            () = tokio::time::sleep_until(deadline) => {
                return self.timed_out(process, call, spec.timeout, started.elapsed(), init).await;
            }
        };
        let duration = started.elapsed();
        let (payload, failed) = match replied {
            Some(Reply::Response(payload)) => (payload, false),
            Some(Reply::Error(payload)) => (payload, true),
            Some(Reply::TooLarge) => (
                error(
                    "Function.ResponseSizeTooLarge",
                    format!("Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."),
                ),
                true,
            ),
            // The session went away, and so has the process.
            None => {
                let how = process.exited().await;
                return self.exited(process, call, &how, duration, init).await;
            }
        };
        Run { payload, failed, ending: Ending::Answered, duration, init, alive: Some(polls), deadline }
    }

    async fn exited(
        &self,
        process: &mut Process,
        call: &Call,
        how: &str,
        duration: Duration,
        init: Option<Duration>,
    ) -> Run {
        let message = if how == "exit status 0" {
            format!("RequestId: {} Error: Runtime exited without providing a reason", call.request_id)
        } else {
            format!("RequestId: {} Error: Runtime exited with error: {how}", call.request_id)
        };
        process.output.write(&[&message, "Runtime.ExitError"]).await;
        // What the runtime itself said of a failed initialisation says more than its exit.
        let payload = process.init_error().unwrap_or_else(|| error("Runtime.ExitError", message));
        Run { payload, failed: true, ending: Ending::Exited, duration, init, alive: None, deadline: Instant::now() }
    }

    async fn timed_out(
        &self,
        process: &mut Process,
        call: &Call,
        limit: Duration,
        duration: Duration,
        init: Option<Duration>,
    ) -> Run {
        process.kill().await;
        let message = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
        process.output.write(&[&format!("{} {} {message}", self.clock.now(), call.request_id)]).await;
        let payload = error("Sandbox.Timedout", format!("RequestId: {} Error: {message}", call.request_id));
        Run { payload, failed: true, ending: Ending::TimedOut, duration, init, alive: None, deadline: Instant::now() }
    }
}

/// Waits until the process has asked for more work; `false` when it has ended or does not within `limit`.
async fn settle(process: &mut Process, run: &Run, limit: Duration) -> bool {
    match run.alive {
        Some(polls) => matches!(tokio::time::timeout(limit, process.polled(polls)).await, Ok(Ok(()))),
        None => false,
    }
}
