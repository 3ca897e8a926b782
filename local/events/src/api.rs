//! The EventBridge API.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html>.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vodline_core::{AwsError, Event, EventBus, Protocol, Request, Response, Service, rusqlite::Connection};

use crate::{
    Events, Pattern, TargetSpec,
    rules::{self, CompiledRule, CompiledTarget, RuleRow, RuleState, TARGETS_MAX, TargetKind, validation},
    to_second,
};

/// Entries of one PutEvents. Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>.
const ENTRIES_MAX: usize = 10;
/// Bytes of one PutEvents, as AWS counts them. Source:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>.
const ENTRIES_BYTES_MAX: usize = 1024 * 1024;
/// Results on one page. Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html>.
const PAGE_MAX: usize = 100;

#[async_trait]
impl Service for Events {
    fn protocol(&self) -> Protocol {
        Protocol::Json11
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        match request.operation.as_str() {
            "PutEvents" => Response::json(&self.put_events(&request)?),
            "PutRule" => Response::json(&self.put_rule(&request)?),
            "DeleteRule" => Response::json(&self.delete_rule(&request)?),
            "DescribeRule" => Response::json(&self.describe_rule(&request)?),
            "ListRules" => Response::json(&self.list_rules(&request)?),
            "EnableRule" => Response::json(&self.set_rule_state(&request, "events:EnableRule", RuleState::Enabled)?),
            "DisableRule" => {
                Response::json(&self.set_rule_state(&request, "events:DisableRule", RuleState::Disabled)?)
            }
            "PutTargets" => Response::json(&self.put_targets(&request)?),
            "RemoveTargets" => Response::json(&self.remove_targets(&request)?),
            "ListTargetsByRule" => Response::json(&self.list_targets_by_rule(&request)?),
            "TestEventPattern" => Response::json(&test_event_pattern(&request)?),
            "DescribeEventBus" => Response::json(&self.describe_event_bus(&request)?),
            "ListEventBuses" => Response::json(&self.list_event_buses(&request)?),
            operation => Err(AwsError::unsupported_operation("events", operation)),
        }
    }
}

