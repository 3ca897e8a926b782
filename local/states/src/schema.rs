//! The tables of Step Functions in the home's store.

use vodline_core::Migration;

/// The tables. Times are milliseconds since 1970; JSON is text.
pub(crate) const TABLES: Migration = Migration { service: "states", statements: &[V1, V2, V3] };

/// `states_revisions` never change: an execution goes on with the definition it began with.
///
/// `states_tasks` holds the open tasks. Its phase is 0 while the work is done in this process and has to be done again
/// after a crash, 1 while somebody else has it, 2 once it is over; an ended task is kept only if it had a token, which
/// must be told from one that nobody ever gave out. `states_children` holds which nested execution ends which task, and
/// whether the task wants its output as JSON.
const V1: &str = "
CREATE TABLE states_machines (
    id INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_version INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE states_revisions (
    id INTEGER PRIMARY KEY,
    machine INTEGER NOT NULL,
    revision_id TEXT,
    definition TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE TABLE states_versions (
    machine INTEGER NOT NULL,
    number INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    description TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (machine, number)
) WITHOUT ROWID;
CREATE TABLE states_aliases (
    machine INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    routes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (machine, name)
) WITHOUT ROWID;
CREATE TABLE states_executions (
    id INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    machine INTEGER NOT NULL,
    machine_arn TEXT NOT NULL,
    revision INTEGER NOT NULL,
    version_arn TEXT,
    alias_arn TEXT,
    map_run INTEGER,
    map_index INTEGER,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    stopped_at INTEGER,
    input TEXT NOT NULL,
    output TEXT,
    error TEXT,
    cause TEXT,
    trace_header TEXT,
    redrive_count INTEGER NOT NULL DEFAULT 0,
    redriven_at INTEGER,
    event_count INTEGER NOT NULL,
    snapshot BLOB
);
CREATE INDEX states_executions_of_machine ON states_executions (machine);
CREATE INDEX states_executions_by_status ON states_executions (machine, status);
CREATE INDEX states_executions_of_map_run ON states_executions (map_run, map_index) WHERE map_run IS NOT NULL;
CREATE TABLE states_history (
    execution INTEGER NOT NULL,
    last INTEGER NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (execution, last)
) WITHOUT ROWID;
CREATE TABLE states_timers (
    execution INTEGER NOT NULL,
    timer INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (execution, timer)
) WITHOUT ROWID;
CREATE INDEX states_timers_by_due ON states_timers (due);
CREATE TABLE states_tasks (
    execution INTEGER NOT NULL,
    task INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    token TEXT,
    PRIMARY KEY (execution, task)
) WITHOUT ROWID;
CREATE UNIQUE INDEX states_tasks_by_token ON states_tasks (token) WHERE token IS NOT NULL;
CREATE INDEX states_tasks_here ON states_tasks (execution) WHERE phase = 0;
CREATE TABLE states_children (
    child INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    task INTEGER NOT NULL,
    as_json INTEGER NOT NULL,
    PRIMARY KEY (child, parent, task)
) WITHOUT ROWID;
CREATE INDEX states_children_of ON states_children (parent, task);
CREATE TABLE states_redrives (
    execution INTEGER NOT NULL,
    token TEXT NOT NULL,
    redriven_at INTEGER NOT NULL,
    PRIMARY KEY (execution, token)
) WITHOUT ROWID;
CREATE TABLE states_activities (
    arn TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE states_activity_tasks (
    execution INTEGER NOT NULL,
    task INTEGER NOT NULL,
    activity TEXT NOT NULL,
    token TEXT NOT NULL,
    input TEXT NOT NULL,
    PRIMARY KEY (execution, task)
) WITHOUT ROWID;
CREATE INDEX states_activity_queue ON states_activity_tasks (activity, execution, task);
CREATE TABLE states_map_runs (
    id INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    execution INTEGER NOT NULL,
    task INTEGER NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    stopped_at INTEGER,
    redrive_count INTEGER NOT NULL DEFAULT 0,
    redriven_at INTEGER,
    snapshot BLOB NOT NULL
);
CREATE INDEX states_map_runs_of ON states_map_runs (execution);
CREATE INDEX states_map_runs_running ON states_map_runs (id) WHERE status = 'RUNNING';
CREATE TABLE states_tags (
    arn TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;
";

/// `states_map_children` holds the children of Map Runs, each on its own: a step of a run writes those it changed. The
/// snapshot of a run that an earlier version stored holds its children itself. `item_count` is how many items a Map
/// Run's child was given.
const V2: &str = "
CREATE TABLE states_map_children (
    run INTEGER NOT NULL,
    child INTEGER NOT NULL,
    snapshot BLOB NOT NULL,
    PRIMARY KEY (run, child)
) WITHOUT ROWID;
ALTER TABLE states_executions ADD COLUMN item_count INTEGER;
";

/// `starter` is the execution and the task that started an execution: started over after a crash, the task finds that it
/// has done so, even if the execution has ended meanwhile.
const V3: &str = "
ALTER TABLE states_executions ADD COLUMN starter TEXT;
";
