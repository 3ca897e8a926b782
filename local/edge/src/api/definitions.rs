//! What public keys, key groups, origin access controls, functions and stores have in common: a row with an ETag, made, changed
//! and removed by its id.

use serde::Serialize;
use vodline_core::{AwsError, rusqlite::Transaction};

use super::check_version;
use crate::{
    service::Edge,
    table::{DefinitionRow, DistributionRow, Kind, to_json},
};

impl Edge {
    /// Stores a new definition, after `check` has seen what there is.
    pub(super) fn create_definition(
        &self,
        kind: Kind,
        id: String,
        body: &impl Serialize,
        check: impl FnOnce(&Transaction<'_>) -> Result<(), AwsError>,
    ) -> Result<DefinitionRow, AwsError> {
        let now = self.clock.now();
        let row = DefinitionRow {
            logical_id: DefinitionRow::made_by_api(&id),
            id,
            etag: self.new_id('E'),
            body: to_json(body)?,
            applied: String::new(),
            created_at: now,
            modified_at: now,
        };
        self.store.write::<_, AwsError>(|transaction| {
            check(transaction)?;
            row.put(transaction, kind)?;
            Ok(())
        })?;
        self.deploy()?;
        Ok(row)
    }

    pub(super) fn find_definition(
        &self,
        kind: Kind,
        id: &str,
        missing: impl FnOnce(&str) -> AwsError,
    ) -> Result<DefinitionRow, AwsError> {
        self.store.read(|connection| DefinitionRow::find(connection, kind, id)?.ok_or_else(|| missing(id)))
    }

    pub(super) fn list_definitions(&self, kind: Kind) -> Result<Vec<DefinitionRow>, AwsError> {
        self.store.read(|connection| Ok(DefinitionRow::all(connection, kind)?))
    }

    /// Replaces a definition's body by what `change` makes of it, if it still is the version the caller knows.
    pub(super) fn update_definition<T: Serialize>(
        &self,
        kind: Kind,
        id: &str,
        if_match: &str,
        missing: impl FnOnce(&str) -> AwsError,
        change: impl FnOnce(&Transaction<'_>, &DefinitionRow) -> Result<T, AwsError>,
    ) -> Result<DefinitionRow, AwsError> {
        let row = self.store.write::<_, AwsError>(|transaction| {
            let known = DefinitionRow::find(transaction, kind, id)?.ok_or_else(|| missing(id))?;
            check_version(if_match, &known.etag)?;
            let body = to_json(&change(transaction, &known)?)?;
            let row = DefinitionRow { etag: self.new_id('E'), body, modified_at: self.clock.now(), ..known };
            row.put(transaction, kind)?;
            Ok(row)
        })?;
        self.deploy()?;
        Ok(row)
    }

    /// Removes a definition that nothing refers to, which `check` finds out.
    pub(super) fn delete_definition(
        &self,
        kind: Kind,
        id: &str,
        if_match: &str,
        missing: impl FnOnce(&str) -> AwsError,
        check: impl FnOnce(&Transaction<'_>, &DefinitionRow) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        self.store.write::<_, AwsError>(|transaction| {
            let row = DefinitionRow::find(transaction, kind, id)?.ok_or_else(|| missing(id))?;
            check_version(if_match, &row.etag)?;
            check(transaction, &row)?;
            DefinitionRow::delete(transaction, kind, id)?;
            Ok(())
        })?;
        self.deploy()?;
        Ok(())
    }
}

/// The first distribution whose configuration fits, by id.
pub(super) fn used_by(
    transaction: &Transaction<'_>,
    fits: impl Fn(&crate::model::DistributionConfig) -> bool,
) -> Result<Option<String>, AwsError> {
    let rows = DistributionRow::all(transaction)?;
    Ok(rows.into_iter().find(|row| fits(&row.config)).map(|row| row.id))
}
