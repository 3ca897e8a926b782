//! A thread that owns a part of the executions and computes their steps.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, mpsc},
};

use super::{Context, Input, Reply, Subject, Unavailable, Verdict, change::Change, live::Live};

/// Executions a shard keeps in memory between two steps, so that a busy one is not loaded anew for every step.
const KEPT_MAX: usize = 128;

/// Most inputs in one step: bounds how long the first of them waits for the last.
const STEP_INPUTS_MAX: usize = 256;

/// What a shard is told.
pub(super) enum Message {
    /// Something happens to an execution or Map Run.
    Deliver { to: Subject, input: Input, reply: Option<Reply> },
    /// The writer is done with a step.
    Done {
        subject: Subject,
        /// Whether it is on disk; if not, what is in memory is of no use.
        written: bool,
    },
    /// Something to compute.
    Compute(Box<dyn FnOnce() + Send>),
    /// The engine ends.
    Stop,
}

/// One execution or Map Run that has something to do, or lately had.
#[derive(Default)]
struct Slot {
    /// Its state after its last step; absent if it must be loaded.
    live: Option<Live>,
    /// What happened to it since.
    queue: VecDeque<(Input, Option<Reply>)>,
    /// Whether a step is with the writer.
    writing: bool,
    /// When it was last used, in steps of this shard.
    used: u64,
}

pub(super) struct Shard {
    index: usize,
    context: Arc<Context>,
    changes: mpsc::Sender<Change>,
    slots: HashMap<Subject, Slot>,
    steps: u64,
}

impl Shard {
    pub(super) fn new(index: usize, context: Arc<Context>, changes: mpsc::Sender<Change>) -> Self {
        Self { index, context, changes, slots: HashMap::new(), steps: 0 }
    }

    /// Runs until told to stop. Whoever still waits then is told that the engine is not available.
    pub(super) fn run(mut self, messages: &mpsc::Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            let mut touched = Vec::new();
            let mut next = Some(message);
            // Everything that has arrived is sorted into queues first: steps then are as large as they can be.
            while let Some(message) = next {
                match message {
                    Message::Deliver { to, input, reply } => {
                        self.slots.entry(to).or_default().queue.push_back((input, reply));
                        touched.push(to);
                    }
                    Message::Done { subject, written } => {
                        self.written(subject, written);
                        touched.push(subject);
                    }
                    Message::Compute(job) => job(),
                    Message::Stop => return,
                }
                next = messages.try_recv().ok();
            }
            for subject in touched {
                self.step(subject);
            }
            self.evict();
        }
    }

    /// The writer is done with a subject's step. What ended is forgotten; what failed to be written must be loaded anew.
    fn written(&mut self, subject: Subject, written: bool) {
        let Some(slot) = self.slots.get_mut(&subject) else { return };
        slot.writing = false;
        if !written || slot.live.as_ref().is_some_and(Live::ended) {
            slot.live = None;
            if slot.queue.is_empty() {
                self.slots.remove(&subject);
            }
        }
    }

    /// Makes one step of all that waits for a subject, unless one is being written.
    fn step(&mut self, subject: Subject) {
        let Some(slot) = self.slots.get_mut(&subject) else { return };
        if slot.writing || slot.queue.is_empty() {
            return;
        }
        self.steps += 1;
        slot.used = self.steps;
        let count = slot.queue.len().min(STEP_INPUTS_MAX);
        let inputs: Vec<_> = slot.queue.drain(..count).collect();
        let mut live = match slot.live.take() {
            Some(live) => live,
            None => match Live::load(&self.context, subject, &inputs[0].0) {
                Ok(Some(live)) => live,
                Ok(None) => {
                    self.slots.remove(&subject);
                    return refuse(inputs, Ok(Verdict::Missing));
                }
                Err(error) => {
                    tracing::error!(error = ?error, ?subject, "an execution could not be loaded");
                    self.slots.remove(&subject);
                    return refuse(inputs, Err(Unavailable));
                }
            },
        };
        match live.step(&self.context, self.index, inputs) {
            Ok(change) if change.is_empty() => {
                for (reply, verdict) in change.replies {
                    let _ = reply.send(Ok(verdict));
                }
                slot.live = Some(live);
            }
            Ok(change) => {
                slot.writing = true;
                slot.live = Some(live);
                // The writer ends after the shards.
                let _ = self.changes.send(change);
            }
            Err(error) => tracing::error!(error = ?error, ?subject, "a step could not be made"),
        }
    }

    /// Forgets the least recently used subjects with nothing under way.
    fn evict(&mut self) {
        // Sorting is worth it only once there is much to forget.
        if self.slots.len() < 2 * KEPT_MAX {
            return;
        }
        let mut idle: Vec<(u64, Subject)> = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.writing && slot.queue.is_empty())
            .map(|(subject, slot)| (slot.used, *subject))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        let excess = self.slots.len() - KEPT_MAX;
        for (_, subject) in idle.into_iter().take(excess) {
            self.slots.remove(&subject);
        }
    }
}

fn refuse(inputs: Vec<(Input, Option<Reply>)>, verdict: Result<Verdict, Unavailable>) {
    for (_, reply) in inputs {
        if let Some(reply) = reply {
            // The caller may have gone away.
            let _ = reply.send(verdict);
        }
    }
}
