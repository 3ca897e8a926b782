//! The transition function: what one event changes, records and asks for.
//!
//! A branch runs until it waits for the outside world. Branches that can run take turns, a state each, so that the
//! history of parallel branches interleaves as it does on AWS.

mod context;
mod fail;
mod fork;
mod redrive;
mod states;
mod task;

pub(crate) use fail::{covers, delay_millis};
pub(crate) use fork::{Plan, plan};
pub(crate) use states::wait_until;
pub(crate) use task::evaluate_call;

use std::collections::VecDeque;

use crate::command::Command;
use crate::env::{Env, UnixMillis};
use crate::event::{Event, TaskId, TimerId};
use crate::execution::{Branch, BranchId, Execution, ExecutionKind, OpenTimer, Outcome, Purpose, Stage};
use crate::facts::{Facts, Variables};
use crate::failure::Failure;
use crate::history::{EventDetails, EventType, HistoryEvent};
use crate::limits::HISTORY_EVENTS_MAX;
use crate::machine::StateMachine;
use crate::machine::model::State;

/// What one [`transition`] brought about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// New history events, in order.
    pub history: Vec<HistoryEvent>,
    /// What the runner must do, in order, once the execution and its history are stored.
    pub commands: Vec<Command>,
}

/// Moves an execution on by one event, until nothing more can happen without the outside world: a chain of Pass states
/// is one call. What is out of date changes nothing.
pub fn transition(machine: &StateMachine, execution: &mut Execution, event: Event, env: &mut Env<'_>) -> Effects {
    let mut engine =
        Engine { machine, execution, env, effects: Effects::default(), ready: VecDeque::new(), is_history_full: false };
    engine.handle(event);
    engine.run();
    engine.end_full_history(BranchId::ROOT);
    engine.effects
}

struct Engine<'a, 'e> {
    machine: &'a StateMachine,
    execution: &'a mut Execution,
    env: &'a mut Env<'e>,
    effects: Effects,
    /// Branches that can run.
    ready: VecDeque<BranchId>,
    /// The history has no room but for the event that ends the execution.
    is_history_full: bool,
}

