//! The context object: `$$`, `$states.context`.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>.

use serde_json::{Map, Value, json};

use crate::execution::{BranchId, Execution, MapItem};
use crate::machine::model::{Kind, State};

/// The context object of a branch in a state. `token` is the task token about to be handed out.
pub(super) fn of(execution: &Execution, state: &State, branch: BranchId, token: Option<&str>) -> Value {
    let info = &execution.info;
    let time = |at: Option<crate::UnixMillis>| at.map(crate::UnixMillis::to_rfc3339);
    let mut of_execution = json!({
        "Id": info.arn,
        "Input": execution.input.value(),
        "StartTime": time(execution.started_at),
        "Name": info.name,
        "RoleArn": info.role_arn,
        "RedriveCount": execution.redrive_count,
    });
    if let (Some(fields), Some(redriven)) = (of_execution.as_object_mut(), time(execution.redriven_at)) {
        fields.insert("RedriveTime".to_owned(), redriven.into());
    }
    let current = execution.branches.get(&branch);
    let mut of_state = json!({"Name": &*state.name, "EnteredTime": time(current.map(|branch| branch.entered_at))});
    if matches!(state.kind, Kind::Task(_) | Kind::Parallel { .. } | Kind::Map(_))
        && let Some(fields) = of_state.as_object_mut()
    {
        let retries: u32 = current.map_or(0, |branch| branch.retries.iter().sum());
        fields.insert("RetryCount".to_owned(), retries.into());
    }
    let mut context = Map::new();
    context.insert("Execution".to_owned(), of_execution);
    context.insert("StateMachine".to_owned(), json!({"Id": info.state_machine_arn, "Name": info.state_machine_name}));
    context.insert("State".to_owned(), of_state);
    if let Some(token) = token {
        context.insert("Task".to_owned(), json!({"Token": token}));
    }
    if let Some(item) = execution.item(branch) {
        with_item(&mut context, item);
    }
    Value::Object(context)
}

/// Adds `Map.Item`.
pub(super) fn with_item(context: &mut Map<String, Value>, item: &MapItem) {
    context.insert("Map".to_owned(), json!({"Item": {"Index": item.index, "Value": item.value.value()}}));
}
