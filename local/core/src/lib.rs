//! What every local service shares: the AWS wire protocols, the durable store, identity, clock and entropy, and the ports
//! through which services reach each other.
//!
//! **Invariant:** this crate knows no service. A service crate depends on this one and on no other service crate; only
//! `vodline-cloud` knows them all and plugs each one's implementation into the others' ports.

mod account;
mod clock;
mod entropy;
mod error;
mod origin;
mod ports;
mod request;
mod store;

pub use account::{Account, Arn};
pub use clock::{Clock, ManualClock, SystemClock};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use error::{AwsError, ErrorKind, Protocol};
pub use origin::{Origin, OriginBody, OriginRequest, OriginResponse};
pub use ports::{
    Event, EventBus, Executions, Functions, Invocation, ObjectBody, ObjectInfo, ObjectMetadata, Objects, Secrets,
};
pub use request::{Authorizer, Principal, Request, Response, Service};
pub use store::{Migration, Store, StoreError};

/// SQLite as the store uses it, re-exported so that services agree on one version.
pub use rusqlite;
