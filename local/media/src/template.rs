//! Job templates and presets put into a job's settings, as plain JSON: what comes out is decoded and validated as any job's.
//!
//! AWS says that settings of the job override those of the template and does not say how lists are overridden. Here objects are
//! merged member by member; each of the job's inputs is laid over the template's only one ("There can only be one input in a job
//! template. Using the API, you can include multiple inputs when referencing a job template", aws-sdk-mediaconvert 1.153,
//! `types::JobTemplateSettings`); the n-th output group and output of the job over the n-th of the template; any other list
//! replaces the template's.

use serde_json::{Map, Value, json};

use crate::job::Refusal;

/// Lists whose members are merged by their place.
const BY_PLACE: [&str; 2] = ["outputGroups", "outputs"];

/// The job's settings over the template's.
pub(crate) fn merge(template: &Value, job: &Value) -> Value {
    match (template, job) {
        (Value::Object(below), Value::Object(above)) => {
            let mut merged = below.clone();
            for (key, value) in above {
                let value = match (below.get(key), value) {
                    (Some(Value::Array(below)), Value::Array(above)) => list(key, below, above),
                    (Some(below), above) => merge(below, above),
                    (None, above) => above.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (_, job) => job.clone(),
    }
}

fn list(key: &str, below: &[Value], above: &[Value]) -> Value {
    if key == "inputs" {
        let only = below.first().cloned().unwrap_or_else(|| json!({}));
        if above.is_empty() {
            return Value::Array(below.to_vec());
        }
        return above.iter().map(|input| merge(&only, input)).collect();
    }
    if !BY_PLACE.contains(&key) {
        return Value::Array(above.to_vec());
    }
    let mut merged = below.to_vec();
    for (index, value) in above.iter().enumerate() {
        match merged.get_mut(index) {
            Some(place) => *place = merge(place, value),
            None => merged.push(value.clone()),
        }
    }
    Value::Array(merged)
}

/// Puts presets in the place of their names. `find` gives a preset's settings by its name or ARN.
pub(crate) fn with_presets<E: From<Refusal>>(
    mut settings: Value,
    mut find: impl FnMut(&str) -> Result<Option<Value>, E>,
) -> Result<Value, E> {
    let groups = settings.get_mut("outputGroups").and_then(Value::as_array_mut);
    for (group_index, group) in groups.into_iter().flatten().enumerate() {
        let outputs = group.get_mut("outputs").and_then(Value::as_array_mut);
        for (output_index, output) in outputs.into_iter().flatten().enumerate() {
            let path = format!("/outputGroups/{group_index}/outputs/{output_index}");
            let Some(members) = output.as_object_mut() else { continue };
            let Some(name) = members.remove("preset") else { continue };
            let Value::String(name) = name else {
                return Err(Refusal::new(format!("{path}/preset"), "Should be a string").into());
            };
            // Source: aws-sdk-mediaconvert 1.153, `types::Output::preset`: "You can specify either Preset or Container settings,
            // but not both".
            if members.contains_key("containerSettings") {
                return Err(Refusal::new(path, "Should have a preset or containerSettings, not both").into());
            }
            let Some(preset) = find(&name)? else {
                return Err(Refusal::new(format!("{path}/preset"), format!("no preset has the name {name}")).into());
            };
            *output = merge(&preset, output);
        }
    }
    Ok(settings)
}

/// A template's settings with what every job must add (files, destinations), so that they can be validated as a job's.
pub(crate) fn completed(settings: &Value) -> Value {
    const FILE: &str = "s3://template/input";
    let mut settings = merge(&json!({"inputs": [], "outputGroups": []}), settings);
    if let Some(inputs) = settings["inputs"].as_array_mut() {
        if inputs.is_empty() {
            inputs.push(Value::Object(Map::new()));
        }
        for input in inputs.iter_mut().filter_map(Value::as_object_mut) {
            input.entry("fileInput").or_insert_with(|| FILE.into());
        }
    }
    for group in settings["outputGroups"].as_array_mut().into_iter().flatten() {
        let members = group.get_mut("outputGroupSettings").and_then(Value::as_object_mut);
        for settings in members.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
            settings.entry("destination").or_insert_with(|| "s3://template/output/".into());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[track_caller]
    fn check(template: &Value, job: &Value, expected: &Value) {
        assert_eq!(&merge(template, job), expected);
    }

    #[test]
    fn the_job_overrides_the_template() {
        check(
            &json!({"a": 1, "b": {"c": 2, "d": 3}}),
            &json!({"b": {"d": 4}}),
            &json!({"a": 1, "b": {"c": 2, "d": 4}}),
        );
        check(
            &json!({"inputs": [{"timecodeSource": "ZEROBASED"}]}),
            &json!({"inputs": [{"fileInput": "s3://b/1"}, {"fileInput": "s3://b/2", "timecodeSource": "EMBEDDED"}]}),
            &json!({"inputs": [{"fileInput": "s3://b/1", "timecodeSource": "ZEROBASED"},
                {"fileInput": "s3://b/2", "timecodeSource": "EMBEDDED"}]}),
        );
        check(
            &json!({"outputGroups": [{"name": "A", "outputs": [{"nameModifier": "_1"}, {"nameModifier": "_2"}]}]}),
            &json!({"outputGroups": [{"outputs": [{"extension": "m4v"}]}, {"name": "B"}]}),
            &json!({"outputGroups": [
                {"name": "A", "outputs": [{"nameModifier": "_1", "extension": "m4v"}, {"nameModifier": "_2"}]}, {"name": "B"}]}),
        );
        check(&json!({"tracks": [1, 2]}), &json!({"tracks": [3]}), &json!({"tracks": [3]}));
        check(&json!({"inputs": [{"x": 1}]}), &json!({"inputs": []}), &json!({"inputs": [{"x": 1}]}));
    }

    #[test]
    fn a_preset_takes_the_place_of_its_name() {
        let preset =
            json!({"containerSettings": {"container": "MP4"}, "videoDescription": {"width": 640, "height": 360}});
        let put = |output: Value| {
            with_presets::<Refusal>(json!({"outputGroups": [{"outputs": [output]}]}), |name| {
                Ok((name == "small").then(|| preset.clone()))
            })
            .map(|mut settings| settings["outputGroups"][0]["outputs"][0].take())
        };
        assert_eq!(
            put(json!({"preset": "small", "nameModifier": "_a", "videoDescription": {"width": 320}})).unwrap(),
            json!({"nameModifier": "_a", "containerSettings": {"container": "MP4"},
                "videoDescription": {"width": 320, "height": 360}})
        );
        assert_eq!(put(json!({"preset": "large"})).unwrap_err().path, "/outputGroups/0/outputs/0/preset");
        assert_eq!(put(json!({"preset": 1})).unwrap_err().path, "/outputGroups/0/outputs/0/preset");
        let both = put(json!({"preset": "small", "containerSettings": {}})).unwrap_err();
        assert_eq!(both.path, "/outputGroups/0/outputs/0");
    }
}
