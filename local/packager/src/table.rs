//! The rows of the service.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use vodline_core::{Migration, StoreError, rusqlite};

use crate::{
    facts::Facts,
    model::{Authorization, Package, Status, Tags},
};

/// The tables.
pub(crate) const MIGRATION: Migration = Migration {
    service: "packager",
    statements: &["
        CREATE TABLE packager_groups (
            id TEXT PRIMARY KEY,
            host TEXT NOT NULL UNIQUE,
            authorization TEXT,
            created_at TEXT NOT NULL,
            tags TEXT NOT NULL
        ) STRICT;
        CREATE TABLE packager_configurations (
            id TEXT PRIMARY KEY,
            group_id TEXT NOT NULL REFERENCES packager_groups,
            package TEXT NOT NULL,
            created_at TEXT NOT NULL,
            tags TEXT NOT NULL
        ) STRICT;
        CREATE INDEX packager_configurations_by_group ON packager_configurations (group_id, id);
        CREATE TABLE packager_assets (
            id TEXT PRIMARY KEY,
            group_id TEXT NOT NULL REFERENCES packager_groups,
            resource_id TEXT,
            source_arn TEXT NOT NULL,
            source_role_arn TEXT NOT NULL,
            refusal TEXT,
            created_at TEXT NOT NULL,
            tags TEXT NOT NULL,
            facts TEXT
        ) STRICT;
        CREATE INDEX packager_assets_by_group ON packager_assets (group_id, id);
        CREATE TABLE packager_endpoints (
            asset_id TEXT NOT NULL REFERENCES packager_assets ON DELETE CASCADE,
            configuration_id TEXT NOT NULL REFERENCES packager_configurations ON DELETE CASCADE,
            path TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL,
            PRIMARY KEY (asset_id, configuration_id)
        ) STRICT;
        CREATE INDEX packager_endpoints_unfinished ON packager_endpoints (status) WHERE status IN ('QUEUED', 'PROCESSING');
    ", "
        -- The shape of the facts has changed: what was ingested is ingested again.
        UPDATE packager_assets SET facts = NULL;
        UPDATE packager_endpoints SET status = 'QUEUED' WHERE status = 'PLAYABLE';
    "],
};

type Result<T> = std::result::Result<T, StoreError>;

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}

#[derive(Clone, Debug)]
pub(crate) struct GroupRow {
    pub id: String,
    /// The host of its egress domain.
    pub host: String,
    pub authorization: Option<Authorization>,
    pub created_at: String,
    pub tags: Tags,
}

impl GroupRow {
    const COLUMNS: &'static str = "id, host, authorization, created_at, tags";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let authorization: Option<String> = row.get(2)?;
        Ok(Self {
            id: row.get(0)?,
            host: row.get(1)?,
            authorization: authorization.as_deref().map(from_json).transpose()?,
            created_at: row.get(3)?,
            tags: from_json(&row.get::<_, String>(4)?)?,
        })
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<()> {
        let authorization = self.authorization.as_ref().map(to_json).transpose()?;
        transaction.execute(
            "INSERT INTO packager_groups (id, host, authorization, created_at, tags) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![self.id, self.host, authorization, self.created_at, to_json(&self.tags)?],
        )?;
        Ok(())
    }

    pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM packager_groups WHERE id = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([id], Self::read).optional()?)
    }

    pub(crate) fn by_host(connection: &Connection, host: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM packager_groups WHERE host = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([host], Self::read).optional()?)
    }

    pub(crate) fn list(connection: &Connection, after: &str, limit: usize) -> Result<Vec<Self>> {
        let sql = format!("SELECT {} FROM packager_groups WHERE id > ?1 ORDER BY id LIMIT ?2", Self::COLUMNS);
        Ok(connection
            .prepare_cached(&sql)?
            .query_map(params![after, limit], Self::read)?
            .collect::<rusqlite::Result<_>>()?)
    }

    pub(crate) fn set_authorization(
        transaction: &Transaction<'_>,
        id: &str,
        authorization: Option<&Authorization>,
    ) -> Result<()> {
        let authorization = authorization.map(to_json).transpose()?;
        transaction
            .execute("UPDATE packager_groups SET authorization = ?2 WHERE id = ?1", params![id, authorization])?;
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ConfigurationRow {
    pub id: String,
    pub group_id: String,
    pub package: Package,
    pub created_at: String,
    pub tags: Tags,
}

impl ConfigurationRow {
    const COLUMNS: &'static str = "id, group_id, package, created_at, tags";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            group_id: row.get(1)?,
            package: from_json(&row.get::<_, String>(2)?)?,
            created_at: row.get(3)?,
            tags: from_json(&row.get::<_, String>(4)?)?,
        })
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<()> {
        transaction.execute(
            "INSERT INTO packager_configurations (id, group_id, package, created_at, tags) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![self.id, self.group_id, to_json(&self.package)?, self.created_at, to_json(&self.tags)?],
        )?;
        Ok(())
    }

    pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM packager_configurations WHERE id = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([id], Self::read).optional()?)
    }

    /// In order of id; of one group, or of all.
    pub(crate) fn list(connection: &Connection, group: Option<&str>, after: &str, limit: usize) -> Result<Vec<Self>> {
        let sql = format!(
            "SELECT {} FROM packager_configurations WHERE id > ?1 AND (?2 IS NULL OR group_id = ?2) ORDER BY id LIMIT ?3",
            Self::COLUMNS
        );
        let mut statement = connection.prepare_cached(&sql)?;
        Ok(statement.query_map(params![after, group, limit], Self::read)?.collect::<rusqlite::Result<_>>()?)
    }
}

/// An asset without its facts, which are large.
#[derive(Clone, Debug)]
pub(crate) struct AssetRow {
    pub id: String,
    pub group_id: String,
    pub resource_id: Option<String>,
    pub source_arn: String,
    pub source_role_arn: String,
    /// Why the source role may not read the source, when it may not.
    pub refusal: Option<String>,
    pub created_at: String,
    pub tags: Tags,
}

impl AssetRow {
    const COLUMNS: &'static str = "id, group_id, resource_id, source_arn, source_role_arn, refusal, created_at, tags";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            group_id: row.get(1)?,
            resource_id: row.get(2)?,
            source_arn: row.get(3)?,
            source_role_arn: row.get(4)?,
            refusal: row.get(5)?,
            created_at: row.get(6)?,
            tags: from_json(&row.get::<_, String>(7)?)?,
        })
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<()> {
        transaction.execute(
            "INSERT INTO packager_assets
                (id, group_id, resource_id, source_arn, source_role_arn, refusal, created_at, tags)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                self.id,
                self.group_id,
                self.resource_id,
                self.source_arn,
                self.source_role_arn,
                self.refusal,
                self.created_at,
                to_json(&self.tags)?
            ],
        )?;
        Ok(())
    }

    pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM packager_assets WHERE id = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([id], Self::read).optional()?)
    }

    /// In order of id; of one group, or of all.
    pub(crate) fn list(connection: &Connection, group: Option<&str>, after: &str, limit: usize) -> Result<Vec<Self>> {
        let sql = format!(
            "SELECT {} FROM packager_assets WHERE id > ?1 AND (?2 IS NULL OR group_id = ?2) ORDER BY id LIMIT ?3",
            Self::COLUMNS
        );
        let mut statement = connection.prepare_cached(&sql)?;
        Ok(statement.query_map(params![after, group, limit], Self::read)?.collect::<rusqlite::Result<_>>()?)
    }

    /// An asset with an endpoint that is neither playable nor failed, oldest first.
    pub(crate) fn unfinished(connection: &Connection) -> Result<Option<Self>> {
        let columns = Self::COLUMNS.replace(", ", ", packager_assets.");
        let sql = format!(
            "SELECT packager_assets.{columns} FROM packager_assets
             JOIN packager_endpoints ON asset_id = packager_assets.id
             WHERE status IN ('QUEUED', 'PROCESSING') ORDER BY created_at, id LIMIT 1"
        );
        Ok(connection.prepare_cached(&sql)?.query_row([], Self::read).optional()?)
    }

    pub(crate) fn facts(connection: &Connection, id: &str) -> Result<Option<Facts>> {
        let text: Option<Option<String>> = connection
            .prepare_cached("SELECT facts FROM packager_assets WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        Ok(text.flatten().as_deref().map(from_json).transpose()?)
    }

    /// Keeps the facts; `false` when the asset is gone.
    pub(crate) fn set_facts(transaction: &Transaction<'_>, id: &str, facts: &Facts) -> Result<bool> {
        let changed =
            transaction.execute("UPDATE packager_assets SET facts = ?2 WHERE id = ?1", params![id, to_json(facts)?])?;
        Ok(changed > 0)
    }
}

