//! The catalogue: the row of a video.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    VideoId,
    job::Rendition,
    playback::{PlaybackPaths, Receipt},
    source::{CostEstimate, Source, SourceFacts},
    title,
};

/// Where a video stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VideoStatus {
    /// An execution is at work, or about to be.
    Processing,
    /// It plays.
    Ready,
    /// Its execution ended without success; `error` says why.
    Failed,
}

/// How far the transcode is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// MediaConvert's phase: `PROBING`, `TRANSCODING` or `UPLOADING`.
    pub phase: String,
    /// 0 to 100.
    pub percent: u32,
}

/// Why a video failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// The error's name: one of the line's codes or one of Step Functions'.
    pub code: String,
    /// What a person reads.
    pub message: String,
    /// The state that failed, where the history names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The row of a video. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Video {
    /// Its id.
    pub video_id: VideoId,
    /// What the uploader called it, or its file name without suffix.
    pub title: String,
    /// The last part of the object's key.
    pub filename: String,
    /// Where it stands.
    pub status: VideoStatus,
    /// How far the transcode is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// When the upload was admitted.
    pub created_at: String,
    /// When the row last changed.
    pub updated_at: String,
    /// When it became READY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<String>,
    /// The uploaded object.
    pub source: Source,
    /// What the probe found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<SourceFacts>,
    /// What the transcode costs on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_estimate: Option<CostEstimate>,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Finished renditions, smallest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renditions: Vec<Rendition>,
    /// MediaPackage's egress URL of the HLS endpoint; closed to everyone but the distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The packaging group's egress host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_name: Option<String>,
    /// What a player opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playback: Option<PlaybackPaths>,
    /// Path of the poster image on the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster: Option<String>,
    /// Path of the storyboard (WebVTT with `#xywh`) on the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storyboard: Option<String>,
    /// The proof that it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The execution that published it, or tries to.
    pub execution_arn: String,
}

impl Video {
    /// The row of an upload that was just admitted, at this time. `title` is what the uploader called it, if anything.
    #[must_use]
    pub fn admitted(source: Source, title: Option<&str>, execution_arn: &str, now: String) -> Self {
        Self {
            video_id: source.video_id(),
            title: title::of(title, source.filename()),
            filename: source.filename().to_owned(),
            status: VideoStatus::Processing,
            progress: None,
            created_at: now.clone(),
            updated_at: now,
            ready_at: None,
            source,
            facts: None,
            cost_estimate: None,
            duration_ms: None,
            renditions: Vec::new(),
            endpoint: None,
            domain_name: None,
            playback: None,
            poster: None,
            storyboard: None,
            receipt: None,
            error: None,
            execution_arn: execution_arn.to_owned(),
        }
    }
}

/// Told to the event bus (source `vodline`, detail-type `VideoReady`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VideoReady {
    /// Which video.
    pub video_id: VideoId,
    /// Its title.
    pub title: String,
    /// Address of its page.
    pub watch_url: String,
}

/// Told to the event bus (source `vodline`, detail-type `VideoFailed`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VideoFailed {
    /// Which video.
    pub video_id: VideoId,
    /// Why.
    pub error: Failure,
    /// The execution to read and redrive.
    pub execution_arn: String,
}
