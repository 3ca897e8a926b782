//! The logs of all functions: written in batches behind the invocations' backs, kept in the store, bounded by age and number.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use vodline_core::{Store, StoreError};

/// Messages that may wait for the store; beyond, functions that print wait.
const WAITING: usize = 1024;

/// Messages written in one transaction.
const BATCH: usize = 256;

/// The prefix of the log groups of functions.
pub(crate) const GROUP_PREFIX: &str = "/aws/lambda/";

/// `/aws/lambda/<function>`.
pub(crate) fn log_group(function: &str) -> String {
    format!("{GROUP_PREFIX}{function}")
}

/// One line of a log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) function: Arc<str>,
    pub(crate) stream: Arc<str>,
    pub(crate) time: Timestamp,
    pub(crate) message: String,
}

enum Message {
    Lines(Vec<Line>),
    Flush(oneshot::Sender<()>),
}

/// Takes lines for the store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Message>);

impl Writer {
    /// Starts the task that writes. It ends when the last clone is gone and everything is written.
    pub(crate) fn start(store: Arc<Store>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(write_all(store, receiver));
        Self(sender)
    }

    /// Hands lines over; waits when the store is behind.
    pub(crate) async fn write(&self, lines: Vec<Line>) {
        if !lines.is_empty() {
            // The other end is gone only when the home goes down.
            let _ = self.0.send(Message::Lines(lines)).await;
        }
    }

    /// Returns once everything handed over before is in the store.
    pub(crate) async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.0.send(Message::Flush(sender)).await.is_ok() {
            let _ = receiver.await;
        }
    }
}

async fn write_all(store: Arc<Store>, mut receiver: mpsc::Receiver<Message>) {
    let mut messages = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut messages, BATCH).await > 0 {
        let (mut lines, mut waiting) = (Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Lines(more) => lines.extend(more),
                Message::Flush(sender) => waiting.push(sender),
            }
        }
        let store = store.clone();
        let written = tokio::task::spawn_blocking(move || insert(&store, &lines)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(error = ?error, "log lines of functions could not be stored");
        }
        for sender in waiting {
            let _ = sender.send(());
        }
    }
}

fn insert(store: &Store, lines: &[Line]) -> Result<(), StoreError> {
    store.write(|transaction| {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO lambda_logs (function, stream, time_ms, ingested_ms, message) VALUES (?1, ?2, ?3, ?3, ?4)",
        )?;
        for line in lines {
            statement.execute((&*line.function, &*line.stream, line.time.as_millisecond(), &line.message))?;
        }
        Ok(())
    })
}

/// Removes lines older than `age`, and of each function all but the newest `count`.
pub(crate) fn trim(store: &Store, now: Timestamp, age: SignedDuration, count: u64) -> Result<(), StoreError> {
    let oldest = now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH).as_millisecond();
    store.write(|transaction| {
        transaction.execute("DELETE FROM lambda_logs WHERE time_ms < ?1", [oldest])?;
        for function in functions(transaction)? {
            transaction.execute(
                "DELETE FROM lambda_logs WHERE function = ?1 AND id <=
                     (SELECT id FROM lambda_logs WHERE function = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                (function, count),
            )?;
        }
        Ok(())
    })
}

/// The functions that have logs.
pub(crate) fn functions(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT function FROM lambda_logs ORDER BY function")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
