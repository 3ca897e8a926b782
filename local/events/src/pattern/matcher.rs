//! One element of a pattern's array against one leaf of an event.

use serde_json::{Number, Value};

use super::{cidr::Cidr, number, number::Range, wildcard::Wildcard};

/// One element of a pattern's array. Text given to an `IgnoreCase` operator is already in lower case.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    TextIgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Numeric(Range),
    Cidr(Cidr),
    /// `{"exists": true}`.
    Exists,
    /// None of these.
    AnythingBut(Vec<Matcher>),
}

impl Matcher {
    /// `leaf` is neither an object nor an array.
    pub(super) fn matches(&self, leaf: &Value) -> bool {
        match self {
            Self::Null => leaf.is_null(),
            Self::Bool(expected) => leaf.as_bool() == Some(*expected),
            Self::Number(expected) => leaf.as_number().is_some_and(|actual| number::equal(expected, actual)),
            Self::Numeric(range) => leaf.as_number().is_some_and(|actual| range.contains(actual)),
            Self::Exists => true,
            Self::AnythingBut(matchers) => !matchers.iter().any(|matcher| matcher.matches(leaf)),
            _ => leaf.as_str().is_some_and(|text| self.matches_text(text)),
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Self::Text(expected) => text == expected,
            Self::TextIgnoreCase(expected) => text.to_lowercase() == *expected,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix.as_str()),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Cidr(cidr) => cidr.contains(text),
            _ => false,
        }
    }
}
