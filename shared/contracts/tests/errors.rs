//! The page of errors is about the errors there are.
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::unwrap_used, reason = "a test")]

use vodline_contracts::{ErrorCode, Retryability};

#[test]
fn every_error_is_explained() {
    let path = format!("{}/../../docs/errors.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(path).unwrap();
    let mut sections = page.split("\n## ").skip(1);
    for code in ErrorCode::ALL {
        let section = sections.next().unwrap_or_else(|| panic!("docs/errors.md ends before {}", code.name()));
        let (title, text) = section.split_once('\n').unwrap();
        assert_eq!(title, code.name(), "docs/errors.md has the errors in the order of ErrorCode");
        let kind = match code.retryability() {
            Retryability::Retryable => "**Retryable.**",
            Retryability::Terminal => "**Terminal",
        };
        assert!(text.trim_start().starts_with(kind), "{title} is {kind}");
        assert!(text.contains("*What to do:*"), "{title} says what to do");
    }
    assert_eq!(sections.next(), None, "docs/errors.md explains errors that there are not");
}
