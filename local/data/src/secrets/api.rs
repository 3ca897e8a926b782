//! The Secrets Manager API.

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use vodline_core::{AwsError, Protocol, Request, Response, Service, StoreError, rusqlite};

use super::{
    CURRENT, SecretsManager, check_name, invalid_parameter, marked_for_deletion, no_such_secret,
    password::{self, Password},
    rows::{self, SecretRow},
    versions::{self, Content},
};

/// Bytes of a value. Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>.
const VALUE_BYTES_MAX: usize = 65_536;
/// Source: the same.
const TAGS_MAX: usize = 50;
/// Results on one page. Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>.
const PAGE_MAX: usize = 100;
/// Days. Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>.
const RECOVERY_DAYS: std::ops::RangeInclusive<i64> = 7..=30;
const DAY_MS: i64 = 24 * 3600 * 1000;

#[async_trait]
impl Service for SecretsManager {
    fn protocol(&self) -> Protocol {
        Protocol::Json11
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        match request.operation.as_str() {
            "CreateSecret" => Response::json(&self.create_secret(&request)?),
            "GetSecretValue" => Response::json(&self.get_secret_value(&request)?),
            "PutSecretValue" => Response::json(&self.put_secret_value(&request)?),
            "UpdateSecret" => Response::json(&self.update_secret(&request)?),
            "UpdateSecretVersionStage" => Response::json(&self.update_secret_version_stage(&request)?),
            "DescribeSecret" => Response::json(&self.describe_secret(&request)?),
            "ListSecrets" => Response::json(&self.list_secrets(&request)?),
            "ListSecretVersionIds" => Response::json(&self.list_secret_version_ids(&request)?),
            "DeleteSecret" => Response::json(&self.delete_secret(&request)?),
            "RestoreSecret" => Response::json(&self.restore_secret(&request)?),
            "GetRandomPassword" => Response::json(&self.get_random_password(&request)?),
            "TagResource" => Response::json(&self.tag_resource(&request)?),
            "UntagResource" => Response::json(&self.untag_resource(&request)?),
            operation => Err(AwsError::unsupported_operation("secretsmanager", operation)),
        }
    }
}

