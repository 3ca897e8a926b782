//! Events of AWS services, in their real shapes (which differ from AWS's documentation in places; see the tests).
//!
//! AWS adds fields without notice, so unknown ones are allowed here, and everything that some real event lacks is optional.

pub mod mediaconvert;
pub mod mediapackage;
pub mod s3;
pub mod states;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// EventBridge's envelope around a service's detail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Envelope<Detail> {
    /// Unique per event; the same on a repeated delivery.
    pub id: String,
    /// Such as `Object Created`.
    pub detail_type: String,
    /// Such as `aws.s3`.
    pub source: String,
    /// RFC 3339.
    pub time: String,
    /// ARNs.
    #[serde(default)]
    pub resources: Vec<String>,
    /// The service's own part.
    pub detail: Detail,
}
