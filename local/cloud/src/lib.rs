//! The local home: one process in which AWS's APIs answer on one port and the edge on another, brought up from the template.
//!
//! This crate alone knows every service. [`home`] opens them, plugs each into the others' ports and serves; [`template`]
//! reads the template and [`stack`] brings up what it describes; [`gateway`] routes calls by [`signature`] and name, under
//! [`iam`]; the small services that exist only to hold things together live here too.

mod asymmetric;
pub mod bucket_policy;
pub mod cloudformation;
pub mod gateway;
pub mod home;
pub mod http_api;
pub mod iam;
pub mod origins;
pub mod service_caller;
pub mod signature;
pub mod stack;
pub mod template;
