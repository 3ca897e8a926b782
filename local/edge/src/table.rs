//! The rows of the service.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};
use vodline_core::{Migration, StoreError, rusqlite};

use crate::model::DistributionConfig;

/// The tables.
pub(crate) const MIGRATION: Migration = Migration {
    service: "edge",
    statements: &["
        CREATE TABLE edge_distributions (
            id TEXT PRIMARY KEY,
            logical_id TEXT NOT NULL UNIQUE,
            domain_name TEXT NOT NULL UNIQUE,
            etag TEXT NOT NULL,
            config TEXT NOT NULL,
            -- What the template said when it was last applied, to tell a changed template from one applied again.
            applied TEXT NOT NULL,
            modified_at TEXT NOT NULL
        ) STRICT;
        CREATE TABLE edge_definitions (
            kind TEXT NOT NULL,
            logical_id TEXT NOT NULL,
            id TEXT NOT NULL,
            etag TEXT NOT NULL,
            body TEXT NOT NULL,
            created_at TEXT NOT NULL,
            modified_at TEXT NOT NULL,
            PRIMARY KEY (kind, logical_id),
            UNIQUE (kind, id)
        ) STRICT;
        CREATE TABLE edge_invalidations (
            id TEXT PRIMARY KEY,
            distribution_id TEXT NOT NULL REFERENCES edge_distributions,
            caller_reference TEXT NOT NULL,
            paths TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (distribution_id, caller_reference)
        ) STRICT;
    ", "
        -- What the template said when it was last applied; what the API changes afterwards stays until the template changes.
        ALTER TABLE edge_definitions ADD COLUMN applied TEXT NOT NULL DEFAULT '';
        UPDATE edge_definitions SET applied = body;
        -- A function's two stages are two rows; until now they were the same.
        INSERT INTO edge_definitions (kind, logical_id, id, etag, body, created_at, modified_at, applied)
            SELECT 'live-function', logical_id, id, etag, body, created_at, modified_at, applied
            FROM edge_definitions WHERE kind = 'function';
        CREATE TABLE edge_key_values (
            store_id TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (store_id, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE edge_key_value_versions (
            store_id TEXT PRIMARY KEY,
            etag TEXT NOT NULL,
            modified_at TEXT NOT NULL
        ) STRICT;
    "],
};

type Result<T> = std::result::Result<T, StoreError>;

pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}

fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    let text: String = row.get(index)?;
    text.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })
}

#[derive(Clone, Debug)]
pub(crate) struct DistributionRow {
    pub id: String,
    pub logical_id: String,
    pub domain_name: String,
    pub etag: String,
    pub config: DistributionConfig,
    pub applied: String,
    pub modified_at: Timestamp,
}

impl DistributionRow {
    const COLUMNS: &'static str = "id, logical_id, domain_name, etag, config, applied, modified_at";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            logical_id: row.get(1)?,
            domain_name: row.get(2)?,
            etag: row.get(3)?,
            config: from_json(&row.get::<_, String>(4)?)?,
            applied: row.get(5)?,
            modified_at: time(row, 6)?,
        })
    }

    pub(crate) fn delete(transaction: &Transaction<'_>, id: &str) -> Result<()> {
        transaction.execute("DELETE FROM edge_invalidations WHERE distribution_id = ?1", [id])?;
        transaction.execute("DELETE FROM edge_distributions WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Writes the row, over an earlier one if there is one.
    pub(crate) fn put(&self, transaction: &Transaction<'_>) -> Result<()> {
        transaction.execute(
            "INSERT OR REPLACE INTO edge_distributions (id, logical_id, domain_name, etag, config, applied, modified_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.id,
                self.logical_id,
                self.domain_name,
                self.etag,
                to_json(&self.config)?,
                self.applied,
                self.modified_at.to_string()
            ],
        )?;
        Ok(())
    }

    pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM edge_distributions WHERE id = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([id], Self::read).optional()?)
    }

    pub(crate) fn by_logical_id(connection: &Connection, logical_id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM edge_distributions WHERE logical_id = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([logical_id], Self::read).optional()?)
    }

    /// All, in the order they were defined.
    pub(crate) fn all(connection: &Connection) -> Result<Vec<Self>> {
        let sql = format!("SELECT {} FROM edge_distributions ORDER BY rowid", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_map([], Self::read)?.collect::<rusqlite::Result<_>>()?)
    }
}

