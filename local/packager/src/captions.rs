//! Captions: reads WebVTT and SubRip, writes WebVTT and TTML. Pure.
//!
//! Sources: <https://www.w3.org/TR/webvtt1/>, RFC 8216 (3.5) for `X-TIMESTAMP-MAP`, <https://www.w3.org/TR/ttml-imsc1.1/>.

use std::fmt::Write as _;

use crate::facts::TICKS_PER_SECOND;

/// Ticks of the MPEG clock in a millisecond.
const TICKS_PER_MILLISECOND: u64 = TICKS_PER_SECOND / 1000;

/// Why captions cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CaptionError {
    #[error("it is not WebVTT: it does not begin with WEBVTT")]
    NotWebVtt,
    #[error("line {0}: a malformed time")]
    Time(usize),
    #[error("its X-TIMESTAMP-MAP is malformed")]
    Map,
}

/// One caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cue {
    pub start_ms: u64,
    pub end_ms: u64,
    /// Position and the like, as WebVTT writes them; may be empty.
    pub settings: String,
    /// With WebVTT's markup; never with an empty line.
    pub text: String,
}

/// A file of captions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Captions {
    /// Style and region blocks, as they are.
    pub blocks: Vec<String>,
    pub cues: Vec<Cue>,
    /// `X-TIMESTAMP-MAP`: the MPEG time, in ticks, that the local time, in milliseconds, means.
    pub map: Option<(u64, u64)>,
}

/// The blocks of a text: runs of lines with content, with the number of each first line.
fn blocks(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut open = false;
    // A caption must not end a block of our own with what only some readers take for an empty line.
    for (index, line) in text.split('\n').enumerate() {
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() {
            open = false;
        } else if open {
            if let Some((_, lines)) = found.last_mut() {
                lines.push(line);
            }
        } else {
            found.push((index + 1, vec![line]));
            open = true;
        }
    }
    found
}

/// Reads WebVTT.
pub(crate) fn parse_webvtt(text: &str) -> Result<Captions, CaptionError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.starts_with("WEBVTT") {
        return Err(CaptionError::NotWebVtt);
    }
    let mut captions = Captions::default();
    for (number, lines) in blocks(text) {
        let first = lines[0];
        if number == 1 {
            let map = lines.iter().find_map(|line| line.strip_prefix("X-TIMESTAMP-MAP="));
            captions.map = map.map(|map| timestamp_map(map).ok_or(CaptionError::Map)).transpose()?;
        } else if first.starts_with("STYLE") || first.starts_with("REGION") {
            captions.blocks.push(lines.join("\n"));
        } else if let Some(timing) = lines.iter().position(|line| line.contains("-->")) {
            captions.cues.push(cue(&lines[timing..], number + timing, str::to_owned)?);
        }
    }
    Ok(captions)
}

/// Reads SubRip, with its markup made WebVTT's.
pub(crate) fn parse_subrip(text: &str) -> Result<Captions, CaptionError> {
    let mut captions = Captions::default();
    for (number, lines) in blocks(text.trim_start_matches('\u{feff}')) {
        if let Some(timing) = lines.iter().position(|line| line.contains("-->")) {
            let mut cue = cue(&lines[timing..], number + timing, subrip_markup)?;
            // Coordinates that some writers put behind the times mean nothing to WebVTT.
            cue.settings.clear();
            captions.cues.push(cue);
        }
    }
    Ok(captions)
}

/// A cue from its line of times on.
fn cue(lines: &[&str], number: usize, markup: impl Fn(&str) -> String) -> Result<Cue, CaptionError> {
    let malformed = CaptionError::Time(number);
    let (start, rest) = lines[0].split_once("-->").ok_or(malformed)?;
    let rest = rest.trim();
    let (end, settings) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    Ok(Cue {
        start_ms: milliseconds(start.trim()).ok_or(malformed)?,
        end_ms: milliseconds(end).ok_or(malformed)?,
        settings: settings.trim().to_owned(),
        text: markup(&lines[1..].join("\n")),
    })
}

/// `[hours:]minutes:seconds.milliseconds`; SubRip writes a comma for the point.
fn milliseconds(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once(['.', ','])?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    if fraction.len() != 3 {
        return None;
    }
    let mut seconds = 0_u64;
    for part in clock.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(number(part)?)?;
    }
    seconds.checked_mul(1000)?.checked_add(number(fraction)?)
}

