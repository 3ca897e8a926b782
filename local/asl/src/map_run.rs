//! The Map Run: the children of one Distributed Map state.
//!
//! A Distributed Map runs each item, or batch of items, in a child execution of its own. Who does what:
//! - the parent's [`crate::transition`] evaluates the Map state and issues [`crate::Command::StartMapRun`];
//! - [`transition`] of this module decides: which item next, what its input is, whether too many failed, what the
//!   result is. It is as pure as the other one, and a [`MapRun`] is as durable as an [`crate::Execution`];
//! - the runner reads items, runs children ([`MapRun::child_machine`] with [`crate::Execution`]), writes results, and
//!   reports the end to the parent as [`crate::Event::MapRunFinished`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::env::{Env, UnixMillis};
use crate::event::MapRunOutcome;
use crate::execution::ExecutionKind;
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
        outcome: crate::execution::Outcome,
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
    },
    /// Redrive a child execution that did not succeed; only Standard children are redriven, Express ones start anew.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapRun {
    arn: String,
    kind: ExecutionKind,
    started_at: Option<UnixMillis>,
    outcome: Option<MapRunOutcome>,
}

impl MapRun {
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
    pub fn child_machine(&self, parent: &crate::StateMachine) -> crate::StateMachine {
        parent.clone()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&MapRunOutcome> {
        self.outcome.as_ref()
    }

    /// The counts over items.
    #[must_use]
    pub fn item_counts(&self) -> MapRunCounts {
        MapRunCounts::default()
    }

    /// The counts over child executions; the same as over items unless items are batched.
    #[must_use]
    pub fn execution_counts(&self) -> MapRunCounts {
        MapRunCounts::default()
    }

    /// Commands that are outstanding, as [`crate::Execution::pending`].
    #[must_use]
    pub fn pending(&self) -> Vec<MapRunCommand> {
        Vec::new()
    }
}

/// Moves a Map Run on by one event.
pub fn transition(
    _parent: &crate::StateMachine,
    _run: &mut MapRun,
    _event: MapRunEvent,
    _env: &mut Env<'_>,
) -> Vec<MapRunCommand> {
    Vec::new()
}
