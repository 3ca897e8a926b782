//! Input and output of every step that the publish machine calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    VideoId,
    aws::s3::ObjectCreated,
    job::JobOutputs,
    packaging::{AssetEndpoint, PackagingConfiguration, PackagingGroup, PlayableAsset},
    playback::{PlaybackPaths, Receipt},
    source::{AudioRung, CostEstimate, Packaging, Rung, Source, SourceFacts},
    video::VideoStatus,
};

/// Which run calls; joins logs and rows to the execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// `$states.context.Execution.Id`.
    pub execution_arn: String,
    /// `$states.context.State.Name`.
    pub state: String,
    /// `$states.context.State.RetryCount`.
    pub retry_count: u32,
}

/// AdmitUpload: dedupes and registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmitUploadInput {
    /// Which run calls.
    pub run: Run,
    /// The detail of S3's event, as it came.
    pub upload: ObjectCreated,
}

/// The admitted upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmitUploadOutput {
    /// The video it is.
    pub video_id: VideoId,
    /// The object version.
    pub source: Source,
    /// What the row shows.
    pub title: String,
}

/// ProbeSource: looks at the file, refuses what cannot be published, plans the ladder, prices it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeSourceInput {
    /// Which run calls.
    pub run: Run,
    /// The video.
    pub video_id: VideoId,
    /// Its source.
    pub source: Source,
}

/// What was found and what is planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeSourceOutput {
    /// What the file is.
    pub facts: SourceFacts,
    /// Planned renditions, smallest first; empty only for sound alone.
    pub ladder: Vec<Rung>,
    /// Planned renditions of sound alone, smallest first; empty where there is a picture.
    pub audio_ladder: Vec<AudioRung>,
    /// Who packages it.
    pub packaging: Packaging,
    /// What it is going to cost on AWS.
    pub cost_estimate: CostEstimate,
}

/// StartJob (and StartDirectJob): creates the MediaConvert job; the task ends when the job does, with [`JobOutputs`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartJobInput {
    /// Which run calls.
    pub run: Run,
    /// The video.
    pub video_id: VideoId,
    /// Its source.
    pub source: Source,
    /// What the probe found.
    pub facts: SourceFacts,
    /// What to make of the picture.
    pub ladder: Vec<Rung>,
    /// What to make of sound alone.
    #[serde(default)]
    pub audio_ladder: Vec<AudioRung>,
    /// For whom.
    #[serde(default)]
    pub packaging: Packaging,
    /// `$states.context.Task.Token`.
    pub task_token: String,
}

/// EnsurePackagingGroup: finds or makes the group with room for one more asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnsurePackagingGroupInput {
    /// Which run calls.
    pub run: Run,
    /// The video.
    pub video_id: VideoId,
}

/// The group.
pub type EnsurePackagingGroupOutput = PackagingGroup;

/// AttachOrigin: makes the group an origin of the distribution, with the secret header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttachOriginInput {
    /// Which run calls.
    pub run: Run,
    /// MediaPackage's id of the group.
    pub packaging_group_id: String,
    /// The group's egress host.
    pub domain_name: String,
}

/// The attached origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttachOriginOutput {
    /// Its id in the distribution.
    pub origin_id: String,
    /// What to put before the egress URL's path to get a path of the site: `/v/<originId>`.
    pub path_prefix: String,
}

/// IngestAsset: makes the asset; the task ends when every configuration is playable, with [`PlayableAsset`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngestAssetInput {
    /// Which run calls.
    pub run: Run,
    /// The video; also the asset's id.
    pub video_id: VideoId,
    /// MediaPackage's id of the group.
    pub packaging_group_id: String,
    /// What must become playable.
    pub configurations: Vec<PackagingConfiguration>,
    /// The HLS parent playlist to ingest (`s3://`).
    pub playlist_uri: String,
    /// `$states.context.Task.Token`.
    pub task_token: String,
}

/// VerifyPlayback: plays the video through the CDN the way a player begins to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyPlaybackInput {
    /// Which run calls.
    pub run: Run,
    /// The video.
    pub video_id: VideoId,
    /// Where the asset is served; empty where there is none, and the job's own manifests are what viewers open.
    pub endpoints: Vec<AssetEndpoint>,
    /// From AttachOrigin; empty where there is no asset.
    pub path_prefix: String,
    /// What the transcode made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobOutputs>,
    /// How many renditions the parent playlist must name.
    pub rendition_count: u32,
    /// How long every rendition must be, in milliseconds.
    pub duration_ms: u64,
}

/// The video plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyPlaybackOutput {
    /// The proof.
    pub receipt: Receipt,
    /// What players open.
    pub playback: PlaybackPaths,
}

/// MakeStoryboard: puts the job's thumbnails together, for the seek bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MakeStoryboardInput {
    /// Which run calls.
    pub run: Run,
    /// The video.
    pub video_id: VideoId,
    /// Length of the source in milliseconds: how often there is a thumbnail follows from it.
    pub duration_ms: u64,
    /// What the transcode made.
    pub job: JobOutputs,
}

/// The storyboard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MakeStoryboardOutput {
    /// Path of its WebVTT on the site; absent when there was nothing to make one of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// RecordCatalog: the row becomes READY, and the bus hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordCatalogInput {
    /// Which run calls.
    pub run: Run,
    /// The video.
    pub video_id: VideoId,
    /// The source, to see that it still is what was admitted; absent in runs that began before this was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What the transcode made.
    pub job: JobOutputs,
    /// The asset; absent where packaging is direct.
    #[serde(default)]
    pub asset: Option<PlayableAsset>,
    /// The group's egress host; absent where packaging is direct.
    #[serde(default)]
    pub domain_name: Option<String>,
    /// The storyboard.
    #[serde(default)]
    pub storyboard: MakeStoryboardOutput,
    /// What players open.
    pub playback: PlaybackPaths,
    /// The proof that it plays.
    pub receipt: Receipt,
}

/// The end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordCatalogOutput {
    /// The video.
    pub video_id: VideoId,
    /// READY.
    pub status: VideoStatus,
    /// Address of its page.
    pub watch_url: String,
}
