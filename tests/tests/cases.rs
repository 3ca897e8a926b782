//! Every state of the publish machine on its own: the cases of `statemachine/cases/publish`, asked of `TestState`.
//!
//! There is a file per state. Its `given` is the part of the request that its cases have in common; a case may replace any
//! field of it. The words are those of the API, except that JSON stands where the API has JSON text. `expect` is the whole
//! answer; of its `inspectionData` only the fields that a case names are compared, each as a whole.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{collections::BTreeMap, fs};

use serde_json::{Map, Value, json};
use vodline_asl::{
    Env, SeededRandom, UnixMillis,
    test_state::{Tested, begin},
};
use vodline_tests::{
    machine::{definition, states, validate},
    root,
};

/// What `TestState` has as JSON text and a case as JSON, in requests and in answers.
const TEXTS: &[&str] =
    &["/input", "/variables", "/context", "/mock/result", "/output", "/inspectionData/variables", AFTER_ARGUMENTS];
const AFTER_ARGUMENTS: &str = "/inspectionData/afterArguments";

/// The cases of every state, each with what is given.
fn cases() -> BTreeMap<String, Vec<Value>> {
    let mut result = BTreeMap::new();
    for entry in fs::read_dir(root().join("statemachine/cases/publish")).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_slice(&fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let whole = |case: &Value| {
            let mut fields = file["given"].as_object().unwrap().clone();
            fields.extend(case.as_object().unwrap().clone());
            Value::Object(fields)
        };
        let state = path.file_stem().unwrap().to_str().unwrap().to_owned();
        result.insert(state, file["cases"].as_array().unwrap().iter().map(whole).collect());
    }
    result
}

/// Asks `TestState`; its answer, with JSON instead of JSON text.
fn ask(definition: &str, state: &str, case: &Value) -> Value {
    let mut request = case.clone();
    for ours in ["name", "expect"] {
        request.as_object_mut().unwrap().remove(ours);
    }
    for field in TEXTS {
        if let Some(value) = request.pointer_mut(field) {
            *value = json!(value.to_string());
        }
    }
    request["definition"] = json!(definition);
    request["stateName"] = json!(state);
    request["inspectionLevel"] = json!("DEBUG");
    let request = serde_json::from_value(request).unwrap();
    let mut env = Env { now: UnixMillis(0), random: &mut SeededRandom::new(1) };
    let Tested::Finished(response) = begin(&request, &mut env).unwrap() else { panic!("the task is not mocked") };
    let mut answer = serde_json::to_value(response).unwrap();
    for field in TEXTS {
        if let Some(value) = answer.pointer_mut(field) {
            *value = serde_json::from_str(value.as_str().unwrap()).unwrap();
        }
    }
    answer
}

/// The part of an answer that a case speaks of.
fn in_question(answer: &Value, expect: &Value) -> Value {
    let mut answer = answer.as_object().unwrap().clone();
    let told = answer.remove("inspectionData").unwrap_or_default();
    if let Some(named) = expect["inspectionData"].as_object() {
        let named: Map<_, _> = named.keys().map(|name| (name.clone(), told[name].clone())).collect();
        answer.insert("inspectionData".to_owned(), named.into());
    }
    answer.into()
}

/// Holds a Task's arguments and its mocked result against the contracts of the step it calls.
fn check_contracts(state: &Value, case: &Value, answer: &Value) {
    let arguments = answer.pointer(AFTER_ARGUMENTS).unwrap();
    let resource = state["Resource"].as_str().unwrap();
    let (function, payload) = match arguments["FunctionName"].as_str() {
        Some(function) => (function, &arguments["Payload"]),
        None => (resource, arguments),
    };
    let step = function.rsplit(':').next().unwrap();
    validate(&format!("steps/{step}.input"), payload);
    if let Some(result) = case.pointer("/mock/result") {
        validate(&format!("steps/{step}.output"), result);
    }
}

