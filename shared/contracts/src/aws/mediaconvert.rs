//! `MediaConvert Job State Change`.
//! Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_event_list.html>, corrected by captured events.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The detail of a job's state change. Key on `job_id`: `resources` lacks the account in some events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStateChange {
    /// MediaConvert's id.
    pub job_id: String,
    /// What happened.
    pub status: JobStatus,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// What we gave the job.
    #[serde(default)]
    pub user_metadata: BTreeMap<String, String>,
    /// On COMPLETE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_group_details: Vec<OutputGroupDetail>,
    /// On COMPLETE, where there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// On ERROR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// On ERROR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// On STATUS_UPDATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_progress: Option<JobProgress>,
}

/// `detail.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// What the inputs are.
    InputInformation,
    /// Work began.
    Progressing,
    /// Work goes on.
    StatusUpdate,
    /// Done.
    Complete,
    /// Canceled by someone.
    Canceled,
    /// Failed.
    Error,
    /// A warning.
    NewWarning,
    /// Moved to another queue.
    QueueHop,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// 0 to 100, over all phases.
    #[serde(default)]
    pub job_percent_complete: u32,
    /// `PROBING`, `TRANSCODING` or `UPLOADING`.
    #[serde(default)]
    pub current_phase: String,
}

/// What one output group made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputGroupDetail {
    /// `FILE_GROUP`, `HLS_GROUP`, `DASH_ISO_GROUP`, `CMAF_GROUP`, `MS_SMOOTH_GROUP`.
    pub r#type: String,
    /// One per output.
    #[serde(default)]
    pub output_details: Vec<OutputDetail>,
    /// Parent playlists; `.m3u8` or `.mpd`.
    #[serde(default)]
    pub playlist_file_paths: Vec<String>,
}

/// What one output made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputDetail {
    /// `s3://` URIs. A frame capture lists only its last image.
    #[serde(default)]
    pub output_file_paths: Vec<String>,
    /// Milliseconds.
    #[serde(default)]
    pub duration_in_ms: u64,
    /// Absent for captions and audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_details: Option<VideoDetails>,
}

/// What a video output is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoDetails {
    /// Pixels across.
    pub width_in_px: u32,
    /// Pixels down.
    pub height_in_px: u32,
    /// Bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_bitrate: Option<u32>,
    /// Absent where the output is not QVBR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qvbr_avg_quality: Option<f64>,
}

/// A warning and how often it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// MediaConvert's code.
    pub code: u32,
    /// How often.
    #[serde(default)]
    pub count: u32,
}