/// The kinds of thing a distribution refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    CachePolicy,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
    OriginAccessControl,
    /// A function's stage DEVELOPMENT; its id is its name.
    Function,
    /// Its stage LIVE, under the same name.
    LiveFunction,
    PublicKey,
    KeyGroup,
    /// Its id is its name.
    KeyValueStore,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::CachePolicy => "cache-policy",
            Self::OriginRequestPolicy => "origin-request-policy",
            Self::ResponseHeadersPolicy => "response-headers-policy",
            Self::OriginAccessControl => "origin-access-control",
            Self::Function => "function",
            Self::LiveFunction => "live-function",
            Self::PublicKey => "public-key",
            Self::KeyGroup => "key-group",
            Self::KeyValueStore => "key-value-store",
        }
    }
}

/// One such thing.
#[derive(Clone, Debug)]
pub(crate) struct DefinitionRow {
    pub logical_id: String,
    pub id: String,
    pub etag: String,
    /// JSON.
    pub body: String,
    /// What the template last said; empty for what the API made.
    pub applied: String,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

impl DefinitionRow {
    const COLUMNS: &'static str = "logical_id, id, etag, body, created_at, modified_at, applied";

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            logical_id: row.get(0)?,
            id: row.get(1)?,
            etag: row.get(2)?,
            body: row.get(3)?,
            created_at: time(row, 4)?,
            modified_at: time(row, 5)?,
            applied: row.get(6)?,
        })
    }

    /// Writes the row, over an earlier one of the same logical id.
    pub(crate) fn put(&self, transaction: &Transaction<'_>, kind: Kind) -> Result<()> {
        transaction.execute(
            "INSERT INTO edge_definitions (kind, logical_id, id, etag, body, created_at, modified_at, applied)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (kind, logical_id) DO UPDATE SET id = ?3, etag = ?4, body = ?5, modified_at = ?7, applied = ?8",
            params![
                kind.as_str(),
                self.logical_id,
                self.id,
                self.etag,
                self.body,
                self.created_at.to_string(),
                self.modified_at.to_string(),
                self.applied
            ],
        )?;
        Ok(())
    }

    pub(crate) fn delete(transaction: &Transaction<'_>, kind: Kind, id: &str) -> Result<()> {
        transaction.execute("DELETE FROM edge_definitions WHERE kind = ?1 AND id = ?2", params![kind.as_str(), id])?;
        Ok(())
    }

    pub(crate) fn find(connection: &Connection, kind: Kind, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM edge_definitions WHERE kind = ?1 AND id = ?2", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([kind.as_str(), id], Self::from_row).optional()?)
    }

    pub(crate) fn by_logical_id(connection: &Connection, kind: Kind, logical_id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM edge_definitions WHERE kind = ?1 AND logical_id = ?2", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([kind.as_str(), logical_id], Self::from_row).optional()?)
    }

    pub(crate) fn all(connection: &Connection, kind: Kind) -> Result<Vec<Self>> {
        let sql = format!("SELECT {} FROM edge_definitions WHERE kind = ?1 ORDER BY id", Self::COLUMNS);
        Ok(connection
            .prepare_cached(&sql)?
            .query_map([kind.as_str()], Self::from_row)?
            .collect::<rusqlite::Result<_>>()?)
    }

    /// The logical id of what the API makes: no name in a template has a slash.
    pub(crate) fn made_by_api(id: &str) -> String {
        format!("api/{id}")
    }

    /// The body, read.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(from_json(&self.body)?)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct InvalidationRow {
    pub id: String,
    pub distribution_id: String,
    pub caller_reference: String,
    pub paths: Vec<String>,
    pub created_at: Timestamp,
}

