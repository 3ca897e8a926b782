//! Functions as the template describes them.

use std::{collections::BTreeMap, time::Duration};

use vodline_core::AwsError;

/// The longest a function may run. Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_TIMEOUT: Duration = Duration::from_secs(900);

/// The memory a function may have, in MB. Same source.
const MEMORY_MB: std::ops::RangeInclusive<u32> = 128..=10_240;

/// The longest name of a function. Same source.
const MAX_NAME: usize = 64;

/// The size of all environment variables together, in bytes. Same source.
const MAX_ENVIRONMENT: usize = 4096;

/// A function. Durations and sizes are those of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// The file in [`Config::bin_dir`](crate::Config::bin_dir) that is run.
    pub binary: String,
    /// `Handler`; only told to the function.
    pub handler: String,
    /// `Description`.
    pub description: String,
    /// `Timeout`.
    pub timeout: Duration,
    /// `MemorySize`. Told to the function and in REPORT lines; not enforced, a process of this machine takes what it needs.
    pub memory_mb: u32,
    /// `Environment.Variables`.
    pub environment: BTreeMap<String, String>,
    /// Whose permissions it has.
    pub role_arn: String,
    /// `ReservedConcurrentExecutions`; zero refuses every invocation.
    pub reserved_concurrency: Option<u32>,
    /// Aliases and versions under which it can be invoked besides `$LATEST`. All are the same code here.
    pub qualifiers: Vec<String>,
}

impl FunctionSpec {
    /// A function with Lambda's own defaults: 3 seconds, 128 MB, no variables.
    /// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
    #[must_use]
    pub fn new(name: impl Into<String>, binary: impl Into<String>, role_arn: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            binary: binary.into(),
            handler: "bootstrap".into(),
            description: String::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            environment: BTreeMap::new(),
            role_arn: role_arn.into(),
            reserved_concurrency: None,
            qualifiers: Vec::new(),
        }
    }

    /// Refuses what Lambda would refuse.
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        let invalid = |message: String| Err(AwsError::bad_request("InvalidParameterValueException", message));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.bytes().all(plain) {
            return invalid(format!("{:?} is not the name of a function", self.name));
        }
        // The binary's name comes from a template; it must not lead out of the directory of binaries.
        if self.binary.is_empty() || self.binary.starts_with('.') || self.binary.contains(['/', '\\', '\0']) {
            return invalid(format!("{:?} is not the name of a binary", self.binary));
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return invalid(format!("the timeout of {} is not between 1 and 900 seconds", self.name));
        }
        if !MEMORY_MB.contains(&self.memory_mb) {
            return invalid(format!("'MemorySize' value of {} must be between 128 and 10240", self.name));
        }
        let size: usize = self.environment.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_ENVIRONMENT {
            return invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables of {} have \
                 exceeded the 4KB limit",
                self.name
            ));
        }
        for name in self.environment.keys() {
            let mut bytes = name.bytes();
            if !bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
                || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
            {
                return invalid(format!("{name:?} is not the name of an environment variable"));
            }
            if crate::environment::is_reserved(name) {
                return invalid(format!(
                    "Lambda was unable to configure your environment variables because the environment variables you have \
                     provided contains reserved keys that are currently not supported for modification. Reserved keys used in \
                     this request: {name}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fine: bool, change: impl FnOnce(&mut FunctionSpec)) {
        let mut spec = FunctionSpec::new("probe-source", "probe-source", "arn:aws:iam::000000000000:role/r");
        change(&mut spec);
        assert_eq!(spec.check().is_ok(), fine, "{spec:?}");
    }

    #[test]
    fn what_lambda_would_refuse() {
        check(true, |_| ());
        check(false, |spec| spec.name = "a/b".into());
        check(false, |spec| spec.name = String::new());
        check(false, |spec| spec.binary = "../sh".into());
        check(false, |spec| spec.timeout = Duration::ZERO);
        check(false, |spec| spec.timeout = Duration::from_secs(901));
        check(true, |spec| spec.memory_mb = 10_240);
        check(false, |spec| spec.memory_mb = 64);
        let set = |spec: &mut FunctionSpec, name: &str| spec.environment.insert(name.into(), "x".into());
        check(true, |spec| drop(set(spec, "TABLE")));
        check(true, |spec| drop(set(spec, "AWS_LAMBDA_LOG_LEVEL")));
        check(false, |spec| drop(set(spec, "AWS_REGION")));
        check(false, |spec| drop(set(spec, "A=B")));
    }
}
