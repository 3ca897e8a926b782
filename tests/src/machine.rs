//! The publish machine as a deployment makes it, and the contracts of its steps.

use serde_json::Value;
use vodline_contracts::schema;

/// The definition with its substitutions made: `${AdmitUploadFunction}` becomes an ARN of `admit-upload`.
///
/// # Panics
/// When it substitutes what no deployment gives.
#[must_use]
pub fn definition() -> String {
    let text = std::fs::read_to_string(crate::root().join("statemachine/publish.asl.json")).unwrap();
    let mut result = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').unwrap();
        result.push_str(before);
        match name.strip_suffix("Function") {
            Some(step) => result.push_str(&format!("arn:aws:lambda:us-east-1:000000000000:function:{}", kebab(step))),
            None => result.push_str(match name {
                "Partition" => "aws",
                other => panic!("the machine substitutes {other}, which no deployment gives"),
            }),
        }
        rest = tail;
    }
    result + rest
}

fn kebab(name: &str) -> String {
    let mut result = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            result.push('-');
        }
        result.push(letter.to_ascii_lowercase());
    }
    result
}

/// Every state of a definition by name, those inside Parallel states too.
///
/// # Panics
/// When `machine` is no definition.
#[must_use]
pub fn states(machine: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, state) in machine["States"].as_object().unwrap() {
        found.push((name.clone(), state.clone()));
        for branch in state["Branches"].as_array().into_iter().flatten() {
            found.extend(states(branch));
        }
    }
    found
}

/// Holds a value against a contract, such as `steps/admit-upload.input`.
///
/// # Panics
/// When it does not satisfy the contract, or there is no such contract.
#[track_caller]
pub fn validate(contract: &str, value: &Value) {
    let found =
        schema::all().into_iter().find(|c| c.name == contract).unwrap_or_else(|| panic!("no contract {contract}"));
    let validator = jsonschema::validator_for(found.schema.as_value()).unwrap();
    let errors: Vec<_> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{contract}: {errors:?}\n{value:#}");
}
