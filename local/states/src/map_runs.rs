//! What a Map Run needs done: children started, stopped and redriven, results written. Reading items is `items`.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde_json::{Map, Value, json};
use vodline_asl::{
    Event, ExecutionInfo, ExecutionKind, ExecutionStatus, Outcome, Payload, UnixMillis,
    map_run::{MapRunCommand, MapRunEvent, ResultWriter},
};
use vodline_core::{ObjectMetadata, Principal, StoreError};

use crate::{
    Error, States,
    api::map_runs::{children_machine_arn, label_of},
    engine::{self, Input, MapRunContext, NewExecution, Subject, Verdict},
    executions::{self, ExecutionRow, Filter},
    items::{only, text, words},
    redrive,
    tasks::name_for,
};

impl States {
    /// Carries out one command of a run.
    pub(crate) async fn carry_out_map_run(
        &self,
        run: i64,
        execution: i64,
        command: MapRunCommand,
        context: &MapRunContext,
    ) {
        let event = match command {
            MapRunCommand::ReadItems(reader) => Some(match self.read_items(&reader, context).await {
                Ok(items) => MapRunEvent::ItemsRead { items },
                Err(cause) => MapRunEvent::ReadFailed { cause },
            }),
            MapRunCommand::WriteResults(writer) => Some(match self.write_results(run, &writer, context).await {
                Ok(output) => MapRunEvent::ResultsWritten { output },
                Err(cause) => MapRunEvent::WriteFailed { cause },
            }),
            MapRunCommand::StartChild { index, input, items } => {
                self.start_child(run, index, (input, items), context).await
            }
            MapRunCommand::RedriveChild { index } => self.redrive_child(run, index, context).await,
            MapRunCommand::StopChild { index } => {
                if let Ok(Some(child)) = self.newest_child(run, index) {
                    let stop = Event::Stop { error: None, cause: None };
                    self.engine.send(Subject::Execution(child.id), Input::Event(stop), None);
                }
                None
            }
            // The engine tells the parent itself.
            MapRunCommand::Finish(_) => None,
        };
        if let Some(event) = event
            && self.engine.deliver(Subject::MapRun(run), Input::MapRun(event)).await.is_err()
        {
            tracing::error!(map_run_arn = context.arn, execution, "what a map run asked for could not be stored");
        }
    }

    /// Starts a child, or joins the one that was started before a crash.
    async fn start_child(
        &self,
        run: i64,
        index: u64,
        (input, items): (Payload, u64),
        context: &MapRunContext,
    ) -> Option<MapRunEvent> {
        let shared = self.engine.context();
        let generation = match self.newest_child(run, index) {
            Ok(None) => 0,
            // Asked for again after a crash.
            Ok(Some(child)) => return ended(index, &child),
            Err(error) => return Some(failed(index, context, &error)),
        };
        let id = shared.next_id();
        let new = NewExecution { item_count: Some(items), ..self.child(run, index, generation, input, context) };
        match self.engine.deliver(Subject::Execution(id), Input::Start(Box::new(new))).await {
            Ok(Verdict::Began(_)) => None,
            Ok(_) => self.newest_child(run, index).ok().flatten().and_then(|child| ended(index, &child)),
            Err(error) => Some(failed(index, context, &error)),
        }
    }

    /// Standard children go on where they failed; Express ones are started anew.
    async fn redrive_child(&self, run: i64, index: u64, context: &MapRunContext) -> Option<MapRunEvent> {
        let child = match self.newest_child(run, index) {
            Ok(Some(child)) => child,
            Ok(None) => return None,
            Err(error) => return Some(failed(index, context, &error)),
        };
        // Asked for again after a crash, what this redrive of the run has brought about is not done twice.
        let redriven_at = self.redriven_at(run).ok().flatten();
        let last_began =
            if context.kind == ExecutionKind::Standard { child.redriven_at } else { Some(child.started_at) };
        if last_began.zip(redriven_at).is_some_and(|(began, asked)| began > asked) {
            return ended(index, &child);
        }
        let delivered = if context.kind == ExecutionKind::Standard {
            self.engine.deliver(Subject::Execution(child.id), Input::Redrive { token: None }).await
        } else {
            let generation = self.children(run, index).unwrap_or(1);
            let input = Payload::parse(&child.input).unwrap_or_default();
            let new =
                NewExecution { item_count: child.item_count, ..self.child(run, index, generation, input, context) };
            let id = self.engine.context().next_id();
            self.engine.deliver(Subject::Execution(id), Input::Start(Box::new(new))).await
        };
        match delivered {
            Ok(Verdict::Applied | Verdict::Began(_)) => None,
            // It runs, or has ended: then its end is told again.
            Ok(_) => ended(index, &child),
            Err(error) => Some(failed(index, context, &error)),
        }
    }

