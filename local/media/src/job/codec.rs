//! Video codecs: each one's settings, and what all of them say in common.

use serde::Deserialize;

use super::{
    Ratio,
    neutral::{Default_, Disabled, Enabled, Exactly, Included, NoItems, Nothing, Toggle},
};

/// `codecSettings` of a video.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CodecSettings {
    /// Which of the settings counts.
    pub(crate) codec: VideoCodec,
    pub(crate) h264_settings: Option<H264>,
    pub(crate) h265_settings: Option<H265>,
    pub(crate) vp9_settings: Option<Vp9>,
    pub(crate) av1_settings: Option<Av1>,
    pub(crate) prores_settings: Option<ProRes>,
    pub(crate) frame_capture_settings: Option<FrameCapture>,
}

impl CodecSettings {
    /// The settings of its codec; `None` where they are missing, and for frame captures.
    pub(crate) fn coding(&self) -> Option<Coding<'_>> {
        match self.codec {
            VideoCodec::H264 => self.h264_settings.as_ref().map(Coding::H264),
            VideoCodec::H265 => self.h265_settings.as_ref().map(Coding::H265),
            VideoCodec::Vp9 => self.vp9_settings.as_ref().map(Coding::Vp9),
            VideoCodec::Av1 => self.av1_settings.as_ref().map(Coding::Av1),
            VideoCodec::ProRes => self.prores_settings.as_ref().map(Coding::ProRes),
            VideoCodec::FrameCapture => None,
        }
    }

    /// The names of all settings that are there, with the codec each belongs to.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static str, VideoCodec)> {
        [
            (self.h264_settings.is_some(), VideoCodec::H264),
            (self.h265_settings.is_some(), VideoCodec::H265),
            (self.vp9_settings.is_some(), VideoCodec::Vp9),
            (self.av1_settings.is_some(), VideoCodec::Av1),
            (self.prores_settings.is_some(), VideoCodec::ProRes),
            (self.frame_capture_settings.is_some(), VideoCodec::FrameCapture),
        ]
        .into_iter()
        .filter_map(|(present, codec)| present.then_some((codec.settings_name(), codec)))
    }
}

/// The codecs the home has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum VideoCodec {
    #[serde(rename = "H_264")]
    H264,
    #[serde(rename = "H_265")]
    H265,
    #[serde(rename = "VP9")]
    Vp9,
    #[serde(rename = "AV1")]
    Av1,
    #[serde(rename = "PRORES")]
    ProRes,
    #[serde(rename = "FRAME_CAPTURE")]
    FrameCapture,
}

impl VideoCodec {
    /// The property that holds its settings.
    pub(crate) fn settings_name(self) -> &'static str {
        match self {
            Self::H264 => "h264Settings",
            Self::H265 => "h265Settings",
            Self::Vp9 => "vp9Settings",
            Self::Av1 => "av1Settings",
            Self::ProRes => "proresSettings",
            Self::FrameCapture => "frameCaptureSettings",
        }
    }

    /// ffmpeg's encoder for it.
    pub(crate) fn encoder(self) -> &'static str {
        match self {
            Self::H264 => "libx264",
            Self::H265 => "libx265",
            Self::Vp9 => "libvpx-vp9",
            Self::Av1 => "libsvtav1",
            Self::ProRes => "prores_ks",
            Self::FrameCapture => "mjpeg",
        }
    }
}

