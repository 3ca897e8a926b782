//! What validation finds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a finding prevents the definition from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition works, but probably not as meant.
    Warning,
}

/// The kind of a finding, as AWS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiagnosticCode {
    /// The text is not JSON.
    InvalidJsonDescription,
    /// A field is missing, unknown, or holds what it must not.
    SchemaValidationFailed,
    /// `Next`, `Default` or `StartAt` names a state that does not exist.
    MissingTransitionTarget,
    /// A state can never be reached.
    UnreachableState,
    /// Two states bear the same name.
    DuplicateStateName,
    /// A path does not parse.
    InvalidPath,
    /// A `JSONata` expression does not parse or uses what the service does not allow.
    InvalidJsonata,
}

/// One finding about a definition, in the shape of `ValidateStateMachineDefinition`.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What kind of finding.
    pub code: DiagnosticCode,
    /// The finding in words.
    pub message: String,
    /// Where: a JSON pointer, for example `/States/Check/Resource`; absent when the text as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Diagnostic {
    /// Whether the finding prevents use.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    /// The form `CreateStateMachine` puts into `InvalidDefinition`: `CODE: message at /location`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = serde_json::to_value(self.code).unwrap_or_default();
        write!(f, "{}: {}", code.as_str().unwrap_or_default(), self.message)?;
        match &self.location {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}
