//! Intrinsic functions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Template, TemplateError};

/// What `Ref` and `Fn::GetAtt` give for a resource that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The value of `Ref`.
    pub reference: String,
    /// The values of `Fn::GetAtt`, by attribute name.
    pub attributes: BTreeMap<String, String>,
}

impl Attributes {
    /// A resource whose `Ref` is `reference`.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), attributes: BTreeMap::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}

/// Evaluates values of a template against what exists so far.
pub struct Evaluator<'a> {
    template: &'a Template,
    /// Parameters and pseudo parameters (`AWS::Region`).
    parameters: BTreeMap<String, String>,
    /// Resources that exist, by logical id.
    pub resources: BTreeMap<String, Attributes>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator with these pseudo parameters and overrides of the template's parameters.
    ///
    /// # Errors
    /// When a parameter has neither a default nor an override, or is given a value that it does not allow, or an override
    /// names no parameter.
    pub fn new(
        template: &'a Template,
        pseudo: BTreeMap<String, String>,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        if let Some(unknown) = overrides.keys().find(|name| !template.parameters.contains_key(*name)) {
            return Err(TemplateError::new("Parameters", format!("the template has no parameter {unknown}")));
        }
        let mut parameters = pseudo;
        for (name, parameter) in &template.parameters {
            let location = || format!("Parameters.{name}");
            let value = overrides
                .get(name)
                .cloned()
                .or_else(|| parameter.default.as_ref().and_then(scalar))
                .ok_or_else(|| TemplateError::new(location(), "has no default; give it a value"))?;
            let allowed: Vec<String> = parameter.allowed_values.iter().filter_map(scalar).collect();
            if !parameter.allowed_values.is_empty() && !allowed.contains(&value) {
                return Err(TemplateError::new(
                    location(),
                    format!("may not be {value:?}; it is one of {}", allowed.join(", ")),
                ));
            }
            parameters.insert(name.clone(), value);
        }
        Ok(Self { template, parameters, resources: BTreeMap::new() })
    }