/// A codec with its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Coding<'a> {
    H264(&'a H264),
    H265(&'a H265),
    Vp9(&'a Vp9),
    Av1(&'a Av1),
    ProRes(&'a ProRes),
}

/// What every codec's settings say, by whatever enums they say it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Common {
    /// `None` where the codec has none: its profile decides.
    pub(crate) rate_control: Option<RateControl>,
    pub(crate) qvbr: Qvbr,
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    /// Bits per second.
    pub(crate) max_bitrate: Option<u32>,
    /// Bits.
    pub(crate) hrd_buffer_size: Option<u32>,
    /// `None` where every picture stands alone.
    pub(crate) gop: Option<GopSize>,
    pub(crate) frame_rate: FrameRate,
    pub(crate) conversion: Conversion,
    pub(crate) pixel: Pixel,
}

/// `gopSize` with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GopSize {
    pub(crate) size: Option<f64>,
    pub(crate) units: GopUnits,
}

/// Frames per second: the source's, or these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameRate {
    pub(crate) control: FramerateControl,
    pub(crate) numerator: Option<u32>,
    pub(crate) denominator: Option<u32>,
}

impl FrameRate {
    /// The rate, given the source's.
    pub(crate) fn or(self, source: Ratio) -> Ratio {
        match (self.control, self.numerator, self.denominator) {
            (FramerateControl::Specified, Some(n), Some(d)) => Ratio::new(n, d).unwrap_or(source),
            _ => source,
        }
    }
}

/// The shape of a pixel: the source's, or this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixel {
    pub(crate) control: ParControl,
    pub(crate) numerator: Option<u32>,
    pub(crate) denominator: Option<u32>,
}

impl Pixel {
    /// The shape asked for.
    pub(crate) fn specified(self) -> Option<Ratio> {
        match (self.control, self.numerator, self.denominator) {
            (ParControl::Specified, Some(n), Some(d)) => Ratio::new(n, d),
            _ => None,
        }
    }
}

impl Coding<'_> {
    pub(crate) fn codec(self) -> VideoCodec {
        match self {
            Self::H264(_) => VideoCodec::H264,
            Self::H265(_) => VideoCodec::H265,
            Self::Vp9(_) => VideoCodec::Vp9,
            Self::Av1(_) => VideoCodec::Av1,
            Self::ProRes(_) => VideoCodec::ProRes,
        }
    }

    /// What it has in common with the others.
    pub(crate) fn common(self) -> Common {
        match self {
            Self::H264(settings) => Common {
                rate_control: Some(settings.rate_control_mode),
                qvbr: settings.qvbr_settings.unwrap_or_default(),
                bitrate: settings.bitrate,
                max_bitrate: settings.max_bitrate,
                hrd_buffer_size: settings.hrd_buffer_size,
                gop: Some(GopSize { size: settings.gop_size, units: settings.gop_size_units }),
                frame_rate: FrameRate {
                    control: settings.framerate_control,
                    numerator: settings.framerate_numerator,
                    denominator: settings.framerate_denominator,
                },
                conversion: settings.framerate_conversion_algorithm,
                pixel: Pixel {
                    control: settings.par_control,
                    numerator: settings.par_numerator,
                    denominator: settings.par_denominator,
                },
            },
            Self::H265(settings) => Common {
                rate_control: Some(settings.rate_control_mode),
                qvbr: settings.qvbr_settings.unwrap_or_default(),
                bitrate: settings.bitrate,
                max_bitrate: settings.max_bitrate,
                hrd_buffer_size: settings.hrd_buffer_size,
                gop: Some(GopSize { size: settings.gop_size, units: settings.gop_size_units }),
                frame_rate: FrameRate {
                    control: settings.framerate_control,
                    numerator: settings.framerate_numerator,
                    denominator: settings.framerate_denominator,
                },
                conversion: settings.framerate_conversion_algorithm,
                pixel: Pixel {
                    control: settings.par_control,
                    numerator: settings.par_numerator,
                    denominator: settings.par_denominator,
                },
            },
            Self::Vp9(settings) => Common {
                rate_control: Some(RateControl::Vbr),
                qvbr: Qvbr::default(),
                bitrate: settings.bitrate,
                max_bitrate: settings.max_bitrate,
                hrd_buffer_size: settings.hrd_buffer_size,
                gop: Some(GopSize::frames(settings.gop_size)),
                frame_rate: FrameRate {
                    control: settings.framerate_control,
                    numerator: settings.framerate_numerator,
                    denominator: settings.framerate_denominator,
                },
                conversion: settings.framerate_conversion_algorithm,
                pixel: Pixel {
                    control: settings.par_control,
                    numerator: settings.par_numerator,
                    denominator: settings.par_denominator,
                },
            },
            Self::Av1(settings) => Common {
                rate_control: Some(settings.rate_control_mode.into()),
                qvbr: settings.qvbr_settings.unwrap_or_default(),
                bitrate: settings.bitrate,
                max_bitrate: settings.max_bitrate,
                hrd_buffer_size: None,
                gop: Some(GopSize::frames(settings.gop_size)),
                frame_rate: FrameRate {
                    control: settings.framerate_control,
                    numerator: settings.framerate_numerator,
                    denominator: settings.framerate_denominator,
                },
                conversion: settings.framerate_conversion_algorithm,
                pixel: Pixel { control: ParControl::InitializeFromSource, numerator: None, denominator: None },
            },
            Self::ProRes(settings) => Common {
                rate_control: None,
                qvbr: Qvbr::default(),
                bitrate: None,
                max_bitrate: None,
                hrd_buffer_size: None,
                gop: None,
                frame_rate: FrameRate {
                    control: settings.framerate_control,
                    numerator: settings.framerate_numerator,
                    denominator: settings.framerate_denominator,
                },
                conversion: settings.framerate_conversion_algorithm,
                pixel: Pixel {
                    control: settings.par_control,
                    numerator: settings.par_numerator,
                    denominator: settings.par_denominator,
                },
            },
        }
    }
}

