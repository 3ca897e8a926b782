//! Parallel states, inline Maps, and the start of Distributed Maps.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Engine, context};
use crate::command::{Command, TaskProgress};
use crate::dataflow::{Trace, View, is_readable, within_quotas};
use crate::env::UnixMillis;
use crate::error::{ErrorName, StateError};
use crate::event::{MapRunOutcome, TaskId};
use crate::execution::{Branch, BranchId, Child, Fork, MapItem, OpenTask, Stage, Tolerance};
use crate::facts::{Facts, Variables};
use crate::failure::{Failure, Reason};
use crate::history::{EventDetails, EventType};
use crate::limits::INLINE_MAP_CONCURRENCY_MAX;
use crate::machine::model::{Items, Kind, Map, MapMode, ScopeId, State};
use crate::map_run::MapRun;
use crate::payload::Payload;
use crate::template::Template;

impl<'a> Engine<'a, '_> {
    pub(super) fn fork_branches(&mut self, id: BranchId, state: &'a State, branches: &[ScopeId]) {
        let input = self.evaluate(id, state, |view, _| {
            let input = view.input(&mut Trace::default())?;
            let input = view.arguments(&input, &mut Trace::default())?;
            within_quotas(&input, &state.name).map(|()| input)
        });
        let input = match input {
            Ok(input) => input,
            Err(failure) => return self.fail(id, failure),
        };
        let started = self.record_in(id, EventType::ParallelStateStarted, EventDetails::None);
        let count = branches.len() as u64;
        let fork = Fork {
            children: Vec::with_capacity(branches.len()),
            pending: VecDeque::new(),
            running: 0,
            concurrency: count,
            tolerance: Tolerance::default(),
        };
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.stage = Stage::Fork(fork);
        }
        for (index, scope) in branches.iter().enumerate() {
            self.begin_child(id, index as u64, *scope, input.clone(), started, None);
        }
    }

    /// Adds a child branch and puts it in line.
    fn begin_child(
        &mut self,
        parent: BranchId,
        index: u64,
        scope: ScopeId,
        input: Payload,
        last_event: u64,
        item: Option<MapItem>,
    ) {
        let child = BranchId(self.execution.fresh_id());
        let branch = Branch {
            parent: Some((parent, index)),
            state: self.machine.scope(scope).start_at,
            input,
            entered_at: UnixMillis(0),
            entered_event: 0,
            before_entered: 0,
            last_event,
            variables: Variables::new(),
            item,
            retries: Vec::new(),
            stage: Stage::Enter,
        };
        self.execution.branches.insert(child, branch);
        if let Some(fork) = self.fork_of(parent) {
            fork.children.push(Child::Running(child));
            fork.running += 1;
        }
        self.ready.push_back(child);
    }

    fn fork_of(&mut self, id: BranchId) -> Option<&mut Fork> {
        match self.execution.branches.get_mut(&id).map(|branch| &mut branch.stage) {
            Some(Stage::Fork(fork)) => Some(fork),
            _ => None,
        }
    }

    pub(super) fn fork_items(&mut self, id: BranchId, state: &'a State, map: &'a Map) {
        match map.mode {
            MapMode::Inline => self.start_iterations(id, state, map),
            MapMode::Distributed(_) => self.start_map_run(id, state, map),
        }
    }

    fn start_iterations(&mut self, id: BranchId, state: &'a State, map: &'a Map) {
        let plan = self.evaluate(id, state, |view, _| plan(view, map, &mut Trace::default()));
        let (items, concurrency, tolerance) = match plan {
            Ok(Plan { items: Some(items), concurrency, tolerance, .. }) => (items, concurrency, tolerance),
            Ok(_) => (Vec::new(), 0, Tolerance::default()),
            Err(failure) => return self.fail(id, failure),
        };
        self.record_in(id, EventType::MapStateStarted, EventDetails::MapStateStarted { length: items.len() as u64 });
        let fork = Fork {
            children: Vec::with_capacity(items.len()),
            pending: items.into_iter().map(Payload::from).collect(),
            running: 0,
            concurrency: if concurrency == 0 {
                INLINE_MAP_CONCURRENCY_MAX
            } else {
                concurrency.min(INLINE_MAP_CONCURRENCY_MAX)
            },
            tolerance,
        };
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.stage = Stage::Fork(fork);
        }
        self.begin_iterations(id, None);
    }

    /// Begins as many iterations as may run. `after` is the event the first of them follows, if not the Map's start.
    pub(super) fn begin_iterations(&mut self, id: BranchId, after: Option<u64>) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let Kind::Map(map) = &state.kind else { return };
        let previous = after.unwrap_or(branch.last_event);
        while let Some(fork) = self.fork_of(id) {
            if fork.running >= fork.concurrency {
                return;
            }
            let index = fork.children.len() as u64;
            let Some(value) = fork.pending.pop_front() else { break };
            let item = MapItem { index, value };
            let details = EventDetails::MapIteration { name: state.name.to_string(), index };
            let started = self.record(EventType::MapIterationStarted, details, previous);
            match self.iteration_input(id, state, map, &item) {
                Ok(input) => self.begin_child(id, index, map.processor, input, started, Some(item)),
                Err(failure) => {
                    if let Some(fork) = self.fork_of(id) {
                        // A redrive begins with this item.
                        fork.pending.push_front(item.value);
                    }
                    if !failure.fatal {
                        self.abort_running(id, state);
                    }
                    return self.fail(id, failure);
                }
            }
        }
        if self.fork_of(id).is_some_and(|fork| fork.running == 0) {
            self.join(id);
        }
    }

    /// What an iteration gets: the item, or what `ItemSelector` makes of it.
    fn iteration_input(
        &mut self,
        id: BranchId,
        state: &'a State,
        map: &'a Map,
        item: &MapItem,
    ) -> Result<Payload, Failure> {
        let Some(selector) = &map.item_selector else { return Ok(item.value.clone()) };
        let execution = &*self.execution;
        let make_context = || {
            let mut context = context::of(execution, state, id, None);
            if let Some(fields) = context.as_object_mut() {
                context::with_item(fields, item);
            }
            context
        };
        let facts = Facts::new(make_context, execution.scopes(id), self.env);
        let Some(branch) = execution.branches.get(&id) else { return Ok(item.value.clone()) };
        let view = View::new(state, &branch.input, &facts);
        let input = view.input(&mut Trace::default())?;
        let input = Payload::from(selector.evaluate(&view.sight(&input, None, None), "ItemSelector")?);
        within_quotas(&input, &state.name).map(|()| input)
    }

    pub(super) fn child_succeeded(&mut self, id: BranchId, index: u64, output: Payload) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let Some((child, last_event)) = self.take_child(id, index, Child::Succeeded(output)) else { return };
        self.execution.branches.remove(&child);
        let mut joined = last_event;
        if let Kind::Map(_) = state.kind {
            let details = EventDetails::MapIteration { name: state.name.to_string(), index };
            joined = self.record(EventType::MapIterationSucceeded, details, last_event);
        }
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.last_event = joined;
        }
        self.begin_iterations(id, Some(last_event));
        if matches!(state.kind, Kind::Parallel { .. }) && self.fork_of(id).is_some_and(|fork| fork.running == 0) {
            self.join(id);
        }
    }

    /// Puts what became of a running child into its place. Answers the child and its last event.
    fn take_child(&mut self, id: BranchId, index: u64, with: Child) -> Option<(BranchId, u64)> {
        let fork = self.fork_of(id)?;
        let slot = fork.children.get_mut(usize::try_from(index).ok()?)?;
        let Child::Running(child) = *slot else { return None };
        *slot = with;
        fork.running = fork.running.saturating_sub(1);
        Some((child, self.execution.branches.get(&child)?.last_event))
    }

    /// All children have ended, and not too many failed.
    fn join(&mut self, id: BranchId) {
        let Some(fork) = self.fork_of(id) else { return };
        let outputs = fork.children.iter().map(|child| match child {
            Child::Succeeded(output) => output.value().clone(),
            // A tolerated failure leaves a gap.
            Child::Running(_) | Child::Unsuccessful(_) => Value::Null,
        });
        let output = Payload::from(Value::Array(outputs.collect()));
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let event_type = match state.kind {
            Kind::Map(_) => EventType::MapStateSucceeded,
            _ => EventType::ParallelStateSucceeded,
        };
        // The next event does not follow this one but the same one.
        self.record(event_type, EventDetails::None, branch.last_event);
        if let Err(failure) = within_quotas(&output, &state.name) {
            return self.fail(id, failure);
        }
        self.leave_with_result(id, &output);
    }

    pub(super) fn child_failed(&mut self, id: BranchId, index: u64, of_task: bool, heartbeat: bool, error: StateError) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let child = match self.fork_of(id).and_then(|fork| fork.children.get(position)) {
            Some(Child::Running(child)) => *child,
            _ => return,
        };
        let Some((_, last_event)) = self.take_child(id, index, Child::Unsuccessful(child)) else { return };
        if let Kind::Map(_) = state.kind {
            let details = EventDetails::MapIteration { name: state.name.to_string(), index };
            self.record(EventType::MapIterationFailed, details, last_event);
        }
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.last_event = last_event;
        }
        let Some(fork) = self.fork_of(id) else { return };
        let failed = fork.children.iter().filter(|child| matches!(child, Child::Unsuccessful(_))).count() as u64;
        let total = (fork.children.len() + fork.pending.len()) as u64;
        if !fork.tolerance.is_exceeded(failed, total) {
            return self.begin_iterations(id, Some(last_event));
        }
        self.abort_running(id, state);
        let failure = Failure::plain(error.error, error.cause);
        self.fail(id, Failure { of_task, heartbeat, ..failure });
    }

    /// Aborts the children that still run. Their remains stay, for a redrive.
    pub(super) fn abort_running(&mut self, id: BranchId, state: &State) {
        let Some(fork) = self.fork_of(id) else { return };
        let running: Vec<(u64, BranchId)> = fork
            .children
            .iter()
            .zip(0_u64..)
            .filter_map(|(child, index)| match child {
                Child::Running(child) => Some((index, *child)),
                _ => None,
            })
            .collect();
        for (index, child) in running {
            self.abort(child);
            if let Kind::Map(_) = state.kind {
                let details = EventDetails::MapIteration { name: state.name.to_string(), index };
                self.record_in(child, EventType::MapIterationAborted, details);
            }
            self.take_child(id, index, Child::Unsuccessful(child));
        }
    }

    fn start_map_run(&mut self, id: BranchId, state: &'a State, map: &'a Map) {
        let plan = self.evaluate(id, state, |view, _| plan(view, map, &mut Trace::default()));
        let plan = match plan {
            Ok(plan) => plan,
            Err(failure) => return self.fail(id, failure),
        };
        let context = Payload::from(context::of(self.execution, state, id, None));
        if let Err(failure) = is_readable(&context) {
            return self.fail(id, failure);
        }
        let length = plan.items.as_ref().map_or(0, Vec::len) as u64;
        let run = self.map_run(id, state, map, plan, context);
        let task = TaskId(self.execution.fresh_id());
        self.record_in(id, EventType::MapStateStarted, EventDetails::MapStateStarted { length });
        let map_run_arn = run.arn().to_owned();
        self.record_in(id, EventType::MapRunStarted, EventDetails::MapRunStarted { map_run_arn: map_run_arn.clone() });
        self.effects.commands.push(Command::StartMapRun { task, run: Box::new(run) });
        self.open_map_run(id, task, map_run_arn);
    }

    fn open_map_run(&mut self, id: BranchId, task: TaskId, map_run: String) {
        let progress = TaskProgress::Scheduled;
        let open =
            OpenTask { branch: id, progress, call: None, map_run: Some(map_run), timeout: None, heartbeat: None };
        self.execution.tasks.insert(task, open);
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.stage = Stage::MapRun(task);
        }
    }

    fn map_run(&mut self, id: BranchId, state: &'a State, map: &'a Map, plan: Plan, context: Payload) -> MapRun {
        let label = map.label.clone().unwrap_or_else(|| self.env.uuid().replace('-', ""));
        let info = &self.execution.info;
        let base = info.state_machine_arn.replacen(":stateMachine:", ":mapRun:", 1);
        let arn = format!("{base}/{label}:{}", self.env.uuid());
        let execution = &*self.execution;
        let mut variables = Variables::new();
        for scope in execution.scopes(id).into_iter().rev() {
            variables.extend(scope.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        MapRun::new(arn, state.id, map, plan, context, variables)
    }

    /// Redrives the Map Run of a Distributed Map.
    pub(super) fn redrive_map_run(&mut self, id: BranchId, map_run_arn: String) {
        let task = TaskId(self.execution.fresh_id());
        let details = EventDetails::MapRunRedriven {
            map_run_arn: map_run_arn.clone(),
            redrive_count: self.execution.redrive_count,
        };
        self.record_in(id, EventType::MapRunRedriven, details);
        self.effects.commands.push(Command::RedriveMapRun { task, map_run_arn: map_run_arn.clone() });
        self.open_map_run(id, task, map_run_arn);
    }

    pub(super) fn map_run_finished(&mut self, task: TaskId, outcome: MapRunOutcome) {
        let is_map_run = self.execution.tasks.get(&task).is_some_and(|open| open.map_run.is_some());
        let Some(open) = is_map_run.then(|| self.execution.tasks.remove(&task)).flatten() else { return };
        let id = open.branch;
        if let (Some(arn), Some(branch)) = (open.map_run, self.execution.branches.get_mut(&id)) {
            branch.stage = Stage::StoppedMapRun(arn);
        }
        match outcome {
            MapRunOutcome::Succeeded { output } => {
                self.record_in(id, EventType::MapRunSucceeded, EventDetails::None);
                let Some(branch) = self.execution.branches.get(&id) else { return };
                let (state, previous) = (self.state_of(branch), branch.last_event);
                self.record(EventType::MapStateSucceeded, EventDetails::None, previous);
                if let Err(failure) = within_quotas(&output, &state.name) {
                    return self.fail(id, failure);
                }
                self.leave_with_result(id, &output);
            }
            MapRunOutcome::Failed { error, cause } => {
                let details = super::error_details(&error, &cause);
                self.record_in(id, EventType::MapRunFailed, details);
                self.fail(id, Failure::plain(error, cause));
            }
            MapRunOutcome::Aborted => {
                self.record_in(id, EventType::MapRunAborted, EventDetails::None);
                let error = Some(ErrorName::TaskFailed.as_str().to_owned());
                self.fail(id, Failure::plain(error, Some("The Map Run was aborted.".to_owned())));
            }
        }
    }
}

/// A Map state's fields, evaluated.
pub(crate) struct Plan {
    /// The state's effective input.
    pub(crate) input: Payload,
    /// The items, unless a reader reads them.
    pub(crate) items: Option<Vec<Value>>,
    pub(crate) concurrency: u64,
    pub(crate) tolerance: Tolerance,
    pub(crate) batch_items: Option<u64>,
    pub(crate) batch_bytes: Option<u64>,
    pub(crate) batch_input: Option<Payload>,
    pub(crate) reader_arguments: Option<Payload>,
    pub(crate) reader_max_items: Option<u64>,
    pub(crate) writer_arguments: Option<Payload>,
}

/// Evaluates a Map state's fields, in the order in which failures are found.
pub(crate) fn plan(view: &View<'_, '_>, map: &Map, trace: &mut Trace) -> Result<Plan, Failure> {
    let input = view.input(trace)?;
    let whole = |field: &Option<_>, name| field.as_ref().map(|field| view.whole(field, name, &input)).transpose();
    let items = if map.reader.is_some() { None } else { Some(items(view, map, &input)?) };
    let concurrency = whole(&map.max_concurrency, "MaxConcurrency")?.unwrap_or(0);
    let percentage = map.tolerated_percentage.as_ref();
    let tolerance = Tolerance {
        count: whole(&map.tolerated_count, "ToleratedFailureCount")?,
        percentage: percentage.map(|field| view.number(field, "ToleratedFailurePercentage", &input)).transpose()?,
    };
    let template = |template: Option<&Template>, field: &str| {
        let Some(template) = template else { return Ok(None) };
        let value = Payload::from(template.evaluate(&view.sight(&input, None, None), field)?);
        within_quotas(&value, &view.state.name).map(|()| Some(value))
    };
    let batcher = map.item_batcher.as_ref();
    let batch = |field: Option<&_>, name| field.map(|field| view.whole(field, name, &input)).transpose();
    let reader = map.reader.as_ref();
    let arguments =
        if view.state.language == crate::machine::model::QueryLanguage::Jsonata { "Arguments" } else { "Parameters" };
    Ok(Plan {
        batch_items: batch(batcher.and_then(|b| b.max_items.as_ref()), "MaxItemsPerBatch")?,
        batch_bytes: batch(batcher.and_then(|b| b.max_bytes.as_ref()), "MaxInputBytesPerBatch")?,
        batch_input: template(batcher.and_then(|b| b.batch_input.as_ref()), "ItemBatcher/BatchInput")?,
        reader_arguments: template(reader.and_then(|r| r.arguments.as_ref()), &format!("ItemReader/{arguments}"))?,
        reader_max_items: batch(reader.and_then(|r| r.max_items.as_ref()), "MaxItems")?,
        writer_arguments: template(
            map.writer.as_ref().and_then(|w| w.arguments.as_ref()),
            &format!("ResultWriter/{arguments}"),
        )?,
        input,
        items,
        concurrency,
        tolerance,
    })
}

fn items(view: &View<'_, '_>, map: &Map, input: &Payload) -> Result<Vec<Value>, Failure> {
    match &map.items {
        Items::Path(path) => {
            let found = view.filtered(path, input)?;
            let shown = match path {
                crate::machine::model::PathField::Path(path) => path.text().to_owned(),
                _ => "$".to_owned(),
            };
            match found.into_value() {
                Value::Array(items) => Ok(items),
                _ => Err(Failure::runtime(format!("Reference path \"{shown}\" must point to array."))),
            }
        }
        Items::Template(template) => match (template.evaluate(&view.sight(input, None, None), "Items")?, template) {
            (found @ Value::Array(_), _) => {
                let found = Payload::from(found);
                within_quotas(&found, &view.state.name)?;
                match found.into_value() {
                    Value::Array(items) => Ok(items),
                    _ => Ok(Vec::new()),
                }
            }
            (found, Template::Query(expression)) => {
                let reason = Reason::Type { expected: "array", found: &found };
                Err(Failure::evaluation(expression.source(), "Items", &reason))
            }
            _ => Err(Failure::runtime("The Items field must be an array.")),
        },
    }
}