    /// The value with every intrinsic function replaced by what it gives; `AWS::NoValue` removes its property.
    ///
    /// # Errors
    /// When a function is unknown, or names what does not exist (yet).
    pub fn evaluate(&self, value: &Value, location: &str) -> Result<Value, TemplateError> {
        Ok(match value {
            Value::Object(object) => match function(object) {
                Some((name, argument)) => self.call(name, argument, location)?,
                None => {
                    let mut result = Map::new();
                    for (key, value) in object {
                        let value = self.evaluate(value, &format!("{location}.{key}"))?;
                        if !is_no_value(&value) {
                            result.insert(key.clone(), value);
                        }
                    }
                    Value::Object(result)
                }
            },
            Value::Array(items) => {
                let mut result = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let item = self.evaluate(item, &format!("{location}[{index}]"))?;
                    if !is_no_value(&item) {
                        result.push(item);
                    }
                }
                Value::Array(result)
            }
            other => other.clone(),
        })
    }

    /// Whether the named condition holds.
    ///
    /// # Errors
    /// When there is no such condition or it cannot be evaluated.
    pub fn condition(&self, name: &str, location: &str) -> Result<bool, TemplateError> {
        let condition = self
            .template
            .conditions
            .get(name)
            .ok_or_else(|| TemplateError::new(location, format!("there is no condition {name}")))?;
        self.truth(condition, &format!("Conditions.{name}"))
    }

    fn truth(&self, value: &Value, location: &str) -> Result<bool, TemplateError> {
        let object = value.as_object();
        match object.and_then(function) {
            Some(("Condition", Value::String(name))) => self.condition(name, location),
            Some(("Fn::Not", Value::Array(items))) if items.len() == 1 => Ok(!self.truth(&items[0], location)?),
            Some(("Fn::And", Value::Array(items))) => {
                items.iter().try_fold(true, |all, item| Ok(all && self.truth(item, location)?))
            }
            Some(("Fn::Or", Value::Array(items))) => {
                items.iter().try_fold(false, |any, item| Ok(any || self.truth(item, location)?))
            }
            Some(("Fn::Equals", Value::Array(items))) if items.len() == 2 => {
                Ok(self.evaluate(&items[0], location)? == self.evaluate(&items[1], location)?)
            }
            _ => Err(TemplateError::new(location, "is not a condition")),
        }
    }

    fn call(&self, name: &str, argument: &Value, location: &str) -> Result<Value, TemplateError> {
        let malformed = || TemplateError::new(location, format!("{name} is not called as it must be"));
        Ok(match (name, argument) {
            ("Ref", Value::String(id)) => match id.as_str() {
                "AWS::NoValue" => no_value(),
                id => Value::String(self.reference(id, location)?),
            },
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(id), Value::String(attribute)] => {
                    Value::String(self.attribute(id, attribute, location)?)
                }
                _ => return Err(malformed()),
            },
            ("Fn::Sub", Value::String(text)) => Value::String(self.substitute(text, &BTreeMap::new(), location)?),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => {
                    let mut local = BTreeMap::new();
                    for (name, value) in variables {
                        let value = self.evaluate(value, location)?;
                        local.insert(name.as_str(), scalar(&value).ok_or_else(malformed)?);
                    }
                    Value::String(self.substitute(text, &local, location)?)
                }
                _ => return Err(malformed()),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(condition), yes, no] => {
                    let chosen = if self.condition(condition, location)? { yes } else { no };
                    self.evaluate(chosen, location)?
                }
                _ => return Err(malformed()),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), list] => {
                    let list = self.evaluate(list, location)?;
                    let items = list.as_array().ok_or_else(malformed)?;
                    let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
                    Value::String(texts.ok_or_else(malformed)?.join(separator))
                }
                _ => return Err(malformed()),
            },
            ("Fn::Select", Value::Array(parts)) => match parts.as_slice() {
                [index, list] => {
                    let list = self.evaluate(list, location)?;
                    let index = scalar(index).and_then(|text| text.parse::<usize>().ok()).ok_or_else(malformed)?;
                    list.get(index).cloned().ok_or_else(malformed)?
                }
                _ => return Err(malformed()),
            },
            ("Fn::Split", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), text] => {
                    let text = self.evaluate(text, location)?;
                    let text = text.as_str().ok_or_else(malformed)?;
                    text.split(separator.as_str()).map(Value::from).collect()
                }
                _ => return Err(malformed()),
            },
            ("Ref" | "Fn::GetAtt" | "Fn::Sub" | "Fn::If" | "Fn::Join" | "Fn::Select" | "Fn::Split", _) => {
                return Err(malformed());
            }
            _ => return Err(TemplateError::new(location, format!("the local home does not support {name}"))),
        })
    }

    fn reference(&self, id: &str, location: &str) -> Result<String, TemplateError> {
        if let Some(value) = self.parameters.get(id) {
            return Ok(value.clone());
        }
        self.resources
            .get(id)
            .map(|resource| resource.reference.clone())
            .ok_or_else(|| TemplateError::new(location, format!("there is no parameter or resource {id}")))
    }

    fn attribute(&self, id: &str, attribute: &str, location: &str) -> Result<String, TemplateError> {
        self.resources
            .get(id)
            .ok_or_else(|| TemplateError::new(location, format!("there is no resource {id}")))?
            .attributes
            .get(attribute)
            .cloned()
            .ok_or_else(|| TemplateError::new(location, format!("the local home does not know {id}.{attribute}")))
    }

    /// `${Name}`, `${Name.Attribute}`, `${AWS::Region}`; `${!Literal}` stays as `${Literal}`.
    fn substitute(&self, text: &str, local: &BTreeMap<&str, String>, location: &str) -> Result<String, TemplateError> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            result.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let end = after.find('}').ok_or_else(|| TemplateError::new(location, "has a `${` without `}`"))?;
            let name = &after[..end];
            match (name.strip_prefix('!'), local.get(name), name.split_once('.')) {
                (Some(literal), _, _) => {
                    result.push_str("${");
                    result.push_str(literal);
                    result.push('}');
                }
                (None, Some(value), _) => result.push_str(value),
                (None, None, Some((id, attribute))) => result.push_str(&self.attribute(id, attribute, location)?),
                (None, None, None) => result.push_str(&self.reference(name, location)?),
            }
            rest = &after[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }
}

/// The logical ids (and parameters) that a value mentions.
pub(super) fn mentions(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| mentions(item, found)),
        Value::Object(object) => match function(object) {
            Some(("Ref", Value::String(id))) => {
                found.insert(id.clone());
            }
            Some(("Fn::GetAtt", Value::Array(parts))) => found.extend(parts.first().and_then(scalar)),
            Some(("Fn::Sub", argument)) => {
                let (text, local) = match argument {
                    Value::Array(parts) => (parts.first(), parts.get(1)),
                    text => (Some(text), None),
                };
                if let Some(local) = local {
                    mentions(local, found);
                }
                for part in text.and_then(Value::as_str).unwrap_or_default().split("${").skip(1) {
                    let name = part.split('}').next().unwrap_or_default();
                    found.insert(name.split('.').next().unwrap_or_default().to_owned());
                }
            }
            Some((_, argument)) => mentions(argument, found),
            None => object.values().for_each(|value| mentions(value, found)),
        },
        _ => {}
    }
}

