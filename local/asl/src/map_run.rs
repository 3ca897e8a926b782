//! The Map Run: the children of one Distributed Map state.
//!
//! A Distributed Map runs each item, or batch of items, in a child execution of its own. Who does what:
//! - the parent's [`crate::transition`] evaluates the Map state and issues [`crate::Command::StartMapRun`];
//! - [`transition`] of this module decides: which item next, what its input is, whether too many failed, what the
//!   result is. It is as pure as the other one, and a [`MapRun`] is as durable as an [`crate::Execution`];
//! - the runner reads items, runs children ([`MapRun::child_machine`] with [`crate::Execution`]), writes results, and
//!   reports the end to the parent as [`crate::Event::MapRunFinished`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dataflow::{View, within_quotas};
use crate::engine::Plan;
use crate::env::{Env, UnixMillis};
use crate::error::ErrorName;
use crate::event::MapRunOutcome;
use crate::execution::{ExecutionKind, Outcome, Tolerance};
use crate::facts::{Facts, Variables};
use crate::failure::Failure;
use crate::limits::{DISTRIBUTED_MAP_CONCURRENCY_MAX, MAP_RUN_REDRIVES_MAX, PAYLOAD_BYTES_MAX};
use crate::machine::StateMachine;
use crate::machine::model::{Kind, Map, MapMode, StateId};
use crate::payload::Payload;
use crate::resource::Resource;

/// Something that happened to a Map Run. What is out of date is ignored.
#[derive(Debug, Clone, PartialEq)]
pub enum MapRunEvent {
    /// The run begins.
    Start,
    /// [`MapRunCommand::ReadItems`] was carried out: all items, in order.
    ItemsRead {
        /// The items.
        items: Vec<Value>,
    },
    /// [`MapRunCommand::ReadItems`] failed.
    ReadFailed {
        /// The reason; the error is `States.ItemReaderFailed`.
        cause: String,
    },
    /// A child execution ended.
    ChildFinished {
        /// Which child.
        index: u64,
        /// Its execution's ARN.
        execution_arn: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// [`MapRunCommand::WriteResults`] was carried out.
    ResultsWritten {
        /// The Map state's result: `MapRunArn` and `ResultWriterDetails` with `Bucket` and `Key`.
        output: Payload,
    },
    /// [`MapRunCommand::WriteResults`] failed.
    WriteFailed {
        /// The reason; the error is `States.ResultWriterFailed`.
        cause: String,
    },
    /// `UpdateMapRun`: other limits from now on.
    Update {
        /// Children at a time; 0 is no limit.
        max_concurrency: Option<u64>,
        /// Failed items tolerated.
        tolerated_failure_count: Option<u64>,
        /// Failed items tolerated, in percent.
        tolerated_failure_percentage: Option<f64>,
    },
    /// The parent's state ended otherwise, or the parent was stopped.
    Stop,
    /// The parent is redriven: children that did not succeed run again.
    Redrive,
}

/// Something the runner must do for a Map Run.
#[derive(Debug, Clone, PartialEq)]
pub enum MapRunCommand {
    /// Read all items and report [`MapRunEvent::ItemsRead`].
    ReadItems(ItemReader),
    /// Start a child execution of [`MapRun::child_machine`].
    StartChild {
        /// Which child, from 0.
        index: u64,
        /// Its input.
        input: Payload,
        /// How many items are in it.
        items: u64,
    },
    /// Run a child again that did not succeed: a Standard execution is redriven, an Express one started anew with the same
    /// input.
    RedriveChild {
        /// Which child.
        index: u64,
    },
    /// Stop a child execution.
    StopChild {
        /// Which child.
        index: u64,
    },
    /// Write the results and report [`MapRunEvent::ResultsWritten`].
    WriteResults(ResultWriter),
    /// The run ended. Tell the parent.
    Finish(MapRunOutcome),
}

/// Where items come from, everything evaluated.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemReader {
    /// `s3:getObject` or `s3:listObjectsV2`.
    pub resource: Resource,
    /// The call's parameters: `Bucket`, `Key`, `Prefix`, ...
    pub arguments: Payload,
    /// `JSON`, `JSONL`, `CSV`, `MANIFEST` or `PARQUET`; absent for a listing.
    pub input_type: Option<String>,
    /// `FIRST_ROW` or `GIVEN`, for CSV.
    pub csv_header_location: Option<String>,
    /// The column names when given.
    pub csv_headers: Vec<String>,
    /// `COMMA`, `PIPE`, `SEMICOLON`, `SPACE` or `TAB`; `COMMA` when absent.
    pub csv_delimiter: Option<String>,
    /// `ATHENA_DATA` or `S3_INVENTORY`, for a manifest.
    pub manifest_type: Option<String>,
    /// Which value of a JSON file is the array: a JSON pointer.
    pub items_pointer: Option<String>,
    /// `NONE` or `LOAD_AND_FLATTEN`, for a listing.
    pub transformation: Option<String>,
    /// Read no more than this many items.
    pub max_items: Option<u64>,
}

