//! Lambda for the local home: each function is a pool of child processes that speak the real Runtime API, so the binaries that
//! run here are those that are deployed.
//!
//! How an invocation travels: [`Lambda::call`](vodline_core::Service::call) or [`vodline_core::Functions`] → `invoke` (limits, a
//! warm process or a new one, the timeout, START/END/REPORT) → `process` (the child) ↔ `runtime_api` (what the child asks) → back.
//! What the child prints goes through `output` to `logs`, and is read back through [`Logs`], CloudWatch Logs' API.
//!
//! **Invariants**
//! - A process serves one invocation at a time, and has a listener of its own, as on AWS.
//! - A child inherits nothing from the home but `PATH`; its credentials are those of its role.
//! - An asynchronous invocation that was accepted is in the store, and leaves it only when it succeeded or was given up.

mod api;
mod environment;
mod events;
mod invoke;
mod logs;
mod logs_api;
mod output;
mod pool;
mod process;
mod report;
mod runtime_api;
mod schema;
mod service;
mod spec;

pub use environment::{RoleCredential, RoleCredentials};
pub use logs_api::Logs;
pub use service::{Config, Lambda, Limits, OpenError};
pub use spec::FunctionSpec;
