//! Holds the engine against what AWS recorded.
//!
//! The recordings lie beside the repository (`../shared/asl-cases`, see the README there) and are not part of it. Where
//! they are absent, only the project's own cases run (`own.rs`). What passes is written down in `tests/score/`,
//! and a case that passed must go on passing; `UPDATE_SCORE=1 cargo test -p vodline-asl --test recordings` writes the
//! files anew. Cases that do not match in full are listed with their reasons in `tests/unmatched.json`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compare;
mod own;
mod replay;
mod score;

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::compare::Measures;
use crate::score::Score;

/// One recorded execution.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) i: u64,
    #[serde(default = "selfcontained")]
    pub(crate) class: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(deserialize_with = "text_of")]
    pub(crate) definition: String,
    pub(crate) input: Value,
    pub(crate) events: Vec<Value>,
}

fn selfcontained() -> String {
    "selfcontained".to_owned()
}

/// Recordings hold a definition as text, our own cases as JSON.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        value => value.to_string(),
    })
}

impl Case {
    fn name(&self) -> String {
        format!("{}#{}", self.id, self.i)
    }
}

fn shared(file: &str) -> Option<Vec<u8>> {
    let crate_root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(crate_root.join("../../../shared/asl-cases").join(file)).ok()
}

fn measure(case: &Case) -> Measures {
    match replay::run(case) {
        Ok(ran) => compare::executions(&case.definition, &case.events, &ran.history),
        Err(reason) => Measures { difference: Some(reason), ..Measures::default() },
    }
}

#[test]
fn executions_match_recordings() {
    let Some(text) = shared("cases.json") else { return };
    let cases: Vec<Case> = serde_json::from_slice(&text).unwrap();
    let mut score = Score::new("executions");
    for case in &cases {
        score.add(&case.class, &case.name(), measure(case));
    }
    score.hold();
}

#[test]
fn validation_matches_recordings() {
    let Some(text) = shared("validate.json") else { return };
    let cases: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let mut score = Score::new("validation");
    for case in &cases {
        let call = &case["calls"][0];
        let kind = serde_json::from_value(call["type"].clone()).unwrap();
        let found = vodline_asl::validate(call["definition"].as_str().unwrap(), kind);
        let found = serde_json::to_value(found).unwrap();
        let recorded = &case["recorded"]["validation_response"]["diagnostics"];
        let difference = compare::difference(recorded, &found, "").map(|d| format!("{d}\n  found {found}"));
        score.add("validation", case["id"].as_str().unwrap(), Measures::all(difference));
    }
    score.hold();
}

#[test]
fn test_state_matches_recordings() {
    let Some(text) = shared("test-state.json") else { return };
    let cases: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let mut score = Score::new("test-state");
    for case in &cases {
        let calls = case["calls"].as_array().unwrap();
        let recorded = case["recorded"].as_object().unwrap();
        let mut difference = None;
        for (at, answer) in recorded.values().enumerate() {
            // Where one request was recorded and two answers were, the second was of the same request.
            let call = calls.get(at).unwrap_or(&calls[calls.len() - 1]);
            let found = test_state(call, answer);
            let expected = expected_answer(answer);
            difference = difference.or_else(|| compare::difference(&expected, &found, ""));
        }
        score.add("test-state", case["id"].as_str().unwrap(), Measures::all(difference));
    }
    score.hold();
}

/// A recorded answer in the form of ours: some errors were recorded as the exception a client makes of them.
fn expected_answer(recorded: &Value) -> Value {
    if let (Some(code), Some(text)) = (recorded["exception_typename"].as_str(), recorded["exception_value"].as_str()) {
        let message = text.split_once("TestState operation: ").map_or(text, |(_, message)| message);
        return serde_json::json!({"Error": {"Code": code, "Message": message}});
    }
    let mut expected = recorded.clone();
    for key in ["ResponseMetadata", "message"] {
        expected.as_object_mut().unwrap().remove(key);
    }
    expected
}

/// Answers a request as the API does. Where a task must run, it answers what the recorded one did.
fn test_state(call: &Value, recorded: &Value) -> Value {
    use vodline_asl::test_state::{Tested, begin};
    let request = serde_json::from_value(call.clone()).unwrap();
    let mut random = vodline_asl::SeededRandom::new(1);
    let mut env = vodline_asl::Env { now: vodline_asl::UnixMillis(1_732_307_040_000), random: &mut random };
    match begin(&request, &mut env) {
        Ok(Tested::Finished(response)) => serde_json::to_value(response).unwrap(),
        Ok(Tested::NeedsTask(test)) => {
            let result = match &recorded["output"] {
                Value::String(text) => vodline_asl::Payload::parse(text).unwrap(),
                output => output.clone().into(),
            };
            serde_json::to_value(test.finish(Ok(result), &mut env)).unwrap()
        }
        Err(error) => serde_json::json!({"Error": {"Code": error.code(), "Message": error.to_string()}}),
    }
}
