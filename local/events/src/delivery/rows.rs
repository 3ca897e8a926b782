//! Deliveries as rows.

use jiff::Timestamp;
use vodline_core::{
    StoreError,
    rusqlite::{self, Connection, Row, Transaction},
};

/// How many failed deliveries stay readable.
const FAILED_MAX: u32 = 1000;

/// A delivery about to be stored.
#[derive(Debug)]
pub(crate) struct NewDelivery<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) rule_arn: &'a str,
    pub(crate) target_arn: &'a str,
    pub(crate) role_arn: Option<&'a str>,
    pub(crate) dead_letter_arn: Option<&'a str>,
    pub(crate) payload: &'a str,
    pub(crate) event: &'a str,
    pub(crate) retries_max: u32,
    pub(crate) expires_ms: i64,
    pub(crate) due_ms: i64,
}

/// A delivery not yet made.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) seq: i64,
    pub(crate) event_id: String,
    pub(crate) rule_arn: String,
    pub(crate) target_arn: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) dead_letter_arn: Option<String>,
    pub(crate) payload: String,
    pub(crate) event: String,
    pub(crate) retries_max: u32,
    pub(crate) expires_ms: i64,
    /// Attempts so far that the target did not take.
    pub(crate) attempts: u32,
    /// Invocations so far in which the function failed.
    pub(crate) function_errors: u32,
}

/// A delivery that was given up and has no dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDelivery {
    /// The event's id.
    pub event_id: String,
    /// The rule that took the event.
    pub rule_arn: String,
    /// The target that did not.
    pub target_arn: String,
    /// The event, as JSON.
    pub event: String,
    /// When it was given up.
    pub failed_at: Timestamp,
    /// The last error's code.
    pub error_code: String,
    /// The last error's words.
    pub error_message: String,
    /// Attempts made in all.
    pub attempts: u32,
}

pub(crate) fn insert(transaction: &Transaction<'_>, delivery: &NewDelivery<'_>) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO events_deliveries (event_id, rule_arn, target_arn, role_arn, dead_letter_arn, payload, event,
                                            retries_max, expires_ms, due_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute((
            delivery.event_id,
            delivery.rule_arn,
            delivery.target_arn,
            delivery.role_arn,
            delivery.dead_letter_arn,
            delivery.payload,
            delivery.event,
            delivery.retries_max,
            delivery.expires_ms,
            delivery.due_ms,
        ))?;
    Ok(())
}

/// The oldest deliveries that are due.
pub(super) fn due(connection: &Connection, now_ms: i64, limit: usize) -> Result<Vec<Delivery>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, event_id, rule_arn, target_arn, role_arn, dead_letter_arn, payload, event, retries_max, expires_ms,
                attempts, function_errors
         FROM events_deliveries WHERE failed_ms IS NULL AND due_ms <= ?1 ORDER BY due_ms, seq LIMIT ?2",
    )?;
    let rows = statement.query_map((now_ms, limit), delivery)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the first delivery after `now_ms` is due.
pub(super) fn next_due_ms(connection: &Connection, now_ms: i64) -> Result<Option<i64>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT min(due_ms) FROM events_deliveries WHERE failed_ms IS NULL AND due_ms > ?1")?;
    Ok(statement.query_row([now_ms], |row| row.get(0))?)
}

pub(super) fn delete(transaction: &Transaction<'_>, seq: i64) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM events_deliveries WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// Stores a failed attempt and when the next is due.
pub(super) fn postpone(transaction: &Transaction<'_>, delivery: &Delivery, due_ms: i64) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE events_deliveries SET attempts = ?2, function_errors = ?3, due_ms = ?4 WHERE seq = ?1",
        (delivery.seq, delivery.attempts, delivery.function_errors, due_ms),
    )?;
    Ok(())
}

/// Marks a delivery as given up, and forgets the oldest of those beyond the bound.
pub(super) fn fail(
    transaction: &Transaction<'_>,
    delivery: &Delivery,
    now_ms: i64,
    code: &str,
    message: &str,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE events_deliveries
         SET attempts = ?2, function_errors = ?3, failed_ms = ?4, error_code = ?5, error_message = ?6 WHERE seq = ?1",
        (delivery.seq, delivery.attempts, delivery.function_errors, now_ms, code, message),
    )?;
    transaction.execute(
        "DELETE FROM events_deliveries WHERE failed_ms IS NOT NULL AND seq NOT IN
             (SELECT seq FROM events_deliveries WHERE failed_ms IS NOT NULL ORDER BY failed_ms DESC, seq DESC LIMIT ?1)",
        [FAILED_MAX],
    )?;
    Ok(())
}

/// What was given up and has no dead-letter queue, newest first.
pub(crate) fn failed(connection: &Connection) -> Result<Vec<FailedDelivery>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT event_id, rule_arn, target_arn, event, failed_ms, error_code, error_message, attempts + function_errors
         FROM events_deliveries WHERE failed_ms IS NOT NULL ORDER BY failed_ms DESC, seq DESC",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(FailedDelivery {
            event_id: row.get(0)?,
            rule_arn: row.get(1)?,
            target_arn: row.get(2)?,
            event: row.get(3)?,
            failed_at: Timestamp::from_millisecond(row.get(4)?).unwrap_or_default(),
            error_code: row.get(5)?,
            error_message: row.get(6)?,
            attempts: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn delivery(row: &Row<'_>) -> Result<Delivery, rusqlite::Error> {
    Ok(Delivery {
        seq: row.get(0)?,
        event_id: row.get(1)?,
        rule_arn: row.get(2)?,
        target_arn: row.get(3)?,
        role_arn: row.get(4)?,
        dead_letter_arn: row.get(5)?,
        payload: row.get(6)?,
        event: row.get(7)?,
        retries_max: row.get(8)?,
        expires_ms: row.get(9)?,
        attempts: row.get(10)?,
        function_errors: row.get(11)?,
    })
}
