//! Lambda's tables in the home's store.

use vodline_core::Migration;

/// Times are milliseconds since 1970.
pub(crate) const MIGRATION: Migration = Migration {
    service: "lambda",
    statements: &["
        -- Asynchronous invocations that have not succeeded yet.
        CREATE TABLE lambda_events (
            request_id TEXT PRIMARY KEY,
            function TEXT NOT NULL,
            payload BLOB NOT NULL,
            accepted_ms INTEGER NOT NULL,
            due_ms INTEGER NOT NULL,
            failures INTEGER NOT NULL            -- of the function; throttled attempts do not count
        ) WITHOUT ROWID;
        CREATE INDEX lambda_events_due ON lambda_events (due_ms);

        CREATE TABLE lambda_logs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            function TEXT NOT NULL,
            stream TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            ingested_ms INTEGER NOT NULL,
            message TEXT NOT NULL
        );
        CREATE INDEX lambda_logs_by_time ON lambda_logs (function, time_ms, id);
        CREATE INDEX lambda_logs_by_stream ON lambda_logs (function, stream, time_ms, id);
    "],
};
