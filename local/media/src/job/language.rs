//! Language codes.

use serde::{Deserialize, Deserializer, de::Error};

/// The longest tag that makes sense. Source: <https://www.rfc-editor.org/rfc/rfc5646> (section 4.4.1: 35 characters).
const CHARACTERS_MAX: usize = 35;

/// MediaConvert's `ENG` (ISO 639-2), or a custom code (ISO 639-3, or a tag of RFC 5646), in small letters where it is three
/// letters long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LanguageCode(pub(crate) String);

impl<'de> Deserialize<'de> for LanguageCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        let letters = code.len() >= 2
            && code.len() <= CHARACTERS_MAX
            && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && code.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letters {
            return Err(D::Error::custom("Should be a language code, such as ENG"));
        }
        Ok(Self(if code.len() == 3 { code.to_ascii_lowercase() } else { code }))
    }
}
