//! Step Functions: the States Language engine of `vodline-asl` made durable, and the AWS API over it.
//!
//! [`States`] is the service. Every step of an execution is one transition of the pure engine, written together with its
//! history, its timers, its open tasks and the event that tells of its status; only then do its commands go out
//! (`engine`). `dispatch` carries commands out, `tasks` holds what Task states can run, `timers` is the one sleeper,
//! `express` runs what need not be durable, `map_runs` the children of Distributed Maps, and `api` speaks AWS's protocol.

mod activities;
mod api;
mod config;
mod csv;
mod definitions;
mod dispatch;
mod engine;
mod error;
mod executions;
mod express;
mod items;
mod machines;
mod map_run_rows;
mod map_runs;
mod names;
mod redrive;
mod retention;
mod revisions;
mod schema;
mod service;
mod starter;
mod status_event;
mod tasks;
mod time;
mod timers;

pub use config::{Config, MachineSpec, ServiceCaller};
pub use error::Error;
pub use service::States;
