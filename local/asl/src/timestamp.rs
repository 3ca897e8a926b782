//! RFC 3339 timestamps as the language takes them.

use crate::env::UnixMillis;

/// Parses a timestamp such as `2016-03-14T01:59:00Z`: an upper-case `T`, an offset or `Z`, any fraction of a second.
/// Source: <https://states-language.net/spec.html#timestamps>.
pub(crate) fn parse(text: &str) -> Option<UnixMillis> {
    let shaped = text.as_bytes().get(10) == Some(&b'T') && !text.contains(['[', 'z']);
    let timestamp: jiff::Timestamp = text.parse().ok().filter(|_| shaped)?;
    Some(UnixMillis(timestamp.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse(text), expected.map(UnixMillis), "{text}");
    }

    #[test]
    fn reads_the_profile_of_the_language() {
        check("2016-03-14T01:59:00Z", Some(1_457_920_740_000));
        check("2016-03-14T01:59:00.5Z", Some(1_457_920_740_500));
        check("2016-03-05T21:29:29.243167252Z", Some(1_457_213_369_243));
        check("2016-03-14T01:59:00+01:00", Some(1_457_917_140_000));
        check("2016-03-14 01:59:00Z", None);
        check("2016-03-14t01:59:00z", None);
        check("2016-03-14T01:59:00", None);
        check("2016-03-14", None);
        check("date", None);
        check("", None);
    }
}
