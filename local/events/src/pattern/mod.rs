//! Event patterns: what a rule matches.
//!
//! A pattern is parsed once into a tree that mirrors it and then tested against events without allocating. Testing walks
//! pattern and event together, so its cost is bounded by the size of one times the size of the other, whatever the event.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>.

mod cidr;
mod matcher;
mod number;
mod parse;
mod wildcard;

use serde_json::{Map, Value};

use matcher::Matcher;

/// The pattern is not one EventBridge takes; prints as AWS's `InvalidEventPatternException` does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {0}")]
pub struct PatternError(String);

/// A compiled event pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    root: Node,
}

impl Pattern {
    /// Compiles a pattern from its JSON text.
    ///
    /// # Errors
    /// Everything AWS refuses, with its reason.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(Self { root: parse::pattern(text)? })
    }

    /// Whether the pattern takes this event (the whole envelope).
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.root.test(Some(event)) != Outcome::No
    }
}

/// What a part of a pattern makes of a part of an event.
///
/// `Absent` is a match by `{"exists": false}` alone. Telling it from `Present` is what makes arrays of objects come out as
/// AWS's do: an absence counts only when the field is absent from every element, or from one in which something else matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    No,
    Absent,
    Present,
}

impl Outcome {
    /// All of these must hold.
    fn all(outcomes: impl Iterator<Item = Self>) -> Self {
        let mut best = Self::Absent;
        for outcome in outcomes {
            if outcome == Self::No {
                return Self::No;
            }
            best = best.max(outcome);
        }
        best
    }

    /// One of these must hold.
    fn any(outcomes: impl Iterator<Item = Self>) -> Self {
        outcomes.max().unwrap_or(Self::No)
    }

    /// One element of an array must hold, or all of them by absence.
    fn elements(outcomes: impl Iterator<Item = Self>) -> Self {
        let mut worst = Self::Absent;
        for outcome in outcomes {
            if outcome == Self::Present {
                return Self::Present;
            }
            worst = worst.min(outcome);
        }
        worst
    }
}

/// An object of the pattern: every field and every `$or` must hold.
#[derive(Clone, Debug, Default)]
struct Node {
    fields: Vec<(String, Field)>,
    /// One list of alternatives for each `$or`.
    alternatives: Vec<Vec<Node>>,
}

impl Node {
    fn test(&self, value: Option<&Value>) -> Outcome {
        match value {
            Some(Value::Array(items)) if !items.is_empty() => {
                Outcome::elements(items.iter().map(|item| self.test(Some(item))))
            }
            Some(Value::Object(object)) => self.test_object(Some(object)),
            _ => self.test_object(None),
        }
    }

    fn test_object(&self, object: Option<&Map<String, Value>>) -> Outcome {
        let fields = self.fields.iter().map(|(name, field)| field.test(object.and_then(|object| object.get(name))));
        let alternatives =
            self.alternatives.iter().map(|nodes| Outcome::any(nodes.iter().map(|node| node.test_object(object))));
        Outcome::all(fields.chain(alternatives))
    }
}

/// What the pattern says of one field.
#[derive(Clone, Debug)]
enum Field {
    Object(Node),
    Values(Values),
}

impl Field {
    fn test(&self, value: Option<&Value>) -> Outcome {
        match self {
            Self::Object(node) => node.test(value),
            Self::Values(values) => values.test(value),
        }
    }
}

/// A pattern's array: one of these must match.
#[derive(Clone, Debug)]
struct Values {
    matchers: Vec<Matcher>,
    /// `{"exists": false}` is among them.
    absent: bool,
}

impl Values {
    fn test(&self, value: Option<&Value>) -> Outcome {
        match value {
            Some(Value::Array(items)) if !items.is_empty() => {
                Outcome::elements(items.iter().map(|item| self.test(Some(item))))
            }
            // Existence is a matter of leaves: a field that holds an object, or nothing, is absent.
            None | Some(Value::Object(_) | Value::Array(_)) => {
                if self.absent {
                    Outcome::Absent
                } else {
                    Outcome::No
                }
            }
            Some(leaf) => {
                if self.matchers.iter().any(|matcher| matcher.matches(leaf)) {
                    Outcome::Present
                } else {
                    Outcome::No
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
