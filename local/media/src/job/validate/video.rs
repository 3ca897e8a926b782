//! What pictures must hold together.

use std::ops::RangeInclusive;

use super::in_range;
use crate::job::{
    Av1, ChromaSampling, Coding, Common, FramerateControl, GopSize, GopUnits, H264, H264Profile, H265, InsertableImage,
    OutputGroupKind, ParControl, ProRes, RateControl, Rectangle, Refusal, Toggle, VideoCodec, VideoDescription,
};

/// Pixels. Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`width`, `height`).
const SIDE: RangeInclusive<u32> = 32..=8192;
/// Levels. Source: as above (`qvbrQualityLevel`).
const QUALITY_LEVEL: RangeInclusive<u8> = 1..=10;

pub(super) fn validate(path: &str, video: &VideoDescription, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    for (name, side) in [("width", video.width), ("height", video.height)] {
        if let Some(side) = side {
            let path = format!("{path}/{name}");
            in_range(&path, side, &SIDE)?;
            if side % 2 != 0 {
                return Err(Refusal::new(path, "Should be a multiple of 2"));
            }
        }
    }
    in_range(&format!("{path}/sharpness"), video.sharpness, &(0..=100))?;
    validate_rectangle(&format!("{path}/crop"), video.crop)?;
    validate_rectangle(&format!("{path}/position"), video.position)?;
    if let (Some(position), Some(width), Some(height)) = (video.position, video.width, video.height)
        && (position.x + position.width > width || position.y + position.height > height)
    {
        return Err(Refusal::new(format!("{path}/position"), "Should lie within the output"));
    }
    if video.position.is_some() && (video.width.is_none() || video.height.is_none()) {
        return Err(Refusal::new(format!("{path}/position"), "needs width and height in the local home"));
    }
    let preprocessors = &video.video_preprocessors;
    if let Some(inserter) = &preprocessors.image_inserter {
        let path = format!("{path}/videoPreprocessors/imageInserter/insertableImages");
        validate_images(&path, &inserter.insertable_images)?;
    }
    if let Some(color) = preprocessors.color_corrector {
        let path = format!("{path}/videoPreprocessors/colorCorrector");
        for (name, value) in
            [("brightness", color.brightness), ("contrast", color.contrast), ("saturation", color.saturation)]
        {
            in_range(&format!("{path}/{name}"), value, &(1..=100))?;
        }
        in_range(&format!("{path}/hue"), color.hue, &(-180..=180))?;
    }
    validate_codec(path, video, kind)
}

pub(super) fn validate_rectangle(path: &str, rectangle: Option<Rectangle>) -> Result<(), Refusal> {
    let Some(rectangle) = rectangle else { return Ok(()) };
    for (name, value, least) in
        [("width", rectangle.width, 2), ("height", rectangle.height, 2), ("x", rectangle.x, 0), ("y", rectangle.y, 0)]
    {
        let path = format!("{path}/{name}");
        in_range(&path, value, &(least..=16_384))?;
        if value % 2 != 0 {
            return Err(Refusal::new(path, "Should be a multiple of 2"));
        }
    }
    Ok(())
}

pub(super) fn validate_images(path: &str, images: &[InsertableImage]) -> Result<(), Refusal> {
    for (index, image) in images.iter().enumerate() {
        let path = format!("{path}/{index}");
        in_range(&format!("{path}/opacity"), image.opacity, &(0..=100))?;
        in_range(&format!("{path}/layer"), image.layer, &(0..=99))?;
        for (name, value) in [("imageX", image.image_x), ("imageY", image.image_y)] {
            in_range(&format!("{path}/{name}"), value, &(0..=*SIDE.end()))?;
        }
        for (name, value) in [("width", image.width), ("height", image.height)] {
            in_range(&format!("{path}/{name}"), value.unwrap_or(1), &(1..=*SIDE.end()))?;
        }
        if image.fade_out > 0 && image.duration.unwrap_or_default() == 0 {
            return Err(Refusal::new(format!("{path}/fadeOut"), "needs a duration"));
        }
    }
    Ok(())
}

