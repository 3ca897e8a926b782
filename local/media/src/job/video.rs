//! Pictures: size, codec, watermark.

use serde::Deserialize;

use super::{
    ObjectLocation,
    neutral::{Auto, Default_, Disabled, Enabled, Exactly, Included, Nothing, Toggle},
};

/// `videoDescription`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VideoDescription {
    /// Pixels, even. Without it the height decides, or the source.
    pub(crate) width: Option<u32>,
    /// Pixels, even.
    pub(crate) height: Option<u32>,
    /// What to do when the source has another shape.
    #[serde(default)]
    pub(crate) scaling_behavior: ScalingBehavior,
    /// 0 to 100; 50 is the scaler's own sharpness.
    #[serde(rename = "sharpness")]
    _sharpness: Option<Exactly<50>>,
    /// The codec.
    pub(crate) codec_settings: CodecSettings,
    /// Watermarks.
    #[serde(default)]
    pub(crate) video_preprocessors: VideoPreprocessors,
    #[serde(rename = "afdSignaling")]
    _afd_signaling: Option<Nothing>,
    #[serde(rename = "antiAlias")]
    _anti_alias: Option<Enabled>,
    #[serde(rename = "colorMetadata")]
    _color_metadata: Option<ColorMetadata>,
    #[serde(rename = "dropFrameTimecode")]
    _drop_frame_timecode: Option<Toggle>,
    #[serde(rename = "respondToAfd")]
    _respond_to_afd: Option<Nothing>,
    #[serde(rename = "timecodeInsertion")]
    _timecode_insertion: Option<Disabled>,
    #[serde(rename = "timecodeTrack")]
    _timecode_track: Option<Disabled>,
    #[serde(rename = "chromaPositionMode")]
    _chroma_position_mode: Option<Auto>,
}

impl VideoDescription {
    /// The watermarks, lowest layer first.
    pub(crate) fn images(&self) -> Vec<&InsertableImage> {
        let mut images: Vec<_> =
            self.video_preprocessors.image_inserter.iter().flat_map(|inserter| &inserter.insertable_images).collect();
        images.sort_by_key(|image| image.layer);
        images
    }
}

/// Both values leave the picture alone here: nothing rewrites colour tags.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ColorMetadata {
    Insert,
    Ignore,
}

/// How the source is fitted into the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ScalingBehavior {
    /// Whole picture, black bars.
    #[default]
    Default,
    /// Whole picture, distorted.
    StretchToOutput,
    /// Whole picture, no bars; the output may be smaller than asked.
    Fit,
    /// As `Fit`, and never larger than the source.
    FitNoUpscale,
    /// No bars; what does not fit is cut off.
    Fill,
}

/// `codecSettings` of a video.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CodecSettings {
    /// Which of the settings counts.
    pub(crate) codec: VideoCodec,
    /// With [`VideoCodec::H264`].
    pub(crate) h264_settings: Option<H264>,
    /// With [`VideoCodec::FrameCapture`].
    pub(crate) frame_capture_settings: Option<FrameCapture>,
}

/// The codecs the home has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum VideoCodec {
    #[serde(rename = "H_264")]
    H264,
    #[serde(rename = "FRAME_CAPTURE")]
    FrameCapture,
}

/// Still pictures: the first frame, then one every `denominator / numerator` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FrameCapture {
    #[serde(default = "one")]
    pub(crate) framerate_numerator: u32,
    #[serde(default = "one")]
    pub(crate) framerate_denominator: u32,
    /// At most this many files.
    #[serde(default = "max_captures")]
    pub(crate) max_captures: u32,
    /// 1 to 100.
    #[serde(default = "jpeg_quality")]
    pub(crate) quality: u32,
}

fn one() -> u32 {
    1
}

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`maxCaptures`, at most 10,000,000).
fn max_captures() -> u32 {
    10_000_000
}

fn jpeg_quality() -> u32 {
    80
}

