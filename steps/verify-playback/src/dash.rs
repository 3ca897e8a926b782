//! As much of DASH manifests as a player needs to begin: static presentations whose segments are told by templates.
//! Source: ISO/IEC 23009-1, and <https://dashif.org/docs/DASH-IF-IOP-v4.3.pdf>.

use quick_xml::{
    Reader, XmlVersion,
    events::{
        BytesStart, Event,
        attributes::{AttrError, Attribute},
    },
};

/// Elements nest this deep at most; ours nest six deep.
const DEPTH_MAX: usize = 16;
/// Segments of a representation at most: a day of one-second segments has a third of that.
const SEGMENTS_MAX: u64 = 250_000;

/// A representation: one rendition, or one track of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Whether it is pictures.
    pub is_video: bool,
    /// Such as `1280x720`, where the manifest says.
    pub resolution: Option<String>,
    /// The initialisation segment, relative to the manifest.
    pub initialization: String,
    /// The first media segment, relative to the manifest.
    pub first: String,
    /// The last one.
    pub last: String,
    /// How many there are.
    pub segments: u64,
    /// Seconds of all of them.
    pub seconds: f64,
}

/// The text is no manifest of the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not XML, or cut off.
    #[error("it is no XML")]
    Xml,
    /// Some other XML.
    #[error("it is no MPD")]
    NotMpd,
    /// Deeper than any manifest is.
    #[error("its elements nest too deep")]
    TooDeep,
    /// A representation that cannot be played as it is told.
    #[error("representation {id:?} {what}")]
    Representation {
        /// Its id.
        id: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What is inherited on the way down: MPD, period, adaptation set, representation.
#[derive(Clone, Debug, Default)]
struct Level {
    id: String,
    bandwidth: String,
    mime_type: String,
    content_type: String,
    width: Option<u32>,
    height: Option<u32>,
    /// Of the period.
    seconds: Option<f64>,
    /// Base addresses from the outside in, joined.
    base: String,
    template: Template,
}

/// `SegmentTemplate`.
#[derive(Clone, Debug, Default)]
struct Template {
    initialization: Option<String>,
    media: Option<String>,
    timescale: Option<u64>,
    duration: Option<u64>,
    start_number: Option<u64>,
    timeline: Option<Vec<Entry>>,
}

/// `S` of a `SegmentTimeline`.
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Option<u64>,
    duration: u64,
    repeat: u64,
}

/// Reads a manifest.
///
/// # Errors
/// When it is none, or has a representation without segments.
pub fn representations(text: &str) -> Result<Vec<Representation>, Malformed> {
    let mut reader = Reader::from_str(text);
    let mut levels: Vec<Level> = Vec::new();
    let mut found = Vec::new();
    let mut in_base = false;
    loop {
        match reader.read_event().map_err(|_| Malformed::Xml)? {
            Event::Start(element) => {
                in_base = element.local_name().as_ref() == "BaseURL";
                if levels.is_empty() && element.local_name().as_ref() != "MPD" {
                    return Err(Malformed::NotMpd);
                }
                if levels.len() == DEPTH_MAX {
                    return Err(Malformed::TooDeep);
                }
                let level = match levels.last_mut() {
                    Some(timeline) if is_entry(&element) => {
                        add(timeline, &element)?;
                        Level::default()
                    }
                    parent => open(parent.cloned().unwrap_or_default(), &element)?,
                };
                levels.push(level);
            }
            Event::Empty(element) if is_entry(&element) => {
                add(levels.last_mut().ok_or(Malformed::NotMpd)?, &element)?;
            }
            Event::Empty(element) => {
                // Tells its parent something, or is a representation that inherits all it needs.
                let level = open(levels.last().cloned().ok_or(Malformed::NotMpd)?, &element)?;
                close(&mut levels, element.local_name().as_ref(), level, &mut found)?;
            }
            Event::Text(text) if in_base => {
                let address = text.xml_content(XmlVersion::Implicit1_0);
                if let Some(level) = levels.last_mut() {
                    level.base.push_str(address.trim());
                }
            }
            Event::End(element) => {
                in_base = false;
                let level = levels.pop().ok_or(Malformed::Xml)?;
                close(&mut levels, element.local_name().as_ref(), level, &mut found)?;
            }
            Event::Eof if levels.is_empty() && !found.is_empty() => return Ok(found),
            Event::Eof if levels.is_empty() => return Err(Malformed::NotMpd),
            Event::Eof => return Err(Malformed::Xml),
            _ => {}
        }
    }
}