/// One asset under one configuration.
#[derive(Clone, Debug)]
pub(crate) struct EndpointRow {
    pub asset_id: String,
    pub configuration_id: String,
    /// The three hexadecimal parts of its URL's path.
    pub path: String,
    pub status: Status,
}

impl EndpointRow {
    const COLUMNS: &'static str = "asset_id, configuration_id, path, status";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let status: String = row.get(3)?;
        Ok(Self {
            asset_id: row.get(0)?,
            configuration_id: row.get(1)?,
            path: row.get(2)?,
            status: Status::parse(&status).ok_or(rusqlite::Error::InvalidQuery)?,
        })
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<()> {
        transaction.execute(
            "INSERT INTO packager_endpoints (asset_id, configuration_id, path, status) VALUES (?1, ?2, ?3, ?4)",
            params![self.asset_id, self.configuration_id, self.path, self.status.as_str()],
        )?;
        Ok(())
    }

    pub(crate) fn of_asset(connection: &Connection, asset_id: &str) -> Result<Vec<Self>> {
        let sql =
            format!("SELECT {} FROM packager_endpoints WHERE asset_id = ?1 ORDER BY configuration_id", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_map([asset_id], Self::read)?.collect::<rusqlite::Result<_>>()?)
    }

    pub(crate) fn by_path(connection: &Connection, path: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {} FROM packager_endpoints WHERE path = ?1", Self::COLUMNS);
        Ok(connection.prepare_cached(&sql)?.query_row([path], Self::read).optional()?)
    }

    pub(crate) fn set_status(&self, transaction: &Transaction<'_>, status: Status) -> Result<()> {
        transaction.execute(
            "UPDATE packager_endpoints SET status = ?3 WHERE asset_id = ?1 AND configuration_id = ?2",
            params![self.asset_id, self.configuration_id, status.as_str()],
        )?;
        Ok(())
    }
}

/// The kinds of resource, by their tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Group,
    Configuration,
    Asset,
}

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Self::Group => "packager_groups",
            Self::Configuration => "packager_configurations",
            Self::Asset => "packager_assets",
        }
    }
}

/// How many rows of a kind there are; in one group, when given.
pub(crate) fn count(connection: &Connection, kind: Kind, group: Option<&str>) -> Result<u64> {
    let sql = match group {
        Some(_) => format!("SELECT count(*) FROM {} WHERE group_id = ?1", kind.table()),
        None => format!("SELECT count(*) FROM {} WHERE ?1 IS NULL", kind.table()),
    };
    Ok(connection.prepare_cached(&sql)?.query_row([group], |row| row.get(0))?)
}

/// Removes a row; `false` when there was none.
pub(crate) fn delete(transaction: &Transaction<'_>, kind: Kind, id: &str) -> Result<bool> {
    Ok(transaction.execute(&format!("DELETE FROM {} WHERE id = ?1", kind.table()), [id])? > 0)
}

/// The tags of a resource; `None` when there is no such resource.
pub(crate) fn tags(connection: &Connection, kind: Kind, id: &str) -> Result<Option<Tags>> {
    let sql = format!("SELECT tags FROM {} WHERE id = ?1", kind.table());
    let text: Option<String> = connection.query_row(&sql, [id], |row| row.get(0)).optional()?;
    Ok(text.as_deref().map(from_json).transpose()?)
}

/// Replaces the tags of a resource.
pub(crate) fn set_tags(transaction: &Transaction<'_>, kind: Kind, id: &str, tags: &Tags) -> Result<()> {
    let sql = format!("UPDATE {} SET tags = ?2 WHERE id = ?1", kind.table());
    transaction.execute(&sql, params![id, to_json(tags)?])?;
    Ok(())
}
