//! From a pattern's text to its tree, refusing what AWS refuses in AWS's words.
//! Source of the words: <https://github.com/aws/event-ruler>, `JsonRuleCompiler`.

use serde_json::{Map, Value};

use super::{
    Field, Node, PatternError, Values,
    cidr::Cidr,
    matcher::Matcher,
    number::{Millionths, Range},
    wildcard::{self, Wildcard},
};

const OR: &str = "$or";
/// Ways in which the `$or`s of a pattern may combine.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html>.
const OR_COMBINATIONS_MAX: usize = 1000;
/// Names of operators, which may not be names of fields under `$or`: there they could be mistaken for one another.
const RESERVED_UNDER_OR: &[&str] = &[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

const ONE_KEY: &str = "Only one key allowed in match expression";

type Parsed<T> = Result<T, String>;

pub(super) fn pattern(text: &str) -> Result<Node, PatternError> {
    let value: Value = serde_json::from_str(text).map_err(|error| PatternError(format!("Invalid JSON: {error}")))?;
    let Value::Object(fields) = value else { return Err(PatternError("Filter is not an object".into())) };
    let root = node(&fields, false).map_err(PatternError)?;
    if combinations(&root) > OR_COMBINATIONS_MAX {
        return Err(PatternError(format!("{OR} results in more than {OR_COMBINATIONS_MAX} combinations")));
    }
    Ok(root)
}

fn node(object: &Map<String, Value>, under_or: bool) -> Parsed<Node> {
    if object.is_empty() {
        return Err("Empty objects are not allowed".into());
    }
    let mut node_of = Node::default();
    for (name, value) in object {
        if name == OR {
            node_of.alternatives.push(alternatives(value)?);
            continue;
        }
        if under_or && RESERVED_UNDER_OR.contains(&name.as_str()) {
            return Err(format!("{name} is Ruler reserved fieldName which cannot be used inside {OR}."));
        }
        let field = match value {
            Value::Object(object) => Field::Object(node(object, under_or)?),
            Value::Array(items) => Field::Values(values(items)?),
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        };
        node_of.fields.push((name.clone(), field));
    }
    Ok(node_of)
}

fn alternatives(value: &Value) -> Parsed<Vec<Node>> {
    let Value::Array(items) = value else { return Err(format!("It must be an Array followed with {OR}.")) };
    let nodes = items
        .iter()
        .map(|item| match item {
            Value::Object(object) => node(object, true),
            _ => Err(format!("Only JSON object is allowed in array of {OR} relationship.")),
        })
        .collect::<Parsed<Vec<_>>>()?;
    if nodes.len() < 2 {
        return Err(format!("There must have at least 2 Objects in {OR} relationship."));
    }
    Ok(nodes)
}

/// How many plain patterns this one stands for, up to what a `usize` holds.
fn combinations(node: &Node) -> usize {
    let fields = node.fields.iter().map(|(_, field)| match field {
        Field::Object(node) => combinations(node),
        Field::Values(_) => 1,
    });
    let alternatives =
        node.alternatives.iter().map(|nodes| nodes.iter().map(combinations).fold(0, usize::saturating_add));
    fields.chain(alternatives).fold(1, usize::saturating_mul)
}

fn values(items: &[Value]) -> Parsed<Values> {
    if items.is_empty() {
        return Err("Empty arrays are not allowed".into());
    }
    let mut values = Values { matchers: Vec::new(), absent: false };
    for item in items {
        match item {
            Value::Null => values.matchers.push(Matcher::Null),
            Value::Bool(expected) => values.matchers.push(Matcher::Bool(*expected)),
            Value::Number(expected) => values.matchers.push(Matcher::Number(expected.clone())),
            Value::String(expected) => values.matchers.push(Matcher::Text(expected.clone())),
            Value::Object(expression) => match expression_of(expression)? {
                Some(matcher) => values.matchers.push(matcher),
                None => values.absent = true,
            },
            Value::Array(_) => return Err("Match value must be String, number, true, false, or null".into()),
        }
    }
    let mut wildcards = Vec::new();
    for matcher in &values.matchers {
        match matcher {
            Matcher::Wildcard(wildcard) => wildcards.push(wildcard),
            Matcher::AnythingBut(inner) => wildcards.extend(inner.iter().filter_map(|matcher| match matcher {
                Matcher::Wildcard(wildcard) => Some(wildcard),
                _ => None,
            })),
            _ => {}
        }
    }
    wildcard::check_complexity(&wildcards)?;
    Ok(values)
}

/// The one entry of an operator's object.
fn only<'a>(object: &'a Map<String, Value>, missing: &str) -> Parsed<(&'a str, &'a Value)> {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((name, operand)), None) => Ok((name, operand)),
        (None, _) => Err(missing.into()),
        (Some(_), Some(_)) => Err(ONE_KEY.into()),
    }
}

