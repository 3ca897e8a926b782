//! What a function process finds in its environment: what Lambda sets, and nothing of the home's own.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path};

use vodline_core::Account;

use crate::{logs::log_group, spec::FunctionSpec};

/// Temporary credentials of a role.
#[derive(Clone)]
pub struct RoleCredential {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
}

impl fmt::Debug for RoleCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RoleCredential").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Hands out credentials for roles; the home's IAM implements it.
pub trait RoleCredentials: Send + Sync + 'static {
    /// Credentials with which calls are checked against the policies of this role. They must be good for as long as a process may
    /// live.
    fn issue(&self, role_arn: &str) -> RoleCredential;
}

/// Variables that a function must not set. Same source.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

/// Whether Lambda (or, with `AWS_ENDPOINT_URL`, the home) sets this variable itself.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// What of the environment depends on the home rather than on the function.
pub(crate) struct Surroundings<'a> {
    pub(crate) account: &'a Account,
    pub(crate) endpoint_url: &'a str,
    pub(crate) task_root: &'a Path,
    pub(crate) log_stream: &'a str,
    pub(crate) runtime_api: SocketAddr,
    pub(crate) path: Option<String>,
}

/// The whole environment of a function process.
pub(crate) fn environment(
    spec: &FunctionSpec,
    credential: RoleCredential,
    surroundings: &Surroundings<'_>,
) -> BTreeMap<String, String> {
    let region = &surroundings.account.region;
    let task_root = surroundings.task_root.to_string_lossy();
    let mut variables = spec.environment.clone();
    for (name, value) in [
        ("_HANDLER", spec.handler.clone()),
        ("AWS_ACCESS_KEY_ID", credential.access_key_id),
        ("AWS_DEFAULT_REGION", region.clone()),
        // The one variable that is ours: SDKs send every call of the function to the home.
        ("AWS_ENDPOINT_URL", surroundings.endpoint_url.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group(&spec.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", surroundings.log_stream.to_owned()),
        // Host and port and nothing else: the runtime refuses a scheme and a path.
        ("AWS_LAMBDA_RUNTIME_API", surroundings.runtime_api.to_string()),
        ("AWS_REGION", region.clone()),
        ("AWS_SECRET_ACCESS_KEY", credential.secret_access_key),
        ("AWS_SESSION_TOKEN", credential.session_token),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into()),
        ("LAMBDA_RUNTIME_DIR", task_root.clone().into_owned()),
        ("LAMBDA_TASK_ROOT", task_root.into_owned()),
    ] {
        variables.insert(name.into(), value);
    }
    for (name, value) in [("LANG", "en_US.UTF-8"), ("TZ", ":UTC")] {
        variables.entry(name.into()).or_insert_with(|| value.into());
    }
    if let Some(path) = &surroundings.path {
        variables.entry("PATH".into()).or_insert_with(|| path.clone());
    }
    variables
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_environment_is_lambdas() {
        let mut spec = FunctionSpec::new("probe", "probe", "role");
        spec.environment.insert("TABLE".into(), "videos".into());
        spec.environment.insert("TZ".into(), "Europe/Berlin".into());
        let credential = RoleCredential {
            access_key_id: "key".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
        };
        let found = environment(
            &spec,
            credential,
            &Surroundings {
                account: &Account::default(),
                endpoint_url: "http://127.0.0.1:4566",
                task_root: Path::new("/bin"),
                log_stream: "stream",
                runtime_api: "127.0.0.1:9001".parse().unwrap(),
                path: Some("/usr/bin".into()),
            },
        );
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/probe"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "us-east-1"),
            ("TABLE", "videos"),
            ("TZ", "Europe/Berlin"),
            ("PATH", "/usr/bin"),
            ("LAMBDA_TASK_ROOT", "/bin"),
        ] {
            assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(
            !format!(
                "{:?}",
                RoleCredential {
                    access_key_id: "k".into(),
                    secret_access_key: "s3cr3t".into(),
                    session_token: "t0k3n".into()
                }
            )
            .contains("3")
        );
    }
}
