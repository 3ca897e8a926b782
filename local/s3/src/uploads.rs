//! The index of multipart uploads and their parts.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, Transaction};

use crate::{
    checksum::{Algorithm, Checksum, ChecksumType, DEFAULT_ALGORITHM},
    details::Details,
    failure::Failure,
    listing::Start,
    versions::{json, json_column, time_column},
};

/// Parts are numbered from 1 to here.
pub(crate) const MAX_PARTS: i32 = 10_000;

/// Every part but the last is at least this large.
pub(crate) const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// An upload, complete or not.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) initiated: Timestamp,
    pub(crate) details: Details,
    /// What its creator named; without, S3 keeps [`DEFAULT_ALGORITHM`]'s of every part, whatever checksum comes with it.
    pub(crate) named: Option<Algorithm>,
    pub(crate) checksum_type: ChecksumType,
    /// The version it became.
    pub(crate) completed: Option<i64>,
}

impl Upload {
    /// What the checksums of its parts are computed with.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.named.unwrap_or(DEFAULT_ALGORITHM)
    }
}

/// A part that is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) size_bytes: u64,
    /// Without quotes: the MD5 of its bytes.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    pub(crate) file: String,
    pub(crate) checksum: Checksum,
}

const COLUMNS: &str = "upload_id, key, initiated_ms, details, algorithm, checksum_type, completed_sequence";

fn from_row(row: &Row<'_>) -> Result<Upload, Failure> {
    Ok(Upload {
        id: row.get(0)?,
        key: row.get(1)?,
        initiated: time_column(row, 2)?,
        details: json_column(row, 3)?,
        named: json_column(row, 4)?,
        checksum_type: json_column(row, 5)?,
        completed: row.get(6)?,
    })
}

pub(crate) fn insert(transaction: &Transaction<'_>, bucket: &str, upload: &Upload) -> Result<(), Failure> {
    transaction
        .prepare_cached(&format!("INSERT INTO s3_uploads (bucket, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"))?
        .execute((
            bucket,
            &upload.id,
            &upload.key,
            upload.initiated.as_millisecond(),
            json(&upload.details)?,
            json(&upload.named)?,
            json(&upload.checksum_type)?,
            upload.completed,
        ))?;
    Ok(())
}

/// The upload of this id, which must be of this bucket and key; complete ones too.
pub(crate) fn find(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Upload, Failure> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM s3_uploads WHERE upload_id = ?1 AND bucket = ?2 AND key = ?3"))?
        .query_and_then((id, bucket, key), from_row)?
        .next()
        .unwrap_or_else(|| Err(Failure::no_such_upload()))
}

/// Like [`find`], for those that still take parts.
pub(crate) fn find_open(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Upload, Failure> {
    let upload = find(connection, bucket, key, id)?;
    if upload.completed.is_some() { Err(Failure::no_such_upload()) } else { Ok(upload) }
}

/// Stores a part, replacing the one of its number. Returns the file of the one replaced.
pub(crate) fn put_part(transaction: &Transaction<'_>, upload_id: &str, part: &Part) -> Result<Option<String>, Failure> {
    let replaced = transaction
        .prepare_cached("DELETE FROM s3_parts WHERE upload_id = ?1 AND number = ?2 RETURNING file")?
        .query_map((upload_id, part.number), |row| row.get(0))?
        .next()
        .transpose()?;
    transaction.prepare_cached("INSERT INTO s3_parts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute((
        upload_id,
        part.number,
        part.size_bytes,
        &part.etag,
        part.modified.as_millisecond(),
        &part.file,
        json(&part.checksum)?,
    ))?;
    Ok(replaced)
}

