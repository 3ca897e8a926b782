//! What the engine asks of the world: the time and random numbers.

use serde::{Deserialize, Serialize};

/// A point in time, in whole milliseconds since 1970-01-01T00:00:00Z. The history of AWS has this resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The point in time `seconds` later; saturates at the end of time.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let millis = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The point in time `millis` later; saturates at the end of time.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)))
    }

    /// Seconds since 1970 with milliseconds as the fraction, as AWS's JSON protocols write a timestamp.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit the 53 bits of a double")]
    pub fn as_epoch_seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// RFC 3339 in UTC with milliseconds, as in the context object: `2026-11-22T20:24:00.123Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => format!("{timestamp:.3}"),
            // Beyond year 9999: no such text exists, and no clock shows it.
            Err(_) => String::from("9999-12-31T23:59:59.999Z"),
        }
    }
}

/// Where random numbers come from: retry jitter, `States.MathRandom`, `$random`, UUIDs and task tokens.
pub trait RandomSource {
    /// The next number, uniform over all of `u64`. Task tokens are made of these: use a cryptographic source.
    fn next_u64(&mut self) -> u64;
}

/// The time and the random source of one [`crate::transition`] call.
pub struct Env<'a> {
    /// The present. Every history event of the call bears it.
    pub now: UnixMillis,
    /// Random numbers.
    pub random: &'a mut dyn RandomSource,
}

impl Env<'_> {
    /// A random (version 4) UUID in the usual text form.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.random.next_u64(), self.random.next_u64());
        let high = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit_interval(&mut self) -> f64 {
        unit_interval(self.random.next_u64())
    }
}

/// Maps random bits to a number in `0.0..1.0`.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub(crate) fn unit_interval(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A small deterministic generator (SplitMix64) for tests, examples and seeded `$random`. Not for task tokens.
#[derive(Debug, Clone)]
pub struct SeededRandom(u64);

impl SeededRandom {
    /// A generator that always gives the same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl RandomSource for SeededRandom {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_is_version_4() {
        let mut random = SeededRandom::new(1);
        let uuid = Env { now: UnixMillis(0), random: &mut random }.uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }

    #[test]
    fn time_reads_as_rfc3339_with_milliseconds() {
        assert_eq!(UnixMillis(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixMillis(1_732_307_040_123).to_rfc3339(), "2024-11-22T20:24:00.123Z");
        assert_eq!(UnixMillis(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }
}
