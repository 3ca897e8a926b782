//! `MediaPackage Input Notification`, as captured: the documentation's sample has another form of `resources`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The detail of a notification. Its names are in snake case, unlike MediaConvert's; the asset's id is only in the
/// envelope's `resources`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputNotification {
    /// `IngestStart`, `IngestError`, `IngestComplete`, `VodAssetPlayable`, or an event of live channels.
    pub event: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// On `VodAssetPlayable`: which configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packaging_configuration_id: Option<String>,
    /// On `VodAssetPlayable`: the egress URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifest_urls: Vec<String>,
}

/// The asset's id in the ARNs of an event: the last part of `arn:...:mediapackage-vod:...:assets/<id>`.
#[must_use]
pub fn asset_id(resources: &[String]) -> Option<&str> {
    resources.iter().find_map(|arn| {
        let (before, id) = arn.rsplit_once("assets/")?;
        before.contains(":mediapackage-vod:").then_some(id)
    })
}