impl InvalidationRow {
    const COLUMNS: &'static str = "id, distribution_id, caller_reference, paths, created_at";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            distribution_id: row.get(1)?,
            caller_reference: row.get(2)?,
            paths: from_json(&row.get::<_, String>(3)?)?,
            created_at: time(row, 4)?,
        })
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<()> {
        transaction.execute(
            "INSERT INTO edge_invalidations (id, distribution_id, caller_reference, paths, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                self.id,
                self.distribution_id,
                self.caller_reference,
                to_json(&self.paths)?,
                self.created_at.to_string()
            ],
        )?;
        Ok(())
    }

    pub(crate) fn find(connection: &Connection, distribution_id: &str, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM edge_invalidations WHERE distribution_id = ?1 AND id = ?2", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([distribution_id, id], Self::read).optional()?)
    }

    pub(crate) fn by_reference(
        connection: &Connection,
        distribution_id: &str,
        reference: &str,
    ) -> Result<Option<Self>> {
        let sql = format!(
            "SELECT {} FROM edge_invalidations WHERE distribution_id = ?1 AND caller_reference = ?2",
            Self::COLUMNS
        );
        Ok(connection.prepare_cached(&sql)?.query_row([distribution_id, reference], Self::read).optional()?)
    }

    /// Of one distribution, newest first.
    pub(crate) fn list(connection: &Connection, distribution_id: &str) -> Result<Vec<Self>> {
        let sql =
            format!("SELECT {} FROM edge_invalidations WHERE distribution_id = ?1 ORDER BY rowid DESC", Self::COLUMNS);
        Ok(connection
            .prepare_cached(&sql)?
            .query_map([distribution_id], Self::read)?
            .collect::<rusqlite::Result<_>>()?)
    }
}

/// What is known of a key value store's contents.
#[derive(Clone, Debug)]
pub(crate) struct KeyValueVersion {
    pub etag: String,
    pub modified_at: Timestamp,
}

impl KeyValueVersion {
    pub(crate) fn find(connection: &Connection, store_id: &str) -> Result<Option<Self>> {
        Ok(connection
            .prepare_cached("SELECT etag, modified_at FROM edge_key_value_versions WHERE store_id = ?1")?
            .query_row([store_id], |row| Ok(Self { etag: row.get(0)?, modified_at: time(row, 1)? }))
            .optional()?)
    }

    pub(crate) fn put(&self, transaction: &Transaction<'_>, store_id: &str) -> Result<()> {
        transaction.execute(
            "INSERT OR REPLACE INTO edge_key_value_versions (store_id, etag, modified_at) VALUES (?1, ?2, ?3)",
            params![store_id, self.etag, self.modified_at.to_string()],
        )?;
        Ok(())
    }
}

/// The pairs of key value stores.
pub(crate) struct KeyValues;

impl KeyValues {
    pub(crate) fn get(connection: &Connection, store_id: &str, key: &str) -> Result<Option<String>> {
        Ok(connection
            .prepare_cached("SELECT value FROM edge_key_values WHERE store_id = ?1 AND key = ?2")?
            .query_row([store_id, key], |row| row.get(0))
            .optional()?)
    }

    pub(crate) fn put(transaction: &Transaction<'_>, store_id: &str, key: &str, value: &str) -> Result<()> {
        transaction.execute(
            "INSERT OR REPLACE INTO edge_key_values (store_id, key, value) VALUES (?1, ?2, ?3)",
            params![store_id, key, value],
        )?;
        Ok(())
    }

    /// Whether there was such a key.
    pub(crate) fn delete(transaction: &Transaction<'_>, store_id: &str, key: &str) -> Result<bool> {
        let sql = "DELETE FROM edge_key_values WHERE store_id = ?1 AND key = ?2";
        Ok(transaction.execute(sql, params![store_id, key])? > 0)
    }

    /// Pairs whose keys come after this one, in order, at most `limit`.
    pub(crate) fn page(
        connection: &Connection,
        store_id: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, String)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(connection
            .prepare_cached(
                "SELECT key, value FROM edge_key_values WHERE store_id = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            )?
            .query_map(params![store_id, after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?)
    }

    /// How many pairs there are, and their size in bytes.
    pub(crate) fn size(connection: &Connection, store_id: &str) -> Result<(u64, u64)> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(LENGTH(CAST(key AS BLOB)) + LENGTH(CAST(value AS BLOB))), 0)
                   FROM edge_key_values WHERE store_id = ?1";
        let (count, bytes): (i64, i64) =
            connection.prepare_cached(sql)?.query_row([store_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((count.unsigned_abs(), bytes.unsigned_abs()))
    }

    /// Forgets a store's pairs.
    pub(crate) fn clear(transaction: &Transaction<'_>, store_id: &str) -> Result<()> {
        transaction.execute("DELETE FROM edge_key_values WHERE store_id = ?1", [store_id])?;
        transaction.execute("DELETE FROM edge_key_value_versions WHERE store_id = ?1", [store_id])?;
        Ok(())
    }
}
