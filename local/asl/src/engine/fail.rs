//! Failures: Retry, Catch, and what happens when neither helps.

use super::Engine;
use crate::error::{ErrorName, StateError};
use crate::execution::{BranchId, Child, Outcome, Purpose, Stage};
use crate::failure::Failure;
use crate::history::{EventDetails, EventType};
use crate::machine::model::{Kind, Next, Retrier, State};

impl Engine<'_, '_> {
    /// The state of a branch failed. Retries it, catches the failure, or lets the branch fail.
    pub(super) fn fail(&mut self, id: BranchId, failure: Failure) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let error = failure.to_error(&state.name, branch.entered_event);
        self.record_evaluation(id, state, &failure, &error);
        if failure.fatal {
            self.fail_execution(id, &failure, true);
            return;
        }
        if self.retry(id, state, &failure) {
            return;
        }
        let caught = state.catch.iter().enumerate().find(|(_, catcher)| covers(&catcher.errors, &failure));
        let Some((index, catcher)) = caught else {
            self.record_fork_failure(id, state);
            self.fail_branch(id, &failure, error);
            return;
        };
        self.record_fork_failure(id, state);
        self.drop_children(id);
        match self.evaluate(id, state, |view, _| view.leave_caught(index, catcher, &error)) {
            Ok(left) => self.leave(id, state, left, Next::State(catcher.next)),
            Err(failure) => {
                let error = failure.to_error(&state.name, self.entered_event(id));
                self.record_evaluation(id, state, &failure, &error);
                if failure.fatal {
                    self.fail_execution(id, &failure, true);
                } else {
                    self.fail_branch(id, &failure, error);
                }
            }
        }
    }

    fn entered_event(&self, id: BranchId) -> u64 {
        self.execution.branches.get(&id).map_or(0, |branch| branch.entered_event)
    }

    /// A failed expression is an event of its own. One that fails before the state has done anything points at the
    /// event before the state was entered.
    fn record_evaluation(&mut self, id: BranchId, state: &State, failure: &Failure, error: &StateError) {
        let Some(location) = &failure.evaluation else { return };
        if let Some(branch) = self.execution.branches.get_mut(&id)
            && branch.last_event == branch.entered_event
        {
            branch.last_event = branch.before_entered;
        }
        let details = EventDetails::EvaluationFailed {
            error: error.error.clone(),
            cause: error.cause.clone(),
            location: Some(location.clone()),
            state: state.name.to_string(),
        };
        self.record_in(id, EventType::EvaluationFailed, details);
    }

    /// A Parallel or Map state that is not retried has failed, caught or not.
    fn record_fork_failure(&mut self, id: BranchId, state: &State) {
        let event_type = match &state.kind {
            Kind::Parallel { .. } => EventType::ParallelStateFailed,
            Kind::Map(_) => EventType::MapStateFailed,
            _ => return,
        };
        self.record_in(id, event_type, EventDetails::None);
    }

    fn retry(&mut self, id: BranchId, state: &State, failure: &Failure) -> bool {
        let found = state.retry.iter().enumerate().find(|(_, retrier)| covers(&retrier.errors, failure));
        let Some((index, retrier)) = found else { return false };
        let Some(branch) = self.execution.branches.get_mut(&id) else { return false };
        if branch.retries.len() <= index {
            branch.retries.resize(index + 1, 0);
        }
        let Some(used) = branch.retries.get_mut(index) else { return false };
        if *used >= retrier.max_attempts {
            return false;
        }
        let attempt = *used;
        *used += 1;
        self.drop_children(id);
        let delay_millis = delay_millis(retrier, attempt);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a bounded delay")]
        let delay_millis =
            if retrier.full_jitter { (delay_millis * self.env.unit_interval()) as u64 } else { delay_millis as u64 };
        let timer = self.set_timer(self.env.now.plus_millis(delay_millis), Purpose::Resume(id));
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.stage = Stage::Backoff(timer);
        }
        true
    }

    /// A branch failed for good. Its remains stay, for a redrive.
    fn fail_branch(&mut self, id: BranchId, failure: &Failure, error: StateError) {
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        branch.stage = match std::mem::replace(&mut branch.stage, Stage::Stopped) {
            stage @ (Stage::Fork(_) | Stage::StoppedMapRun(_)) => stage,
            _ => Stage::Stopped,
        };
        match branch.parent {
            Some((parent, index)) => self.child_failed(parent, index, failure.of_task, failure.heartbeat, error),
            None => {
                let previous = branch.last_event;
                self.finish(previous, Outcome::Failed { error: error.error, cause: error.cause });
            }
        }
    }

    /// Fails the whole execution from within a branch.
    pub(super) fn fail_execution(&mut self, id: BranchId, failure: &Failure, names_state: bool) {
        let branch = self.execution.branches.get(&id);
        let previous = branch.map_or(self.execution.last_event_id, |branch| branch.last_event);
        let error = match branch {
            Some(branch) if names_state => failure.to_error(&self.state_of(branch).name, branch.entered_event),
            _ => failure.bare(),
        };
        self.stop_everything();
        self.finish(previous, Outcome::Failed { error: error.error, cause: error.cause });
    }

    /// Stops a branch and everything below it, recording what was aborted. Its remains stay, for a redrive.
    pub(super) fn abort(&mut self, id: BranchId) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let is_open = !matches!(branch.stage, Stage::Stopped | Stage::StoppedMapRun(_) | Stage::Enter);
        self.abort_running(id, state);
        self.halt(id);
        let event_type = match &state.kind {
            Kind::Task(_) => EventType::TaskStateAborted,
            Kind::Wait(_) => EventType::WaitStateAborted,
            Kind::Parallel { .. } => EventType::ParallelStateAborted,
            Kind::Map(_) => EventType::MapStateAborted,
            _ => return,
        };
        if is_open {
            self.record_in(id, event_type, EventDetails::None);
        }
    }

    /// Takes back what a branch is waiting for.
    fn halt(&mut self, id: BranchId) {
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        match std::mem::replace(&mut branch.stage, Stage::Stopped) {
            Stage::Waiting(timer) | Stage::Backoff(timer) => self.cancel_timer(Some(timer)),
            Stage::Task(task) => {
                if let Some(open) = self.execution.tasks.remove(&task) {
                    self.cancel_timer(open.timeout);
                    self.cancel_timer(open.heartbeat);
                    self.cancel(task, false);
                }
            }
            Stage::MapRun(task) => {
                if let Some(open) = self.execution.tasks.remove(&task) {
                    let details = EventDetails::None;
                    self.record_in(id, EventType::MapRunAborted, details);
                    self.cancel(task, true);
                    if let (Some(arn), Some(branch)) = (open.map_run, self.execution.branches.get_mut(&id)) {
                        branch.stage = Stage::StoppedMapRun(arn);
                    }
                }
            }
            // What ended stays; what had not begun is begun by a redrive.
            stage @ (Stage::Fork(_) | Stage::StoppedMapRun(_) | Stage::Enter) => branch.stage = stage,
            Stage::Attempt | Stage::Stopped => {}
        }
    }

    /// Aborts every branch.
    pub(super) fn abort_everything(&mut self) {
        self.abort(BranchId::ROOT);
    }

    /// Halts every branch without a word in the history.
    fn stop_everything(&mut self) {
        let branches: Vec<BranchId> = self.execution.branches.keys().copied().collect();
        let recorded = self.effects.history.len();
        let last_event_id = self.execution.last_event_id;
        for id in branches {
            self.halt(id);
            let Some(Stage::Fork(fork)) = self.execution.branches.get_mut(&id).map(|branch| &mut branch.stage) else {
                continue;
            };
            for slot in &mut fork.children {
                if let Child::Running(child) = *slot {
                    *slot = Child::Unsuccessful(child);
                }
            }
            fork.running = 0;
        }
        self.effects.history.truncate(recorded);
        self.execution.last_event_id = last_event_id;
    }

    /// Forgets the children of a state that is retried or whose failure is caught.
    fn drop_children(&mut self, id: BranchId) {
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        if let Stage::Fork(fork) = std::mem::replace(&mut branch.stage, Stage::Attempt) {
            for child in fork.children {
                if let Child::Running(child) | Child::Unsuccessful(child) = child {
                    self.drop_children(child);
                    self.execution.branches.remove(&child);
                }
            }
        }
    }
}

/// Whether an `ErrorEquals` list names a failure.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>. Recordings show that
/// `States.ALL` does cover a task's `States.DataLimitExceeded`, whatever the page says.
pub(crate) fn covers(names: &[Box<str>], failure: &Failure) -> bool {
    let error = failure.error();
    let is_timeout = error == Some(ErrorName::Timeout.as_str());
    names.iter().any(|name| {
        Some(&**name) == error
            || &**name == ErrorName::All.as_str()
            || (&**name == ErrorName::TaskFailed.as_str() && failure.of_task && !is_timeout)
            || (&**name == ErrorName::HeartbeatTimeout.as_str() && failure.heartbeat)
    })
}

/// How long to wait before a retry, before jitter.
pub(crate) fn delay_millis(retrier: &Retrier, attempt: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
    let (interval, most) = (
        retrier.interval_seconds as f64,
        retrier.max_delay_seconds.unwrap_or(crate::limits::EXECUTION_SECONDS_MAX) as f64,
    );
    let seconds = interval * retrier.backoff_rate.powi(i32::try_from(attempt).unwrap_or(i32::MAX));
    seconds.min(most) * 1_000.0
}