/// Where results go, everything evaluated.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultWriter {
    /// `s3:putObject`; absent when only the form of the result is configured.
    pub resource: Option<Resource>,
    /// `Bucket` and `Prefix`.
    pub arguments: Payload,
    /// `NONE`, `COMPACT` or `FLATTEN`.
    pub transformation: Option<String>,
    /// `JSON` or `JSONL`.
    pub output_type: Option<String>,
}

/// How many items and children are where, as `DescribeMapRun` counts them.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_MapRunItemCounts.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MapRunCounts {
    /// Not started.
    pub pending: u64,
    /// Running.
    pub running: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Timed out.
    pub timed_out: u64,
    /// Stopped, or never started because the run ended.
    pub aborted: u64,
    /// All.
    pub total: u64,
    /// Succeeded and written.
    pub results_written: u64,
    /// Failed, and a redrive will not run them again.
    pub failures_not_redrivable: u64,
    /// Waiting to be redriven.
    pub pending_redrive: u64,
}

/// Where a Map Run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MapRunStatus {
    /// Reading, running children, or writing.
    Running,
    /// Ended well.
    Succeeded,
    /// Too many failures, or reader or writer failed.
    Failed,
    /// Stopped.
    Aborted,
}

/// The durable state of one Map Run.
///
/// It serialises as a whole. A runner that stores it at every step should rather store each child on its own, so that a
/// step costs the same however many children there are: [`MapRun::without_children`] and
/// [`MapRun::take_changed_children`] take it apart, [`MapRun::put_children`] puts it together again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapRun {
    arn: String,
    state: StateId,
    kind: ExecutionKind,
    /// The Map state's effective input, for `ItemSelector`.
    input: Payload,
    context: Payload,
    #[serde(default)]
    variables: Variables,
    reader: Option<ItemReader>,
    writer: Option<ResultWriter>,
    /// Items in a batch, bytes in a batch; neither without `ItemBatcher`.
    batch_items: Option<u64>,
    batch_bytes: Option<u64>,
    batch_input: Option<Payload>,
    is_batched: bool,
    concurrency: u64,
    tolerance: Tolerance,
    #[serde(default)]
    children: Vec<MapChild>,
    /// Children before this one have been started.
    #[serde(default)]
    next: usize,
    #[serde(default)]
    running: u64,
    phase: Phase,
    redrive_count: u32,
    started_at: Option<UnixMillis>,
    ended_at: Option<UnixMillis>,
    outcome: Option<MapRunOutcome>,
    /// The children that are not as [`MapRun::take_changed_children`] last gave them.
    #[serde(skip)]
    changed: BTreeSet<usize>,
    /// Counted when first needed, and kept from then on.
    #[serde(skip)]
    tally: Option<Tally>,
}

/// Items, as the tolerance counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tally {
    unsuccessful: u64,
    total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    New,
    Reading,
    Running,
    Writing,
    Ended,
}

/// One child execution of a [`MapRun`]: one item, or one batch of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapChild {
    input: Payload,
    items: u64,
    status: ChildStatus,
    /// It has run before.
    #[serde(default)]
    is_redriven: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    execution_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum ChildStatus {
    Pending,
    PendingRedrive,
    Running,
    Ended,
}

