//! What a target gets of an event: all of it, a part, a constant, or a template filled in.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Variables of one transformer.
const INPUT_PATHS_MAX: usize = 100;
/// Characters of one template.
const TEMPLATE_CHARACTERS_MAX: usize = 8192;

/// A target's `InputTransformer`, as the API and CloudFormation write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct InputTransformer {
    /// Variables by name, each a JSON path into the event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_paths_map: BTreeMap<String, String>,
    /// The text in which `<name>` stands for a variable.
    pub input_template: String,
}

/// What a template may say besides the event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) rule_arn: &'a str,
    pub(crate) rule_name: &'a str,
    /// ISO 8601, to the second.
    pub(crate) ingestion_time: &'a str,
}

/// What a target gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// A JSON document.
    Json(String),
    /// Text that is not JSON; targets that need JSON get it as a string.
    Text(String),
}

/// A target's input, compiled.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Event,
    Constant(String),
    Path(JsonPath),
    Template(Template),
}

impl Input {
    /// What a target gets of `event` (the whole envelope).
    pub(crate) fn apply(&self, event: &Value, context: Context<'_>) -> Payload {
        match self {
            Self::Event => Payload::Json(event.to_string()),
            Self::Constant(text) => Payload::Json(text.clone()),
            Self::Path(path) => Payload::Json(path.select(event).unwrap_or(Value::Null).to_string()),
            Self::Template(template) => template.fill(event, context),
        }
    }
}

/// The part of JSONPath that EventBridge knows: `$.a.b[0].c`, `[*]` and `.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    All,
}

impl JsonPath {
    /// `None` when it is not such a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at(end);
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | ':');
                steps.push(match name {
                    "" => return None,
                    "*" => Step::All,
                    name if name.chars().all(plain) => Step::Field(name.into()),
                    _ => return None,
                });
                rest = after;
            } else {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(if index == "*" { Step::All } else { Step::Index(index.parse().ok()?) });
                rest = after;
            }
        }
        Some(Self(steps))
    }

    /// The value there; with a wildcard, an array of all the values there.
    pub(crate) fn select(&self, root: &Value) -> Option<Value> {
        let mut found = vec![root];
        for step in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| -> Vec<&Value> {
                    match (step, value) {
                        (Step::Field(name), value) => value.get(name).into_iter().collect(),
                        (Step::Index(index), value) => value.get(index).into_iter().collect(),
                        (Step::All, Value::Array(items)) => items.iter().collect(),
                        (Step::All, Value::Object(fields)) => fields.values().collect(),
                        (Step::All, _) => Vec::new(),
                    }
                })
                .collect();
        }
        if self.0.contains(&Step::All) { Some(json!(found)) } else { found.first().map(|&value| value.clone()) }
    }
}

/// A compiled `InputTransformer`.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// A JSON document, or any text.
    json: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Variable {
        variable: Variable,
        /// Between quotes of a JSON document.
        quoted: bool,
    },
}

#[derive(Clone, Debug)]
enum Variable {
    Path(JsonPath),
    RuleArn,
    RuleName,
    IngestionTime,
    /// The event without its detail.
    EventWithoutDetail,
    Event,
}

impl Template {
    /// Compiles a transformer; `target` is named in what goes wrong, as AWS does.
    pub(crate) fn parse(transformer: &InputTransformer, target: &str) -> Result<Self, String> {
        let InputTransformer { input_paths_map, input_template } = transformer;
        if input_paths_map.len() > INPUT_PATHS_MAX {
            return Err(format!("InputPathsMap for target {target} has more than {INPUT_PATHS_MAX} entries."));
        }
        let characters = input_template.chars().count();
        if characters == 0 || characters > TEMPLATE_CHARACTERS_MAX {
            return Err(format!(
                "InputTemplate for target {target} must have from 1 to {TEMPLATE_CHARACTERS_MAX} characters."
            ));
        }
        let mut paths = BTreeMap::new();
        for (name, path) in input_paths_map {
            if name.is_empty() || !name.chars().all(is_name) || name.to_ascii_lowercase().starts_with("aws.") {
                return Err(format!("InputPathsMap for target {target} has the invalid key {name}."));
            }
            let path = JsonPath::parse(path)
                .ok_or_else(|| format!("InputPathsMap for target {target} has the invalid JSON path {path}."))?;
            paths.insert(name.as_str(), path);
        }
        let json = input_template.trim_start().starts_with(['{', '[', '"']);
        let pieces = pieces(input_template, json, |name| variable(name, &paths))
            .map_err(|name| format!("InputTemplate for target {target} contains invalid placeholder {name}."))?;
        Ok(Self { json, pieces })
    }

