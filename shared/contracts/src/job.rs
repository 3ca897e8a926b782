//! What a transcode made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A finished rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rendition {
    /// Names it by its short side, such as `720p`; one of sound alone by its bitrate, such as `128k`.
    pub name: String,
    /// Pixels across; absent where there is nothing to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels down; absent where there is nothing to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Bits per second on average, where the service says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_bitrate_bps: Option<u32>,
}

/// The outcome of the job; what `StartJob` waits for. All addresses are `s3://` URIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobOutputs {
    /// MediaConvert's id.
    pub job_id: String,
    /// The finished video's length in milliseconds.
    pub duration_ms: u64,
    /// The HLS parent playlist: what MediaPackage ingests, or what viewers open where packaging is direct.
    pub hls_playlist_uri: String,
    /// The DASH manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dash_manifest_uri: Option<String>,
    /// The MP4 with the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mp4_uri: Option<String>,
    /// The poster image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster_uri: Option<String>,
    /// The last of the thumbnails that a storyboard is made of. Its number tells how many there are: they count from nought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_thumbnail_uri: Option<String>,
    /// The renditions, smallest first.
    pub renditions: Vec<Rendition>,
    /// Codes of MediaConvert's warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<u32>,
}
