//! The local home: one process in which AWS's APIs answer on one port and the edge on another, brought up from the template.
//!
//! This crate alone knows every service. It reads the template ([`template`]), keeps the roles and asks them ([`iam`]),
//! routes calls to services ([`gateway`]), and plugs each service into the others' ports ([`home`]).

pub mod cloudformation;
pub mod http_api;
pub mod iam;
pub mod template;
