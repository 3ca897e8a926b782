//! Starting, describing, listing, stopping and redriving executions, and reading their histories.

use serde_json::{Value, json};
use vodline_core::Executions;

use crate::support::{Home, assert_well_formed, function_task, one, waiting_task};

fn pass() -> Value {
    one(json!({"Type": "Pass"}))
}

#[tokio::test]
async fn an_execution_runs_and_is_described() {
    let home = Home::new();
    let machine = home.machine("echo", pass()).await;
    let arn = home.begin(&machine, json!({"a": 1})).await;
    let found = home.until(&arn, "SUCCEEDED").await;
    assert_eq!(found["executionArn"], arn.as_str());
    assert_eq!(found["stateMachineArn"], machine.as_str());
    assert_eq!(found["input"], "{\"a\":1}");
    assert_eq!(found["output"], "{\"a\":1}");
    assert_eq!(found["inputDetails"], json!({"included": true}));
    assert_eq!(found["startDate"], 1_750_000_000.0);
    assert_eq!(found["redriveStatus"], "NOT_REDRIVABLE");
    assert_eq!(found["redriveStatusReason"], "Execution is SUCCEEDED and cannot be redriven");
    let history = home.history(&arn).await;
    assert_well_formed(&history);
    assert_eq!(
        home.types(&arn).await,
        ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    );
}

#[tokio::test]
async fn the_bus_is_told_every_status() {
    let home = Home::new();
    let machine = home.machine("fails", one(json!({"Type": "Fail", "Error": "No", "Cause": "because"}))).await;
    let arn = home.begin(&machine, json!({})).await;
    home.until(&arn, "FAILED").await;
    assert_eq!(home.statuses(&arn), ["RUNNING", "FAILED"]);
    let event = home.events().into_iter().last().unwrap();
    assert_eq!(event.source, "aws.states");
    assert_eq!(event.detail_type, "Step Functions Execution Status Change");
    assert_eq!(event.resources, std::slice::from_ref(&arn));
    let expected = json!({
        "executionArn": arn, "stateMachineArn": machine, "name": arn.rsplit(':').next(), "status": "FAILED",
        "startDate": 1_750_000_000_000_i64, "stopDate": 1_750_000_000_000_i64, "input": "{}", "output": null,
        "stateMachineVersionArn": null, "stateMachineAliasArn": null, "redriveCount": 0, "redriveDate": null,
        "redriveStatus": "REDRIVABLE", "redriveStatusReason": null, "inputDetails": {"included": true},
        "outputDetails": null, "error": "No", "cause": "because",
    });
    assert_eq!(event.detail, expected);
}

#[tokio::test]
async fn starting_is_idempotent_while_it_runs() {
    let home = Home::new();
    home.functions(|_, _| None);
    let machine = home.machine("waits", one(function_task("f"))).await;
    let start = |input: &str| json!({"stateMachineArn": machine, "name": "video-1", "input": input});
    let first = home.ok("StartExecution", start("{}")).await;
    home.pass(5);
    assert_eq!(home.ok("StartExecution", start("{}")).await, first);
    let arn = first["executionArn"].as_str().unwrap();
    let taken = ("ExecutionAlreadyExists".to_owned(), format!("Execution Already Exists: '{arn}'"));
    assert_eq!(home.err("StartExecution", start("{\"a\":1}")).await, taken);
    home.ok("StopExecution", json!({"executionArn": arn})).await;
    assert_eq!(home.err("StartExecution", start("{}")).await, taken);
    assert_eq!(home.statuses(arn), ["RUNNING", "ABORTED"]);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let home = Home::new();
    let machine = home.machine("echo", pass()).await;
    let check = async |input: Value, code: &str| {
        assert_eq!(home.err("StartExecution", input.clone()).await.0, code, "{input}");
    };
    check(json!({}), "ValidationException").await;
    check(json!({"stateMachineArn": "nonsense"}), "InvalidArn").await;
    check(json!({"stateMachineArn": format!("{machine}2")}), "StateMachineDoesNotExist").await;
    check(json!({"stateMachineArn": format!("{machine}:7")}), "StateMachineDoesNotExist").await;
    check(json!({"stateMachineArn": machine, "name": "a b"}), "InvalidName").await;
    check(json!({"stateMachineArn": machine, "input": "{"}), "InvalidExecutionInput").await;
    check(json!({"stateMachineArn": machine, "input": format!("\"{}\"", "x".repeat(262_143))}), "ValidationException")
        .await;
    check(json!({"stateMachineArn": machine, "surprise": 1}), "SerializationException").await;
    home.authorizer.denied.lock().unwrap().insert("states:StartExecution".to_owned());
    check(json!({"stateMachineArn": machine}), "AccessDeniedException").await;
    let missing = machine.replace("stateMachine", "execution") + ":x";
    let (code, message) = home.err("DescribeExecution", json!({"executionArn": missing})).await;
    assert_eq!((code.as_str(), message), ("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{missing}'")));
    assert_eq!(home.err("Dance", json!({})).await.0, "NotImplemented");
}

