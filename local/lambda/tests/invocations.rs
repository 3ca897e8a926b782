//! Real functions, run as real processes: what Lambda's callers, CloudWatch Logs' readers and the functions themselves see.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use vodline_core::{
    Account, Authorizer, AwsError, Functions, Principal, Request, Response, Service, SystemClock, SystemEntropy,
};
use vodline_lambda::{Config, FunctionSpec, Lambda, Limits, RoleCredential, RoleCredentials};

const ROLE: &str = "arn:aws:iam::000000000000:role/example";

struct Roles;

impl RoleCredentials for Roles {
    fn issue(&self, role_arn: &str) -> RoleCredential {
        RoleCredential {
            access_key_id: format!("key of {role_arn}"),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
        }
    }
}

/// Allows everything but `forbidden`.
struct Policies(&'static str);

impl Authorizer for Policies {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if action == self.0 {
            return Err(AwsError::access_denied(principal.arn(), action, resource));
        }
        Ok(())
    }
}

struct Home {
    directory: tempfile::TempDir,
    lambda: Arc<Lambda>,
    background: tokio::task::JoinHandle<()>,
}

impl Drop for Home {
    fn drop(&mut self) {
        self.background.abort();
    }
}

/// The example `test_function`, which Cargo builds beside the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/test_function")
}