fn validate_codec(description: &str, video: &VideoDescription, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    let settings = &video.codec_settings;
    let path = format!("{description}/codecSettings");
    let name = settings.codec.settings_name();
    if let Some((other, _)) = settings.present().find(|(_, codec)| *codec != settings.codec) {
        return Err(Refusal::new(format!("{path}/{other}"), "does not apply with this codec"));
    }
    if !settings.present().any(|(_, codec)| codec == settings.codec) {
        return Err(Refusal::new(path, format!("{name} is a required property")));
    }
    let allowed: &[VideoCodec] = match kind {
        OutputGroupKind::Hls(_) => &[VideoCodec::H264, VideoCodec::H265],
        OutputGroupKind::Dash(_) | OutputGroupKind::Cmaf(_) => {
            &[VideoCodec::H264, VideoCodec::H265, VideoCodec::Vp9, VideoCodec::Av1]
        }
        OutputGroupKind::File(_) => &[],
    };
    if !allowed.is_empty() && !allowed.contains(&settings.codec) {
        let names: Vec<_> = allowed.iter().map(|codec| codec.settings_name().trim_end_matches("Settings")).collect();
        let reason = format!("is not supported in this output group by the local home, only {}", names.join(", "));
        return Err(Refusal::new(format!("{path}/codec"), reason));
    }
    let path = format!("{path}/{name}");
    if let Some(capture) = settings.frame_capture_settings {
        for (name, present) in [
            ("deinterlacer", video.video_preprocessors.deinterlacer.is_some()),
            ("imageInserter", video.video_preprocessors.image_inserter.is_some()),
        ] {
            if present {
                return Err(Refusal::unsupported(format!("{description}/videoPreprocessors/{name}")));
            }
        }
        in_range(&format!("{path}/framerateNumerator"), capture.framerate_numerator, &(1..=u32::MAX))?;
        in_range(&format!("{path}/framerateDenominator"), capture.framerate_denominator, &(1..=u32::MAX))?;
        in_range(&format!("{path}/maxCaptures"), capture.max_captures, &(1..=10_000_000))?;
        return in_range(&format!("{path}/quality"), capture.quality, &(1..=100));
    }
    let Some(coding) = settings.coding() else { return Ok(()) };
    validate_common(&path, &coding.common(), kind)?;
    match coding {
        Coding::H264(h264) => validate_h264(&path, h264),
        Coding::H265(h265) => validate_h265(&path, h265),
        Coding::Av1(av1) => validate_av1(&path, av1),
        Coding::ProRes(prores) => validate_prores(&path, prores),
        Coding::Vp9(_) => Ok(()),
    }
}

fn validate_common(path: &str, common: &Common, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    let required = |name: &str| Err(Refusal::new(path, format!("{name} is a required property")));
    match common.rate_control {
        Some(RateControl::Qvbr) if common.max_bitrate.is_none() => return required("maxBitrate"),
        Some(RateControl::Vbr | RateControl::Cbr) if common.bitrate.is_none() => return required("bitrate"),
        _ => {}
    }
    if let Some(level) = common.qvbr.qvbr_quality_level {
        in_range(&format!("{path}/qvbrSettings/qvbrQualityLevel"), level, &QUALITY_LEVEL)?;
    }
    if let Some(tune) = common.qvbr.qvbr_quality_level_fine_tune {
        in_range(&format!("{path}/qvbrSettings/qvbrQualityLevelFineTune"), tune, &(0.0..=0.99))?;
    }
    for (name, rate) in [("maxBitrate", common.max_bitrate), ("bitrate", common.bitrate)] {
        in_range(&format!("{path}/{name}"), rate.unwrap_or(1000), &(1000..=1_466_400_000))?;
    }
    let frame_rate = common.frame_rate;
    if frame_rate.control == FramerateControl::Specified {
        for (name, value) in
            [("framerateNumerator", frame_rate.numerator), ("framerateDenominator", frame_rate.denominator)]
        {
            match value {
                None => return required(name),
                Some(value) => in_range(&format!("{path}/{name}"), value, &(1..=1_000_000))?,
            }
        }
    }
    let pixel = common.pixel;
    if pixel.control == ParControl::Specified {
        for (name, value) in [("parNumerator", pixel.numerator), ("parDenominator", pixel.denominator)] {
            match value {
                None => return required(name),
                Some(value) => in_range(&format!("{path}/{name}"), value, &(1..=1_000_000))?,
            }
        }
    }
    common.gop.map_or(Ok(()), |gop| validate_gop(path, gop, kind))
}

/// Segments begin at key frames, so a GOP of a given length must divide the segment, or segments would run over.
fn validate_gop(path: &str, gop: GopSize, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    if gop.units == GopUnits::Auto {
        if gop.size.is_some_and(|size| size != 0.0) {
            return Err(Refusal::new(format!("{path}/gopSize"), "does not apply with AUTO"));
        }
        return Ok(());
    }
    let Some(size) = gop.size else {
        return Err(Refusal::new(path, "gopSize is a required property"));
    };
    if !(size.is_finite() && size > 0.0 && size <= 100_000.0) {
        return Err(Refusal::new(format!("{path}/gopSize"), "Should be more than 0"));
    }
    if let (true, GopUnits::Seconds, Some(segment)) = (kind.exact_segments(), gop.units, kind.segment_seconds()) {
        let gops = f64::from(segment) / size;
        if (gops - gops.round()).abs() > 1e-6 || gops.round() < 1.0 {
            let reason = "must divide segmentLength, or segmentLengthControl must be GOP_MULTIPLE, in the local home";
            return Err(Refusal::new(format!("{path}/gopSize"), reason));
        }
    }
    Ok(())
}

