//! What a job asks for: CreateJob's `settings`, decoded strictly.
//!
//! A setting that the home honours has a field here. A setting it does not honour but that has a neutral value (one that asks
//! for nothing) has a field whose type admits only that value. Everything else is refused with the path of the offender, in the
//! words of MediaConvert's own validation (`/outputGroups/0/outputs: Should have at least 1 items`), where paths begin below
//! `settings`.

mod audio;
mod caption;
mod codec;
mod container;
mod decode;
mod group;
mod identifiers;
mod input;
mod language;
mod location;
mod neutral;
mod output;
mod requirements;
mod timecode;
mod trick_play;
mod validate;
mod video;

pub(crate) use audio::{
    AacCodingMode, Ac3CodingMode, AudioCodec, AudioDescription, AudioNormalization,
    CodecSettings as AudioCodecSettings, Eac3CodingMode, LfeControl, NormalizationAlgorithm, NormalizationControl,
    RateMode, Remix, VbrQuality, WavFormat,
};
pub(crate) use caption::{CaptionDescription, CaptionDestinationType, CaptionSelector, CaptionSourceType};
pub(crate) use codec::{
    AdaptiveQuantization, Av1, Av1BitDepth, ChromaSampling, CodecSettings, Coding, Common, Conversion, DynamicSubGop,
    EntropyCoding, FilmGrain, FrameCapture, FramerateControl, GopSize, GopUnits, H264, H264Profile, H265,
    H265Packaging, H265Profile, ParControl, ProRes, ProResProfile, RateControl, SampleAdaptiveOffset, SceneChange,
    TreeBlockSize, TuningLevel, VideoCodec, Vp9, Vp9TuningLevel,
};
pub(crate) use container::{
    AudioTrackType, Container, ContainerSettings, DescriptiveVideo, KeyFramePlaylist, MoovPlacement,
};
pub(crate) use decode::{Refusal, decode, decode_settings};
pub(crate) use group::{
    BandwidthType, CaptionSegments, ClientCache, CmafGroup, CodecSpecification, CompositionOffsets, DashGroup,
    DurationFormat, HlsGroup, HlsOutputSelection, OutputGroup, OutputGroupKind, SegmentControl, StreamInfResolution,
    TargetDurationMode,
};
pub(crate) use identifiers::{Identifiers, OutputFacts};
pub(crate) use input::{AudioSelector, DurationCorrection, Input, Rotate, SelectorType, TimecodeSource};
pub(crate) use language::LanguageCode;
pub(crate) use location::{Destination, ObjectLocation};
pub(crate) use neutral::Toggle;
pub(crate) use output::{Output, Rendition};
pub(crate) use requirements::check_tools;
pub(crate) use timecode::Timecode;
pub(crate) use trick_play::{ImageSet, ImageSize, IntervalCadence, TrickPlay, TrickPlayMode, TrickPlaySettings};
pub(crate) use video::{
    ColorCorrector, ColorSpaceConversion, DeinterlaceAlgorithm, DeinterlaceControl, Deinterlacer, ImageInserter,
    InsertableImage, Rectangle, ScalingBehavior, ToneMapper, VideoDescription,
};

use crate::source::Ratio;
use serde::Deserialize;

/// CreateJob's `settings`.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html#jobs-model-jobsettings>.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobSettings {
    /// Joined in this order.
    pub(crate) inputs: Vec<Input>,
    /// What to make.
    pub(crate) output_groups: Vec<OutputGroup>,
    /// What the timecodes of outputs count from.
    #[serde(default)]
    pub(crate) timecode_config: TimecodeConfig,
    /// No ad avails.
    #[expect(dead_code, reason = "only its neutral value decodes")]
    ad_avail_offset: Option<neutral::Exactly<0>>,
}

/// `timecodeConfig`: matters to what is placed by timecode, which is images. Nothing writes timecodes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TimecodeConfig {
    #[serde(default)]
    pub(crate) source: TimecodeSource,
    /// With `SPECIFIEDSTART`.
    pub(crate) start: Option<Timecode>,
}