/// One child's outcome, for the runner that writes results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChildResult<'a> {
    /// Which child.
    pub index: u64,
    /// Its input.
    pub input: &'a Payload,
    /// Its execution's ARN; absent when it was never started.
    pub execution_arn: Option<&'a str>,
    /// How it ended; absent while it runs.
    pub outcome: Option<&'a Outcome>,
}

impl MapRun {
    pub(crate) fn new(
        arn: String,
        state: StateId,
        map: &Map,
        plan: Plan,
        context: Payload,
        variables: Variables,
    ) -> Self {
        let reader = map.reader.as_ref().map(|reader| ItemReader {
            resource: reader.resource.clone(),
            arguments: plan.reader_arguments.unwrap_or_default(),
            input_type: reader.input_type.clone(),
            csv_header_location: reader.csv_header_location.clone(),
            csv_headers: reader.csv_headers.clone(),
            csv_delimiter: reader.csv_delimiter.clone(),
            manifest_type: reader.manifest_type.clone(),
            items_pointer: reader.items_pointer.clone(),
            transformation: reader.transformation.clone(),
            max_items: plan.reader_max_items.filter(|max| *max > 0),
        });
        let writer = map.writer.as_ref().map(|writer| ResultWriter {
            resource: writer.resource.clone(),
            arguments: plan.writer_arguments.unwrap_or_default(),
            transformation: writer.transformation.clone(),
            output_type: writer.output_type.clone(),
        });
        let kind = match map.mode {
            MapMode::Distributed(kind) => kind,
            MapMode::Inline => ExecutionKind::Standard,
        };
        let mut run = Self {
            arn,
            state,
            kind,
            input: plan.input,
            context,
            variables,
            reader,
            writer,
            batch_items: plan.batch_items.filter(|max| *max > 0),
            batch_bytes: plan.batch_bytes.filter(|max| *max > 0),
            batch_input: plan.batch_input,
            is_batched: map.item_batcher.is_some(),
            concurrency: plan.concurrency,
            tolerance: plan.tolerance,
            children: Vec::new(),
            next: 0,
            running: 0,
            phase: Phase::New,
            redrive_count: 0,
            started_at: None,
            ended_at: None,
            outcome: None,
            changed: BTreeSet::new(),
            tally: None,
        };
        // Items at hand wait as children of one item each until the first event makes inputs of them.
        run.children = plan.items.unwrap_or_default().into_iter().map(|item| MapChild::new(item.into(), 1)).collect();
        run
    }

    /// The run's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// What its children are: Standard or Express.
    #[must_use]
    pub fn child_kind(&self) -> ExecutionKind {
        self.kind
    }

    /// The machine its children run, given the parent's.
    #[must_use]
    pub fn child_machine(&self, parent: &StateMachine) -> StateMachine {
        match &parent.state(self.state).kind {
            Kind::Map(map) => parent.processor(map.processor),
            _ => parent.clone(),
        }
    }

