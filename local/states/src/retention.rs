//! What AWS forgets: executions and their histories ninety days after they ended.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>.

use std::time::Duration;

use rusqlite::{Transaction, params};
use vodline_asl::UnixMillis;
use vodline_core::StoreError;

use crate::engine::{self, Context};

/// How long an ended execution is kept, in milliseconds: ninety days.
const KEPT_MS: i64 = 90 * 86_400_000;

/// How often the old ones are looked for.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// Most executions removed in one commit: bounds how long other writers wait.
const BATCH_MAX: usize = 200;

/// Removes old executions for ever.
pub(crate) async fn run(context: &Context) {
    loop {
        match remove_old(context, engine::now(context)) {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::time::sleep(INTERVAL).await,
            Err(error) => {
                tracing::error!(error = ?error, "old executions cannot be removed");
                tokio::time::sleep(INTERVAL).await;
            }
        }
    }
}

/// Removes some of the executions that ended long ago. Says whether there may be more.
fn remove_old(context: &Context, now: UnixMillis) -> Result<bool, StoreError> {
    let before = now.0 - KEPT_MS;
    let old: Vec<i64> = context.store.read::<_, StoreError>(|connection| {
        // Executions begin in the order of their ids, so the old ones are the first: no index is needed.
        let mut statement = connection
            .prepare_cached("SELECT id, started_at, coalesce(stopped_at, ?1) FROM states_executions ORDER BY id")?;
        let mut rows = statement.query([i64::MAX])?;
        let mut old = Vec::new();
        while let Some(row) = rows.next()? {
            let (started_at, stopped_at): (i64, i64) = (row.get(1)?, row.get(2)?);
            if started_at >= before || old.len() == BATCH_MAX {
                break;
            }
            if stopped_at < before {
                old.push(row.get(0)?);
            }
        }
        Ok(old)
    })?;
    if old.is_empty() {
        return Ok(false);
    }
    context.store.write::<_, StoreError>(|transaction| old.iter().try_for_each(|id| remove(transaction, *id)))?;
    tracing::info!(count = old.len(), "removed executions that ended more than ninety days ago");
    Ok(old.len() == BATCH_MAX)
}

/// Removes an execution with everything that is its own.
pub(crate) fn remove(transaction: &Transaction<'_>, execution: i64) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM states_history WHERE execution = ?1",
        "DELETE FROM states_timers WHERE execution = ?1",
        "DELETE FROM states_tasks WHERE execution = ?1",
        "DELETE FROM states_activity_tasks WHERE execution = ?1",
        "DELETE FROM states_redrives WHERE execution = ?1",
        "DELETE FROM states_map_children WHERE run IN (SELECT id FROM states_map_runs WHERE execution = ?1)",
        "DELETE FROM states_map_runs WHERE execution = ?1",
        "DELETE FROM states_executions WHERE id = ?1",
    ] {
        transaction.prepare_cached(statement)?.execute(params![execution])?;
    }
    Ok(())
}
