//! One sleeper for all timers: those in the store, which outlive the process, and those of Express executions.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::params;
use tokio::sync::{Notify, oneshot};
use vodline_asl::{Event, TimerId, UnixMillis};
use vodline_core::StoreError;

use crate::engine::{self, Engine, Input, Subject, Verdict};

/// The sleeper looks at the clock at least this often: the clock may be set, and a machine that slept does not count
/// the time it slept.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Most timers fired at a time.
const BATCH_MAX: usize = 500;

/// Wait before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// What is known of timers without asking the store.
#[derive(Default)]
pub(crate) struct Timers {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// No stored timer falls due before this; `None` if there is none. Unknown, and so the beginning of time, at first.
    next_stored: NextStored,
    in_memory: BinaryHeap<Reverse<InMemory>>,
    /// Tells timers of the same instant apart.
    count: u64,
}

struct NextStored(Option<UnixMillis>);

impl Default for NextStored {
    fn default() -> Self {
        Self(Some(UnixMillis(i64::MIN)))
    }
}

struct InMemory {
    at: UnixMillis,
    number: u64,
    wake: oneshot::Sender<()>,
}

impl PartialEq for InMemory {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for InMemory {}

impl PartialOrd for InMemory {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InMemory {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl Timers {
    /// A timer was stored.
    pub(crate) fn arm(&self, due: UnixMillis) {
        let mut state = self.lock();
        if state.next_stored.0.is_none_or(|next| due < next) {
            state.next_stored.0 = Some(due);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Waits until the clock shows `at`; does not outlive the process.
    pub(crate) async fn sleep_until(&self, at: UnixMillis) {
        let (wake, woken) = oneshot::channel();
        {
            let mut state = self.lock();
            state.count += 1;
            let number = state.count;
            state.in_memory.push(Reverse(InMemory { at, number, wake }));
        }
        self.changed.notify_one();
        // The sender is dropped only with the service.
        let _ = woken.await;
    }

    /// Looks at the clock at once.
    pub(crate) fn look(&self) {
        self.changed.notify_one();
    }

    /// Wakes the sleepers that fell due, and says whether stored timers did.
    fn fire_in_memory(&self, now: UnixMillis) -> bool {
        let mut state = self.lock();
        while state.in_memory.peek().is_some_and(|Reverse(timer)| timer.at <= now) {
            if let Some(Reverse(timer)) = state.in_memory.pop() {
                // Whoever slept may have been cancelled.
                let _ = timer.wake.send(());
            }
        }
        state.next_stored.0.is_some_and(|next| next <= now)
    }

    /// How long nothing falls due.
    fn rest(&self, now: UnixMillis) -> Duration {
        let state = self.lock();
        let next = [state.next_stored.0, state.in_memory.peek().map(|Reverse(timer)| timer.at)];
        let next = next.into_iter().flatten().min();
        let rest = next.map_or(LOOK_INTERVAL, |next| {
            Duration::from_millis(u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0))
        });
        rest.min(LOOK_INTERVAL)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one statement, so it is sound whatever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fires timers for ever.
pub(crate) async fn run(engine: &Engine) {
    let context = engine.context();
    loop {
        let now = engine::now(context);
        if context.timers.fire_in_memory(now) {
            match due(engine, now) {
                Ok(due) if !due.is_empty() => fire(engine, due).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = ?error, "timers cannot be read");
                    // Not the clock of the service: this is about the disk.
                    tokio::time::sleep(STORE_RETRY).await;
                    context.timers.arm(UnixMillis(i64::MIN));
                }
            }
            continue;
        }
        tokio::select! {
            () = context.timers.changed.notified() => {}
            () = tokio::time::sleep(context.timers.rest(now)) => {}
        }
    }
}

/// The stored timers that fell due, oldest first; notes when the next one will.
fn due(engine: &Engine, now: UnixMillis) -> Result<Vec<(i64, TimerId)>, StoreError> {
    let context = engine.context();
    // Timers stored from here on note themselves.
    context.timers.lock().next_stored.0 = None;
    let (due, next) = context.store.read::<_, StoreError>(|connection| {
        let mut statement = connection
            .prepare_cached("SELECT execution, timer FROM states_timers WHERE due <= ?1 ORDER BY due LIMIT ?2")?;
        let due: Vec<(i64, TimerId)> = statement
            .query_map(params![now.0, BATCH_MAX], |row| Ok((row.get(0)?, TimerId(row.get(1)?))))?
            .collect::<Result<_, _>>()?;
        let next: Option<i64> = if due.len() < BATCH_MAX {
            connection
                .prepare_cached("SELECT min(due) FROM states_timers WHERE due > ?1")?
                .query_row([now.0], |row| row.get(0))?
        } else {
            Some(now.0)
        };
        Ok((due, next))
    })?;
    if let Some(next) = next {
        context.timers.arm(UnixMillis(next));
    }
    Ok(due)
}

/// Fires timers and waits until their steps are on disk, so that none is fired twice.
async fn fire(engine: &Engine, due: Vec<(i64, TimerId)>) {
    let mut waiting = Vec::with_capacity(due.len());
    for (execution, timer) in due {
        let (reply, verdict) = oneshot::channel();
        engine.send(Subject::Execution(execution), Input::Event(Event::TimerFired { timer }), Some(reply));
        waiting.push((execution, timer, verdict));
    }
    let mut orphans = Vec::new();
    let mut failed = false;
    for (execution, timer, verdict) in waiting {
        match verdict.await {
            Ok(Ok(Verdict::Applied | Verdict::Began(_) | Verdict::Ignored | Verdict::NameTaken)) => {}
            Ok(Ok(Verdict::Missing)) => orphans.push((execution, timer)),
            Ok(Err(_)) | Err(_) => failed = true,
        }
    }
    if !orphans.is_empty()
        && let Err(error) = remove(engine, &orphans)
    {
        tracing::error!(error = ?error, "timers without an execution cannot be removed");
        failed = true;
    }
    if failed {
        tokio::time::sleep(STORE_RETRY).await;
        engine.context().timers.arm(UnixMillis(i64::MIN));
    }
}

/// Removes timers whose execution is gone or over.
fn remove(engine: &Engine, orphans: &[(i64, TimerId)]) -> Result<(), StoreError> {
    engine.context().store.write(|transaction| {
        for (execution, timer) in orphans {
            transaction
                .prepare_cached("DELETE FROM states_timers WHERE execution = ?1 AND timer = ?2")?
                .execute(params![execution, timer.0])?;
        }
        Ok(())
    })
}
