//! The template: read, ordered, evaluated. Knows CloudFormation's language and no service.

mod evaluate;
mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

pub use evaluate::{Attributes, Evaluator};

/// The template cannot be used; says where in it.
#[derive(Debug, thiserror::Error)]
#[error("{location}: {message}")]
pub struct TemplateError {
    /// Path in the template, such as `Resources.Publish.Properties.Events`.
    pub location: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl TemplateError {
    pub(crate) fn new(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self { location: location.into(), message: message.into() }
    }
}

/// A resource as the template declares it, not yet evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Such as `AWS::S3::Bucket`.
    pub kind: String,
    /// Its properties, with intrinsic functions in their long form.
    pub properties: Value,
    /// Its metadata, likewise.
    pub metadata: Value,
    /// The condition that decides whether it exists.
    pub condition: Option<String>,
}

/// A value that whoever brings the stack up may choose.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// What it is when nothing is chosen.
    pub default: Option<Value>,
    /// What it may be; anything, when empty.
    pub allowed_values: Vec<Value>,
}

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    /// Where it was read; relative paths in it are relative to this file's folder.
    pub path: PathBuf,
    /// Parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Conditions, not evaluated.
    pub conditions: BTreeMap<String, Value>,
    /// `Globals.Function`: what every function inherits.
    pub function_globals: Value,
    /// Resources by logical id.
    pub resources: BTreeMap<String, Declaration>,
    /// Outputs, not evaluated.
    pub outputs: BTreeMap<String, Value>,
}

/// Sections of a template that mean something to this loader; any other is refused.
const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Conditions",
    "Globals",
    "Resources",
    "Outputs",
];

impl Template {
    /// Reads and parses the template at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, is no YAML, or holds a section or an intrinsic function that is not supported.
    pub fn load(path: &Path) -> Result<Self, TemplateError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| TemplateError::new(path.display().to_string(), format!("cannot be read: {error}")))?;
        Self::parse(path, &text)
    }

    /// Parses a template's text.
    ///
    /// # Errors
    /// See [`Template::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, TemplateError> {
        let document = yaml::parse(text)?;
        let Value::Object(sections) = document else {
            return Err(TemplateError::new("the template", "is not a mapping"));
        };
        if let Some(unknown) = sections.keys().find(|name| !SECTIONS.contains(&name.as_str())) {
            return Err(TemplateError::new(unknown.clone(), "the local home does not support this section"));
        }
        let resources = section(&sections, "Resources")?
            .into_iter()
            .map(|(id, value)| Ok((id.clone(), declaration(&id, value)?)))
            .collect::<Result<_, TemplateError>>()?;
        let globals = section(&sections, "Globals")?;
        if let Some(unknown) = globals.keys().find(|name| *name != "Function") {
            return Err(TemplateError::new(
                format!("Globals.{unknown}"),
                "the local home supports Globals.Function only",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            parameters: section(&sections, "Parameters")?
                .into_iter()
                .map(|(name, value)| Ok((name.clone(), parameter(&name, value)?)))
                .collect::<Result<_, TemplateError>>()?,
            conditions: section(&sections, "Conditions")?.into_iter().collect(),
            function_globals: globals.get("Function").cloned().unwrap_or_else(|| Value::Object(Map::new())),
            resources,
            outputs: section(&sections, "Outputs")?
                .into_iter()
                .map(|(name, output)| (name, output.get("Value").cloned().unwrap_or(Value::Null)))
                .collect(),
        })
    }

    /// The folder that relative paths of the template start from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("."))
    }

    /// Logical ids in an order in which every resource comes after those its properties mention.
    ///
    /// # Errors
    /// When resources mention each other in a circle.
    pub fn creation_order(&self) -> Result<Vec<String>, TemplateError> {
        let mut order = Vec::with_capacity(self.resources.len());
        let mut done = BTreeSet::new();
        for id in self.resources.keys() {
            self.visit(id, &mut Vec::new(), &mut done, &mut order)?;
        }
        Ok(order)
    }

    fn visit(
        &self,
        id: &str,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) -> Result<(), TemplateError> {
        if done.contains(id) {
            return Ok(());
        }
        if path.iter().any(|ancestor| ancestor == id) {
            return Err(TemplateError::new(
                format!("Resources.{id}"),
                format!("depends on itself through {}", path.join(" -> ")),
            ));
        }
        path.push(id.to_owned());
        let mut mentioned = BTreeSet::new();
        evaluate::mentions(&self.resources[id].properties, &mut mentioned);
        for other in mentioned.iter().filter(|other| self.resources.contains_key(*other)) {
            self.visit(other, path, done, order)?;
        }
        path.pop();
        done.insert(id.to_owned());
        order.push(id.to_owned());
        Ok(())
    }
}

fn section(sections: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, TemplateError> {
    match sections.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(entries)) => Ok(entries.clone()),
        Some(_) => Err(TemplateError::new(name, "is not a mapping")),
    }
}

fn parameter(name: &str, value: Value) -> Result<Parameter, TemplateError> {
    let location = format!("Parameters.{name}");
    let Value::Object(mut fields) = value else {
        return Err(TemplateError::new(location, "is not a mapping"));
    };
    let allowed_values = match fields.remove("AllowedValues") {
        None => Vec::new(),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(TemplateError::new(format!("{location}.AllowedValues"), "is not a list")),
    };
    let parameter = Parameter { default: fields.remove("Default"), allowed_values };
    if fields.remove("Type").is_none_or(|kind| kind != "String") {
        return Err(TemplateError::new(format!("{location}.Type"), "the local home supports String only"));
    }
    for meaningless in ["Description", "ConstraintDescription", "NoEcho"] {
        fields.remove(meaningless);
    }
    match fields.keys().next() {
        Some(unknown) => {
            Err(TemplateError::new(format!("{location}.{unknown}"), "the local home does not support this attribute"))
        }
        None => Ok(parameter),
    }
}

fn declaration(id: &str, value: Value) -> Result<Declaration, TemplateError> {
    let location = format!("Resources.{id}");
    let Value::Object(mut fields) = value else {
        return Err(TemplateError::new(location, "is not a mapping"));
    };
    let empty = || Value::Object(Map::new());
    let declaration = Declaration {
        kind: match fields.remove("Type") {
            Some(Value::String(kind)) => kind,
            _ => return Err(TemplateError::new(location, "has no Type")),
        },
        properties: fields.remove("Properties").unwrap_or_else(empty),
        metadata: fields.remove("Metadata").unwrap_or_else(empty),
        condition: fields.remove("Condition").and_then(|value| value.as_str().map(str::to_owned)),
    };
    // What happens to a resource when a stack goes away has no meaning in a home that is only ever kept.
    for meaningless in ["DeletionPolicy", "UpdateReplacePolicy"] {
        fields.remove(meaningless);
    }
    match fields.keys().next() {
        Some(unknown) => {
            Err(TemplateError::new(format!("{location}.{unknown}"), "the local home does not support this attribute"))
        }
        None => Ok(declaration),
    }
}