/// `h264Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct H264 {
    #[serde(default)]
    pub(crate) rate_control_mode: RateControl,
    pub(crate) qvbr_settings: Option<Qvbr>,
    /// Bits per second; with QVBR and VBR.
    pub(crate) max_bitrate: Option<u32>,
    /// Bits per second; with VBR and CBR.
    pub(crate) bitrate: Option<u32>,
    /// Bits; two and a half seconds of the maximum when absent.
    pub(crate) hrd_buffer_size: Option<u32>,
    #[serde(default)]
    pub(crate) quality_tuning_level: TuningLevel,
    #[serde(default)]
    pub(crate) codec_profile: CodecProfile,
    #[serde(default)]
    pub(crate) codec_level: CodecLevel,
    #[serde(default)]
    pub(crate) entropy_encoding: EntropyCoding,
    /// In [`GopUnits`]; `AUTO` chooses it.
    pub(crate) gop_size: Option<f64>,
    #[serde(default)]
    pub(crate) gop_size_units: GopUnits,
    /// Every GOP is closed here, which satisfies any cadence but zero (always open).
    pub(crate) gop_closed_cadence: Option<u32>,
    #[serde(rename = "numberBFramesBetweenReferenceFrames")]
    pub(crate) b_frames: Option<u8>,
    pub(crate) number_reference_frames: Option<u8>,
    pub(crate) gop_b_reference: Option<Toggle>,
    pub(crate) dynamic_sub_gop: Option<DynamicSubGop>,
    #[serde(default)]
    pub(crate) scene_change_detect: SceneChange,
    #[serde(default)]
    pub(crate) adaptive_quantization: AdaptiveQuantization,
    pub(crate) slices: Option<u8>,
    #[serde(default)]
    pub(crate) framerate_control: FramerateControl,
    pub(crate) framerate_numerator: Option<u32>,
    pub(crate) framerate_denominator: Option<u32>,
    #[serde(default)]
    pub(crate) par_control: ParControl,
    pub(crate) par_numerator: Option<u32>,
    pub(crate) par_denominator: Option<u32>,
    #[serde(rename = "framerateConversionAlgorithm")]
    _framerate_conversion: Option<DuplicateDrop>,
    #[serde(rename = "interlaceMode")]
    _interlace_mode: Option<Progressive>,
    #[serde(rename = "syntax")]
    _syntax: Option<Default_>,
    #[serde(rename = "softness")]
    _softness: Option<Exactly<0>>,
    #[serde(rename = "minIInterval")]
    _min_i_interval: Option<Exactly<0>>,
    #[serde(rename = "repeatPps")]
    _repeat_pps: Option<Disabled>,
    #[serde(rename = "telecine")]
    _telecine: Option<Nothing>,
    #[serde(rename = "slowPal")]
    _slow_pal: Option<Disabled>,
    #[serde(rename = "fieldEncoding")]
    _field_encoding: Option<FieldEncoding>,
    #[serde(rename = "unregisteredSeiTimecode")]
    _unregistered_sei_timecode: Option<Disabled>,
    // x264 decides these three together, by its own adaptive quantisation; AWS's defaults ask for nothing else.
    #[serde(rename = "flickerAdaptiveQuantization")]
    _flicker_adaptive_quantization: Option<Toggle>,
    #[serde(rename = "spatialAdaptiveQuantization")]
    _spatial_adaptive_quantization: Option<Enabled>,
    #[serde(rename = "temporalAdaptiveQuantization")]
    _temporal_adaptive_quantization: Option<Enabled>,
    #[serde(rename = "endOfStreamMarkers")]
    _end_of_stream_markers: Option<Included>,
    #[serde(rename = "saliencyAwareEncoding")]
    _saliency_aware_encoding: Option<Disabled>,
    #[serde(rename = "writeMp4PackagingType")]
    _write_mp4_packaging_type: Option<Avc1>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Avc1 {
    #[serde(rename = "AVC1")]
    Avc1,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DuplicateDrop {
    DuplicateDrop,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Progressive {
    Progressive,
}

/// Matters to interlaced outputs only, which the home does not make.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FieldEncoding {
    Paff,
    ForceField,
}

/// How bits are spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RateControl {
    #[default]
    Vbr,
    Cbr,
    Qvbr,
}

/// `qvbrSettings`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Qvbr {
    /// 1 to 10.
    pub(crate) qvbr_quality_level: Option<u8>,
    /// 0 to 0.99, added to the level.
    pub(crate) qvbr_quality_level_fine_tune: Option<f64>,
}

/// Speed against quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TuningLevel {
    SinglePass,
    #[default]
    SinglePassHq,
    MultiPassHq,
}

/// H.264 profiles that play everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CodecProfile {
    Baseline,
    #[default]
    Main,
    High,
}

/// `LEVEL_3_1` and so on; `AUTO` lets the encoder say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CodecLevel(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for CodecLevel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const LEVELS: [&str; 16] =
            ["1", "1_1", "1_2", "1_3", "2", "2_1", "2_2", "3", "3_1", "3_2", "4", "4_1", "4_2", "5", "5_1", "5_2"];
        let name = String::deserialize(deserializer)?;
        if name == "AUTO" {
            return Ok(Self(None));
        }
        match name.strip_prefix("LEVEL_") {
            Some(level) if LEVELS.contains(&level) => Ok(Self(Some(level.replace('_', ".")))),
            _ => Err(serde::de::Error::custom(
                "Should be equal to one of the allowed values: AUTO, LEVEL_1 to LEVEL_5_2",
            )),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum EntropyCoding {
    #[default]
    Cabac,
    Cavlc,
}

/// What `gopSize` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum GopUnits {
    Frames,
    Seconds,
    #[default]
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DynamicSubGop {
    Adaptive,
    Static,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SceneChange {
    #[default]
    Enabled,
    Disabled,
    TransitionDetection,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AdaptiveQuantization {
    #[default]
    Auto,
    Off,
    Low,
    Medium,
    High,
    Higher,
    Max,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FramerateControl {
    #[default]
    InitializeFromSource,
    Specified,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ParControl {
    #[default]
    InitializeFromSource,
    Specified,
}

/// `videoPreprocessors`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VideoPreprocessors {
    pub(crate) image_inserter: Option<ImageInserter>,
}

/// `imageInserter`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImageInserter {
    pub(crate) insertable_images: Vec<InsertableImage>,
}

/// A picture laid over the whole length of an output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InsertableImage {
    /// A PNG.
    pub(crate) image_inserter_input: ObjectLocation,
    /// Pixels from the left of the output.
    #[serde(default)]
    pub(crate) image_x: u32,
    /// Pixels from the top of the output.
    #[serde(default)]
    pub(crate) image_y: u32,
    /// Pixels; the picture's own when absent.
    pub(crate) width: Option<u32>,
    /// Pixels.
    pub(crate) height: Option<u32>,
    /// 0 (unseen) to 100.
    #[serde(default = "half")]
    pub(crate) opacity: u8,
    /// Higher lies on top.
    #[serde(default)]
    pub(crate) layer: u8,
}

fn half() -> u8 {
    50
}
