//! How a storyboard is cut out of a video. The job that makes the thumbnails and the step that puts them together agree here.

/// Thumbnails at most, whatever the length of the video.
pub const THUMBNAILS_MAX: u64 = 100;

/// Seconds from one thumbnail to the next: one in a short video, and so many in a longer one that there are not more than
/// [`THUMBNAILS_MAX`].
#[must_use]
pub fn interval_seconds(duration_ms: u64) -> u64 {
    (duration_ms / 1000).div_ceil(THUMBNAILS_MAX).max(1)
}

/// How many thumbnails there are: the first at nought, the others after one interval each, as long as the video goes on.
#[must_use]
pub fn thumbnail_count(duration_ms: u64) -> u64 {
    duration_ms.div_ceil(interval_seconds(duration_ms) * 1000).clamp(1, THUMBNAILS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_too_many_thumbnails() {
        let check = |duration_ms: u64, interval: u64, count: u64| {
            assert_eq!(
                (interval_seconds(duration_ms), thumbnail_count(duration_ms)),
                (interval, count),
                "{duration_ms}"
            );
        };
        check(1, 1, 1);
        check(1_000, 1, 1);
        check(1_040, 1, 2);
        check(20_000, 1, 20);
        check(100_500, 1, 100);
        check(101_000, 2, 51);
        check(86_400_000, 864, 100);
    }
}
