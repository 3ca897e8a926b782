//! Packaging groups, configurations and assets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a packaging configuration packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PackagingFormat {
    /// HLS with MPEG-TS segments.
    Hls,
    /// MPEG-DASH.
    Dash,
    /// HLS with fragmented MP4 segments.
    Cmaf,
}

impl PackagingFormat {
    /// Its name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hls => "hls",
            Self::Dash => "dash",
            Self::Cmaf => "cmaf",
        }
    }
}

/// One packaging configuration of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackagingConfiguration {
    /// MediaPackage's id.
    pub id: String,
    /// What it makes.
    pub format: PackagingFormat,
}

/// The packaging group a video goes into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackagingGroup {
    /// MediaPackage's id.
    pub packaging_group_id: String,
    /// The host of its egress, without scheme.
    pub domain_name: String,
    /// What it packages into.
    pub configurations: Vec<PackagingConfiguration>,
}

/// Where one configuration of an asset is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssetEndpoint {
    /// MediaPackage's id of the configuration.
    pub configuration_id: String,
    /// What it makes.
    pub format: PackagingFormat,
    /// The egress URL; closed to everyone but the distribution.
    pub url: String,
}

/// An asset of which every configuration is playable; what `IngestAsset` waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlayableAsset {
    /// MediaPackage's id.
    pub asset_id: String,
    /// One per configuration.
    pub endpoints: Vec<AssetEndpoint>,
}
