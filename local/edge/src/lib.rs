//! CloudFront: its API, and the edge that serves viewers.
//!
//! The control plane keeps each distribution's whole configuration and the policies and functions it refers to. Whenever one of
//! them changes, the data plane is given new routes, in which every reference is resolved; a change is deployed when the call
//! that made it returns.
//!
//! One thing is different at home, on purpose: viewers are served by plain HTTP/1.1 on loopback, so `ViewerProtocolPolicy`,
//! certificates and `HttpVersion` are kept and have no effect. Compression is by gzip only, whether or not brotli is enabled.
//!
//! | module | what it does |
//! |---|---|
//! | `api` | the operations of the API |
//! | `define` | what the template loader declares |
//! | `model` | configurations and policies, in CloudFormation's spelling |
//! | `wire`, `xml` | the same in the API's XML |
//! | `managed` | the policies that AWS manages |
//! | `table` | the rows behind it all |
//! | `plane` | the data plane: behaviours, functions, cache, ranges |

mod api;
mod define;
mod managed;
mod model;
mod plane;
mod service;
mod table;
mod wire;
mod xml;

pub use define::{DistributionDefinition, DistributionSpec, FunctionSpec};
pub use service::{Access, AccessLog, Config, Edge, Error};