fn is_entry(element: &BytesStart<'_>) -> bool {
    element.local_name().as_ref() == "S"
}

/// Adds an `S` to the timeline it is in. It has no level of its own: there may be very many.
fn add(timeline: &mut Level, element: &BytesStart<'_>) -> Result<(), Malformed> {
    let mut entry = Entry { time: None, duration: 0, repeat: 0 };
    for attribute in element.attributes() {
        let (name, value) = read(attribute)?;
        let number = value.parse().ok();
        match name {
            "t" => entry.time = number,
            "d" => entry.duration = number.unwrap_or_default(),
            "r" => entry.repeat = number.unwrap_or_default(),
            _ => {}
        }
    }
    timeline.template.timeline.get_or_insert_default().push(entry);
    Ok(())
}

/// An attribute's name and value.
fn read(attribute: Result<Attribute<'_>, AttrError>) -> Result<(&str, String), Malformed> {
    let attribute = attribute.map_err(|_| Malformed::Xml)?;
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Malformed::Xml)?.into_owned();
    Ok((attribute.key.0, value))
}

/// What an element's attributes add to what it inherits.
fn open(mut level: Level, element: &BytesStart<'_>) -> Result<Level, Malformed> {
    let name = element.local_name();
    for attribute in element.attributes() {
        let (attribute, value) = read(attribute)?;
        let number = value.parse::<u64>().ok();
        let side = value.parse::<u32>().ok();
        match (name.as_ref(), attribute) {
            ("MPD", "mediaPresentationDuration") | ("Period", "duration") => level.seconds = seconds(&value),
            ("AdaptationSet" | "Representation", "mimeType") => level.mime_type = value,
            ("AdaptationSet", "contentType") => level.content_type = value,
            ("AdaptationSet" | "Representation", "width") => level.width = side,
            ("AdaptationSet" | "Representation", "height") => level.height = side,
            ("Representation", "id") => level.id = value,
            ("Representation", "bandwidth") => level.bandwidth = value,
            ("SegmentTemplate", "initialization") => level.template.initialization = Some(value),
            ("SegmentTemplate", "media") => level.template.media = Some(value),
            ("SegmentTemplate", "timescale") => level.template.timescale = number,
            ("SegmentTemplate", "duration") => level.template.duration = number,
            ("SegmentTemplate", "startNumber") => level.template.start_number = number,
            _ => {}
        }
    }
    if name.as_ref() == "SegmentTimeline" {
        level.template.timeline = Some(Vec::new());
    }
    Ok(level)
}

/// Hands what an element told to its parent; a representation is complete.
fn close(levels: &mut [Level], name: &str, level: Level, found: &mut Vec<Representation>) -> Result<(), Malformed> {
    match (name, levels.last_mut()) {
        ("Representation", _) => found.extend(representation(&level)?),
        ("BaseURL", Some(parent)) => parent.base = level.base,
        ("SegmentTemplate" | "SegmentTimeline", Some(parent)) => parent.template = level.template,
        _ => {}
    }
    Ok(())
}

/// The representation that these attributes describe; nothing for one of text or images.
fn representation(level: &Level) -> Result<Option<Representation>, Malformed> {
    let fails = |what| Malformed::Representation { id: level.id.clone(), what };
    let kind = if level.content_type.is_empty() { &level.mime_type } else { &level.content_type };
    let is_video = kind.starts_with("video");
    if !is_video && !kind.starts_with("audio") {
        return Ok(None);
    }
    let template = &level.template;
    let media = template.media.as_deref().ok_or_else(|| fails("has no template of its segments"))?;
    let initialization = template.initialization.as_deref().ok_or_else(|| fails("has no initialisation"))?;
    let timescale = template.timescale.unwrap_or(1).max(1);
    let first_number = template.start_number.unwrap_or(1);
    let (first_time, last_time, segments, ticks) = match &template.timeline {
        Some(entries) => timeline(entries).ok_or_else(|| fails("has a timeline that is not understood"))?,
        None => {
            let duration = template.duration.filter(|ticks| *ticks > 0).ok_or_else(|| fails("has no durations"))?;
            let period = level.seconds.ok_or_else(|| fails("is in a period without a length"))?;
            // `as` saturates.
            let ticks = (period * timescale as f64).round() as u64;
            let segments = ticks.div_ceil(duration);
            (0, segments.saturating_sub(1).saturating_mul(duration), segments, ticks)
        }
    };
    if segments == 0 || segments > SEGMENTS_MAX {
        return Err(fails("has no segments, or more than there can be"));
    }
    let fill = |template: &str, number: u64, time: u64| {
        let filled =
            fill(template, level, number, time).ok_or_else(|| fails("has a template that is not understood"))?;
        Ok(format!("{}{filled}", level.base))
    };
    Ok(Some(Representation {
        is_video,
        resolution: level.width.zip(level.height).map(|(width, height)| format!("{width}x{height}")),
        initialization: fill(initialization, first_number, first_time)?,
        first: fill(media, first_number, first_time)?,
        last: fill(media, first_number.saturating_add(segments - 1), last_time)?,
        segments,
        seconds: ticks as f64 / timescale as f64,
    }))
}

