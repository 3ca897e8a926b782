//! The worker: makes the deliveries that are due, many at a time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::task::{Id, JoinSet};
use vodline_core::{StoreError, rusqlite::Transaction};

use super::{
    Delivery,
    attempt::{Failure, Next, Outcome},
    rows,
};
use crate::{Events, queues::MessageAttribute, rules::TargetKind};

/// Deliveries under way at once. A function holds its place for as long as it runs.
const IN_FLIGHT_MAX: usize = 64;
/// The longest the worker sleeps: a clock that was set, or a machine that slept, is noticed by then.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// The shortest, so that a clock that stands still (in tests) is not polled without pause.
const SLEEP_MIN: Duration = Duration::from_millis(20);
/// After the store failed.
const SLEEP_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The deliveries under way, by the tasks that make them.
type InFlight = HashMap<Id, Arc<Delivery>>;

impl Events {
    /// Delivers until the task is dropped. What is under way then is done again by the next `run`.
    pub async fn run(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        let mut in_flight = InFlight::new();
        loop {
            let pause = match self.begin(&mut tasks, &mut in_flight) {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(error = ?error, "the deliveries that are due could not be read");
                    SLEEP_AFTER_FAILURE
                }
            };
            tokio::select! {
                Some(finished) = tasks.join_next_with_id(), if !tasks.is_empty() => match finished {
                    Ok((id, ())) => { in_flight.remove(&id); }
                    Err(error) => {
                        tracing::error!(error = ?error, "a delivery ended abnormally");
                        if let Some(delivery) = in_flight.remove(&error.id()) {
                            self.settle(&delivery, Outcome::Unavailable(Failure::abnormal()));
                        }
                    }
                },
                () = self.arrived.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Begins what is due and not under way; says how long to sleep when nothing else happens.
    fn begin(self: &Arc<Self>, tasks: &mut JoinSet<()>, in_flight: &mut InFlight) -> Result<Duration, StoreError> {
        let now_ms = self.now_ms();
        if in_flight.len() < IN_FLIGHT_MAX {
            for delivery in self.store.read(|connection| rows::due(connection, now_ms, IN_FLIGHT_MAX))? {
                if in_flight.len() == IN_FLIGHT_MAX {
                    break;
                }
                if in_flight.values().any(|other| other.seq == delivery.seq) {
                    continue;
                }
                let (events, delivery) = (Arc::clone(self), Arc::new(delivery));
                let task = tasks.spawn({
                    let delivery = Arc::clone(&delivery);
                    async move { events.deliver(&delivery).await }
                });
                in_flight.insert(task.id(), delivery);
            }
        }
        let next_ms = self.store.read(|connection| rows::next_due_ms(connection, now_ms))?;
        let pause = next_ms
            .map_or(SLEEP_MAX, |next_ms| Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or_default()));
        Ok(pause.clamp(SLEEP_MIN, SLEEP_MAX))
    }

    pub(super) async fn deliver(&self, delivery: &Delivery) {
        let outcome = if TargetKind::of(&delivery.target_arn) == Some(TargetKind::Queue) {
            match self.deliver_to_queue(delivery) {
                Ok(outcome) => outcome,
                Err(error) => return log_unstored(delivery, &error),
            }
        } else {
            self.attempt(delivery).await
        };
        self.settle(delivery, outcome);
    }

    /// From one table to the other in one transaction: a queue gets an event once.
    fn deliver_to_queue(&self, delivery: &Delivery) -> Result<Outcome, StoreError> {
        let taken = self.store.write::<_, StoreError>(|transaction| {
            let taken = self.queues.put(transaction, &delivery.target_arn, &delivery.payload, BTreeMap::new())?;
            if taken {
                rows::delete(transaction, delivery.seq)?;
            }
            Ok(taken)
        })?;
        self.queues.wake();
        Ok(if taken { Outcome::Delivered } else { Outcome::Refused(Failure::no_such_queue()) })
    }

    /// Stores what an attempt came to.
    fn settle(&self, delivery: &Delivery, outcome: Outcome) {
        let mut delivery = delivery.clone();
        let next = self.next(&mut delivery, outcome);
        let gave_up = matches!(next, Next::GiveUp { .. });
        match self.store.write(|transaction| self.apply(transaction, &delivery, next)) {
            Ok(()) if gave_up => self.queues.wake(),
            Ok(()) => {}
            Err(error) => log_unstored(&delivery, &error),
        }
    }

    fn apply(&self, transaction: &Transaction<'_>, delivery: &Delivery, next: Next) -> Result<(), StoreError> {
        match next {
            Next::Done => rows::delete(transaction, delivery.seq),
            Next::Later(after) => {
                let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
                rows::postpone(transaction, delivery, self.now_ms().saturating_add(after_ms))
            }
            Next::GiveUp { failure, exhausted } => {
                tracing::warn!(
                    event_id = delivery.event_id,
                    rule = delivery.rule_arn,
                    target = delivery.target_arn,
                    code = failure.code,
                    message = failure.message,
                    "a delivery was given up"
                );
                if self.dead_letter(transaction, delivery, &failure, exhausted)? {
                    rows::delete(transaction, delivery.seq)
                } else {
                    rows::fail(transaction, delivery, self.now_ms(), &failure.code, &failure.message)
                }
            }
        }
    }

    /// `false` when the target has no dead-letter queue, or one that does not exist.
    /// Source of the attributes: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>.
    fn dead_letter(
        &self,
        transaction: &Transaction<'_>,
        delivery: &Delivery,
        failure: &Failure,
        exhausted: Option<&str>,
    ) -> Result<bool, StoreError> {
        let Some(queue) = &delivery.dead_letter_arn else { return Ok(false) };
        let retries = (delivery.attempts + delivery.function_errors).saturating_sub(1);
        let mut attributes = [
            ("ERROR_CODE", MessageAttribute::text(&failure.code)),
            ("ERROR_MESSAGE", MessageAttribute::text(&failure.message)),
            ("RETRY_ATTEMPTS", MessageAttribute::number(retries)),
            ("RULE_ARN", MessageAttribute::text(&delivery.rule_arn)),
            ("TARGET_ARN", MessageAttribute::text(&delivery.target_arn)),
        ]
        .map(|(name, attribute)| (name.to_owned(), attribute))
        .into_iter()
        .collect::<BTreeMap<_, _>>();
        if let Some(exhausted) = exhausted {
            attributes.insert("EXHAUSTED_RETRY_CONDITION".into(), MessageAttribute::text(exhausted));
        }
        self.queues.put(transaction, queue, &delivery.event, attributes)
    }
}

/// The row stands as it was, so the delivery is made again: at least once.
fn log_unstored(delivery: &Delivery, error: &StoreError) {
    tracing::error!(error = ?error, event_id = delivery.event_id, "the outcome of a delivery could not be stored");
}
