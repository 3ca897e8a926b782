//! Secrets as the template describes them.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use vodline_core::{AwsError, Entropy};

use super::{
    invalid_parameter,
    password::{self, Password},
};

/// A secret as the template describes it.
#[derive(Clone, Debug)]
pub struct SecretSpec {
    /// One to 512 letters, digits and any of `/_+=.@-`.
    pub name: String,
    /// What a person reads.
    pub description: Option<String>,
    /// Where its value comes from.
    pub source: SecretSource,
}

/// Where a secret's value comes from. Does not print the value.
#[derive(Clone)]
pub enum SecretSource {
    /// The template says it.
    Value(String),
    /// It is generated once.
    Generated(GenerateSecretString),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(***)"),
            Self::Generated(generate) => f.debug_tuple("Generated").field(generate).finish(),
        }
    }
}

/// The property `GenerateSecretString` of `AWS::SecretsManager::Secret`, from which it can be decoded. Source:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-secretsmanager-secret-generatesecretstring.html>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct GenerateSecretString {
    /// A JSON object to which the password is added; with `generate_string_key`.
    pub secret_string_template: Option<String>,
    /// Under which key; with `secret_string_template`.
    pub generate_string_key: Option<String>,
    /// 32, if nothing is said; up to 4096.
    pub password_length: Option<usize>,
    /// Characters that do not appear.
    #[serde(default)]
    pub exclude_characters: String,
    /// No `a` to `z`.
    #[serde(default)]
    pub exclude_lowercase: bool,
    /// No `A` to `Z`.
    #[serde(default)]
    pub exclude_uppercase: bool,
    /// No `0` to `9`.
    #[serde(default)]
    pub exclude_numbers: bool,
    /// No punctuation.
    #[serde(default)]
    pub exclude_punctuation: bool,
    /// The space, too.
    #[serde(default)]
    pub include_space: bool,
    /// At least one of each kind; true, if nothing is said.
    pub require_each_included_type: Option<bool>,
}

impl GenerateSecretString {
    /// A new value.
    pub(super) fn value(&self, entropy: &dyn Entropy) -> Result<String, AwsError> {
        let password = password::generate(
            entropy,
            &Password {
                length: self.password_length.unwrap_or(password::LENGTH_DEFAULT),
                exclude_characters: &self.exclude_characters,
                exclude_lowercase: self.exclude_lowercase,
                exclude_uppercase: self.exclude_uppercase,
                exclude_numbers: self.exclude_numbers,
                exclude_punctuation: self.exclude_punctuation,
                include_space: self.include_space,
                require_each: self.require_each_included_type.unwrap_or(true),
            },
        )?;
        match (&self.secret_string_template, &self.generate_string_key) {
            (None, None) => Ok(password),
            (Some(template), Some(key)) => {
                let Ok(Value::Object(mut object)) = serde_json::from_str(template) else {
                    return Err(invalid_parameter("SecretStringTemplate must be a JSON object."));
                };
                object.insert(key.clone(), password.into());
                Ok(Value::Object(object).to_string())
            }
            _ => Err(invalid_parameter("SecretStringTemplate and GenerateStringKey must be given together.")),
        }
    }
}