#[tokio::test]
async fn other_services_start_executions_through_the_port() {
    let home = Home::new();
    let machine = home.machine("echo", pass()).await;
    let arn = home.states().start(&machine, Some("by-rule"), "{\"from\":\"rule\"}").await.unwrap();
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "{\"from\":\"rule\"}");
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_paged() {
    let home = Home::new();
    let machine = home
        .machine(
            "choice",
            json!({
                "StartAt": "Which",
                "States": {
                    "Which": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$.fail", "BooleanEquals": true, "Next": "Bad"}],
                        "Default": "Good",
                    },
                    "Bad": {"Type": "Fail"},
                    "Good": {"Type": "Succeed"},
                },
            }),
        )
        .await;
    for n in 0..5 {
        let input = json!({"stateMachineArn": machine, "name": format!("n{n}"), "input": json!({"fail": n % 2 == 1}).to_string()});
        home.ok("StartExecution", input).await;
        home.pass(1);
    }
    let names = |page: &Value| -> Vec<String> {
        page["executions"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = home.ok("ListExecutions", json!({"stateMachineArn": machine})).await;
    assert_eq!(names(&all), ["n4", "n3", "n2", "n1", "n0"]);
    assert_eq!(all.get("nextToken"), None);
    let failed = home.ok("ListExecutions", json!({"stateMachineArn": machine, "statusFilter": "FAILED"})).await;
    assert_eq!(names(&failed), ["n3", "n1"]);
    let mut seen = Vec::new();
    let mut input = json!({"stateMachineArn": machine, "maxResults": 2});
    loop {
        let page = home.ok("ListExecutions", input.clone()).await;
        seen.extend(names(&page));
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen, ["n4", "n3", "n2", "n1", "n0"]);
    let redriven = home.ok("ListExecutions", json!({"stateMachineArn": machine, "redriveFilter": "REDRIVEN"})).await;
    assert_eq!(names(&redriven), Vec::<String>::new());
    let wrong = json!({"stateMachineArn": machine, "nextToken": "x"});
    assert_eq!(
        home.err("ListExecutions", wrong).await,
        ("InvalidToken".into(), "Invalid Token: 'Invalid token'".into())
    );
}

#[tokio::test]
async fn a_history_is_read_in_pages_both_ways_and_without_data() {
    let home = Home::new();
    let machine = home
        .machine(
            "two",
            json!({
                "StartAt": "First",
                "States": {
                    "First": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "Next": "Second"},
                    "Second": {"Type": "Pass", "End": true},
                },
            }),
        )
        .await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    home.until(&arn, "SUCCEEDED").await;
    let whole = home.history(&arn).await;
    assert_well_formed(&whole);
    for (reverse, size) in [(false, 1), (false, 3), (true, 1), (true, 4), (true, 100)] {
        let mut read = Vec::new();
        let mut input = json!({"executionArn": arn, "reverseOrder": reverse, "maxResults": size});
        loop {
            let page = home.ok("GetExecutionHistory", input.clone()).await;
            let events = page["events"].as_array().unwrap();
            assert!(!events.is_empty() && events.len() <= size);
            read.extend(events.iter().cloned());
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => break,
            }
        }
        if reverse {
            read.reverse();
        }
        assert_eq!(read, whole, "reverse {reverse}, {size} a page");
    }
    let bare = home.ok("GetExecutionHistory", json!({"executionArn": arn, "includeExecutionData": false})).await;
    let entered = &bare["events"][1]["stateEnteredEventDetails"];
    assert_eq!(entered, &json!({"name": "First", "inputDetails": {"truncated": false}}));
}

#[tokio::test]
async fn a_stopped_execution_keeps_its_reason() {
    let home = Home::new();
    home.functions(|_, _| None);
    let machine = home.machine("waits", one(waiting_task())).await;
    let arn = home.begin(&machine, json!({})).await;
    home.called().await;
    let stop = json!({"executionArn": arn, "error": "Enough", "cause": "too long"});
    assert_eq!(home.ok("StopExecution", stop.clone()).await, json!({"stopDate": 1_750_000_000.0}));
    let found = home.until(&arn, "ABORTED").await;
    assert_eq!((&found["error"], &found["cause"]), (&json!("Enough"), &json!("too long")));
    home.pass(9);
    assert_eq!(home.ok("StopExecution", stop).await, json!({"stopDate": 1_750_000_000.0}));
    assert_well_formed(&home.history(&arn).await);
}