    /// The name of the Map state.
    #[must_use]
    pub fn state_name<'m>(&self, parent: &'m StateMachine) -> &'m str {
        &parent.state(self.state).name
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> MapRunStatus {
        match &self.outcome {
            None => MapRunStatus::Running,
            Some(MapRunOutcome::Succeeded { .. }) => MapRunStatus::Succeeded,
            Some(MapRunOutcome::Failed { .. }) => MapRunStatus::Failed,
            Some(MapRunOutcome::Aborted) => MapRunStatus::Aborted,
        }
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&MapRunOutcome> {
        self.outcome.as_ref()
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> Option<UnixMillis> {
        self.started_at
    }

    /// When it ended, if it has.
    #[must_use]
    pub fn ended_at(&self) -> Option<UnixMillis> {
        self.ended_at
    }

    /// How often it has been redriven.
    #[must_use]
    pub fn redrive_count(&self) -> u32 {
        self.redrive_count
    }

    /// Children at a time; 0 is no limit.
    #[must_use]
    pub fn max_concurrency(&self) -> u64 {
        self.concurrency
    }

    /// Failed items tolerated.
    #[must_use]
    pub fn tolerated_failure_count(&self) -> u64 {
        self.tolerance.count.unwrap_or(0)
    }

    /// Failed items tolerated, in percent.
    #[must_use]
    pub fn tolerated_failure_percentage(&self) -> f64 {
        self.tolerance.percentage.unwrap_or(0.0)
    }

    /// The counts over items.
    #[must_use]
    pub fn item_counts(&self) -> MapRunCounts {
        self.counts(|child| child.items)
    }

    /// The counts over child executions; the same as over items unless items are batched.
    #[must_use]
    pub fn execution_counts(&self) -> MapRunCounts {
        self.counts(|_| 1)
    }

    fn counts(&self, weight: impl Fn(&MapChild) -> u64) -> MapRunCounts {
        let mut counts = MapRunCounts::default();
        let ended = self.phase == Phase::Ended;
        for child in &self.children {
            let weight = weight(child);
            counts.total += weight;
            let place = match (child.status, child.outcome.as_ref()) {
                (ChildStatus::PendingRedrive, _) => &mut counts.pending_redrive,
                (_, Some(Outcome::Succeeded { .. })) => &mut counts.succeeded,
                (_, Some(Outcome::Failed { .. })) => &mut counts.failed,
                (_, Some(Outcome::TimedOut { .. })) => &mut counts.timed_out,
                (_, Some(Outcome::Aborted { .. })) => &mut counts.aborted,
                (ChildStatus::Running, None) => &mut counts.running,
                (_, None) if ended => &mut counts.aborted,
                (_, None) => &mut counts.pending,
            };
            *place += weight;
        }
        if self.writer.is_some() && matches!(self.outcome, Some(MapRunOutcome::Succeeded { .. })) {
            counts.results_written = counts.succeeded;
        }
        counts
    }

    /// The children so far, in order, for writing results and listing executions.
    pub fn results(&self) -> impl Iterator<Item = ChildResult<'_>> {
        self.children.iter().enumerate().map(|(index, child)| ChildResult {
            index: index as u64,
            input: &child.input,
            execution_arn: child.execution_arn.as_deref(),
            outcome: child.outcome.as_ref(),
        })
    }

    /// What `store` makes of the state without its children.
    pub fn without_children<T>(&mut self, store: impl FnOnce(&Self) -> T) -> T {
        let children = std::mem::take(&mut self.children);
        let stored = store(self);
        self.children = children;
        stored
    }

    /// The children that have changed since this was last asked, with their indexes.
    pub fn take_changed_children(&mut self) -> Vec<(u64, &MapChild)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|index| Some((index as u64, self.children.get(index)?))).collect()
    }

    /// Puts back the children that were stored on their own, in the order of their indexes. A run that was stored whole
    /// keeps the children it has.
    pub fn put_children(&mut self, children: Vec<MapChild>) {
        if self.children.is_empty() {
            self.children = children;
        } else {
            self.changed = (0..self.children.len()).collect();
        }
    }

    /// Commands that are outstanding, as [`crate::Execution::pending`]. A child that was started may have to be joined
    /// rather than started again.
    #[must_use]
    pub fn pending(&self) -> Vec<MapRunCommand> {
        match self.phase {
            Phase::New | Phase::Ended => Vec::new(),
            Phase::Reading => self.reader.clone().map(MapRunCommand::ReadItems).into_iter().collect(),
            Phase::Writing => self.writer.clone().map(MapRunCommand::WriteResults).into_iter().collect(),
            Phase::Running => {
                let running = self.children.iter().enumerate().filter(|(_, c)| c.status == ChildStatus::Running);
                running.map(|(index, child)| start(index, child)).collect()
            }
        }
    }
}

impl MapChild {
    fn new(input: Payload, items: u64) -> Self {
        Self { input, items, status: ChildStatus::Pending, is_redriven: false, execution_arn: None, outcome: None }
    }

    fn succeeded(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Succeeded { .. }))
    }

    fn is_unsuccessful(&self) -> bool {
        self.outcome.is_some() && !self.succeeded()
    }
}

