//! The one thread that writes.

use std::sync::{Arc, mpsc};

use tokio::sync::mpsc::UnboundedSender;
use vodline_core::StoreError;

use super::{Context, Unavailable, Work, change::Change, shard};

/// Most changes in one commit: bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 512;

pub(super) struct Writer {
    context: Arc<Context>,
    shards: Vec<mpsc::Sender<shard::Message>>,
    work: UnboundedSender<Work>,
}

impl Writer {
    pub(super) fn new(
        context: Arc<Context>,
        shards: Vec<mpsc::Sender<shard::Message>>,
        work: UnboundedSender<Work>,
    ) -> Self {
        Self { context, shards, work }
    }

    /// Runs until every shard has ended.
    pub(super) fn run(self, changes: &mpsc::Receiver<Change>) {
        while let Ok(first) = changes.recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX {
                match changes.try_recv() {
                    Ok(change) => group.push(change),
                    Err(_) => break,
                }
            }
            self.commit(group);
        }
    }

    /// Writes a group in one commit. If that fails they are written one by one, so that one bad change harms no other.
    fn commit(&self, mut group: Vec<Change>) {
        // A failed attempt may have queued work; a second one starts from what the change itself asks for.
        let asked: Vec<usize> = group.iter().map(|change| change.then.len()).collect();
        match self.write(&mut group) {
            Ok(()) => {
                let mut told = false;
                for change in group {
                    told |= !change.events.is_empty();
                    self.finish(change);
                }
                if told {
                    self.context.bus.wake();
                }
            }
            Err(error) if group.len() == 1 => {
                tracing::error!(error = ?error, "a step could not be written");
                for change in group {
                    self.fail(change);
                }
            }
            Err(_) => {
                for (mut change, asked) in group.into_iter().zip(asked) {
                    change.then.truncate(asked);
                    self.commit(vec![change]);
                }
            }
        }
    }

    fn write(&self, group: &mut [Change]) -> Result<(), StoreError> {
        self.context
            .store
            .write(|transaction| group.iter_mut().try_for_each(|change| change.write(transaction, &*self.context.bus)))
    }

    fn finish(&self, change: Change) {
        for due in change.timers.values().flatten() {
            self.context.timers.arm(*due);
        }
        self.done(change.shard, change.id, change.map_run.is_some(), !change.rejected);
        for work in change.then {
            // Nobody listens once the service is shut down; a restart finds the work in the store.
            let _ = self.work.send(work);
        }
        for (reply, verdict) in change.replies {
            // The caller may have gone away.
            let _ = reply.send(Ok(verdict));
        }
    }

    fn fail(&self, change: Change) {
        self.done(change.shard, change.id, change.map_run.is_some(), false);
        for (reply, _) in change.replies {
            let _ = reply.send(Err(Unavailable));
        }
    }

    fn done(&self, shard: usize, id: i64, map_run: bool, written: bool) {
        let subject = if map_run { super::Subject::MapRun(id) } else { super::Subject::Execution(id) };
        let _ = self.shards[shard].send(shard::Message::Done { subject, written });
    }
}
