//! A run, state by state, told from its history.

use aws_sdk_sfn::{
    primitives::DateTime,
    types::{HistoryEvent, HistoryEventType as Type},
};
use jiff::Timestamp;
use vodline_contracts::api::{StateProgress, StateStatus};
use vodline_step::time::rfc3339;

/// The Task states entered so far, in order of entry. `history` is oldest first.
#[must_use]
pub fn states(history: &[HistoryEvent]) -> Vec<StateProgress> {
    let mut states: Vec<StateProgress> = Vec::new();
    for event in history {
        match event.r#type {
            Type::TaskStateEntered => {
                let Some(entered) = event.state_entered_event_details() else { continue };
                enter(&mut states, entered.name(), event.timestamp());
            }
            Type::TaskStateExited => {
                let Some(exited) = event.state_exited_event_details() else { continue };
                let running =
                    |state: &&mut StateProgress| state.name == exited.name() && state.status != StateStatus::Succeeded;
                if let Some(state) = states.iter_mut().rfind(running) {
                    state.status = StateStatus::Succeeded;
                    state.exited_at = Some(time(event.timestamp()));
                }
            }
            Type::ExecutionFailed | Type::ExecutionTimedOut | Type::ExecutionAborted => {
                for state in states.iter_mut().filter(|state| state.status == StateStatus::Running) {
                    state.status = StateStatus::Failed;
                    state.exited_at = Some(time(event.timestamp()));
                }
            }
            // A redrive goes on in the states that had failed, without entering them again.
            Type::ExecutionRedriven => {
                for state in states.iter_mut().filter(|state| state.status == StateStatus::Failed) {
                    state.status = StateStatus::Running;
                    state.exited_at = None;
                }
            }
            _ => {}
        }
    }
    states
}

/// A state that is entered again after it failed is the same state, still at work.
fn enter(states: &mut Vec<StateProgress>, name: &str, entered_at: &DateTime) {
    let again = states.iter().any(|state| state.name == name && state.status == StateStatus::Running);
    if !again {
        states.push(StateProgress {
            name: name.to_owned(),
            status: StateStatus::Running,
            entered_at: time(entered_at),
            exited_at: None,
        });
    }
}

fn time(time: &DateTime) -> String {
    let timestamp = time.to_millis().ok().and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
    rfc3339(timestamp.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use aws_sdk_sfn::types::{StateEnteredEventDetails, StateExitedEventDetails};

    use super::*;

    /// Each event is a second after the one before.
    fn check(events: &[(Type, &str)], expected: &[(&str, StateStatus, i64, Option<i64>)]) {
        let history: Vec<HistoryEvent> = (0..)
            .zip(events)
            .map(|(second, (event_type, name))| {
                let event = HistoryEvent::builder().id(second + 1).r#type(event_type.clone());
                let event = event.timestamp(DateTime::from_secs(second));
                let entered = || StateEnteredEventDetails::builder().name(*name).build().expect("complete");
                let exited = || StateExitedEventDetails::builder().name(*name).build().expect("complete");
                let event = match event_type {
                    Type::TaskStateExited => event.state_exited_event_details(exited()),
                    _ if !name.is_empty() => event.state_entered_event_details(entered()),
                    _ => event,
                };
                event.build().expect("complete")
            })
            .collect();
        let at = |second: i64| rfc3339(Timestamp::from_second(second).expect("in range"));
        let expected: Vec<StateProgress> = expected
            .iter()
            .map(|(name, status, entered, exited)| StateProgress {
                name: (*name).to_owned(),
                status: *status,
                entered_at: at(*entered),
                exited_at: exited.map(at),
            })
            .collect();
        assert_eq!(states(&history), expected);
    }

    #[test]
    fn states_are_entered_left_failed_and_redriven() {
        use StateStatus::{Failed, Running, Succeeded};
        let begin = [
            (Type::ExecutionStarted, ""),
            (Type::TaskStateEntered, "A"),
            (Type::TaskStateExited, "A"),
            (Type::ParallelStateEntered, "Both"),
            (Type::TaskStateEntered, "B"),
            (Type::TaskStateEntered, "C"),
        ];
        check(&begin, &[("A", Succeeded, 1, Some(2)), ("B", Running, 4, None), ("C", Running, 5, None)]);
        let failed = [&begin[..], &[(Type::TaskStateExited, "C"), (Type::ExecutionFailed, "")]].concat();
        check(&failed, &[("A", Succeeded, 1, Some(2)), ("B", Failed, 4, Some(7)), ("C", Succeeded, 5, Some(6))]);
        let redriven = [&failed[..], &[(Type::ExecutionRedriven, "")]].concat();
        check(&redriven, &[("A", Succeeded, 1, Some(2)), ("B", Running, 4, None), ("C", Succeeded, 5, Some(6))]);
        let entered_again = [&redriven[..], &[(Type::TaskStateEntered, "B"), (Type::TaskStateExited, "B")]].concat();
        check(
            &entered_again,
            &[("A", Succeeded, 1, Some(2)), ("B", Succeeded, 4, Some(10)), ("C", Succeeded, 5, Some(6))],
        );
    }
}
