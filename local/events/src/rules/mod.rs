//! Rules: which events go to which targets. Kept in the store, compiled in memory.

mod rows;
mod target;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vodline_core::{Account, Arn, AwsError, StoreError, rusqlite::Connection};

pub(crate) use rows::{
    TABLES, bus_exists, buses, delete_rule, delete_target, delete_undefined, insert_bus, load, put_rule, put_targets,
    replace_targets, rule_exists, set_state,
};
pub(crate) use target::{CompiledTarget, TargetKind};
pub use target::{DeadLetterConfig, RetryPolicy, TargetSpec};

use crate::pattern::Pattern;

/// The bus of AWS's own events.
pub const DEFAULT_BUS: &str = "default";
/// Characters of a pattern. Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>.
const PATTERN_CHARACTERS_MAX: usize = 4096;
/// Targets of one rule. Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>.
pub(crate) const TARGETS_MAX: usize = 5;

/// Whether a rule acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleState {
    /// It does.
    #[default]
    Enabled,
    /// It does not.
    Disabled,
}

/// A rule as the template describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSpec {
    /// One to 64 letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// The bus by name; empty for the default bus.
    pub bus: String,
    /// The event pattern, as JSON.
    pub pattern: String,
    /// Whether it acts.
    pub state: RuleState,
    /// What a person reads.
    pub description: Option<String>,
    /// Where matching events go; at most five.
    pub targets: Vec<TargetSpec>,
}

/// What is stored of a rule, without its targets.
#[derive(Clone, Debug)]
pub(crate) struct RuleRow {
    pub(crate) bus: String,
    pub(crate) name: String,
    pub(crate) pattern: String,
    pub(crate) state: RuleState,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
}

/// A rule ready to be matched.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) row: RuleRow,
    pub(crate) arn: String,
    pub(crate) pattern: Pattern,
    pub(crate) targets: Vec<CompiledTarget>,
}

/// All rules, in order of bus and name.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<CompiledRule>);

impl Rules {
    pub(crate) fn load(connection: &Connection, account: &Account) -> Result<Self, StoreError> {
        let corrupt = |what: &str, name: &str, error: &dyn std::fmt::Display| {
            StoreError::Corrupt(format!("the {what} of rule {name}: {error}"))
        };
        let rules = load(connection)?
            .into_iter()
            .map(|(row, targets)| {
                let pattern = Pattern::parse(&row.pattern).map_err(|error| corrupt("pattern", &row.name, &error))?;
                let targets = targets
                    .into_iter()
                    .map(|target| CompiledTarget::new(target).map_err(|error| corrupt("target", &row.name, &error)))
                    .collect::<Result<_, _>>()?;
                Ok(CompiledRule { arn: rule_arn(account, &row.bus, &row.name), row, pattern, targets })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Self(rules))
    }

    pub(crate) fn of_bus(&self, bus: &str) -> impl Iterator<Item = &CompiledRule> {
        self.0.iter().filter(move |rule| rule.row.bus == bus)
    }

    pub(crate) fn get(&self, bus: &str, name: &str) -> Option<&CompiledRule> {
        self.of_bus(bus).find(|rule| rule.row.name == name)
    }

    /// The enabled rules of a bus that take this event (the whole envelope).
    pub(crate) fn matching<'a>(&'a self, bus: &str, event: &'a Value) -> impl Iterator<Item = &'a CompiledRule> {
        self.of_bus(bus).filter(|rule| rule.row.state == RuleState::Enabled && rule.pattern.matches(event))
    }
}

/// `rule/NAME` on the default bus, `rule/BUS/NAME` on others.
pub(crate) fn rule_arn(account: &Account, bus: &str, name: &str) -> String {
    if bus == DEFAULT_BUS {
        account.arn("events", &format!("rule/{name}"))
    } else {
        account.arn("events", &format!("rule/{bus}/{name}"))
    }
}

pub(crate) fn bus_arn(account: &Account, bus: &str) -> String {
    account.arn("events", &format!("event-bus/{bus}"))
}

/// A bus by name or ARN; the default bus when none is named.
pub(crate) fn bus_name(name_or_arn: Option<&str>) -> &str {
    match name_or_arn {
        None | Some("") => DEFAULT_BUS,
        Some(text) => Arn::parse(text).and_then(|arn| arn.resource.strip_prefix("event-bus/")).unwrap_or(text),
    }
}

/// Refuses a rule that EventBridge refuses.
pub(crate) fn check(rule: &RuleRow) -> Result<(), AwsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if rule.name.is_empty() || rule.name.len() > 64 || !rule.name.chars().all(plain) {
        return Err(validation(format!(
            "1 validation error detected: Value '{}' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [\\.\\-_A-Za-z0-9]+ and have length from 1 to 64",
            rule.name
        )));
    }
    if rule.pattern.chars().count() > PATTERN_CHARACTERS_MAX {
        return Err(validation(format!(
            "1 validation error detected: Value at 'eventPattern' failed to satisfy constraint: Member must have length \
             less than or equal to {PATTERN_CHARACTERS_MAX}"
        )));
    }
    Pattern::parse(&rule.pattern)
        .map_err(|error| AwsError::bad_request("InvalidEventPatternException", error.to_string()))?;
    Ok(())
}

pub(crate) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}