/// Time of the first segment, time of the last, how many there are, and ticks of all of them.
fn timeline(entries: &[Entry]) -> Option<(u64, u64, u64, u64)> {
    let first = entries.first()?.time.unwrap_or_default();
    let (mut time, mut last, mut segments, mut ticks) = (first, first, 0_u64, 0_u64);
    for entry in entries {
        time = entry.time.unwrap_or(time);
        let count = entry.repeat.checked_add(1)?;
        let length = entry.duration.checked_mul(count)?;
        last = time.checked_add(length.checked_sub(entry.duration)?)?;
        time = time.checked_add(length)?;
        segments = segments.checked_add(count)?;
        ticks = ticks.checked_add(length)?;
    }
    Some((first, last, segments, ticks))
}

/// `$Number%05d$` and its like. Nothing for an identifier that is none.
fn fill(template: &str, level: &Level, number: u64, time: u64) -> Option<String> {
    let mut filled = String::new();
    for (index, part) in template.split('$').enumerate() {
        if index % 2 == 0 {
            filled.push_str(part);
            continue;
        }
        let (identifier, width) = match part.split_once('%') {
            Some((identifier, format)) => (identifier, format.strip_prefix('0')?.strip_suffix('d')?.parse().ok()?),
            None => (part, 1_usize),
        };
        if width > 32 {
            return None;
        }
        match identifier {
            "" => filled.push('$'),
            "RepresentationID" => filled.push_str(&level.id),
            "Bandwidth" => filled.push_str(&level.bandwidth),
            "Number" => filled.push_str(&format!("{number:0width$}")),
            "Time" => filled.push_str(&format!("{time:0width$}")),
            _ => return None,
        }
    }
    Some(filled)
}