#[derive(Serialize)]
struct Empty {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateSecret {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<String>,
    secret_string: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What most operations answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_stages: Option<Vec<String>>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<f64>,
}

impl Named {
    fn new(secret: SecretRow) -> Self {
        Self { arn: secret.arn, name: secret.name, version_id: None, version_stages: None, deletion_date: None }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_binary: Option<String>,
    version_stages: Vec<String>,
    created_date: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_binary: Option<String>,
    secret_string: Option<String>,
    version_stages: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateSecret {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<String>,
    secret_string: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateSecretVersionStage {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SecretId {
    secret_id: String,
}

/// DescribeSecret's answer and, under another name for the versions, ListSecrets' entries.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    last_changed_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_accessed_date: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_date: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_ids_to_stages: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_versions_to_stages: Option<BTreeMap<String, Vec<String>>>,
    created_date: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListSecrets {
    #[serde(default)]
    include_planned_deletion: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    sort_order: Option<SortOrder>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    key: FilterKey,
    values: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FilterKey {
    Name,
    Description,
    TagKey,
    TagValue,
    All,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SortOrder {
    Asc,
    Desc,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecretList {
    secret_list: Vec<Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListSecretVersionIds {
    secret_id: String,
    max_results: Option<usize>,
    next_token: Option<String>,
    #[serde(default)]
    include_deprecated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionList {
    versions: Vec<VersionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionEntry {
    version_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    version_stages: Vec<String>,
    created_date: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteSecret {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetRandomPassword {
    password_length: Option<usize>,
    #[serde(default)]
    exclude_characters: String,
    #[serde(default)]
    exclude_numbers: bool,
    #[serde(default)]
    exclude_punctuation: bool,
    #[serde(default)]
    exclude_uppercase: bool,
    #[serde(default)]
    exclude_lowercase: bool,
    #[serde(default)]
    include_space: bool,
    require_each_included_type: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RandomPassword {
    random_password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagResource {
    secret_id: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UntagResource {
    secret_id: String,
    tag_keys: Vec<String>,
}

impl SecretsManager {
    fn create_secret(&self, request: &Request) -> Result<Named, AwsError> {
        let create: CreateSecret = request.json()?;
        // The suffix is not known yet; policies that name a secret end in `-*` or `-??????`.
        let arn = self.account.arn("secretsmanager", &format!("secret:{}-??????", create.name));
        request.authorize("secretsmanager:CreateSecret", &arn)?;
        check_name(&create.name)?;
        check_tags(&create.tags)?;
        let content = content(create.secret_string, create.secret_binary)?;
        let version_id = self.version_id(create.client_request_token)?;
        self.store.write(|transaction| {
            if let Some(existing) = self.find(transaction, &create.name)? {
                return self.created_before(transaction, existing, &version_id, content.as_ref());
            }
            let (description, key) = (create.description.as_deref(), create.kms_key_id.as_deref());
            let secret = self.insert(transaction, &create.name, description, key, &tags_text(&create.tags)?)?;
            if let Some(content) = &content {
                self.put_version(transaction, &secret, &version_id, content, &[CURRENT.into()])?;
            }
            Ok(Named { version_id: content.is_some().then_some(version_id), ..Named::new(secret) })
        })
    }

    /// The same request again is answered again; another for the same name is refused.
    fn created_before(
        &self,
        transaction: &Transaction<'_>,
        existing: SecretRow,
        version_id: &str,
        content: Option<&Content>,
    ) -> Result<Named, AwsError> {
        if existing.deleted_ms.is_some() {
            return Err(AwsError::bad_request(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        let before = versions::by_id(transaction, &existing.arn, version_id)?;
        if before.is_some_and(|before| Some(&before.content) == content) {
            return Ok(Named { version_id: Some(version_id.to_owned()), ..Named::new(existing) });
        }
        Err(AwsError::bad_request(
            "ResourceExistsException",
            format!("The operation failed because the secret {} already exists.", existing.name),
        ))
    }

    fn get_secret_value(&self, request: &Request) -> Result<SecretValue, AwsError> {
        let GetSecretValue { secret_id, version_id, version_stage } = request.json()?;
        self.with_secret(request, "secretsmanager:GetSecretValue", &secret_id, |transaction, secret| {
            let no_such = |what: String| {
                AwsError::bad_request(
                    "ResourceNotFoundException",
                    format!("Secrets Manager can't find the specified secret value for {what}"),
                )
            };
            let version = match (&version_id, &version_stage) {
                (Some(id), stage) => {
                    let version = versions::by_id(transaction, &secret.arn, id)?
                        .ok_or_else(|| no_such(format!("VersionId: {id}")))?;
                    if let Some(stage) = stage
                        && versions::version_of_stage(transaction, &secret.arn, stage)?.as_ref() != Some(id)
                    {
                        return Err(AwsError::bad_request(
                            "InvalidRequestException",
                            "You provided a VersionStage that is not associated to the provided VersionId.",
                        ));
                    }
                    version
                }
                (None, stage) => {
                    let stage = stage.as_deref().unwrap_or(CURRENT);
                    versions::by_stage(transaction, &secret.arn, stage)?
                        .ok_or_else(|| no_such(format!("staging label: {stage}")))?
                }
            };
            let now_ms = self.now_ms();
            rows::set_accessed(transaction, &secret.arn, now_ms - now_ms.rem_euclid(DAY_MS))?;
            let stages = stages_of(transaction, &secret.arn)?.remove(&version.id).unwrap_or_default();
            let (secret_string, secret_binary) = match version.content {
                Content::Text(text) => (Some(text), None),
                Content::Bytes(bytes) => (None, Some(STANDARD.encode(bytes))),
            };
            Ok(SecretValue {
                arn: secret.arn,
                name: secret.name,
                version_id: version.id,
                secret_string,
                secret_binary,
                version_stages: stages,
                created_date: seconds(version.created_ms),
            })
        })
    }

    fn put_secret_value(&self, request: &Request) -> Result<Named, AwsError> {
        let put: PutSecretValue = request.json()?;
        let content = content(put.secret_string, put.secret_binary)?
            .ok_or_else(|| invalid_parameter("You must provide either SecretString or SecretBinary."))?;
        let stages = put.version_stages.unwrap_or_else(|| vec![CURRENT.into()]);
        if stages.is_empty() || stages.len() > 20 {
            return Err(invalid_parameter("VersionStages must have from 1 to 20 staging labels."));
        }
        let version_id = self.version_id(put.client_request_token)?;
        self.with_secret(request, "secretsmanager:PutSecretValue", &put.secret_id, |transaction, secret| {
            self.put_version(transaction, &secret, &version_id, &content, &stages)?;
            let stages = stages_of(transaction, &secret.arn)?.remove(&version_id).unwrap_or_default();
            Ok(Named { version_id: Some(version_id), version_stages: Some(stages), ..Named::new(secret) })
        })
    }

    fn update_secret(&self, request: &Request) -> Result<Named, AwsError> {
        let update: UpdateSecret = request.json()?;
        let content = content(update.secret_string, update.secret_binary)?;
        let version_id = self.version_id(update.client_request_token)?;
        self.with_secret(request, "secretsmanager:UpdateSecret", &update.secret_id, |transaction, secret| {
            if let Some(description) = &update.description {
                rows::set_description(transaction, &secret.arn, Some(description))?;
            }
            if let Some(key) = &update.kms_key_id {
                rows::set_kms_key_id(transaction, &secret.arn, key)?;
            }
            rows::set_changed(transaction, &secret.arn, self.now_ms())?;
            if let Some(content) = &content {
                self.put_version(transaction, &secret, &version_id, content, &[CURRENT.into()])?;
            }
            Ok(Named { version_id: content.is_some().then_some(version_id), ..Named::new(secret) })
        })
    }

    fn update_secret_version_stage(&self, request: &Request) -> Result<Named, AwsError> {
        let UpdateSecretVersionStage { secret_id, version_stage, remove_from_version_id, move_to_version_id } =
            request.json()?;
        let action = "secretsmanager:UpdateSecretVersionStage";
        self.with_secret(request, action, &secret_id, |transaction, secret| {
            let on = versions::version_of_stage(transaction, &secret.arn, &version_stage)?;
            if let Some(on) = &on
                && remove_from_version_id.as_ref() != Some(on)
                && move_to_version_id.as_ref() != Some(on)
            {
                return Err(invalid_parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {version_stage} is currently attached to \
                     version {on}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            if on.is_none() && remove_from_version_id.is_some() {
                return Err(invalid_parameter(format!(
                    "The version in RemoveFromVersionId does not have the staging label {version_stage}."
                )));
            }
            match &move_to_version_id {
                Some(to) => {
                    versions::by_id(transaction, &secret.arn, to)?.ok_or_else(|| {
                        AwsError::bad_request(
                            "ResourceNotFoundException",
                            format!("Secrets Manager can't find the specified secret value for VersionId: {to}"),
                        )
                    })?;
                    versions::move_stage(transaction, &secret.arn, &version_stage, to)?;
                }
                None if version_stage == CURRENT => {
                    return Err(invalid_parameter(
                        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
                    ));
                }
                None => versions::remove_stage(transaction, &secret.arn, &version_stage)?,
            }
            rows::set_changed(transaction, &secret.arn, self.now_ms())?;
            Ok(Named::new(secret))
        })
    }

    fn describe_secret(&self, request: &Request) -> Result<Description, AwsError> {
        let SecretId { secret_id } = request.json()?;
        self.with_any_secret(request, "secretsmanager:DescribeSecret", &secret_id, |transaction, secret| {
            let stages = stages_of(transaction, &secret.arn)?;
            Ok(Description { version_ids_to_stages: Some(stages), ..Description::new(secret)? })
        })
    }

    fn list_secrets(&self, request: &Request) -> Result<SecretList, AwsError> {
        let list: ListSecrets = request.json()?;
        request.authorize("secretsmanager:ListSecrets", "*")?;
        self.store.write(|transaction| {
            rows::delete_due(transaction, self.now_ms())?;
            let mut secrets = rows::all(transaction)?;
            if list.sort_order == Some(SortOrder::Desc) {
                secrets.reverse();
            }
            let mut found = Vec::new();
            for secret in secrets {
                let description = Description::new(secret)?;
                let shown = list.include_planned_deletion || description.deleted_date.is_none();
                if shown && list.filters.iter().all(|filter| filter.takes(&description)) {
                    found.push(description);
                }
            }
            let (mut secret_list, next_token) = page(found, list.next_token.as_deref(), list.max_results)?;
            for secret in &mut secret_list {
                secret.secret_versions_to_stages = Some(stages_of(transaction, &secret.arn)?);
            }
            Ok(SecretList { secret_list, next_token })
        })
    }

    fn list_secret_version_ids(&self, request: &Request) -> Result<VersionList, AwsError> {
        let ListSecretVersionIds { secret_id, max_results, next_token, include_deprecated } = request.json()?;
        let action = "secretsmanager:ListSecretVersionIds";
        self.with_any_secret(request, action, &secret_id, |transaction, secret| {
            let mut stages = stages_of(transaction, &secret.arn)?;
            let versions = versions::all(transaction, &secret.arn)?
                .into_iter()
                .map(|(version_id, created_ms)| VersionEntry {
                    version_stages: stages.remove(&version_id).unwrap_or_default(),
                    created_date: seconds(created_ms),
                    version_id,
                })
                .filter(|version| include_deprecated || !version.version_stages.is_empty())
                .collect();
            let (versions, next_token) = page(versions, next_token.as_deref(), max_results)?;
            Ok(VersionList { versions, next_token, arn: secret.arn, name: secret.name })
        })
    }

    fn delete_secret(&self, request: &Request) -> Result<Named, AwsError> {
        let DeleteSecret { secret_id, recovery_window_in_days, force_delete_without_recovery: force } =
            request.json()?;
        if force && recovery_window_in_days.is_some() {
            return Err(invalid_parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = recovery_window_in_days.unwrap_or(*RECOVERY_DAYS.end());
        if !RECOVERY_DAYS.contains(&days) {
            return Err(invalid_parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
        }
        let deleted =
            self.with_any_secret(request, "secretsmanager:DeleteSecret", &secret_id, |transaction, secret| {
                let deleted_ms = if force {
                    rows::delete(transaction, &secret.arn)?;
                    self.now_ms()
                } else if secret.deleted_ms.is_some() {
                    return Err(marked_for_deletion());
                } else {
                    let deleted_ms = self.now_ms() + days * DAY_MS;
                    rows::set_deleted(transaction, &secret.arn, Some(deleted_ms))?;
                    deleted_ms
                };
                Ok(Named { deletion_date: Some(seconds(deleted_ms)), ..Named::new(secret) })
            });
        match deleted {
            // Deleting by force what is not there is not an error: DeleteSecret's own page says so.
            Err(error) if force && error == no_such_secret() => Ok(Named {
                arn: self.account.arn("secretsmanager", &format!("secret:{secret_id}")),
                name: secret_id,
                version_id: None,
                version_stages: None,
                deletion_date: Some(seconds(self.now_ms())),
            }),
            deleted => deleted,
        }
    }

    fn restore_secret(&self, request: &Request) -> Result<Named, AwsError> {
        let SecretId { secret_id } = request.json()?;
        self.with_any_secret(request, "secretsmanager:RestoreSecret", &secret_id, |transaction, secret| {
            rows::set_deleted(transaction, &secret.arn, None)?;
            Ok(Named::new(secret))
        })
    }

    fn get_random_password(&self, request: &Request) -> Result<RandomPassword, AwsError> {
        let wanted: GetRandomPassword = request.json()?;
        request.authorize("secretsmanager:GetRandomPassword", "*")?;
        let password = Password {
            length: wanted.password_length.unwrap_or(password::LENGTH_DEFAULT),
            exclude_characters: &wanted.exclude_characters,
            exclude_lowercase: wanted.exclude_lowercase,
            exclude_uppercase: wanted.exclude_uppercase,
            exclude_numbers: wanted.exclude_numbers,
            exclude_punctuation: wanted.exclude_punctuation,
            include_space: wanted.include_space,
            require_each: wanted.require_each_included_type.unwrap_or(true),
        };
        Ok(RandomPassword { random_password: password::generate(&*self.entropy, &password)? })
    }

    fn tag_resource(&self, request: &Request) -> Result<Empty, AwsError> {
        let TagResource { secret_id, tags } = request.json()?;
        self.with_secret(request, "secretsmanager:TagResource", &secret_id, |transaction, secret| {
            let mut all = tags_of(&secret)?;
            all.retain(|tag| tags.iter().all(|new| new.key != tag.key));
            all.extend(tags);
            check_tags(&all)?;
            rows::set_tags(transaction, &secret.arn, &tags_text(&all)?)?;
            Ok(Empty {})
        })
    }

    fn untag_resource(&self, request: &Request) -> Result<Empty, AwsError> {
        let UntagResource { secret_id, tag_keys } = request.json()?;
        self.with_secret(request, "secretsmanager:UntagResource", &secret_id, |transaction, secret| {
            let mut all = tags_of(&secret)?;
            all.retain(|tag| !tag_keys.contains(&tag.key));
            rows::set_tags(transaction, &secret.arn, &tags_text(&all)?)?;
            Ok(Empty {})
        })
    }

    /// Does `work` on a secret that the caller may act on, and that is not marked for deletion.
    fn with_secret<T>(
        &self,
        request: &Request,
        action: &str,
        id: &str,
        work: impl FnOnce(&Transaction<'_>, SecretRow) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.with_any_secret(request, action, id, |transaction, secret| {
            if secret.deleted_ms.is_some() { Err(marked_for_deletion()) } else { work(transaction, secret) }
        })
    }

    /// Does `work` on a secret that the caller may act on.
    fn with_any_secret<T>(
        &self,
        request: &Request,
        action: &str,
        id: &str,
        work: impl FnOnce(&Transaction<'_>, SecretRow) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.store.write(|transaction| match self.find(transaction, id)? {
            Some(secret) => {
                request.authorize(action, &secret.arn)?;
                work(transaction, secret)
            }
            None => {
                // Only who may see a secret of this name is told that there is none.
                let arn = if id.starts_with("arn:") {
                    id.to_owned()
                } else {
                    self.account.arn("secretsmanager", &format!("secret:{id}-??????"))
                };
                request.authorize(action, &arn)?;
                Err(no_such_secret())
            }
        })
    }

    /// The id of a new version: the request's token, which makes it idempotent.
    fn version_id(&self, token: Option<String>) -> Result<String, AwsError> {
        match token {
            None => Ok(self.entropy.uuid()),
            Some(token) if (32..=64).contains(&token.len()) => Ok(token),
            Some(_) => Err(invalid_parameter("ClientRequestToken must be 32-64 characters long.")),
        }
    }
}

impl Description {
    fn new(secret: SecretRow) -> Result<Self, StoreError> {
        Ok(Self {
            tags: tags_of(&secret)?,
            arn: secret.arn,
            name: secret.name,
            description: secret.description,
            kms_key_id: secret.kms_key_id,
            last_changed_date: seconds(secret.changed_ms),
            last_accessed_date: secret.accessed_ms.map(seconds),
            deleted_date: secret.deleted_ms.map(seconds),
            version_ids_to_stages: None,
            secret_versions_to_stages: None,
            created_date: seconds(secret.created_ms),
        })
    }
}

impl Filter {
    /// Values are prefixes, of which one must fit; a leading `!` turns one round.
    fn takes(&self, secret: &Description) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !self.takes_value(secret, value),
            None => self.takes_value(secret, value),
        })
    }

    fn takes_value(&self, secret: &Description, value: &str) -> bool {
        let ignoring_case = |text: &str| text.to_lowercase().starts_with(&value.to_lowercase());
        let description = || secret.description.as_deref().is_some_and(ignoring_case);
        match self.key {
            FilterKey::Name => secret.name.starts_with(value),
            FilterKey::Description => description(),
            FilterKey::TagKey => secret.tags.iter().any(|tag| tag.key.starts_with(value)),
            FilterKey::TagValue => secret.tags.iter().any(|tag| tag.value.starts_with(value)),
            FilterKey::All => {
                ignoring_case(&secret.name)
                    || description()
                    || secret.tags.iter().any(|tag| ignoring_case(&tag.key) || ignoring_case(&tag.value))
            }
        }
    }
}

fn content(text: Option<String>, base64: Option<String>) -> Result<Option<Content>, AwsError> {
    let content = match (text, base64) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(invalid_parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
        (Some(text), None) => Content::Text(text),
        (None, Some(base64)) => Content::Bytes(
            STANDARD
                .decode(base64)
                .map_err(|_| AwsError::bad_request("SerializationException", "SecretBinary is not base64"))?,
        ),
    };
    let length = match &content {
        Content::Text(text) => text.len(),
        Content::Bytes(bytes) => bytes.len(),
    };
    if length == 0 || length > VALUE_BYTES_MAX {
        return Err(invalid_parameter(format!("The secret value must have from 1 to {VALUE_BYTES_MAX} bytes.")));
    }
    Ok(Some(content))
}

/// Labels by the version that they are on.
fn stages_of(transaction: &Transaction<'_>, secret: &str) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut by_version = BTreeMap::<_, Vec<_>>::new();
    for (stage, version) in versions::stages(transaction, secret)? {
        by_version.entry(version).or_default().push(stage);
    }
    Ok(by_version)
}

fn check_tags(tags: &[Tag]) -> Result<(), AwsError> {
    if tags.len() > TAGS_MAX
        || tags.iter().any(|tag| tag.key.is_empty() || tag.key.len() > 128 || tag.value.len() > 256)
    {
        return Err(invalid_parameter(format!(
            "A secret has at most {TAGS_MAX} tags, with keys of 1 to 128 characters and values of up to 256."
        )));
    }
    Ok(())
}

fn tags_of(secret: &SecretRow) -> Result<Vec<Tag>, StoreError> {
    serde_json::from_str(&secret.tags)
        .map_err(|error| StoreError::Corrupt(format!("the tags of {}: {error}", secret.arn)))
}

fn tags_text(tags: &[Tag]) -> Result<String, StoreError> {
    serde_json::to_string(tags).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The page that begins at `token`, a count of what came before.
fn page<T>(items: Vec<T>, token: Option<&str>, limit: Option<usize>) -> Result<(Vec<T>, Option<String>), AwsError> {
    let limit = limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(invalid_parameter(format!("MaxResults must be from 1 to {PAGE_MAX}.")));
    }
    let invalid = |_| AwsError::bad_request("InvalidNextTokenException", "Invalid pagination token.");
    let before: usize = token.map(str::parse).transpose().map_err(invalid)?.unwrap_or(0);
    let end = before.saturating_add(limit);
    let next = (end < items.len()).then(|| end.to_string());
    Ok((items.into_iter().skip(before).take(limit).collect(), next))
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