fn text<'a>(operand: &'a Value, operator: &str) -> Parsed<&'a str> {
    operand.as_str().ok_or_else(|| format!("{operator} match pattern must be a string"))
}

/// An operator's object; `None` is `{"exists": false}`.
fn expression_of(object: &Map<String, Value>) -> Parsed<Option<Matcher>> {
    let (operator, operand) = only(object, "Match expression name not found")?;
    Ok(Some(match operator {
        "exactly" => Matcher::Text(text(operand, "exact")?.into()),
        "prefix" => match ignore_case(operand, "Prefix", "prefix")? {
            Some(prefix) => Matcher::PrefixIgnoreCase(prefix),
            None => Matcher::Prefix(text(operand, "prefix")?.into()),
        },
        "suffix" => match ignore_case(operand, "Suffix", "suffix")? {
            Some(suffix) => Matcher::SuffixIgnoreCase(suffix),
            None => Matcher::Suffix(text(operand, "suffix")?.into()),
        },
        "equals-ignore-case" => Matcher::TextIgnoreCase(text(operand, "equals-ignore-case")?.to_lowercase()),
        "wildcard" => Matcher::Wildcard(Wildcard::parse(text(operand, "wildcard")?)?),
        // AWS says "prefix" here too.
        "cidr" => Matcher::Cidr(Cidr::parse(text(operand, "prefix")?)?),
        "numeric" => Matcher::Numeric(numeric(operand)?),
        "anything-but" => anything_but(operand)?,
        "exists" => match operand {
            Value::Bool(true) => Matcher::Exists,
            Value::Bool(false) => return Ok(None),
            _ => return Err("exists match pattern must be either true or false.".into()),
        },
        _ => return Err(format!("Unrecognized match type {operator}")),
    }))
}

/// `{"prefix": {"equals-ignore-case": "..."}}`, in lower case; `None` when the operand is not an object.
fn ignore_case(operand: &Value, title: &str, operator: &str) -> Parsed<Option<String>> {
    let Value::Object(object) = operand else { return Ok(None) };
    match only(object, &format!("{title} expression name not found"))? {
        ("equals-ignore-case", operand) => Ok(Some(text(operand, "equals-ignore-case")?.to_lowercase())),
        (name, _) => Err(format!("Unsupported {operator} pattern: {name}")),
    }
}

fn anything_but(operand: &Value) -> Parsed<Matcher> {
    if let Value::Object(object) = operand {
        let (operator, operand) = only(object, "Anything-But expression name not found")?;
        return anything_but_operator(operator, operand);
    }
    let matchers = one_or_many(operand)?
        .iter()
        .map(|value| match value {
            Value::String(text) => Ok(Matcher::Text(text.clone())),
            Value::Number(number) => in_range(number).map(|_| Matcher::Number(number.clone())),
            _ => Err("Inside anything but list, start|null|boolean is not supported.".into()),
        })
        .collect::<Parsed<Vec<_>>>()?;
    let texts = matchers.iter().filter(|matcher| matches!(matcher, Matcher::Text(_))).count();
    if matchers.is_empty() || (texts > 0 && texts < matchers.len()) {
        return Err(
            "Inside anything but list, either all values are number or string, mixed type is not supported".into()
        );
    }
    Ok(Matcher::AnythingBut(matchers))
}

