//! ffmpeg's options for each codec.
//!
//! Whatever the codec, key frames are where the expression says (or every so many frames where an encoder takes no expression)
//! and nowhere else: a scene cut becomes an I frame inside its GOP at most. So the GOPs of all rungs line up.

use std::fmt::Write;

use crate::{
    job::{
        AdaptiveQuantization, Av1, Av1BitDepth, Coding, Common, DynamicSubGop, EntropyCoding, FilmGrain, GopSize,
        GopUnits, H264, H264Profile, H265, H265Packaging, H265Profile, ProRes, ProResProfile, RateControl,
        SampleAdaptiveOffset, SceneChange, Toggle, TreeBlockSize, TuningLevel, Vp9, Vp9TuningLevel,
    },
    source::{Hdr10, Ratio},
};

/// The buffer of the rate control model, in seconds of the highest rate, where the job does not say. Our choice.
const BUFFER_SECONDS: f64 = 2.5;

/// The longest GOP `AUTO` chooses, in seconds. Our choice: AWS publishes none.
const AUTO_GOP_SECONDS_MAX: u32 = 3;

type Options = Vec<(&'static str, String)>;

/// What codecs tell of colours beyond the pictures' own tags.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Color<'a> {
    pub(super) hdr10: Option<&'a Hdr10>,
}

/// The format of pixels that the encoder takes.
pub(super) fn pixel_format(coding: Coding<'_>) -> &'static str {
    match coding {
        Coding::H264(h264) => match h264.codec_profile {
            H264Profile::Baseline | H264Profile::Main | H264Profile::High => "yuv420p",
            H264Profile::High10 => "yuv420p10le",
            H264Profile::High422 => "yuv422p",
            H264Profile::High422In10 => "yuv422p10le",
        },
        Coding::H265(h265) => match h265.codec_profile {
            H265Profile::MainMain | H265Profile::MainHigh => "yuv420p",
            H265Profile::Main10Main | H265Profile::Main10High => "yuv420p10le",
        },
        Coding::Av1(av1) if av1.bit_depth == Av1BitDepth::Ten => "yuv420p10le",
        Coding::Av1(_) | Coding::Vp9(_) => "yuv420p",
        Coding::ProRes(prores) if prores.codec_profile.is_full_chroma() => "yuv444p10le",
        Coding::ProRes(_) => "yuv422p10le",
    }
}

/// The options of an encode, without stream specifiers.
pub(super) fn options(
    coding: Coding<'_>,
    frame_rate: Ratio,
    segment_seconds: Option<u32>,
    color: Color<'_>,
) -> Options {
    let common = coding.common();
    let gop = common.gop.map(|gop| Gop::new(gop, segment_seconds));
    let mut options: Options = vec![("c", coding.codec().encoder().into())];
    match (coding, gop) {
        (Coding::H264(h264), Some(gop)) => h264_options(h264, &common, &gop, frame_rate, &mut options),
        (Coding::H265(h265), Some(gop)) => h265_options(h265, &common, &gop, frame_rate, color, &mut options),
        (Coding::Vp9(vp9), Some(gop)) => vp9_options(vp9, &gop, &mut options),
        (Coding::Av1(av1), Some(gop)) => av1_options(av1, &common, &gop, frame_rate, &mut options),
        (Coding::ProRes(prores), _) => prores_options(prores, &mut options),
        // Every other codec has GOPs.
        (_, None) => {}
    }
    options
}

fn h264_options(h264: &H264, common: &Common, gop: &Gop, frame_rate: Ratio, options: &mut Options) {
    options.push(("preset", preset(h264.quality_tuning_level).into()));
    options.push((
        "profile",
        match h264.codec_profile {
            H264Profile::Baseline => "baseline",
            H264Profile::Main => "main",
            H264Profile::High => "high",
            H264Profile::High10 => "high10",
            H264Profile::High422 | H264Profile::High422In10 => "high422",
        }
        .into(),
    ));
    if let Some(level) = &h264.codec_level.0 {
        options.push(("level", level.clone()));
    }
    rate_options(common, options);
    if let Some(frames) = h264.number_reference_frames {
        options.push(("refs", frames.to_string()));
    }
    if let Some(frames) = h264.b_frames {
        options.push(("bf", frames.to_string()));
    }
    if let Some(slices) = h264.slices {
        options.push(("slices", slices.to_string()));
    }
    options.push(("force_key_frames", gop.expression()));
    options.push(("forced-idr", "1".into()));
    options.push(("x264-params", x264_parameters(h264, gop, frame_rate)));
}

/// The home favours speed: MediaConvert's single pass levels are `veryfast`, its multi-pass level one pass of `medium`.
fn preset(level: TuningLevel) -> &'static str {
    match level {
        TuningLevel::SinglePass | TuningLevel::SinglePassHq => "veryfast",
        TuningLevel::MultiPassHq => "medium",
    }
}

