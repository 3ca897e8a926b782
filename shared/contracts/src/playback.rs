//! How a video is played, and the proof that it plays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::packaging::PackagingFormat;

/// Addresses a player uses: paths of the site, such as `/v/<originId>/out/v1/.../index.m3u8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaybackPaths {
    /// HLS parent playlist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hls: Option<String>,
    /// DASH manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dash: Option<String>,
    /// HLS parent playlist over fragmented MP4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmaf: Option<String>,
    /// MP4 download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mp4: Option<String>,
}

/// The proof, kept on the row, that a viewer could play the video through the CDN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// RFC 3339, UTC.
    pub verified_at: String,
    /// The parent playlist that players are given first.
    pub master_path: String,
    /// Every rendition of it.
    pub renditions: Vec<RenditionReceipt>,
    /// Every manifest that was played from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<ManifestReceipt>,
    /// Bytes fetched in all.
    pub bytes_fetched: u64,
}

/// What was seen of one manifest and all it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestReceipt {
    /// What it is a manifest of.
    pub format: PackagingFormat,
    /// Its path on the site.
    pub path: String,
    /// Renditions a player can choose from.
    pub renditions: u32,
    /// Tracks of sound beside them; nought where the sound is inside the renditions.
    pub audio_tracks: u32,
    /// Segments of all of them.
    pub segments: u32,
}

/// What was seen of one rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenditionReceipt {
    /// The rendition's playlist.
    pub playlist_path: String,
    /// `RESOLUTION` of the parent playlist, such as `1280x720`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Segments in the playlist.
    pub segments: u32,
    /// Sum of the segments' durations in milliseconds.
    pub duration_ms: u64,
    /// Size of the first segment in bytes.
    pub first_segment_bytes: u64,
    /// Size of the last segment in bytes.
    pub last_segment_bytes: u64,
}
