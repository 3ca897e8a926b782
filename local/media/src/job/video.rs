//! Pictures: size, codec, watermark.

use serde::Deserialize;

use super::{
    CodecSettings, ObjectLocation, Timecode,
    neutral::{Auto, Disabled, Enabled, Nothing, Toggle},
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
    #[serde(default = "middle")]
    pub(crate) sharpness: u8,
    /// The part of the source that is wanted.
    pub(crate) crop: Option<Rectangle>,
    /// The part of the output that the picture fills; the rest is black.
    pub(crate) position: Option<Rectangle>,
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
        self.video_preprocessors.image_inserter.iter().flat_map(ImageInserter::images).collect()
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

/// `videoPreprocessors`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VideoPreprocessors {
    pub(crate) image_inserter: Option<ImageInserter>,
    pub(crate) color_corrector: Option<ColorCorrector>,
    pub(crate) deinterlacer: Option<Deinterlacer>,
}

/// `imageInserter`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImageInserter {
    pub(crate) insertable_images: Vec<InsertableImage>,
}

impl ImageInserter {
    /// The images, lowest layer first.
    pub(crate) fn images(&self) -> Vec<&InsertableImage> {
        let mut images: Vec<_> = self.insertable_images.iter().collect();
        images.sort_by_key(|image| image.layer);
        images
    }
}

fn middle() -> u8 {
    50
}

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rectangle {
    /// Pixels, even.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Pixels from the left, even.
    #[serde(default)]
    pub(crate) x: u32,
    /// Pixels from the top.
    #[serde(default)]
    pub(crate) y: u32,
}

/// `colorCorrector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ColorCorrector {
    /// 1 to 100; 50 leaves it.
    #[serde(default = "middle")]
    pub(crate) brightness: u8,
    #[serde(default = "middle")]
    pub(crate) contrast: u8,
    #[serde(default = "middle")]
    pub(crate) saturation: u8,
    /// Degrees, -180 to 180.
    #[serde(default)]
    pub(crate) hue: i16,
    #[serde(default)]
    pub(crate) color_space_conversion: ColorSpaceConversion,
    #[serde(default)]
    pub(crate) hdr_to_sdr_tone_mapper: ToneMapper,
    #[serde(rename = "sampleRangeConversion")]
    _sample_range_conversion: Option<Nothing>,
}

/// The colour space an output is brought into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum ColorSpaceConversion {
    #[default]
    #[serde(rename = "NONE")]
    None,
    /// Standard dynamic range, ITU-R BT.709.
    #[serde(rename = "FORCE_709")]
    Rec709,
}

/// How much light becomes little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ToneMapper {
    #[default]
    PreserveDetails,
    Vibrant,
}

/// `deinterlacer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Deinterlacer {
    #[serde(default)]
    pub(crate) algorithm: DeinterlaceAlgorithm,
    #[serde(default)]
    pub(crate) control: DeinterlaceControl,
    #[serde(default)]
    pub(crate) mode: DeinterlaceMode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DeinterlaceAlgorithm {
    #[default]
    Interpolate,
    Blend,
    LinearInterpolation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DeinterlaceControl {
    /// What is marked as interlaced.
    #[default]
    Normal,
    ForceAllFrames,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DeinterlaceMode {
    #[default]
    Deinterlace,
}

/// A picture laid over an input or an output.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    /// When it appears; at the beginning when absent.
    pub(crate) start_time: Option<Timecode>,
    /// Milliseconds, fading in included and fading out not; to the end when absent or zero.
    pub(crate) duration: Option<u32>,
    /// Milliseconds.
    #[serde(default)]
    pub(crate) fade_in: u32,
    /// Milliseconds.
    #[serde(default)]
    pub(crate) fade_out: u32,
}

fn half() -> u8 {
    50
}