/// AWS publishes no formula for its levels; this one was chosen by looking.
fn quality_level(common: &Common) -> f64 {
    let qvbr = common.qvbr;
    f64::from(qvbr.qvbr_quality_level.unwrap_or(7)) + qvbr.qvbr_quality_level_fine_tune.unwrap_or(0.0)
}

/// The rate control of x264 and x265, whose scales of quality are alike.
fn rate_options(common: &Common, options: &mut Options) {
    let bitrate = common.bitrate.unwrap_or_default();
    let ceiling = match common.rate_control {
        Some(RateControl::Qvbr) => {
            options.push(("crf", format!("{:.1}", 36.0 - 2.0 * quality_level(common))));
            common.max_bitrate
        }
        Some(RateControl::Cbr) => {
            options.push(("b", bitrate.to_string()));
            options.push(("minrate", bitrate.to_string()));
            common.bitrate
        }
        Some(RateControl::Vbr) | None => {
            options.push(("b", bitrate.to_string()));
            common.max_bitrate
        }
    };
    if let Some(ceiling) = ceiling {
        options.push(("maxrate", ceiling.to_string()));
        options.push(("bufsize", buffer(common.hrd_buffer_size, ceiling)));
    }
}

fn buffer(asked: Option<u32>, ceiling: u32) -> String {
    let buffer = asked.map_or(f64::from(ceiling) * BUFFER_SECONDS, f64::from);
    format!("{buffer:.0}")
}

/// A scene cut becomes an I frame inside its GOP, because it lies nearer to the last key frame than `min-keyint`.
fn x264_parameters(h264: &H264, gop: &Gop, frame_rate: Ratio) -> String {
    let mut parameters = format!("keyint=infinite:min-keyint={}:open-gop=0", gop.frames(frame_rate));
    parameters.push_str(scene_cut(h264.scene_change_detect));
    parameters.push_str(match h264.entropy_encoding {
        EntropyCoding::Cabac if h264.codec_profile == H264Profile::Baseline => ":cabac=0",
        EntropyCoding::Cabac => ":cabac=1",
        EntropyCoding::Cavlc => ":cabac=0",
    });
    match h264.gop_b_reference {
        Some(Toggle::Enabled) => parameters.push_str(":b-pyramid=normal"),
        Some(Toggle::Disabled) => parameters.push_str(":b-pyramid=none"),
        None => {}
    }
    match h264.explicit_weighted_prediction {
        Some(Toggle::Enabled) => parameters.push_str(":weightp=2"),
        Some(Toggle::Disabled) => parameters.push_str(":weightp=0"),
        None => {}
    }
    sub_gop(h264.dynamic_sub_gop, &mut parameters);
    adaptive_quantization(h264.adaptive_quantization, &mut parameters);
    if h264.softness > 0 {
        parameters.push_str(":cqm=jvt");
    }
    if let Some(percent) = h264.hrd_buffer_initial_fill_percentage {
        // Writing to a string cannot fail.
        let _ = write!(parameters, ":vbv-init={:.2}", f64::from(percent) / 100.0);
    }
    if h264.rate_control_mode == RateControl::Cbr {
        parameters.push_str(":nal-hrd=cbr");
    }
    parameters
}

fn scene_cut(detect: SceneChange) -> &'static str {
    match detect {
        SceneChange::Enabled | SceneChange::TransitionDetection => ":scenecut=40",
        SceneChange::Disabled => ":scenecut=0",
    }
}