/// `MPEGTS:900000,LOCAL:00:00:00.000`, in either order.
fn timestamp_map(text: &str) -> Option<(u64, u64)> {
    let (mut ticks, mut local) = (None, None);
    for part in text.split(',') {
        let (name, value) = part.trim().split_once(':')?;
        match name {
            "MPEGTS" => ticks = value.parse().ok(),
            "LOCAL" => local = milliseconds(value),
            _ => return None,
        }
    }
    Some((ticks?, local?))
}

/// SubRip's markup in WebVTT's: bold, italic and underlined stay, other tags go, what would be markup is escaped.
fn subrip_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&', '{']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = if rest.starts_with('{') { '}' } else { '>' };
        match rest.find(close).map(|end| (&rest[1..end], &rest[end + 1..])) {
            Some((tag, tail)) if rest.starts_with('<') && is_tag(tag) => {
                let name = tag.trim_start_matches('/').to_ascii_lowercase();
                if matches!(name.as_str(), "b" | "i" | "u") {
                    let slash = if tag.starts_with('/') { "/" } else { "" };
                    let _ = write!(out, "<{slash}{name}>");
                }
                rest = tail;
            }
            // Such as {\an8}.
            Some((tag, tail)) if rest.starts_with('{') && tag.starts_with('\\') => rest = tail,
            _ => {
                out.push_str(match rest.as_bytes()[0] {
                    b'<' => "&lt;",
                    b'&' => "&amp;",
                    _ => "{",
                });
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Whether what stands between brackets is a tag; WebVTT's may be times.
fn is_tag(tag: &str) -> bool {
    tag.trim_start_matches('/').starts_with(|first: char| first.is_ascii_alphanumeric()) && !tag.contains('\n')
}

/// Ticks of the MPEG clock.
pub(crate) fn ticks(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(TICKS_PER_MILLISECOND)
}

fn clock(milliseconds: u64) -> String {
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    format!("{:02}:{:02}:{:02}.{milliseconds:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Writes WebVTT whose time zero is `zero_ticks` on the clock of the segments beside it.
pub(crate) fn write_webvtt(captions: &Captions, zero_ticks: u64) -> String {
    let mut text = format!("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{zero_ticks},LOCAL:00:00:00.000\n");
    for block in &captions.blocks {
        let _ = write!(text, "\n{block}\n");
    }
    for cue in &captions.cues {
        let space = if cue.settings.is_empty() { "" } else { " " };
        let (start, end) = (clock(cue.start_ms), clock(cue.end_ms));
        let _ = write!(text, "\n{start} --> {end}{space}{}\n{}\n", cue.settings, cue.text);
    }
    text
}

/// Writes TTML in the text profile of IMSC 1.
pub(crate) fn write_ttml(captions: &Captions, language: Option<&str>) -> String {
    let language = quick_xml::escape::escape(language.unwrap_or(""));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <tt xmlns=\"http://www.w3.org/ns/ttml\" xmlns:tts=\"http://www.w3.org/ns/ttml#styling\" \
         xmlns:ttp=\"http://www.w3.org/ns/ttml#parameter\" ttp:timeBase=\"media\" \
         ttp:profile=\"http://www.w3.org/ns/ttml/profile/imsc1/text\" xml:lang=\"{language}\">\n\
         <head><layout><region xml:id=\"bottom\" tts:origin=\"10% 10%\" tts:extent=\"80% 80%\" tts:displayAlign=\"after\" \
         tts:textAlign=\"center\" tts:color=\"white\" tts:backgroundColor=\"transparent\"/></layout></head>\n\
         <body><div>\n"
    );
    for cue in &captions.cues {
        let _ = writeln!(
            text,
            "<p region=\"bottom\" begin=\"{}\" end=\"{}\">{}</p>",
            clock(cue.start_ms),
            clock(cue.end_ms),
            ttml_markup(&cue.text)
        );
    }
    text.push_str("</div></body></tt>\n");
    text
}

/// WebVTT's markup in TTML's: bold, italic and underlined stay, other tags go.
fn ttml_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&', '\n', '>']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(tail) = rest.strip_prefix('\n') {
            out.push_str("<br/>");
            rest = tail;
        } else if let Some((tag, tail)) =
            rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).filter(|(tag, _)| is_tag(tag))
        {
            let name = tag.trim_start_matches('/').split(['.', ' ']).next().unwrap_or_default();
            let style = match name {
                "b" => Some("tts:fontWeight=\"bold\""),
                "i" => Some("tts:fontStyle=\"italic\""),
                "u" => Some("tts:textDecoration=\"underline\""),
                _ => None,
            };
            match (style, tag.starts_with('/')) {
                (Some(_), true) if open.last() == Some(&name) => {
                    open.pop();
                    out.push_str("</span>");
                }
                (Some(style), false) => {
                    open.push(name);
                    let _ = write!(out, "<span {style}>");
                }
                _ => {}
            }
            rest = tail;
        } else {
            let entity = rest.strip_prefix('&').and_then(|rest| rest.split_once(';'));
            let known = entity.and_then(|(name, tail)| {
                let meant = match name {
                    "amp" => "&amp;",
                    "lt" => "&lt;",
                    "gt" => "&gt;",
                    "nbsp" => "\u{a0}",
                    "lrm" => "\u{200e}",
                    "rlm" => "\u{200f}",
                    _ => return None,
                };
                Some((meant, tail))
            });
            let (meant, tail) = known.unwrap_or_else(|| {
                let meant = match rest.as_bytes()[0] {
                    b'<' => "&lt;",
                    b'>' => "&gt;",
                    _ => "&amp;",
                };
                (meant, &rest[1..])
            });
            out.push_str(meant);
            rest = tail;
        }
    }
    out.push_str(rest);
    for _ in open {
        out.push_str("</span>");
    }
    // Characters that XML cannot hold at all.
    out.retain(|character| !character.is_control() || character == '\t');
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn webvtt_is_read_and_written_back() {
        let text = "WEBVTT - title\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nSTYLE\n::cue { color: red }\n\n\
            NOTE a note\n\n1\n00:01.000 --> 01:00:02.500 line:0 align:start\n<i>One</i> &amp; two\nthree\n\n";
        let captions = parse_webvtt(text).unwrap();
        assert_eq!(captions.map, Some((900_000, 0)));
        assert_eq!(captions.cues.len(), 1);
        assert_eq!((captions.cues[0].start_ms, captions.cues[0].end_ms), (1000, 3_602_500));
        expect_test::expect![[r#"
            WEBVTT
            X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000

            STYLE
            ::cue { color: red }

            00:00:01.000 --> 01:00:02.500 line:0 align:start
            <i>One</i> &amp; two
            three
        "#]]
        .assert_eq(&write_webvtt(&captions, 0));
    }

    #[test]
    fn subrip_becomes_webvtt() {
        let text = "1\r\n00:00:01,000 --> 00:00:02,000 X1:0\r\n{\\an8}<I>One</I> & <font color=\"red\">two</font> < 3\r\n\r\n2\r\n00:00:03,5 --> x\r\n";
        assert_eq!(parse_subrip(text), Err(CaptionError::Time(6)));
        let captions = parse_subrip(text.split("2\r\n00:00:03").next().unwrap()).unwrap();
        assert_eq!(captions.cues[0].text, "<i>One</i> &amp; two &lt; 3");
        assert_eq!(captions.cues[0].settings, "");
    }

    fn check_ttml(text: &str, expected: &str) {
        assert_eq!(ttml_markup(text), expected);
    }

    #[test]
    fn markup_is_balanced_in_ttml() {
        check_ttml("<i>One</i>\ntwo", "<span tts:fontStyle=\"italic\">One</span><br/>two");
        check_ttml("<v Ann>a < b & c > d &lt;", "a &lt; b &amp; c &gt; d &lt;");
        check_ttml("<b>never closed", "<span tts:fontWeight=\"bold\">never closed</span>");
        check_ttml("</b>never &nbsp;opened", "never \u{a0}opened");
    }

    proptest! {
        #[test]
        fn hostile_captions_never_panic(text in "(WEBVTT\n)?([ -~\u{e9}\u{1f600}]{0,12}(\n| --> |:|\\.|,|<|>|&|\\{|\\}))*") {
            let _ = parse_webvtt(&text);
            if let Ok(captions) = parse_subrip(&text) {
                let document = write_ttml(&captions, Some("e\"n"));
                let mut reader = quick_xml::Reader::from_str(&document);
                loop {
                    match reader.read_event() {
                        Ok(quick_xml::events::Event::Eof) => break,
                        event => prop_assert!(event.is_ok(), "{document}"),
                    }
                }
            }
        }

        #[test]
        fn any_markup_is_well_formed_in_ttml(text in "([a-z ]|<[/]?[biuc]>|<|>|&|&amp;|\n){0,20}") {
            let captions = Captions { cues: vec![Cue { start_ms: 0, end_ms: 1, settings: String::new(), text }], ..Captions::default() };
            let document = write_ttml(&captions, None);
            let mut reader = quick_xml::Reader::from_str(&document);
            reader.config_mut().check_end_names = true;
            loop {
                match reader.read_event() {
                    Ok(quick_xml::events::Event::Eof) => break,
                    event => prop_assert!(event.is_ok(), "{document}"),
                }
            }
        }
    }
}