    fn fill(&self, event: &Value, context: Context<'_>) -> Payload {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Variable { variable, quoted } => {
                    let value = variable.value(event, context);
                    if self.json && !quoted {
                        // A path that leads nowhere leaves an empty string.
                        text.push_str(&value.unwrap_or_else(|| json!("")).to_string());
                    } else {
                        let plain = match value {
                            None => String::new(),
                            Some(Value::String(value)) => value,
                            Some(value) => value.to_string(),
                        };
                        if self.json {
                            let escaped = Value::String(plain).to_string();
                            text.push_str(&escaped[1..escaped.len() - 1]);
                        } else {
                            text.push_str(&plain);
                        }
                    }
                }
            }
        }
        if self.json { Payload::Json(text) } else { Payload::Text(text) }
    }
}

impl Variable {
    fn value(&self, event: &Value, context: Context<'_>) -> Option<Value> {
        match self {
            Self::Path(path) => path.select(event),
            Self::RuleArn => Some(json!(context.rule_arn)),
            Self::RuleName => Some(json!(context.rule_name)),
            Self::IngestionTime => Some(json!(context.ingestion_time)),
            Self::Event => Some(event.clone()),
            Self::EventWithoutDetail => {
                let mut event = event.clone();
                event.as_object_mut()?.shift_remove("detail");
                Some(event)
            }
        }
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn variable(name: &str, paths: &BTreeMap<&str, JsonPath>) -> Option<Variable> {
    Some(match name {
        "aws.events.rule-arn" => Variable::RuleArn,
        "aws.events.rule-name" => Variable::RuleName,
        "aws.events.event.ingestion-time" => Variable::IngestionTime,
        "aws.events.event" => Variable::EventWithoutDetail,
        "aws.events.event.json" => Variable::Event,
        name => Variable::Path(paths.get(name)?.clone()),
    })
}

/// Cuts a template at its placeholders, remembering which stand between the quotes of a JSON string. Fails with the name of a
/// placeholder that `variable` does not know.
fn pieces(template: &str, json: bool, variable: impl Fn(&str) -> Option<Variable>) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut quoted = false;
    let mut rest = template;
    while let Some(character) = rest.chars().next() {
        let placeholder = (character == '<').then(|| rest[1..].split_once('>')).flatten();
        let placeholder =
            placeholder.filter(|(name, _)| !name.is_empty() && name.chars().all(|c| is_name(c) || c == '.'));
        if let Some((name, after)) = placeholder {
            let variable = variable(name).ok_or(name)?;
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Variable { variable, quoted: json && quoted });
            rest = after;
            continue;
        }
        // An escape is two characters that stay together, so that `\"` does not end a string.
        let escape = quoted && character == '\\';
        let length = rest.chars().take(if escape { 2 } else { 1 }).map(char::len_utf8).sum();
        if character == '"' {
            quoted = !quoted;
        }
        text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const CONTEXT: Context<'_> = Context {
        rule_arn: "arn:aws:events:us-east-1:000000000000:rule/r",
        rule_name: "r",
        ingestion_time: "2026-11-22T10:00:00Z",
    };

    fn event() -> Value {
        json!({
            "id": "1",
            "resources": ["arn:a", "arn:b"],
            "detail": {"name": "a \"b\"", "size": 3, "tags": [{"k": "x"}, {"k": "y"}], "none": null},
        })
    }

