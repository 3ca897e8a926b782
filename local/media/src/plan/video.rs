//! One video encode: how each input's picture is read, its rate and size, what is laid over it, and the encoder's options.

use crate::{
    job::{
        Coding, ColorCorrector, ColorSpaceConversion, Conversion, DeinterlaceAlgorithm, DeinterlaceControl,
        Deinterlacer, InsertableImage, RateControl, Rectangle, ScalingBehavior, Timecode, ToneMapper, VideoDescription,
    },
    source::{Ratio, VideoFacts},
};

use super::{
    Raster, encoder,
    overlay::Overlay,
    parts::{Part, turn_filters},
    picture::Picture,
};

/// A distinct encode; outputs that ask for equal ones share it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VideoEncode {
    /// How the picture of each part is read, in the parts' order.
    pub(super) readings: Vec<Reading>,
    /// The filters that give the pictures their rate.
    pub(super) rate: Vec<String>,
    pub(super) picture: Picture,
    /// The scaler's flags, and the format of its pixels.
    pub(super) scaler: String,
    pub(super) pixel_format: &'static str,
    pub(super) frame_rate: Ratio,
    /// Seconds from one key frame to the next.
    pub(super) key_interval: Ratio,
    /// Watermarks, lowest first.
    pub(super) images: Vec<Overlay>,
    /// ffmpeg options without the stream specifier: (`crf`, `22`).
    pub(super) options: Vec<(&'static str, String)>,
    /// Bits per second.
    pub(super) bitrate: Option<u32>,
    pub(super) max_bitrate: Option<u32>,
}

/// How one part's picture is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// Deinterlacing.
    pub(super) first: Vec<String>,
    /// Turning; a single part gets its rate before it.
    pub(super) turn: Vec<String>,
    pub(super) images: Vec<Overlay>,
    /// Cutting, colours, and the common shape of several parts.
    pub(super) then: Vec<String>,
}

impl VideoEncode {
    /// `None` when a part has no picture.
    pub(super) fn new(
        description: &VideoDescription,
        coding: Coding<'_>,
        parts: &[Part<'_>],
        first_timecode: Timecode,
        segment_seconds: Option<u32>,
    ) -> Option<Self> {
        let common = coding.common();
        let first = parts.first()?;
        let (_, facts) = first.video()?;
        let frame_rate = common.frame_rate.or(facts.frame_rate);
        let position = first.input.position.or(description.position);
        let source = cut(first.turned()?, first.input.crop.or(description.crop));
        let pixel = common.pixel.specified();
        let picture = match (position, description.width, description.height) {
            (Some(position), Some(width), Some(height)) => {
                Picture::fit_at(source, (width, height), position, description.scaling_behavior, pixel)
            }
            _ => Picture::fit(source, description.width, description.height, description.scaling_behavior, pixel),
        };
        let pixel_format = encoder::pixel_format(coding);
        let join = (parts.len() > 1).then_some(source);
        let readings = parts.iter().map(|part| reading(part, description, join)).collect::<Option<Vec<_>>>()?;
        let images = description.images().into_iter();
        Some(Self {
            readings,
            rate: rate_filters(frame_rate, facts.frame_rate, common.conversion),
            picture,
            scaler: scaler(description.sharpness),
            pixel_format,
            frame_rate,
            key_interval: encoder::key_interval(coding, frame_rate, segment_seconds),
            images: images.map(|image| Overlay::new(image, first_timecode, frame_rate)).collect(),
            options: encoder::options(coding, frame_rate, segment_seconds, color(description, facts)),
            bitrate: common.bitrate,
            max_bitrate: match common.rate_control {
                Some(RateControl::Cbr) => common.bitrate,
                Some(RateControl::Vbr | RateControl::Qvbr) => common.max_bitrate,
                None => None,
            },
        })
    }
}

/// What is known of the colours that are encoded, for codecs that carry more of them than the pictures do.
fn color<'f>(description: &VideoDescription, facts: &'f VideoFacts) -> encoder::Color<'f> {
    let converted = description
        .video_preprocessors
        .color_corrector
        .is_some_and(|color| color.color_space_conversion != ColorSpaceConversion::None);
    encoder::Color { hdr10: facts.hdr10.as_ref().filter(|_| !converted) }
}

