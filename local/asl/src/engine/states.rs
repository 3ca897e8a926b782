//! Entering, doing and leaving states.

use serde_json::Value;

use super::{Engine, facts};
use crate::choice::decide;
use crate::dataflow::{Left, Trace, View};
use crate::env::UnixMillis;
use crate::execution::{BranchId, Outcome, Purpose, Stage};
use crate::facts::Facts;
use crate::failure::{Failure, Reason};
use crate::history::{EventDetails, EventType};
use crate::machine::model::{Choice, Kind, Next, State, Text, Wait};
use crate::payload::Payload;
use crate::template::query;
use crate::timestamp;

impl<'a> Engine<'a, '_> {
    /// One turn of a branch: enters its state if it must, and does the state's work.
    pub(super) fn step(&mut self, id: BranchId) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        match branch.stage {
            Stage::Enter => self.enter(id, state),
            Stage::Attempt => {}
            // Something else has happened to the branch since it was put in line.
            _ => return,
        }
        match &state.kind {
            Kind::Pass { result } => self.pass(id, state, result.as_ref()),
            Kind::Succeed => self.leave_with_input(id, state),
            Kind::Fail { error, cause } => self.fail_state(id, state, error.as_ref(), cause.as_ref()),
            Kind::Choice(choice) => self.choose(id, state, choice),
            Kind::Wait(wait) => self.wait(id, state, wait),
            Kind::Task(task) => self.schedule(id, state, task),
            Kind::Parallel { branches } => self.fork_branches(id, state, branches),
            Kind::Map(map) => self.fork_items(id, state, map),
        }
    }

    fn enter(&mut self, id: BranchId, state: &State) {
        let now = self.env.now;
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        branch.before_entered = branch.last_event;
        branch.entered_at = now;
        branch.stage = Stage::Attempt;
        branch.retries.clear();
        let details = EventDetails::StateEntered { name: state.name.to_string(), input: branch.input.clone() };
        let event = self.record_in(id, entered_type(&state.kind), details);
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.entered_event = event;
        }
    }

    /// Evaluates something of a branch's state.
    pub(super) fn evaluate<T>(
        &mut self,
        id: BranchId,
        state: &State,
        body: impl FnOnce(&View<'_, '_>, &Facts<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let facts = facts(self.execution, self.env, state, id);
        let Some(branch) = self.execution.branches.get(&id) else {
            return Err(Failure::runtime("The branch has ended."));
        };
        body(&View::new(state, &branch.input, &facts), &facts)
    }

    fn pass(&mut self, id: BranchId, state: &'a State, fixed: Option<&Value>) {
        let left = self.evaluate(id, state, |view, _| view.leave_pass(fixed, &mut Trace::default()));
        self.leave_or_fail(id, state, left, state.next);
    }

    pub(super) fn leave_with_input(&mut self, id: BranchId, state: &'a State) {
        let left = self.evaluate(id, state, |view, _| {
            let input = view.input(&mut Trace::default())?;
            view.leave_with_input(&input)
        });
        self.leave_or_fail(id, state, left, state.next);
    }

    fn fail_state(&mut self, id: BranchId, state: &'a State, error: Option<&Text>, cause: Option<&Text>) {
        let failure = self.evaluate(id, state, |view, _| {
            let input = view.input(&mut Trace::default())?;
            let text = |field: Option<&Text>, name| field.map(|field| view.text(field, name, &input)).transpose();
            Ok(Failure::plain(text(error, "Error")?, text(cause, "Cause")?))
        });
        let (Ok(failure) | Err(failure)) = failure;
        self.fail(id, failure);
    }

    fn choose(&mut self, id: BranchId, state: &'a State, choice: &'a Choice) {
        let left = self.evaluate(id, state, |view, _| {
            let input = view.input(&mut Trace::default())?;
            let index = decide(choice, view, &input)?;
            let rule = index.and_then(|index| Some((index, choice.rules.get(index)?)));
            let next = rule.map(|(_, rule)| rule.next).or(choice.default).ok_or_else(no_way_out)?;
            Ok((view.leave_choice(&input, rule)?, next))
        });
        match left {
            Ok((left, next)) => self.leave(id, state, left, Next::State(next)),
            Err(failure) => self.fail(id, failure),
        }
    }

    fn wait(&mut self, id: BranchId, state: &'a State, wait: &Wait) {
        let now = self.env.now;
        let until = self.evaluate(id, state, |view, facts| {
            let input = view.input(&mut Trace::default())?;
            wait_until(wait, view, facts, &input, now)
        });
        match until {
            Ok(until) => {
                let timer = self.set_timer(until, Purpose::Resume(id));
                if let Some(branch) = self.execution.branches.get_mut(&id) {
                    branch.stage = Stage::Waiting(timer);
                }
            }
            Err(failure) => self.fail(id, failure),
        }
    }

    /// The time of a Wait state has come.
    pub(super) fn leave_wait(&mut self, id: BranchId) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        self.leave_with_input(id, state);
    }

    pub(super) fn leave_or_fail(&mut self, id: BranchId, state: &'a State, left: Result<Left, Failure>, next: Next) {
        match left {
            Ok(left) => self.leave(id, state, left, next),
            Err(failure) => self.fail(id, failure),
        }
    }

    /// Leaves a state for the next, or ends the branch.
    pub(super) fn leave(&mut self, id: BranchId, state: &State, left: Left, next: Next) {
        if let Some(event_type) = exited_type(&state.kind) {
            let details = EventDetails::StateExited {
                name: state.name.to_string(),
                output: left.output.clone(),
                assigned_variables: left.assigned_for_history(),
            };
            self.record_in(id, event_type, details);
        }
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        branch.variables.extend(left.assigned);
        match next {
            Next::State(next) => {
                branch.state = next;
                branch.input = left.output;
                branch.stage = Stage::Enter;
                self.ready.push_back(id);
            }
            Next::End => self.end_branch(id, left.output),
        }
    }

    fn end_branch(&mut self, id: BranchId, output: Payload) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        match branch.parent {
            Some((parent, index)) => self.child_succeeded(parent, index, output),
            None => self.finish(branch.last_event, Outcome::Succeeded { output }),
        }
    }
}

