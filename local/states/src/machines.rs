//! State machines as the store has them, and what an ARN that names one leads to.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use vodline_asl::{ExecutionKind, UnixMillis};
use vodline_core::{AwsError, Entropy, StoreError};

use crate::{
    error,
    names::{self, Resource},
    revisions,
};

/// A state machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) id: i64,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) kind: ExecutionKind,
    /// `ACTIVE` or `DELETING`.
    pub(crate) status: String,
    /// Its current revision.
    pub(crate) revision: i64,
    pub(crate) created_at: UnixMillis,
}

/// The definition as it was at one time.
#[derive(Clone, Debug)]
pub(crate) struct RevisionRow {
    pub(crate) revision_id: Option<String>,
    pub(crate) definition: String,
    pub(crate) role_arn: String,
    pub(crate) created_at: UnixMillis,
}

/// A share of an alias's executions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Route {
    /// Which version.
    pub(crate) state_machine_version_arn: String,
    /// How many in a hundred.
    pub(crate) weight: u32,
}

/// What an ARN in a request leads to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) machine: Machine,
    pub(crate) revision: i64,
    pub(crate) version_arn: Option<String>,
    pub(crate) alias_arn: Option<String>,
}

const COLUMNS: &str = "id, arn, name, kind, status, revision, created_at";

fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Machine> {
    Ok(Machine {
        id: row.get(0)?,
        arn: row.get(1)?,
        name: row.get(2)?,
        kind: revisions::kind_of(&row.get::<_, String>(3)?),
        status: row.get(4)?,
        revision: row.get(5)?,
        created_at: UnixMillis(row.get(6)?),
    })
}

/// The machine with this unqualified ARN.
pub(crate) fn by_arn(connection: &Connection, arn: &str) -> Result<Option<Machine>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM states_machines WHERE arn = ?1"))?
        .query_row([arn], from_row)
        .optional()?)
}

/// Machines whose names follow `after`, in order of name.
pub(crate) fn list(connection: &Connection, after: &str, limit: usize) -> Result<Vec<Machine>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM states_machines WHERE name > ?1 ORDER BY name LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_map(params![after, limit], from_row)?.collect::<Result<_, _>>()?)
}

/// A revision.
pub(crate) fn revision(connection: &Connection, id: i64) -> Result<RevisionRow, StoreError> {
    Ok(connection
        .prepare_cached("SELECT revision_id, definition, role_arn, created_at FROM states_revisions WHERE id = ?1")?
        .query_row([id], |row| {
            Ok(RevisionRow {
                revision_id: row.get(0)?,
                definition: row.get(1)?,
                role_arn: row.get(2)?,
                created_at: UnixMillis(row.get(3)?),
            })
        })?)
}

/// Splits the ARN of a machine, version or alias into the machine's ARN and the qualifier.
pub(crate) fn unqualified(arn: &str) -> Result<(&str, Option<&str>), AwsError> {
    names::expect(arn, "stateMachine")?;
    match names::parse(arn)? {
        Resource::Machine { qualifier: Some(qualifier), .. } => {
            // The qualifier is the last part, after one colon.
            Ok((&arn[..arn.len() - qualifier.len() - 1], Some(qualifier)))
        }
        _ => Ok((arn, None)),
    }
}

/// The machine that an ARN, qualified or not, belongs to.
///
/// # Errors
/// `InvalidArn`, `StateMachineDoesNotExist`.
pub(crate) fn find(connection: &Connection, arn: &str) -> Result<Machine, AwsError> {
    let (machine_arn, _) = unqualified(arn)?;
    by_arn(connection, machine_arn)?.ok_or_else(|| error::state_machine_does_not_exist(arn))
}

/// What runs when an execution of `arn` is started: the newest revision, a version, or what an alias's weights pick.
///
/// # Errors
/// `InvalidArn`, `StateMachineDoesNotExist`.
pub(crate) fn resolve(connection: &Connection, arn: &str, entropy: &dyn Entropy) -> Result<Target, AwsError> {
    let (machine_arn, qualifier) = unqualified(arn)?;
    let missing = || error::state_machine_does_not_exist(arn);
    let machine = by_arn(connection, machine_arn)?.ok_or_else(missing)?;
    let Some(qualifier) = qualifier else {
        return Ok(Target { revision: machine.revision, machine, version_arn: None, alias_arn: None });
    };
    if let Ok(number) = qualifier.parse::<u64>() {
        let revision = version_revision(connection, machine.id, number)?.ok_or_else(missing)?;
        return Ok(Target { machine, revision, version_arn: Some(arn.to_owned()), alias_arn: None });
    }
    let routes = alias_routes(connection, machine.id, qualifier)?.ok_or_else(missing)?;
    let version_arn = pick(&routes, entropy.unit()).ok_or_else(missing)?.to_owned();
    let number = version_number(&version_arn).ok_or_else(missing)?;
    let revision = version_revision(connection, machine.id, number)?.ok_or_else(missing)?;
    Ok(Target { machine, revision, version_arn: Some(version_arn), alias_arn: Some(arn.to_owned()) })
}

/// The revision behind a version.
pub(crate) fn version_revision(connection: &Connection, machine: i64, number: u64) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT revision FROM states_versions WHERE machine = ?1 AND number = ?2")?
        .query_row(params![machine, number], |row| row.get(0))
        .optional()?)
}

/// The routes of an alias.
pub(crate) fn alias_routes(
    connection: &Connection,
    machine: i64,
    name: &str,
) -> Result<Option<Vec<Route>>, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT routes FROM states_aliases WHERE machine = ?1 AND name = ?2")?
        .query_row(params![machine, name], |row| row.get(0))
        .optional()?;
    text.map(|text| read_routes(&text)).transpose()
}

/// Reads the stored routes of an alias.
pub(crate) fn read_routes(text: &str) -> Result<Vec<Route>, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("the routes of an alias: {error}")))
}

/// The number at the end of a version's ARN.
pub(crate) fn version_number(arn: &str) -> Option<u64> {
    arn.rsplit(':').next()?.parse().ok()
}

/// The version that a number below one falls to.
fn pick(routes: &[Route], unit: f64) -> Option<&str> {
    let mut rest = unit * 100.0;
    for route in routes {
        rest -= f64::from(route.weight);
        if rest < 0.0 {
            return Some(&route.state_machine_version_arn);
        }
    }
    routes.last().map(|route| route.state_machine_version_arn.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_decide() {
        let route = |arn: &str, weight| Route { state_machine_version_arn: arn.to_owned(), weight };
        let routes = [route("one", 90), route("two", 10)];
        for (unit, expected) in [(0.0, "one"), (0.89, "one"), (0.91, "two"), (0.999, "two")] {
            assert_eq!(pick(&routes, unit), Some(expected), "{unit}");
        }
        assert_eq!(pick(&[route("only", 100)], 0.999_999), Some("only"));
        assert_eq!(pick(&[], 0.5), None);
    }
}
