//! One H.264 encode: picture, frame rate and x264's arguments.

use std::fmt::Write;

use crate::{
    job::{
        AdaptiveQuantization, CodecProfile, DynamicSubGop, EntropyCoding, FramerateControl, GopUnits, H264,
        InsertableImage, ParControl, RateControl, SceneChange, Toggle, TuningLevel, VideoDescription,
    },
    source::Ratio,
};

use super::picture::{Picture, Raster};

/// The buffer of the rate control model, in seconds of the highest rate, where the job does not say. Our choice.
const BUFFER_SECONDS: f64 = 2.5;

/// The longest GOP `AUTO` chooses, in seconds. Our choice: AWS publishes none.
const AUTO_GOP_SECONDS_MAX: u32 = 3;

/// A distinct encode; outputs that ask for equal ones share it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VideoEncode {
    pub(super) picture: Picture,
    pub(super) frame_rate: Ratio,
    /// Watermarks, lowest first.
    pub(super) images: Vec<InsertableImage>,
    /// ffmpeg options without the stream specifier: (`crf`, `22`).
    pub(super) options: Vec<(&'static str, String)>,
    pub(super) max_bitrate: Option<u32>,
}

impl VideoEncode {
    pub(super) fn new(
        description: &VideoDescription,
        h264: &H264,
        source: Raster,
        source_rate: Ratio,
        segment_seconds: Option<u32>,
    ) -> Self {
        let frame_rate = match h264.framerate_control {
            FramerateControl::InitializeFromSource => source_rate,
            FramerateControl::Specified => h264
                .framerate_numerator
                .zip(h264.framerate_denominator)
                .and_then(|(numerator, denominator)| Ratio::new(numerator, denominator))
                .unwrap_or(source_rate),
        };
        let pixel = match h264.par_control {
            ParControl::InitializeFromSource => None,
            ParControl::Specified => h264.par_numerator.zip(h264.par_denominator).and_then(|(n, d)| Ratio::new(n, d)),
        };
        let picture = Picture::fit(source, description.width, description.height, description.scaling_behavior, pixel);
        Self {
            picture,
            frame_rate,
            images: description.images().into_iter().cloned().collect(),
            options: options(h264, frame_rate, segment_seconds),
            max_bitrate: match h264.rate_control_mode {
                RateControl::Cbr => h264.bitrate,
                RateControl::Vbr | RateControl::Qvbr => h264.max_bitrate,
            },
        }
    }
}

fn options(h264: &H264, frame_rate: Ratio, segment_seconds: Option<u32>) -> Vec<(&'static str, String)> {
    let mut options: Vec<(&'static str, String)> = vec![("c", "libx264".into()), ("preset", preset(h264).into())];
    options.push((
        "profile",
        match h264.codec_profile {
            CodecProfile::Baseline => "baseline",
            CodecProfile::Main => "main",
            CodecProfile::High => "high",
        }
        .into(),
    ));
    if let Some(level) = &h264.codec_level.0 {
        options.push(("level", level.clone()));
    }
    rate_options(h264, &mut options);
    if let Some(frames) = h264.number_reference_frames {
        options.push(("refs", frames.to_string()));
    }
    if let Some(frames) = h264.b_frames {
        options.push(("bf", frames.to_string()));
    }
    if let Some(slices) = h264.slices {
        options.push(("slices", slices.to_string()));
    }
    let gop = Gop::new(h264, segment_seconds);
    options.push(("force_key_frames", gop.expression()));
    options.push(("forced-idr", "1".into()));
    options.push(("x264-params", parameters(h264, &gop, frame_rate)));
    options
}

/// The home favours speed: MediaConvert's single pass levels are x264's `veryfast`, its multi-pass level one pass of `medium`.
fn preset(h264: &H264) -> &'static str {
    match h264.quality_tuning_level {
        TuningLevel::SinglePass | TuningLevel::SinglePassHq => "veryfast",
        TuningLevel::MultiPassHq => "medium",
    }
}

