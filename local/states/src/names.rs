//! Names and ARNs of machines, executions, activities and Map Runs.

use vodline_core::{Account, Arn, AwsError};

use crate::error;

/// Longest name of a machine, execution, activity or alias, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>.
pub(crate) const NAME_CHARS_MAX: usize = 80;

/// Longest ARN a request may hold, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>.
pub(crate) const ARN_CHARS_MAX: usize = 2_000;

/// Checks a name a caller gives: 1 to 80 characters without white space, brackets, wildcards, special or control characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>.
pub(crate) fn check_name(name: &str) -> Result<(), AwsError> {
    if name.is_empty() {
        return Err(error::constraint(name, "name", "have length greater than or equal to 1"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(error::constraint(name, "name", "have length less than or equal to 80"));
    }
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    if name.chars().any(forbidden) {
        return Err(error::invalid_name(name));
    }
    Ok(())
}

/// What an ARN of the `states` service names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// `stateMachine:NAME`, `stateMachine:NAME:QUALIFIER`, or `stateMachine:NAME/LABEL` for the children of a Map.
    Machine {
        /// The machine's name.
        name: &'a str,
        /// A version's number or an alias's name.
        qualifier: Option<&'a str>,
        /// The label of a Distributed Map state.
        label: Option<&'a str>,
    },
    /// `execution:MACHINE:NAME`, or `execution:MACHINE/LABEL:NAME`.
    Execution,
    /// `express:MACHINE:NAME:ID`.
    Express,
    /// `activity:NAME`.
    Activity,
    /// `mapRun:MACHINE/LABEL:ID`.
    MapRun,
}

impl Resource<'_> {
    /// The first word of the resource part.
    fn word(self) -> &'static str {
        match self {
            Self::Machine { .. } => "stateMachine",
            Self::Execution => "execution",
            Self::Express => "express",
            Self::Activity => "activity",
            Self::MapRun => "mapRun",
        }
    }
}

/// Reads an ARN of the `states` service.
pub(crate) fn parse(arn: &str) -> Result<Resource<'_>, AwsError> {
    if arn.is_empty() {
        return Err(error::constraint(arn, "arn", "have length greater than or equal to 1"));
    }
    if arn.len() > ARN_CHARS_MAX {
        return Err(error::invalid_arn("ARN is too long"));
    }
    let invalid = || error::invalid_arn(&format!("Invalid ARN prefix: {arn}"));
    let parsed = Arn::parse(arn).filter(|arn| arn.service == "states").ok_or_else(invalid)?;
    let (word, rest) = parsed.resource.split_once(':').ok_or_else(invalid)?;
    if rest.is_empty() {
        return Err(invalid());
    }
    match word {
        "stateMachine" => {
            let (name, qualifier) = rest.split_once(':').map_or((rest, None), |(name, q)| (name, Some(q)));
            let (name, label) = name.split_once('/').map_or((name, None), |(name, l)| (name, Some(l)));
            Ok(Resource::Machine { name, qualifier, label })
        }
        "execution" => Ok(Resource::Execution),
        "express" => Ok(Resource::Express),
        "activity" => Ok(Resource::Activity),
        "mapRun" => Ok(Resource::MapRun),
        _ => Err(invalid()),
    }
}

/// Checks that `arn` names what an operation works on.
pub(crate) fn expect(arn: &str, wanted: &'static str) -> Result<(), AwsError> {
    let found = parse(arn)?.word();
    if found == wanted {
        Ok(())
    } else {
        Err(error::invalid_arn(&format!("Resource type not valid in this context: {found}")))
    }
}

/// The ARN of a machine.
pub(crate) fn machine_arn(account: &Account, name: &str) -> String {
    account.arn("states", &format!("stateMachine:{name}"))
}

/// The ARN of a Standard execution.
pub(crate) fn execution_arn(account: &Account, machine: &str, name: &str) -> String {
    account.arn("states", &format!("execution:{machine}:{name}"))
}

/// The ARN of an Express execution; `id` tells executions of the same name apart.
pub(crate) fn express_arn(account: &Account, machine: &str, name: &str, id: &str) -> String {
    account.arn("states", &format!("express:{machine}:{name}:{id}"))
}

/// The ARN of an activity.
pub(crate) fn activity_arn(account: &Account, name: &str) -> String {
    account.arn("states", &format!("activity:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for (name, code) in [
            ("publish-video_2.mp4", None),
            ("größe", None),
            ("", Some("ValidationException")),
            ("a b", Some("InvalidName")),
            ("a/b", Some("InvalidName")),
            ("a:b", Some("InvalidName")),
            ("a\u{7f}", Some("InvalidName")),
        ] {
            assert_eq!(check_name(name).err().map(|error| error.code), code.map(str::to_owned), "{name}");
        }
        assert!(check_name(&"a".repeat(80)).is_ok());
        assert!(check_name(&"a".repeat(81)).is_err());
    }

    #[test]
    fn arns_are_told_apart() {
        let account = Account::default();
        let machine = machine_arn(&account, "m");
        assert_eq!(parse(&machine).ok(), Some(Resource::Machine { name: "m", qualifier: None, label: None }));
        let alias = format!("{machine}:live");
        assert_eq!(parse(&alias).ok(), Some(Resource::Machine { name: "m", qualifier: Some("live"), label: None }));
        assert_eq!(parse(&execution_arn(&account, "m", "n")).ok(), Some(Resource::Execution));
        for wrong in ["", "nonsense", "arn:aws:s3:::bucket", "arn:aws:states:us-east-1:1:stateMachine:"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(expect(&machine, "stateMachine").is_ok());
        assert_eq!(
            expect(&machine, "execution").err().map(|error| error.message),
            Some("Invalid Arn: 'Resource type not valid in this context: stateMachine'".to_owned())
        );
    }
}
