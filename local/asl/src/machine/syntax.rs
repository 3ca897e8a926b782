//! Reading fields of a definition and saying what is wrong with them.

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};

/// One object of a definition and where it is.
#[derive(Clone, Copy)]
pub(super) struct Object<'v> {
    pub(super) fields: &'v Map<String, Value>,
    pub(super) at: &'v str,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Diagnostic>);

impl Findings {
    /// A field holds what it must not.
    pub(super) fn schema(&mut self, at: impl Into<String>, message: impl Into<String>) {
        self.push(DiagnosticCode::SchemaValidationFailed, Some(at.into()), message);
    }

    pub(super) fn push(&mut self, code: DiagnosticCode, at: Option<String>, message: impl Into<String>) {
        let location = at.map(|at| if at.is_empty() { "/".to_owned() } else { at });
        self.0.push(Diagnostic { severity: Severity::Error, code, message: message.into(), location });
    }
}

/// A JSON pointer one step deeper, with `~` and `/` escaped.
pub(super) fn below(at: &str, step: &str) -> String {
    format!("{at}/{}", step.replace('~', "~0").replace('/', "~1"))
}

impl<'v> Object<'v> {
    pub(super) fn get(self, name: &str) -> Option<&'v Value> {
        self.fields.get(name)
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(super) fn field(self, name: &str) -> String {
        below(self.at, name)
    }

    /// The fields among `names` that must be there and are not.
    pub(super) fn require(self, names: &[&str], findings: &mut Findings) {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if !missing.is_empty() {
            findings.schema(self.at, format!("These fields are required: [{}]", missing.join(", ")));
        }
    }

    /// Refuses every field that is not among `names`; `Comment` may stand anywhere.
    pub(super) fn allow(self, names: &[&str], findings: &mut Findings) {
        for name in self.fields.keys().filter(|name| *name != "Comment" && !names.contains(&name.as_str())) {
            findings.schema(self.field(name), format!("The field '{name}' is not supported by Step Functions"));
        }
    }

    /// At most one of two fields may be there.
    pub(super) fn exclusive(self, one: &str, other: &str, findings: &mut Findings) {
        if self.has(one) && self.has(other) {
            findings.schema(self.at, format!("Only one of these fields is allowed: [{one}, {other}]"));
        }
    }

    pub(super) fn string(self, name: &str, findings: &mut Findings) -> Option<&'v str> {
        let value = self.get(name)?;
        if value.is_string() {
            return value.as_str();
        }
        findings.schema(self.field(name), "Expected value of type String");
        None
    }

    pub(super) fn one_of(self, name: &str, allowed: &[&'static str], findings: &mut Findings) -> Option<&'static str> {
        let text = self.string(name, findings)?;
        let found = allowed.iter().copied().find(|allowed| *allowed == text);
        if found.is_none() {
            let message = format!("The field '{name}' should have one of these values: [{}]", allowed.join(", "));
            findings.schema(self.field(name), message);
        }
        found
    }

    pub(super) fn array(self, name: &str, findings: &mut Findings) -> Option<&'v Vec<Value>> {
        let value = self.get(name)?;
        if !value.is_array() {
            findings.schema(self.field(name), "Expected value of type Array");
        }
        value.as_array()
    }

    pub(super) fn object(self, name: &str, findings: &mut Findings) -> Option<&'v Map<String, Value>> {
        let value = self.get(name)?;
        if !value.is_object() {
            findings.schema(self.field(name), "Expected value of type Object");
        }
        value.as_object()
    }

    /// A whole number within bounds.
    pub(super) fn whole(self, name: &str, least: u64, most: u64, findings: &mut Findings) -> Option<u64> {
        let value = self.get(name)?;
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = if value.is_number() {
                format!("The value of the field '{name}' must be an integer between {least} and {most}")
            } else {
                "Expected value of type Integer".to_owned()
            };
            findings.schema(self.field(name), message);
        }
        number
    }

    /// A list of strings that is not empty.
    pub(super) fn strings(self, name: &str, findings: &mut Findings) -> Vec<Box<str>> {
        let Some(items) = self.array(name, findings) else { return Vec::new() };
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) => strings.push(text.into()),
                None => findings.schema(format!("{}/{index}", self.field(name)), "Expected value of type String"),
            }
        }
        strings
    }
}
