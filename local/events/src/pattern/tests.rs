#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::Pattern;

/// The form of AWS's recordings: pattern and event are JSON texts.
#[derive(Deserialize)]
struct Case {
    name: String,
    pattern: String,
    event: String,
    expect: String,
}

fn check(case: &Case) -> Result<(), String> {
    let actual = match Pattern::parse(&case.pattern) {
        Err(_) => "rejected",
        Ok(pattern) if pattern.matches(&serde_json::from_str(&case.event).unwrap()) => "match",
        Ok(_) => "no match",
    };
    if actual == case.expect { Ok(()) } else { Err(format!("{}: {actual}, should be {}", case.name, case.expect)) }
}

fn check_all(cases: &[Case]) {
    let wrong: Vec<_> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases: {wrong:#?}", wrong.len(), cases.len());
}

#[test]
fn agrees_with_aws() {
    // Recorded on AWS, kept beside the repository; absent from a plain clone, which has the set below.
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/asl-cases/event-patterns.json");
    let Ok(text) = std::fs::read_to_string(recorded) else { return };
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 96);
    check_all(&cases);
}

#[test]
fn agrees_with_the_documentation() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/patterns.json")).unwrap();
    let cases: Vec<Case> = cases
        .into_iter()
        .map(|case| Case {
            name: case["name"].as_str().unwrap().into(),
            pattern: case["pattern"].to_string(),
            event: case["event"].to_string(),
            expect: case["expect"].as_str().unwrap().into(),
        })
        .collect();
    check_all(&cases);
}

#[test]
fn says_why_in_the_words_of_aws() {
    let check = |pattern: &str, reason: &str| match Pattern::parse(pattern) {
        Err(error) => assert_eq!(error.to_string(), format!("Event pattern is not valid. Reason: {reason}")),
        Ok(_) => panic!("{pattern} was taken"),
    };
    check("[]", "Filter is not an object");
    check("{}", "Empty objects are not allowed");
    check(r#"{"a": "b"}"#, r#""a" must be an object or an array"#);
    check(r#"{"a": []}"#, "Empty arrays are not allowed");
    check(r#"{"a": [[1]]}"#, "Match value must be String, number, true, false, or null");
    check(r#"{"a": [{}]}"#, "Match expression name not found");
    check(r#"{"a": [{"Prefix": "b"}]}"#, "Unrecognized match type Prefix");
    check(r#"{"a": [{"prefix": "b", "suffix": "c"}]}"#, "Only one key allowed in match expression");
    check(r#"{"a": [{"numeric": [">", 6e9]}]}"#, "Value must be between -5.0E9 and 5.0E9, inclusive");
    check(r#"{"a": [{"wildcard": "a**b"}]}"#, "Consecutive wildcard characters at pos 2");
    check(r#"{"$or": [{"a": [1]}]}"#, "There must have at least 2 Objects in $or relationship.");
    check(
        r#"{"a": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}"#,
        "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character",
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    // Words of the pattern language as keys and values, so that generated patterns get far.
    let word = prop::sample::select(vec![
        "a",
        "b",
        "",
        "*",
        "a*",
        "\\",
        "$or",
        "prefix",
        "suffix",
        "anything-but",
        "equals-ignore-case",
        "exists",
        "numeric",
        "cidr",
        "wildcard",
        "<",
        ">=",
        "=",
        "10.0.0.0/8",
        "::/0",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..4)
                .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics(pattern in any_json(), event in any_json(), text in ".{0,64}") {
        let _ = Pattern::parse(&text);
        if let Ok(pattern) = Pattern::parse(&pattern.to_string()) {
            let _ = pattern.matches(&event);
        }
    }

    #[test]
    fn a_wildcard_takes_what_a_search_by_backtracking_takes(pattern in "[ab*]{0,8}", text in "[ab]{0,12}") {
        fn search(pattern: &[u8], text: &[u8]) -> bool {
            match pattern {
                [] => text.is_empty(),
                [b'*', rest @ ..] => (0..=text.len()).any(|skip| search(rest, &text[skip..])),
                [literal, rest @ ..] => text.first() == Some(literal) && search(rest, &text[1..]),
            }
        }
        if let Ok(wildcard) = super::wildcard::Wildcard::parse(&pattern) {
            prop_assert_eq!(wildcard.matches(&text), search(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
