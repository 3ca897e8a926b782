//! EventBridge, and the part of SQS that dead letters need.
//!
//! An event is matched against the rules when it is sent, and the deliveries that follow are rows written in the sender's own
//! transaction. A worker hands each to its target at least once, however often the home stops in between.

mod api;
mod delivery;
mod pattern;
mod queues;
mod rules;
mod transform;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use vodline_core::{
    Account, Authorizer, AwsError, Clock, Entropy, Event, EventBus, Executions, Functions, Store, StoreError,
    rusqlite::Transaction,
};

pub use delivery::{DeliveryPolicy, FailedDelivery, PromptDelivery};
pub use pattern::{Pattern, PatternError};
pub use queues::{MessageAttribute, QueueSettings, QueueSpec, Queues, QueuesConfig};
pub use rules::{DEFAULT_BUS, DeadLetterConfig, RetryPolicy, RuleSpec, RuleState, TargetSpec};
pub use transform::InputTransformer;

use delivery::NewDelivery;
use rules::{RuleRow, Rules, TargetKind};
use transform::{Context, Payload};

/// What [`Events`] needs.
#[derive(Clone)]
pub struct Config {
    /// The home's data directory.
    pub directory: PathBuf,
    /// Whose buses these are.
    pub account: Account,
    /// Time of day.
    pub clock: Arc<dyn Clock>,
    /// Event ids and jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Queues that are targets or take dead letters; in the same data directory.
    pub queues: Arc<Queues>,
    /// How often and how late targets get events; [`PromptDelivery`] but for tests.
    pub policy: Arc<dyn DeliveryPolicy>,
}

/// The services that targets live in.
#[derive(Clone)]
pub struct Peers {
    /// Lambda.
    pub functions: Arc<dyn Functions>,
    /// Step Functions.
    pub executions: Arc<dyn Executions>,
    /// Decides whether a target's role may start an execution.
    pub authorizer: Arc<dyn Authorizer>,
}

/// EventBridge.
pub struct Events {
    store: Store,
    account: Account,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    queues: Arc<Queues>,
    policy: Arc<dyn DeliveryPolicy>,
    peers: OnceLock<Peers>,
    rules: RwLock<Arc<Rules>>,
    /// Held while rules change in the store and then in memory, so that the last change in one is the last in the other.
    changing: Mutex<()>,
    arrived: Notify,
}

impl Events {
    /// Opens EventBridge in the data directory, with the default bus.
    ///
    /// # Errors
    /// When the store cannot be opened or holds a rule that cannot be read.
    pub fn open(config: Config) -> Result<Arc<Self>, StoreError> {
        let Config { directory, account, clock, entropy, queues, policy } = config;
        let store = Store::open(&directory, rules::TABLES)?;
        let now_ms = clock.now().as_millisecond();
        store.write(|transaction| rules::insert_bus(transaction, DEFAULT_BUS, now_ms))?;
        let rules = store.read(|connection| Rules::load(connection, &account))?;
        Ok(Arc::new(Self {
            store,
            account,
            clock,
            entropy,
            queues,
            policy,
            peers: OnceLock::new(),
            rules: RwLock::new(Arc::new(rules)),
            changing: Mutex::new(()),
            arrived: Notify::new(),
        }))
    }

    /// Gives EventBridge the services that its targets live in. Only the first call counts.
    pub fn connect(&self, peers: Peers) {
        if self.peers.set(peers).is_err() {
            tracing::warn!("EventBridge is connected already");
        }
        self.arrived.notify_one();
    }

