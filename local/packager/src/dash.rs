//! Writes DASH manifests (ISO/IEC 23009-1): one period; an adaptation set for the pictures of each codec, one for each sound,
//! each subtitles, and one for key frames. Pure.

use std::fmt::Write as _;

use crate::{
    codec::Range,
    facts::{Facts, Picture, Sound, TICKS_PER_SECOND},
    model::{DashPackage, ManifestLayout, SegmentTemplateFormat},
    presentation::{Chosen, NotPresentable, Output, Presentation, Role, Stream},
};

/// Whether the presentation can be told of in the wanted form.
pub(crate) fn check(package: &DashPackage, presentation: &Presentation) -> Result<(), NotPresentable> {
    if package.segment_template_format() != SegmentTemplateFormat::NumberWithDuration {
        return Ok(());
    }
    // A player finds the segment of a time by division: one that begins half a segment off is not the one it wants.
    let even = |stream: &Stream| {
        let Some(first) = stream.outputs.first() else { return true };
        let mean = stream.mean_duration();
        let expected = |index: usize| first.start + index as u64 * mean;
        stream
            .outputs
            .iter()
            .enumerate()
            .all(|(index, output)| output.start.abs_diff(expected(index)) * 2 < mean.max(1))
    };
    if presentation.streams.iter().all(even) { Ok(()) } else { Err(NotPresentable::Durations) }
}

/// Writes text with its level of indentation.
struct Writer {
    text: String,
    level: usize,
}

impl Writer {
    fn line(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{:1$}{line}", "", self.level * 2);
    }

    fn open(&mut self, line: impl std::fmt::Display, body: impl FnOnce(&mut Self), name: &str) {
        self.line(line);
        self.level += 1;
        body(self);
        self.level -= 1;
        self.line(format_args!("</{name}>"));
    }

    /// A property of ITU-T H.273, or another with scheme and value.
    fn property(&mut self, kind: &str, scheme: &str, value: impl std::fmt::Display) {
        self.line(format_args!("<{kind} schemeIdUri=\"{scheme}\" value=\"{value}\"/>"));
    }
}

/// How segments are addressed.
struct Addressing<'a> {
    name: &'a str,
    format: SegmentTemplateFormat,
    layout: ManifestLayout,
    /// When the first frame is shown, in ticks: what the period's time zero is on the clock of the segments.
    lead_ticks: u64,
}

/// Writes the manifest for these streams.
pub(crate) fn document(facts: &Facts, package: &DashPackage, chosen: &Chosen<'_>) -> String {
    let manifest = package.manifest();
    let addressing = Addressing {
        name: manifest.name(),
        format: package.segment_template_format(),
        layout: manifest.manifest_layout.unwrap_or_default(),
        lead_ticks: chosen.lead_ticks,
    };
    let lead_seconds = chosen.lead_ticks as f64 / TICKS_PER_SECOND as f64;
    let mut duration = chosen.streams.iter().map(|stream| stream.end_seconds() - lead_seconds).fold(0.0, f64::max);
    if addressing.format == SegmentTemplateFormat::NumberWithDuration {
        // A player divides to know how many segments there are: none may come out with more than there are.
        // A millisecond less, so that rounding does not make it one more.
        let told = |stream: &&Stream| stream.seconds(stream.mean_duration() * stream.outputs.len() as u64) - 0.001;
        duration = chosen.streams.iter().map(told).fold(duration, f64::min);
    }
    let mut writer = Writer { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), level: 0 };
    let head = format!(
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT{duration:.3}S\" minBufferTime=\"PT{}S\">",
        manifest.min_buffer_time_seconds()
    );
    writer.open(
        head,
        |writer| {
            let head = format!("<Period id=\"1\" start=\"PT0S\" duration=\"PT{duration:.3}S\">");
            writer.open(head, |writer| period(writer, facts, &addressing, chosen), "Period");
        },
        "MPD",
    );
    writer.text
}

