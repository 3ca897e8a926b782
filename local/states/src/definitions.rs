//! Reading definitions, and refusing by name what the home cannot run.

use serde_json::{Map, Value};
use vodline_asl::{
    Diagnostic, DiagnosticCode, ExecutionKind, Resource, Severity, StateMachine, limits::DEFINITION_BYTES_MAX,
};
use vodline_core::AwsError;

use crate::{ServiceCaller, error, tasks};

/// What a Distributed Map may read and write with.
const MAP_RESOURCES: [&str; 3] =
    ["arn:aws:states:::s3:getObject", "arn:aws:states:::s3:listObjectsV2", "arn:aws:states:::s3:putObject"];

/// Checks a definition as CreateStateMachine does.
///
/// # Errors
/// `InvalidDefinition` with every finding.
pub(crate) fn check(
    definition: &str,
    kind: ExecutionKind,
    services: &dyn ServiceCaller,
) -> Result<StateMachine, AwsError> {
    if definition.len() > DEFINITION_BYTES_MAX {
        return Err(error::validation(format!(
            "1 validation error detected: Value at 'definition' failed to satisfy constraint: Member must have length \
             less than or equal to {DEFINITION_BYTES_MAX}"
        )));
    }
    let refuse = |findings: &[Diagnostic]| {
        let errors: Vec<String> = findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
        error::invalid_definition(&errors.join(", "))
    };
    let machine = StateMachine::parse_for(definition, kind).map_err(|findings| refuse(&findings))?;
    let unsupported = unsupported(definition, services);
    if unsupported.is_empty() { Ok(machine) } else { Err(refuse(&unsupported)) }
}

/// Findings about resources that the home does not serve.
pub(crate) fn unsupported(definition: &str, services: &dyn ServiceCaller) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if let Ok(Value::Object(machine)) = serde_json::from_str(definition) {
        walk(&machine, "", services, &mut findings);
    }
    findings
}

/// As [`unsupported`], for the definition of one state or of a machine, as TestState takes either.
pub(crate) fn unsupported_in_state(definition: &str, services: &dyn ServiceCaller) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    match serde_json::from_str(definition) {
        Ok(Value::Object(machine)) if machine.contains_key("States") => walk(&machine, "", services, &mut findings),
        Ok(Value::Object(state)) => visit(&state, "", services, &mut findings),
        _ => {}
    }
    findings
}

/// Visits the states of a machine, a branch, or an item processor.
fn walk(machine: &Map<String, Value>, path: &str, services: &dyn ServiceCaller, findings: &mut Vec<Diagnostic>) {
    let Some(Value::Object(states)) = machine.get("States") else { return };
    for (name, state) in states {
        if let Value::Object(state) = state {
            visit(state, &format!("{path}/States/{name}"), services, findings);
        }
    }
}

/// Visits one state and those inside it.
fn visit(state: &Map<String, Value>, path: &str, services: &dyn ServiceCaller, findings: &mut Vec<Diagnostic>) {
    if let Some(resource) = state.get("Resource").and_then(Value::as_str)
        && Resource::parse(resource).is_ok_and(|resource| !tasks::supported(services, &resource))
    {
        findings.push(finding(resource, format!("{path}/Resource")));
    }
    for field in ["ItemReader", "ResultWriter"] {
        if let Some(resource) = state.get(field).and_then(|field| field.get("Resource")).and_then(Value::as_str)
            && !MAP_RESOURCES.contains(&resource)
        {
            findings.push(finding(resource, format!("{path}/{field}/Resource")));
        }
    }
    for field in ["ItemProcessor", "Iterator"] {
        if let Some(Value::Object(processor)) = state.get(field) {
            walk(processor, &format!("{path}/{field}"), services, findings);
        }
    }
    if let Some(Value::Array(branches)) = state.get("Branches") {
        for (index, branch) in branches.iter().enumerate() {
            if let Value::Object(branch) = branch {
                walk(branch, &format!("{path}/Branches/{index}"), services, findings);
            }
        }
    }
}

/// AWS's words about a resource that a region does not have.
fn finding(resource: &str, location: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: DiagnosticCode::SchemaValidationFailed,
        message: format!(
            "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the \
             resource is not available in this region."
        ),
        location: Some(location),
    }
}
