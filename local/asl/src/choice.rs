//! Which way a Choice state goes.

use std::borrow::Cow;

use serde_json::Value;

use crate::dataflow::View;
use crate::facts::Unresolved;
use crate::failure::{Failure, Reason};
use crate::json;
use crate::jsonpath::Path;
use crate::machine::model::{Choice, Compared, Condition, Operand, Order, Test};
use crate::payload::Payload;
use crate::template::query;
use crate::timestamp;

/// The index of the first rule that holds; `None` for the default.
pub(crate) fn decide(choice: &Choice, view: &View<'_, '_>, input: &Payload) -> Result<Option<usize>, Failure> {
    for (index, rule) in choice.rules.iter().enumerate() {
        if holds(&rule.condition, view, input, index)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn holds(condition: &Condition, view: &View<'_, '_>, input: &Payload, rule: usize) -> Result<bool, Failure> {
    match condition {
        Condition::Literal(value) => Ok(*value),
        Condition::And(conditions) => {
            for condition in conditions {
                if !holds(condition, view, input, rule)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Or(conditions) => {
            for condition in conditions {
                if holds(condition, view, input, rule)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(condition) => Ok(!holds(condition, view, input, rule)?),
        Condition::Query(expression) => {
            let location = format!("Choices[{rule}]/Condition");
            let value = query(expression, &view.sight(input, None, None), &location)?;
            value.as_bool().ok_or_else(|| {
                let reason = Reason::Type { expected: "boolean", found: &value };
                Failure::evaluation(expression.source(), &location, &reason)
            })
        }
        Condition::Compare { variable, test } => compare(variable, test, view, input),
    }
}

fn compare(variable: &Path, test: &Test, view: &View<'_, '_>, input: &Payload) -> Result<bool, Failure> {
    let found = view.facts.select(variable, input.value());
    if let Test::IsPresent(expected) = test {
        return Ok(found.is_ok() == *expected);
    }
    let value = found.map_err(|e| invalid_path(&e))?;
    Ok(match test {
        Test::IsPresent(_) => true,
        Test::IsNull(expected) => value.is_null() == *expected,
        Test::IsString(expected) => value.is_string() == *expected,
        Test::IsNumeric(expected) => value.is_number() == *expected,
        Test::IsBoolean(expected) => value.is_boolean() == *expected,
        Test::IsTimestamp(expected) => value.as_str().is_some_and(|text| timestamp::parse(text).is_some()) == *expected,
        Test::StringMatches(pattern) => value.as_str().is_some_and(|text| matches_pattern(text, pattern)),
        Test::Compare { kind, order, with } => {
            let other = match with {
                Operand::Literal(value) => Cow::Borrowed(value),
                Operand::Path(path) => view.facts.select(path, input.value()).map_err(|e| invalid_path(&e))?,
            };
            in_order(*kind, *order, &value, &other)
        }
    })
}

fn invalid_path(unresolved: &Unresolved) -> Failure {
    Failure::runtime(format!(
        "Invalid path '{}': The choice state's condition path references an invalid value.",
        unresolved.path
    ))
}

/// Compares two values; those of another type than the operator's never compare.
fn in_order(kind: Compared, order: Order, left: &Value, right: &Value) -> bool {
    let ordering = match kind {
        Compared::String => left.as_str().zip(right.as_str()).map(|(left, right)| left.cmp(right)),
        Compared::Numeric if left.is_number() => json::compare(left, right),
        Compared::Numeric => None,
        Compared::Boolean => left.as_bool().zip(right.as_bool()).map(|(left, right)| left.cmp(&right)),
        Compared::Timestamp => {
            let instant = |value: &Value| timestamp::parse(value.as_str()?);
            instant(left).zip(instant(right)).map(|(left, right)| left.cmp(&right))
        }
    };
    ordering.is_some_and(|ordering| match order {
        Order::Equals => ordering.is_eq(),
        Order::LessThan => ordering.is_lt(),
        Order::GreaterThan => ordering.is_gt(),
        Order::LessThanEquals => ordering.is_le(),
        Order::GreaterThanEquals => ordering.is_ge(),
    })
}

/// `*` stands for any characters; `\*` and `\\` for themselves.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    let mut parts: Vec<String> = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => parts.push(String::new()),
            c => {
                let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    let Some((first, rest)) = parts.split_first() else { return text.is_empty() };
    let Some((last, middle)) = rest.split_last() else { return text == first };
    // Leftmost matches of the middle parts leave the most room for the last.
    let Some(mut text) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        match text.split_once(part.as_str()) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pattern: &str, expected: bool) {
        assert_eq!(matches_pattern(text, pattern), expected, "{text} against {pattern}");
    }

    #[test]
    fn patterns_match_with_asterisks() {
        check("foo.log", "foo*.log", true);
        check("foo23.log", "foo*.log", true);
        check("foobar.zip", "foo*.log", false);
        check("foo.log.gz", "foo*.log", false);
        check("a*c", r"a\*c", true);
        check("abc", r"a\*c", false);
        check(r"a\c", r"a\\c", true);
        check("", "*", true);
        check("", "", true);
        check("aXbXc", "a*b*c", true);
        check("ab", "a*b*b", false);
        check("aba", "a*b*", true);
    }
}
