//! Whose turn it is: queues, their bounds, and jobs that hop from one to another while they wait.

use std::time::Duration;

use vodline_core::{Account, StoreError, rusqlite::Connection};

use crate::{
    definition::{self, DEFAULT_QUEUE, Definition, Queue, QueueStatus},
    event::Happening,
    record::{JobRecord, QUEUE_HOP_WARNING, QueueTransition, Status},
    service::MediaConvert,
    store,
};

/// The job that may begin now. Within a queue the highest priority goes first, then the one submitted first; queues do not know
/// each other's priorities, so among them the job submitted first.
pub(crate) fn next(connection: &Connection, account: &Account) -> Result<Option<JobRecord>, StoreError> {
    let default = Queue::arn(account, DEFAULT_QUEUE);
    let mut heads: Vec<_> = store::next_submitted(connection, &default)?.into_iter().collect();
    for queue in definition::all::<Queue>(connection)? {
        let arn = Queue::arn(account, &queue.header.name);
        let running = store::count(connection, &arn, Status::Progressing)?;
        let full = queue.concurrent_jobs.is_some_and(|most| running >= most);
        if queue.status == QueueStatus::Active && !full {
            heads.extend(store::next_submitted(connection, &arn)?);
        }
    }
    Ok(heads.into_iter().min_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id))))
}

/// Whether there is a queue with this ARN.
pub(crate) fn exists(connection: &Connection, account: &Account, arn: &str) -> Result<bool, StoreError> {
    if arn == Queue::arn(account, DEFAULT_QUEUE) {
        return Ok(true);
    }
    match arn.strip_prefix(&Queue::arn(account, "")) {
        Some(name) => Ok(definition::get::<Queue>(connection, name)?.is_some()),
        None => Ok(false),
    }
}

impl MediaConvert {
    /// Lets every job hop that has waited long enough, and says how long until the next one has.
    pub(crate) fn hop(&self) -> Result<Option<Duration>, StoreError> {
        let mut soonest: Option<i64> = None;
        for waiting in self.store.read(store::waiting_to_hop)? {
            let mut record = waiting;
            // After a hop the next destination's wait begins, so one look at each job suffices.
            if record.next_hop_ms().is_some_and(|at| at <= self.clock.now().as_millisecond())
                && let Some(hopped) = self.hop_one(&record)?
            {
                record = hopped;
            }
            soonest = soonest.into_iter().chain(record.next_hop_ms()).min();
        }
        let now = self.clock.now().as_millisecond();
        Ok(soonest.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0))))
    }

    /// Moves one job, or warns once when its destination is gone.
    fn hop_one(&self, waiting: &JobRecord) -> Result<Option<JobRecord>, StoreError> {
        let Some(hop) = waiting.hop_destinations.first() else { return Ok(None) };
        if !self.store.read(|connection| exists(connection, &self.account, &hop.queue))? {
            let message = format!("the job could not hop: there is no queue {}", hop.queue);
            return self.change(
                &waiting.id,
                Some(&Happening::NewWarning { code: QUEUE_HOP_WARNING, message: &message }),
                |record| {
                    if record.status != Status::Submitted {
                        return false;
                    }
                    record.hop_destinations.remove(0);
                    record.warn(QUEUE_HOP_WARNING);
                    true
                },
            );
        }
        let now = self.clock.now().as_millisecond();
        let from = Happening::QueueHop { queue: &waiting.queue, priority: waiting.priority };
        self.change(&waiting.id, Some(&from), |record| {
            if record.status != Status::Submitted {
                return false;
            }
            let hop = record.hop_destinations.remove(0);
            let source = std::mem::replace(&mut record.queue, hop.queue.clone());
            record.queue_transitions.push(QueueTransition { source, destination: hop.queue, at_ms: now });
            record.priority = hop.priority.unwrap_or(record.priority);
            true
        })
    }
}