/// A mapping that is a call: its only key is `Ref`, `Condition` or begins with `Fn::`.
fn function(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = object.iter().next()?;
    // `Condition` is also a plain key of policies; there its value is a mapping.
    let is_call = name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && argument.is_string());
    (object.len() == 1 && is_call).then_some((name.as_str(), argument))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// What `!Ref AWS::NoValue` evaluates to until its property is dropped.
fn no_value() -> Value {
    serde_json::json!({ "Ref": "AWS::NoValue" })
}

fn is_no_value(value: &Value) -> bool {
    *value == no_value()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const TEMPLATE: &str = "
Parameters:
  Site: { Type: String, Default: '' }
Conditions:
  Own: !Not [!Equals [!Ref Site, '']]
Resources:
  Bucket: { Type: AWS::S3::Bucket, Properties: { BucketName: !Sub '${AWS::StackName}-b' } }
  User: { Type: X, Properties: { A: !GetAtt Bucket.Arn } }
";

    #[track_caller]
    fn check(yaml: &str, expect: Result<Value, &str>) {
        let template = Template::parse(Path::new("t.yaml"), TEMPLATE).unwrap();
        let pseudo = BTreeMap::from([("AWS::StackName".to_owned(), "vod".to_owned())]);
        let overrides = BTreeMap::from([("Site".to_owned(), "http://x".to_owned())]);
        let mut evaluator = Evaluator::new(&template, pseudo, &overrides).unwrap();
        evaluator.resources.insert("Bucket".into(), Attributes::new("vod-b").with("Arn", "arn:b"));
        let value = super::super::yaml::parse(yaml).unwrap();
        match (evaluator.evaluate(&value, "here"), expect) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (got, expected) => panic!("{got:?} is not {expected:?}"),
        }
    }

    #[test]
    fn functions_give_what_cloudformation_gives() {
        check("!Ref Bucket", Ok(json!("vod-b")));
        check("!GetAtt Bucket.Arn", Ok(json!("arn:b")));
        check("!Sub 'a-${Bucket}-${Bucket.Arn}-${!Kept}'", Ok(json!("a-vod-b-arn:b-${Kept}")));
        check("!Sub ['${X}/${AWS::StackName}', { X: !Ref Bucket }]", Ok(json!("vod-b/vod")));
        check("!If [Own, !Ref Site, none]", Ok(json!("http://x")));
        check("{ A: !Ref AWS::NoValue, B: 1 }", Ok(json!({ "B": 1 })));
        check("!Join ['-', [a, !Ref Bucket, 3]]", Ok(json!("a-vod-b-3")));
        check("!Select [1, !Split [',', 'a,b']]", Ok(json!("b")));
        check(
            "{ Condition: { StringEquals: { a: !Ref Bucket } } }",
            Ok(json!({ "Condition": { "StringEquals": { "a": "vod-b" } } })),
        );
        check("!Ref Nowhere", Err("here: there is no parameter or resource Nowhere"));
        check("!ImportValue x", Err("here: the local home does not support Fn::ImportValue"));
    }

    #[test]
    fn parameters_are_what_the_template_allows() {
        #[track_caller]
        fn check(parameter: &str, given: &[(&str, &str)], expect: Result<&str, &str>) {
            let text = format!("Parameters:\n  P: {parameter}\nResources: {{}}\n");
            let overrides = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let value = Template::parse(Path::new("t.yaml"), &text).and_then(|template| {
                let evaluator = Evaluator::new(&template, BTreeMap::new(), &overrides)?;
                evaluator.evaluate(&json!({ "Ref": "P" }), "here")
            });
            let value = value.map_err(|error| error.to_string());
            assert_eq!(
                value.as_ref().map(|value| value.as_str().unwrap()),
                expect.map_err(str::to_owned).as_ref().copied()
            );
        }
        let choice = "{ Type: String, Default: a, AllowedValues: [a, b] }";
        check(choice, &[], Ok("a"));
        check(choice, &[("P", "b")], Ok("b"));
        check(choice, &[("P", "c")], Err("Parameters.P: may not be \"c\"; it is one of a, b"));
        check(choice, &[("Q", "c")], Err("Parameters: the template has no parameter Q"));
        check("{ Type: String }", &[], Err("Parameters.P: has no default; give it a value"));
        check("{ Type: Number, Default: 1 }", &[], Err("Parameters.P.Type: the local home supports String only"));
        check(
            "{ Type: String, AllowedPattern: x }",
            &[],
            Err("Parameters.P.AllowedPattern: the local home does not support this attribute"),
        );
    }

    #[test]
    fn resources_come_after_what_they_mention() {
        let template = Template::parse(Path::new("t.yaml"), TEMPLATE).unwrap();
        assert_eq!(template.creation_order().unwrap(), ["Bucket", "User"]);
    }
}
