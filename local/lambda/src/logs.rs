//! Functions' logs: written behind, readable through the CloudWatch Logs API.

mod api;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use vodline_core::{Account, Clock, Migration, Store, StoreError};

/// The log's table.
pub(crate) const TABLES: Migration = Migration {
    service: "lambda_logs",
    statements: &["CREATE TABLE lambda_log_lines (
         seq INTEGER PRIMARY KEY,
         function TEXT NOT NULL,
         stream TEXT NOT NULL,
         at_ms INTEGER NOT NULL,
         message TEXT NOT NULL
     );
     CREATE INDEX lambda_log_lines_by_time ON lambda_log_lines (function, at_ms, seq);"],
};

/// Lines longer than this are cut; CloudWatch Logs' limit on an event.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>.
const LINE_BYTES_MAX: usize = 256 * 1024;
/// Lines kept of one function.
const LINES_MAX: i64 = 100_000;
/// Lines older than this are forgotten.
const AGE_MS_MAX: i64 = 14 * 24 * 3600 * 1000;
/// Lines written in one transaction at most.
const BATCH: usize = 1000;

/// One line on its way to the store.
#[derive(Debug)]
struct Line {
    function: String,
    stream: String,
    at_ms: i64,
    message: String,
}

enum Message {
    Line(Line),
    /// Answered once every line before it is in the store.
    Flush(Sender<()>),
}

/// The logs of all functions.
pub struct Logs {
    store: Arc<Store>,
    account: Account,
    clock: Arc<dyn Clock>,
    writer: Sender<Message>,
}

impl Logs {
    pub(crate) fn open(store: Store, account: Account, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let store = Arc::new(store);
        let (writer, lines) = channel();
        let target = Arc::clone(&store);
        // Functions print while they work: their lines must not wait for the disk, nor their work for their lines.
        thread::Builder::new().name("lambda-logs".into()).spawn(move || write_behind(&target, &lines))?;
        Ok(Self { store, account, clock, writer })
    }

    /// Adds a line of a sandbox to its function's log.
    pub(crate) fn append(&self, function: &str, stream: &str, mut message: String) {
        if message.len() > LINE_BYTES_MAX {
            let mut end = LINE_BYTES_MAX;
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
        }
        let line = Line {
            function: function.into(),
            stream: stream.into(),
            at_ms: self.clock.now().as_millisecond(),
            message,
        };
        // The writer ends only with the process.
        let _ = self.writer.send(Message::Line(line));
    }

    /// Waits until everything said so far can be read.
    fn flush(&self) {
        let (done, flushed) = channel();
        if self.writer.send(Message::Flush(done)).is_ok() {
            let _ = flushed.recv();
        }
    }

    /// Forgets what is too old or too much.
    pub(crate) fn prune(&self) -> Result<(), StoreError> {
        let oldest = self.clock.now().as_millisecond() - AGE_MS_MAX;
        self.store.write(|transaction| {
            transaction.execute("DELETE FROM lambda_log_lines WHERE at_ms < ?1", [oldest])?;
            transaction.execute(
                "DELETE FROM lambda_log_lines WHERE seq IN (
                     SELECT seq FROM (
                         SELECT seq, row_number() OVER (PARTITION BY function ORDER BY seq DESC) AS place FROM lambda_log_lines
                     ) WHERE place > ?1
                 )",
                [LINES_MAX],
            )?;
            Ok(())
        })
    }
}

fn write_behind(store: &Store, messages: &Receiver<Message>) {
    while let Ok(first) = messages.recv() {
        let mut lines = Vec::new();
        let mut waiting = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => lines.push(line),
                Message::Flush(done) => waiting.push(done),
            }
            next = if lines.len() < BATCH { messages.try_recv().ok() } else { None };
        }
        if let Err(error) = insert(store, &lines) {
            tracing::error!(error = ?error, lost = lines.len(), "lines of functions' logs could not be kept");
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

fn insert(store: &Store, lines: &[Line]) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    store.write(|transaction| {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO lambda_log_lines (function, stream, at_ms, message) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for line in lines {
            statement.execute((&line.function, &line.stream, line.at_ms, &line.message))?;
        }
        Ok(())
    })
}
