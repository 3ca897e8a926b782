//! From JSON to [`JobSettings`], with refusals in MediaConvert's words.

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use vodline_core::AwsError;

use super::{JobSettings, validate::validate};

/// Why settings are refused: the path below `settings` and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Such as `/outputGroups/0/outputs`.
    pub(crate) path: String,
    /// Such as `Should have at least 1 items`.
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }

    /// A setting that AWS has and the home does not.
    pub(crate) fn unsupported(path: impl Into<String>) -> Self {
        Self::new(path, "is not supported by the local home")
    }
}

impl Refusal {
    /// A value of a setting that AWS has and the home does not.
    pub(crate) fn unsupported_value(path: impl Into<String>, value: &str) -> Self {
        Self::new(path, format!("{value} is not supported by the local home"))
    }
}

impl From<Refusal> for AwsError {
    fn from(refusal: Refusal) -> Self {
        AwsError::bad_request("BadRequestException", format!("{}: {}", refusal.path, refusal.reason))
    }
}

/// Decodes and validates CreateJob's `settings`.
pub(crate) fn decode_settings(settings: &Value) -> Result<JobSettings, Refusal> {
    let settings = decode(settings)?;
    validate(&settings)?;
    Ok(settings)
}

/// Decodes any part of a request whose paths are to be reported.
pub(crate) fn decode<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = pointer(error.path());
        refusal(path, &error.inner().to_string())
    })
}

fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{key}"),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// Turns serde's description of a mismatch into MediaConvert's.
fn refusal(path: String, mismatch: &str) -> Refusal {
    let quoted = || mismatch.split('`').nth(1).unwrap_or_default();
    if mismatch.starts_with("unknown field") {
        let at_field = path.rsplit('/').next() == Some(quoted());
        return Refusal::unsupported(if at_field { path } else { format!("{path}/{}", quoted()) });
    }
    if mismatch.starts_with("missing field") {
        return Refusal::new(path, format!("{} is a required property", quoted()));
    }
    if mismatch.starts_with("unknown variant") {
        let allowed: Vec<_> = mismatch.split('`').skip(3).step_by(2).collect();
        let reason = format!(
            "{} is not supported by the local home. Should be equal to one of the allowed values: [{}]",
            quoted(),
            allowed.join(", ")
        );
        return Refusal::new(path, reason);
    }
    Refusal::new(path, mismatch)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use serde_json::json;

    use super::*;

    fn line() -> Value {
        serde_json::from_str(include_str!("../../tests/data/line-job.json")).unwrap()
    }

    #[test]
    fn the_lines_job_is_accepted() {
        assert!(decode_settings(&line()).is_ok(), "{:?}", decode_settings(&line()).err());
    }

    /// Puts `value` at `at` in the line's job and expects the refusal.
    fn check(at: &str, value: Value, path: &str, reason: &str) {
        let mut settings = line();
        let (parent, key) = at.rsplit_once('/').unwrap();
        match settings.pointer_mut(parent).unwrap() {
            Value::Object(object) => {
                if value == json!("(remove)") {
                    object.remove(key);
                } else {
                    object.insert(key.into(), value);
                }
            }
            Value::Array(array) => array[key.parse::<usize>().unwrap()] = value,
            _ => unreachable!("{at}"),
        }
        let refusal = decode_settings(&settings).unwrap_err();
        assert_eq!(refusal.path, path);
        assert!(refusal.reason.contains(reason), "{refusal:?}");
    }

    #[test]
    fn what_is_not_honoured_is_refused_by_its_path() {
        let h264 = "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings";
        let unsupported = "is not supported by the local home";
        check("/esam", json!({}), "/esam", unsupported);
        check("/inputs/0/programNumber", json!(1), "/inputs/0/programNumber", unsupported);
        check("/inputs/0/inputClippings", json!([{}]), "/inputs/0/inputClippings/0", "startTimecode or endTimecode");
        check("/inputs/0/filterStrength", json!(3), "/inputs/0/filterStrength", "supports only 0");
        check(&format!("{h264}/interlaceMode"), json!("TOP_FIELD"), &format!("{h264}/interlaceMode"), "[PROGRESSIVE]");
        check(
            &format!("{h264}/bandwidthReductionFilter"),
            json!({}),
            &format!("{h264}/bandwidthReductionFilter"),
            unsupported,
        );
        check("/outputGroups/0/outputs/0/preset", json!("x"), "/outputGroups/0/outputs/0/preset", unsupported);
        check(
            "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec",
            json!("MPEG2"),
            "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec",
            "MPEG2 is not supported by the local home",
        );
    }

    #[test]
    fn key_frames_need_a_picture() {
        let output = "/outputGroups/0/outputs/0";
        let path = format!("{output}/outputSettings/hlsSettings/iFrameOnlyManifest");
        let settings = |manifest: &str| json!({"hlsSettings": {"iFrameOnlyManifest": manifest}});
        check(&format!("{output}/outputSettings"), settings("INCLUDE_AS_TS"), &path, "INCLUDE_AS_TS is not supported");
        let mut job = line();
        job.pointer_mut(output).unwrap()["outputSettings"] = settings("INCLUDE");
        assert!(decode_settings(&job).is_ok());
        job.pointer_mut(output).unwrap().as_object_mut().unwrap().remove("videoDescription");
        assert_eq!(decode_settings(&job).unwrap_err().path, path);
    }

    #[test]
    fn pictures_for_winding_must_hold_together() {
        let hls = "/outputGroups/0/outputGroupSettings/hlsGroupSettings";
        let (mode, settings) = (format!("{hls}/imageBasedTrickPlay"), format!("{hls}/imageBasedTrickPlaySettings"));
        check(&mode, json!("VARIANTS"), &mode, "VARIANTS is not supported by the local home");
        check(&settings, json!({}), &settings, "does not apply with this imageBasedTrickPlay");
        let variants = format!("{hls}/imageBasedTrickPlayVariants");
        check(&variants, json!([]), &variants, "is not supported by the local home");
        let check = |value: Value, path: &str, reason: &str| {
            let mut job = line();
            let group = job.pointer_mut(hls).unwrap();
            group["imageBasedTrickPlay"] = json!("ADVANCED");
            group["imageBasedTrickPlaySettings"] = value;
            let refusal = decode_settings(&job).unwrap_err();
            assert_eq!(refusal.path, format!("{settings}{path}"));
            assert!(refusal.reason.contains(reason), "{refusal:?}");
        };
        check(json!({"thumbnailWidth": 100}), "/thumbnailWidth", "multiple of 8");
        check(json!({"thumbnailHeight": 99}), "/thumbnailHeight", "multiple of 2");
        check(json!({"tileWidth": 0}), "/tileWidth", "");
        check(json!({"tileHeight": 2049}), "/tileHeight", "");
        check(json!({"tileHeight": 42, "thumbnailHeight": 98}), "/tileHeight", "4096");
        check(json!({"intervalCadence": "FOLLOW_SEGMENTATION"}), "/intervalCadence", "FOLLOW_SEGMENTATION");
        check(json!({"intervalCadence": "FOLLOW_CUSTOM"}), "", "thumbnailInterval is a required property");
        check(json!({"intervalCadence": "FOLLOW_CUSTOM", "thumbnailInterval": 0}), "/thumbnailInterval", "positive");
        check(json!({"thumbnailInterval": 2}), "/thumbnailInterval", "FOLLOW_CUSTOM alone");
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_its_path() {
        let group = "/outputGroups/0";
        let h264 = "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings";
        check("/inputs", json!([]), "/inputs", "Should have at least 1 items");
        check("/outputGroups", json!([]), "/outputGroups", "Should have at least 1 items");
        check(&format!("{group}/outputs"), json!([]), "/outputGroups/0/outputs", "Should have at least 1 items");
        check(
            &format!("{group}/outputs/0/containerSettings"),
            json!("(remove)"),
            "/outputGroups/0/outputs/0",
            "containerSettings is a required property",
        );
        check(&format!("{h264}/maxBitrate"), json!("(remove)"), h264, "maxBitrate is a required property");
        check(&format!("{h264}/gopSize"), json!(2), &format!("{h264}/gopSize"), "must divide");
        check(
            &format!("{group}/outputs/0/nameModifier"),
            json!("_540p"),
            "/outputGroups/0/outputs/1/nameModifier",
            "unique",
        );
        check(
            &format!("{group}/outputGroupSettings/hlsGroupSettings"),
            json!("(remove)"),
            "/outputGroups/0/outputGroupSettings",
            "hlsGroupSettings is a required property",
        );
        check(
            &format!("{group}/outputs/0/videoDescription/width"),
            json!(641),
            "/outputGroups/0/outputs/0/videoDescription/width",
            "multiple of 2",
        );
        check(
            &format!("{group}/outputs/0/audioDescriptions/0/audioSourceName"),
            json!("Nobody"),
            "/outputGroups/0/outputs/0/audioDescriptions/0/audioSourceName",
            "no audio selector",
        );
        check(
            &format!("{group}/outputs/0/nameModifier"),
            json!("_$Number$"),
            "/outputGroups/0/outputs/0/nameModifier",
            "$Number$ is not supported by the local home",
        );
        check("/inputs/0/fileInput", json!("https://x/y.mp4"), "/inputs/0/fileInput", "s3://bucket/key");
    }

    /// The pointers of all objects in a job but those that have names for keys.
    fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let named = ["audioSelectors", "audioSelectorGroups", "captionSelectors"];
                if !named.iter().any(|name| at.ends_with(name)) {
                    found.push(at.to_owned());
                }
                members.iter().for_each(|(key, member)| objects(member, &format!("{at}/{key}"), found));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| objects(item, &format!("{at}/{index}"), found));
            }
            _ => {}
        }
    }

    /// Every field of the SDK's model (1.153; all structures below `JobSettings`), put anywhere it is not, with a value that no
    /// field takes: what is unknown there is refused by its name, and what is known by its value. Nothing is passed over.
    #[test]
    fn no_field_is_ignored_anywhere() {
        let rich: Value = serde_json::from_str(include_str!("../../tests/data/rich-job.json")).unwrap();
        assert!(decode_settings(&rich).is_ok(), "{:?}", decode_settings(&rich).err());
        let fields: Vec<String> = serde_json::from_str(include_str!("../../tests/data/sdk-fields.json")).unwrap();
        assert!(fields.len() > 500);
        let mut seen = std::collections::HashSet::new();
        for mut job in [line(), rich] {
            let mut places = Vec::new();
            objects(&job, "", &mut places);
            for place in places {
                // Objects of one kind differ in their numbers alone; one of each is enough.
                if !seen.insert(place.replace(|c: char| c.is_ascii_digit(), "")) {
                    continue;
                }
                for field in &fields {
                    let object = job.pointer_mut(&place).unwrap().as_object_mut().unwrap();
                    if object.contains_key(field) {
                        continue;
                    }
                    object.insert(field.clone(), json!({"nothing like it": true}));
                    let decoded = decode::<JobSettings>(&job);
                    job.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove(field);
                    let Err(refusal) = decoded else { panic!("{place}/{field} is taken") };
                    assert!(refusal.path.starts_with(&format!("{place}/{field}")), "{place}/{field}: {refusal:?}");
                }
            }
        }
    }
}