fn period(writer: &mut Writer, facts: &Facts, addressing: &Addressing<'_>, chosen: &Chosen<'_>) {
    let picture = |stream: &Stream| facts.renditions[stream.rendition()].picture.as_ref();
    let mut sets = 0_usize;
    let mut next_set = || {
        sets += 1;
        sets
    };
    let mut codecs = Vec::new();
    for stream in chosen.streams.iter().filter(|stream| matches!(stream.role, Role::Variant { .. })) {
        if let Some(codec) = picture(stream).map(|picture| picture.codec).filter(|codec| !codecs.contains(codec)) {
            codecs.push(codec);
        }
    }
    for codec in codecs {
        let of_codec = |stream: &&Stream| {
            matches!(stream.role, Role::Variant { .. }) && picture(stream).is_some_and(|picture| picture.codec == codec)
        };
        let streams: Vec<&Stream> = chosen.streams.iter().copied().filter(of_codec).collect();
        let set = next_set();
        picture_set(writer, facts, addressing, &streams, set, None);
        let streams: Vec<&Stream> = chosen.key_frames.iter().copied().filter(of_codec).collect();
        if !streams.is_empty() {
            let own = next_set();
            picture_set(writer, facts, addressing, &streams, own, Some(set));
        }
    }
    for stream in &chosen.streams {
        match &stream.role {
            Role::Audio { rendition, label } => {
                if let Some(sound) = &facts.renditions[*rendition].sound {
                    let head = adaptation_set(next_set(), "audio", "audio/mp4", label.language.as_deref());
                    writer.open(
                        head,
                        |writer| sound_set(writer, addressing, stream, sound, label.default),
                        "AdaptationSet",
                    );
                }
            }
            Role::Subtitles { label, .. } => {
                let head = adaptation_set(next_set(), "text", "application/mp4", label.language.as_deref());
                let forced = label.forced;
                writer.open(head, |writer| text_set(writer, addressing, stream, forced), "AdaptationSet");
            }
            Role::Variant { .. } => {}
        }
    }
}

fn adaptation_set(id: usize, content_type: &str, mime_type: &str, language: Option<&str>) -> String {
    let language = language.map(|language| format!(" lang=\"{}\"", quick_xml::escape::escape(language)));
    format!(
        "<AdaptationSet id=\"{id}\" contentType=\"{content_type}\" mimeType=\"{mime_type}\"{} segmentAlignment=\"true\" startWithSAP=\"1\">",
        language.unwrap_or_default()
    )
}

