//! Times as the rows and the API have them.

use jiff::Timestamp;

/// RFC 3339 in UTC with milliseconds, always; equally long texts sort like the times they are.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn every_time_is_equally_long() {
        let check = |milliseconds: i64, text: &str| {
            let time = Timestamp::from_millisecond(milliseconds).expect("in range");
            assert_eq!(rfc3339(time), text);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_700_000_000_000, "2023-11-14T22:13:20.000Z");
        check(1_700_000_000_120, "2023-11-14T22:13:20.120Z");
    }
}