/// How to get a child going.
fn start(index: usize, child: &MapChild) -> MapRunCommand {
    let index = index as u64;
    if child.is_redriven {
        return MapRunCommand::RedriveChild { index };
    }
    MapRunCommand::StartChild { index, input: child.input.clone(), items: child.items }
}

/// Moves a Map Run on by one event.
pub fn transition(
    parent: &StateMachine,
    run: &mut MapRun,
    event: MapRunEvent,
    env: &mut Env<'_>,
) -> Vec<MapRunCommand> {
    let mut commands = Vec::new();
    let is_open = !matches!(run.phase, Phase::New | Phase::Ended);
    match event {
        MapRunEvent::Start if run.phase == Phase::New => {
            run.started_at = Some(env.now);
            if let Some(reader) = &run.reader {
                run.phase = Phase::Reading;
                commands.push(MapRunCommand::ReadItems(reader.clone()));
            } else {
                let items = std::mem::take(&mut run.children).into_iter().map(|child| child.input.into_value());
                run.prepare(parent, items.collect(), env, &mut commands);
            }
        }
        MapRunEvent::ItemsRead { items } if run.phase == Phase::Reading => {
            run.prepare(parent, items, env, &mut commands);
        }
        MapRunEvent::ReadFailed { cause } if run.phase == Phase::Reading => {
            run.fail(ErrorName::ItemReaderFailed, cause, env, &mut commands);
        }
        MapRunEvent::ChildFinished { index, execution_arn, outcome } if run.phase == Phase::Running => {
            run.child_finished(index, execution_arn, outcome, env, &mut commands);
        }
        MapRunEvent::ResultsWritten { output } if run.phase == Phase::Writing => {
            run.finish(MapRunOutcome::Succeeded { output }, env, &mut commands);
        }
        MapRunEvent::WriteFailed { cause } if run.phase == Phase::Writing => {
            run.fail(ErrorName::ResultWriterFailed, cause, env, &mut commands);
        }
        MapRunEvent::Update { max_concurrency, tolerated_failure_count, tolerated_failure_percentage } if is_open => {
            run.concurrency = max_concurrency.unwrap_or(run.concurrency);
            run.tolerance.count = tolerated_failure_count.or(run.tolerance.count);
            run.tolerance.percentage = tolerated_failure_percentage.or(run.tolerance.percentage);
            if run.failures_exceed_tolerance() {
                run.give_up(env, &mut commands);
            } else {
                run.proceed(env, &mut commands);
            }
        }
        MapRunEvent::Stop if is_open => {
            run.stop_children(&mut commands);
            run.finish(MapRunOutcome::Aborted, env, &mut commands);
        }
        MapRunEvent::Redrive if run.phase == Phase::Ended => run.redrive(env, &mut commands),
        // Out of date.
        _ => {}
    }
    commands
}