/// Pictures of one codec; or their key frames, for the set with the id `trick_play_of`.
fn picture_set(
    writer: &mut Writer,
    facts: &Facts,
    addressing: &Addressing<'_>,
    streams: &[&Stream],
    id: usize,
    trick_play_of: Option<usize>,
) {
    let pictures: Vec<(&Stream, &Picture)> = streams
        .iter()
        .filter_map(|stream| Some((*stream, facts.renditions[stream.rendition()].picture.as_ref()?)))
        .collect();
    let outputs = |stream: &'_ Stream| -> Vec<Output> {
        match trick_play_of {
            Some(_) => stream.key_frames.clone().unwrap_or_default(),
            None => stream.outputs.clone(),
        }
    };
    let head = adaptation_set(id, "video", "video/mp4", None);
    writer.open(
        head,
        |writer| {
            if let Some(main) = trick_play_of {
                writer.property("EssentialProperty", "http://dashif.org/guidelines/trickmode", main);
            }
            if let Some(colour) = pictures.first().and_then(|(_, picture)| range_colour(picture)) {
                for (name, code) in ["ColourPrimaries", "TransferCharacteristics", "MatrixCoefficients"].iter().zip(colour) {
                    writer.property("EssentialProperty", &format!("urn:mpeg:mpegB:cicp:{name}"), code);
                }
            }
            // In a compact manifest what the representations share is said once.
            let first = pictures.first().map(|(stream, _)| outputs(stream)).unwrap_or_default();
            let same_times = |stream: &Stream| {
                let own = outputs(stream);
                own.len() == first.len()
                    && own.iter().zip(&first).all(|(a, b)| (a.start, a.duration) == (b.start, b.duration))
            };
            let shared =
                addressing.layout == ManifestLayout::Compact && trick_play_of.is_none() && pictures.iter().all(|(stream, _)| same_times(stream));
            if let Some((stream, _)) = pictures.first().filter(|_| shared) {
                template(writer, addressing, stream, &first, "$RepresentationID$", false);
            }
            for (stream, picture) in &pictures {
                let trick_play = trick_play_of.is_some();
                let (bandwidth, rate) = if trick_play {
                    (stream.key_frames_bandwidth(), " maxPlayoutRate=\"16\" codingDependency=\"false\"".to_owned())
                } else {
                    (stream.peak_bandwidth(), frame_rate(picture))
                };
                // Identifiers are unique in a period: key frames get one of their own.
                let representation = if trick_play { format!("{}_iframes", stream.number) } else { stream.number.to_string() };
                let line = format!(
                    "<Representation id=\"{representation}\" codecs=\"{}\" bandwidth=\"{bandwidth}\" width=\"{}\" height=\"{}\" sar=\"1:1\"{rate}",
                    picture.name, picture.width, picture.height
                );
                if shared {
                    writer.line(format_args!("{line}/>"));
                } else {
                    let outputs = outputs(stream);
                    let own = representation.clone();
                    writer.open(
                        format_args!("{line}>"),
                        |writer| template(writer, addressing, stream, &outputs, &own, trick_play),
                        "Representation",
                    );
                }
            }
        },
        "AdaptationSet",
    );
}

/// The colour, where a player must know it to show the picture rightly.
fn range_colour(picture: &Picture) -> Option<[u8; 3]> {
    let [primaries, transfer, matrix, _] = picture.colour?;
    (picture.range != Range::Standard).then_some([primaries, transfer, matrix])
}

fn sound_set(writer: &mut Writer, addressing: &Addressing<'_>, stream: &Stream, sound: &Sound, main: bool) {
    writer.property("Role", "urn:mpeg:dash:role:2011", if main { "main" } else { "alternate" });
    let head = format!(
        "<Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{}\" audioSamplingRate=\"{}\">",
        stream.number,
        sound.name,
        stream.peak_bandwidth(),
        sound.sample_rate
    );
    writer.open(
        head,
        |writer| {
            let scheme = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
            writer.property("AudioChannelConfiguration", scheme, sound.channels);
            template(writer, addressing, stream, &stream.outputs, &stream.number.to_string(), false);
        },
        "Representation",
    );
}

fn text_set(writer: &mut Writer, addressing: &Addressing<'_>, stream: &Stream, forced: bool) {
    writer.property("Role", "urn:mpeg:dash:role:2011", if forced { "forced-subtitle" } else { "subtitle" });
    // What captions take is not known before they are made, and little.
    let head = format!("<Representation id=\"{}\" codecs=\"stpp.ttml.im1t\" bandwidth=\"1000\">", stream.number);
    writer.open(
        head,
        |writer| template(writer, addressing, stream, &stream.outputs, &stream.number.to_string(), false),
        "Representation",
    );
}

