//! The condition in `[?(...)]`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::Path;
use crate::json;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// `@...`: below the item under test.
    Item(Path),
    /// `$...`: below the document.
    Root(Path),
    Literal(Value),
    Pattern(Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    SubsetOf,
    AnyOf,
    NoneOf,
    Size,
    Empty,
}

/// A compiled regular expression that must match the whole text, as Jayway's does.
#[derive(Debug, Clone)]
pub(super) struct Pattern(regex::Regex);

impl Pattern {
    pub(super) fn new(pattern: &str, ignore_case: bool) -> Result<Self, String> {
        regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
            .case_insensitive(ignore_case)
            .build()
            .map(Self)
            .map_err(|_| format!("'/{pattern}/' is not a regular expression"))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Filter {
    pub(super) fn matches(&self, item: &Value, root: &Value) -> bool {
        match self {
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(item, root)),
            Self::All(filters) => filters.iter().all(|filter| filter.matches(item, root)),
            Self::Not(filter) => !filter.matches(item, root),
            Self::Exists(operand) => operand.value(item, root).is_some(),
            Self::Compare(left, Comparison::Matches, Operand::Pattern(pattern)) => {
                left.value(item, root).is_some_and(|text| text.as_str().is_some_and(|text| pattern.0.is_match(text)))
            }
            Self::Compare(left, comparison, right) => match (left.value(item, root), right.value(item, root)) {
                (Some(left), Some(right)) => comparison.holds(&left, &right),
                _ => *comparison == Comparison::NotEqual,
            },
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, item: &'v Value, root: &'v Value) -> Option<Cow<'v, Value>> {
        match self {
            Self::Item(path) => path.select(item),
            Self::Root(path) => path.select(root),
            Self::Literal(value) => Some(Cow::Borrowed(value)),
            Self::Pattern(_) => None,
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = || json::compare(left, right);
        let is_in = |value: &Value, items: &Value| {
            items.as_array().is_some_and(|items| items.iter().any(|item| json::equal(item, value)))
        };
        let left_items = || left.as_array().map(Vec::as_slice).unwrap_or_default();
        match self {
            Self::Equal => json::equal(left, right),
            Self::NotEqual => !json::equal(left, right),
            Self::Less => order() == Some(Ordering::Less),
            Self::LessOrEqual => order().is_some_and(Ordering::is_le),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
            Self::Matches => false,
            Self::In => is_in(left, right),
            Self::NotIn => !is_in(left, right),
            Self::Contains => match (left, right) {
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                _ => is_in(right, left),
            },
            Self::SubsetOf => left.is_array() && left_items().iter().all(|item| is_in(item, right)),
            Self::AnyOf => left_items().iter().any(|item| is_in(item, right)),
            Self::NoneOf => !left_items().iter().any(|item| is_in(item, right)),
            Self::Size => length(left).is_some_and(|length| right.as_u64() == Some(length)),
            Self::Empty => length(left).is_some_and(|length| right.as_bool() == Some(length == 0)),
        }
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::Array(items) => Some(items.len() as u64),
        Value::String(text) => Some(text.chars().count() as u64),
        _ => None,
    }
}