    fn child(&self, run: i64, index: u64, generation: u64, input: Payload, context: &MapRunContext) -> NewExecution {
        let shared = self.engine.context();
        let parent = &context.parent;
        // Started over after a crash, it is the same execution.
        let name = name_for(&context.arn, &format!("{index}.{generation}"));
        let label = label_of(&context.arn);
        let machine = format!("{}/{label}", parent.state_machine_name);
        let arn = match context.kind {
            ExecutionKind::Standard => crate::names::execution_arn(&shared.account, &machine, &name),
            ExecutionKind::Express => {
                let id = name_for(&context.arn, &format!("{index}.{generation} express"));
                crate::names::express_arn(&shared.account, &machine, &name, &id)
            }
        };
        NewExecution {
            info: ExecutionInfo {
                arn,
                name,
                state_machine_arn: children_machine_arn(&parent.state_machine_arn, &context.arn),
                state_machine_name: machine,
                kind: context.kind,
                ..parent.clone()
            },
            input,
            machine: context.machine,
            revision: context.revision,
            map_run: Some((run, index)),
            item_count: None,
            starter: None,
            trace_header: None,
        }
    }

    /// The last execution that was started for an item or batch.
    fn newest_child(&self, run: i64, index: u64) -> Result<Option<ExecutionRow>, StoreError> {
        self.engine.context().store.read(|connection| {
            let id: Option<i64> = connection
                .prepare_cached(
                    "SELECT id FROM states_executions WHERE map_run = ?1 AND map_index = ?2 ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![run, index], |row| row.get(0))
                .optional()?;
            id.map_or(Ok(None), |id| executions::by_id(connection, id))
        })
    }

    /// When a run was last redriven.
    fn redriven_at(&self, run: i64) -> Result<Option<UnixMillis>, StoreError> {
        let at: Option<i64> = self.engine.context().store.read::<_, StoreError>(|connection| {
            Ok(connection
                .prepare_cached("SELECT redriven_at FROM states_map_runs WHERE id = ?1")?
                .query_row([run], |row| row.get(0))?)
        })?;
        Ok(at.map(UnixMillis))
    }

    /// How many executions were started for an item or batch.
    fn children(&self, run: i64, index: u64) -> Result<u64, StoreError> {
        self.engine.context().store.read(|connection| {
            Ok(connection.query_row(
                "SELECT count(*) FROM states_executions WHERE map_run = ?1 AND map_index = ?2",
                params![run, index],
                |row| row.get(0),
            )?)
        })
    }

    /// Writes what became of the children; returns where.
    async fn write_results(&self, run: i64, writer: &ResultWriter, context: &MapRunContext) -> Result<Payload, String> {
        let arguments = writer.arguments.value();
        only(arguments, &["Bucket", "Prefix"])?;
        let bucket = text(arguments, "Bucket")?;
        let prefix = arguments.get("Prefix").and_then(Value::as_str).unwrap_or_default().trim_end_matches('/');
        let id = context.arn.rsplit(':').next().unwrap_or_default();
        let folder = if prefix.is_empty() { id.to_owned() } else { format!("{prefix}/{id}") };
        let principal = Principal::Role(context.parent.role_arn.clone());
        self.allowed(&principal, "s3:PutObject", &format!("arn:aws:s3:::{bucket}/{folder}/manifest.json"))?;
        let children = self.all_children(run).map_err(|error| chain(&error))?;
        let mut files = Map::new();
        for status in ["FAILED", "PENDING", "SUCCEEDED"] {
            let group: Vec<&ExecutionRow> = children.iter().filter(|row| group_of(row) == status).collect();
            let mut listed = Vec::new();
            if !group.is_empty() {
                let key = format!("{folder}/{status}_0.json{}", if lines(writer) { "l" } else { "" });
                let now = engine::now(self.engine.context());
                let records: Vec<Value> = if status == "SUCCEEDED" && writer.transformation.is_some() {
                    transformed(writer, &group)
                } else {
                    group.iter().map(|row| record(row, now)).collect()
                };
                let body = if lines(writer) {
                    records.iter().map(|record| format!("{record}\n")).collect()
                } else {
                    Value::Array(records).to_string()
                };
                let size = body.len();
                self.put(&bucket, &key, body).await?;
                listed.push(json!({"Key": key, "Size": size}));
            }
            files.insert(status.to_owned(), Value::Array(listed));
        }
        let manifest = json!({"DestinationBucket": bucket, "MapRunArn": context.arn, "ResultFiles": files});
        let key = format!("{folder}/manifest.json");
        self.put(&bucket, &key, manifest.to_string()).await?;
        Ok(Payload::from(json!({
            "MapRunArn": context.arn,
            "ResultWriterDetails": {"Bucket": bucket, "Key": key},
        })))
    }

    /// The newest execution of every item or batch, in their order.
    fn all_children(&self, run: i64) -> Result<Vec<ExecutionRow>, Error> {
        let filter = Filter { map_run: Some(run), ..Filter::default() };
        let mut rows = self
            .engine
            .context()
            .store
            .read::<_, StoreError>(|connection| executions::list(connection, &filter, i64::MAX, usize::MAX >> 1))?;
        rows.reverse();
        Ok(rows)
    }

    /// Puts a small object.
    async fn put(&self, bucket: &str, key: &str, body: String) -> Result<(), String> {
        let directory = self.config.directory.join("states");
        let path = directory.join(format!("result-{}", self.config.entropy.uuid()));
        let objects = std::sync::Arc::clone(&self.config.objects);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let metadata =
            ObjectMetadata { content_type: Some("application/json".to_owned()), ..ObjectMetadata::default() };
        tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&directory)
                .and_then(|()| std::fs::write(&path, body))
                .map_err(|e| e.to_string())?;
            objects.put_file(&bucket, &key, &path, metadata).map(|_| ()).map_err(|error| words(&error))
        })
        .await
        .map_err(|_| "writing the results was interrupted".to_owned())?
    }
}