impl MapRun {
    /// Makes children of the items.
    fn prepare(
        &mut self,
        parent: &StateMachine,
        mut items: Vec<Value>,
        env: &mut Env<'_>,
        commands: &mut Vec<MapRunCommand>,
    ) {
        if let Some(max) = self.reader.as_ref().and_then(|reader| reader.max_items) {
            items.truncate(usize::try_from(max).unwrap_or(usize::MAX));
        }
        let mut inputs = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match self.select(parent, index as u64, item, env) {
                Ok(input) => inputs.push(input),
                Err(failure) => {
                    let error = failure.to_error(&parent.state(self.state).name, 0);
                    let outcome = MapRunOutcome::Failed { error: error.error, cause: error.cause };
                    return self.finish(outcome, env, commands);
                }
            }
        }
        self.children = if self.is_batched {
            self.batches(inputs)
        } else {
            inputs.into_iter().map(|input| MapChild::new(input, 1)).collect()
        };
        self.changed = (0..self.children.len()).collect();
        self.tally = None;
        self.next = 0;
        self.phase = Phase::Running;
        self.proceed(env, commands);
    }

    /// What a child gets of an item.
    fn select(&self, parent: &StateMachine, index: u64, item: Value, env: &mut Env<'_>) -> Result<Payload, Failure> {
        let state = parent.state(self.state);
        let Kind::Map(map) = &state.kind else { return Ok(item.into()) };
        let item = Payload::from(item);
        let Some(selector) = &map.item_selector else { return Ok(item) };
        let make_context = || {
            let mut context = self.context.value().clone();
            if let Some(fields) = context.as_object_mut() {
                let item = serde_json::json!({"Index": index, "Value": item.value()});
                fields.insert("Map".to_owned(), serde_json::json!({"Item": item}));
            }
            context
        };
        let facts = Facts::new(make_context, vec![&self.variables], env);
        let view = View::new(state, &self.input, &facts);
        let input = Payload::from(selector.evaluate(&view.sight(&self.input, None, None), "ItemSelector")?);
        within_quotas(&input, &state.name).map(|()| input)
    }

    /// Batches: `{"BatchInput": ..., "Items": [...]}`.
    fn batches(&self, inputs: Vec<Payload>) -> Vec<MapChild> {
        let most_items = self.batch_items.unwrap_or(u64::MAX);
        let most_bytes = self.batch_bytes.unwrap_or(PAYLOAD_BYTES_MAX as u64);
        let wrap = |items: Vec<Value>| {
            let mut batch = serde_json::Map::new();
            if let Some(input) = &self.batch_input {
                batch.insert("BatchInput".to_owned(), input.value().clone());
            }
            let count = items.len() as u64;
            batch.insert("Items".to_owned(), Value::Array(items));
            MapChild::new(Payload::from(Value::Object(batch)), count)
        };
        let around = wrap(Vec::new()).input.size_bytes() as u64;
        let mut batches = Vec::new();
        let (mut batch, mut bytes) = (Vec::new(), around);
        for input in inputs {
            let size = input.size_bytes() as u64 + 1;
            if !batch.is_empty() && (batch.len() as u64 >= most_items || bytes + size > most_bytes) {
                batches.push(wrap(std::mem::take(&mut batch)));
                bytes = around;
            }
            bytes += size;
            batch.push(input.into_value());
        }
        if !batch.is_empty() {
            batches.push(wrap(batch));
        }
        batches
    }

    /// Starts as many children as may run; writes or ends when none is left.
    fn proceed(&mut self, env: &Env<'_>, commands: &mut Vec<MapRunCommand>) {
        if self.phase != Phase::Running {
            return;
        }
        let most = match self.concurrency {
            0 => DISTRIBUTED_MAP_CONCURRENCY_MAX,
            concurrency => concurrency.min(DISTRIBUTED_MAP_CONCURRENCY_MAX),
        };
        while self.running < most {
            let waiting = |child: &MapChild| matches!(child.status, ChildStatus::Pending | ChildStatus::PendingRedrive);
            let Some(offset) = self.children.iter().skip(self.next).position(waiting) else {
                self.next = self.children.len();
                break;
            };
            let index = self.next + offset;
            self.next = index + 1;
            if let Some(child) = self.children.get_mut(index) {
                commands.push(start(index, child));
                child.status = ChildStatus::Running;
                child.outcome = None;
                self.running += 1;
                self.changed.insert(index);
            }
        }
        if self.running > 0 {
            return;
        }
        match self.writer.clone() {
            Some(writer) if writer.resource.is_some() => {
                self.phase = Phase::Writing;
                commands.push(MapRunCommand::WriteResults(writer));
            }
            _ => {
                let output = self.output();
                self.finish(MapRunOutcome::Succeeded { output }, env, commands);
            }
        }
    }

    /// The array of the children's outputs; a tolerated failure leaves its error.
    fn output(&self) -> Payload {
        let outputs = self.children.iter().map(|child| match &child.outcome {
            Some(Outcome::Succeeded { output }) => output.value().clone(),
            Some(
                Outcome::Failed { error, cause }
                | Outcome::TimedOut { error, cause }
                | Outcome::Aborted { error, cause },
            ) => serde_json::json!({"Error": error, "Cause": cause}),
            None => Value::Null,
        });
        Payload::from(Value::Array(outputs.collect()))
    }

    fn child_finished(
        &mut self,
        index: u64,
        execution_arn: String,
        outcome: Outcome,
        env: &Env<'_>,
        commands: &mut Vec<MapRunCommand>,
    ) {
        let Ok(index) = usize::try_from(index) else { return };
        let child = self.children.get_mut(index).filter(|child| child.status == ChildStatus::Running);
        let Some(child) = child else { return };
        child.status = ChildStatus::Ended;
        child.execution_arn = Some(execution_arn);
        child.outcome = Some(outcome);
        let (is_unsuccessful, items) = (child.is_unsuccessful(), child.items);
        self.changed.insert(index);
        self.running = self.running.saturating_sub(1);
        if is_unsuccessful {
            if let Some(tally) = &mut self.tally {
                tally.unsuccessful += items;
            }
            if self.failures_exceed_tolerance() {
                return self.give_up(env, commands);
            }
        }
        self.proceed(env, commands);
    }

    fn failures_exceed_tolerance(&mut self) -> bool {
        let Tally { unsuccessful, total } = *self.tally.get_or_insert_with(|| {
            let items = |children: &mut dyn Iterator<Item = &MapChild>| children.map(|child| child.items).sum();
            Tally {
                unsuccessful: items(&mut self.children.iter().filter(|child| child.is_unsuccessful())),
                total: items(&mut self.children.iter()),
            }
        });
        self.tolerance.is_exceeded(unsuccessful, total)
    }

    fn give_up(&mut self, env: &Env<'_>, commands: &mut Vec<MapRunCommand>) {
        self.stop_children(commands);
        let cause = "The specified tolerated failure threshold was exceeded".to_owned();
        self.fail(ErrorName::ExceedToleratedFailureThreshold, cause, env, commands);
    }

    fn stop_children(&mut self, commands: &mut Vec<MapRunCommand>) {
        for (index, child) in self.children.iter_mut().enumerate() {
            if child.status == ChildStatus::Running {
                child.status = ChildStatus::Ended;
                child.outcome = Some(Outcome::Aborted { error: None, cause: None });
                self.changed.insert(index);
                commands.push(MapRunCommand::StopChild { index: index as u64 });
            }
        }
        self.running = 0;
        self.tally = None;
    }

    fn fail(&mut self, error: ErrorName, cause: String, env: &Env<'_>, commands: &mut Vec<MapRunCommand>) {
        let error = Some(error.as_str().to_owned());
        self.finish(MapRunOutcome::Failed { error, cause: Some(cause) }, env, commands);
    }

    fn finish(&mut self, outcome: MapRunOutcome, env: &Env<'_>, commands: &mut Vec<MapRunCommand>) {
        self.phase = Phase::Ended;
        self.ended_at = Some(env.now);
        self.outcome = Some(outcome.clone());
        commands.push(MapRunCommand::Finish(outcome));
    }

    /// Runs again what did not succeed.
    fn redrive(&mut self, env: &Env<'_>, commands: &mut Vec<MapRunCommand>) {
        if matches!(self.outcome, Some(MapRunOutcome::Succeeded { .. })) {
            return;
        }
        if self.redrive_count >= MAP_RUN_REDRIVES_MAX {
            let cause = format!("The Map Run has been redriven {MAP_RUN_REDRIVES_MAX} times and cannot be redriven.");
            return self.fail(ErrorName::Runtime, cause, env, commands);
        }
        self.outcome = None;
        self.ended_at = None;
        self.redrive_count += 1;
        if let (Some(reader), true) = (&self.reader, self.children.is_empty()) {
            self.phase = Phase::Reading;
            commands.push(MapRunCommand::ReadItems(reader.clone()));
            return;
        }
        self.tally = None;
        for (index, child) in self.children.iter_mut().enumerate().filter(|(_, child)| !child.succeeded()) {
            self.changed.insert(index);
            if child.status == ChildStatus::Ended {
                child.status = ChildStatus::PendingRedrive;
                child.is_redriven = true;
            }
            child.outcome = None;
        }
        self.next = 0;
        self.phase = Phase::Running;
        self.proceed(env, commands);
    }
}
