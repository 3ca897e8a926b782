//! What the transcode costs on AWS, roughly: the list price of its video outputs in the largest Region, before discounts.
//!
//! MediaConvert bills normalised minutes: the minutes of every video output, times a factor for its size and one for its
//! frame rate. Source: <https://aws.amazon.com/mediaconvert/pricing/>, Basic tier, on demand, US East; last compared 2024.
//! Sound and stills are left out: they cost next to nothing, also alone.

use vodline_contracts::source::{CostEstimate, Packaging, Rung, SourceFacts};

/// US dollars for a normalised minute.
const USD_PER_NORMALISED_MINUTE: f64 = 0.0075;
/// Outputs are billed for at least this long.
const BILLED_SECONDS_MIN: f64 = 10.0;
/// From this short side on an output counts as HD, and above the second as UHD.
const HD_FROM: u32 = 720;
const HD_UP_TO: u32 = 1080;
const HD_FACTOR: f64 = 2.0;
const UHD_FACTOR: f64 = 4.0;
/// Frames per second above which an output counts double.
const FAST_FROM: f64 = 30.0;
const FAST_FACTOR: f64 = 2.0;
/// For MediaPackage the ladder is made in HLS and in DASH; direct, once in CMAF.
const fn ladders(packaging: Packaging) -> f64 {
    match packaging {
        Packaging::MediaPackage => 2.0,
        Packaging::Direct => 1.0,
    }
}
/// The largest rendition of the MP4.
const DOWNLOAD_UP_TO: u32 = 720;

/// The estimate.
#[must_use]
pub fn estimate(facts: &SourceFacts, ladder: &[Rung], packaging: Packaging) -> CostEstimate {
    let seconds = (facts.duration_ms as f64 / 1000.0).max(BILLED_SECONDS_MIN);
    let is_fast = facts.video.as_ref().is_some_and(|video| video.frame_rate > FAST_FROM);
    let speed = if is_fast { FAST_FACTOR } else { 1.0 };
    let streams: f64 = ladder.iter().map(size_factor).sum();
    let download = ladder.iter().rfind(|rung| short_side(rung) <= DOWNLOAD_UP_TO).map_or(0.0, size_factor);
    let normalised_minutes = seconds / 60.0 * speed * (ladders(packaging) * streams + download);
    CostEstimate {
        normalised_minutes: round(normalised_minutes, 100.0),
        usd: round(normalised_minutes * USD_PER_NORMALISED_MINUTE, 10_000.0),
    }
}

fn short_side(rung: &Rung) -> u32 {
    rung.width.min(rung.height)
}

fn size_factor(rung: &Rung) -> f64 {
    match short_side(rung) {
        ..HD_FROM => 1.0,
        HD_FROM..=HD_UP_TO => HD_FACTOR,
        _ => UHD_FACTOR,
    }
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use vodline_testing::samples;

    use super::*;

    fn check(duration_ms: u64, frame_rate: f64, packaging: Packaging, normalised_minutes: f64, usd: f64) {
        let mut facts = samples::facts();
        facts.duration_ms = duration_ms;
        facts.video.iter_mut().for_each(|video| video.frame_rate = frame_rate);
        let expected = CostEstimate { normalised_minutes, usd };
        assert_eq!(estimate(&facts, &samples::ladder(), packaging), expected, "{duration_ms} ms at {frame_rate}");
    }

    #[test]
    fn outputs_count_by_size_speed_and_time() {
        // 360p, 540p and 720p twice, and the 720p MP4: 2 x (1 + 1 + 2) + 2 = 10 normalised minutes a minute.
        check(60_000, 30.0, Packaging::MediaPackage, 10.0, 0.075);
        check(60_000, 30.0, Packaging::Direct, 6.0, 0.045);
        check(60_000, 60.0, Packaging::MediaPackage, 20.0, 0.15);
        check(600_000, 25.0, Packaging::MediaPackage, 100.0, 0.75);
        check(1_000, 30.0, Packaging::MediaPackage, 1.67, 0.0125);
    }
}