fn sub_gop(dynamic: Option<DynamicSubGop>, parameters: &mut String) {
    match dynamic {
        Some(DynamicSubGop::Adaptive) => parameters.push_str(":b-adapt=1"),
        Some(DynamicSubGop::Static) => parameters.push_str(":b-adapt=0"),
        None => {}
    }
}

fn adaptive_quantization(quantization: AdaptiveQuantization, parameters: &mut String) {
    let strength = match quantization {
        AdaptiveQuantization::Auto => return,
        AdaptiveQuantization::Off => 0.0,
        AdaptiveQuantization::Low => 0.5,
        AdaptiveQuantization::Medium => 0.8,
        AdaptiveQuantization::High => 1.0,
        AdaptiveQuantization::Higher => 1.3,
        AdaptiveQuantization::Max => 1.6,
    };
    let mode = u8::from(strength > 0.0);
    // Writing to a string cannot fail.
    let _ = write!(parameters, ":aq-mode={mode}:aq-strength={strength}");
}

fn h265_options(h265: &H265, common: &Common, gop: &Gop, frame_rate: Ratio, color: Color<'_>, options: &mut Options) {
    options.push(("preset", preset(h265.quality_tuning_level).into()));
    let (profile, tier) = match h265.codec_profile {
        H265Profile::MainMain => ("main", 0),
        H265Profile::MainHigh => ("main", 1),
        H265Profile::Main10Main => ("main10", 0),
        H265Profile::Main10High => ("main10", 1),
    };
    options.push(("profile", profile.into()));
    rate_options(common, options);
    options.push((
        "tag",
        match h265.write_mp4_packaging_type {
            H265Packaging::Hvc1 => "hvc1",
            H265Packaging::Hev1 => "hev1",
        }
        .into(),
    ));
    options.push(("force_key_frames", gop.expression()));
    options.push(("forced-idr", "1".into()));
    let mut parameters = format!(
        "log-level=error:keyint=-1:min-keyint={}:open-gop=0:high-tier={tier}{}",
        gop.frames(frame_rate),
        scene_cut(h265.scene_change_detect)
    );
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(parameters, ":{name}={value}");
        }
    };
    let switch = |toggle: Toggle| u8::from(toggle == Toggle::Enabled).to_string();
    set("level-idc", h265.codec_level.0.clone());
    set("ref", h265.number_reference_frames.map(|frames| frames.to_string()));
    set("bframes", h265.b_frames.map(|frames| frames.to_string()));
    set("b-pyramid", h265.gop_b_reference.map(switch));
    set("slices", h265.slices.map(|slices| slices.to_string()));
    set("deblock", h265.deblocking.filter(|toggle| *toggle == Toggle::Disabled).map(|_| "false".to_owned()));
    let sao = (h265.sample_adaptive_offset_filter_mode == SampleAdaptiveOffset::Off).then(|| "0".to_owned());
    set("sao", sao);
    set("ctu", (h265.tree_block_size == TreeBlockSize::Size32).then(|| "32".to_owned()));
    let fill = h265.hrd_buffer_initial_fill_percentage;
    set("vbv-init", fill.map(|percent| format!("{:.2}", f64::from(percent) / 100.0)));
    set("strict-cbr", (h265.rate_control_mode == RateControl::Cbr).then(|| "1".to_owned()));
    if tier_is_ten_bit(h265)
        && let Some(hdr10) = color.hdr10
    {
        set("hdr10", Some("1".to_owned()));
        set("master-display", Some(master_display(hdr10)));
        set("max-cll", hdr10.light_level.map(|(content, average)| format!("{content},{average}")));
    }
    sub_gop(h265.dynamic_sub_gop, &mut parameters);
    adaptive_quantization(h265.adaptive_quantization, &mut parameters);
    options.push(("x265-params", parameters));
}

fn tier_is_ten_bit(h265: &H265) -> bool {
    matches!(h265.codec_profile, H265Profile::Main10Main | H265Profile::Main10High)
}