/// What a run is told of a child that has ended; nothing of one that runs.
fn ended(index: u64, child: &ExecutionRow) -> Option<MapRunEvent> {
    let (error, cause) = (child.error.clone(), child.cause.clone());
    let outcome = match child.status {
        ExecutionStatus::Running => return None,
        ExecutionStatus::Succeeded => {
            Outcome::Succeeded { output: Payload::parse(child.output.as_deref().unwrap_or("null")).unwrap_or_default() }
        }
        ExecutionStatus::Failed => Outcome::Failed { error, cause },
        ExecutionStatus::TimedOut => Outcome::TimedOut { error, cause },
        ExecutionStatus::Aborted => Outcome::Aborted { error, cause },
    };
    Some(MapRunEvent::ChildFinished { index, execution_arn: child.arn.clone(), outcome })
}

/// A child that could not be started or read counts as failed.
fn failed(index: u64, context: &MapRunContext, error: &dyn std::error::Error) -> MapRunEvent {
    let outcome = Outcome::Failed { error: Some("States.Runtime".to_owned()), cause: Some(error.to_string()) };
    MapRunEvent::ChildFinished { index, execution_arn: context.arn.clone(), outcome }
}

/// The result file a child belongs in.
fn group_of(row: &ExecutionRow) -> &'static str {
    match row.status {
        ExecutionStatus::Running => "PENDING",
        ExecutionStatus::Succeeded => "SUCCEEDED",
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => "FAILED",
    }
}

/// A child in a result file.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    execution_arn: &'a str,
    input: &'a str,
    input_details: Value,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Value>,
    redrive_count: u32,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
    start_date: String,
    state_machine_arn: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<String>,
}

/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>.
fn record(row: &ExecutionRow, now: UnixMillis) -> Value {
    let redrivable = redrive::status(&row.facts(), now);
    let record = Record {
        cause: row.cause.as_deref(),
        error: row.error.as_deref(),
        execution_arn: &row.arn,
        input: &row.input,
        input_details: json!({"Included": true}),
        name: &row.name,
        output: row.output.as_deref(),
        output_details: row.output.as_ref().map(|_| json!({"Included": true})),
        redrive_count: row.redrive_count,
        redrive_status: redrivable.status,
        redrive_status_reason: redrivable.reason,
        start_date: row.started_at.to_rfc3339(),
        state_machine_arn: &row.machine_arn,
        status: row.status.as_str(),
        stop_date: row.stopped_at.map(UnixMillis::to_rfc3339),
    };
    // A struct of strings and numbers always serialises.
    serde_json::to_value(&record).unwrap_or(Value::Null)
}

/// The outputs alone, and with `FLATTEN` the items of those that are arrays.
fn transformed(writer: &ResultWriter, group: &[&ExecutionRow]) -> Vec<Value> {
    let flatten = writer.transformation.as_deref() == Some("FLATTEN");
    let outputs = group.iter().filter_map(|row| row.output.as_deref()).filter_map(|o| serde_json::from_str(o).ok());
    outputs
        .flat_map(|output| match output {
            Value::Array(items) if flatten => items,
            other => vec![other],
        })
        .collect()
}

fn lines(writer: &ResultWriter) -> bool {
    writer.output_type.as_deref() == Some("JSONL")
}

/// An error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
