//! JSON that travels between states.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A JSON value together with its text, shared and never copied.
///
/// The text is what the history records and what the 256 KiB limit measures, so it is made at most once. A payload
/// parsed from text keeps that text as it was written, whitespace included, as AWS does for an execution's input.
/// Cloning copies a pointer.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

struct Inner {
    value: Value,
    text: OnceLock<Box<str>>,
}

/// The text is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("not valid JSON")]
pub struct InvalidPayload(#[from] serde_json::Error);

impl Payload {
    /// Parses JSON text and keeps it.
    ///
    /// # Errors
    /// [`InvalidPayload`] when the text is not one JSON value, or nests deeper than 128 levels.
    pub fn parse(text: &str) -> Result<Self, InvalidPayload> {
        let value = serde_json::from_str(text)?;
        let inner = Inner { value, text: OnceLock::new() };
        // A cell that was made a moment ago is empty, so the text always takes.
        let _ = inner.text.set(text.into());
        Ok(Self(Arc::new(inner)))
    }

    /// The JSON value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// The JSON text, compact unless it came in otherwise.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text.get_or_init(|| self.0.value.to_string().into_boxed_str())
    }

    /// Size of the text in bytes: what AWS's payload limit counts.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.text().len()
    }

    /// How deep its arrays and objects nest: 0 for anything else.
    pub(crate) fn nesting(&self) -> usize {
        let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
        for byte in self.text().bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'[' | b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// The value, taken out without a copy when nobody else holds the payload.
    #[must_use]
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => inner.value,
            Err(shared) => shared.value.clone(),
        }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { value, text: OnceLock::new() }))
    }
}

impl Default for Payload {
    /// The empty object, which is what an execution without an input gets.
    fn default() -> Self {
        Self::from(Value::Object(serde_json::Map::new()))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Payload {
    /// As a JSON string holding the text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_it_was_parsed_from() {
        let payload = Payload::parse("{ \"a\" : 1 }").unwrap();
        assert_eq!(payload.text(), "{ \"a\" : 1 }");
        assert_eq!(payload, Payload::from(serde_json::json!({"a": 1})));
    }

    #[test]
    fn counts_nesting_outside_of_strings() {
        let check =
            |text: &str, expected: usize| assert_eq!(Payload::parse(text).unwrap().nesting(), expected, "{text}");
        check("1", 0);
        check("[]", 1);
        check(r#"{"a": [1, {"b": 2}], "c": []}"#, 3);
        check(r#"["[[", "\"[[", "\\", {"]]": "{"}]"#, 2);
    }

    #[test]
    fn survives_a_round_trip() {
        let payload = Payload::from(serde_json::json!({"a": ["b", null, 1.5]}));
        let stored = serde_json::to_string(&payload).unwrap();
        assert_eq!(serde_json::from_str::<Payload>(&stored).unwrap(), payload);
    }
}