#[test]
fn every_case_is_answered_as_expected() {
    let definition = definition();
    let machine: Value = serde_json::from_str(&definition).unwrap();
    let states: BTreeMap<_, _> = states(&machine).into_iter().collect();
    let mut wrong = Vec::new();
    for (name, cases) in cases() {
        let state = states.get(&name).unwrap_or_else(|| panic!("there are cases of {name}, which is no state"));
        for case in cases {
            let answer = ask(&definition, &name, &case);
            let found = in_question(&answer, &case["expect"]);
            if found != case["expect"] {
                wrong.push(format!("{name}, {}: expected {:#}, found {found:#}", case["name"], case["expect"]));
            }
            if state["Type"] == "Task" {
                check_contracts(state, &case, &answer);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a state has no case of: its success, the last retry of an error, the end of its retries, a Catch.
fn missing(state: &Value, cases: &[Value]) -> Vec<String> {
    let mut missing = Vec::new();
    let mut demand = |what: String, is_shown_by: &dyn Fn(&Value) -> bool| {
        if !cases.iter().any(is_shown_by) {
            missing.push(what);
        }
    };
    demand("success".to_owned(), &|case| case["expect"]["status"] == "SUCCEEDED");
    for (index, retrier) in list(&state["Retry"]).iter().enumerate() {
        let most = retrier["MaxAttempts"].as_u64().unwrap();
        for error in list(&retrier["ErrorEquals"]) {
            let is_of = |case: &Value, used: u64| {
                case.pointer("/mock/errorOutput/error") == Some(error)
                    && case.pointer("/stateConfiguration/retrierRetryCount") == Some(&json!(used))
            };
            demand(format!("retry {most} of {most} after {error}"), &|case| {
                is_of(case, most - 1)
                    && case["expect"]["status"] == "RETRIABLE"
                    && case.pointer("/expect/inspectionData/errorDetails/retryIndex") == Some(&json!(index))
            });
            demand(format!("no more than {most} retries after {error}"), &|case| {
                is_of(case, most) && ["FAILED", "CAUGHT_ERROR"].iter().any(|status| case["expect"]["status"] == *status)
            });
        }
    }
    for (index, catcher) in list(&state["Catch"]).iter().enumerate() {
        demand(format!("catching {}", catcher["ErrorEquals"]), &|case| {
            case["expect"]["status"] == "CAUGHT_ERROR"
                && case.pointer("/expect/inspectionData/errorDetails/catchIndex") == Some(&json!(index))
        });
    }
    missing
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn every_state_every_retry_and_every_catch_has_its_cases() {
    let machine: Value = serde_json::from_str(&definition()).unwrap();
    let cases = cases();
    let mut forgotten = Vec::new();
    for (name, state) in states(&machine) {
        let missing = missing(&state, cases.get(&name).map_or(&[], Vec::as_slice));
        forgotten.extend(missing.iter().map(|what| format!("{name}: {what}")));
    }
    assert!(forgotten.is_empty(), "statemachine/cases/publish lacks\n{}", forgotten.join("\n"));
}

#[test]
fn what_is_forgotten_is_named() {
    let state = json!({
        "Retry": [{ "ErrorEquals": ["A", "B"], "MaxAttempts": 2 }],
        "Catch": [{ "ErrorEquals": ["C"], "Next": "D" }],
    });
    let retry = |error: &str, used: u64, status: &str| {
        json!({
            "stateConfiguration": { "retrierRetryCount": used },
            "mock": { "errorOutput": { "error": error } },
            "expect": { "status": status, "inspectionData": { "errorDetails": { "retryIndex": 0 } } },
        })
    };
    let cases = [retry("A", 1, "RETRIABLE"), retry("A", 2, "FAILED"), retry("B", 0, "RETRIABLE")];
    let expected = ["success", "retry 2 of 2 after \"B\"", "no more than 2 retries after \"B\"", "catching [\"C\"]"];
    assert_eq!(missing(&state, &cases), expected);
}