fn reading(part: &Part<'_>, description: &VideoDescription, join: Option<Raster>) -> Option<Reading> {
    let (_, facts) = part.video()?;
    let crop = part.input.crop.or(description.crop);
    let preprocessors = &description.video_preprocessors;
    let mut then = Vec::new();
    if let Some(crop) = crop {
        then.push(format!("crop={}:{}:{}:{}", crop.width, crop.height, crop.x, crop.y));
    }
    then.extend(color_filters(preprocessors.color_corrector, facts));
    if let Some(common) = join {
        // All parts get the first one's shape, with bars where theirs is another.
        let (width, height) = (Some(common.width), Some(common.height));
        let source = cut(part.turned()?, crop);
        let picture = Picture::fit(source, width, height, ScalingBehavior::Default, Some(common.sample_aspect));
        then.push(format!("scale={}:{}:flags=bicubic", picture.scaled.0, picture.scaled.1));
        then.push("format=yuv420p".to_owned());
        then.extend(picture.frame_filters());
    }
    let images = part.input.image_inserter.iter().flat_map(|inserter| inserter.images());
    Some(Reading {
        first: deinterlace_filters(preprocessors.deinterlacer, facts),
        turn: turn_filters(part.turn()),
        images: images.map(|image: &InsertableImage| Overlay::new(image, part.first_timecode, part.rate())).collect(),
        then,
    })
}

fn cut(source: Raster, crop: Option<Rectangle>) -> Raster {
    match crop {
        Some(crop) => Raster {
            width: crop.width.min(source.width),
            height: crop.height.min(source.height),
            sample_aspect: source.sample_aspect,
        },
        None => source,
    }
}

fn deinterlace_filters(deinterlacer: Option<Deinterlacer>, facts: &VideoFacts) -> Vec<String> {
    let settings = deinterlacer.unwrap_or_default();
    let all = settings.control == DeinterlaceControl::ForceAllFrames && deinterlacer.is_some();
    if !facts.interlaced && !all {
        return Vec::new();
    }
    let frames = if all { "all" } else { "interlaced" };
    vec![match settings.algorithm {
        DeinterlaceAlgorithm::Interpolate => format!("yadif=deint={frames}"),
        DeinterlaceAlgorithm::Blend => "pp=lb".to_owned(),
        DeinterlaceAlgorithm::LinearInterpolation => "pp=li".to_owned(),
    }]
}

/// A constant rate from time zero: key frames then fall on the same frames in every rung, and segments begin where they should
/// whatever the source's own timestamps are.
fn rate_filters(rate: Ratio, source: Ratio, conversion: Conversion) -> Vec<String> {
    let fps = format!("fps={}/{}:start_time=0", rate.numerator, rate.denominator);
    match conversion {
        Conversion::Interpolate if rate != source => {
            vec![format!("framerate=fps={}/{}", rate.numerator, rate.denominator), fps]
        }
        Conversion::Interpolate | Conversion::DuplicateDrop => vec![fps],
    }
}

/// The scaler is a bicubic one; its two parameters go from a soft one (1 and 0) over ffmpeg's own (0 and 0.6) to a sharp one
/// (0 and 1). Our choice: AWS publishes no kernel.
fn scaler(sharpness: u8) -> String {
    let distance = f64::from(sharpness) / 50.0 - 1.0;
    match sharpness {
        50 => "bicubic".to_owned(),
        0..50 => format!("bicubic:param0={:.2}:param1={:.2}", -distance, 0.6 * (1.0 + distance)),
        _ => format!("bicubic:param0=0:param1={:.2}", 0.6 + 0.4 * distance),
    }
}

/// The light of HDR is made linear, its colours brought into BT.709, and its range pressed together. A source that is not HDR
/// has its colours converted alone.
pub(super) fn color_filters(corrector: Option<ColorCorrector>, facts: &VideoFacts) -> Vec<String> {
    let Some(color) = corrector else { return Vec::new() };
    let mut filters = Vec::new();
    if color.color_space_conversion == ColorSpaceConversion::Rec709 {
        if facts.is_hdr() {
            // 100 candela per square metre is the white of ordinary screens. Source: ITU-R BT.2408.
            filters.push("zscale=transfer=linear:npl=100".to_owned());
            filters.push("format=gbrpf32le".to_owned());
            filters.push("zscale=primaries=bt709".to_owned());
            filters.push(match color.hdr_to_sdr_tone_mapper {
                ToneMapper::PreserveDetails => "tonemap=tonemap=hable:desat=0".to_owned(),
                ToneMapper::Vibrant => "tonemap=tonemap=mobius:desat=0".to_owned(),
            });
            filters.push("zscale=transfer=bt709:matrix=bt709:range=limited".to_owned());
            filters.push("format=yuv420p".to_owned());
        } else if facts.primaries_known() {
            filters.push("zscale=primaries=bt709:transfer=bt709:matrix=bt709:range=limited".to_owned());
        }
    }
    let about = |value: u8| f64::from(value) / 50.0;
    if (color.brightness, color.contrast, color.saturation) != (50, 50, 50) {
        filters.push(format!(
            "eq=brightness={:.2}:contrast={:.2}:saturation={:.2}",
            (about(color.brightness) - 1.0) / 2.0,
            about(color.contrast),
            about(color.saturation)
        ));
    }
    if color.hue != 0 {
        filters.push(format!("hue=h={}", color.hue));
    }
    filters
}
