//! Asynchronous invocations: kept on disk until they succeed or have been tried three times.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use vodline_core::{Functions, Migration, StoreError};

use crate::service::Lambda;

/// The queue's table.
pub(crate) const TABLES: Migration = Migration {
    service: "lambda",
    statements: &["CREATE TABLE lambda_events (
         seq INTEGER PRIMARY KEY,
         function TEXT NOT NULL,
         payload BLOB NOT NULL,
         attempts INTEGER NOT NULL,
         due_ms INTEGER NOT NULL
     )"],
};

/// Attempts in all.
const ATTEMPTS_MAX: u32 = 3;
/// One minute before the second attempt, two before the third.
const RETRY_MS: i64 = 60_000;
/// How long the worker sleeps when nothing is due.
const SLEEP: Duration = Duration::from_secs(30);
/// Invocations under way at once.
const BATCH: u32 = 8;

struct Row {
    seq: i64,
    function: String,
    payload: Vec<u8>,
    attempts: u32,
}

impl Lambda {
    /// Puts an invocation into the queue.
    pub(crate) fn enqueue(&self, function: &str, payload: &[u8]) -> Result<(), StoreError> {
        let now = self.config.clock.now().as_millisecond();
        self.store.write::<_, StoreError>(|transaction| {
            transaction.execute(
                "INSERT INTO lambda_events (function, payload, attempts, due_ms) VALUES (?1, ?2, 0, ?3)",
                (function, payload, now),
            )?;
            Ok(())
        })?;
        self.arrived.notify_one();
        Ok(())
    }

    fn due(&self) -> Result<Vec<Row>, StoreError> {
        let now = self.config.clock.now().as_millisecond();
        self.store.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, function, payload, attempts FROM lambda_events WHERE due_ms <= ?1 ORDER BY seq LIMIT ?2",
            )?;
            let rows = statement.query_map((now, BATCH), |row| {
                Ok(Row { seq: row.get(0)?, function: row.get(1)?, payload: row.get(2)?, attempts: row.get(3)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    async fn attempt(&self, row: Row) {
        let outcome = self.invoke(&row.function, Bytes::from(row.payload)).await;
        let failure = match outcome {
            Ok(invocation) if invocation.function_error.is_none() => None,
            Ok(invocation) => Some(String::from_utf8_lossy(&invocation.payload).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        let attempts = row.attempts + 1;
        let settled = match failure {
            None => self.remove(row.seq),
            Some(reason) if attempts >= ATTEMPTS_MAX => {
                tracing::error!(function = row.function, reason, "an asynchronous invocation is given up");
                self.remove(row.seq)
            }
            Some(_) => self.postpone(row.seq, attempts),
        };
        if let Err(error) = settled {
            tracing::error!(error = ?error, "an asynchronous invocation could not be settled; it will be tried again");
        }
    }

    fn remove(&self, seq: i64) -> Result<(), StoreError> {
        self.store.write(|transaction| {
            transaction.execute("DELETE FROM lambda_events WHERE seq = ?1", [seq])?;
            Ok(())
        })
    }

    fn postpone(&self, seq: i64, attempts: u32) -> Result<(), StoreError> {
        let due = self.config.clock.now().as_millisecond() + RETRY_MS * i64::from(attempts);
        self.store.write(|transaction| {
            transaction
                .execute("UPDATE lambda_events SET attempts = ?2, due_ms = ?3 WHERE seq = ?1", (seq, attempts, due))?;
            Ok(())
        })
    }
}

/// Delivers what is due, for ever.
pub(crate) async fn run(lambda: Arc<Lambda>) {
    loop {
        let rows = lambda.due().unwrap_or_else(|error| {
            tracing::error!(error = ?error, "asynchronous invocations could not be read");
            Vec::new()
        });
        if rows.is_empty() {
            let _ = tokio::time::timeout(SLEEP, lambda.arrived.notified()).await;
            continue;
        }
        let mut batch = tokio::task::JoinSet::new();
        for row in rows {
            let lambda = Arc::clone(&lambda);
            batch.spawn(async move { lambda.attempt(row).await });
        }
        while batch.join_next().await.is_some() {}
    }
}
