//! YAML with CloudFormation's short forms (`!Sub`), turned into JSON with the long forms (`{"Fn::Sub": ...}`).

use serde_json::{Map, Number, Value, json};
use serde_yaml_ng::Value as Yaml;

use super::TemplateError;

pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    let document: Yaml =
        serde_yaml_ng::from_str(text).map_err(|error| TemplateError::new("the template", error.to_string()))?;
    convert(document, "")
}

fn convert(value: Yaml, location: &str) -> Result<Value, TemplateError> {
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => number
            .as_i64()
            .map(Number::from)
            .or_else(|| number.as_f64().and_then(Number::from_f64))
            .map_or(Value::Null, Value::Number),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| convert(item, &format!("{location}[{index}]")))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let key = match key {
                    Yaml::String(text) => text,
                    Yaml::Number(number) => number.to_string(),
                    other => return Err(TemplateError::new(location, format!("{other:?} is no key"))),
                };
                let below = if location.is_empty() { key.clone() } else { format!("{location}.{key}") };
                object.insert(key, convert(value, &below)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let value = convert(tagged.value, location)?;
            match (name, &value) {
                ("Ref" | "Condition", _) => json!({ name: value }),
                // The short form's dot separates the resource from the attribute; attributes have dots of their own.
                ("GetAtt", Value::String(text)) => match text.split_once('.') {
                    Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
                    None => return Err(TemplateError::new(location, format!("!GetAtt {text} names no attribute"))),
                },
                _ => json!({ format!("Fn::{name}"): value }),
            }
        }
    })
}
