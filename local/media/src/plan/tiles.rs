//! Pictures for winding, side by side in tiles.
//!
//! They are made of an output once that is finished: small ones of the smallest, so that decoding costs next to nothing, and
//! full ones of the largest. In the graph that encodes they would be a sparse stream, behind which frames queue without bound.

use crate::{
    job::{ImageSet, ImageSize, OutputGroupKind},
    source::Ratio,
};

use super::{PIXELS_MAX, PlanError, PlannedOutput, PlannedVideo, preamble, strings};

/// The demuxers that read what was just made: its playlist, and the segments of either kind.
const FORMATS: &str = "hls,mpegts,mov";
/// Sides that JPEG can hold, as far as ffmpeg's encoder goes.
const SIDE_MAX: u64 = 65_500;
/// Pixels of all rows of a tile. Source: aws-sdk-mediaconvert 1.153, `HlsImageBasedTrickPlaySettings::thumbnail_height`.
const PIXELS_DOWN_MAX: u64 = 4096;
/// ffmpeg's scale from 2 (best) to 31. Our choice: AWS publishes none.
const QUALITY: &str = "5";

/// Tiles that will be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedTiles {
    /// Where they appear, below scratch.
    pub(crate) directory: String,
    /// What its files are called by.
    pub(crate) name: &'static str,
    /// Pixels of one picture.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    /// Seconds from one picture to the next.
    pub(crate) interval: Ratio,
}

/// The tiles of a group, each with the run that makes them.
pub(super) fn plan(
    kind: OutputGroupKind<'_>,
    group: usize,
    outputs: &[PlannedOutput],
    seconds: f64,
) -> Result<Vec<(PlannedTiles, Vec<String>)>, PlanError> {
    let pictures = || outputs.iter().filter_map(|output| Some((output, output.video?)));
    let area = |(_, video): &(&PlannedOutput, PlannedVideo)| u64::from(video.width) * u64::from(video.height);
    let mut planned = Vec::new();
    for (index, set) in kind.trick_play().sets().iter().enumerate() {
        let source = match set.size {
            ImageSize::Full => pictures().max_by_key(area),
            ImageSize::Thumbnail { .. } => pictures().min_by_key(area),
        };
        let Some((output, video)) = source else { continue };
        let tiles = tiles(set, &video, format!("g{group}t{index}"));
        let (width, height) = (u64::from(tiles.width * tiles.columns), u64::from(tiles.height) * u64::from(tiles.rows));
        let pixels_max = PIXELS_MAX.parse().unwrap_or(u64::MAX);
        let too_tall = tiles.rows > 1 && height > PIXELS_DOWN_MAX;
        if too_tall || width > SIDE_MAX || width * height > pixels_max {
            return Err(PlanError::Tile { group, width, height });
        }
        let run = run(set, &tiles, &video, &output.directory, seconds);
        planned.push((tiles, run));
    }
    Ok(planned)
}

fn tiles(set: &ImageSet, video: &PlannedVideo, directory: String) -> PlannedTiles {
    // Images have square pixels.
    let shown = f64::from(video.width) * video.sample_aspect.value();
    let (width, height) = match set.size {
        ImageSize::Full => (even(shown), video.height),
        ImageSize::Thumbnail { width, height: Some(height) } => (width, height),
        ImageSize::Thumbnail { width, height: None } => {
            (width, even(f64::from(width) * f64::from(video.height) / shown))
        }
    };
    let rate = video.frame_rate;
    let interval = match set.interval_seconds {
        None => video.key_interval,
        Some(seconds) => {
            let frames = frames(seconds, rate);
            Ratio { numerator: frames.saturating_mul(rate.denominator), denominator: rate.numerator }.reduced()
        }
    };
    PlannedTiles { directory, name: set.name, width, height, columns: set.columns, rows: set.rows, interval }
}

/// The arguments that make tiles of an output's segments.
fn run(set: &ImageSet, tiles: &PlannedTiles, video: &PlannedVideo, from: &str, seconds: f64) -> Vec<String> {
    let mut arguments = preamble();
    let pick = match set.interval_seconds {
        // Key frames are where the grid is, or up to a frame after; so each goes to the nearest place.
        None => {
            arguments.extend(strings(["-skip_frame", "nokey"]));
            let Ratio { numerator, denominator } = tiles.interval;
            format!("tpad=stop=-1:stop_mode=clone,fps={denominator}/{numerator}:start_time=0:round=near")
        }
        Some(seconds) => format!(r"select=not(mod(n\,{}))", frames(seconds, video.frame_rate)),
    };
    arguments.extend(strings(["-protocol_whitelist", crate::source::PROTOCOLS, "-format_whitelist", FORMATS]));
    arguments.extend(strings(["-allowed_extensions", "ALL", "-i"]));
    arguments.push(format!("file:{from}/index.m3u8"));
    let PlannedTiles { width, height, columns, rows, .. } = tiles;
    arguments.extend(strings(["-map", "0:v:0", "-vf"]));
    arguments.push(format!(
        "setpts=PTS-STARTPTS,{pick},trim=end_frame={},scale={width}:{height}:flags=bicubic:out_range=full,\
         format=yuvj420p,setsar=1/1,tile={columns}x{rows}",
        count(seconds, tiles.interval)
    ));
    arguments.extend(strings(["-vsync", "passthrough", "-c:v", "mjpeg", "-q:v", QUALITY, "-map_metadata", "-1"]));
    arguments.extend(strings(["-f", "image2", "-start_number", "1"]));
    arguments.push(format!("{}/%05d.jpg", tiles.directory));
    arguments
}

/// The first picture, then one for every full interval before the end.
fn count(seconds: f64, interval: Ratio) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is positive")]
    let count = (seconds / interval.value() - 1e-3).ceil().max(1.0) as u32;
    count
}

/// The nearest number of frames. Source: aws-sdk-mediaconvert 1.153, `HlsImageBasedTrickPlaySettings::thumbnail_interval`.
fn frames(seconds: f64, rate: Ratio) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is positive")]
    let frames = (seconds * rate.value()).round().max(1.0) as u32;
    frames
}

/// The nearest even number of pixels, at least two.
fn even(pixels: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sides are positive and below 2^20")]
    let halves = (pixels / 2.0).round().max(1.0) as u32;
    halves * 2
}
