//! Versions of secrets and the staging labels that tell which is which.
//!
//! A label is on one version at most. When `AWSCURRENT` moves, `AWSPREVIOUS` goes to where it was.
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>.

use vodline_core::{
    AwsError, StoreError,
    rusqlite::{Connection, OptionalExtension, Row, Transaction},
};

use super::{CURRENT, PREVIOUS, SecretsManager, rows, rows::SecretRow};

/// Versions without a label beyond these are forgotten, oldest first. Source:
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>.
const UNLABELLED_MAX: u32 = 100;

/// A secret value. Cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

/// A version of a secret. Cannot be printed.
pub(super) struct Version {
    pub(super) id: String,
    pub(super) content: Content,
    pub(super) created_ms: i64,
}

impl SecretsManager {
    /// Adds a version under these labels; the first version of a secret is always current. Adding the same version twice is
    /// adding it once.
    pub(super) fn put_version(
        &self,
        transaction: &Transaction<'_>,
        secret: &SecretRow,
        id: &str,
        content: &Content,
        stages: &[String],
    ) -> Result<(), AwsError> {
        if let Some(existing) = by_id(transaction, &secret.arn, id)? {
            if existing.content == *content {
                return Ok(());
            }
            return Err(AwsError::bad_request(
                "ResourceExistsException",
                format!(
                    "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {}.",
                    secret.arn
                ),
            ));
        }
        let (text, bytes) = match content {
            Content::Text(text) => (Some(text), None),
            Content::Bytes(bytes) => (None, Some(bytes)),
        };
        transaction
            .execute(
                "INSERT INTO secrets_versions VALUES (?1, ?2, ?3, ?4, ?5)",
                (&secret.arn, id, text, bytes, self.now_ms()),
            )
            .map_err(StoreError::from)?;
        let first = !has_current(transaction, &secret.arn)?;
        for stage in stages {
            move_stage(transaction, &secret.arn, stage, id)?;
        }
        if first && !stages.iter().any(|stage| stage == CURRENT) {
            move_stage(transaction, &secret.arn, CURRENT, id)?;
        }
        forget_unlabelled(transaction, &secret.arn)?;
        Ok(rows::set_changed(transaction, &secret.arn, self.now_ms())?)
    }
}

/// Puts a label on a version and takes it off any other.
pub(super) fn move_stage(transaction: &Transaction<'_>, secret: &str, stage: &str, to: &str) -> Result<(), StoreError> {
    let from = version_of_stage(transaction, secret, stage)?;
    set_stage(transaction, secret, stage, to)?;
    match from {
        Some(from) if stage == CURRENT && from != to => set_stage(transaction, secret, PREVIOUS, &from),
        _ => Ok(()),
    }
}

fn set_stage(transaction: &Transaction<'_>, secret: &str, stage: &str, version: &str) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO secrets_stages VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET version = ?3",
        [secret, stage, version],
    )?;
    Ok(())
}

pub(super) fn remove_stage(transaction: &Transaction<'_>, secret: &str, stage: &str) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM secrets_stages WHERE secret = ?1 AND stage = ?2", [secret, stage])?;
    Ok(())
}

/// The id of the version with this label.
pub(super) fn version_of_stage(
    connection: &Connection,
    secret: &str,
    stage: &str,
) -> Result<Option<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT version FROM secrets_stages WHERE secret = ?1 AND stage = ?2")?;
    Ok(statement.query_row([secret, stage], |row| row.get(0)).optional()?)
}

pub(super) fn has_current(connection: &Connection, secret: &str) -> Result<bool, StoreError> {
    Ok(version_of_stage(connection, secret, CURRENT)?.is_some())
}

pub(super) fn current_text(connection: &Connection, secret: &str) -> Result<Option<String>, StoreError> {
    Ok(by_stage(connection, secret, CURRENT)?.and_then(|version| match version.content {
        Content::Text(text) => Some(text),
        Content::Bytes(_) => None,
    }))
}

pub(super) fn by_stage(connection: &Connection, secret: &str, stage: &str) -> Result<Option<Version>, StoreError> {
    match version_of_stage(connection, secret, stage)? {
        Some(id) => by_id(connection, secret, &id),
        None => Ok(None),
    }
}

pub(super) fn by_id(connection: &Connection, secret: &str, id: &str) -> Result<Option<Version>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, text, bytes, created_ms FROM secrets_versions WHERE secret = ?1 AND id = ?2")?;
    let version = statement.query_row([secret, id], version_row).optional()?;
    version.transpose()
}

fn version_row(row: &Row<'_>) -> Result<Result<Version, StoreError>, vodline_core::rusqlite::Error> {
    let id: String = row.get(0)?;
    let content = match (row.get(1)?, row.get(2)?) {
        (Some(text), None) => Content::Text(text),
        (None, Some(bytes)) => Content::Bytes(bytes),
        _ => return Ok(Err(StoreError::Corrupt(format!("version {id} of a secret has no value")))),
    };
    Ok(Ok(Version { id, content, created_ms: row.get(3)? }))
}

/// Ids and times of creation in milliseconds of all versions, newest first.
pub(super) fn all(connection: &Connection, secret: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, created_ms FROM secrets_versions WHERE secret = ?1 ORDER BY created_ms DESC, rowid DESC",
    )?;
    let rows = statement.query_map([secret], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Labels and the ids of their versions, by label.
pub(super) fn stages(connection: &Connection, secret: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT stage, version FROM secrets_stages WHERE secret = ?1 ORDER BY stage")?;
    let rows = statement.query_map([secret], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn forget_unlabelled(transaction: &Transaction<'_>, secret: &str) -> Result<(), StoreError> {
    transaction.execute(
        "DELETE FROM secrets_versions WHERE secret = ?1 AND id IN
             (SELECT id FROM secrets_versions WHERE secret = ?1
                  AND id NOT IN (SELECT version FROM secrets_stages WHERE secret = ?1)
              ORDER BY created_ms DESC, rowid DESC LIMIT -1 OFFSET ?2)",
        (secret, UNLABELLED_MAX),
    )?;
    Ok(())
}