/// As x265 takes it. Source: <https://x265.readthedocs.io/en/stable/cli.html> (`--master-display`).
fn master_display(hdr10: &Hdr10) -> String {
    let mut text = String::new();
    for (name, (x, y)) in ["G", "B", "R", "WP"].into_iter().zip(hdr10.primaries) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{name}({x},{y})");
    }
    let _ = write!(text, "L({},{})", hdr10.luminance.0, hdr10.luminance.1);
    text
}

/// One pass: the passes of AWS's are told apart by how long each thinks.
fn vp9_options(vp9: &Vp9, gop: &Gop, options: &mut Options) {
    let bitrate = vp9.bitrate.unwrap_or_default();
    let ceiling = vp9.max_bitrate.unwrap_or(bitrate.saturating_mul(2));
    options.push(("b", bitrate.to_string()));
    options.push(("maxrate", ceiling.to_string()));
    options.push(("bufsize", buffer(vp9.hrd_buffer_size, ceiling)));
    options.push(("deadline", "good".into()));
    let speed = match vp9.quality_tuning_level {
        Vp9TuningLevel::MultiPass => "5",
        Vp9TuningLevel::MultiPassHq => "2",
    };
    options.push(("cpu-used", speed.into()));
    options.push(("row-mt", "1".into()));
    // Far away, so that only forced key frames are key frames.
    options.push(("g", "99999".into()));
    options.push(("force_key_frames", gop.expression()));
}

/// SVT-AV1 takes no key frames by time, so its GOPs are counted in frames.
fn av1_options(av1: &Av1, common: &Common, gop: &Gop, frame_rate: Ratio, options: &mut Options) {
    options.push(("preset", "8".into()));
    let mut parameters = "scd=0".to_owned();
    match common.rate_control {
        Some(RateControl::Cbr) => {
            options.push(("b", common.bitrate.unwrap_or_default().to_string()));
            parameters.push_str(":rc=2:pred-struct=1");
        }
        _ => {
            // AV1's scale goes to 63; level 7 is 35 as x264's 22 is. Chosen by looking.
            options.push(("crf", format!("{:.0}", 56.0 - 3.0 * quality_level(common))));
            options.push(("maxrate", common.max_bitrate.unwrap_or_default().to_string()));
        }
    }
    options.push(("g", gop.frames(frame_rate).to_string()));
    match av1.b_frames {
        Some(15) => parameters.push_str(":hierarchical-levels=4"),
        Some(_) => parameters.push_str(":hierarchical-levels=3"),
        None => {}
    }
    if av1.film_grain_synthesis == FilmGrain::Enabled {
        parameters.push_str(":film-grain=8");
    }
    options.push(("svtav1-params", parameters));
}

fn prores_options(prores: &ProRes, options: &mut Options) {
    let profile = match prores.codec_profile {
        ProResProfile::Proxy => 0,
        ProResProfile::Lt => 1,
        ProResProfile::Standard => 2,
        ProResProfile::Hq => 3,
        ProResProfile::Full => 4,
        ProResProfile::FullXq => 5,
    };
    options.push(("profile", profile.to_string()));
    options.push(("vendor", "apl0".into()));
}

/// Seconds from one key frame to the next.
pub(super) fn key_interval(coding: Coding<'_>, frame_rate: Ratio, segment_seconds: Option<u32>) -> Ratio {
    let frames = |frames: u32| Ratio {
        numerator: frames.saturating_mul(frame_rate.denominator),
        denominator: frame_rate.numerator,
    };
    match (coding, coding.common().gop.map(|gop| Gop::new(gop, segment_seconds))) {
        // Every picture stands alone.
        (_, None) => frames(1).reduced(),
        (Coding::Av1(_), Some(gop)) => frames(gop.frames(frame_rate)).reduced(),
        (_, Some(Gop::Frames(count))) => frames(count).reduced(),
        (_, Some(Gop::Seconds(seconds))) => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and far below 2^32")]
            let milliseconds = (seconds * 1000.0).round().max(1.0) as u32;
            Ratio { numerator: milliseconds, denominator: 1000 }.reduced()
        }
    }
}

/// A group of pictures' length.
enum Gop {
    Seconds(f64),
    Frames(u32),
}

impl Gop {
    fn new(gop: GopSize, segment_seconds: Option<u32>) -> Self {
        let size = gop.size.unwrap_or_default();
        match gop.units {
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
