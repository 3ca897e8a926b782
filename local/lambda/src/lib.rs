//! Lambda for the local home: the real Runtime API, and a pool of warm function processes.
//!
//! A function is a program that speaks the [Lambda Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
//! Each of its processes (a *sandbox*) gets a listener of its own, takes one invocation at a time, and is kept for the next
//! one. What it prints becomes its log, with AWS's START, END and REPORT lines.
//!
//! How an invocation travels: [`Lambda::invoke`](vodline_core::Functions::invoke) → `pool` (a warm sandbox or a new one) →
//! `sandbox` (the process, its timeout) ⇄ `runtime_api` (the listener) → the answer; `logs` keeps the lines.

mod api;
mod asynchronous;
mod config;
mod logs;
mod pool;
mod runtime_api;
mod sandbox;
mod service;

pub use config::{Config, FunctionSpec, RoleCredentials, RoleKeys};
pub use logs::Logs;
pub use service::{Lambda, OpenError};