impl GopSize {
    fn frames(size: Option<f64>) -> Self {
        Self { size, units: if size.is_some() { GopUnits::Frames } else { GopUnits::Auto } }
    }
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
    /// Per cent of the buffer that is full at the beginning.
    pub(crate) hrd_buffer_initial_fill_percentage: Option<u8>,
    #[serde(default)]
    pub(crate) quality_tuning_level: TuningLevel,
    #[serde(default)]
    pub(crate) codec_profile: H264Profile,
    #[serde(default)]
    pub(crate) codec_level: CodecLevel,
    #[serde(default)]
    pub(crate) entropy_encoding: EntropyCoding,
    pub(crate) explicit_weighted_prediction: Option<Toggle>,
    /// 0: flat quantisation matrices; 1 and 16: those of the standard.
    #[serde(default)]
    pub(crate) softness: u8,
    pub(crate) repeat_pps: Option<Toggle>,
    /// In [`GopUnits`]; `AUTO` chooses it.
    pub(crate) gop_size: Option<f64>,
    #[serde(default)]
    pub(crate) gop_size_units: GopUnits,
    /// Every GOP is closed here, which satisfies any cadence but zero (always open).
    pub(crate) gop_closed_cadence: Option<u32>,
    /// Frames between IDR frames; those stand at the beginnings of GOPs alone, so it may not be longer than a GOP.
    pub(crate) min_i_interval: Option<u32>,
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
    pub(crate) framerate_conversion_algorithm: Conversion,
    #[serde(default)]
    pub(crate) par_control: ParControl,
    pub(crate) par_numerator: Option<u32>,
    pub(crate) par_denominator: Option<u32>,
    #[serde(rename = "interlaceMode")]
    _interlace_mode: Option<Progressive>,
    #[serde(rename = "telecine")]
    _telecine: Option<Nothing>,
    #[serde(rename = "slowPal")]
    _slow_pal: Option<Disabled>,
    #[serde(rename = "unregisteredSeiTimecode")]
    _unregistered_sei_timecode: Option<Disabled>,
    // The encoder decides these three together, by its own adaptive quantisation; AWS's defaults ask for nothing else.
    #[serde(rename = "flickerAdaptiveQuantization")]
    _flicker_adaptive_quantization: Option<Toggle>,
    #[serde(rename = "spatialAdaptiveQuantization")]
    _spatial_adaptive_quantization: Option<Enabled>,
    #[serde(rename = "temporalAdaptiveQuantization")]
    _temporal_adaptive_quantization: Option<Enabled>,
    #[serde(rename = "endOfStreamMarkers")]
    _end_of_stream_markers: Option<Included>,
    #[serde(rename = "hrdBufferFinalFillPercentage")]
    _hrd_buffer_final_fill_percentage: Option<Exactly<0>>,
    #[serde(rename = "perFrameMetrics")]
    _per_frame_metrics: Option<NoItems>,
    #[serde(rename = "syntax")]
    _syntax: Option<Default_>,
    #[serde(rename = "fieldEncoding")]
    _field_encoding: Option<FieldEncoding>,
    #[serde(rename = "saliencyAwareEncoding")]
    _saliency_aware_encoding: Option<Disabled>,
    #[serde(rename = "writeMp4PackagingType")]
    _write_mp4_packaging_type: Option<Avc1>,
}

