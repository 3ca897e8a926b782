//! The durable engine: turns what happens to executions into committed steps.
//!
//! A few *shard* threads each own a part of the executions and compute their steps with the pure engine; one *writer*
//! thread puts the steps of many executions into one commit. An execution has at most one step under way: what happens
//! to it meanwhile waits in its queue and makes the next step, all of it at once. So a commit is shared by everybody who
//! is busy, an execution with nothing to do costs no memory, and nobody is answered before what he did is on disk.
//!
//! ```text
//! deliver ──► shard (load, transition) ──► writer (one commit) ──► answers, and Work for the dispatcher
//!                  ▲                            │
//!                  └──────── step done ─────────┘
//! ```

mod change;
mod live;
mod shard;
mod writer;

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio::sync::oneshot;
use vodline_asl::{
    Event, ExecutionInfo, MapRun, Payload, ScheduleTask, TaskId, UnixMillis,
    map_run::{MapRunCommand, MapRunEvent},
};
use vodline_core::{Account, Clock, Entropy, EventBus, Store, StoreError};

use crate::{error::Error, revisions::Revisions, timers::Timers};

/// The phase of a task in the store once it is over.
pub(crate) const CLOSED: i64 = change::Phase::Closed as i64;

/// More shards than this do not help: the one writer is busy by then.
const SHARDS_MAX: usize = 4;

/// What the engine's threads share.
pub(crate) struct Context {
    pub(crate) account: Account,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) bus: Arc<dyn EventBus>,
    pub(crate) store: Arc<Store>,
    pub(crate) revisions: Revisions,
    pub(crate) timers: Timers,
    /// The last id given to an execution or Map Run.
    last_id: AtomicI64,
}

impl Context {
    /// An id that no execution and no Map Run has.
    pub(crate) fn next_id(&self) -> i64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What a delivery came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It took effect and is on disk.
    Applied,
    /// A new execution began then, and that is on disk.
    Began(UnixMillis),
    /// It was about something that is over, and changed nothing.
    Ignored,
    /// There is no such execution or Map Run.
    Missing,
    /// An execution with this name exists.
    NameTaken,
}

/// The engine could not store or load; the cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine could not use its store")]
pub(crate) struct Unavailable;

/// Where a verdict goes.
pub(crate) type Reply = oneshot::Sender<Result<Verdict, Unavailable>>;

/// A new execution.
pub(crate) struct NewExecution {
    pub(crate) info: ExecutionInfo,
    pub(crate) input: Payload,
    /// The row of its machine.
    pub(crate) machine: i64,
    pub(crate) revision: i64,
    /// The Map Run it is a child of, and which child.
    pub(crate) map_run: Option<(i64, u64)>,
    /// How many items a child of a Map Run was given.
    pub(crate) item_count: Option<u64>,
    /// The execution and the task that start it.
    pub(crate) starter: Option<String>,
    pub(crate) trace_header: Option<String>,
}

/// The nested execution that a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    /// Its row.
    pub(crate) id: i64,
    /// Whether the task wants its output as JSON (`.sync:2`) and not as text (`.sync`).
    pub(crate) as_json: bool,
}

/// Something that happens to an execution or a Map Run.
pub(crate) enum Input {
    /// The execution begins.
    Start(Box<NewExecution>),
    /// Something happens to it.
    Event(Event),
    /// A worker takes an activity's task.
    TakeActivity {
        /// Which task.
        task: TaskId,
        /// Who takes it.
        worker: Option<String>,
    },
    /// A task was handed over.
    Submitted {
        /// Which task.
        task: TaskId,
        /// What the service answered.
        output: Payload,
        /// The nested execution whose end ends the task.
        child: Option<Child>,
    },
    /// It is redriven; the token makes that idempotent.
    Redrive {
        /// `clientToken`.
        token: Option<String>,
    },
    /// Something happens to a Map Run.
    MapRun(MapRunEvent),
    /// The parent redrives a Map Run, which reports under a new task id.
    RedriveMapRun {
        /// That id.
        task: TaskId,
    },
    /// The process restarted: what was under way is to be done again.
    Resume,
}

/// Whom something happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// An execution, by its row.
    Execution(i64),
    /// A Map Run, by its row.
    MapRun(i64),
}

impl Subject {
    fn id(self) -> i64 {
        match self {
            Self::Execution(id) | Self::MapRun(id) => id,
        }
    }
}

