//! A run's history, condensed to its states.

use std::collections::HashMap;

use aws_sdk_sfn::{Client, primitives::DateTime, types::HistoryEvent};
use jiff::Timestamp;

use crate::error::{CliError, doing};

/// One visit of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// The state's name.
    pub(crate) state: String,
    /// When it was entered.
    pub(crate) entered: Timestamp,
    /// When it was left, unless it never was.
    pub(crate) exited: Option<Timestamp>,
    /// Failures inside it, in order; more than one where it was retried.
    pub(crate) errors: Vec<String>,
}

/// All events of an execution, oldest first.
pub(crate) async fn events(client: &Client, execution_arn: &str) -> Result<Vec<HistoryEvent>, CliError> {
    let mut pages =
        client.get_execution_history().execution_arn(execution_arn).max_results(1000).into_paginator().send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        events.extend(page.map_err(doing(format!("read the history of {execution_arn}")))?.events);
    }
    Ok(events)
}

/// The states in order of entry.
pub(crate) fn visits(events: &[HistoryEvent]) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    // Which visit an event belongs to: that of the event before it in its branch.
    let mut visit_of: HashMap<i64, usize> = HashMap::new();
    for event in events {
        let at = timestamp(event.timestamp());
        let before = visit_of.get(&event.previous_event_id()).copied();
        if let Some(details) = event.state_entered_event_details() {
            visit_of.insert(event.id(), visits.len());
            visits.push(Visit { state: details.name().to_owned(), entered: at, exited: None, errors: Vec::new() });
            continue;
        }
        if let Some(details) = event.state_exited_event_details() {
            if let Some(visit) = visits.iter_mut().rev().find(|v| v.state == details.name() && v.exited.is_none()) {
                visit.exited = Some(at);
            }
            continue;
        }
        if let Some(index) = before {
            visit_of.insert(event.id(), index);
            if let Some(error) = failure(event) {
                visits[index].errors.push(error);
            }
        }
    }
    visits
}

/// The error's name, if the event tells of one inside a state.
fn failure(event: &HistoryEvent) -> Option<String> {
    let failed = event.task_failed_event_details().map(|details| (details.error(), details.cause()));
    let timed_out = event.task_timed_out_event_details().map(|details| (details.error(), details.cause()));
    let function = event.lambda_function_failed_event_details().map(|details| (details.error(), details.cause()));
    let function_timed_out =
        event.lambda_function_timed_out_event_details().map(|details| (details.error(), details.cause()));
    let (error, cause) = failed.or(timed_out).or(function).or(function_timed_out)?;
    Some(message(error, cause))
}

/// `Name: words`; a function's cause is a JSON object whose `errorMessage` holds the words.
pub(crate) fn message(error: Option<&str>, cause: Option<&str>) -> String {
    let words = cause.map(|cause| {
        serde_json::from_str::<serde_json::Value>(cause)
            .ok()
            .and_then(|value| value["errorMessage"].as_str().map(str::to_owned))
            .unwrap_or_else(|| cause.to_owned())
    });
    match (error, words) {
        (Some(error), Some(words)) if !words.is_empty() => format!("{error}: {words}"),
        (Some(error), _) => error.to_owned(),
        (None, words) => words.unwrap_or_default(),
    }
}

/// An SDK time as ours.
pub(crate) fn timestamp(time: &DateTime) -> Timestamp {
    Timestamp::from_nanosecond(time.as_nanos()).unwrap_or_default()
}
