//! Holds the engine against what AWS recorded.
//!
//! The recordings lie beside the repository (`../shared/asl-cases`, see the README there) and are not part of it. Where
//! they are absent, only the project's own cases run (`tests/cases`). What passes is written down in `tests/score.json`,
//! and a case that passed must go on passing; `UPDATE_SCORE=1 cargo test -p vodline-asl --test recordings` writes the
//! file anew. Cases that do not match in full are listed with their reasons in `tests/unmatched.json`.

mod compare;
mod replay;
mod score;

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::compare::Measures;
use crate::score::Score;

/// One recorded execution.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) i: u64,
    pub(crate) class: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) definition: String,
    pub(crate) input: Value,
    pub(crate) events: Vec<Value>,
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

fn own(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(file)
}

fn measure(case: &Case) -> Measures {
    match replay::run(case) {
        Ok(ran) => compare::executions(case, &ran),
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
fn own_cases_match() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(own("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for case in cases {
            let measures = measure(&case);
            assert!(measures.history, "{}: {:?}", case.name(), measures.difference);
        }
    }
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
            let found = test_state(call);
            let mut expected = answer.clone();
            for key in ["ResponseMetadata", "message"] {
                expected.as_object_mut().unwrap().remove(key);
            }
            difference = difference.or_else(|| compare::difference(&expected, &found, ""));
        }
        score.add("test-state", case["id"].as_str().unwrap(), Measures::all(difference));
    }
    score.hold();
}

/// Answers a request as the API does.
fn test_state(call: &Value) -> Value {
    use vodline_asl::test_state::{Tested, begin};
    let request = serde_json::from_value(call.clone()).unwrap();
    let mut random = vodline_asl::SeededRandom::new(1);
    let mut env = vodline_asl::Env { now: vodline_asl::UnixMillis(1_732_307_040_000), random: &mut random };
    match begin(&request, &mut env) {
        Ok(Tested::Finished(response)) => serde_json::to_value(response).unwrap(),
        Ok(Tested::NeedsTask(test)) => {
            // The function of the recordings answers an empty object.
            let result = serde_json::json!({
                "ExecutedVersion": "$LATEST", "Payload": {}, "StatusCode": 200,
                "SdkHttpMetadata": "as recorded", "SdkResponseMetadata": "as recorded",
            });
            serde_json::to_value(test.finish(Ok(result.into()), &mut env)).unwrap()
        }
        Err(error) => serde_json::json!({"Error": {"Code": error.code(), "Message": error.to_string()}}),
    }
}
