//! CloudFront: its API, and the edge that serves viewers.
//!
//! The control plane keeps each distribution's whole configuration and the policies and functions it refers to. Whenever one of
//! them changes, the data plane is given new routes, in which every reference is resolved; a change is deployed when the call
//! that made it returns.
//!
//! Answers are kept in memory and on the disk, each bounded in bytes; what is on the disk outlives the process. However many
//! viewers ask for an object, its origin is asked once. Viewers speak HTTP/1.1 or HTTP/2 to one thread for each core.
//!
//! Some things are different at home, on purpose: the certificate of the TLS port is the home's own, whatever
//! `ViewerCertificate` says, and without TLS HTTP/2 is for those who begin with it. Where a cache policy normalises
//! `Accept-Encoding`, CloudFront keeps an answer for each coding; the edge asks the origin once for the plain answer, makes the
//! codings itself, and keeps them together.
//!
//! | module | what it does |
//! |---|---|
//! | `api` | the operations of the API, a module a family |
//! | `key_values` | the API of key value stores' pairs |
//! | `access_log` | what viewers asked, as files in the log bucket |
//! | `define` | what the template loader declares |
//! | `model` | configurations and policies, in CloudFormation's spelling |
//! | `wire`, `xml` | the same in the API's XML |
//! | `managed` | the policies that AWS manages |
//! | `table` | the rows behind it all |
//! | `plane` | the data plane: behaviours, functions, cache, ranges |

mod access_log;
mod api;
mod define;
mod key_values;
mod managed;
mod model;
mod plane;
mod service;
mod table;
mod wire;
mod xml;

pub use define::{DistributionDefinition, DistributionSpec, FunctionSpec, KeyValueStoreDefinition};
pub use key_values::KeyValueStores;
pub use plane::{Tls, TlsError};
pub use service::{Config, Edge, Error};
