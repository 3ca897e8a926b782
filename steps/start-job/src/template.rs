//! Filling in the job's settings.
//!
//! `job.json` is what MediaConvert's API takes, with three additions:
//! - a text that is `"${name}"` becomes the value, a number stays one; elsewhere in a text `${name}` is replaced in place;
//! - an object of a list with `"$each": "list"` comes once per element of that list, whose members are `${list.member}`;
//! - an object with `"$if": "condition"` is left out, with its name, when the condition does not hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

const EACH: &str = "$each";
const IF: &str = "$if";

/// What a template is filled in with.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    values: BTreeMap<String, Value>,
    lists: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
    conditions: BTreeMap<String, bool>,
}

/// The template asks for what there is not, which is a defect of the template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job template asks for {0:?}, which is not there")]
pub struct Unknown(String);

impl Scope {
    /// Makes `${name}` this value.
    #[must_use]
    pub fn value(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }

    /// Makes `"$each": name` these elements.
    #[must_use]
    pub fn list(mut self, name: &str, elements: Vec<BTreeMap<String, Value>>) -> Self {
        self.lists.insert(name.to_owned(), elements);
        self
    }

    /// Makes `"$if": name` hold or not.
    #[must_use]
    pub fn condition(mut self, name: &str, holds: bool) -> Self {
        self.conditions.insert(name.to_owned(), holds);
        self
    }

    fn within(&self, list: &str, element: &BTreeMap<String, Value>) -> Self {
        let mut scope = self.clone();
        scope.values.extend(element.iter().map(|(name, value)| (format!("{list}.{name}"), value.clone())));
        scope
    }
}

/// The template, filled in.
///
/// # Errors
/// When the template names something that the scope has not.
pub fn render(template: &Value, scope: &Scope) -> Result<Value, Unknown> {
    match template {
        Value::String(text) => render_text(text, scope),
        Value::Array(elements) => {
            let mut rendered = Vec::new();
            for element in elements {
                render_element(element, scope, &mut rendered)?;
            }
            Ok(Value::Array(rendered))
        }
        Value::Object(members) => render_members(members, scope),
        scalar => Ok(scalar.clone()),
    }
}

fn render_element(element: &Value, scope: &Scope, rendered: &mut Vec<Value>) -> Result<(), Unknown> {
    if !is_kept(element, scope)? {
        return Ok(());
    }
    let Some(list) = directive(element, EACH) else {
        rendered.push(render(element, scope)?);
        return Ok(());
    };
    for element_of_list in scope.lists.get(list).ok_or_else(|| Unknown(list.to_owned()))? {
        rendered.push(render(element, &scope.within(list, element_of_list))?);
    }
    Ok(())
}

fn render_members(members: &Map<String, Value>, scope: &Scope) -> Result<Value, Unknown> {
    let mut rendered = Map::new();
    for (name, member) in members {
        if name != EACH && name != IF && is_kept(member, scope)? {
            rendered.insert(name.clone(), render(member, scope)?);
        }
    }
    Ok(Value::Object(rendered))
}

fn directive<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn is_kept(value: &Value, scope: &Scope) -> Result<bool, Unknown> {
    directive(value, IF).map_or(Ok(true), |condition| {
        scope.conditions.get(condition).copied().ok_or_else(|| Unknown(condition.to_owned()))
    })
}

fn render_text(text: &str, scope: &Scope) -> Result<Value, Unknown> {
    let look_up = |name: &str| scope.values.get(name).ok_or_else(|| Unknown(name.to_owned()));
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && !name.contains('$')
    {
        return look_up(name).cloned();
    }
    let mut rendered = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| Unknown(text.to_owned()))?;
        rendered.push_str(before);
        match look_up(name)? {
            Value::String(value) => rendered.push_str(value),
            value => rendered.push_str(&value.to_string()),
        }
        rest = after;
    }
    rendered.push_str(rest);
    Ok(Value::String(rendered))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let rung =
            |name: &str, width: u32| BTreeMap::from([("name".into(), json!(name)), ("width".into(), json!(width))]);
        Scope::default()
            .value("uri", "s3://b/${x}")
            .value("n", 7)
            .list("rung", vec![rung("a", 1), rung("b", 2)])
            .list("none", vec![])
            .condition("yes", true)
            .condition("no", false)
    }

    fn check(template: Value, expected: Value) {
        assert_eq!(render(&template, &scope()), Ok(expected), "{template}");
    }

    #[test]
    fn values_are_filled_in_once_and_numbers_stay_numbers() {
        check(
            json!({"a": "${n}", "b": "${uri}", "c": "x${n}y${n}", "d": 1}),
            json!({"a": 7, "b": "s3://b/${x}", "c": "x7y7", "d": 1}),
        );
        check(json!("$5 {}"), json!("$5 {}"));
    }

    #[test]
    fn elements_are_repeated_and_left_out() {
        check(
            json!([{"$each": "rung", "n": "_${rung.name}", "w": "${rung.width}"}]),
            json!([{"n": "_a", "w": 1}, {"n": "_b", "w": 2}]),
        );
        check(json!([{"$each": "none"}, 1]), json!([1]));
        check(json!([{"$if": "no", "x": "${unknown}"}, {"$if": "yes"}]), json!([{}]));
        check(json!({"x": {"$if": "no"}, "y": {"$if": "yes", "z": 1}}), json!({"y": {"z": 1}}));
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (template, name) in [
            (json!("${m}"), "m"),
            (json!("a ${m}"), "m"),
            (json!("a ${n"), "a ${n"),
            (json!([{"$each": "m"}]), "m"),
            (json!([{"$if": "m"}]), "m"),
        ] {
            assert_eq!(render(&template, &scope()), Err(Unknown(name.to_owned())), "{template}");
        }
    }
}
