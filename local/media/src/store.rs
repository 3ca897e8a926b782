//! Where jobs are kept.

use vodline_core::{
    Migration, StoreError,
    rusqlite::{self, Connection, OptionalExtension, Transaction, params},
};

use crate::record::{JobRecord, Status};

/// The tables. `record` is [`JobRecord`] as JSON; the columns beside it are what jobs are found by.
pub(crate) const TABLES: Migration = Migration {
    service: "media",
    statements: &[
        "CREATE TABLE media_jobs (
            id TEXT PRIMARY KEY,
            created_ms INTEGER NOT NULL,
            status TEXT NOT NULL,
            priority INTEGER NOT NULL,
            token TEXT,
            input TEXT NOT NULL,
            record TEXT NOT NULL
        );
        CREATE INDEX media_jobs_by_status ON media_jobs (status, priority DESC, created_ms);
        CREATE INDEX media_jobs_by_time ON media_jobs (created_ms, id);
        CREATE INDEX media_jobs_by_token ON media_jobs (token) WHERE token IS NOT NULL;",
        // Queues, job templates and presets; a job stands in its queue by priority and then as it was submitted (rowid).
        "CREATE TABLE media_definitions (
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            record TEXT NOT NULL,
            PRIMARY KEY (kind, name)
        );
        ALTER TABLE media_jobs ADD COLUMN queue TEXT NOT NULL DEFAULT '';
        UPDATE media_jobs SET queue = json_extract(record, '$.queue');
        DROP INDEX media_jobs_by_status;
        CREATE INDEX media_jobs_by_status ON media_jobs (status, queue, priority DESC);",
    ],
};

/// Which jobs, in which order.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) status: Option<Status>,
    /// The queue's ARN.
    pub(crate) queue: Option<String>,
    /// Part of the input's URI.
    pub(crate) input: Option<String>,
    /// Oldest first instead of newest first.
    pub(crate) ascending: bool,
    /// Only what comes after the job made then and with this id.
    pub(crate) after: Option<(i64, String)>,
    /// How many at most.
    pub(crate) limit: usize,
}

pub(crate) fn insert(transaction: &Transaction<'_>, record: &JobRecord) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO media_jobs (id, created_ms, status, priority, token, input, queue, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            record.id,
            record.created_ms,
            record.status.name(),
            record.priority,
            record.client_request_token,
            record.input(0),
            record.queue,
            encode(record)?,
        ],
    )?;
    Ok(())
}

pub(crate) fn update(transaction: &Transaction<'_>, record: &JobRecord) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE media_jobs SET status = ?2, priority = ?3, queue = ?4, record = ?5 WHERE id = ?1",
        params![record.id, record.status.name(), record.priority, record.queue, encode(record)?],
    )?;
    Ok(())
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<JobRecord>, StoreError> {
    one(connection, "SELECT record FROM media_jobs WHERE id = ?1", params![id])
}

/// The newest job made with this token since then.
pub(crate) fn by_token(connection: &Connection, token: &str, since_ms: i64) -> Result<Option<JobRecord>, StoreError> {
    one(
        connection,
        "SELECT record FROM media_jobs WHERE token = ?1 AND created_ms > ?2 ORDER BY created_ms DESC LIMIT 1",
        params![token, since_ms],
    )
}

/// The job of this queue whose turn is next.
pub(crate) fn next_submitted(connection: &Connection, queue: &str) -> Result<Option<JobRecord>, StoreError> {
    one(
        connection,
        "SELECT record FROM media_jobs WHERE status = 'SUBMITTED' AND queue = ?1 ORDER BY priority DESC, rowid LIMIT 1",
        [queue],
    )
}

/// Jobs that wait in a queue and may hop to another.
pub(crate) fn waiting_to_hop(connection: &Connection) -> Result<Vec<JobRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT record FROM media_jobs
         WHERE status = 'SUBMITTED' AND json_array_length(record, '$.hop_destinations') > 0",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|row| decode(&row?)).collect()
}

/// Jobs of one status, oldest first.
pub(crate) fn with_status(connection: &Connection, status: Status) -> Result<Vec<JobRecord>, StoreError> {
    let filter =
        Filter { status: Some(status), queue: None, input: None, ascending: true, after: None, limit: usize::MAX };
    list(connection, &filter)
}

/// How many jobs of this queue have this status.
pub(crate) fn count(connection: &Connection, queue: &str, status: Status) -> Result<u32, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM media_jobs WHERE status = ?1 AND queue = ?2")?;
    Ok(statement.query_row([status.name(), queue], |row| row.get(0))?)
}

pub(crate) fn list(connection: &Connection, filter: &Filter) -> Result<Vec<JobRecord>, StoreError> {
    // The two orders differ only in these words; nothing of the caller's gets into the text.
    let (comparison, order) = if filter.ascending { (">", "ASC") } else { ("<", "DESC") };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT record FROM media_jobs
         WHERE (?1 IS NULL OR status = ?1)
           AND (?2 IS NULL OR instr(input, ?2) > 0)
           AND (?3 IS NULL OR (created_ms, id) {comparison} (?3, ?4))
           AND (?5 IS NULL OR queue = ?5)
         ORDER BY created_ms {order}, id {order} LIMIT ?6",
    ))?;
    let (after_ms, after_id) = filter.after.clone().unzip();
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(
        params![filter.status.map(Status::name), filter.input, after_ms, after_id, filter.queue, limit],
        |row| row.get::<_, String>(0),
    )?;
    rows.map(|row| decode(&row?)).collect()
}

fn one(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<JobRecord>, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let row: Option<String> = statement.query_row(parameters, |row| row.get(0)).optional()?;
    row.map(|text| decode(&text)).transpose()
}

fn encode(record: &JobRecord) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn decode(text: &str) -> Result<JobRecord, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a MediaConvert job: {error}")))
}