fn open(directory: tempfile::TempDir, limits: Limits) -> Home {
    let bin_dir = directory.path().join("bin");
    if !bin_dir.exists() {
        std::fs::create_dir(&bin_dir).unwrap();
        std::fs::copy(example(), bin_dir.join("example")).unwrap();
    }
    let lambda = Lambda::open(Config {
        directory: directory.path().join("data"),
        account: Account::default(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        endpoint_url: "http://127.0.0.1:4566".into(),
        bin_dir,
        credentials: Arc::new(Roles),
        limits,
    })
    .unwrap();
    lambda.define_function(spec()).unwrap();
    let background = tokio::spawn(lambda.clone().run());
    Home { directory, lambda, background }
}

fn spec() -> FunctionSpec {
    let mut spec = FunctionSpec::new("example", "example", ROLE);
    // Far longer than anything here takes, on a busy machine too.
    spec.timeout = Duration::from_secs(60);
    spec.environment.insert("TABLE".into(), "videos".into());
    spec.qualifiers.push("live".into());
    spec
}

fn start() -> Home {
    start_with(Limits::default())
}

fn start_with(limits: Limits) -> Home {
    open(tempfile::tempdir().unwrap(), limits)
}

/// Whether the function failed, and its answer.
async fn invoke(home: &Home, payload: Value) -> (bool, Value) {
    let outcome = home.lambda.invoke("example", payload.to_string().into()).await.unwrap();
    (outcome.function_error.is_some(), serde_json::from_slice(&outcome.payload).unwrap())
}

fn request(method: Method, path: &str, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        operation: String::new(),
        method,
        path: path.into(),
        query: query.into(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>(),
        body: body.into(),
        principal: Principal::Root,
        request_id: "request".into(),
        authorizer: Arc::new(Policies("lambda:DeleteFunction")),
    }
}

async fn call(home: &Home, headers: &[(&'static str, &str)], payload: Value) -> Result<Response, AwsError> {
    let path = "/2015-03-31/functions/example/invocations";
    home.lambda.call(request(Method::POST, path, headers, payload.to_string())).await
}

async fn logs(home: &Home, operation: &str, input: Value) -> Value {
    let mut request = request(Method::POST, "/", &[], input.to_string());
    request.operation = operation.into();
    serde_json::from_slice(&home.lambda.logs().call(request).await.unwrap().body).unwrap()
}

async fn messages(home: &Home, pattern: &str) -> Vec<String> {
    let input = json!({"logGroupName": "/aws/lambda/example", "filterPattern": pattern});
    let events = logs(home, "FilterLogEvents", input).await["events"].take();
    events.as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_function_answers_and_stays_warm() {
    let home = start();
    let (failed, first) = invoke(&home, json!({"a": 1})).await;
    assert!(!failed);
    assert_eq!(first["payload"], json!({"a": 1}));
    assert_eq!(first["arn"], "arn:aws:lambda:us-east-1:000000000000:function:example");
    let (_, second) = invoke(&home, json!({})).await;
    assert_eq!(first["pid"], second["pid"], "the process is kept");
    assert_ne!(first["requestId"], second["requestId"]);
    let left = second["deadline"].as_i64().unwrap() - jiff::Timestamp::now().as_millisecond();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn errors_of_functions_are_outcomes() {
    let home = start();
    let (failed, error) = invoke(&home, json!({"do": "fail"})).await;
    assert!(failed);
    assert_eq!(
        (error["errorType"].as_str(), error["errorMessage"].as_str()),
        (Some("Vod.Example"), Some("on purpose"))
    );
    let (failed, error) = invoke(&home, json!({"do": "panic"})).await;
    assert!(failed);
    assert!(error["errorMessage"].as_str().unwrap().contains("asked to panic"), "{error}");
    let (failed, error) = invoke(&home, json!({"do": "large"})).await;
    assert!(failed);
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_process_that_ends_is_an_error_and_replaced() {
    let home = start();
    let (_, before) = invoke(&home, json!({})).await;
    for (doing, how) in [("exit", "exit status 7"), ("abort", "signal: aborted")] {
        let (failed, error) = invoke(&home, json!({"do": doing})).await;
        assert!(failed);
        assert_eq!(error["errorType"], "Runtime.ExitError");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.ends_with(&format!(" Error: Runtime exited with error: {how}")), "{message}");
    }
    let (failed, after) = invoke(&home, json!({})).await;
    assert!(!failed);
    assert_ne!(before["pid"], after["pid"]);
    assert_eq!(messages(&home, "REPORT \"Error Type: Runtime.ExitError\"").await.len(), 2);
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_ended() {
    let home = start();
    let mut spec = spec();
    spec.timeout = Duration::from_secs(1);
    home.lambda.define_function(spec).unwrap();
    let (failed, error) = invoke(&home, json!({"do": "sleep", "ms": 600_000})).await;
    assert!(failed);
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.starts_with("RequestId: ") && message.ends_with(" Error: Task timed out after 1.00 seconds"),
        "{message}"
    );
    assert_eq!(messages(&home, "\"Status: timeout\"").await.len(), 1);
    assert!(!invoke(&home, json!({})).await.0, "the next invocation gets a new process");
}

#[tokio::test]
async fn a_process_that_fails_to_start_says_how() {
    let home = start();
    let mut broken = spec();
    broken.environment.insert("BREAK".into(), "init".into());
    home.lambda.define_function(broken).unwrap();
    let (failed, error) = invoke(&home, json!({})).await;
    assert!(failed);
    assert!(error["errorMessage"].as_str().unwrap().ends_with("exit status 3"), "{error}");
    let missing = FunctionSpec::new("missing", "no-such-binary", ROLE);
    home.lambda.define_function(missing).unwrap();
    let error = home.lambda.invoke("missing", Bytes::new()).await.unwrap_err();
    assert_eq!(error.code, "InvalidRuntimeException");
}

#[tokio::test]
async fn invocations_run_beside_each_other_up_to_the_bound() {
    let home = start_with(Limits { concurrency: 2, queue: 1, ..Limits::default() });
    let slow = || home.lambda.invoke("example", Bytes::from(json!({"do": "sleep", "ms": 1000}).to_string()));
    let (first, second, third, fourth) = tokio::join!(slow(), slow(), slow(), slow());
    let outcomes = [first, second, third, fourth];
    let pids: std::collections::BTreeSet<_> = outcomes
        .iter()
        .flatten()
        .map(|outcome| serde_json::from_slice::<Value>(&outcome.payload).unwrap()["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(pids.len(), 2, "two run, the third waits for one of their processes");
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].code, "TooManyRequestsException");
    assert_eq!(refused[0].members.as_ref().unwrap()["Reason"], "ConcurrentInvocationLimitExceeded");

    let mut reserved = spec();
    reserved.reserved_concurrency = Some(0);
    home.lambda.define_function(reserved).unwrap();
    let error = home.lambda.invoke("example", Bytes::new()).await.unwrap_err();
    assert_eq!(error.members.as_ref().unwrap()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

#[tokio::test]
async fn a_new_binary_and_a_new_definition_mean_a_new_process() {
    let home = start();
    let (_, first) = invoke(&home, json!({})).await;
    let binary = home.directory.path().join("bin/example");
    let replaced = home.directory.path().join("bin/replaced");
    std::fs::copy(example(), &replaced).unwrap();
    std::fs::rename(&replaced, &binary).unwrap();
    let (_, second) = invoke(&home, json!({})).await;
    assert_ne!(first["pid"], second["pid"]);
    home.lambda.define_function(spec()).unwrap();
    assert_eq!(invoke(&home, json!({})).await.1["pid"], second["pid"], "the same definition changes nothing");
    let mut changed = spec();
    changed.environment.insert("TABLE".into(), "other".into());
    home.lambda.define_function(changed).unwrap();
    let (_, environment) = invoke(&home, json!({"do": "environment"})).await;
    assert_eq!(environment["TABLE"], "other");
}

#[tokio::test]
async fn a_function_inherits_nothing() {
    let home = start();
    let (_, environment) = invoke(&home, json!({"do": "environment"})).await;
    let names: Vec<_> = environment.as_object().unwrap().keys().map(String::as_str).collect();
    let known = |name: &str| {
        name.starts_with("AWS_")
            || name.starts_with("LAMBDA_")
            || ["_HANDLER", "_X_AMZN_TRACE_ID", "LANG", "PATH", "TABLE", "TZ"].contains(&name)
    };
    assert!(names.iter().all(|name| known(name)), "{names:?}");
    assert_eq!(environment["AWS_ACCESS_KEY_ID"], format!("key of {ROLE}"));
    assert_eq!(environment["AWS_ENDPOINT_URL"], "http://127.0.0.1:4566");
}

#[tokio::test]
async fn what_functions_print_is_kept_in_order() {
    let home = start();
    invoke(&home, json!({"do": "print"})).await;
    let lines = messages(&home, "").await;
    let id = lines[0].strip_prefix("START RequestId: ").unwrap().split(' ').next().unwrap();
    assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(lines[1..5], [r#"handling {"do":"print"}"#, "first", "second ✓", "no newline"]);
    assert_eq!(lines[5], format!("END RequestId: {id}"));
    assert!(lines[6].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{}", lines[6]);
    assert!(lines[6].contains("\tMemory Size: 128 MB\tMax Memory Used: ") && lines[6].contains("\tInit Duration: "));
    invoke(&home, json!({})).await;
    assert!(!messages(&home, "REPORT").await[1].contains("Init Duration"), "a warm process is not initialised again");

    let groups = logs(&home, "DescribeLogGroups", json!({})).await;
    assert_eq!(groups["logGroups"][0]["logGroupName"], "/aws/lambda/example");
    let group = json!({"logGroupName": "/aws/lambda/example"});
    let streams = logs(&home, "DescribeLogStreams", group).await;
    let stream = streams["logStreams"][0]["logStreamName"].as_str().unwrap();
    assert!(stream.contains("/[$LATEST]"), "{stream}");
    let input = |token: Option<&str>| {
        let mut input = json!({
            "logGroupName": "/aws/lambda/example", "logStreamName": stream, "startFromHead": true, "limit": 3,
        });
        if let Some(token) = token {
            input["nextToken"] = token.into();
        }
        input
    };
    let (mut read, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = logs(&home, "GetLogEvents", input(token.as_deref())).await;
        read.extend(
            page["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned()),
        );
        let next = page["nextForwardToken"].as_str().unwrap().to_owned();
        if token.as_ref() == Some(&next) {
            break;
        }
        token = Some(next);
    }
    assert_eq!(read, messages(&home, "").await);
    let mut refused = request(Method::POST, "/", &[], json!({"logGroupName": "/aws/lambda/nobody"}).to_string());
    refused.operation = "FilterLogEvents".into();
    assert_eq!(home.lambda.logs().call(refused).await.unwrap_err().code, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_api_invokes() {
    let home = start();
    let answer = call(&home, &[("x-amz-log-type", "Tail")], json!({"do": "print"})).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-amz-executed-version"], "$LATEST");
    let tail = BASE64_STANDARD.decode(answer.headers["x-amz-log-result"].as_bytes()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(
        tail.starts_with("START RequestId") && tail.contains("second ✓") && tail.contains("REPORT RequestId"),
        "{tail}"
    );
    let answer = call(&home, &[], json!({"do": "fail"})).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.headers["x-amz-function-error"]), (200, &"Unhandled".parse().unwrap()));
    assert_eq!(call(&home, &[("x-amz-invocation-type", "DryRun")], json!({})).await.unwrap().status, 204);

    let invocations = |name: &str| format!("/2015-03-31/functions/{name}/invocations");
    let post = |path: String, body: &'static str| home.lambda.call(request(Method::POST, &path, &[], body));
    assert_eq!(post(invocations("example"), "{not json").await.unwrap_err().code, "InvalidRequestContentException");
    assert_eq!(post(invocations("nobody"), "").await.unwrap_err().code, "ResourceNotFoundException");
    assert_eq!(
        post(invocations("example") + "?Qualifier=other", "").await.unwrap_err().code,
        "ResourceNotFoundException"
    );
    assert_eq!(post(invocations("example") + "?Qualifier=live", "").await.unwrap().status, 200);
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aexample%3Alive";
    assert_eq!(post(invocations(arn), "").await.unwrap().status, 200);
    let large = request(Method::POST, &invocations("example"), &[], format!("\"{}\"", "x".repeat(6_291_556)));
    assert_eq!(home.lambda.call(large).await.unwrap_err().code, "RequestTooLargeException");
    let mut denied = request(Method::POST, &invocations("example"), &[], "");
    denied.authorizer = Arc::new(Policies("lambda:InvokeFunction"));
    assert_eq!(home.lambda.call(denied).await.unwrap_err().code, "AccessDeniedException");
    let error = home.lambda.call(request(Method::POST, "/2015-03-31/functions", &[], "{}")).await.unwrap_err();
    assert_eq!(error.message, "the local home does not support lambda:CreateFunction");
}

#[tokio::test]
async fn the_api_describes() {
    let home = start();
    let get = async |path: &str| {
        let answer = home.lambda.call(request(Method::GET, path, &[], "")).await.unwrap();
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    let list = get("/2015-03-31/functions/").await;
    assert_eq!(list["Functions"][0]["FunctionName"], "example");
    let configuration = get("/2015-03-31/functions/example/configuration").await;
    assert_eq!(configuration["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:example");
    assert_eq!(configuration["Environment"]["Variables"]["TABLE"], "videos");
    assert_eq!((&configuration["Timeout"], &configuration["MemorySize"]), (&json!(60), &json!(128)));
    assert_eq!(configuration["State"], "Active");
    assert_eq!(get("/2015-03-31/functions/example").await["Configuration"], configuration);
}

#[tokio::test]
async fn events_are_tried_again_and_outlive_the_home() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("attempts");
    let limits = || Limits { event_retries: vec![Duration::ZERO, Duration::ZERO], ..Limits::default() };
    let home = open(directory, limits());
    // Nobody delivers; the home goes down with the event accepted and nothing more.
    home.background.abort();
    let event = [("x-amz-invocation-type", "Event")];
    let accepted = call(&home, &event, json!({"do": "fail-twice", "file": file})).await.unwrap();
    assert_eq!((accepted.status.as_u16(), accepted.body.len()), (202, 0));
    let directory = {
        let mut home = home;
        std::mem::replace(&mut home.directory, tempfile::tempdir().unwrap())
    };
    let home = open(directory, limits());
    let attempts = || std::fs::read_to_string(&file).unwrap_or_default();
    let done = async {
        while attempts().lines().count() < 3 || messages(&home, "REPORT").await.len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.unwrap();
    let ids: std::collections::BTreeSet<String> = attempts().lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), 1, "one event keeps its id over all attempts");
    let large = call(&home, &event, json!("x".repeat(1024 * 1024))).await;
    assert_eq!(large.unwrap_err().code, "RequestTooLargeException");
}

#[tokio::test]
async fn idle_processes_are_ended_with_the_home() {
    let home = start();
    let (_, answer) = invoke(&home, json!({})).await;
    let process = PathBuf::from(format!("/proc/{}", answer["pid"]));
    assert!(process.exists());
    drop(home);
    // The runtime of this test still runs what the home left behind.
    let gone = async {
        while process.join("exe").read_link().is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}