/// `PT1H2M3.5S` in seconds; days too, but no months or years, which have no length.
fn seconds(duration: &str) -> Option<f64> {
    let rest = duration.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = 0.0;
    let mut number = String::new();
    let units = days.chars().map(|c| (c, true)).chain(time.chars().map(|c| (c, false)));
    for (character, in_date) in units {
        let factor = match (character, in_date) {
            ('0'..='9' | '.', _) => {
                number.push(character);
                continue;
            }
            ('D', true) => 86_400.0,
            ('H', false) => 3_600.0,
            ('M', false) => 60.0,
            ('S', false) => 1.0,
            // Writers that know no better write a nought for those.
            ('Y' | 'M', true) if number == "0" => 0.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        number.clear();
    }
    number.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn mpd(period: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
             mediaPresentationDuration=\"PT0H0M20.0S\"><Period>{period}</Period></MPD>"
        )
    }

    #[track_caller]
    fn check(period: &str, expected: &[(bool, &str, &str, &str, u64, f64)]) {
        let found = representations(&mpd(period)).expect("a manifest");
        let told: Vec<_> = found
            .iter()
            .map(|r| (r.is_video, &*r.initialization, &*r.first, &*r.last, r.segments, r.seconds))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn timelines_name_their_segments_by_number_and_by_time() {
        let by_number = "<AdaptationSet contentType=\"video\" mimeType=\"video/mp4\">\
            <Representation id=\"1\" bandwidth=\"9\" width=\"1280\" height=\"720\">\
            <SegmentTemplate timescale=\"90000\" startNumber=\"0\" initialization=\"i_$RepresentationID$.mp4\" media=\"i_1_$Number$.mp4\">\
            <SegmentTimeline><S t=\"0\" d=\"540000\" r=\"2\"/><S d=\"180000\"/></SegmentTimeline></SegmentTemplate>\
            </Representation></AdaptationSet>";
        check(by_number, &[(true, "i_1.mp4", "i_1_0.mp4", "i_1_3.mp4", 4, 20.0)]);
        let by_time = "<AdaptationSet mimeType=\"audio/mp4\"><BaseURL>a/</BaseURL>\
            <SegmentTemplate timescale=\"10\" initialization=\"$Bandwidth$/init.mp4\" media=\"$Bandwidth$/$Time%06d$.mp4\">\
            <SegmentTimeline><S t=\"5\" d=\"60\" r=\"1\"/><S t=\"130\" d=\"70\"/></SegmentTimeline></SegmentTemplate>\
            <Representation id=\"x\" bandwidth=\"64000\"/><Representation id=\"y\" bandwidth=\"128000\"/></AdaptationSet>";
        let of = |bandwidth: &str| ["init.mp4", "000005.mp4", "000130.mp4"].map(|file| format!("a/{bandwidth}/{file}"));
        let (low, high) = (of("64000"), of("128000"));
        check(by_time, &[(false, &low[0], &low[1], &low[2], 3, 19.0), (false, &high[0], &high[1], &high[2], 3, 19.0)]);
    }

    #[test]
    fn durations_name_their_segments_by_number() {
        let period = "<AdaptationSet contentType=\"video\"><SegmentTemplate timescale=\"1000\" duration=\"6000\" \
            initialization=\"init$$.mp4\" media=\"$RepresentationID$_$Number%09d$.mp4\"/>\
            <Representation id=\"v\"></Representation></AdaptationSet>\
            <AdaptationSet contentType=\"text\"><Representation id=\"t\"/></AdaptationSet>";
        check(period, &[(true, "init$.mp4", "v_000000001.mp4", "v_000000004.mp4", 4, 20.0)]);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for (text, expected) in [
            ("", Malformed::NotMpd),
            ("<html></html>", Malformed::NotMpd),
            ("<MPD></MPD>", Malformed::NotMpd),
            ("<MPD><Period>", Malformed::Xml),
            ("<MPD a=></MPD>", Malformed::Xml),
        ] {
            assert_eq!(representations(text), Err(expected), "{text}");
        }
        assert_eq!(representations(&"<MPD>".repeat(17)), Err(Malformed::TooDeep));
        let check = |template: &str, what: &str| {
            let text = mpd(&format!(
                "<AdaptationSet contentType=\"audio\"><Representation id=\"a\">{template}</Representation></AdaptationSet>"
            ));
            let error = representations(&text).expect_err("refused");
            assert_eq!(error.to_string(), format!("representation \"a\" {what}"));
        };
        check("<SegmentBase/>", "has no template of its segments");
        check("<SegmentTemplate media=\"m\"/>", "has no initialisation");
        check("<SegmentTemplate media=\"m\" initialization=\"i\"/>", "has no durations");
        check(
            "<SegmentTemplate media=\"$X$\" initialization=\"i\" duration=\"1\"/>",
            "has a template that is not understood",
        );
        check(
            "<SegmentTemplate media=\"m\" initialization=\"i\"><SegmentTimeline/></SegmentTemplate>",
            "has a timeline that is not understood",
        );
        let endless = format!("<S d=\"1\" r=\"{}\"/>", u64::MAX);
        check(
            &format!(
                "<SegmentTemplate media=\"m\" initialization=\"i\"><SegmentTimeline>{endless}</SegmentTimeline></SegmentTemplate>"
            ),
            "has a timeline that is not understood",
        );
        check(
            "<SegmentTemplate media=\"m\" initialization=\"i\" timescale=\"1000000\" duration=\"1\"/>",
            "has no segments, or more than there can be",
        );
    }

    #[test]
    fn durations_are_read_in_every_form() {
        for (text, expected) in [
            ("PT20.02S", Some(20.02)),
            ("PT1H2M3S", Some(3723.0)),
            ("P0Y0M1DT0H0M0.5S", Some(86_400.5)),
            ("P1M", None),
            ("PT", Some(0.0)),
            ("20", None),
            ("PT20", None),
            ("PTxS", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "(<MPD>)?(<Period |<AdaptationSet |<Representation |<S |SegmentTemplate|media=\"\\$|[a-z0-9=\"<>/$% ]){0,60}") {
            let _ = representations(&text);
        }
    }
}