#[derive(Serialize)]
struct Empty {}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entry {
    /// Seconds since 1970.
    time: Option<f64>,
    source: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutEventsResult {
    failed_entry_count: usize,
    entries: Vec<EntryResult>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase", untagged)]
enum EntryResult {
    #[serde(rename_all = "PascalCase")]
    Taken { event_id: String },
    #[serde(rename_all = "PascalCase")]
    Refused { error_code: &'static str, error_message: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutRule {
    name: String,
    event_pattern: Option<String>,
    #[serde(default)]
    state: RuleState,
    description: Option<String>,
    role_arn: Option<String>,
    event_bus_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuleArn {
    rule_arn: String,
}

/// What DescribeRule, EnableRule and DisableRule ask for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleName {
    name: String,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteRule {
    name: String,
    event_bus_name: Option<String>,
    /// For rules of AWS services, of which there are none here.
    #[serde(default, rename = "Force")]
    _force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuleDescription<'a> {
    name: &'a str,
    arn: &'a str,
    event_pattern: &'a str,
    state: RuleState,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    event_bus_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a str>,
}

impl<'a> RuleDescription<'a> {
    fn new(rule: &'a CompiledRule, created_by: Option<&'a str>) -> Self {
        Self {
            name: &rule.row.name,
            arn: &rule.arn,
            event_pattern: &rule.row.pattern,
            state: rule.row.state,
            description: rule.row.description.as_deref(),
            role_arn: rule.row.role_arn.as_deref(),
            event_bus_name: &rule.row.bus,
            created_by,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListRules {
    #[serde(default)]
    name_prefix: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutTargets {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<TargetSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RemoveTargets {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<String>,
    /// For rules of AWS services, of which there are none here.
    #[serde(default, rename = "Force")]
    _force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntries {
    failed_entry_count: usize,
    failed_entries: [Empty; 0],
}

impl FailedEntries {
    const NONE: Self = Self { failed_entry_count: 0, failed_entries: [] };
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListTargetsByRule {
    rule: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TestEventPattern {
    event_pattern: String,
    event: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TestResult {
    result: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeEventBus {
    name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BusDescription {
    name: String,
    arn: String,
    /// Seconds since 1970.
    creation_time: f64,
    last_modified_time: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListEventBuses {
    #[serde(default)]
    name_prefix: String,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RulesPage {
    rules: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetsPage {
    targets: Vec<TargetSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BusesPage {
    event_buses: Vec<BusDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Events {
    fn put_events(&self, request: &Request) -> Result<PutEventsResult, AwsError> {
        let PutEvents { entries } = request.json()?;
        if entries.is_empty() || entries.len() > ENTRIES_MAX {
            let bound = if entries.is_empty() { "greater than or equal to 1" } else { "less than or equal to 10" };
            return Err(validation(format!(
                "1 validation error detected: Value '[PutEventsRequestEntry; {}]' at 'entries' failed to satisfy \
                 constraint: Member must have length {bound}",
                entries.len()
            )));
        }
        for entry in &entries {
            let bus = rules::bus_name(entry.event_bus_name.as_deref());
            request.authorize("events:PutEvents", &rules::bus_arn(&self.account, bus))?;
        }
        if entries.iter().map(Entry::size).sum::<usize>() > ENTRIES_BYTES_MAX {
            return Err(validation("Total size of the entries in the request is over the limit."));
        }
        let results = self.store.write::<Vec<EntryResult>, AwsError>(|transaction| {
            let mut results = Vec::with_capacity(entries.len());
            for entry in entries {
                let bus = rules::bus_name(entry.event_bus_name.as_deref()).to_owned();
                if !rules::bus_exists(transaction, &bus)? {
                    let error_message = format!("Event bus {bus} does not exist.");
                    results.push(EntryResult::Refused { error_code: "ResourceNotFoundException", error_message });
                    continue;
                }
                match self.event_of(entry) {
                    Ok(event) => {
                        self.enqueue_on(transaction, &bus, &event)?;
                        results.push(EntryResult::Taken { event_id: event.id });
                    }
                    Err(refused) => results.push(refused),
                }
            }
            Ok(results)
        })?;
        self.wake();
        let failed_entry_count = results.iter().filter(|result| matches!(result, EntryResult::Refused { .. })).count();
        Ok(PutEventsResult { failed_entry_count, entries: results })
    }

    fn event_of(&self, entry: Entry) -> Result<Event, EntryResult> {
        let refused = |error_code, error_message: String| EntryResult::Refused { error_code, error_message };
        let required = |value: Option<String>, name: &str| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| {
                let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
                refused("InvalidArgument", message)
            })
        };
        let source = required(entry.source, "Source")?;
        let detail_type = required(entry.detail_type, "DetailType")?;
        let detail = required(entry.detail, "Detail")?;
        if source.starts_with("aws.") {
            return Err(refused("NotAuthorizedForSourceException", "Not authorized for the source.".into()));
        }
        let Ok(detail @ Value::Object(_)) = serde_json::from_str(&detail) else {
            return Err(refused("MalformedDetail", "Detail is malformed.".into()));
        };
        let time = match entry.time {
            None => self.clock.now(),
            Some(seconds) => Timestamp::from_second(seconds as i64)
                .map_err(|_| refused("InvalidArgument", "Parameter Time is not valid.".into()))?,
        };
        Ok(Event {
            version: "0".into(),
            id: self.entropy.uuid(),
            detail_type,
            source,
            account: self.account.id.clone(),
            time: to_second(time),
            region: self.account.region.clone(),
            resources: entry.resources,
            detail,
        })
    }

    fn put_rule(&self, request: &Request) -> Result<RuleArn, AwsError> {
        let rule: PutRule = request.json()?;
        let bus = rules::bus_name(rule.event_bus_name.as_deref()).to_owned();
        let rule_arn = self.authorized(request, "events:PutRule", &bus, &rule.name)?;
        let pattern = rule
            .event_pattern
            .ok_or_else(|| validation("Parameter(s) EventPattern or ScheduleExpression must be specified."))?;
        let row = RuleRow {
            bus,
            name: rule.name,
            pattern,
            state: rule.state,
            description: rule.description,
            role_arn: rule.role_arn,
        };
        rules::check(&row)?;
        self.change(|transaction| {
            existing_bus(transaction, &row.bus)?;
            Ok(rules::put_rule(transaction, &row, false)?)
        })?;
        Ok(RuleArn { rule_arn })
    }

    fn delete_rule(&self, request: &Request) -> Result<Empty, AwsError> {
        let DeleteRule { name, event_bus_name, .. } = request.json()?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.authorized(request, "events:DeleteRule", bus, &name)?;
        if self.rules().get(bus, &name).is_some_and(|rule| !rule.targets.is_empty()) {
            return Err(validation("Rule can't be deleted since it has targets."));
        }
        self.change(|transaction| {
            existing_bus(transaction, bus)?;
            Ok(rules::delete_rule(transaction, bus, &name)?)
        })?;
        Ok(Empty {})
    }

    fn describe_rule(&self, request: &Request) -> Result<Value, AwsError> {
        let RuleName { name, event_bus_name } = request.json()?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.authorized(request, "events:DescribeRule", bus, &name)?;
        let rules = self.rules();
        let rule = rules.get(bus, &name).ok_or_else(|| no_such_rule(bus, &name))?;
        to_value(&RuleDescription::new(rule, Some(&self.account.id)))
    }

    fn list_rules(&self, request: &Request) -> Result<RulesPage, AwsError> {
        let ListRules { name_prefix, event_bus_name, next_token, limit } = request.json()?;
        request.authorize("events:ListRules", "*")?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.store.read(|connection| existing_bus(connection, bus))?;
        let rules = self.rules();
        let rules = rules.of_bus(bus).filter(|rule| rule.row.name.starts_with(&name_prefix));
        let (rules, next_token) = page(rules, |rule| &rule.row.name, next_token.as_deref(), limit)?;
        let rules =
            rules.into_iter().map(|rule| to_value(&RuleDescription::new(rule, None))).collect::<Result<_, _>>()?;
        Ok(RulesPage { rules, next_token })
    }

    fn set_rule_state(&self, request: &Request, action: &str, state: RuleState) -> Result<Empty, AwsError> {
        let RuleName { name, event_bus_name } = request.json()?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.authorized(request, action, bus, &name)?;
        if self.change(|transaction| Ok(rules::set_state(transaction, bus, &name, state)?))? {
            Ok(Empty {})
        } else {
            Err(no_such_rule(bus, &name))
        }
    }

    fn put_targets(&self, request: &Request) -> Result<FailedEntries, AwsError> {
        let PutTargets { rule, event_bus_name, targets } = request.json()?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.authorized(request, "events:PutTargets", bus, &rule)?;
        let rules = self.rules();
        let found = rules.get(bus, &rule).ok_or_else(|| no_such_rule(bus, &rule))?;
        // A state machine is started in a role; the template loader vouches for its own.
        let roleless = |target: &&TargetSpec| {
            target.role_arn.is_none() && TargetKind::of(&target.arn) == Some(TargetKind::StateMachine)
        };
        if let Some(target) = targets.iter().find(roleless) {
            return Err(validation(format!("RoleArn is required for target {}.", target.arn)));
        }
        let kept = found.targets.iter().filter(|kept| targets.iter().all(|target| target.id != kept.spec.id));
        let all: Vec<_> = kept.map(|kept| kept.spec.clone()).chain(targets.iter().cloned()).collect();
        check_targets(&found.row, &all)?;
        self.change(|transaction| {
            if !rules::rule_exists(transaction, bus, &rule)? {
                return Err(no_such_rule(bus, &rule));
            }
            Ok(rules::put_targets(transaction, bus, &rule, &targets)?)
        })?;
        Ok(FailedEntries::NONE)
    }

    fn remove_targets(&self, request: &Request) -> Result<FailedEntries, AwsError> {
        let RemoveTargets { rule, event_bus_name, ids, .. } = request.json()?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.authorized(request, "events:RemoveTargets", bus, &rule)?;
        self.change(|transaction| {
            if !rules::rule_exists(transaction, bus, &rule)? {
                return Err(no_such_rule(bus, &rule));
            }
            for id in &ids {
                rules::delete_target(transaction, bus, &rule, id)?;
            }
            Ok(())
        })?;
        Ok(FailedEntries::NONE)
    }

    fn list_targets_by_rule(&self, request: &Request) -> Result<TargetsPage, AwsError> {
        let ListTargetsByRule { rule, event_bus_name, next_token, limit } = request.json()?;
        let bus = rules::bus_name(event_bus_name.as_deref());
        self.authorized(request, "events:ListTargetsByRule", bus, &rule)?;
        let rules = self.rules();
        let found = rules.get(bus, &rule).ok_or_else(|| no_such_rule(bus, &rule))?;
        let (targets, next_token) = page(found.targets.iter(), |target| &target.spec.id, next_token.as_deref(), limit)?;
        let targets = targets.into_iter().map(|target| target.spec.clone()).collect();
        Ok(TargetsPage { targets, next_token })
    }

    fn describe_event_bus(&self, request: &Request) -> Result<BusDescription, AwsError> {
        let DescribeEventBus { name } = request.json()?;
        let bus = rules::bus_name(name.as_deref());
        request.authorize("events:DescribeEventBus", &rules::bus_arn(&self.account, bus))?;
        let buses = self.store.read(rules::buses)?;
        let (name, created_ms) = buses.into_iter().find(|(name, _)| name == bus).ok_or_else(|| no_such_bus(bus))?;
        Ok(self.bus_description(name, created_ms))
    }

    fn list_event_buses(&self, request: &Request) -> Result<BusesPage, AwsError> {
        let ListEventBuses { name_prefix, next_token, limit } = request.json()?;
        request.authorize("events:ListEventBuses", "*")?;
        let buses = self.store.read(rules::buses)?;
        let buses = buses.iter().filter(|(name, _)| name.starts_with(&name_prefix));
        let (buses, next_token) = page(buses, |(name, _)| name, next_token.as_deref(), limit)?;
        let event_buses =
            buses.into_iter().map(|(name, created_ms)| self.bus_description(name.clone(), *created_ms)).collect();
        Ok(BusesPage { event_buses, next_token })
    }

    fn bus_description(&self, name: String, created_ms: i64) -> BusDescription {
        let creation_time = created_ms as f64 / 1000.0;
        BusDescription {
            arn: rules::bus_arn(&self.account, &name),
            name,
            creation_time,
            last_modified_time: creation_time,
        }
    }

    /// The rule's ARN, once the caller may act on it.
    fn authorized(&self, request: &Request, action: &str, bus: &str, rule: &str) -> Result<String, AwsError> {
        let arn = rules::rule_arn(&self.account, bus, rule);
        request.authorize(action, &arn)?;
        Ok(arn)
    }
}

impl Entry {
    /// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>, "Calculating PutEvents event
    /// entry size".
    fn size(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let time = if self.time.is_some() { 14 } else { 0 };
        let resources: usize = self.resources.iter().map(String::len).sum();
        time + length(&self.source) + length(&self.detail_type) + length(&self.detail) + resources
    }
}

fn test_event_pattern(request: &Request) -> Result<TestResult, AwsError> {
    let TestEventPattern { event_pattern, event } = request.json()?;
    request.authorize("events:TestEventPattern", "*")?;
    let pattern = Pattern::parse(&event_pattern)
        .map_err(|error| AwsError::bad_request("InvalidEventPatternException", error.to_string()))?;
    let Ok(event @ Value::Object(_)) = serde_json::from_str(&event) else {
        return Err(validation("Parameter Event is not valid. Reason: it must be a JSON object."));
    };
    Ok(TestResult { result: pattern.matches(&event) })
}

/// Refuses targets that EventBridge refuses, one by one and together.
pub(crate) fn check_targets(rule: &RuleRow, targets: &[TargetSpec]) -> Result<(), AwsError> {
    if targets.len() > TARGETS_MAX {
        let message = format!("The requested resource exceeds the maximum number allowed: {TARGETS_MAX} targets.");
        return Err(AwsError::bad_request("LimitExceededException", message));
    }
    for (index, target) in targets.iter().enumerate() {
        CompiledTarget::new(target.clone())?;
        if targets[..index].iter().any(|other| other.id == target.id) {
            return Err(validation(format!("Targets of rule {} have the id {} in common.", rule.name, target.id)));
        }
    }
    Ok(())
}

pub(crate) fn existing_bus(connection: &Connection, bus: &str) -> Result<(), AwsError> {
    if rules::bus_exists(connection, bus)? { Ok(()) } else { Err(no_such_bus(bus)) }
}

fn no_such_bus(bus: &str) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", format!("Event bus {bus} does not exist."))
}

fn no_such_rule(bus: &str, rule: &str) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", format!("Rule {rule} does not exist on EventBus {bus}."))
}

/// The page after `token`, which is the name of the last one seen.
fn page<'a, T>(
    items: impl Iterator<Item = &'a T>,
    name: impl Fn(&T) -> &String,
    token: Option<&str>,
    limit: Option<usize>,
) -> Result<(Vec<&'a T>, Option<String>), AwsError> {
    let limit = limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(validation(format!(
            "Value '{limit}' at 'limit' failed to satisfy constraint: from 1 to {PAGE_MAX}"
        )));
    }
    let mut items: Vec<_> = items.filter(|item| token.is_none_or(|token| name(item).as_str() > token)).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| name(item).clone());
    Ok((items, next))
}

fn to_value(value: &impl Serialize) -> Result<Value, AwsError> {
    serde_json::to_value(value).map_err(|error| AwsError::internal(error.to_string()))
}
