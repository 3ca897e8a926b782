//! S3's tables in the home's store.

use vodline_core::Migration;

/// Times are milliseconds since 1970; sizes are bytes; JSON columns hold the serde form of the type named beside them.
pub(crate) const MIGRATION: Migration = Migration {
    service: "s3",
    statements: &["
        CREATE TABLE s3_buckets (
            name TEXT PRIMARY KEY,
            created_ms INTEGER NOT NULL,
            versioning TEXT NOT NULL,            -- Versioning
            event_bridge INTEGER NOT NULL,
            cors TEXT NOT NULL,                  -- JSON, Vec<CorsRule>
            abort_uploads_after_days INTEGER
        ) WITHOUT ROWID;

        -- Orders all changes; events carry it as their sequencer, so it must never go back.
        CREATE TABLE s3_sequence (next INTEGER NOT NULL);
        INSERT INTO s3_sequence VALUES (1);

        CREATE TABLE s3_versions (
            bucket TEXT NOT NULL REFERENCES s3_buckets (name),
            key TEXT NOT NULL,
            sequence INTEGER NOT NULL,           -- the greatest of a key is its current version
            version_id TEXT NOT NULL,            -- 'null' for what was written without versioning
            latest INTEGER NOT NULL,
            delete_marker INTEGER NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,                  -- without quotes
            modified_ms INTEGER NOT NULL,
            file TEXT,                           -- NULL for delete markers
            details TEXT NOT NULL,               -- JSON, Details
            part_sizes TEXT,                     -- JSON, Vec<u64>; NULL unless made of parts
            PRIMARY KEY (bucket, key, sequence DESC)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX s3_version_ids ON s3_versions (bucket, key, version_id);
        CREATE UNIQUE INDEX s3_latest ON s3_versions (bucket, key) WHERE latest;

        CREATE TABLE s3_uploads (
            upload_id TEXT PRIMARY KEY,          -- begins with the time, so it sorts by age
            bucket TEXT NOT NULL REFERENCES s3_buckets (name),
            key TEXT NOT NULL,
            initiated_ms INTEGER NOT NULL,
            details TEXT NOT NULL,               -- JSON, Details
            algorithm TEXT NOT NULL,             -- JSON, Option<Algorithm>
            checksum_type TEXT NOT NULL,         -- JSON, ChecksumType
            completed_sequence INTEGER           -- the version it became; such rows answer repeated completions
        ) WITHOUT ROWID;
        CREATE INDEX s3_uploads_by_key ON s3_uploads (bucket, key, upload_id);

        CREATE TABLE s3_parts (
            upload_id TEXT NOT NULL REFERENCES s3_uploads (upload_id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            modified_ms INTEGER NOT NULL,
            file TEXT NOT NULL,
            checksum TEXT NOT NULL,              -- JSON, Checksum
            PRIMARY KEY (upload_id, number)
        ) WITHOUT ROWID;
    "],
};