    /// Creates a bus; an existing one stays as it is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn define_bus(&self, name: &str) -> Result<(), AwsError> {
        Ok(self.store.write::<_, StoreError>(|transaction| rules::insert_bus(transaction, name, self.now_ms()))?)
    }

    /// Creates the rule with these targets, or makes the existing one so.
    ///
    /// # Errors
    /// What PutRule and PutTargets refuse, in their words; `ResourceNotFoundException` when there is no such bus.
    pub fn define_rule(&self, spec: &RuleSpec) -> Result<(), AwsError> {
        let row = RuleRow {
            bus: rules::bus_name(Some(&spec.bus)).to_owned(),
            name: spec.name.clone(),
            pattern: spec.pattern.clone(),
            state: spec.state,
            description: spec.description.clone(),
            role_arn: None,
        };
        rules::check(&row)?;
        api::check_targets(&row, &spec.targets)?;
        self.change(|transaction| {
            api::existing_bus(transaction, &row.bus)?;
            rules::put_rule(transaction, &row, true)?;
            rules::replace_targets(transaction, &row.bus, &row.name, &spec.targets)?;
            Ok(())
        })
    }

    /// Deletes the rules that an earlier template described and this one, by bus and name, does not. Rules made through the API
    /// stay.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget_rules_except(&self, defined: &[(&str, &str)]) -> Result<(), AwsError> {
        let defined: Vec<_> = defined.iter().map(|(bus, name)| (rules::bus_name(Some(bus)), *name)).collect();
        self.change(|transaction| Ok(rules::delete_undefined(transaction, &defined)?))
    }

    /// The deliveries that were given up and have no dead-letter queue, newest first; the newest thousand are kept.
    ///
    /// # Errors
    /// When the store fails.
    pub fn failed_deliveries(&self) -> Result<Vec<FailedDelivery>, StoreError> {
        self.store.read(delivery::failed)
    }

    /// Changes rules in the store and then in memory.
    fn change<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, AwsError>) -> Result<T, AwsError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let value = self.store.write(work)?;
        let rules = self.store.read::<_, StoreError>(|connection| Rules::load(connection, &self.account))?;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(value)
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes a delivery for every target of every rule of the bus that takes the event.
    fn enqueue_on(&self, transaction: &Transaction<'_>, bus: &str, event: &Event) -> Result<(), StoreError> {
        let corrupt = |error: serde_json::Error| StoreError::Corrupt(format!("event {}: {error}", event.id));
        // AWS's envelopes tell time to the second.
        let event = Event { time: to_second(event.time), ..event.clone() };
        let envelope = serde_json::to_value(&event).map_err(corrupt)?;
        let envelope_text = envelope.to_string();
        let now_ms = self.now_ms();
        let ingestion_time = to_second(self.clock.now()).to_string();
        let rules = self.rules();
        for rule in rules.matching(bus, &envelope) {
            let context = Context { rule_arn: &rule.arn, rule_name: &rule.row.name, ingestion_time: &ingestion_time };
            for target in &rule.targets {
                let payload = match (target.input.apply(&envelope, context), target.kind) {
                    (Payload::Json(text), _) | (Payload::Text(text), TargetKind::Queue) => text,
                    (Payload::Text(text), TargetKind::Function | TargetKind::StateMachine) => {
                        Value::String(text).to_string()
                    }
                };
                let retry = target.retry_policy();
                for delay in self.policy.delays(&event, &target.spec.arn) {
                    let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                    delivery::insert(
                        transaction,
                        &NewDelivery {
                            event_id: &event.id,
                            rule_arn: &rule.arn,
                            target_arn: &target.spec.arn,
                            role_arn: target.spec.role_arn.as_deref(),
                            dead_letter_arn: target.dead_letter_arn(),
                            payload: &payload,
                            event: &envelope_text,
                            retries_max: retry.maximum_retry_attempts,
                            expires_ms: now_ms + i64::from(retry.maximum_event_age_in_seconds) * 1000,
                            due_ms: now_ms.saturating_add(delay_ms),
                        },
                    )?;
                }
            }
        }
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

impl EventBus for Events {
    fn enqueue(&self, transaction: &Transaction<'_>, event: &Event) -> Result<(), StoreError> {
        self.enqueue_on(transaction, DEFAULT_BUS, event)
    }

    fn wake(&self) {
        self.arrived.notify_one();
    }
}

fn to_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_millisecond().div_euclid(1000)).unwrap_or(time)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
