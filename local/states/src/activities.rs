//! Activities: work that waits until a worker asks for it.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-activities.html>.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{OptionalExtension, params};
use tokio::sync::Notify;
use vodline_asl::TaskId;
use vodline_core::{AwsError, StoreError};

use crate::{
    States,
    engine::{Input, Subject, Verdict},
};

/// How long GetActivityTask waits for work.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html>.
const POLL: Duration = Duration::from_secs(60);

/// Who waits for which activity, and which tasks are being handed out.
#[derive(Default)]
pub(crate) struct Offers(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<String, Arc<Notify>>,
    handed_out: HashSet<(i64, TaskId)>,
}

impl Offers {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one statement, so it is sound whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task in a worker's hands.
pub(crate) struct Handed {
    pub(crate) token: String,
    pub(crate) input: String,
}

impl States {
    /// Wakes a worker that waits for an activity.
    pub(crate) fn offer(&self, activity: &str) {
        if let Some(waiting) = self.offers.lock().waiting.get(activity) {
            waiting.notify_one();
        }
    }

    /// The oldest task of an activity; waits for one for a minute.
    pub(crate) async fn take_activity(&self, activity: &str, worker: Option<&str>) -> Result<Option<Handed>, AwsError> {
        let deadline = tokio::time::Instant::now() + POLL;
        let notify = Arc::clone(self.offers.lock().waiting.entry(activity.to_owned()).or_default());
        loop {
            let offered = notify.notified();
            if let Some(handed) = self.try_take(activity, worker).await? {
                // There may be more, and one wake for all of them.
                notify.notify_one();
                return Ok(Some(handed));
            }
            if tokio::time::timeout_at(deadline, offered).await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn try_take(&self, activity: &str, worker: Option<&str>) -> Result<Option<Handed>, AwsError> {
        while let Some((execution, task, handed)) = self.reserve(activity)? {
            let worker = worker.map(str::to_owned);
            let taken = self.engine.deliver(Subject::Execution(execution), Input::TakeActivity { task, worker }).await;
            self.offers.lock().handed_out.remove(&(execution, task));
            if taken? == Verdict::Applied {
                return Ok(Some(handed));
            }
            // The task ended a moment before; its row went with it, or goes now.
            self.forget(execution, task)?;
        }
        Ok(None)
    }

    /// The oldest task that no other worker is being given.
    fn reserve(&self, activity: &str) -> Result<Option<(i64, TaskId, Handed)>, StoreError> {
        let mut state = self.offers.lock();
        let found = self.engine.context().store.read::<_, StoreError>(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT execution, task, token, input FROM states_activity_tasks WHERE activity = ?1
                 ORDER BY execution, task LIMIT ?2",
            )?;
            let limit = state.handed_out.len() + 1;
            let mut rows = statement.query(params![activity, limit])?;
            while let Some(row) = rows.next()? {
                let (execution, task) = (row.get(0)?, TaskId(row.get(1)?));
                if !state.handed_out.contains(&(execution, task)) {
                    return Ok(Some((execution, task, Handed { token: row.get(2)?, input: row.get(3)? })));
                }
            }
            Ok(None)
        })?;
        if let Some((execution, task, _)) = &found {
            state.handed_out.insert((*execution, *task));
        }
        Ok(found)
    }

    fn forget(&self, execution: i64, task: TaskId) -> Result<(), StoreError> {
        self.engine.context().store.write(|transaction| {
            transaction.execute(
                "DELETE FROM states_activity_tasks WHERE execution = ?1 AND task = ?2",
                params![execution, task.0],
            )?;
            Ok(())
        })
    }

    /// Whether an activity exists.
    pub(crate) fn activity_exists(&self, arn: &str) -> Result<bool, StoreError> {
        self.engine.context().store.read(|connection| {
            Ok(connection
                .query_row("SELECT 1 FROM states_activities WHERE arn = ?1", [arn], |_| Ok(()))
                .optional()?
                .is_some())
        })
    }
}
