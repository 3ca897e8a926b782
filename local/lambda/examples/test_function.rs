//! A function that does what its event says; the tests of this crate invoke it.

use std::{env, time::Duration};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (payload, context) = event.into_parts();
    tracing_line(&format!("handling {payload}"));
    match payload["do"].as_str().unwrap_or("echo") {
        "fail" => Err(Diagnostic { error_type: "Vod.Example".into(), error_message: "on purpose".into() }),
        "panic" => {
            #[expect(clippy::panic, reason = "it is asked to")]
            {
                panic!("asked to panic")
            }
        }
        "exit" => std::process::exit(7),
        "abort" => std::process::abort(),
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(payload["ms"].as_u64().unwrap_or_default())).await;
            Ok(json!({"pid": std::process::id()}))
        }
        "large" => Ok(json!("x".repeat(7 * 1024 * 1024))),
        "print" => {
            tracing_line("first\nsecond ✓");
            eprint_unfinished("no newline");
            Ok(Value::Null)
        }
        "environment" => Ok(json!(env::vars().collect::<std::collections::BTreeMap<_, _>>())),
        // Fails until it has been asked often enough, by the lines of a file.
        "fail-twice" => {
            let path = payload["file"].as_str().unwrap_or_default().to_owned();
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            let _ = std::fs::write(&path, format!("{before}{}\n", context.request_id));
            if before.lines().count() < 2 {
                return Err(Diagnostic { error_type: "Vod.Again".into(), error_message: "not yet".into() });
            }
            Ok(Value::Null)
        }
        _ => Ok(json!({
            "payload": payload,
            "requestId": context.request_id,
            "arn": context.invoked_function_arn,
            "deadline": context.deadline,
            "pid": std::process::id(),
        })),
    }
}

#[expect(clippy::print_stdout, reason = "printing is what a function's log is made of")]
fn tracing_line(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "printing is what a function's log is made of")]
fn eprint_unfinished(text: &str) {
    eprint!("{text}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if env::var("BREAK").as_deref() == Ok("init") {
        std::process::exit(3);
    }
    lambda_runtime::run(service_fn(handle)).await
}
