//! Variables and their scopes: "a variable assigned in an inner scope cannot have the same name as one assigned in an
//! outer scope". The states of a Distributed Map see no outer variables, and so hide none.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>, "Variable scope".

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::syntax::{Findings, below};

type Names<'v> = BTreeSet<&'v str>;

/// Holds the scopes below `scope` against those around them.
pub(super) fn check(scope: &Map<String, Value>, at: &str, findings: &mut Findings) {
    check_scope(scope, at, &Names::new(), findings);
}

fn check_scope<'v>(scope: &'v Map<String, Value>, at: &str, outer: &Names<'v>, findings: &mut Findings) {
    let Some(states) = scope.get("States").and_then(Value::as_object) else { return };
    let at = below(at, "States");
    let mut seen = outer.clone();
    for (name, state) in states {
        let at = below(&at, name);
        for (fields, at) in assigns(state, &at) {
            for name in fields.keys().map(|key| variable(key)) {
                if outer.contains(name) {
                    findings.schema(&at, format!("The variable '{name}' is already assigned in an outer scope"));
                }
                seen.insert(name);
            }
        }
    }
    for (name, state) in states {
        let at = below(&at, name);
        for (inner, at) in inner_scopes(state, &at) {
            check_scope(inner, &at, &seen, findings);
        }
    }
}

/// Every `Assign` of a state: its own, those of a Choice's rules, those of its catchers.
fn assigns<'v>(state: &'v Value, at: &str) -> Vec<(&'v Map<String, Value>, String)> {
    let mut found = Vec::new();
    let mut add = |value: &'v Value, at: &str| {
        found.extend(value.get("Assign").and_then(Value::as_object).map(|fields| (fields, below(at, "Assign"))));
    };
    add(state, at);
    for list in ["Choices", "Catch"] {
        let items = state.get(list).and_then(Value::as_array).into_iter().flatten();
        items.enumerate().for_each(|(index, item)| add(item, &format!("{at}/{list}/{index}")));
    }
    found
}

/// The scopes in a state that see the variables around it.
fn inner_scopes<'v>(state: &'v Value, at: &str) -> Vec<(&'v Map<String, Value>, String)> {
    let mut found = Vec::new();
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
    for (index, branch) in branches.enumerate() {
        found.extend(branch.as_object().map(|branch| (branch, format!("{at}/Branches/{index}"))));
    }
    for name in ["ItemProcessor", "Iterator"] {
        let processor = state.get(name).and_then(Value::as_object);
        let is_distributed = |processor: &Map<String, Value>| {
            processor.get("ProcessorConfig").and_then(|config| config.get("Mode")) == Some(&"DISTRIBUTED".into())
        };
        found.extend(processor.filter(|it| !is_distributed(it)).map(|it| (it, below(at, name))));
    }
    found
}

/// The name that a field of `Assign` gives.
fn variable(key: &str) -> &str {
    key.strip_suffix(".$").unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(machine: Value, expected: &[&str]) {
        let mut findings = Findings::default();
        super::check(machine.as_object().unwrap_or(&Map::new()), "", &mut findings);
        let found: Vec<_> = findings.0.iter().filter_map(|finding| finding.location.as_deref()).collect();
        assert_eq!(found, expected, "{machine}");
    }

    #[test]
    fn inner_scopes_assign_names_of_their_own() {
        let inner =
            |name: &str| json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {name: 1}, "End": true}}});
        let machine = |state: Value| json!({"StartAt": "A", "States": {"A": {"Assign": {"x.$": "$.x"}}, "S": state}});
        check(machine(json!({"Branches": [inner("y"), inner("y")]})), &[]);
        check(machine(json!({"Branches": [inner("y"), inner("x")]})), &["/States/S/Branches/1/States/I/Assign"]);
        check(
            machine(json!({"Assign": {"y": 1}, "ItemProcessor": inner("y")})),
            &["/States/S/ItemProcessor/States/I/Assign"],
        );
        check(
            machine(json!({"Catch": [{"Assign": {"z": 1}}], "Iterator": inner("z")})),
            &["/States/S/Iterator/States/I/Assign"],
        );
        let mut distributed = inner("x");
        distributed["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
        check(machine(json!({"ItemProcessor": distributed})), &[]);
        let nested = json!({"States": {"P": {"Branches": [inner("x")]}}});
        let expected = "/States/S/Branches/0/States/P/Branches/0/States/I/Assign";
        check(machine(json!({"Branches": [nested]})), &[expected]);
    }
}
