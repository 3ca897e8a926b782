//! ValidateStateMachineDefinition and TestState: what a developer asks before anything runs.

use serde::{Deserialize, Serialize};
use vodline_asl::{Diagnostic, ExecutionKind, Severity};
use vodline_core::{AwsError, Request, Response};

use super::{answer, decode, required};
use crate::{States, definitions, error};

/// Findings returned if the caller does not say, or says 0; and the most.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html>.
const DIAGNOSTICS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ValidateInput {
    definition: Option<String>,
    #[serde(rename = "type")]
    kind: Option<ExecutionKind>,
    severity: Option<Severity>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValidateOutput {
    result: &'static str,
    diagnostics: Vec<Diagnostic>,
    truncated: bool,
}

impl States {
    pub(super) fn validate_definition(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ValidateInput = decode(request)?;
        let definition = required(input.definition, "definition")?;
        request.authorize("states:ValidateStateMachineDefinition", "*")?;
        let size = match input.max_results {
            None | Some(0) => DIAGNOSTICS_MAX,
            Some(asked) if asked > DIAGNOSTICS_MAX => {
                return Err(error::constraint(asked, "maxResults", "have value less than or equal to 100"));
            }
            Some(asked) => asked,
        };
        let mut diagnostics = vodline_asl::validate(&definition, input.kind.unwrap_or_default());
        diagnostics.extend(definitions::unsupported(&definition, &*self.config.services));
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        if input.severity != Some(Severity::Warning) {
            diagnostics.retain(Diagnostic::is_error);
        }
        let truncated = diagnostics.len() > size;
        diagnostics.truncate(size);
        answer(&ValidateOutput { result: if failed { "FAIL" } else { "OK" }, diagnostics, truncated })
    }

    pub(super) async fn test_state(&self, request: &Request) -> Result<Response, AwsError> {
        Err(AwsError::unsupported_operation("states", &request.operation))
    }
}
