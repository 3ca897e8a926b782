//! Format identifiers: `$dt$` and the like in destinations and names.
//! Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/using-variables-in-your-job-settings.html>.

use std::fmt::Write;

use jiff::{Timestamp, tz::TimeZone};

use super::{ObjectLocation, Refusal};

/// What identifiers stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identifiers<'a> {
    /// When the job started.
    pub(crate) started: Timestamp,
    /// The first input.
    pub(crate) input: &'a ObjectLocation,
    /// The output they stand in; `None` in a destination.
    pub(crate) output: Option<OutputFacts>,
}

/// What is known of an output by the time its files are named.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputFacts {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Whole frames per second.
    pub(crate) frame_rate: u32,
    /// Bits per second; the maximum with QVBR.
    pub(crate) video_bitrate: u32,
    /// Bits per second, of all sounds.
    pub(crate) audio_bitrate: u32,
}

/// Where a name stands; not every identifier may stand everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Destination,
    NameModifier,
    SegmentModifier,
}

impl Identifiers<'_> {
    /// The text with every identifier replaced. What is none stays.
    pub(crate) fn resolve(&self, text: &str) -> String {
        let mut resolved = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => resolved.push_str(text),
                Piece::Identifier { whole, name, digits } => match self.value(name) {
                    // Writing to a string cannot fail.
                    Some(value) => drop(write!(resolved, "{value:0>digits$}")),
                    None => resolved.push_str(whole),
                },
            }
        }
        resolved
    }

    fn value(&self, name: &str) -> Option<String> {
        let time = self.started.to_zoned(TimeZone::UTC);
        let output = self.output.unwrap_or_default();
        Some(match name {
            "dt" => time.strftime("%Y%m%dT%H%M%S").to_string(),
            "d" => time.strftime("%Y%m%d").to_string(),
            "t" => time.strftime("%H%M%S").to_string(),
            "fn" => self.input.base_name().to_owned(),
            "ex" => self.input.extension().to_owned(),
            "rv" => (output.video_bitrate / 1000).to_string(),
            "ra" => (output.audio_bitrate / 1000).to_string(),
            "rc" => ((output.video_bitrate + output.audio_bitrate) / 1000).to_string(),
            "w" => output.width.to_string(),
            "h" => output.height.to_string(),
            "f" => output.frame_rate.to_string(),
            _ => return None,
        })
    }
}

/// Refuses identifiers that are unknown or not for this place.
pub(super) fn check(path: &str, text: &str, place: Place) -> Result<(), Refusal> {
    for piece in pieces(text) {
        let Piece::Identifier { whole, name, .. } = piece else { continue };
        let allowed = match name {
            "fn" | "ex" => true,
            // In segments' names AWS means the time at which each segment was made.
            "dt" | "d" | "t" => place != Place::SegmentModifier,
            "rv" | "ra" | "rc" | "w" | "h" | "f" => place != Place::Destination,
            _ => false,
        };
        if !allowed {
            return Err(Refusal::unsupported_value(path, whole));
        }
    }
    Ok(())
}

enum Piece<'a> {
    Text(&'a str),
    Identifier { whole: &'a str, name: &'a str, digits: usize },
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        pieces.push(Piece::Text(&rest[..at]));
        let after = &rest[at + 1..];
        match after.find('$') {
            // Two stand for one.
            Some(0) => {
                pieces.push(Piece::Text("$"));
                rest = &after[1..];
            }
            Some(end) if identifier(&after[..end]).is_some() => {
                let (name, digits) = identifier(&after[..end]).unwrap_or_default();
                pieces.push(Piece::Identifier { whole: &rest[at..at + end + 2], name, digits });
                rest = &after[end + 1..];
            }
            _ => {
                pieces.push(Piece::Text("$"));
                rest = after;
            }
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Letters, and perhaps the least number of digits: `h%05`.
fn identifier(text: &str) -> Option<(&str, usize)> {
    let (name, digits) = match text.split_once("%0") {
        Some((name, digits)) => (name, digits.parse().ok().filter(|digits| (1..=20).contains(digits))?),
        None => (text, 0),
    };
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic())).then_some((name, digits))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn resolve(text: &str) -> String {
        let input = ObjectLocation::parse("s3://in/f/clip.v2.mp4").unwrap();
        let output =
            OutputFacts { width: 1280, height: 720, frame_rate: 23, video_bitrate: 3_000_000, audio_bitrate: 96_000 };
        let started = "2020-06-04T15:05:28Z".parse().unwrap();
        Identifiers { started, input: &input, output: Some(output) }.resolve(text)
    }

    #[test]
    fn identifiers_are_replaced() {
        let check = |text: &str, expected: &str| assert_eq!(resolve(text), expected);
        check("a", "a");
        check("_$w$x$h$", "_1280x720");
        check("$dt$ $d$ $t$", "20200604T150528 20200604 150528");
        check("$rv$-$ra$-$rc$-$f$", "3000-96-3096-23");
        check("$fn$.$ex$", "clip.v2.mp4");
        check("$h%05$", "00720");
        check("100$$", "100$");
        check("$5 and $6", "$5 and $6");
        check("$nope$", "$nope$");
        check("$", "$");
    }

    #[test]
    fn each_has_its_places() {
        let refused = |text: &str, place| check("/p", text, place).is_err();
        assert!(!refused("$d$/$fn$", Place::Destination));
        assert!(refused("$w$", Place::Destination));
        assert!(refused("$d$", Place::SegmentModifier));
        assert!(refused("$Number$", Place::NameModifier));
        assert!(!refused("$5 and $6", Place::NameModifier));
    }

    proptest! {
        #[test]
        fn any_text_resolves(text in ".{0,40}") {
            let _ = resolve(&text);
        }
    }
}
