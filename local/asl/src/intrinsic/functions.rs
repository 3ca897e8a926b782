//! What each intrinsic function does. A refusal is a sentence about what is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Function;
use crate::env::{RandomSource, SeededRandom};
use crate::facts::Facts;
use crate::hash;
use crate::json;
use crate::limits::{ARRAY_RANGE_ITEMS_MAX, INTRINSIC_STRING_CHARS_MAX};

/// Calls `function`. `written` is the first argument as it stands in the definition, if it is a quoted string.
pub(super) fn call(
    function: Function,
    arguments: &[Value],
    written: Option<&str>,
    facts: &Facts<'_>,
) -> Result<Value, String> {
    let argument = |at: usize| arguments.get(at).ok_or_else(|| "An argument is missing".to_owned());
    match function {
        Function::Array => Ok(Value::Array(arguments.to_vec())),
        Function::ArrayContains => {
            let wanted = argument(1)?;
            Ok(array(argument(0)?)?.iter().any(|item| json::equal(item, wanted)).into())
        }
        Function::ArrayGetItem => {
            let index = whole(argument(1)?)?;
            let item = usize::try_from(index).ok().and_then(|index| array(argument(0).ok()?).ok()?.get(index));
            array(argument(0)?)?;
            item.cloned().ok_or_else(|| format!("Index {index} is out of bounds"))
        }
        Function::ArrayLength => Ok(array(argument(0)?)?.len().into()),
        Function::ArrayPartition => partition(array(argument(0)?)?, whole(argument(1)?)?),
        Function::ArrayRange => range(whole(argument(0)?)?, whole(argument(1)?)?, whole(argument(2)?)?),
        Function::ArrayUnique => {
            let mut unique: Vec<Value> = Vec::new();
            for item in array(argument(0)?)? {
                if !unique.iter().any(|seen| json::equal(seen, item)) {
                    unique.push(item.clone());
                }
            }
            Ok(unique.into())
        }
        Function::Base64Decode => {
            let bytes = STANDARD.decode(text(argument(0)?)?).map_err(|_| "The input is not valid Base64".to_owned())?;
            Ok(String::from_utf8_lossy(&bytes).into())
        }
        Function::Base64Encode => Ok(STANDARD.encode(text(argument(0)?)?).into()),
        Function::Format => {
            format(written.map_or_else(|| text(argument(0)?), Ok)?, arguments.get(1..).unwrap_or_default())
        }
        Function::Hash => {
            let data = match argument(0)? {
                Value::String(data) => data.clone(),
                other => other.to_string(),
            };
            let algorithm = text(argument(1)?)?;
            hash::hex_digest(algorithm, data.as_bytes())
                .map(Value::String)
                .ok_or_else(|| format!("The algorithm '{algorithm}' is not supported"))
        }
        Function::JsonMerge => merge(argument(0)?, argument(1)?, argument(2)?),
        Function::JsonToString => Ok(argument(0)?.to_string().into()),
        Function::MathAdd => {
            let sum = rounded(argument(0)?)?.checked_add(rounded(argument(1)?)?);
            sum.map(Value::from).ok_or_else(|| "The sum is out of range".to_owned())
        }
        Function::MathRandom => random(rounded(argument(0)?)?, rounded(argument(1)?)?, arguments.get(2), facts),
        Function::StringSplit => {
            let delimiters = text(argument(1)?)?;
            let parts = text(argument(0)?)?.split(|c| delimiters.contains(c)).filter(|part| !part.is_empty());
            Ok(parts.collect())
        }
        Function::StringToJson => parse(text(argument(0)?)?),
        Function::Uuid => Ok(facts.uuid().into()),
    }
}

/// Reads JSON as the service's parser (Jackson) does: blank text is no value, which is null, and there is no negative zero
/// among whole numbers.
fn parse(text: &str) -> Result<Value, String> {
    match text.trim() {
        "" => Ok(Value::Null),
        "-0" => Ok(Value::from(0)),
        text => serde_json::from_str(text).map_err(|_| "The input could not be parsed as JSON".to_owned()),
    }
}

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("Expected an array, but got: {value}"))
}

