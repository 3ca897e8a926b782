//! The JSON Schemas of all contracts; what `schemas/` holds.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use crate::{api, aws, job, packaging, steps, video};

/// A contract's file name (without suffix) and its schema.
pub struct Contract {
    /// Such as `steps/start-job.input`.
    pub name: &'static str,
    /// JSON Schema 2020-12.
    pub schema: Schema,
}

fn contract<T: JsonSchema>(name: &'static str) -> Contract {
    Contract { name, schema: SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>() }
}

/// Every contract, in the order of `schemas/`.
#[must_use]
pub fn all() -> Vec<Contract> {
    vec![
        contract::<api::ApiError>("api/error"),
        contract::<api::BeginUploadRequest>("api/begin-upload.request"),
        contract::<api::BeginUploadResponse>("api/begin-upload.response"),
        contract::<api::FinishUploadRequest>("api/finish-upload.request"),
        contract::<api::FinishUploadResponse>("api/finish-upload.response"),
        contract::<api::SignPartsRequest>("api/sign-parts.request"),
        contract::<api::SignPartsResponse>("api/sign-parts.response"),
        contract::<api::VideoDetail>("api/get-video.response"),
        contract::<api::VideoList>("api/list-videos.response"),
        contract::<aws::Envelope<aws::mediaconvert::JobStateChange>>("aws/mediaconvert-job-state-change"),
        contract::<aws::Envelope<aws::mediapackage::InputNotification>>("aws/mediapackage-input-notification"),
        contract::<aws::Envelope<aws::s3::ObjectCreated>>("aws/s3-object-created"),
        contract::<aws::Envelope<aws::states::ExecutionStatusChange>>("aws/states-execution-status-change"),
        contract::<video::VideoFailed>("events/video-failed"),
        contract::<video::VideoReady>("events/video-ready"),
        contract::<steps::AdmitUploadInput>("steps/admit-upload.input"),
        contract::<steps::AdmitUploadOutput>("steps/admit-upload.output"),
        contract::<steps::AttachOriginInput>("steps/attach-origin.input"),
        contract::<steps::AttachOriginOutput>("steps/attach-origin.output"),
        contract::<steps::EnsurePackagingGroupInput>("steps/ensure-packaging-group.input"),
        contract::<packaging::PackagingGroup>("steps/ensure-packaging-group.output"),
        contract::<steps::IngestAssetInput>("steps/ingest-asset.input"),
        contract::<packaging::PlayableAsset>("steps/ingest-asset.output"),
        contract::<steps::MakeStoryboardInput>("steps/make-storyboard.input"),
        contract::<steps::MakeStoryboardOutput>("steps/make-storyboard.output"),
        contract::<steps::ProbeSourceInput>("steps/probe-source.input"),
        contract::<steps::ProbeSourceOutput>("steps/probe-source.output"),
        contract::<steps::RecordCatalogInput>("steps/record-catalog.input"),
        contract::<steps::RecordCatalogOutput>("steps/record-catalog.output"),
        contract::<steps::StartJobInput>("steps/start-job.input"),
        contract::<job::JobOutputs>("steps/start-job.output"),
        contract::<steps::VerifyPlaybackInput>("steps/verify-playback.input"),
        contract::<steps::VerifyPlaybackOutput>("steps/verify-playback.output"),
        contract::<video::Video>("video"),
    ]
}

/// A schema as its file holds it: pretty, with a newline at the end.
#[must_use]
pub fn render(contract: &Contract) -> String {
    format!("{:#}\n", contract.schema.as_value())
}
