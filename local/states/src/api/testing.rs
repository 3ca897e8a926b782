//! ValidateStateMachineDefinition and TestState: what a developer asks before anything runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vodline_asl::{
    Diagnostic, Env, ExecutionKind, Severity, StateError,
    test_state::{self, TestStateRequest, Tested},
};
use vodline_core::{AwsError, Request, Response};

use super::{answer, decode, required};
use crate::{
    States, definitions,
    engine::{self, Randomness, TaskContext},
    error, names,
    tasks::TaskError,
};

/// Longest a tested state may run.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>.
const TEST_TIMEOUT: Duration = Duration::from_secs(300);

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
        let input: TestStateRequest = decode(request)?;
        request.authorize("states:TestState", "*")?;
        let role_arn = input.role_arn.clone();
        let unsupported = definitions::unsupported_in_state(&input.definition, &*self.config.services);
        let tested = self
            .engine
            .compute(move |context| {
                let mut random = Randomness(&*context.entropy);
                test_state::begin(&input, &mut Env { now: engine::now(context), random: &mut random })
            })
            .await?
            .map_err(|refused| AwsError::bad_request(refused.code(), refused.to_string()))?;
        let test = match tested {
            Tested::Finished(response) => return answer(&response),
            Tested::NeedsTask(test) => test,
        };
        // A mock may stand for what the home does not serve; a real call may not.
        if let Some(finding) = unsupported.first() {
            return Err(error::invalid_definition(&finding.to_string()));
        }
        let role_arn =
            role_arn.ok_or_else(|| error::validation("RoleArn must be specified when testing a Task state"))?;
        request.authorize("iam:PassRole", &role_arn)?;
        let name = self.config.entropy.uuid();
        let account = &self.config.account;
        let task_context = TaskContext {
            execution_arn: names::execution_arn(account, "TestState", &name),
            machine_arn: names::machine_arn(account, "TestState"),
            role_arn,
        };
        let result = match tokio::time::timeout(TEST_TIMEOUT, self.call_task(&task_context, &test.task)).await {
            Ok(Ok(answer)) => Ok(answer.output),
            Ok(Err(TaskError { error, cause, .. })) => Err(StateError { error: Some(error), cause: Some(cause) }),
            Err(_) => Err(StateError { error: Some("States.Timeout".to_owned()), cause: None }),
        };
        let response = self
            .engine
            .compute(move |context| {
                let mut random = Randomness(&*context.entropy);
                test.finish(result, &mut Env { now: engine::now(context), random: &mut random })
            })
            .await?;
        answer(&response)
    }
}