/// The template of a representation; or of several, when the identifier is a placeholder for theirs.
fn template(
    writer: &mut Writer,
    addressing: &Addressing<'_>,
    stream: &Stream,
    outputs: &[Output],
    representation: &str,
    trick_play: bool,
) {
    let name = addressing.name;
    // Key frames share the initialisation of what they are taken from, and are always numbered.
    let initialisation = if trick_play { stream.number.to_string() } else { representation.to_owned() };
    let by_time = addressing.format == SegmentTemplateFormat::TimeWithTimeline && !trick_play;
    let media = if by_time { "t$Time$" } else { "$Number$" };
    let number = if by_time { "" } else { " startNumber=\"0\"" };
    let lead = (addressing.lead_ticks * u64::from(stream.timescale) + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;
    let offset = if lead == 0 { String::new() } else { format!(" presentationTimeOffset=\"{lead}\"") };
    let head = format!(
        "<SegmentTemplate timescale=\"{}\"{number}{offset} initialization=\"{name}_{initialisation}_init.mp4\" media=\"{name}_{representation}_{media}.mp4\"",
        stream.timescale
    );
    if addressing.format == SegmentTemplateFormat::NumberWithDuration && !trick_play {
        writer.line(format_args!("{head} duration=\"{}\"/>", stream.mean_duration()));
        return;
    }
    writer.open(
        format_args!("{head}>"),
        |writer| writer.open("<SegmentTimeline>", |writer| timeline(writer, outputs), "SegmentTimeline"),
        "SegmentTemplate",
    );
}

/// Equal neighbours are one entry.
fn timeline(writer: &mut Writer, outputs: &[Output]) {
    let mut outputs = outputs.iter().peekable();
    let mut expected = None;
    while let Some(output) = outputs.next() {
        let mut end = output.start + output.duration;
        let mut repeats = 0;
        while outputs.next_if(|next| next.duration == output.duration && next.start == end).is_some() {
            end += output.duration;
            repeats += 1;
        }
        let start = if expected == Some(output.start) { String::new() } else { format!(" t=\"{}\"", output.start) };
        let repeat = if repeats == 0 { String::new() } else { format!(" r=\"{repeats}\"") };
        writer.line(format_args!("<S{start} d=\"{}\"{repeat}/>", output.duration));
        expected = Some(end);
    }
}

/// A frame rate as DASH writes it: a whole number, or a fraction over 1001.
fn frame_rate(picture: &Picture) -> String {
    if picture.frame_ticks <= 0.0 {
        return String::new();
    }
    let rate = 90_000.0 / picture.frame_ticks;
    let over_1001 = (rate * 1.001).round();
    let fraction = if (rate - rate.round()).abs() < 0.005 {
        format!("{}", rate.round())
    } else if (rate - over_1001 * 1000.0 / 1001.0).abs() < 0.005 {
        format!("{}/1001", over_1001 * 1000.0)
    } else {
        format!("{}/1000", (rate * 1000.0).round())
    };
    format!(" frameRate=\"{fraction}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::PictureCodec;

    #[test]
    fn frame_rates_are_whole_or_fractions() {
        for (frame_ticks, expected) in [
            (3600.0, " frameRate=\"25\""),
            (3003.0, " frameRate=\"30000/1001\""),
            (3753.75, " frameRate=\"24000/1001\""),
            (1501.5, " frameRate=\"60000/1001\""),
            (7200.0, " frameRate=\"12500/1000\""),
            (0.0, ""),
        ] {
            let picture = Picture {
                codec: PictureCodec::H264,
                name: String::new(),
                width: 0,
                height: 0,
                frame_ticks,
                range: Range::Standard,
                colour: None,
                configuration: None,
                sets: Vec::new(),
            };
            assert_eq!(frame_rate(&picture), expected);
        }
    }

    #[test]
    fn equal_neighbours_of_a_timeline_are_one_entry() {
        let output = |start, duration| Output { start, duration, ..Output::default() };
        let mut writer = Writer { text: String::new(), level: 0 };
        timeline(&mut writer, &[output(5, 10), output(15, 10), output(25, 10), output(35, 7), output(50, 7)]);
        assert_eq!(writer.text, "<S t=\"5\" d=\"10\" r=\"2\"/>\n<S d=\"7\"/>\n<S t=\"50\" d=\"7\"/>\n");
    }
}