fn anything_but_operator(operator: &str, operand: &Value) -> Parsed<Matcher> {
    let matcher_of = |value: &Value| -> Parsed<Matcher> {
        Ok(match (operator, value.as_str()) {
            ("equals-ignore-case", Some(text)) => Matcher::TextIgnoreCase(text.to_lowercase()),
            ("equals-ignore-case", None) => {
                return Err(
                    "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.".into()
                );
            }
            ("wildcard", Some(text)) => Matcher::Wildcard(Wildcard::parse(text)?),
            ("wildcard", None) => return Err("wildcard match pattern must be a string".into()),
            ("prefix" | "suffix", Some("")) => return Err("Null prefix/suffix not allowed".into()),
            ("prefix", Some(text)) => Matcher::Prefix(text.into()),
            ("suffix", Some(text)) => Matcher::Suffix(text.into()),
            ("prefix" | "suffix", None) => return Err("prefix/suffix match pattern must be a string".into()),
            _ => return Err(format!("Unsupported anything-but pattern: {operator}")),
        })
    };
    if !matches!(operator, "equals-ignore-case" | "wildcard" | "prefix" | "suffix") {
        return Err(format!("Unsupported anything-but pattern: {operator}"));
    }
    let matchers = one_or_many(operand)?.iter().map(matcher_of).collect::<Parsed<Vec<_>>>()?;
    if matchers.is_empty() {
        return Err("Empty arrays are not allowed".into());
    }
    Ok(Matcher::AnythingBut(matchers))
}

fn one_or_many(operand: &Value) -> Parsed<&[Value]> {
    match operand {
        Value::Array(items) => Ok(items),
        Value::String(_) | Value::Number(_) => Ok(std::slice::from_ref(operand)),
        _ => Err("Value of anything-but must be an array or single string/number value.".into()),
    }
}

/// `["=", n]`, or a lower bound, an upper bound, or a lower and then an upper bound.
fn numeric(operand: &Value) -> Parsed<Range> {
    let Value::Array(terms) = operand else { return Err("Value of numeric must be an array.".into()) };
    let [operator, rest @ ..] = terms.as_slice() else { return Err("Invalid member in numeric match: ]".into()) };
    let Value::String(operator) = operator else { return Err(format!("Invalid member in numeric match: {operator}")) };
    let value = |term: Option<&Value>, operator: &str| match term {
        Some(Value::Number(number)) => in_range(number),
        _ => Err(format!("Value of {operator} must be numeric")),
    };
    let inclusive = operator.ends_with('=');
    let range = match operator.as_str() {
        "=" => {
            let value = value(rest.first(), "equals")?;
            Range { from: Some((value, true)), to: Some((value, true)) }
        }
        "<" | "<=" => Range { from: None, to: Some((value(rest.first(), operator)?, inclusive)) },
        ">" | ">=" => Range { from: Some((value(rest.first(), operator)?, inclusive)), to: None },
        _ => return Err(format!("Unrecognized numeric range operator: {operator}")),
    };
    match (&rest[1..], operator.as_str()) {
        ([], _) => Ok(range),
        (_, "=" | "<" | "<=") => Err("Too many elements in numeric expression".into()),
        ([upper, rest @ ..], _) => {
            let Value::String(upper) = upper else { return Err(format!("Bad value in numeric range: {upper}")) };
            if !matches!(upper.as_str(), "<" | "<=") {
                return Err(format!("Bad numeric range operator: {upper}"));
            }
            let to = value(rest.first(), upper)?;
            if rest.len() > 1 {
                return Err("Too many terms in numeric range expression".into());
            }
            if range.from.is_some_and(|(from, _)| from >= to) {
                return Err("Bottom must be less than top".into());
            }
            Ok(Range { to: Some((to, upper.ends_with('='))), ..range })
        }
    }
}

fn in_range(number: &serde_json::Number) -> Parsed<Millionths> {
    Millionths::of(number).ok_or_else(|| "Value must be between -5.0E9 and 5.0E9, inclusive".into())
}
