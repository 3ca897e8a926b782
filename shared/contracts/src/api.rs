//! The site's `/api`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{VideoId, video::Video};

/// `GET /api/videos?cursor=&limit=`: newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VideoList {
    /// This page's videos.
    pub videos: Vec<Video>,
    /// Opaque; asks for the next page. Absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `GET /api/videos/{videoId}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VideoDetail {
    /// The row.
    pub video: Video,
    /// The run's states, while the video is not READY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunProgress>,
}

/// A run, state by state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunProgress {
    /// Step Functions' status: `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, `PENDING_REDRIVE`.
    pub status: String,
    /// The states entered so far, in order of entry; Task states only.
    pub states: Vec<StateProgress>,
}

/// One state of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateProgress {
    /// The state's name.
    pub name: String,
    /// Where it stands.
    pub status: StateStatus,
    /// RFC 3339, UTC.
    pub entered_at: String,
    /// RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exited_at: Option<String>,
}

/// Where a state stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StateStatus {
    /// Entered, not left.
    Running,
    /// Left.
    Succeeded,
    /// The run ended in it.
    Failed,
}

/// `POST /api/uploads`: begins a multipart upload. Needs the upload key in `x-upload-key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginUploadRequest {
    /// The file's name; becomes the last part of the key.
    pub filename: String,
    /// Bytes.
    pub size_bytes: u64,
    /// The browser's idea of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// What to call the video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The begun upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginUploadResponse {
    /// S3's id of the multipart upload.
    pub upload_id: String,
    /// The object's key.
    pub key: String,
    /// Size of every part but the last, in bytes.
    pub part_size_bytes: u64,
}

/// `POST /api/uploads/parts`: signs parts just before they are sent, and tells which are already there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignPartsRequest {
    /// From [`BeginUploadResponse`].
    pub upload_id: String,
    /// From [`BeginUploadResponse`].
    pub key: String,
    /// Which parts to sign, from 1 to 10,000; at most 100 at once. Empty to learn only what is there.
    pub part_numbers: Vec<u32>,
}

/// Where to PUT the parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignPartsResponse {
    /// One per asked part.
    pub parts: Vec<SignedPart>,
    /// Parts that S3 already has; a resumed upload skips them.
    pub uploaded: Vec<UploadedPart>,
}

/// Where to PUT one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedPart {
    /// 1 to 10,000.
    pub part_number: u32,
    /// Presigned; good for minutes.
    pub url: String,
}

/// A part that S3 has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UploadedPart {
    /// 1 to 10,000.
    pub part_number: u32,
    /// As S3 answered it.
    pub etag: String,
}

/// `POST /api/uploads/finish`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishUploadRequest {
    /// From [`BeginUploadResponse`].
    pub upload_id: String,
    /// From [`BeginUploadResponse`].
    pub key: String,
    /// All parts, in order.
    pub parts: Vec<UploadedPart>,
}

/// The upload is an object now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishUploadResponse {
    /// The video it is going to be.
    pub video_id: VideoId,
}

/// Any answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiError {
    /// Stable, such as `NotFound`, `BadRequest`, `UploadKeyRequired`.
    pub code: String,
    /// What a person reads.
    pub message: String,
}
