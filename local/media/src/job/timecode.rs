//! Timecodes: `HH:MM:SS:FF`, or `HH:MM:SS;FF` where frame numbers are dropped to keep pace with the clock.
//! Source: SMPTE ST 12-1.

use serde::{Deserialize, Deserializer, de::Error};

use super::Ratio;

/// A time of day to the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timecode {
    hours: u32,
    minutes: u32,
    seconds: u32,
    frames: u32,
    drop_frame: bool,
}

impl Timecode {
    /// Takes its text apart; `None` when it is no timecode.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (time, frames) = text.rsplit_once([':', ';', '.'])?;
        let drop_frame = text.contains([';', '.']);
        let mut parts =
            time.split([':', ';']).map(|part| (part.len() == 2).then(|| part.parse::<u32>().ok()).flatten());
        let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
        let frames = frames.parse().ok()?;
        let plausible = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60 && frames < 120;
        plausible.then_some(Self { hours, minutes, seconds, frames, drop_frame })
    }

    /// The number of its frame, counted from midnight.
    pub(crate) fn frame(self, rate: Ratio) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a plausible rate of frames")]
        let nominal = rate.value().round().max(1.0) as u64;
        let minutes = u64::from(self.hours * 60 + self.minutes);
        let frame = (minutes * 60 + u64::from(self.seconds)) * nominal + u64::from(self.frames);
        // Two numbers of thirty, or four of sixty, are left out in every minute but each tenth.
        let dropped = if self.drop_frame { nominal / 15 * (minutes - minutes / 10) } else { 0 };
        frame.saturating_sub(dropped)
    }

    /// Seconds since `start`; negative when it lies before.
    pub(crate) fn seconds_since(self, start: Self, rate: Ratio) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "frames of one day")]
        let frames = self.frame(rate) as f64 - start.frame(rate) as f64;
        frames / rate.value()
    }
}

impl<'de> Deserialize<'de> for Timecode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("Should be a timecode, HH:MM:SS:FF or HH:MM:SS;FF"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timecodes_are_frames() {
        let check = |text: &str, rate: (u32, u32), frame: u64| {
            let rate = Ratio { numerator: rate.0, denominator: rate.1 };
            assert_eq!(Timecode::parse(text).unwrap().frame(rate), frame, "{text}");
        };
        check("00:00:00:00", (30, 1), 0);
        check("00:00:01:05", (30, 1), 35);
        check("01:00:00:00", (25, 1), 90_000);
        check("00:01:00:00", (30_000, 1001), 1_800);
        check("00:01:00;02", (30_000, 1001), 1_800);
        check("00:10:00;00", (30_000, 1001), 17_982);
        check("00:01:00;04", (60_000, 1001), 3_600);
        for text in ["", "1:2:3:4", "00:00:00", "00:60:00:00", "24:00:00:00", "aa:bb:cc:dd", "00:00:00:00:00"] {
            assert_eq!(Timecode::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_no_panic(text in ".{0,16}") {
            let _ = Timecode::parse(&text).map(|code| code.frame(Ratio::ONE));
        }
    }
}
