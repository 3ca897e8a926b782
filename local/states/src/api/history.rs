//! GetExecutionHistory.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{answer, decode, paging, required};
use crate::{Error, States};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetExecutionHistoryInput {
    execution_arn: Option<String>,
    max_results: Option<i64>,
    #[serde(default)]
    reverse_order: bool,
    next_token: Option<String>,
    include_execution_data: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetExecutionHistoryOutput {
    events: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// What `includeExecutionData` leaves out of an event's details.
const DATA_MEMBERS: [&str; 4] = ["input", "output", "parameters", "assignedVariables"];

impl States {
    pub(super) fn get_execution_history(&self, request: &Request) -> Result<Response, AwsError> {
        let input: GetExecutionHistoryInput = decode(request)?;
        let arn = required(input.execution_arn, "executionArn")?;
        let size = paging::size(input.max_results)?;
        request.authorize("states:GetExecutionHistory", &arn)?;
        let row = self.execution(&arn)?;
        let list = format!("GetExecutionHistory {} {arn}", if input.reverse_order { "reverse" } else { "forward" });
        // The event the page begins with.
        let from = paging::number(&list, input.next_token.as_deref())?
            .and_then(|from| u64::try_from(from).ok())
            .unwrap_or(if input.reverse_order { row.event_count } else { 1 });
        let mut events =
            self.engine.context().store.read(|connection| read(connection, row.id, from, size, input.reverse_order))?;
        let count = events.len() as u64;
        let next = if input.reverse_order {
            from.checked_sub(count).filter(|next| *next > 0)
        } else {
            Some(from + count).filter(|next| *next <= row.event_count)
        };
        if input.include_execution_data == Some(false) {
            events = events.iter().map(|event| without_data(event)).collect::<Result<_, _>>()?;
        }
        answer(&GetExecutionHistoryOutput {
            events,
            next_token: next.map(|next| paging::token(&list, &next.to_string())),
        })
    }
}

/// Up to `size` events, beginning with event `from`.
fn read(
    connection: &Connection,
    execution: i64,
    from: u64,
    size: usize,
    reverse: bool,
) -> Result<Vec<Box<RawValue>>, Error> {
    // Each row holds the events of one step, and is named after the last of them.
    let sql = if reverse {
        // The step that holds event `from` ends with it or later.
        "SELECT last, events FROM states_history WHERE execution = ?1 AND last <=
             (SELECT min(last) FROM states_history WHERE execution = ?1 AND last >= ?2) ORDER BY last DESC"
    } else {
        "SELECT last, events FROM states_history WHERE execution = ?1 AND last >= ?2 ORDER BY last"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![execution, from])?;
    let mut page = Vec::new();
    while page.len() < size
        && let Some(row) = rows.next()?
    {
        let last: u64 = row.get(0)?;
        let text: String = row.get(1)?;
        let events: Vec<Box<RawValue>> =
            serde_json::from_str(&text).map_err(|source| Error::Snapshot { what: "history", source })?;
        let first = (last + 1)
            .checked_sub(events.len() as u64)
            .ok_or_else(|| StoreError::Corrupt(format!("the history of execution {execution} at event {last}")))?;
        let numbered = (first..).zip(events);
        if reverse {
            let mut step: Vec<_> = numbered.take_while(|(id, _)| *id <= from).map(|(_, event)| event).collect();
            step.reverse();
            page.extend(step);
        } else {
            page.extend(numbered.skip_while(|(id, _)| *id < from).map(|(_, event)| event));
        }
    }
    page.truncate(size);
    Ok(page)
}

fn without_data(event: &RawValue) -> Result<Box<RawValue>, Error> {
    let corrupt = |source| Error::Snapshot { what: "history", source };
    let mut value: Value = serde_json::from_str(event.get()).map_err(corrupt)?;
    for details in value.as_object_mut().into_iter().flat_map(|event| event.values_mut()) {
        if let Value::Object(details) = details {
            for member in DATA_MEMBERS {
                details.shift_remove(member);
            }
        }
    }
    serde_json::value::to_raw_value(&value).map_err(corrupt)
}
