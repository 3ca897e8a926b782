//! In which state an execution failed, told from its history.

use std::collections::HashMap;

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType as Type};

/// The state in which the work failed last; for an execution that was stopped or ran out of time, the state it was in.
/// `newest_first` is the history in reverse, or the newest part of it.
#[must_use]
pub fn failed_state(newest_first: &[HistoryEvent]) -> Option<String> {
    let by_id: HashMap<i64, &HistoryEvent> = newest_first.iter().map(|event| (event.id, event)).collect();
    let failed = newest_first.iter().find(|event| is_failure_of_work(&event.r#type));
    let state = |event: &HistoryEvent| event.state_entered_event_details().map(|entered| entered.name().to_owned());
    let Some(failed) = failed else {
        return newest_first.iter().find_map(state);
    };
    // Each event names the one before it in its own branch, down to the one that entered the state.
    let mut event = failed;
    loop {
        if let Some(name) = state(event) {
            return Some(name);
        }
        event = by_id.get(&event.previous_event_id).filter(|before| before.id < event.id)?;
    }
}

/// Whether a task failed here, rather than what the task is part of.
fn is_failure_of_work(event_type: &Type) -> bool {
    matches!(
        event_type,
        Type::ActivityFailed
            | Type::ActivityScheduleFailed
            | Type::ActivityTimedOut
            | Type::EvaluationFailed
            | Type::LambdaFunctionFailed
            | Type::LambdaFunctionScheduleFailed
            | Type::LambdaFunctionStartFailed
            | Type::LambdaFunctionTimedOut
            | Type::TaskFailed
            | Type::TaskStartFailed
            | Type::TaskSubmitFailed
            | Type::TaskTimedOut
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use aws_sdk_sfn::{primitives::DateTime, types::StateEnteredEventDetails};

    use super::*;

    /// Oldest first: id, the id before it, type, and the state that is entered.
    type Event = (i64, i64, Type, Option<&'static str>);

    fn check(events: &[Event], expected: Option<&str>) {
        let mut history: Vec<HistoryEvent> = events
            .iter()
            .map(|(id, previous, event_type, state)| {
                let entered =
                    state.map(|name| StateEnteredEventDetails::builder().name(name).build().expect("complete"));
                HistoryEvent::builder()
                    .id(*id)
                    .previous_event_id(*previous)
                    .r#type(event_type.clone())
                    .timestamp(DateTime::from_secs(*id))
                    .set_state_entered_event_details(entered)
                    .build()
                    .expect("complete")
            })
            .collect();
        history.reverse();
        assert_eq!(failed_state(&history).as_deref(), expected);
    }

    const BEGIN: [Event; 5] = [
        (1, 0, Type::ExecutionStarted, None),
        (2, 0, Type::TaskStateEntered, Some("AdmitUpload")),
        (3, 2, Type::LambdaFunctionScheduled, None),
        (4, 3, Type::LambdaFunctionStarted, None),
        (5, 4, Type::LambdaFunctionSucceeded, None),
    ];

    fn after_begin(more: &[Event]) -> Vec<Event> {
        BEGIN.iter().chain(more).cloned().collect()
    }

    #[test]
    fn the_failed_task_names_its_state() {
        check(
            &after_begin(&[
                (6, 5, Type::TaskStateExited, None),
                (7, 6, Type::TaskStateEntered, Some("ProbeSource")),
                (8, 7, Type::LambdaFunctionScheduled, None),
                (9, 8, Type::LambdaFunctionStarted, None),
                (10, 9, Type::LambdaFunctionFailed, None),
                (11, 10, Type::ExecutionFailed, None),
            ]),
            Some("ProbeSource"),
        );
    }

    #[test]
    fn a_branch_that_was_merely_cut_off_is_not_blamed() {
        check(
            &after_begin(&[
                (7, 5, Type::ParallelStateEntered, Some("Both")),
                (8, 7, Type::ParallelStateStarted, None),
                (9, 8, Type::TaskStateEntered, Some("StartJob")),
                (10, 8, Type::TaskStateEntered, Some("AttachOrigin")),
                (11, 9, Type::TaskScheduled, None),
                (12, 11, Type::TaskSubmitted, None),
                (13, 10, Type::LambdaFunctionScheduled, None),
                (14, 12, Type::TaskTimedOut, None),
                (15, 13, Type::TaskStateAborted, None),
                (16, 14, Type::ParallelStateFailed, None),
                (17, 16, Type::ExecutionFailed, None),
            ]),
            Some("StartJob"),
        );
    }

    #[test]
    fn an_execution_that_was_stopped_was_in_its_latest_state() {
        check(&after_begin(&[(6, 0, Type::ExecutionAborted, None)]), Some("AdmitUpload"));
        check(&after_begin(&[(6, 0, Type::ExecutionTimedOut, None)]), Some("AdmitUpload"));
        check(&[(1, 0, Type::ExecutionStarted, None)], None);
        check(&[], None);
    }

    #[test]
    fn a_history_that_is_cut_or_knotted_names_no_state() {
        check(&[(10, 9, Type::TaskFailed, None), (11, 10, Type::ExecutionFailed, None)], None);
        check(&[(10, 10, Type::TaskFailed, None)], None);
        check(&[(9, 10, Type::TaskSubmitted, None), (10, 9, Type::TaskFailed, None)], None);
    }
}
