//! The project's own cases: `tests/cases/*.json`, one file a topic.
//!
//! `UPDATE_CASES=1 cargo test -p vodline-asl --test recordings own` writes down the histories as they are found, for a
//! person to read; a new case needs only its definition, its input, and the task events that answer its tasks.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::{Case, compare, replay, score::own};

#[test]
fn own_cases_match() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(own("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = std::fs::read(&path).unwrap();
        if std::env::var_os("UPDATE_CASES").is_some() {
            let raw: Vec<Value> = serde_json::from_slice(&text).unwrap();
            std::fs::write(&path, updated(raw)).unwrap();
            continue;
        }
        let cases: Vec<Case> = serde_json::from_slice(&text).unwrap();
        for case in cases {
            let ran = replay::run(&case).unwrap_or_else(|reason| panic!("{}: {reason}", case.id));
            // No placeholders here: every character counts.
            for (at, found) in ran.history.iter().enumerate() {
                assert_eq!(Some(found), case.events.get(at), "{}, event {}", case.id, at + 1);
            }
            assert_eq!(ran.history.len(), case.events.len(), "{}", case.id);
            assert!(compare::executions(&case.definition, &case.events, &ran.history).history, "{}", case.id);
        }
    }
}

/// The cases with the histories found, an event a line.
fn updated(cases: Vec<Value>) -> String {
    let mut text = String::from("[");
    for (at, raw) in cases.into_iter().enumerate() {
        let case: Case = serde_json::from_value(raw.clone()).unwrap();
        let ran = replay::run(&case).unwrap_or_else(|reason| panic!("{}: {reason}", case.id));
        let comma = if at == 0 { "" } else { "," };
        let (id, definition) = (Value::from(case.id), &raw["definition"]);
        write!(text, "{comma}\n{{\n  \"id\": {id},\n  \"definition\": {definition},\n").unwrap();
        write!(text, "  \"input\": {},\n  \"events\": [", case.input).unwrap();
        for (at, event) in ran.history.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(text, "{comma}\n    {event}").unwrap();
        }
        text.push_str("\n  ]\n}");
    }
    text.push_str("\n]\n");
    text
}