/// `h265Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct H265 {
    #[serde(default)]
    pub(crate) rate_control_mode: RateControl,
    pub(crate) qvbr_settings: Option<Qvbr>,
    /// Bits per second; with QVBR and VBR.
    pub(crate) max_bitrate: Option<u32>,
    /// Bits per second; with VBR and CBR.
    pub(crate) bitrate: Option<u32>,
    /// Bits; two and a half seconds of the maximum when absent.
    pub(crate) hrd_buffer_size: Option<u32>,
    /// Per cent of the buffer that is full at the beginning.
    pub(crate) hrd_buffer_initial_fill_percentage: Option<u8>,
    #[serde(default)]
    pub(crate) quality_tuning_level: TuningLevel,
    #[serde(default)]
    pub(crate) codec_profile: H265Profile,
    #[serde(default)]
    pub(crate) codec_level: CodecLevel,
    /// How MP4 names the track, and whether parameter sets may stand in the stream as well.
    #[serde(default)]
    pub(crate) write_mp4_packaging_type: H265Packaging,
    pub(crate) deblocking: Option<Toggle>,
    #[serde(default)]
    pub(crate) sample_adaptive_offset_filter_mode: SampleAdaptiveOffset,
    #[serde(default)]
    pub(crate) tree_block_size: TreeBlockSize,
    /// In [`GopUnits`]; `AUTO` chooses it.
    pub(crate) gop_size: Option<f64>,
    #[serde(default)]
    pub(crate) gop_size_units: GopUnits,
    /// Every GOP is closed here, which satisfies any cadence but zero (always open).
    pub(crate) gop_closed_cadence: Option<u32>,
    /// Frames between IDR frames; those stand at the beginnings of GOPs alone, so it may not be longer than a GOP.
    pub(crate) min_i_interval: Option<u32>,
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
    pub(crate) framerate_conversion_algorithm: Conversion,
    #[serde(default)]
    pub(crate) par_control: ParControl,
    pub(crate) par_numerator: Option<u32>,
    pub(crate) par_denominator: Option<u32>,
    #[serde(rename = "interlaceMode")]
    _interlace_mode: Option<Progressive>,
    #[serde(rename = "telecine")]
    _telecine: Option<Nothing>,
    #[serde(rename = "slowPal")]
    _slow_pal: Option<Disabled>,
    #[serde(rename = "unregisteredSeiTimecode")]
    _unregistered_sei_timecode: Option<Disabled>,
    // The encoder decides these three together, by its own adaptive quantisation; AWS's defaults ask for nothing else.
    #[serde(rename = "flickerAdaptiveQuantization")]
    _flicker_adaptive_quantization: Option<Toggle>,
    #[serde(rename = "spatialAdaptiveQuantization")]
    _spatial_adaptive_quantization: Option<Enabled>,
    #[serde(rename = "temporalAdaptiveQuantization")]
    _temporal_adaptive_quantization: Option<Enabled>,
    #[serde(rename = "endOfStreamMarkers")]
    _end_of_stream_markers: Option<Included>,
    #[serde(rename = "hrdBufferFinalFillPercentage")]
    _hrd_buffer_final_fill_percentage: Option<Exactly<0>>,
    #[serde(rename = "perFrameMetrics")]
    _per_frame_metrics: Option<NoItems>,
    #[serde(rename = "alternateTransferFunctionSei")]
    _alternate_transfer_function_sei: Option<Disabled>,
    #[serde(rename = "mvOverPictureBoundaries")]
    _mv_over_picture_boundaries: Option<Enabled>,
    #[serde(rename = "mvTemporalPredictor")]
    _mv_temporal_predictor: Option<Enabled>,
    #[serde(rename = "temporalIds")]
    _temporal_ids: Option<Disabled>,
    #[serde(rename = "tilePadding")]
    _tile_padding: Option<Nothing>,
    #[serde(rename = "tiles")]
    _tiles: Option<Disabled>,
}