/// What is to be done once a step is on disk.
pub(crate) enum Work {
    /// Run a task.
    Run {
        /// Whose.
        execution: i64,
        /// For whom and by what right.
        context: Arc<TaskContext>,
        /// The task.
        task: Box<ScheduleTask>,
    },
    /// An activity's task waits for a worker.
    OfferActivity {
        /// Which activity.
        activity: String,
    },
    /// Nobody wants a task's result any more.
    Cancel {
        /// Whose.
        execution: i64,
        /// Which.
        task: TaskId,
    },
    /// Stop a nested execution.
    StopChild {
        /// Which.
        child: i64,
    },
    /// If the nested execution has ended, tell the parent's task.
    JoinChild {
        /// The nested execution.
        child: i64,
        /// Who waits.
        parent: i64,
        /// In which task.
        task: TaskId,
        /// Whether it wants the output as JSON.
        as_json: bool,
    },
    /// Something happens to somebody else.
    Deliver {
        /// To whom.
        to: Subject,
        /// What.
        input: Input,
    },
    /// Carry out a Map Run's command.
    MapRun {
        /// Which run.
        run: i64,
        /// The execution it belongs to.
        execution: i64,
        /// What to do.
        command: Box<MapRunCommand>,
        /// What a child needs to know of its run.
        context: Arc<MapRunContext>,
    },
    /// Stop the Map Run of a task.
    StopMapRun {
        /// Whose.
        execution: i64,
        /// Which task.
        task: TaskId,
    },
    /// Run an Express execution that nobody waits for.
    Express(Box<crate::express::Run>),
    /// Redrive a Map Run.
    RedriveMapRun {
        /// Its ARN.
        arn: String,
        /// The task it reports as.
        task: TaskId,
    },
}

/// For whom a task runs.
#[derive(Clone, Debug)]
pub(crate) struct TaskContext {
    /// The execution.
    pub(crate) execution_arn: String,
    /// Its machine.
    pub(crate) machine_arn: String,
    /// The role it works under.
    pub(crate) role_arn: String,
}

impl TaskContext {
    /// The context of an execution's tasks.
    pub(crate) fn of(info: &ExecutionInfo) -> Self {
        Self {
            execution_arn: info.arn.clone(),
            machine_arn: info.state_machine_arn.clone(),
            role_arn: info.role_arn.clone(),
        }
    }
}

/// What the children of a Map Run inherit.
pub(crate) struct MapRunContext {
    /// The run's ARN.
    pub(crate) arn: String,
    /// The parent execution.
    pub(crate) parent: ExecutionInfo,
    /// The parent's machine.
    pub(crate) machine: i64,
    /// The parent's definition.
    pub(crate) revision: i64,
    /// What the children are.
    pub(crate) kind: vodline_asl::ExecutionKind,
}

impl MapRunContext {
    fn new(run: &MapRun, parent: &ExecutionInfo, machine: i64, revision: i64) -> Self {
        Self { arn: run.arn().to_owned(), parent: parent.clone(), machine, revision, kind: run.child_kind() }
    }
}

/// The handle of the running threads. Dropping it ends them; what they had not committed is as if it never happened.
pub(crate) struct Engine {
    context: Arc<Context>,
    shards: Vec<mpsc::Sender<shard::Message>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the threads and hands them everything a crash left under way. Work appears on `work`.
    pub(crate) fn start(context: Context, work: tokio::sync::mpsc::UnboundedSender<Work>) -> Result<Self, Error> {
        let context = Arc::new(context);
        let count = std::thread::available_parallelism().map_or(1, NonZero::get).min(SHARDS_MAX);
        let (changes, received) = mpsc::channel();
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for index in 0..count {
            let (sender, receiver) = mpsc::channel();
            let shard = shard::Shard::new(index, Arc::clone(&context), changes.clone());
            threads.push(spawn(&format!("states-shard-{index}"), move || shard.run(&receiver))?);
            senders.push(sender);
        }
        drop(changes);
        let writer = writer::Writer::new(Arc::clone(&context), senders.clone(), work.clone());
        threads.push(spawn("states-writer", move || writer.run(&received))?);
        let engine = Self { context, shards: senders, threads: Mutex::new(threads) };
        engine.resume(&work)?;
        Ok(engine)
    }

    /// What the threads share.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Delivers something and waits until it is on disk.
    pub(crate) async fn deliver(&self, to: Subject, input: Input) -> Result<Verdict, Unavailable> {
        let (reply, verdict) = oneshot::channel();
        self.send(to, input, Some(reply));
        verdict.await.map_err(|_| Unavailable)?
    }

