//! Redriving: what did not succeed runs again, with the same input; what did is kept.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>.

use super::Engine;
use crate::execution::{BranchId, Child, Stage};
use crate::history::{EventDetails, EventType};
use crate::machine::model::Kind;

impl Engine<'_, '_> {
    pub(super) fn redrive(&mut self) {
        if self.execution.redrivable(self.env.now).is_err() {
            return;
        }
        let execution = &mut *self.execution;
        execution.outcome = None;
        execution.ended_at = None;
        execution.redrive_count += 1;
        execution.redriven_at = Some(self.env.now);
        let previous = execution.last_event_id;
        let details = EventDetails::ExecutionRedriven { redrive_count: execution.redrive_count };
        let redriven = self.record(EventType::ExecutionRedriven, details, previous);
        self.arm_execution_timeout();
        self.resume_branch(BranchId::ROOT, redriven);
    }

    /// Runs a branch on from where it stopped. Its next event follows `after`.
    fn resume_branch(&mut self, id: BranchId, after: u64) {
        let Some(branch) = self.execution.branches.get_mut(&id) else { return };
        branch.last_event = after;
        // The state starts over with all its retries.
        branch.retries.clear();
        let kind = &self.machine.state(branch.state).kind;
        match &mut branch.stage {
            Stage::Fork(fork) => {
                let mut unsuccessful = Vec::new();
                for slot in &mut fork.children {
                    if let Child::Unsuccessful(child) = *slot {
                        *slot = Child::Running(child);
                        fork.running += 1;
                        unsuccessful.push(child);
                    }
                }
                if unsuccessful.is_empty() && fork.pending.is_empty() {
                    // Every child succeeded, and yet the state failed, as when their outputs together exceed the
                    // payload quota: all of it runs again.
                    branch.stage = Stage::Attempt;
                    self.ready.push_back(id);
                    return;
                }
                for child in unsuccessful {
                    self.resume_branch(child, after);
                }
                self.begin_iterations(id, Some(after));
            }
            Stage::StoppedMapRun(arn) => {
                let arn = std::mem::take(arn);
                self.redrive_map_run(id, arn);
            }
            Stage::Stopped => {
                // A Fail state is entered anew; any other takes up its work where it was entered before.
                branch.stage = if matches!(kind, Kind::Fail { .. }) { Stage::Enter } else { Stage::Attempt };
                self.ready.push_back(id);
            }
            Stage::Enter | Stage::Attempt => self.ready.push_back(id),
            Stage::Waiting(_) | Stage::Task(_) | Stage::MapRun(_) | Stage::Backoff(_) => {}
        }
    }
}
