//! Secrets Manager.
//!
//! Values are kept as they are in the home's store: whoever may read the data directory may read them. They never go into a log,
//! and no type that holds one can be printed.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html>.

mod api;
mod password;
mod rows;
mod spec;
mod versions;

use std::{path::PathBuf, sync::Arc};

use rusqlite::Transaction;
use vodline_core::{Account, Arn, AwsError, Clock, Entropy, Secrets, Store, StoreError, rusqlite};

pub use spec::{GenerateSecretString, SecretSource, SecretSpec};

use rows::SecretRow;
use versions::Content;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// Characters after the name in an ARN, and what they are drawn from.
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html>.
const SUFFIX_LENGTH: usize = 6;
const SUFFIX_CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What [`SecretsManager`] needs.
#[derive(Clone)]
pub struct SecretsConfig {
    /// The home's data directory.
    pub directory: PathBuf,
    /// Whose secrets these are.
    pub account: Account,
    /// Time of day.
    pub clock: Arc<dyn Clock>,
    /// Version ids, ARN suffixes and generated passwords.
    pub entropy: Arc<dyn Entropy>,
}

/// Secrets Manager.
pub struct SecretsManager {
    store: Store,
    account: Account,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SecretsManager {
    /// Opens the secrets in the data directory.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(config: SecretsConfig) -> Result<Arc<Self>, StoreError> {
        let SecretsConfig { directory, account, clock, entropy } = config;
        let store = Store::open(&directory, rows::TABLES)?;
        Ok(Arc::new(Self { store, account, clock, entropy }))
    }

    /// Creates the secret and returns its ARN. A generated value is generated once and kept ever after; a given value that
    /// differs from the current one becomes a new version.
    ///
    /// # Errors
    /// `InvalidParameterException` for a name or a way of generating that Secrets Manager refuses, `InvalidRequestException`
    /// when the secret is waiting to be deleted.
    pub fn define_secret(&self, spec: &SecretSpec) -> Result<String, AwsError> {
        check_name(&spec.name)?;
        self.store.write(|transaction| {
            let existing = rows::by_name(transaction, &spec.name)?;
            if existing.as_ref().is_some_and(|secret| secret.deleted_ms.is_some()) {
                return Err(marked_for_deletion());
            }
            let value = match (&spec.source, &existing) {
                (SecretSource::Generated(_), Some(secret)) if versions::has_current(transaction, &secret.arn)? => None,
                (SecretSource::Generated(generate), _) => Some(generate.value(&*self.entropy)?),
                (SecretSource::Value(value), Some(secret)) => {
                    let same = versions::current_text(transaction, &secret.arn)?.as_ref() == Some(value);
                    (!same).then(|| value.clone())
                }
                (SecretSource::Value(value), None) => Some(value.clone()),
            };
            let secret = match existing {
                Some(secret) => secret,
                None => self.insert(transaction, &spec.name, None, None, "[]")?,
            };
            if secret.description != spec.description {
                rows::set_description(transaction, &secret.arn, spec.description.as_deref())?;
            }
            if let Some(value) = value {
                let version_id = self.entropy.uuid();
                self.put_version(transaction, &secret, &version_id, &Content::Text(value), &[CURRENT.into()])?;
            }
            Ok(secret.arn)
        })
    }

    fn insert(
        &self,
        transaction: &Transaction<'_>,
        name: &str,
        description: Option<&str>,
        kms_key_id: Option<&str>,
        tags: &str,
    ) -> Result<SecretRow, AwsError> {
        let now_ms = self.now_ms();
        let secret = SecretRow {
            arn: self.account.arn("secretsmanager", &format!("secret:{name}-{}", self.suffix())),
            name: name.to_owned(),
            description: description.map(ToOwned::to_owned),
            kms_key_id: kms_key_id.map(ToOwned::to_owned),
            tags: tags.to_owned(),
            created_ms: now_ms,
            changed_ms: now_ms,
            accessed_ms: None,
            deleted_ms: None,
        };
        rows::insert(transaction, &secret)?;
        Ok(secret)
    }

    fn suffix(&self) -> String {
        (0..SUFFIX_LENGTH)
            .map(|_| char::from(SUFFIX_CHARACTERS[password::below(&*self.entropy, SUFFIX_CHARACTERS.len())]))
            .collect()
    }

    /// The secret that an id names: its name, its ARN, or its ARN without the random suffix. What is due for deletion is gone.
    fn find(&self, transaction: &Transaction<'_>, id: &str) -> Result<Option<SecretRow>, StoreError> {
        rows::delete_due(transaction, self.now_ms())?;
        let Some(arn) = Arn::parse(id) else { return rows::by_name(transaction, id) };
        if let Some(secret) = rows::by_arn(transaction, id)? {
            return Ok(Some(secret));
        }
        let name = arn.resource.strip_prefix("secret:").unwrap_or_default();
        let secret = rows::by_name(transaction, name)?;
        Ok(secret.filter(|secret| secret.arn.strip_prefix(id).is_some_and(|rest| rest.len() == SUFFIX_LENGTH + 1)))
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

impl Secrets for SecretsManager {
    fn values(&self, secret: &str) -> Result<Vec<String>, AwsError> {
        self.store.write(|transaction| {
            let secret = self.find(transaction, secret)?.ok_or_else(no_such_secret)?;
            if secret.deleted_ms.is_some() {
                return Err(marked_for_deletion());
            }
            let mut values = Vec::new();
            for stage in [CURRENT, PREVIOUS] {
                if let Some(version) = versions::by_stage(transaction, &secret.arn, stage)?
                    && let Content::Text(value) = version.content
                {
                    values.push(value);
                }
            }
            Ok(values)
        })
    }
}

fn no_such_secret() -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn marked_for_deletion() -> AwsError {
    AwsError::bad_request(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterException", message)
}

/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>.
fn check_name(name: &str) -> Result<(), AwsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(plain) {
        return Err(AwsError::bad_request(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
