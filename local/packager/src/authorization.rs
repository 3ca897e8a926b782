//! CDN authorization: a group's egress answers only requests that carry the secret identifier.
//! Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/cdn-auth.html>.

use std::{collections::HashMap, hint::black_box, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use vodline_core::{Clock, Secrets};

use crate::service::lock;

/// The header that carries the identifier.
pub(crate) const HEADER: &str = "x-mediapackage-cdnidentifier";
/// Bounds of an identifier's length, from the source above.
const IDENTIFIER_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=128;
/// How long a secret's values are trusted. MediaPackage asks for ten minutes between a new value and its use.
const TRUSTED_FOR: SignedDuration = SignedDuration::from_secs(30);
/// How soon a refusal may look the secret up again, so that a new value counts at once and a flood of wrong ones costs little.
const LOOKED_UP_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// The secret's value: exactly this shape.
#[derive(Deserialize)]
struct SecretValue {
    #[serde(rename = "MediaPackageCDNIdentifier")]
    identifier: String,
}

struct Known {
    /// The current identifier and the one before.
    identifiers: Vec<String>,
    looked_up_at: Timestamp,
}

/// Checks identifiers against secrets.
pub(crate) struct Authorizations {
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    known: std::sync::Mutex<HashMap<String, Known>>,
}

impl Authorizations {
    pub(crate) fn new(secrets: Arc<dyn Secrets>, clock: Arc<dyn Clock>) -> Self {
        Self { secrets, clock, known: Default::default() }
    }

    /// Whether `identifier` is the value of the secret, the current one or the one before it.
    pub(crate) fn permits(&self, secret: &str, identifier: &[u8]) -> bool {
        let now = self.clock.now();
        let mut known = lock(&self.known);
        let age = known.get(secret).map(|known| now.duration_since(known.looked_up_at));
        let matches = |known: &HashMap<String, Known>| {
            known.get(secret).is_some_and(|known| {
                // Every value is compared, so that the time taken tells nothing.
                known.identifiers.iter().fold(false, |found, value| found | equal(value.as_bytes(), identifier))
            })
        };
        if age.is_some_and(|age| age < TRUSTED_FOR) && matches(&known) {
            return true;
        }
        if age.is_some_and(|age| age < LOOKED_UP_AGAIN_AFTER) {
            return false;
        }
        known.insert(secret.to_owned(), Known { identifiers: self.look_up(secret), looked_up_at: now });
        matches(&known)
    }

    fn look_up(&self, secret: &str) -> Vec<String> {
        let values = self.secrets.values(secret).unwrap_or_else(|error| {
            tracing::warn!(secret, code = error.code, "cannot read the CDN identifier; egress is refused");
            Vec::new()
        });
        let identifiers = values.iter().take(2).filter_map(|value| {
            let value: SecretValue = serde_json::from_str(value).ok()?;
            IDENTIFIER_CHARACTERS.contains(&value.identifier.len()).then_some(value.identifier)
        });
        identifiers.collect()
    }
}

/// Compares in time that depends on the lengths only.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::sync::Mutex;

    use vodline_core::{AwsError, ManualClock};

    use super::*;

    struct Vault(Mutex<Result<Vec<String>, AwsError>>);

    impl Secrets for Vault {
        fn values(&self, _secret: &str) -> Result<Vec<String>, AwsError> {
            self.0.lock().unwrap().clone()
        }
    }

    fn secret(value: &str) -> String {
        format!(r#"{{"MediaPackageCDNIdentifier":"{value}"}}"#)
    }

    #[test]
    fn the_current_value_and_the_one_before_are_accepted() {
        let vault = Arc::new(Vault(Mutex::new(Ok(vec![secret("identifier-1")]))));
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let authorizations = Authorizations::new(vault.clone(), clock.clone());
        let permits = |value: &str| authorizations.permits("secret", value.as_bytes());
        assert!(permits("identifier-1"));
        assert!(!permits("identifier-2") && !permits("") && !permits("identifier-11"));

        *vault.0.lock().unwrap() = Ok(vec![secret("identifier-2"), secret("identifier-1"), secret("identifier-0")]);
        assert!(!permits("identifier-2"), "a refusal is not looked up again within a second");
        clock.advance(SignedDuration::from_secs(1));
        assert!(permits("identifier-2") && permits("identifier-1") && !permits("identifier-0"));

        *vault.0.lock().unwrap() = Ok(vec![secret("identifier-3"), secret("identifier-2")]);
        clock.advance(SignedDuration::from_secs(30));
        assert!(!permits("identifier-1") && permits("identifier-3"));
    }

    #[test]
    fn a_failed_lookup_or_a_malformed_secret_permits_nothing() {
        let vault = Arc::new(Vault(Mutex::new(Err(AwsError::not_found("ResourceNotFoundException", "gone")))));
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let authorizations = Authorizations::new(vault.clone(), clock.clone());
        assert!(!authorizations.permits("secret", b"identifier-1"));
        for malformed in ["identifier-1", r#"{"other":"identifier-1"}"#, r#"{"MediaPackageCDNIdentifier":""}"#] {
            *vault.0.lock().unwrap() = Ok(vec![malformed.into()]);
            clock.advance(SignedDuration::from_secs(1));
            assert!(!authorizations.permits("secret", b"identifier-1") && !authorizations.permits("secret", b""));
        }
    }
}