    fn check(template: &str, expected: Payload) {
        let paths = [
            ("name", "$.detail.name"),
            ("size", "$.detail.size"),
            ("keys", "$.detail.tags[*].k"),
            ("first", "$.resources[0]"),
            ("detail", "$.detail.tags[0]"),
            ("null", "$.detail.none"),
            ("nothing", "$.detail.nothing"),
        ];
        let transformer = InputTransformer {
            input_paths_map: paths.map(|(name, path)| (name.into(), path.into())).into(),
            input_template: template.into(),
        };
        assert_eq!(Template::parse(&transformer, "t").unwrap().fill(&event(), CONTEXT), expected, "{template}");
    }

    #[test]
    fn fills_json_templates() {
        let check = |template, expected: Value| check(template, Payload::Json(expected.to_string()));
        check(r#"{"a":<name>}"#, json!({"a": "a \"b\""}));
        check(r#"{"a":"<name>"}"#, json!({"a": "a \"b\""}));
        check(r#"{"a":"\"<name>\" is <size>"}"#, json!({"a": "\"a \"b\"\" is 3"}));
        check(r#"{"a":<size>,"b":"<size>"}"#, json!({"a": 3, "b": "3"}));
        check(r#"{"a":<keys>,"b":<first>}"#, json!({"a": ["x", "y"], "b": "arn:a"}));
        check(r#"{"a":<detail>,"b":"<detail>"}"#, json!({"a": {"k": "x"}, "b": "{\"k\":\"x\"}"}));
        check(r#"{"a":<null>,"b":<nothing>,"c":"<nothing>"}"#, json!({"a": null, "b": "", "c": ""}));
        check(r#""<name> at <aws.events.event.ingestion-time>""#, json!("a \"b\" at 2026-11-22T10:00:00Z"));
        check(r#"{"r":<aws.events.rule-name>,"n":"<aws.events.rule-arn>"}"#, json!({"r": "r", "n": CONTEXT.rule_arn}));
        check(r#"{"e":<aws.events.event.json>}"#, json!({"e": event()}));
        check(r#"{"e":<aws.events.event>}"#, json!({"e": {"id": "1", "resources": ["arn:a", "arn:b"]}}));
        check(r#"{"a":"1 < 2 <>"}"#, json!({"a": "1 < 2 <>"}));
    }

    #[test]
    fn fills_text_templates() {
        check("<name> is <size> & <detail><nothing>", Payload::Text("a \"b\" is 3 & {\"k\":\"x\"}".into()));
    }

    #[test]
    fn refuses_what_it_cannot_fill() {
        let check = |name: &str, path: &str, template: &str, expected: &str| {
            let transformer = InputTransformer {
                input_paths_map: [(name.into(), path.into())].into(),
                input_template: template.into(),
            };
            assert_eq!(Template::parse(&transformer, "t").unwrap_err(), expected);
        };
        check("a", "$.a", "<b>", "InputTemplate for target t contains invalid placeholder b.");
        check("a", "$['a']", "<a>", "InputPathsMap for target t has the invalid JSON path $['a'].");
        check("AWS.a", "$.a", "<a>", "InputPathsMap for target t has the invalid key AWS.a.");
    }

    #[test]
    fn selects_parts() {
        let check = |path: &str, expected: Option<Value>| {
            assert_eq!(JsonPath::parse(path).unwrap().select(&event()), expected, "{path}");
        };
        check("$", Some(event()));
        check("$.detail.size", Some(json!(3)));
        check("$.resources[1]", Some(json!("arn:b")));
        check("$.detail.tags[*].k", Some(json!(["x", "y"])));
        check("$.detail.tags[9]", None);
        for wrong in ["", "detail", "$.", "$..a", "$[a]", "$[0", "$.a[-1]"] {
            assert_eq!(JsonPath::parse(wrong), None, "{wrong}");
        }
    }
}
