//! S3 for the local home: the protocol is [s3s](https://docs.rs/s3s)'s, the storage is ours.
//!
//! An object's bytes are one plain file under `DIR/objects` that never changes; everything known of it is a row in the home's
//! store. A change and the event that tells of it are one transaction, so an acknowledged upload cannot be lost and cannot go
//! unnoticed. Keys never become file names.
//!
//! How a request travels: [`S3::handle`] (CORS, request ids) → s3s (routing, SigV4, decoding) → `auth` (the caller's policies) →
//! `operations` (the API) → `versions`, `uploads`, `listing` (the index) and `files` (the bytes).
//!
//! **Invariants**
//! - A file is named by a row before the request that made it is answered; a file that no row names is rubbish, and is swept when
//!   the store is opened.
//! - A file that a row names is complete and is never written again. Copies may therefore share it (hard links).
//! - A file that a row no longer names stays readable for [`GRACE`], for those who were just told its path.

mod auth;
mod bucket;
mod checksum;
mod conditions;
mod cors;
mod details;
mod event;
mod failure;
mod files;
mod host;
mod http_entry;
mod listing;
mod objects;
mod operations;
mod origin;
mod receive;
mod schema;
mod send;
mod service;
mod uploads;
mod versions;

pub use auth::{Credential, Credentials};
pub use bucket::BucketSpec;
pub use cors::CorsRule;
pub use failure::OpenError;
pub use files::GRACE;
/// A request's or an answer's body; an [`http_body`](https://docs.rs/http-body) body that streams.
pub use s3s::Body;
pub use service::{Config, S3};
