//! The Amazon States Language as a pure function.
//!
//! A definition is parsed once into a [`StateMachine`]; the whole durable state of one run of it is an
//! [`Execution`]; [`transition`] moves an execution on by one [`Event`] and answers with [`Effects`]: the history
//! events AWS would have recorded and the [`Command`]s the caller must carry out (run a task, arm a timer, finish).
//!
//! The crate does no I/O, reads no clock, and draws no randomness. What it needs of those comes in through [`Env`].
//! A caller that stores the execution and its history in one transaction, and only then carries out the commands, has
//! a durable workflow engine; after a crash [`Execution::pending`] tells it what to carry out again.
//!
//! ```
//! use vodline_asl::{Env, Event, Execution, ExecutionInfo, Payload, SeededRandom, StateMachine, UnixMillis, transition};
//!
//! let machine = StateMachine::parse(r#"{"StartAt": "Hi", "States": {"Hi": {"Type": "Pass", "Result": "hello", "End": true}}}"#).unwrap();
//! let mut execution = Execution::new(ExecutionInfo::example("run-1"), Payload::parse("{}").unwrap());
//! let mut random = SeededRandom::new(7);
//! let effects = transition(&machine, &mut execution, Event::Start, &mut Env { now: UnixMillis(0), random: &mut random });
//! assert_eq!(effects.history.len(), 4);
//! assert_eq!(execution.output().unwrap().text(), "\"hello\"");
//! ```
//!
//! Where to look: [`machine`] is the parsed definition, [`validate()`] AWS's diagnostics about one, [`history`] the
//! recorded events, [`map_run`] the children of a Distributed Map, [`mod@test_state`] one state on its own.

mod choice;
pub mod command;
mod dataflow;
pub mod diagnostic;
mod engine;
pub mod env;
pub mod error;
pub mod event;
pub mod execution;
mod facts;
mod failure;
mod hash;
pub mod history;
mod intrinsic;
mod json;
mod jsonata;
mod jsonpath;
pub mod limits;
pub mod machine;
pub mod map_run;
pub mod payload;
pub mod resource;
mod template;
pub mod test_state;
mod timestamp;

pub use command::{Command, ScheduleTask, TaskProgress};
pub use diagnostic::{Diagnostic, DiagnosticCode, Severity};
pub use engine::{Effects, transition};
pub use env::{Env, RandomSource, SeededRandom, UnixMillis};
pub use error::{ErrorName, StateError};
pub use event::{Event, FailurePhase, MapRunOutcome, TaskId, TimerId};
pub use execution::{Execution, ExecutionInfo, ExecutionKind, ExecutionStatus, Outcome};
pub use history::HistoryEvent;
pub use machine::{StateMachine, validate};
pub use map_run::MapRun;
pub use payload::{InvalidPayload, Payload};
pub use resource::{IntegrationPattern, Resource, ServiceResource};

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