/// H.265 profiles with their tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum H265Profile {
    #[default]
    MainMain,
    MainHigh,
    #[serde(rename = "MAIN10_MAIN")]
    Main10Main,
    #[serde(rename = "MAIN10_HIGH")]
    Main10High,
}

/// The sample entry of an H.265 track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum H265Packaging {
    #[default]
    Hvc1,
    Hev1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SampleAdaptiveOffset {
    #[default]
    Default,
    Adaptive,
    Off,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum TreeBlockSize {
    #[default]
    #[serde(rename = "AUTO")]
    Auto,
    #[serde(rename = "TREE_SIZE_32X32")]
    Size32,
}

/// `vp9Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Vp9 {
    #[serde(rename = "rateControlMode")]
    _rate_control_mode: Option<VariableRate>,
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    /// Bits per second; twice the bit rate when absent.
    pub(crate) max_bitrate: Option<u32>,
    /// Bits.
    pub(crate) hrd_buffer_size: Option<u32>,
    /// Frames.
    pub(crate) gop_size: Option<f64>,
    #[serde(default)]
    pub(crate) quality_tuning_level: Vp9TuningLevel,
    #[serde(default)]
    pub(crate) framerate_control: FramerateControl,
    pub(crate) framerate_numerator: Option<u32>,
    pub(crate) framerate_denominator: Option<u32>,
    #[serde(default)]
    pub(crate) framerate_conversion_algorithm: Conversion,
    #[serde(default)]
    pub(crate) par_control: ParControl,
    pub(crate) par_numerator: Option<u32>,
    pub(crate) par_denominator: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum VariableRate {
    Vbr,
}

/// Speed against quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Vp9TuningLevel {
    #[default]
    MultiPass,
    MultiPassHq,
}

/// `av1Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Av1 {
    #[serde(default)]
    pub(crate) rate_control_mode: Av1RateControl,
    pub(crate) qvbr_settings: Option<Qvbr>,
    /// Bits per second; with QVBR.
    pub(crate) max_bitrate: Option<u32>,
    /// Bits per second; with CBR.
    pub(crate) bitrate: Option<u32>,
    /// Frames.
    pub(crate) gop_size: Option<f64>,
    /// 7 or 15: the layers of a pyramid.
    #[serde(rename = "numberBFramesBetweenReferenceFrames")]
    pub(crate) b_frames: Option<u8>,
    #[serde(default)]
    pub(crate) bit_depth: Av1BitDepth,
    #[serde(default)]
    pub(crate) film_grain_synthesis: FilmGrain,
    #[serde(default)]
    pub(crate) framerate_control: FramerateControl,
    pub(crate) framerate_numerator: Option<u32>,
    pub(crate) framerate_denominator: Option<u32>,
    #[serde(default)]
    pub(crate) framerate_conversion_algorithm: Conversion,
    #[serde(rename = "perFrameMetrics")]
    _per_frame_metrics: Option<NoItems>,
    #[serde(rename = "sceneChangeDetect")]
    _scene_change_detect: Option<Disabled>,
    #[serde(rename = "slices")]
    _slices: Option<Exactly<1>>,
    #[serde(rename = "spatialAdaptiveQuantization")]
    _spatial_adaptive_quantization: Option<Enabled>,
}

