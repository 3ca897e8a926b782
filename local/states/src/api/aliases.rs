//! Aliases and their routing.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use vodline_asl::UnixMillis;
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{Nothing, answer, at_most, decode, machines::DESCRIPTION_CHARS_MAX, paging, required};
use crate::{
    States, engine, error,
    machines::{self, Machine, Route},
    names::NAME_CHARS_MAX,
    time::epoch_seconds,
};

/// Most aliases of a machine.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html>.
const ALIASES_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateStateMachineAliasInput {
    name: Option<String>,
    description: Option<String>,
    routing_configuration: Option<Vec<Route>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AliasListItem {
    state_machine_alias_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AliasInput {
    state_machine_alias_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateStateMachineAliasInput {
    state_machine_alias_arn: Option<String>,
    description: Option<String>,
    routing_configuration: Option<Vec<Route>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateStateMachineAliasOutput {
    #[serde(serialize_with = "epoch_seconds")]
    update_date: UnixMillis,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeStateMachineAliasOutput {
    state_machine_alias_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    routing_configuration: Vec<Route>,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
    #[serde(serialize_with = "epoch_seconds")]
    update_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListStateMachineAliasesInput {
    state_machine_arn: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListStateMachineAliasesOutput {
    state_machine_aliases: Vec<AliasListItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An alias as stored.
struct Alias {
    description: Option<String>,
    routes: Vec<Route>,
    created_at: UnixMillis,
    updated_at: UnixMillis,
}

impl States {
    pub(super) fn create_alias(&self, request: &Request) -> Result<Response, AwsError> {
        let input: CreateStateMachineAliasInput = decode(request)?;
        let name = required(input.name, "name")?;
        let routes = required(input.routing_configuration, "routingConfiguration")?;
        check_alias_name(&name)?;
        check_alias_description(input.description.as_deref())?;
        let machine_arn = check_routes(&routes)?.to_owned();
        request.authorize("states:CreateStateMachineAlias", &machine_arn)?;
        let now = engine::now(self.engine.context());
        let creation_date = self.engine.context().store.write::<_, AwsError>(|transaction| {
            let machine = machines::find(transaction, &machine_arn)?;
            check_versions(transaction, &machine, &routes)?;
            if let Some(existing) = load(transaction, machine.id, &name)? {
                // A repeated request is answered like the first.
                if existing.routes == routes && existing.description == input.description {
                    return Ok(existing.created_at);
                }
                return Err(error::conflict(
                    "Failed to create alias because an alias with the same name and a different routing configuration \
                     already exists.",
                ));
            }
            let count: usize = transaction
                .query_row("SELECT count(*) FROM states_aliases WHERE machine = ?1", [machine.id], |row| row.get(0))
                .map_err(StoreError::from)?;
            if count >= ALIASES_MAX {
                return Err(AwsError::bad_request(
                    "ServiceQuotaExceededException",
                    format!("a state machine may have {ALIASES_MAX} aliases"),
                ));
            }
            put(transaction, &machine, &name, &routes, now)?;
            describe_as(transaction, machine.id, &name, input.description.as_deref())?;
            Ok(now)
        })?;
        answer(&AliasListItem { state_machine_alias_arn: format!("{machine_arn}:{name}"), creation_date })
    }

    pub(super) fn update_alias(&self, request: &Request) -> Result<Response, AwsError> {
        let input: UpdateStateMachineAliasInput = decode(request)?;
        let arn = required(input.state_machine_alias_arn, "stateMachineAliasArn")?;
        request.authorize("states:UpdateStateMachineAlias", &arn)?;
        if input.description.is_none() && input.routing_configuration.is_none() {
            return Err(error::validation("Either the description or the routingConfiguration must be specified"));
        }
        check_alias_description(input.description.as_deref())?;
        if let Some(routes) = &input.routing_configuration
            && check_routes(routes)? != machines::unqualified(&arn)?.0
        {
            return Err(error::validation("the versions of an alias must be of its own state machine"));
        }
        let now = engine::now(self.engine.context());
        self.engine.context().store.write::<_, AwsError>(|transaction| {
            let (machine, name, alias) = find(transaction, &arn)?;
            let routes = input.routing_configuration.as_deref().unwrap_or(&alias.routes);
            check_versions(transaction, &machine, routes)?;
            put(transaction, &machine, &name, routes, now)?;
            if let Some(description) = &input.description {
                describe_as(transaction, machine.id, &name, Some(description))?;
            }
            Ok(())
        })?;
        answer(&UpdateStateMachineAliasOutput { update_date: now })
    }

    pub(super) fn describe_alias(&self, request: &Request) -> Result<Response, AwsError> {
        let input: AliasInput = decode(request)?;
        let arn = required(input.state_machine_alias_arn, "stateMachineAliasArn")?;
        request.authorize("states:DescribeStateMachineAlias", &arn)?;
        let (_, name, alias) = self.engine.context().store.read(|connection| find(connection, &arn))?;
        answer(&DescribeStateMachineAliasOutput {
            state_machine_alias_arn: arn,
            name,
            description: alias.description,
            routing_configuration: alias.routes,
            creation_date: alias.created_at,
            update_date: alias.updated_at,
        })
    }

    pub(super) fn delete_alias(&self, request: &Request) -> Result<Response, AwsError> {
        let input: AliasInput = decode(request)?;
        let arn = required(input.state_machine_alias_arn, "stateMachineAliasArn")?;
        request.authorize("states:DeleteStateMachineAlias", &arn)?;
        self.engine.context().store.write::<_, AwsError>(|transaction| {
            let (machine, name, _) = find(transaction, &arn)?;
            transaction
                .execute("DELETE FROM states_aliases WHERE machine = ?1 AND name = ?2", params![machine.id, name])
                .map_err(StoreError::from)?;
            Ok(())
        })?;
        answer(&Nothing {})
    }

    pub(super) fn list_aliases(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListStateMachineAliasesInput = decode(request)?;
        let arn = required(input.state_machine_arn, "stateMachineArn")?;
        request.authorize("states:ListStateMachineAliases", &arn)?;
        let size = paging::size(input.max_results)?;
        let list = format!("ListStateMachineAliases {arn}");
        let after = paging::position(&list, input.next_token.as_deref())?.unwrap_or_default();
        let (machine_arn, qualifier) = machines::unqualified(&arn)?;
        // Given a version, only the aliases that lead to it.
        let version = qualifier.map(|_| arn.as_str());
        let mut rows = self.engine.context().store.read::<_, AwsError>(|connection| {
            let machine = machines::find(connection, &arn)?;
            let mut statement = connection
                .prepare_cached(
                    "SELECT name, created_at, routes FROM states_aliases WHERE machine = ?1 AND name > ?2 ORDER BY name",
                )
                .map_err(StoreError::from)?;
            let mut rows = statement.query(params![machine.id, after]).map_err(StoreError::from)?;
            let mut found: Vec<(String, i64)> = Vec::new();
            while let Some(row) = rows.next().map_err(StoreError::from)? {
                let routes: String = row.get(2).map_err(StoreError::from)?;
                let leads_there = version.is_none_or(|version| routes.contains(&format!("\"{version}\"")));
                if leads_there && found.len() <= size {
                    found.push((row.get(0).map_err(StoreError::from)?, row.get(1).map_err(StoreError::from)?));
                }
            }
            Ok(found)
        })?;
        let next_token = paging::cut(&mut rows, size, &list, |(name, _)| name.clone());
        let state_machine_aliases = rows
            .into_iter()
            .map(|(name, created_at)| AliasListItem {
                state_machine_alias_arn: format!("{machine_arn}:{name}"),
                creation_date: UnixMillis(created_at),
            })
            .collect();
        answer(&ListStateMachineAliasesOutput { state_machine_aliases, next_token })
    }
}

/// Names of aliases: letters, digits, `-`, `_`, `.`, and not a number, which would be a version.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachineAlias.html>.
fn check_alias_name(name: &str) -> Result<(), AwsError> {
    let valid = !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !name.chars().all(|c| c.is_ascii_digit());
    if valid {
        Ok(())
    } else {
        Err(error::constraint(
            name,
            "name",
            "satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$",
        ))
    }
}

fn check_alias_description(description: Option<&str>) -> Result<(), AwsError> {
    description.map_or(Ok(()), |text| at_most(text, "description", DESCRIPTION_CHARS_MAX))
}

/// One or two different versions of one machine whose weights make a hundred. Returns the machine's ARN.
fn check_routes(routes: &[Route]) -> Result<&str, AwsError> {
    let (first, second) = match routes {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        _ => return Err(error::validation("routingConfiguration must hold one or two versions")),
    };
    if routes.iter().map(|route| route.weight).sum::<u32>() != 100 {
        return Err(error::validation("Sum of routing configuration weights must be equal to 100"));
    }
    let machine_of = |route: &Route| -> Result<usize, AwsError> {
        let (machine_arn, qualifier) = machines::unqualified(&route.state_machine_version_arn)?;
        if qualifier.is_none_or(|qualifier| qualifier.parse::<u64>().is_err()) {
            return Err(error::validation("an alias leads to versions: give their ARNs"));
        }
        Ok(machine_arn.len())
    };
    let length = machine_of(first)?;
    let machine_arn = &first.state_machine_version_arn[..length];
    if let Some(second) = second {
        let length = machine_of(second)?;
        if &second.state_machine_version_arn[..length] != machine_arn
            || second.state_machine_version_arn == first.state_machine_version_arn
        {
            return Err(error::validation(
                "Routing configuration must contain different versions of the same state machine",
            ));
        }
    }
    Ok(machine_arn)
}

fn check_versions(connection: &Connection, machine: &Machine, routes: &[Route]) -> Result<(), AwsError> {
    for route in routes {
        let arn = &route.state_machine_version_arn;
        let exists = match machines::version_number(arn) {
            Some(number) => machines::version_revision(connection, machine.id, number)?.is_some(),
            None => false,
        };
        if !exists {
            return Err(error::validation(format!("Version ARN '{arn}' does not exist")));
        }
    }
    Ok(())
}

/// Makes an alias lead to these versions.
pub(super) fn put(
    transaction: &Transaction<'_>,
    machine: &Machine,
    name: &str,
    routes: &[Route],
    now: UnixMillis,
) -> Result<(), StoreError> {
    let routes = serde_json::to_string(routes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    transaction.execute(
        "INSERT INTO states_aliases (machine, name, routes, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (machine, name) DO UPDATE SET routes = ?3, updated_at = ?4 WHERE routes <> ?3",
        params![machine.id, name, routes, now.0],
    )?;
    Ok(())
}

fn describe_as(
    transaction: &Transaction<'_>,
    machine: i64,
    name: &str,
    description: Option<&str>,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE states_aliases SET description = ?3 WHERE machine = ?1 AND name = ?2",
        params![machine, name, description],
    )?;
    Ok(())
}

/// The aliases that lead to a version.
pub(super) fn using(transaction: &Transaction<'_>, machine: i64, version_arn: &str) -> Result<Vec<String>, StoreError> {
    let mut statement =
        transaction.prepare_cached("SELECT name, routes FROM states_aliases WHERE machine = ?1 ORDER BY name")?;
    let rows: Vec<(String, String)> =
        statement.query_map([machine], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut names = Vec::new();
    for (name, routes) in rows {
        if machines::read_routes(&routes)?.iter().any(|route| route.state_machine_version_arn == version_arn) {
            names.push(name);
        }
    }
    Ok(names)
}

fn load(connection: &Connection, machine: i64, name: &str) -> Result<Option<Alias>, StoreError> {
    let row: Option<(Option<String>, String, i64, i64)> = connection
        .prepare_cached(
            "SELECT description, routes, created_at, updated_at FROM states_aliases WHERE machine = ?1 AND name = ?2",
        )?
        .query_row(params![machine, name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    row.map(|(description, routes, created_at, updated_at)| {
        Ok(Alias {
            description,
            routes: machines::read_routes(&routes)?,
            created_at: UnixMillis(created_at),
            updated_at: UnixMillis(updated_at),
        })
    })
    .transpose()
}

fn find(connection: &Connection, arn: &str) -> Result<(Machine, String, Alias), AwsError> {
    let missing = || error::resource_not_found(arn);
    let (machine_arn, name) = machines::unqualified(arn)?;
    let name = name.ok_or_else(|| error::invalid_arn(&format!("Invalid ARN prefix: {arn}")))?;
    let machine = machines::by_arn(connection, machine_arn)?.ok_or_else(missing)?;
    let alias = load(connection, machine.id, name)?.ok_or_else(missing)?;
    Ok((machine, name.to_owned(), alias))
}
