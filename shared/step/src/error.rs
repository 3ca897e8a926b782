//! The error of a step.

use std::error::Error;

use lambda_runtime::Diagnostic;
use vodline_contracts::ErrorCode;

/// Why a step could not do its work.
///
/// The code is what the state machine matches; the message is what a person reads on the row and in the run; the source is
/// for the log only.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    code: ErrorCode,
    message: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StepError {
    /// An error that has no cause below it.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None }
    }

    /// The same error, with what caused it.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// A defect of the line: what cannot happen has happened.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// The States Language name.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What caused it, outermost first, as one line for the log.
    #[must_use]
    pub fn causes(&self) -> String {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.join(": ")
    }
}

/// Lambda's form of it: `errorType` is what `ErrorEquals` matches.
impl From<StepError> for Diagnostic {
    fn from(error: StepError) -> Self {
        Self { error_type: error.code.name().to_owned(), error_message: error.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_becomes_the_error_type_and_causes_stay_in_the_log() {
        let error =
            StepError::new(ErrorCode::JobRefused, "the job was refused").caused_by(std::io::Error::other("why"));
        assert_eq!(error.causes(), "why");
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "Vod.JobRefused");
        assert_eq!(diagnostic.error_message, "the job was refused");
    }
}
