//! What was uploaded, and what the line plans to make of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{VideoId, aws::s3::ObjectCreated};

/// What S3 calls the version of an object that was written while its bucket kept no versions.
const NO_VERSION: &str = "null";

/// The admitted upload: one version of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// The upload bucket.
    pub bucket: String,
    /// The object's key, exactly as stored: it may hold spaces, `+`, `%`, quotes and emoji.
    pub key: String,
    /// The version, where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Source {
    /// The object version that S3's event is about.
    #[must_use]
    pub fn of_upload(upload: &ObjectCreated) -> Self {
        Self {
            bucket: upload.bucket.name.clone(),
            key: upload.object.key.clone(),
            version_id: upload.object.version_id.clone().filter(|version| version != NO_VERSION),
            etag: upload.object.etag.clone(),
            size_bytes: upload.object.size,
        }
    }

    /// The video that this object version is.
    #[must_use]
    pub fn video_id(&self) -> VideoId {
        let version = self.version_id.as_deref().filter(|version| *version != NO_VERSION);
        VideoId::of_object(&self.bucket, &self.key, version.unwrap_or(&self.etag))
    }

    /// The last part of the key.
    #[must_use]
    pub fn filename(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// The address MediaConvert reads: `s3://bucket/key`, the key as it is.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceFacts {
    /// The container's name as MediaConvert gives it, such as `mp4`.
    pub container: String,
    /// Milliseconds.
    pub duration_ms: u64,
    /// The first video track; absent for sound alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoTrack>,
    /// The audio tracks, in order; empty for a silent video.
    pub audio: Vec<AudioTrack>,
}

/// A video track as a viewer sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VideoTrack {
    /// As MediaConvert names it, such as `AVC`.
    pub codec: String,
    /// Pixels across after rotation and with square pixels.
    pub display_width: u32,
    /// Pixels down after rotation.
    pub display_height: u32,
    /// Clockwise degrees in the file's metadata: 0, 90, 180 or 270.
    pub rotation_degrees: u32,
    /// Frames per second.
    pub frame_rate: f64,
    /// How its light is coded, where that is a high dynamic range; absent for an ordinary picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<Hdr>,
}

/// The transfer characteristics of a high dynamic range. Source: ITU-R BT.2100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Hdr {
    /// Perceptual quantization, SMPTE ST 2084: HDR10 and its kin.
    Pq,
    /// Hybrid log-gamma, ARIB STD-B67.
    Hlg,
}

/// An audio track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AudioTrack {
    /// As MediaConvert names it, such as `AAC`.
    pub codec: String,
    /// Channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// ISO 639 code, where the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// One planned rendition: a rung of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rung {
    /// Names the rendition by its short side, such as `720p`.
    pub name: String,
    /// Pixels across; even.
    pub width: u32,
    /// Pixels down; even.
    pub height: u32,
    /// Bits per second at most.
    pub max_bitrate_bps: u32,
}

/// One planned rendition of a source that is sound alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AudioRung {
    /// Names the rendition by its bitrate, such as `128k`.
    pub name: String,
    /// Bits per second.
    pub bitrate_bps: u32,
}

/// Who packages a video for its viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Packaging {
    /// MediaPackage VOD, just in time, from what the job made.
    #[default]
    MediaPackage,
    /// The job itself: CMAF, served from the media bucket as it is.
    Direct,
}

/// What the transcode is going to cost on AWS, list price, for the row and the logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CostEstimate {
    /// Normalised minutes, as MediaConvert bills them.
    pub normalised_minutes: f64,
    /// US dollars.
    pub usd: f64,
}
