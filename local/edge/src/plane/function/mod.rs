//! Functions of a behaviour, run in QuickJS: `viewer-request` before the cache is asked, `viewer-response` before an answer goes
//! out. Sources:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-custom-methods.html>.
//!
//! Each thread keeps an engine for each function it has run, so that a call is one evaluation, about 20 microseconds. As on
//! AWS, nothing may be kept from one call for the next, and nothing in CloudFront promises that it is forgotten.

mod engine;
mod event;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A function's code; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions>.
pub(crate) const CODE_BYTES_MAX: usize = 10 * 1024;
/// CloudFront ends functions after about a millisecond; a busy laptop may not run ours for longer than that, so it gets more.
const TIME_MAX: Duration = Duration::from_millis(100);
/// What a call may log; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-function-restrictions.html>.
const LOG_BYTES_MAX: usize = 10 * 1024;

/// A key value store as functions read it.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub pairs: BTreeMap<String, String>,
}

/// Key value stores by their ids.
pub(crate) type Stores = HashMap<String, Arc<Pairs>>;

/// A function as a behaviour refers to it.
#[derive(Debug)]
pub(crate) struct Function {
    pub name: String,
    /// Tells one code of this function from the next.
    pub etag: String,
    pub code: String,
    /// The store it may read, with its id.
    store: Option<(String, Arc<Pairs>)>,
}

impl Function {
    /// A function with the stores of these ARNs.
    pub(crate) fn new(name: &str, etag: &str, code: String, arns: &[String], stores: &Stores) -> Self {
        let id = arns.first().and_then(|arn| arn.rsplit('/').next());
        let store = id.and_then(|id| Some((id.to_owned(), stores.get(id)?.clone())));
        Self { name: name.to_owned(), etag: etag.to_owned(), code, store }
    }
}

/// What a function is given of the request.
pub(crate) struct Call<'a> {
    pub distribution_id: &'a str,
    pub distribution_domain: &'a str,
    pub request_id: &'a str,
    pub viewer: IpAddr,
    pub method: &'a str,
    pub uri: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// The ids that `selectRequestOriginById` may name.
    pub origins: &'a [String],
}

/// What a function decides of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Go on, with this request.
    Request { uri: String, query: String, headers: HeaderMap, origin: Option<String> },
    /// Answer this.
    Response(Generated),
}

/// An answer as a function wants it.
#[derive(Debug, PartialEq)]
pub(crate) struct Generated {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `None` leaves the body of the answer as it is.
    pub body: Option<Bytes>,
}

/// Why a function did not decide.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FunctionError {
    #[error("the code does not evaluate: {0}")]
    Code(String),
    #[error("the handler failed: {0}")]
    Handler(String),
    #[error("the handler took longer than {} ms", TIME_MAX.as_millis())]
    Timeout,
    #[error("the handler returned what is neither a request nor a response: {0}")]
    Result(String),
    #[error("the handler returned what the edge does not let a function decide: {0}")]
    Forbidden(String),
}

impl FunctionError {
    /// What the viewer is told: 503 for a function that could not run, 502 for one whose decision is none.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Code(_) | Self::Handler(_) | Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Result(_) | Self::Forbidden(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

/// Runs a viewer-request function. Takes at most [`TIME_MAX`], on this thread.
pub(crate) fn run(function: &Arc<Function>, call: &Call<'_>) -> Result<Verdict, FunctionError> {
    let event = event::request_event(call);
    let output = engine::call(function, &json!({ "origins": call.origins, "event": event }).to_string())?;
    log(function, &output.log);
    event::verdict(call, &event, output)
}

/// Runs a viewer-response function on an answer's head.
pub(crate) fn run_response(
    function: &Arc<Function>,
    call: &Call<'_>,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Generated, FunctionError> {
    let event = event::response_event(call, status, headers);
    let output = engine::call(function, &json!({ "origins": [], "event": event }).to_string())?;
    log(function, &output.log);
    event::changed_response(headers, output)
}

fn log(function: &Function, lines: &[String]) {
    for line in truncated(lines) {
        tracing::info!(function = function.name, line, "a function's log");
    }
}

/// The lines that fit into what a call may log.
fn truncated(lines: &[String]) -> impl Iterator<Item = &String> {
    let mut bytes = 0;
    lines.iter().take_while(move |line| {
        bytes += line.len() + 1;
        bytes <= LOG_BYTES_MAX
    })
}

/// What TestFunction tells of a call.
pub(crate) struct Tested {
    /// `{"request": ...}` or `{"response": ...}`, as JSON.
    pub output: Result<String, FunctionError>,
    pub logs: Vec<String>,
    /// Percent of the time a call may take.
    pub utilization: u8,
}

/// Runs a function on an event that the caller made up.
pub(crate) fn try_function(function: &Function, event: &Value) -> Tested {
    let kind = event.pointer("/context/eventType").and_then(Value::as_str);
    if !matches!(kind, Some("viewer-request" | "viewer-response")) {
        let error = FunctionError::Handler("the event's context.eventType is none".into());
        return Tested { output: Err(error), logs: Vec::new(), utilization: 0 };
    }
    let begin = Instant::now();
    // An event that was made up names no distribution whose origins could be selected.
    let output = engine::call(function, &json!({ "origins": null, "event": event }).to_string());
    let percent = begin.elapsed().as_secs_f64() / TIME_MAX.as_secs_f64() * 100.0;
    let logs = output.as_ref().map_or_else(|_| Vec::new(), |output| truncated(&output.log).cloned().collect());
    Tested { output: output.and_then(event::tested), logs, utilization: percent.min(100.0) as u8 }
}