fn text(value: &Value) -> Result<&str, String> {
    let text = value.as_str().ok_or_else(|| format!("Expected a string, but got: {value}"))?;
    if text.chars().nth(INTRINSIC_STRING_CHARS_MAX).is_some() {
        return Err(format!("The string is longer than {INTRINSIC_STRING_CHARS_MAX} characters"));
    }
    Ok(text)
}

fn whole(value: &Value) -> Result<i64, String> {
    let number = value.as_i64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).and_then(float_to_i64));
    number.ok_or_else(|| format!("Expected an integer, but got: {value}"))
}

/// A number rounded half up, as Java's `Math.round` does: -1.5 becomes -1.
fn rounded(value: &Value) -> Result<i64, String> {
    let number = value.as_i64().or_else(|| value.as_f64().map(|n| (n + 0.5).floor()).and_then(float_to_i64));
    number.ok_or_else(|| format!("Expected a number, but got: {value}"))
}

fn float_to_i64(n: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within range")]
    ((-9.2e18..9.2e18).contains(&n)).then_some(n as i64)
}

fn partition(items: &[Value], size: i64) -> Result<Value, String> {
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| "The chunk size must be a positive integer".to_owned())?;
    Ok(items.chunks(size).map(<[Value]>::to_vec).collect())
}

pub(crate) fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("The increment must not be zero".to_owned());
    }
    let mut items = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next.filter(|item| if step > 0 { *item <= last } else { *item >= last }) {
        if items.len() as u64 >= ARRAY_RANGE_ITEMS_MAX.unsigned_abs() {
            return Err(format!("The array would have more than {ARRAY_RANGE_ITEMS_MAX} items"));
        }
        items.push(Value::from(item));
        next = item.checked_add(step);
    }
    Ok(items.into())
}

fn merge(first: &Value, second: &Value, deep: &Value) -> Result<Value, String> {
    match (first, second, deep) {
        (_, _, Value::Bool(true)) => Err("Deep merging is not supported".to_owned()),
        (Value::Object(first), Value::Object(second), Value::Bool(false)) => {
            let pairs = first.iter().chain(second).map(|(key, value)| (key.clone(), value.clone()));
            Ok(Value::Object(pairs.collect::<Map<String, Value>>()))
        }
        _ => Err("Expected two JSON objects and a boolean".to_owned()),
    }
}

fn random(start: i64, end: i64, seed: Option<&Value>, facts: &Facts<'_>) -> Result<Value, String> {
    let span = end.checked_sub(start).and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0);
    let span = span.ok_or_else(|| "The start must be less than the end".to_owned())?;
    let bits = match seed {
        None => facts.random_bits(),
        Some(seed) => SeededRandom::new(rounded(seed)?.unsigned_abs()).next_u64(),
    };
    let offset = i64::try_from(bits % span).unwrap_or_default();
    Ok(Value::from(start.saturating_add(offset)))
}

/// Replaces each `{}` with the next value; `\{`, `\}`, `\'` and `\\` are the characters themselves.
fn format(template: &str, values: &[Value]) -> Result<Value, String> {
    let count = || "The number of arguments does not match the number of placeholders".to_owned();
    let mut values = values.iter();
    let mut text = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\'' | '\\' | '{' | '}')) => text.push(c),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(c) => text.extend(['\\', c]),
                None => text.push('\\'),
            },
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                display(values.next().ok_or_else(count)?, &mut text);
            }
            '{' | '}' => return Err("A brace that is no placeholder must be escaped".to_owned()),
            c => text.push(c),
        }
    }
    if values.next().is_some() {
        return Err(count());
    }
    Ok(text.into())
}

/// How the service prints a value into text: as Java's collections print themselves, `{a=1, b=[2, 3]}`.
fn display(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => text.push_str(string),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                display(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(key);
                text.push('=');
                display(item, text);
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}