fn no_way_out() -> Failure {
    Failure::runtime("Failed to transition out of the state. The state does not point to a next state.")
}

/// When a Wait state ends.
pub(crate) fn wait_until(
    wait: &Wait,
    view: &View<'_, '_>,
    facts: &Facts<'_>,
    input: &Payload,
    now: UnixMillis,
) -> Result<UnixMillis, Failure> {
    let (shown, parsed, field) = match wait {
        Wait::Seconds(seconds) => return Ok(now.plus_seconds(view.whole(seconds, "Seconds", input)?)),
        Wait::Timestamp(text) => (text.clone(), timestamp::parse(text), "Timestamp"),
        Wait::TimestampPath(path) => {
            let found = facts.select(path, input.value()).map_err(|e| Failure::template_path(&e, "TimestampPath"))?;
            let parsed = found.as_str().and_then(timestamp::parse);
            // As with SecondsPath: the path, and what it leads to.
            let shown = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            (format!("{} == {shown}", path.text()), parsed, "TimestampPath")
        }
        Wait::TimestampQuery(expression) => {
            let value = query(expression, &view.sight(input, None, None), "Timestamp")?;
            let Some(text) = value.as_str() else {
                let reason = Reason::Type { expected: "string", found: &value };
                return Err(Failure::evaluation(expression.source(), "Timestamp", &reason));
            };
            (text.to_owned(), timestamp::parse(text), "Timestamp")
        }
    };
    parsed.ok_or_else(|| {
        Failure::runtime(format!(
            "The {field} parameter does not reference a valid ISO-8601 extended offset date-time format string: {shown}"
        ))
    })
}

const fn entered_type(kind: &Kind) -> EventType {
    match kind {
        Kind::Pass { .. } => EventType::PassStateEntered,
        Kind::Task(_) => EventType::TaskStateEntered,
        Kind::Choice(_) => EventType::ChoiceStateEntered,
        Kind::Wait(_) => EventType::WaitStateEntered,
        Kind::Succeed => EventType::SucceedStateEntered,
        Kind::Fail { .. } => EventType::FailStateEntered,
        Kind::Parallel { .. } => EventType::ParallelStateEntered,
        Kind::Map(_) => EventType::MapStateEntered,
    }
}

const fn exited_type(kind: &Kind) -> Option<EventType> {
    match kind {
        Kind::Pass { .. } => Some(EventType::PassStateExited),
        Kind::Task(_) => Some(EventType::TaskStateExited),
        Kind::Choice(_) => Some(EventType::ChoiceStateExited),
        Kind::Wait(_) => Some(EventType::WaitStateExited),
        Kind::Succeed => Some(EventType::SucceedStateExited),
        Kind::Fail { .. } => None,
        Kind::Parallel { .. } => Some(EventType::ParallelStateExited),
        Kind::Map(_) => Some(EventType::MapStateExited),
    }
}
