//! Asynchronous invocations: accepted into the store, delivered from it, tried again, given up.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex as Lock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use vodline_core::{AwsError, StoreError};

use crate::{invoke::Call, service::Core};

/// The largest payload of an asynchronous invocation, in bytes (1 MB since October 2025).
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub(crate) const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Events looked at in one round.
const ROUND: usize = 100;

/// The shortest and the longest wait after a throttled attempt. Same source as above.
const THROTTLED_WAIT: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(1), SignedDuration::from_secs(300));

/// The longest sleep; a clock that is set forward is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What delivery knows beyond the store.
pub(crate) struct Queue {
    /// Something was accepted or has ended.
    pub(crate) wake: Notify,
    /// Events whose invocation is under way.
    pub(crate) taken: Lock<HashSet<String>>,
}

struct Event {
    request_id: String,
    function: String,
    payload: Vec<u8>,
    accepted: Timestamp,
    failures: usize,
}

impl Core {
    /// Accepts an asynchronous invocation: it is on disk when this returns its request id.
    pub(crate) async fn accept(self: &Arc<Self>, address: String, payload: Bytes) -> Result<String, AwsError> {
        let request_id = self.entropy.uuid();
        let (core, id) = (self.clone(), request_id.clone());
        let accepted = tokio::task::spawn_blocking(move || {
            let now = core.clock.now().as_millisecond();
            core.store.write::<_, StoreError>(|transaction| {
                transaction.execute(
                    "INSERT INTO lambda_events VALUES (?1, ?2, ?3, ?4, ?4, 0)",
                    (&id, &address, &payload[..], now),
                )?;
                Ok(())
            })
        });
        accepted.await.map_err(|error| AwsError::internal(error.to_string()))??;
        self.queue.wake.notify_one();
        Ok(request_id)
    }

    /// Delivers what is due, for ever.
    pub(crate) async fn deliver(self: Arc<Self>) {
        loop {
            let core = self.clone();
            let sleep = match tokio::task::spawn_blocking(move || core.due()).await {
                Ok(Ok((events, next))) => {
                    for event in events {
                        let core = self.clone();
                        tokio::spawn(async move { core.attempt(event).await });
                    }
                    let until = next.map_or(SignedDuration::MAX, |next| next.duration_since(self.clock.now()));
                    Duration::try_from(until).unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
                }
                Ok(Err(error)) => {
                    tracing::error!(error = ?error, "asynchronous invocations cannot be read");
                    LONGEST_SLEEP
                }
                Err(error) => {
                    tracing::error!(%error, "looking for asynchronous invocations panicked");
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = self.queue.wake.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Takes the events that are due; also tells when the next one will be.
    fn due(&self) -> Result<(Vec<Event>, Option<Timestamp>), StoreError> {
        let now = self.clock.now();
        let mut taken = self.queue.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = self.store.read::<_, StoreError>(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT request_id, function, payload, accepted_ms, failures, due_ms FROM lambda_events ORDER BY due_ms LIMIT ?1",
            )?;
            // Those under way come first in the order; look behind them.
            let rows = statement.query_map([ROUND + taken.len()], |row| {
                let event = (row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?);
                Ok((event, row.get::<_, i64>(3)?, row.get::<_, usize>(4)?, row.get::<_, i64>(5)?))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let time = |ms| Timestamp::from_millisecond(ms).map_err(|error| StoreError::Corrupt(error.to_string()));
        let mut due = Vec::new();
        for ((request_id, function, payload), accepted_ms, failures, due_ms) in rows {
            if taken.contains(&request_id) {
                continue;
            }
            if time(due_ms)? > now {
                return Ok((due, Some(time(due_ms)?)));
            }
            taken.insert(request_id.clone());
            due.push(Event { request_id, function, payload, accepted: time(accepted_ms)?, failures });
        }
        Ok((due, None))
    }

    async fn attempt(self: Arc<Self>, event: Event) {
        let next = self.try_once(&event).await;
        let (core, id) = (self.clone(), event.request_id.clone());
        let written = tokio::task::spawn_blocking(move || {
            core.store.write::<_, StoreError>(|transaction| {
                match next {
                    None => transaction.execute("DELETE FROM lambda_events WHERE request_id = ?1", [&id])?,
                    Some((due, failures)) => transaction.execute(
                        "UPDATE lambda_events SET due_ms = ?2, failures = ?3 WHERE request_id = ?1",
                        (&id, due.as_millisecond(), failures),
                    )?,
                };
                Ok(())
            })
        });
        if let Ok(Err(error)) = written.await {
            // The event stays and is tried again: at least once is what is promised.
            tracing::error!(error = ?error, "the end of an asynchronous invocation could not be stored");
        }
        self.queue.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&event.request_id);
        self.queue.wake.notify_one();
    }

    /// Invokes once. Returns when to try again, with the number of failures so far; `None` when it is over.
    async fn try_once(self: &Arc<Self>, event: &Event) -> Option<(Timestamp, usize)> {
        let given_up = |reason: &str| {
            tracing::warn!(
                function = event.function,
                request_id = event.request_id,
                reason,
                "an asynchronous invocation is given up"
            );
            None
        };
        let outcome = match self.find(&event.function, None) {
            Err(error) => return given_up(&error.message),
            Ok((function, _)) => {
                let call = Call {
                    // One event keeps its id over all attempts.
                    request_id: event.request_id.clone(),
                    function_arn: event.function.clone(),
                    payload: event.payload.clone().into(),
                    client_context: None,
                };
                self.invoke(function, call).await
            }
        };
        let now = self.clock.now();
        let age = now.duration_since(event.accepted);
        let (wait, failures) = match outcome {
            Ok(outcome) if outcome.invocation.function_error.is_none() => return None,
            Ok(_) => match self.limits.event_retries.get(event.failures) {
                None => return given_up("the function failed it"),
                Some(wait) => (SignedDuration::try_from(*wait).unwrap_or(SignedDuration::MAX), event.failures + 1),
            },
            // Half the age makes the waits grow as they add up.
            Err(_) => ((age / 2).clamp(THROTTLED_WAIT.0, THROTTLED_WAIT.1), event.failures),
        };
        if age + wait > self.limits.event_age {
            return given_up("it is too old");
        }
        now.checked_add(wait).ok().map(|due| (due, failures))
    }
}
