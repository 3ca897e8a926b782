//! Secrets as rows.

use vodline_core::{
    Migration, StoreError,
    rusqlite::{Connection, OptionalExtension, Row, Transaction},
};

pub(super) const TABLES: Migration = Migration {
    service: "secrets",
    statements: &["
        CREATE TABLE secrets_secrets (
            arn TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            description TEXT,
            kms_key_id TEXT,
            tags TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            changed_ms INTEGER NOT NULL,
            accessed_ms INTEGER,
            deleted_ms INTEGER
        );
        CREATE TABLE secrets_versions (
            secret TEXT NOT NULL REFERENCES secrets_secrets (arn) ON DELETE CASCADE,
            id TEXT NOT NULL,
            text TEXT,
            bytes BLOB,
            created_ms INTEGER NOT NULL,
            PRIMARY KEY (secret, id)
        );
        CREATE TABLE secrets_stages (
            secret TEXT NOT NULL,
            stage TEXT NOT NULL,
            version TEXT NOT NULL,
            PRIMARY KEY (secret, stage),
            FOREIGN KEY (secret, version) REFERENCES secrets_versions (secret, id) ON DELETE CASCADE
        );
    "],
};

const COLUMNS: &str = "arn, name, description, kms_key_id, tags, created_ms, changed_ms, accessed_ms, deleted_ms";

/// A secret without its versions.
#[derive(Clone, Debug)]
pub(super) struct SecretRow {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) kms_key_id: Option<String>,
    /// JSON: a list of tags.
    pub(super) tags: String,
    pub(super) created_ms: i64,
    pub(super) changed_ms: i64,
    /// Midnight of the last day on which a value was read.
    pub(super) accessed_ms: Option<i64>,
    /// When it will be gone, once it is marked for deletion.
    pub(super) deleted_ms: Option<i64>,
}

fn secret_row(row: &Row<'_>) -> Result<SecretRow, vodline_core::rusqlite::Error> {
    Ok(SecretRow {
        arn: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        kms_key_id: row.get(3)?,
        tags: row.get(4)?,
        created_ms: row.get(5)?,
        changed_ms: row.get(6)?,
        accessed_ms: row.get(7)?,
        deleted_ms: row.get(8)?,
    })
}

pub(super) fn by_name(connection: &Connection, name: &str) -> Result<Option<SecretRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM secrets_secrets WHERE name = ?1"))?;
    Ok(statement.query_row([name], secret_row).optional()?)
}

pub(super) fn by_arn(connection: &Connection, arn: &str) -> Result<Option<SecretRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM secrets_secrets WHERE arn = ?1"))?;
    Ok(statement.query_row([arn], secret_row).optional()?)
}

/// All secrets, oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<SecretRow>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM secrets_secrets ORDER BY created_ms, rowid"))?;
    let rows = statement.query_map([], secret_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn insert(transaction: &Transaction<'_>, secret: &SecretRow) -> Result<(), StoreError> {
    transaction.execute(
        &format!("INSERT INTO secrets_secrets ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
        (
            &secret.arn,
            &secret.name,
            &secret.description,
            &secret.kms_key_id,
            &secret.tags,
            secret.created_ms,
            secret.changed_ms,
            secret.accessed_ms,
            secret.deleted_ms,
        ),
    )?;
    Ok(())
}

pub(super) fn set_description(
    transaction: &Transaction<'_>,
    arn: &str,
    description: Option<&str>,
) -> Result<(), StoreError> {
    transaction.execute("UPDATE secrets_secrets SET description = ?2 WHERE arn = ?1", (arn, description))?;
    Ok(())
}

pub(super) fn set_kms_key_id(transaction: &Transaction<'_>, arn: &str, key: &str) -> Result<(), StoreError> {
    transaction.execute("UPDATE secrets_secrets SET kms_key_id = ?2 WHERE arn = ?1", [arn, key])?;
    Ok(())
}

pub(super) fn set_tags(transaction: &Transaction<'_>, arn: &str, tags: &str) -> Result<(), StoreError> {
    transaction.execute("UPDATE secrets_secrets SET tags = ?2 WHERE arn = ?1", [arn, tags])?;
    Ok(())
}

pub(super) fn set_changed(transaction: &Transaction<'_>, arn: &str, now_ms: i64) -> Result<(), StoreError> {
    transaction.execute("UPDATE secrets_secrets SET changed_ms = ?2 WHERE arn = ?1", (arn, now_ms))?;
    Ok(())
}

pub(super) fn set_accessed(transaction: &Transaction<'_>, arn: &str, day_ms: i64) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE secrets_secrets SET accessed_ms = ?2 WHERE arn = ?1 AND accessed_ms IS NOT ?2",
        (arn, day_ms),
    )?;
    Ok(())
}

/// Marks a secret for deletion then, or, with `None`, takes the mark back.
pub(super) fn set_deleted(transaction: &Transaction<'_>, arn: &str, at_ms: Option<i64>) -> Result<(), StoreError> {
    transaction.execute("UPDATE secrets_secrets SET deleted_ms = ?2 WHERE arn = ?1", (arn, at_ms))?;
    Ok(())
}

pub(super) fn delete(transaction: &Transaction<'_>, arn: &str) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM secrets_secrets WHERE arn = ?1", [arn])?;
    Ok(())
}

/// Deletes what was marked for deletion and whose time has come.
pub(super) fn delete_due(transaction: &Transaction<'_>, now_ms: i64) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM secrets_secrets WHERE deleted_ms <= ?1")?.execute([now_ms])?;
    Ok(())
}