#[tokio::test]
async fn a_failed_execution_is_redriven_from_the_failed_state() {
    let home = Home::new();
    home.functions(|function, input| {
        Some(if function.ends_with("second") {
            Err(json!({"errorType": "Vod.Broken", "errorMessage": "cause not mended"}))
        } else {
            Ok(input)
        })
    });
    let mut first = function_task("first");
    first["Next"] = json!("Second");
    let mut second = function_task("second");
    second["End"] = json!(true);
    let machine = home.machine("line", json!({"StartAt": "First", "States": {"First": first, "Second": second}})).await;
    let arn = home.begin(&machine, json!({"video": 7})).await;
    let found = home.until(&arn, "FAILED").await;
    assert_eq!(found["error"], "Vod.Broken");
    assert_eq!(found["redriveStatus"], "REDRIVABLE");
    assert_eq!((home.called().await.0.contains("first"), home.called().await.0.contains("second")), (true, true));

    home.functions(|_, input| Some(Ok(input)));
    home.pass(60);
    let redrive = json!({"executionArn": arn, "clientToken": "once"});
    let redriven = home.ok("RedriveExecution", redrive.clone()).await;
    assert_eq!(redriven, json!({"redriveDate": 1_750_000_060.0}));
    let found = home.until(&arn, "SUCCEEDED").await;
    assert_eq!(found["output"], "{\"video\":7}");
    assert_eq!(found["redriveCount"], 1);
    assert_eq!(found["redriveDate"], 1_750_000_060.0);
    assert!(home.called().await.0.contains("second"), "the state that succeeded is not run again");
    home.nothing_called().await;
    // The same token is the same redrive.
    assert_eq!(home.ok("RedriveExecution", redrive).await, redriven);
    let (code, message) = home.err("RedriveExecution", json!({"executionArn": arn})).await;
    assert_eq!(code, "ExecutionNotRedrivable");
    assert!(message.contains("Execution is SUCCEEDED and cannot be redriven"), "{message}");
    assert_eq!(home.statuses(&arn), ["RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]);
    let history = home.history(&arn).await;
    assert_well_formed(&history);
    let event = history.iter().find(|event| event["type"] == "ExecutionRedriven").unwrap();
    assert_eq!(event["executionRedrivenEventDetails"], json!({"redriveCount": 1}));
}

#[tokio::test]
async fn executions_are_forgotten_after_ninety_days() {
    let mut home = Home::new();
    let machine = home.machine("echo", pass()).await;
    let named = json!({"stateMachineArn": machine, "name": "old"});
    let old = home.ok("StartExecution", named.clone()).await;
    home.until(old["executionArn"].as_str().unwrap(), "SUCCEEDED").await;
    let waiting = home.machine("waits", one(json!({"Type": "Wait", "Seconds": 99_999_999}))).await;
    let waiting = home.begin(&waiting, json!({})).await;
    home.clock.advance(jiff::SignedDuration::from_hours(24 * 91));
    home.restart().await;
    // The name is free again as soon as the old execution is gone.
    let again = async {
        while home.call("StartExecution", named.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), again).await.unwrap();
    home.until(&waiting, "RUNNING").await;
}

#[tokio::test]
async fn a_redrive_comes_too_late_after_fourteen_days() {
    let home = Home::new();
    let machine = home.machine("fails", one(json!({"Type": "Fail"}))).await;
    let arn = home.begin(&machine, json!({})).await;
    home.until(&arn, "FAILED").await;
    home.pass(14 * 86_400 + 1);
    let (code, message) = home.err("RedriveExecution", json!({"executionArn": arn})).await;
    assert_eq!(code, "ExecutionNotRedrivable");
    assert!(message.contains("Execution redrivable period exceeded"), "{message}");
}

/// "Redriven executions use the same state machine definition and execution ARN as the original execution attempt."
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html>.
#[tokio::test]
async fn a_redrive_uses_the_definition_it_began_with() {
    let home = Home::new();
    home.functions(|_, _| Some(Err(json!({"errorType": "E", "errorMessage": "down"}))));
    let machine = home.machine("line", one(function_task("old"))).await;
    let arn = home.begin(&machine, json!({})).await;
    home.until(&arn, "FAILED").await;
    let update = json!({"stateMachineArn": machine, "definition": one(function_task("new")).to_string()});
    home.ok("UpdateStateMachine", update).await;
    home.functions(|_, input| Some(Ok(input)));
    home.ok("RedriveExecution", json!({"executionArn": arn})).await;
    home.until(&arn, "SUCCEEDED").await;
    assert!(home.called().await.0.contains("old"));
    assert!(home.called().await.0.contains("old"));
}

/// "This API action is not supported by EXPRESS state machines."
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html>.
#[tokio::test]
async fn express_executions_are_not_redriven() {
    let home = Home::new();
    let machine = home.machine_of("EXPRESS", "quick", one(json!({"Type": "Fail"}))).await;
    let started = home.ok("StartExecution", json!({"stateMachineArn": machine})).await;
    let (code, _) = home.err("RedriveExecution", json!({"executionArn": started["executionArn"]})).await;
    assert_eq!(code, "InvalidArn");
}