fn validate_h264(path: &str, h264: &H264) -> Result<(), Refusal> {
    in_range(&format!("{path}/numberBFramesBetweenReferenceFrames"), h264.b_frames.unwrap_or(0), &(0..=7))?;
    in_range(&format!("{path}/numberReferenceFrames"), h264.number_reference_frames.unwrap_or(1), &(1..=6))?;
    in_range(&format!("{path}/slices"), h264.slices.unwrap_or(1), &(1..=32))?;
    in_range(
        &format!("{path}/hrdBufferInitialFillPercentage"),
        h264.hrd_buffer_initial_fill_percentage.unwrap_or(90),
        &(0..=100),
    )?;
    if !matches!(h264.softness, 0 | 1 | 16) {
        return Err(Refusal::new(format!("{path}/softness"), "the local home supports only 0, 1 and 16"));
    }
    if h264.softness > 0 && matches!(h264.codec_profile, H264Profile::Baseline | H264Profile::Main) {
        return Err(Refusal::new(format!("{path}/softness"), "needs the HIGH profile"));
    }
    if h264.repeat_pps == Some(Toggle::Enabled) {
        return Err(Refusal::unsupported_value(format!("{path}/repeatPps"), "ENABLED"));
    }
    if h264.codec_level.0.as_deref().is_some_and(|level| level.starts_with('6')) {
        return Err(Refusal::new(format!("{path}/codecLevel"), "Should be at most LEVEL_5_2"));
    }
    let gop = GopSize { size: h264.gop_size, units: h264.gop_size_units };
    validate_idr(path, h264.gop_closed_cadence, h264.min_i_interval, gop)
}

fn validate_h265(path: &str, h265: &H265) -> Result<(), Refusal> {
    in_range(&format!("{path}/numberBFramesBetweenReferenceFrames"), h265.b_frames.unwrap_or(0), &(0..=7))?;
    in_range(&format!("{path}/numberReferenceFrames"), h265.number_reference_frames.unwrap_or(1), &(1..=6))?;
    in_range(&format!("{path}/slices"), h265.slices.unwrap_or(1), &(1..=32))?;
    in_range(
        &format!("{path}/hrdBufferInitialFillPercentage"),
        h265.hrd_buffer_initial_fill_percentage.unwrap_or(90),
        &(0..=100),
    )?;
    let gop = GopSize { size: h265.gop_size, units: h265.gop_size_units };
    validate_idr(path, h265.gop_closed_cadence, h265.min_i_interval, gop)
}

/// Every GOP is closed and begins with an IDR frame, and no other frame is one.
fn validate_idr(path: &str, cadence: Option<u32>, interval: Option<u32>, gop: GopSize) -> Result<(), Refusal> {
    if cadence == Some(0) {
        return Err(Refusal::new(format!("{path}/gopClosedCadence"), "the local home makes closed GOPs only"));
    }
    let interval = interval.unwrap_or_default();
    let path = format!("{path}/minIInterval");
    in_range(&path, interval, &(0..=30))?;
    // Slower than fifteen frames a second is no video.
    let frames = match (gop.units, gop.size) {
        (GopUnits::Frames, Some(size)) => size,
        (GopUnits::Seconds, Some(size)) => size * 15.0,
        _ => 15.0,
    };
    if f64::from(interval) > frames {
        return Err(Refusal::new(path, "Should not be more than the GOP in the local home"));
    }
    Ok(())
}

fn validate_av1(path: &str, av1: &Av1) -> Result<(), Refusal> {
    match av1.b_frames {
        None | Some(7 | 15) => Ok(()),
        Some(_) => {
            let path = format!("{path}/numberBFramesBetweenReferenceFrames");
            Err(Refusal::new(path, "the local home supports only 7 and 15"))
        }
    }
}

fn validate_prores(path: &str, prores: &ProRes) -> Result<(), Refusal> {
    let path = format!("{path}/chromaSampling");
    match (prores.codec_profile.is_full_chroma(), prores.chroma_sampling) {
        (true, Some(ChromaSampling::Subsample)) => Err(Refusal::unsupported_value(path, "SUBSAMPLE_TO_422")),
        (false, Some(ChromaSampling::Preserve)) => Err(Refusal::new(path, "needs a 4444 profile")),
        _ => Ok(()),
    }
}