/// How AV1's bits are spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Av1RateControl {
    Cbr,
    #[default]
    Qvbr,
}

impl From<Av1RateControl> for RateControl {
    fn from(mode: Av1RateControl) -> Self {
        match mode {
            Av1RateControl::Cbr => Self::Cbr,
            Av1RateControl::Qvbr => Self::Qvbr,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Av1BitDepth {
    #[default]
    #[serde(rename = "BIT_8")]
    Eight,
    #[serde(rename = "BIT_10")]
    Ten,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FilmGrain {
    Enabled,
    #[default]
    Disabled,
}

/// `proresSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProRes {
    #[serde(default)]
    pub(crate) codec_profile: ProResProfile,
    pub(crate) chroma_sampling: Option<ChromaSampling>,
    #[serde(default)]
    pub(crate) framerate_control: FramerateControl,
    pub(crate) framerate_numerator: Option<u32>,
    pub(crate) framerate_denominator: Option<u32>,
    #[serde(default)]
    pub(crate) framerate_conversion_algorithm: Conversion,
    #[serde(default)]
    pub(crate) par_control: ParControl,
    pub(crate) par_numerator: Option<u32>,
    pub(crate) par_denominator: Option<u32>,
    #[serde(rename = "interlaceMode")]
    _interlace_mode: Option<Progressive>,
    #[serde(rename = "perFrameMetrics")]
    _per_frame_metrics: Option<NoItems>,
    #[serde(rename = "slowPal")]
    _slow_pal: Option<Disabled>,
    #[serde(rename = "telecine")]
    _telecine: Option<Nothing>,
}

/// `APPLE_PRORES_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum ProResProfile {
    #[serde(rename = "APPLE_PRORES_422_PROXY")]
    Proxy,
    #[serde(rename = "APPLE_PRORES_422_LT")]
    Lt,
    #[default]
    #[serde(rename = "APPLE_PRORES_422")]
    Standard,
    #[serde(rename = "APPLE_PRORES_422_HQ")]
    Hq,
    #[serde(rename = "APPLE_PRORES_4444")]
    Full,
    #[serde(rename = "APPLE_PRORES_4444_XQ")]
    FullXq,
}

impl ProResProfile {
    /// Whether colour is sampled as often as brightness.
    pub(crate) fn is_full_chroma(self) -> bool {
        matches!(self, Self::Full | Self::FullXq)
    }
}

/// What becomes of colour sampled in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum ChromaSampling {
    #[serde(rename = "PRESERVE_444_SAMPLING")]
    Preserve,
    #[serde(rename = "SUBSAMPLE_TO_422")]
    Subsample,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Avc1 {
    #[serde(rename = "AVC1")]
    Avc1,
}

/// How another frame rate is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Conversion {
    /// Frames are repeated or left out.
    #[default]
    DuplicateDrop,
    /// Neighbouring frames are blended.
    Interpolate,
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

/// H.264 profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum H264Profile {
    Baseline,
    #[default]
    Main,
    High,
    #[serde(rename = "HIGH_10BIT")]
    High10,
    #[serde(rename = "HIGH_422")]
    High422,
    #[serde(rename = "HIGH_422_10BIT")]
    High422In10,
}

/// `LEVEL_3_1` and so on; `AUTO` lets the encoder say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CodecLevel(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for CodecLevel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const LEVELS: [&str; 19] = [
            "1", "1_1", "1_2", "1_3", "2", "2_1", "2_2", "3", "3_1", "3_2", "4", "4_1", "4_2", "5", "5_1", "5_2", "6",
            "6_1", "6_2",
        ];
        let name = String::deserialize(deserializer)?;
        if name == "AUTO" {
            return Ok(Self(None));
        }
        match name.strip_prefix("LEVEL_") {
            Some(level) if LEVELS.contains(&level) => Ok(Self(Some(level.replace('_', ".")))),
            _ => Err(serde::de::Error::custom(
                "Should be equal to one of the allowed values: AUTO, LEVEL_1 to LEVEL_6_2",
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