impl<'a> Engine<'a, '_> {
    fn handle(&mut self, event: Event) {
        let is_started = self.execution.started_at.is_some();
        let is_running = is_started && self.execution.outcome.is_none();
        match event {
            Event::Start if !is_started => self.start(),
            Event::Redrive => self.redrive(),
            // Out of date: the execution has ended, or has not begun.
            _ if !is_running => {}
            Event::Start => {}
            Event::TaskStarted { task, worker } => self.task_started(task, worker),
            Event::TaskSubmitted { task, output } => self.task_submitted(task, output),
            Event::TaskSucceeded { task, output } => self.task_succeeded(task, output),
            Event::TaskFailed { task, phase, error, cause } => self.task_failed(task, phase, error, cause),
            Event::TaskTimedOut { task, error, cause } => self.task_timed_out(task, error, cause),
            Event::TaskHeartbeat { task } => self.task_heartbeat(task),
            Event::TimerFired { timer } => self.timer_fired(timer),
            Event::MapRunFinished { task, outcome } => self.map_run_finished(task, outcome),
            Event::Stop { error, cause } => self.stop(error, cause),
        }
    }

    fn run(&mut self) {
        while let Some(branch) = self.ready.pop_front() {
            if self.execution.outcome.is_some() {
                return;
            }
            self.step(branch);
            self.end_full_history(branch);
        }
    }

    /// Fails the execution when its history has no room left.
    fn end_full_history(&mut self, branch: BranchId) {
        if self.is_history_full && self.execution.outcome.is_none() {
            let cause = format!("The execution reached the maximum number of history events ({HISTORY_EVENTS_MAX}).");
            self.fail_execution(branch, &Failure::runtime(cause), false);
        }
    }

    fn start(&mut self) {
        let execution = &mut *self.execution;
        execution.started_at = Some(self.env.now);
        let details = EventDetails::ExecutionStarted {
            input: execution.input.clone(),
            role_arn: execution.info.role_arn.clone(),
            alias_arn: execution.info.alias_arn.clone(),
            version_arn: execution.info.version_arn.clone(),
        };
        let root = Branch {
            parent: None,
            state: self.machine.root().start_at,
            input: execution.input.clone(),
            entered_at: self.env.now,
            entered_event: 0,
            before_entered: 0,
            last_event: 0,
            variables: Variables::new(),
            item: None,
            retries: Vec::new(),
            stage: Stage::Enter,
        };
        execution.branches.insert(BranchId::ROOT, root);
        self.record(EventType::ExecutionStarted, details, 0);
        self.arm_execution_timeout();
        self.ready.push_back(BranchId::ROOT);
    }

    /// Arms the machine's `TimeoutSeconds`. A child of a Distributed Map has none of its own.
    fn arm_execution_timeout(&mut self) {
        if let Some(seconds) = self.machine.model().timeout_seconds.filter(|_| !self.machine.is_processor()) {
            self.set_timer(self.env.now.plus_seconds(seconds), Purpose::ExecutionTimeout);
        }
    }

    fn timer_fired(&mut self, timer: TimerId) {
        let Some(OpenTimer { at, purpose }) = self.execution.timers.get(&timer).cloned() else { return };
        if self.env.now < at {
            // It went off before a heartbeat moved it, and the news came after.
            self.effects.commands.push(Command::SetTimer { timer, at });
            return;
        }
        // The timer itself has gone off: nothing is left to cancel.
        self.execution.timers.remove(&timer);
        match purpose {
            Purpose::Resume(branch) => self.resume(branch, timer),
            Purpose::TaskTimeout(task) => self.task_overdue(task, false),
            Purpose::Heartbeat(task) => self.task_overdue(task, true),
            Purpose::ExecutionTimeout => self.time_out(),
        }
    }

    /// The end of a Wait state or of a backoff.
    fn resume(&mut self, id: BranchId, timer: TimerId) {
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        match branch.stage {
            Stage::Backoff(of) if of == timer => {
                branch.stage = Stage::Attempt;
                self.ready.push_back(id);
            }
            Stage::Waiting(of) if of == timer => self.leave_wait(id),
            _ => {}
        }
    }

    fn stop(&mut self, error: Option<String>, cause: Option<String>) {
        self.abort_everything();
        self.finish(self.execution.last_event_id, Outcome::Aborted { error, cause });
    }

    fn time_out(&mut self) {
        self.abort_everything();
        let error = Some(crate::ErrorName::Timeout.as_str().to_owned());
        self.finish(self.execution.last_event_id, Outcome::TimedOut { error, cause: None });
    }

    /// Ends the execution. `previous` is the event the terminal one points at.
    fn finish(&mut self, previous: u64, outcome: Outcome) {
        let (event_type, details) = match &outcome {
            Outcome::Succeeded { output } => {
                (EventType::ExecutionSucceeded, EventDetails::Output { output: output.clone() })
            }
            Outcome::Failed { error, cause } => (EventType::ExecutionFailed, error_details(error, cause)),
            Outcome::TimedOut { error, cause } => (EventType::ExecutionTimedOut, error_details(error, cause)),
            Outcome::Aborted { error, cause } => (EventType::ExecutionAborted, error_details(error, cause)),
        };
        self.is_history_full = false;
        self.record(event_type, details, previous);
        for task in std::mem::take(&mut self.execution.tasks) {
            self.cancel(task.0, task.1.map_run.is_some());
        }
        for timer in std::mem::take(&mut self.execution.timers).into_keys() {
            self.effects.commands.push(Command::CancelTimer { timer });
        }
        if matches!(outcome, Outcome::Succeeded { .. }) {
            // Nothing of it can be redriven.
            self.execution.branches.clear();
        }
        self.execution.ended_at = Some(self.env.now);
        self.execution.outcome = Some(outcome.clone());
        self.effects.commands.push(Command::Finish(outcome));
        self.ready.clear();
    }

    fn cancel(&mut self, task: TaskId, is_map_run: bool) {
        let command = if is_map_run { Command::CancelMapRun { task } } else { Command::CancelTask { task } };
        self.effects.commands.push(command);
    }

    fn set_timer(&mut self, at: UnixMillis, purpose: Purpose) -> TimerId {
        let timer = TimerId(self.execution.fresh_id());
        self.execution.timers.insert(timer, OpenTimer { at, purpose });
        self.effects.commands.push(Command::SetTimer { timer, at });
        timer
    }

    fn cancel_timer(&mut self, timer: Option<TimerId>) {
        if let Some(timer) = timer.filter(|timer| self.execution.timers.remove(timer).is_some()) {
            self.effects.commands.push(Command::CancelTimer { timer });
        }
    }

    /// Records an event that points at `previous`. Answers its number.
    fn record(&mut self, event_type: EventType, details: EventDetails, previous: u64) -> u64 {
        let id = self.execution.last_event_id + 1;
        let is_limited = self.execution.info.kind == ExecutionKind::Standard;
        if self.is_history_full || (is_limited && id >= HISTORY_EVENTS_MAX && !is_terminal(event_type)) {
            self.is_history_full = true;
            return previous;
        }
        self.execution.last_event_id = id;
        let timestamp = self.env.now;
        self.effects.history.push(HistoryEvent { timestamp, id, previous_event_id: previous, event_type, details });
        id
    }

    /// Records the next event of a branch.
    fn record_in(&mut self, id: BranchId, event_type: EventType, details: EventDetails) -> u64 {
        let previous = self.execution.branches.get(&id).map_or(0, |branch| branch.last_event);
        let event = self.record(event_type, details, previous);
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.last_event = event;
        }
        event
    }

    fn state_of(&self, branch: &Branch) -> &'a State {
        self.machine.state(branch.state)
    }
}

/// What a branch's expressions can refer to. Borrows the execution, so it lives for one evaluation.
fn facts<'f>(execution: &'f Execution, env: &'f mut Env<'_>, state: &'f State, branch: BranchId) -> Facts<'f> {
    let scopes = execution.scopes(branch);
    Facts::new(move || context::of(execution, state, branch, None), scopes, env)
}

fn error_details(error: &Option<String>, cause: &Option<String>) -> EventDetails {
    EventDetails::Error { error: error.clone(), cause: cause.clone() }
}

fn is_terminal(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::ExecutionSucceeded
            | EventType::ExecutionFailed
            | EventType::ExecutionTimedOut
            | EventType::ExecutionAborted
    )
}