fn rate_options(h264: &H264, options: &mut Vec<(&'static str, String)>) {
    let ceiling = match h264.rate_control_mode {
        RateControl::Qvbr => {
            // AWS publishes no formula for its levels; this one was chosen by looking.
            let qvbr = h264.qvbr_settings.unwrap_or_default();
            let level =
                f64::from(qvbr.qvbr_quality_level.unwrap_or(7)) + qvbr.qvbr_quality_level_fine_tune.unwrap_or(0.0);
            options.push(("crf", format!("{:.1}", 36.0 - 2.0 * level)));
            h264.max_bitrate
        }
        RateControl::Vbr => {
            options.push(("b", h264.bitrate.unwrap_or_default().to_string()));
            h264.max_bitrate
        }
        RateControl::Cbr => {
            options.push(("b", h264.bitrate.unwrap_or_default().to_string()));
            options.push(("minrate", h264.bitrate.unwrap_or_default().to_string()));
            h264.bitrate
        }
    };
    if let Some(ceiling) = ceiling {
        let buffer = h264.hrd_buffer_size.map_or(f64::from(ceiling) * BUFFER_SECONDS, f64::from);
        options.push(("maxrate", ceiling.to_string()));
        options.push(("bufsize", format!("{buffer:.0}")));
    }
}

/// Key frames are where the expression says and nowhere else: a scene cut becomes an I frame inside its GOP, because it lies
/// nearer to the last key frame than `min-keyint`. So the GOPs of all rungs line up.
fn parameters(h264: &H264, gop: &Gop, frame_rate: Ratio) -> String {
    let mut parameters = format!("keyint=infinite:min-keyint={}:open-gop=0", gop.frames(frame_rate));
    parameters.push_str(match h264.scene_change_detect {
        SceneChange::Enabled | SceneChange::TransitionDetection => ":scenecut=40",
        SceneChange::Disabled => ":scenecut=0",
    });
    parameters.push_str(match h264.entropy_encoding {
        EntropyCoding::Cabac if h264.codec_profile == CodecProfile::Baseline => ":cabac=0",
        EntropyCoding::Cabac => ":cabac=1",
        EntropyCoding::Cavlc => ":cabac=0",
    });
    match h264.gop_b_reference {
        Some(Toggle::Enabled) => parameters.push_str(":b-pyramid=normal"),
        Some(Toggle::Disabled) => parameters.push_str(":b-pyramid=none"),
        None => {}
    }
    match h264.dynamic_sub_gop {
        Some(DynamicSubGop::Adaptive) => parameters.push_str(":b-adapt=1"),
        Some(DynamicSubGop::Static) => parameters.push_str(":b-adapt=0"),
        None => {}
    }
    let strength = match h264.adaptive_quantization {
        AdaptiveQuantization::Auto => None,
        AdaptiveQuantization::Off => Some(0.0),
        AdaptiveQuantization::Low => Some(0.5),
        AdaptiveQuantization::Medium => Some(0.8),
        AdaptiveQuantization::High => Some(1.0),
        AdaptiveQuantization::Higher => Some(1.3),
        AdaptiveQuantization::Max => Some(1.6),
    };
    if let Some(strength) = strength {
        let mode = u8::from(strength > 0.0);
        // Writing to a string cannot fail.
        let _ = write!(parameters, ":aq-mode={mode}:aq-strength={strength}");
    }
    if h264.rate_control_mode == RateControl::Cbr {
        parameters.push_str(":nal-hrd=cbr");
    }
    parameters
}

/// A group of pictures' length.
enum Gop {
    Seconds(f64),
    Frames(u32),
}

impl Gop {
    fn new(h264: &H264, segment_seconds: Option<u32>) -> Self {
        let size = h264.gop_size.unwrap_or_default();
        match h264.gop_size_units {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "validated to be 1 to 100,000")]
            GopUnits::Frames => Self::Frames(size.round().max(1.0) as u32),
            GopUnits::Seconds => Self::Seconds(size),
            GopUnits::Auto => {
                let segment = segment_seconds.unwrap_or(AUTO_GOP_SECONDS_MAX);
                let longest = (1..=AUTO_GOP_SECONDS_MAX).rev().find(|gop| segment.is_multiple_of(*gop));
                Self::Seconds(f64::from(longest.unwrap_or(1)))
            }
        }
    }

    fn expression(&self) -> String {
        match self {
            Self::Seconds(seconds) => format!("expr:gte(t,n_forced*{seconds})"),
            Self::Frames(frames) => format!("expr:not(mod(n,{frames}))"),
        }
    }

    fn frames(&self, frame_rate: Ratio) -> u32 {
        match self {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and far below 2^32")]
            Self::Seconds(seconds) => (seconds * frame_rate.value()).ceil().max(1.0) as u32,
            Self::Frames(frames) => *frames,
        }
    }
}