/// The parts after number `after`, in order, at most `limit`.
pub(crate) fn parts(connection: &Connection, upload_id: &str, after: i32, limit: usize) -> Result<Vec<Part>, Failure> {
    connection
        .prepare_cached(
            "SELECT number, size, etag, modified_ms, file, checksum FROM s3_parts
             WHERE upload_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        )?
        .query_and_then((upload_id, after, limit), |row| {
            Ok(Part {
                number: row.get(0)?,
                size_bytes: row.get(1)?,
                etag: row.get(2)?,
                modified: time_column(row, 3)?,
                file: row.get(4)?,
                checksum: json_column(row, 5)?,
            })
        })?
        .collect()
}

/// Marks an upload as complete and drops its parts. Returns their files.
pub(crate) fn complete(transaction: &Transaction<'_>, upload_id: &str, sequence: i64) -> Result<Vec<String>, Failure> {
    transaction.execute("UPDATE s3_uploads SET completed_sequence = ?2 WHERE upload_id = ?1", (upload_id, sequence))?;
    drop_parts(transaction, upload_id)
}

/// Drops an upload and its parts. Returns their files.
pub(crate) fn abort(transaction: &Transaction<'_>, upload_id: &str) -> Result<Vec<String>, Failure> {
    let files = drop_parts(transaction, upload_id)?;
    transaction.execute("DELETE FROM s3_uploads WHERE upload_id = ?1", [upload_id])?;
    Ok(files)
}

fn drop_parts(transaction: &Transaction<'_>, upload_id: &str) -> Result<Vec<String>, Failure> {
    let mut statement = transaction.prepare_cached("DELETE FROM s3_parts WHERE upload_id = ?1 RETURNING file")?;
    Ok(statement.query_map([upload_id], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Aborts a bucket's uploads, for its deletion. Returns their files.
pub(crate) fn abort_all(transaction: &Transaction<'_>, bucket: &str) -> Result<Vec<String>, Failure> {
    abort_where(transaction, "SELECT upload_id FROM s3_uploads WHERE bucket = ?1", [bucket])
}

/// Aborts the uploads that are older than their bucket's lifecycle allows. Returns their files.
pub(crate) fn abort_aged(transaction: &Transaction<'_>, now: Timestamp) -> Result<Vec<String>, Failure> {
    let day_ms = SignedDuration::from_hours(24).as_millis();
    abort_where(
        transaction,
        &format!(
            "SELECT upload_id FROM s3_uploads JOIN s3_buckets ON name = bucket
             WHERE completed_sequence IS NULL AND initiated_ms + abort_uploads_after_days * {day_ms} <= ?1"
        ),
        [now.as_millisecond()],
    )
}

/// Forgets completed uploads begun before `limit`. They have no parts any more.
pub(crate) fn forget_completed(transaction: &Transaction<'_>, limit: Timestamp) -> Result<Vec<String>, Failure> {
    abort_where(
        transaction,
        "SELECT upload_id FROM s3_uploads WHERE completed_sequence IS NOT NULL AND initiated_ms < ?1",
        [limit.as_millisecond()],
    )
}

fn abort_where(
    transaction: &Transaction<'_>,
    query: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<String>, Failure> {
    let ids: Vec<String> =
        transaction.prepare(query)?.query_map(parameters, |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut files = Vec::new();
    for id in ids {
        files.extend(abort(transaction, &id)?);
    }
    Ok(files)
}

/// The open uploads of a bucket in order of key and age, from `start` on.
pub(crate) fn list(
    connection: &Connection,
    bucket: &str,
    start: &Start<(String, String)>,
    limit: usize,
) -> Result<Vec<Upload>, Failure> {
    let (condition, key, id) = match start {
        Start::At(key) => ("key >= ?2 AND ?3 = ''", key, ""),
        Start::AfterKey(key) => ("key > ?2 AND ?3 = ''", key, ""),
        Start::After((key, id)) => ("key >= ?2 AND (key > ?2 OR upload_id > ?3)", key, id.as_str()),
    };
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM s3_uploads
             WHERE bucket = ?1 AND completed_sequence IS NULL AND {condition} ORDER BY key, upload_id LIMIT ?4"
        ))?
        .query_and_then((bucket, key, id, limit), from_row)?
        .collect()
}
