//! What a job asks for: CreateJob's `settings`, decoded strictly.
//!
//! A setting that the home honours has a field here. A setting it does not honour but that has a neutral value (one that asks
//! for nothing) has a field whose type admits only that value. Everything else is refused with the path of the offender, in the
//! words of MediaConvert's own validation (`/outputGroups/0/outputs: Should have at least 1 items`), where paths begin below
//! `settings`.

mod audio;
mod container;
mod decode;
mod group;
mod input;
mod language;
mod location;
mod neutral;
mod output;
mod validate;
mod video;

pub(crate) use audio::{
    AacCodingMode, AudioDescription, AudioNormalization, NormalizationAlgorithm, NormalizationControl,
};
pub(crate) use container::{AudioTrackType, Container, ContainerSettings, DescriptiveVideo, MoovPlacement};
pub(crate) use decode::{Refusal, decode, decode_settings};
pub(crate) use group::{
    BandwidthType, ClientCache, CmafGroup, CodecSpecification, CompositionOffsets, DashGroup, DurationFormat, HlsGroup,
    HlsOutputSelection, OutputGroup, OutputGroupKind, SegmentControl, StreamInfResolution, TargetDurationMode,
};
pub(crate) use input::{Input, Rotate};
pub(crate) use language::LanguageCode;
pub(crate) use location::{Destination, ObjectLocation};
pub(crate) use neutral::Toggle;
pub(crate) use output::{Output, Rendition};
pub(crate) use video::{
    AdaptiveQuantization, CodecProfile, DynamicSubGop, EntropyCoding, FrameCapture, FramerateControl, GopUnits, H264,
    InsertableImage, ParControl, RateControl, ScalingBehavior, SceneChange, TuningLevel, VideoCodec, VideoDescription,
};

use serde::Deserialize;

/// CreateJob's `settings`.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html#jobs-model-jobsettings>.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobSettings {
    /// Exactly one; AWS takes up to 150 and joins them.
    pub(crate) inputs: Vec<Input>,
    /// What to make.
    pub(crate) output_groups: Vec<OutputGroup>,
    /// Only zero-based timecodes.
    #[expect(dead_code, reason = "only its neutral value decodes")]
    timecode_config: Option<neutral::TimecodeConfig>,
    /// No ad avails.
    #[expect(dead_code, reason = "only its neutral value decodes")]
    ad_avail_offset: Option<neutral::Exactly<0>>,
}