    /// Delivers something without waiting.
    pub(crate) fn send(&self, to: Subject, input: Input, reply: Option<Reply>) {
        self.to_shard(to.id(), shard::Message::Deliver { to, input, reply });
    }

    /// Computes something on an engine thread: expressions are compiled once a thread, and a long evaluation must not
    /// hold up the runtime.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Context) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, result) = oneshot::channel();
        let context = Arc::clone(&self.context);
        let job = Box::new(move || {
            // The caller may have gone away.
            let _ = reply.send(work(&context));
        });
        self.to_shard(self.context.next_id(), shard::Message::Compute(job));
        result.await.map_err(|_| Unavailable)
    }

    fn to_shard(&self, id: i64, message: shard::Message) {
        let shard = shard_of(id, self.shards.len());
        // The threads outlive every sender but this handle's, so a failure means the process is ending.
        if self.shards[shard].send(message).is_err() {
            tracing::debug!("a message to an ended engine thread was dropped");
        }
    }

    /// Queues, before anything new can arrive, every execution and Map Run that had work in this process, and the ends of
    /// nested executions that their parents may not have heard of.
    fn resume(&self, work: &tokio::sync::mpsc::UnboundedSender<Work>) -> Result<(), StoreError> {
        let subjects: Vec<Subject> = self.context.store.read::<_, StoreError>(|connection| {
            let ids = |sql: &str| -> Result<Vec<i64>, StoreError> {
                let mut statement = connection.prepare(sql)?;
                Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
            };
            let executions = ids("SELECT DISTINCT execution FROM states_tasks WHERE phase = 0")?;
            let runs = ids(
                "SELECT r.id FROM states_map_runs r JOIN states_executions e ON e.id = r.execution
                 WHERE r.status = 'RUNNING' OR e.status = 'RUNNING'",
            )?;
            let mut statement = connection.prepare(
                "SELECT c.child, c.parent, c.task, c.as_json FROM states_children c JOIN states_executions e ON e.id = c.child
                 WHERE e.status <> 'RUNNING'",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let ended = Work::JoinChild {
                    child: row.get(0)?,
                    parent: row.get(1)?,
                    task: TaskId(row.get(2)?),
                    as_json: row.get(3)?,
                };
                // The receiver is alive: it was made a moment ago.
                let _ = work.send(ended);
            }
            Ok(executions.into_iter().map(Subject::Execution).chain(runs.into_iter().map(Subject::MapRun)).collect())
        })?;
        if !subjects.is_empty() {
            tracing::info!(count = subjects.len(), "resuming executions and map runs with work under way");
        }
        for subject in subjects {
            self.send(subject, Input::Resume, None);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for shard in &self.shards {
            let _ = shard.send(shard::Message::Stop);
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let this = std::thread::current().id();
        for thread in threads {
            // The last handle may be dropped by work that an engine thread hands out.
            if thread.thread().id() != this && thread.join().is_err() {
                tracing::error!("an engine thread panicked");
            }
        }
    }
}

/// Which shard owns an id.
fn shard_of(id: i64, shards: usize) -> usize {
    usize::try_from(id.unsigned_abs()).unwrap_or(0) % shards
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(Error::Thread)
}

/// Opens what the threads share.
pub(crate) fn context(config: &crate::Config, store: Arc<Store>) -> Result<Context, StoreError> {
    let last_id = store.read::<i64, StoreError>(|connection| {
        Ok(connection.query_row(
            "SELECT max(coalesce((SELECT max(id) FROM states_executions), 0),
                        coalesce((SELECT max(id) FROM states_map_runs), 0))",
            [],
            |row| row.get(0),
        )?)
    })?;
    Ok(Context {
        account: config.account.clone(),
        clock: Arc::clone(&config.clock),
        entropy: Arc::clone(&config.entropy),
        bus: Arc::clone(&config.bus),
        revisions: Revisions::default(),
        timers: Timers::default(),
        store,
        last_id: AtomicI64::new(last_id),
    })
}

/// Randomness as the pure engine wants it.
pub(crate) struct Randomness<'a>(pub(crate) &'a dyn Entropy);

impl vodline_asl::RandomSource for Randomness<'_> {
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The present.
pub(crate) fn now(context: &Context) -> UnixMillis {
    crate::time::now(&*context.clock)
}
