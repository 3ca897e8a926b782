//! Fields that may be computed.

use serde_json::Value;

use super::super::model::{Assignments, Io, NumberField, PathField, QueryLanguage, ResultPath, Text};
use super::super::syntax::{Findings, Object, below};
use crate::intrinsic::Call;
use crate::jsonata::{Expression, delimited};
use crate::jsonpath::Path;
use crate::limits::{SECONDS_MAX, VARIABLE_NAME_CHARS_MAX};
use crate::template::Template;

/// Reads the fields of one state.
pub(super) struct Reading<'f> {
    pub(super) language: QueryLanguage,
    pub(super) findings: &'f mut Findings,
}

impl Reading<'_> {
    /// The fields that shape input and output. Those of the other language were already refused.
    pub(super) fn io(&mut self, state: Object<'_>) -> Io {
        if self.language == QueryLanguage::Jsonata {
            return Io {
                arguments: self.jsonata_template(state, "Arguments"),
                output: self.jsonata_template(state, "Output"),
                ..Io::default()
            };
        }
        Io {
            input_path: self.path_field(state, "InputPath"),
            parameters: self.payload_template(state, "Parameters"),
            result_selector: self.payload_template(state, "ResultSelector"),
            result_path: self.result_path(state),
            output_path: self.path_field(state, "OutputPath"),
            ..Io::default()
        }
    }

    pub(super) fn path_field(&mut self, state: Object<'_>, name: &str) -> PathField {
        match state.get(name) {
            None => PathField::Whole,
            Some(Value::Null) => PathField::Nothing,
            Some(_) => match self.path(state, name) {
                Some(path) if path.text() == "$" => PathField::Whole,
                Some(path) => PathField::Path(path),
                None => PathField::Whole,
            },
        }
    }

    pub(super) fn result_path(&mut self, state: Object<'_>) -> ResultPath {
        match state.get("ResultPath") {
            None => ResultPath::Replace,
            Some(Value::Null) => ResultPath::Discard,
            Some(_) => match self.path(state, "ResultPath") {
                Some(path) if path.is_root() => ResultPath::Replace,
                Some(path) if path.is_reference() => ResultPath::At(path),
                Some(path) => {
                    let message =
                        format!("Value is not a Reference Path: Illegal use of reference path: {}", path.text());
                    self.findings.schema(state.field("ResultPath"), message);
                    ResultPath::Replace
                }
                None => ResultPath::Replace,
            },
        }
    }

    pub(super) fn path(&mut self, state: Object<'_>, name: &str) -> Option<Path> {
        let text = state.string(name, self.findings)?;
        match Path::parse(text) {
            Ok(path) => Some(path),
            Err(error) => {
                self.findings.schema(state.field(name), format!("Value is not a valid JSONPath: {text}: {error}"));
                None
            }
        }
    }

    pub(super) fn assignments(&mut self, state: Object<'_>) -> Assignments {
        let Some(fields) = state.object("Assign", self.findings) else { return Vec::new() };
        let at = state.field("Assign");
        let mut assignments = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            let at = below(&at, key);
            let name = match self.language {
                QueryLanguage::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                QueryLanguage::Jsonata => key,
            };
            if !is_variable_name(name) {
                self.findings.schema(&at, format!("'{name}' is not a valid variable name"));
            }
            let template = match self.language {
                QueryLanguage::JsonPath => self.payload_field(key, value, &at),
                QueryLanguage::Jsonata => self.query_template(value, &at),
            };
            assignments.extend(template.map(|template| (name.into(), template)));
        }
        assignments
    }

    pub(super) fn payload_template(&mut self, state: Object<'_>, name: &str) -> Option<Template> {
        let value = state.get(name)?;
        self.payload(value, &state.field(name))
    }

    /// A template in whichever language the state speaks.
    pub(super) fn template(&mut self, state: Object<'_>, name: &str) -> Option<Template> {
        match self.language {
            QueryLanguage::JsonPath => self.payload_template(state, name),
            QueryLanguage::Jsonata => self.jsonata_template(state, name),
        }
    }

    fn payload(&mut self, value: &Value, at: &str) -> Option<Template> {
        match value {
            Value::Object(fields) => {
                let mut parsed = Vec::with_capacity(fields.len());
                for (key, value) in fields {
                    let name = key.strip_suffix(".$").unwrap_or(key);
                    parsed.push((name.into(), self.payload_field(key, value, at)?));
                }
                Some(object(parsed))
            }
            Value::Array(items) => {
                let parsed = items.iter().enumerate().map(|(index, item)| self.payload(item, &format!("{at}/{index}")));
                Some(array(parsed.collect::<Option<_>>()?))
            }
            other => Some(Template::Literal(other.clone())),
        }
    }

    /// A field of a payload template. `at` is where the template is: that is where findings point.
    fn payload_field(&mut self, key: &str, value: &Value, at: &str) -> Option<Template> {
        if !key.ends_with(".$") {
            return self.payload(value, &below(at, key));
        }
        let text = value.as_str().unwrap_or_default();
        let template = if Call::is_meant(text) {
            Call::parse(text).ok().map(|call| Template::Call(key.into(), call))
        } else {
            Path::parse(text).ok().map(|path| Template::Path(key.into(), path))
        };
        if template.is_none() {
            let message =
                format!("The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call");
            self.findings.schema(at, message);
        }
        template
    }

    pub(super) fn jsonata_template(&mut self, state: Object<'_>, name: &str) -> Option<Template> {
        let value = state.get(name)?;
        self.query_template(value, &state.field(name))
    }

    fn query_template(&mut self, value: &Value, at: &str) -> Option<Template> {
        match value {
            Value::String(text) => match self.expression(text, at) {
                Some(expression) => Some(Template::Query(Box::new(expression?))),
                None => Some(Template::Literal(value.clone())),
            },
            Value::Object(fields) => {
                let mut parsed = Vec::with_capacity(fields.len());
                for (key, value) in fields {
                    parsed.push((key.as_str().into(), self.query_template(value, &below(at, key))?));
                }
                Some(object(parsed))
            }
            Value::Array(items) => {
                let parsed =
                    items.iter().enumerate().map(|(index, item)| self.query_template(item, &format!("{at}/{index}")));
                Some(array(parsed.collect::<Option<_>>()?))
            }
            other => Some(Template::Literal(other.clone())),
        }
    }

    /// The expression in a delimited string of a JSONata state. The outer `None` says it is an ordinary string, the
    /// inner one that the expression is refused.
    pub(super) fn expression(&mut self, text: &str, at: &str) -> Option<Option<Expression>> {
        if self.language == QueryLanguage::JsonPath {
            return None;
        }
        let source = delimited(text)?;
        Some(match Expression::parse(source) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.findings.schema(at, format!("The JSONata expression '{source}' is not valid: {error}"));
                None
            }
        })
    }

    /// A number: literal, by path in `...Path`, or by expression.
    pub(super) fn number(&mut self, state: Object<'_>, name: &str, least: f64) -> Option<NumberField> {
        let path_name = format!("{name}Path");
        state.exclusive(name, &path_name, self.findings);
        if self.language == QueryLanguage::JsonPath && state.has(&path_name) {
            return self.path(state, &path_name).map(NumberField::Path);
        }
        let value = state.get(name)?;
        if let Some(expression) = value.as_str().and_then(|text| self.expression(text, &state.field(name))) {
            return Some(NumberField::Query(Box::new(expression?)));
        }
        #[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
        let most = SECONDS_MAX as f64;
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = if value.is_number() {
                format!("The value of the field '{name}' must be between {least} and {SECONDS_MAX}")
            } else {
                "Expected value of type Integer".to_owned()
            };
            self.findings.schema(state.field(name), message);
        }
        number.map(NumberField::Literal)
    }

    /// A text: literal, by path or intrinsic call in `...Path`, or by expression.
    pub(super) fn text(&mut self, state: Object<'_>, name: &str) -> Option<Text> {
        let path_name = format!("{name}Path");
        if self.language == QueryLanguage::JsonPath && state.has(&path_name) {
            return self.path_or_call(state, &path_name);
        }
        let text = state.string(name, self.findings)?;
        match self.expression(text, &state.field(name)) {
            Some(expression) => Some(Text::Query(Box::new(expression?))),
            None => Some(Text::Literal(text.to_owned())),
        }
    }

    pub(super) fn credential(&mut self, credentials: Object<'_>) -> Option<Text> {
        if self.language == QueryLanguage::JsonPath && credentials.has("RoleArn.$") {
            return self.path_or_call(credentials, "RoleArn.$");
        }
        self.text(credentials, "RoleArn")
    }

    fn path_or_call(&mut self, state: Object<'_>, name: &str) -> Option<Text> {
        let text = state.string(name, self.findings)?;
        if !Call::is_meant(text) {
            return self.path(state, name).map(Text::Path);
        }
        match Call::parse(text) {
            Ok(call) => Some(Text::Call(call)),
            Err(error) => {
                let message = format!("Value is not a valid intrinsic function call: {error}");
                self.findings.schema(state.field(name), message);
                None
            }
        }
    }
}

/// An object without computed parts is a literal.
fn object(fields: Vec<(Box<str>, Template)>) -> Template {
    if fields.iter().any(|(_, template)| !matches!(template, Template::Literal(_))) {
        return Template::Object(fields);
    }
    let literals = fields.into_iter().filter_map(|(name, template)| match template {
        Template::Literal(value) => Some((name.into_string(), value)),
        _ => None,
    });
    Template::Literal(Value::Object(literals.collect()))
}

/// An array without computed parts is a literal.
fn array(items: Vec<Template>) -> Template {
    if items.iter().any(|template| !matches!(template, Template::Literal(_))) {
        return Template::Array(items);
    }
    let literals = items.into_iter().filter_map(|template| match template {
        Template::Literal(value) => Some(value),
        _ => None,
    });
    Template::Literal(Value::Array(literals.collect()))
}

/// Letters, digits and underscores, not beginning with a digit; `states` is taken.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
fn is_variable_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let continues = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    starts && continues && name != "states" && name.chars().count() <= VARIABLE_NAME_CHARS_MAX
}
