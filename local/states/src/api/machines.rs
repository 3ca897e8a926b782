//! State machines and their versions.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use vodline_asl::{ExecutionKind, StateMachine, UnixMillis};
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{Nothing, answer, at_most, decode, executions::IncludedData, paging, required, tags::Tag};
use crate::{
    MachineSpec, States, definitions, engine, error, executions,
    machines::{self, Machine, RevisionRow, Route},
    names, retention, revisions,
    time::epoch_seconds,
};

/// Longest description of a version or alias, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html>.
pub(super) const DESCRIPTION_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateStateMachineInput {
    name: Option<String>,
    definition: Option<String>,
    role_arn: Option<String>,
    #[serde(rename = "type")]
    kind: Option<ExecutionKind>,
    #[serde(default)]
    publish: bool,
    version_description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    logging_configuration: Option<LoggingConfiguration>,
    tracing_configuration: Option<TracingConfiguration>,
    encryption_configuration: Option<EncryptionConfiguration>,
}

/// What the home has only one setting for; any other is refused by name.
struct Configuration<'a> {
    logging: Option<&'a LoggingConfiguration>,
    tracing: Option<&'a TracingConfiguration>,
    encryption: Option<&'a EncryptionConfiguration>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggingConfiguration {
    #[serde(default = "off")]
    level: String,
    #[serde(default)]
    include_execution_data: bool,
    #[serde(default, skip_serializing)]
    destinations: Vec<serde_json::Value>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TracingConfiguration {
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EncryptionConfiguration {
    #[serde(rename = "type")]
    kind: String,
    kms_key_id: Option<String>,
    kms_data_key_reuse_period_seconds: Option<u32>,
}

fn off() -> String {
    "OFF".to_owned()
}

impl Configuration<'_> {
    fn is_empty(&self) -> bool {
        self.logging.is_none() && self.tracing.is_none() && self.encryption.is_none()
    }

    fn check(&self, operation: &str) -> Result<(), AwsError> {
        let refuse = |path: &str| Err(AwsError::unsupported_field("states", operation, path));
        if let Some(logging) = self.logging
            && (logging.level != "OFF" || !logging.destinations.is_empty())
        {
            return refuse("loggingConfiguration");
        }
        if self.tracing.is_some_and(|tracing| tracing.enabled) {
            return refuse("tracingConfiguration.enabled");
        }
        if let Some(encryption) = self.encryption
            && (encryption.kind != "AWS_OWNED_KEY"
                || encryption.kms_key_id.is_some()
                || encryption.kms_data_key_reuse_period_seconds.is_some())
        {
            return refuse("encryptionConfiguration");
        }
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateStateMachineOutput {
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateStateMachineInput {
    state_machine_arn: Option<String>,
    definition: Option<String>,
    role_arn: Option<String>,
    #[serde(default)]
    publish: bool,
    version_description: Option<String>,
    logging_configuration: Option<LoggingConfiguration>,
    tracing_configuration: Option<TracingConfiguration>,
    encryption_configuration: Option<EncryptionConfiguration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateStateMachineOutput {
    #[serde(serialize_with = "epoch_seconds")]
    update_date: UnixMillis,
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeStateMachineInput {
    state_machine_arn: Option<String>,
    included_data: Option<IncludedData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeStateMachineForExecutionInput {
    execution_arn: Option<String>,
    included_data: Option<IncludedData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeStateMachineOutput {
    state_machine_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<String>,
    role_arn: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(serialize_with = "crate::time::optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    creation_date: Option<UnixMillis>,
    #[serde(serialize_with = "crate::time::optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    update_date: Option<UnixMillis>,
    logging_configuration: LoggingConfiguration,
    tracing_configuration: TracingConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variable_references: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteStateMachineInput {
    state_machine_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListStateMachinesInput {
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListStateMachinesOutput {
    state_machines: Vec<StateMachineListItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StateMachineListItem {
    state_machine_arn: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PublishStateMachineVersionInput {
    state_machine_arn: Option<String>,
    revision_id: Option<String>,
    description: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishStateMachineVersionOutput {
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
    state_machine_version_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteStateMachineVersionInput {
    state_machine_version_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListStateMachineVersionsInput {
    state_machine_arn: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListStateMachineVersionsOutput {
    state_machine_versions: Vec<PublishStateMachineVersionOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// What a machine is created or updated with.
struct Content<'a> {
    definition: &'a str,
    role_arn: &'a str,
}

impl States {
    /// Makes the machine be as `spec` says. An unchanged definition and role are no update, so that executions, versions
    /// and revision ids stay what they are over restarts. Returns the machine's ARN.
    ///
    /// # Errors
    /// What CreateStateMachine says of the definition and the name; `StateMachineAlreadyExists` when the machine
    /// exists with another type, which AWS cannot change either.
    pub fn define_state_machine(&self, spec: &MachineSpec) -> Result<String, AwsError> {
        names::check_name(&spec.name)?;
        definitions::check(&spec.definition, spec.kind, &*self.config.services)?;
        let arn = names::machine_arn(&self.config.account, &spec.name);
        let content = Content { definition: &spec.definition, role_arn: &spec.role_arn };
        let now = engine::now(self.engine.context());
        self.engine.context().store.write(|transaction| {
            let machine = match machines::by_arn(transaction, &arn)? {
                None => insert(transaction, &arn, &spec.name, spec.kind, &content, now)?,
                Some(machine) if machine.kind != spec.kind => return Err(error::state_machine_already_exists(&arn)),
                Some(machine) => {
                    let current = machines::revision(transaction, machine.revision)?;
                    if current.definition == content.definition && current.role_arn == content.role_arn {
                        machine
                    } else {
                        let revision_id = Some(self.config.entropy.uuid());
                        update(transaction, &machine, &content, revision_id, now)?
                    }
                }
            };
            super::tags::replace(transaction, &arn, &spec.tags)?;
            if let Some(alias) = &spec.auto_publish_alias {
                let number = publish(transaction, &machine, None, now)?.0;
                let routes = [Route { state_machine_version_arn: format!("{arn}:{number}"), weight: 100 }];
                super::aliases::put(transaction, &machine, alias, &routes, now)?;
            }
            Ok(arn.clone())
        })
    }

    pub(super) fn create_state_machine(&self, request: &Request) -> Result<Response, AwsError> {
        let input: CreateStateMachineInput = decode(request)?;
        let name = required(input.name, "name")?;
        let definition = required(input.definition, "definition")?;
        let role_arn = required(input.role_arn, "roleArn")?;
        let kind = input.kind.unwrap_or_default();
        let arn = names::machine_arn(&self.config.account, &name);
        request.authorize("states:CreateStateMachine", &arn)?;
        names::check_name(&name)?;
        check_role(&role_arn)?;
        let configuration = Configuration {
            logging: input.logging_configuration.as_ref(),
            tracing: input.tracing_configuration.as_ref(),
            encryption: input.encryption_configuration.as_ref(),
        };
        configuration.check("CreateStateMachine")?;
        check_description(input.version_description.as_deref(), input.publish)?;
        definitions::check(&definition, kind, &*self.config.services)?;
        super::tags::check(&input.tags)?;
        self.reap()?;
        let content = Content { definition: &definition, role_arn: &role_arn };
        let now = engine::now(self.engine.context());
        let description = input.version_description.as_deref();
        let output = self.engine.context().store.write(|transaction| {
            let machine = match machines::by_arn(transaction, &arn)? {
                Some(machine) => {
                    let current = machines::revision(transaction, machine.revision)?;
                    // A repeated request; a different role or different tags do not count.
                    if machine.kind != kind || current.definition != definition {
                        return Err(error::state_machine_already_exists(&arn));
                    }
                    machine
                }
                None => {
                    let machine = insert(transaction, &arn, &name, kind, &content, now)?;
                    super::tags::add(transaction, &arn, &input.tags)?;
                    machine
                }
            };
            let version = if input.publish { Some(publish(transaction, &machine, description, now)?.0) } else { None };
            Ok(CreateStateMachineOutput {
                state_machine_version_arn: version.map(|number| format!("{arn}:{number}")),
                creation_date: machine.created_at,
                state_machine_arn: machine.arn,
            })
        })?;
        answer(&output)
    }

    pub(super) fn update_state_machine(&self, request: &Request) -> Result<Response, AwsError> {
        let input: UpdateStateMachineInput = decode(request)?;
        let arn = required(input.state_machine_arn, "stateMachineArn")?;
        request.authorize("states:UpdateStateMachine", &arn)?;
        let configuration = Configuration {
            logging: input.logging_configuration.as_ref(),
            tracing: input.tracing_configuration.as_ref(),
            encryption: input.encryption_configuration.as_ref(),
        };
        if input.definition.is_none() && input.role_arn.is_none() && configuration.is_empty() {
            return Err(AwsError::bad_request(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
                 specified",
            ));
        }
        configuration.check("UpdateStateMachine")?;
        check_description(input.version_description.as_deref(), input.publish)?;
        if let Some(role_arn) = &input.role_arn {
            check_role(role_arn)?;
        }
        let now = engine::now(self.engine.context());
        let (machine, current) = self.engine.context().store.read::<_, AwsError>(|connection| {
            let machine = machines::find(connection, &arn)?;
            let current = machines::revision(connection, machine.revision)?;
            Ok((machine, current))
        })?;
        if machine.status == "DELETING" {
            return Err(AwsError::bad_request("StateMachineDeleting", format!("State Machine Deleting: '{arn}'")));
        }
        if let Some(definition) = &input.definition {
            definitions::check(definition, machine.kind, &*self.config.services)?;
        }
        let content = Content {
            definition: input.definition.as_deref().unwrap_or(&current.definition),
            role_arn: input.role_arn.as_deref().unwrap_or(&current.role_arn),
        };
        let revision_id = self.config.entropy.uuid();
        let version = self.engine.context().store.write::<_, AwsError>(|transaction| {
            let machine = update(transaction, &machine, &content, Some(revision_id.clone()), now)?;
            if !input.publish {
                return Ok(None);
            }
            Ok(Some(publish(transaction, &machine, input.version_description.as_deref(), now)?.0))
        })?;
        answer(&UpdateStateMachineOutput {
            update_date: now,
            revision_id: Some(revision_id),
            state_machine_version_arn: version.map(|number| format!("{}:{number}", machine.arn)),
        })
    }

    pub(super) fn delete_state_machine(&self, request: &Request) -> Result<Response, AwsError> {
        let input: DeleteStateMachineInput = decode(request)?;
        let arn = required(input.state_machine_arn, "stateMachineArn")?;
        request.authorize("states:DeleteStateMachine", &arn)?;
        let (machine_arn, qualifier) = machines::unqualified(&arn)?;
        if qualifier.is_some() {
            return Err(error::validation(
                "DeleteStateMachine takes the ARN of a state machine, not of a version or alias",
            ));
        }
        // One that does not exist is as good as deleted.
        self.engine.context().store.write::<_, StoreError>(|transaction| {
            transaction.execute("UPDATE states_machines SET status = 'DELETING' WHERE arn = ?1", [machine_arn])?;
            Ok(())
        })?;
        self.reap()?;
        answer(&Nothing {})
    }

    /// Removes machines that were deleted and whose last execution has ended, with everything that was theirs.
    pub(super) fn reap(&self) -> Result<(), StoreError> {
        let store = &self.engine.context().store;
        let deleting: Vec<(i64, String)> = store.read::<_, StoreError>(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, arn FROM states_machines WHERE status = 'DELETING'")?;
            Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
        })?;
        for (machine, arn) in deleting {
            store.write::<_, StoreError>(|transaction| {
                if !executions::any_running(transaction, machine)? {
                    remove(transaction, machine, &arn)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) fn describe_state_machine(&self, request: &Request) -> Result<Response, AwsError> {
        let input: DescribeStateMachineInput = decode(request)?;
        let arn = required(input.state_machine_arn, "stateMachineArn")?;
        request.authorize("states:DescribeStateMachine", &arn)?;
        self.reap()?;
        let context = self.engine.context();
        let included = input.included_data.unwrap_or_default() == IncludedData::AllData;
        let output = context.store.read::<_, AwsError>(|connection| {
            let target = machines::resolve(connection, &arn, &*context.entropy)?;
            let revision = machines::revision(connection, target.revision)?;
            let mut output = describe(&target.machine, revision, included);
            output.status = Some(target.machine.status.clone());
            output.kind = Some(revisions::kind_name(target.machine.kind));
            output.creation_date = Some(target.machine.created_at);
            output.update_date = None;
            if let Some(version_arn) = target.version_arn
                && let Some(number) = machines::version_number(&version_arn)
            {
                let (description, created_at): (Option<String>, i64) = connection
                    .query_row(
                        "SELECT description, created_at FROM states_versions WHERE machine = ?1 AND number = ?2",
                        params![target.machine.id, number],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .map_err(StoreError::from)?;
                output.description = description;
                output.creation_date = Some(UnixMillis(created_at));
                output.state_machine_arn = version_arn;
            }
            Ok(output)
        })?;
        answer(&output)
    }

    pub(super) fn describe_state_machine_for_execution(&self, request: &Request) -> Result<Response, AwsError> {
        let input: DescribeStateMachineForExecutionInput = decode(request)?;
        let arn = required(input.execution_arn, "executionArn")?;
        request.authorize("states:DescribeStateMachineForExecution", &arn)?;
        let included = input.included_data.unwrap_or_default() == IncludedData::AllData;
        let row = self.execution(&arn)?;
        let output = self.engine.context().store.read::<_, AwsError>(|connection| {
            let machine = machines::find(connection, row.machine_arn.split('/').next().unwrap_or_default())?;
            let revision = machines::revision(connection, row.revision)?;
            let mut output = describe(&machine, revision, included);
            output.state_machine_arn.clone_from(&row.machine_arn);
            output.label = row.machine_arn.split_once('/').map(|(_, label)| label.to_owned());
            output.map_run_arn.clone_from(&row.map_run_arn);
            Ok(output)
        })?;
        answer(&output)
    }

    pub(super) fn list_state_machines(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListStateMachinesInput = decode(request)?;
        request.authorize("states:ListStateMachines", "*")?;
        self.reap()?;
        let size = paging::size(input.max_results)?;
        let list = "ListStateMachines";
        let after = paging::position(list, input.next_token.as_deref())?.unwrap_or_default();
        let mut rows = self.engine.context().store.read(|connection| machines::list(connection, &after, size + 1))?;
        let next_token = paging::cut(&mut rows, size, list, |machine| machine.name.clone());
        let state_machines = rows
            .into_iter()
            .map(|machine| StateMachineListItem {
                state_machine_arn: machine.arn,
                name: machine.name,
                kind: revisions::kind_name(machine.kind),
                creation_date: machine.created_at,
            })
            .collect();
        answer(&ListStateMachinesOutput { state_machines, next_token })
    }

    pub(super) fn publish_version(&self, request: &Request) -> Result<Response, AwsError> {
        let input: PublishStateMachineVersionInput = decode(request)?;
        let arn = required(input.state_machine_arn, "stateMachineArn")?;
        request.authorize("states:PublishStateMachineVersion", &arn)?;
        check_description(input.description.as_deref(), true)?;
        let now = engine::now(self.engine.context());
        let output = self.engine.context().store.write::<_, AwsError>(|transaction| {
            let machine = machines::find(transaction, &arn)?;
            if let Some(asked) = &input.revision_id {
                let current = machines::revision(transaction, machine.revision)?.revision_id;
                let current = current.as_deref().unwrap_or("INITIAL");
                if asked != current {
                    return Err(error::conflict(&format!(
                        "Failed to publish the State Machine version for revision {asked}. The current State Machine \
                         revision is {current}."
                    )));
                }
            }
            let (number, creation_date) = publish(transaction, &machine, input.description.as_deref(), now)?;
            let state_machine_version_arn = format!("{}:{number}", machine.arn);
            Ok(PublishStateMachineVersionOutput { creation_date, state_machine_version_arn })
        })?;
        answer(&output)
    }

    pub(super) fn delete_version(&self, request: &Request) -> Result<Response, AwsError> {
        let input: DeleteStateMachineVersionInput = decode(request)?;
        let arn = required(input.state_machine_version_arn, "stateMachineVersionArn")?;
        request.authorize("states:DeleteStateMachineVersion", &arn)?;
        let (machine_arn, _) = machines::unqualified(&arn)?;
        let number = machines::version_number(&arn)
            .ok_or_else(|| error::validation(format!("'{arn}' is not the ARN of a version")))?;
        self.engine.context().store.write::<_, AwsError>(|transaction| {
            let Some(machine) = machines::by_arn(transaction, machine_arn)? else { return Ok(()) };
            let using = super::aliases::using(transaction, machine.id, &arn)?;
            if !using.is_empty() {
                return Err(error::conflict(&format!(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing \
                     this version: [{}]",
                    using.join(", ")
                )));
            }
            transaction
                .execute("DELETE FROM states_versions WHERE machine = ?1 AND number = ?2", params![machine.id, number])
                .map_err(StoreError::from)?;
            Ok(())
        })?;
        answer(&Nothing {})
    }

    pub(super) fn list_versions(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListStateMachineVersionsInput = decode(request)?;
        let arn = required(input.state_machine_arn, "stateMachineArn")?;
        request.authorize("states:ListStateMachineVersions", &arn)?;
        let size = paging::size(input.max_results)?;
        let list = format!("ListStateMachineVersions {arn}");
        let before = paging::number(&list, input.next_token.as_deref())?.unwrap_or(i64::MAX);
        let (machine, mut rows) = self.engine.context().store.read::<_, AwsError>(|connection| {
            let machine = machines::find(connection, &arn)?;
            let mut statement = connection
                .prepare_cached(
                    "SELECT number, created_at FROM states_versions WHERE machine = ?1 AND number < ?2
                     ORDER BY number DESC LIMIT ?3",
                )
                .map_err(StoreError::from)?;
            let rows: Vec<(i64, i64)> = statement
                .query_map(params![machine.id, before, size + 1], |row| Ok((row.get(0)?, row.get(1)?)))
                .and_then(Iterator::collect)
                .map_err(StoreError::from)?;
            Ok((machine, rows))
        })?;
        let next_token = paging::cut(&mut rows, size, &list, |(number, _)| number.to_string());
        let state_machine_versions = rows
            .into_iter()
            .map(|(number, created_at)| PublishStateMachineVersionOutput {
                creation_date: UnixMillis(created_at),
                state_machine_version_arn: format!("{}:{number}", machine.arn),
            })
            .collect();
        answer(&ListStateMachineVersionsOutput { state_machine_versions, next_token })
    }
}

fn check_role(role_arn: &str) -> Result<(), AwsError> {
    let valid =
        vodline_core::Arn::parse(role_arn).is_some_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
    if valid { Ok(()) } else { Err(error::invalid_arn(&format!("Invalid Role Arn: '{role_arn}'"))) }
}

fn check_description(description: Option<&str>, publish: bool) -> Result<(), AwsError> {
    let Some(description) = description else { return Ok(()) };
    if !publish {
        return Err(error::validation("Version description can only be set when publish is true"));
    }
    at_most(description, "description", DESCRIPTION_CHARS_MAX)
}

fn describe(machine: &Machine, revision: RevisionRow, included: bool) -> DescribeStateMachineOutput {
    // They come of the definition, and are shown where it is. It was valid when it was stored.
    let parsed = StateMachine::parse_for(&revision.definition, machine.kind).ok().filter(|_| included);
    DescribeStateMachineOutput {
        state_machine_arn: machine.arn.clone(),
        name: machine.name.clone(),
        status: None,
        definition: Some(revision.definition).filter(|_| included),
        role_arn: revision.role_arn,
        kind: None,
        creation_date: None,
        update_date: Some(revision.created_at),
        logging_configuration: LoggingConfiguration {
            level: off(),
            include_execution_data: false,
            destinations: Vec::new(),
        },
        tracing_configuration: TracingConfiguration { enabled: false },
        map_run_arn: None,
        label: None,
        revision_id: revision.revision_id,
        description: None,
        variable_references: parsed.map(|machine| machine.variable_references()).unwrap_or_default(),
    }
}

fn insert(
    transaction: &Transaction<'_>,
    arn: &str,
    name: &str,
    kind: ExecutionKind,
    content: &Content<'_>,
    now: UnixMillis,
) -> Result<Machine, StoreError> {
    transaction.execute(
        "INSERT INTO states_machines (arn, name, kind, revision, created_at) VALUES (?1, ?2, ?3, 0, ?4)",
        params![arn, name, revisions::kind_name(kind), now.0],
    )?;
    let id = transaction.last_insert_rowid();
    let machine = Machine {
        id,
        arn: arn.to_owned(),
        name: name.to_owned(),
        kind,
        status: "ACTIVE".to_owned(),
        revision: 0,
        created_at: now,
    };
    // AWS gives the first revision no id.
    update(transaction, &machine, content, None, now)
}

/// Makes `content` the machine's current revision.
fn update(
    transaction: &Transaction<'_>,
    machine: &Machine,
    content: &Content<'_>,
    revision_id: Option<String>,
    now: UnixMillis,
) -> Result<Machine, StoreError> {
    transaction.execute(
        "INSERT INTO states_revisions (machine, revision_id, definition, role_arn, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![machine.id, revision_id, content.definition, content.role_arn, now.0],
    )?;
    let revision = transaction.last_insert_rowid();
    transaction.execute("UPDATE states_machines SET revision = ?2 WHERE id = ?1", params![machine.id, revision])?;
    Ok(Machine { revision, ..machine.clone() })
}

/// Publishes the current revision, unless the newest version is of it. Returns the version and when it was made.
fn publish(
    transaction: &Transaction<'_>,
    machine: &Machine,
    description: Option<&str>,
    now: UnixMillis,
) -> Result<(u64, UnixMillis), StoreError> {
    let newest: Option<(u64, i64)> = transaction
        .query_row(
            "SELECT number, created_at FROM states_versions WHERE machine = ?1 AND revision = ?2
             ORDER BY number DESC LIMIT 1",
            params![machine.id, machine.revision],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((number, created_at)) = newest {
        return Ok((number, UnixMillis(created_at)));
    }
    // Numbers are never used again, even when versions are deleted.
    let number: u64 = transaction.query_row(
        "UPDATE states_machines SET next_version = next_version + 1 WHERE id = ?1 RETURNING next_version - 1",
        [machine.id],
        |row| row.get(0),
    )?;
    transaction.execute(
        "INSERT INTO states_versions (machine, number, revision, description, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![machine.id, number, machine.revision, description, now.0],
    )?;
    Ok((number, now))
}

/// Removes a machine and everything that was its own.
fn remove(transaction: &Transaction<'_>, machine: i64, arn: &str) -> Result<(), StoreError> {
    let mut statement = transaction.prepare("SELECT id FROM states_executions WHERE machine = ?1")?;
    let executions: Vec<i64> = statement.query_map([machine], |row| row.get(0))?.collect::<Result<_, _>>()?;
    executions.iter().try_for_each(|execution| retention::remove(transaction, *execution))?;
    for statement in [
        "DELETE FROM states_versions WHERE machine = ?1",
        "DELETE FROM states_aliases WHERE machine = ?1",
        "DELETE FROM states_revisions WHERE machine = ?1",
        "DELETE FROM states_machines WHERE id = ?1",
    ] {
        transaction.execute(statement, [machine])?;
    }
    transaction.execute("DELETE FROM states_tags WHERE arn = ?1", [arn])?;
    Ok(())
}
