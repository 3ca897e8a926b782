//! The parsed definition.

pub(crate) mod model;
mod parse;
mod references;
mod syntax;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::execution::ExecutionKind;
use model::{Definition, Scope, ScopeId, State, StateId};

/// A definition, parsed and valid. Cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct StateMachine {
    definition: Arc<Definition>,
    /// The whole machine, or the item processor that a child of a Distributed Map runs.
    root: ScopeId,
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
    pub fn parse_for(definition: &str, kind: ExecutionKind) -> Result<Self, Vec<Diagnostic>> {
        match parse::parse(definition, kind) {
            (Some(parsed), findings) if !findings.iter().any(Diagnostic::is_error) => {
                Ok(Self { root: parsed.root, definition: Arc::new(parsed) })
            }
            (_, findings) => Err(findings),
        }
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn definition(&self) -> &str {
        &self.definition.text
    }

    /// Its `Comment`.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.definition.comment.as_deref()
    }

    /// The names of all its states, inner ones included, in the order of the definition.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.definition.states.iter().map(|state| &*state.name)
    }

    /// The variables that each state refers to, by the names of the states; states that refer to none are left out.
    /// `DescribeStateMachine` answers this as `variableReferences`.
    #[must_use]
    pub fn variable_references(&self) -> BTreeMap<String, Vec<String>> {
        let states = self.definition.states.iter().map(|state| (&state.name, references::of(state)));
        states
            .filter(|(_, variables)| !variables.is_empty())
            .map(|(name, variables)| (name.to_string(), variables.into_iter().map(str::to_owned).collect()))
            .collect()
    }

    /// The machine that the children of a Distributed Map state run.
    pub(crate) fn processor(&self, root: ScopeId) -> Self {
        Self { definition: Arc::clone(&self.definition), root }
    }

    pub(crate) fn is_processor(&self) -> bool {
        self.root != self.definition.root
    }

    pub(crate) fn root(&self) -> &Scope {
        self.definition.scope(self.root)
    }

    pub(crate) fn model(&self) -> &Definition {
        &self.definition
    }

    pub(crate) fn state(&self, id: StateId) -> &State {
        self.definition.state(id)
    }

    pub(crate) fn scope(&self, id: ScopeId) -> &Scope {
        self.definition.scope(id)
    }

    /// The state of a name, wherever in the machine.
    pub(crate) fn state_named(&self, name: &str) -> Option<&State> {
        self.definition.states.iter().find(|state| &*state.name == name)
    }

    /// Parses one state on its own, as `TestState` takes it. Transitions lead anywhere.
    pub(crate) fn parse_state(definition: &str) -> Result<Self, Vec<Diagnostic>> {
        match parse::parse_state(definition) {
            (Some(parsed), findings) if !findings.iter().any(Diagnostic::is_error) => {
                Ok(Self { root: parsed.root, definition: Arc::new(parsed) })
            }
            (_, findings) => Err(findings),
        }
    }
}

/// Everything `ValidateStateMachineDefinition` would say about a definition, at once.
#[must_use]
pub fn validate(definition: &str, kind: ExecutionKind) -> Vec<Diagnostic> {
    parse::parse(definition, kind).1
}
