//! The renditions to make of a source.

use vodline_contracts::source::{AudioRung, Rung, VideoTrack};

use crate::facts::Refusal;

/// The ladder: short side in pixels, and bits per second at most. The first three are the product's promise; the others keep
/// their proportion of bits to pixels.
const LADDER: &[(u32, u32)] =
    &[(360, 1_000_000), (540, 2_000_000), (720, 3_000_000), (1080, 5_000_000), (1440, 8_000_000), (2160, 14_000_000)];

/// The renditions of sound alone: names, and bits per second. Speech is fine at the first, music at the last.
const AUDIO_LADDER: &[(&str, u32)] = &[("64k", 64_000), ("128k", 128_000), ("192k", 192_000)];

/// A source that misses a rung by less than this is still given it, at its own size: 1920 by 1072 is a 1080p to everyone
/// but an arithmetician.
const NEARLY_PERCENT: u32 = 95;

/// The longest side of an H.264 output.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/output-file-formats-and-codecs.html>.
const LONG_SIDE_MAX: u32 = 4096;
/// The shortest side of an output.
const SHORT_SIDE_MIN: u32 = 32;

/// The ladder for a source of this displayed size: never upscaled, aspect kept to the pixel, even sizes, smallest first. A
/// source below the ladder gets one rung of its own size.
///
/// # Errors
/// [`Refusal::Size`] when the source is so narrow that no rung holds it.
pub fn plan(video: &VideoTrack) -> Result<Vec<Rung>, Refusal> {
    let (width, height) = (video.display_width, video.display_height);
    let own = width.min(height);
    let mut rungs: Vec<Rung> = LADDER
        .iter()
        .filter(|(short, _)| own * 100 >= short * NEARLY_PERCENT)
        .map(|&(short, bitrate)| rung(width, height, short.min(own), bitrate))
        .collect();
    if rungs.is_empty() {
        rungs.push(rung(width, height, own, LADDER[0].1));
    }
    rungs.retain(|rung| rung.width.max(rung.height) <= LONG_SIDE_MAX && rung.width.min(rung.height) >= SHORT_SIDE_MIN);
    if rungs.is_empty() { Err(Refusal::Size { width, height }) } else { Ok(rungs) }
}

/// The ladder of a source that is sound alone, smallest first.
#[must_use]
pub fn audio() -> Vec<AudioRung> {
    AUDIO_LADDER.iter().map(|&(name, bitrate_bps)| AudioRung { name: name.to_owned(), bitrate_bps }).collect()
}

fn rung(width: u32, height: u32, short: u32, max_bitrate_bps: u32) -> Rung {
    let own = width.min(height);
    let scaled = |side: u32| even(u64::from(side) * u64::from(short), u64::from(own)).min(side & !1);
    let (width, height) = (scaled(width), scaled(height));
    Rung { name: format!("{}p", width.min(height)), width, height, max_bitrate_bps }
}

/// The even number nearest to the quotient.
fn even(dividend: u64, divisor: u64) -> u32 {
    u32::try_from((dividend + divisor) / (2 * divisor) * 2).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn track(display_width: u32, display_height: u32) -> VideoTrack {
        VideoTrack {
            codec: "AVC".to_owned(),
            display_width,
            display_height,
            rotation_degrees: 0,
            frame_rate: 30.0,
            hdr: None,
        }
    }

    #[track_caller]
    fn check(width: u32, height: u32, expected: &[(&str, u32, u32)]) {
        let rungs = plan(&track(width, height)).expect("a ladder");
        let planned: Vec<_> = rungs.iter().map(|rung| (rung.name.as_str(), rung.width, rung.height)).collect();
        assert_eq!(planned, expected);
    }

    #[test]
    fn the_ladder_follows_the_displayed_short_side() {
        let hd = [("360p", 640, 360), ("540p", 960, 540), ("720p", 1280, 720), ("1080p", 1920, 1080)];
        check(1920, 1080, &hd);
        check(1280, 720, &hd[..3]);
        check(1080, 1920, &[("360p", 360, 640), ("540p", 540, 960), ("720p", 720, 1280), ("1080p", 1080, 1920)]);
        check(1080, 1080, &[("360p", 360, 360), ("540p", 540, 540), ("720p", 720, 720), ("1080p", 1080, 1080)]);
        check(640, 480, &[("360p", 480, 360)]);
        check(3840, 2160, &[&hd[..], &[("1440p", 2560, 1440), ("2160p", 3840, 2160)]].concat());
        check(1920, 800, &[("360p", 864, 360), ("540p", 1296, 540), ("720p", 1728, 720)]);
        check(1920, 1072, &[("360p", 644, 360), ("540p", 968, 540), ("720p", 1290, 720), ("1072p", 1920, 1072)]);
    }

    #[test]
    fn a_source_below_the_ladder_keeps_its_size() {
        check(320, 240, &[("240p", 320, 240)]);
        check(321, 241, &[("240p", 320, 240)]);
        check(640, 350, &[("350p", 640, 350)]);
        check(64, 32, &[("32p", 64, 32)]);
    }

    #[test]
    fn bits_per_second_are_the_rungs() {
        let rungs = plan(&track(1280, 720)).expect("a ladder");
        assert_eq!(
            rungs.iter().map(|rung| rung.max_bitrate_bps).collect::<Vec<_>>(),
            [1_000_000, 2_000_000, 3_000_000]
        );
    }

    #[test]
    fn a_mere_line_is_refused() {
        assert_eq!(plan(&track(8000, 40)), Err(Refusal::Size { width: 8000, height: 40 }));
    }

    proptest! {
        #[test]
        fn every_ladder_is_even_never_upscaled_and_of_the_same_aspect(width in 32u32..=8192, height in 32u32..=8192) {
            let (own, long) = (width.min(height), width.max(height));
            let Ok(rungs) = plan(&track(width, height)) else {
                prop_assert!(long * own.min(360) / own >= LONG_SIDE_MAX, "only a mere line finds no rung");
                return Ok(());
            };
            for rung in &rungs {
                prop_assert_eq!((rung.width % 2, rung.height % 2), (0, 0));
                prop_assert!(rung.width <= width && rung.height <= height);
                let kept = |short: u32| {
                    let within_a_pixel = |planned: u32, side: u32| {
                        (f64::from(planned) - f64::from(side) * f64::from(short) / f64::from(own)).abs() <= 1.0
                    };
                    within_a_pixel(rung.width, width) && within_a_pixel(rung.height, height)
                };
                prop_assert!(LADDER.iter().map(|(short, _)| *short).chain([own]).any(kept), "{rung:?}");
            }
            let names: std::collections::BTreeSet<_> = rungs.iter().map(|rung| &rung.name).collect();
            prop_assert_eq!(names.len(), rungs.len());
        }
    }
}
