//! What Lambda is opened with, and what a function is.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use vodline_core::{Account, Clock, Entropy};

/// What [`Lambda`](crate::Lambda) needs.
#[derive(Clone)]
pub struct Config {
    /// The home's data directory.
    pub directory: PathBuf,
    /// Whose functions these are.
    pub account: Account,
    /// Time of day.
    pub clock: Arc<dyn Clock>,
    /// Request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Where functions reach AWS's APIs; `AWS_ENDPOINT_URL` in their environment.
    pub endpoint_url: String,
    /// The folder of the functions' programs.
    pub functions: PathBuf,
    /// Keys of roles.
    pub credentials: Arc<dyn RoleCredentials>,
}

/// Hands out the keys of a role; the home's IAM implements it.
pub trait RoleCredentials: Send + Sync + 'static {
    /// The keys a function of this role signs with.
    fn keys(&self, role_arn: &str) -> RoleKeys;
}

/// A role's keys.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleKeys {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
}

impl fmt::Debug for RoleKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// A function as the template describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its name, unique in the account.
    pub name: String,
    /// The file name of its program, in the folder of the functions' programs.
    pub binary: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// What it is told it has; nothing enforces it here.
    pub memory_mb: u32,
    /// Its own variables.
    pub environment: BTreeMap<String, String>,
    /// The role whose keys it gets.
    pub role_arn: String,
    /// How many invocations may run at once; the account's limit when absent.
    pub reserved_concurrency: Option<u32>,
}
