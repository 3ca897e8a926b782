//! The DASH manifest. Source: ISO/IEC 23009-1, static presentation with SegmentTemplate and SegmentTimeline.

use std::fmt::Write;

use crate::{
    job::{BandwidthType, CmafGroup, CodecSpecification, DashGroup},
    plan::{PlannedCaptions, PlannedOutput},
};

use super::{
    Context, GroupDetail, GroupKind, Prepared, PublishError,
    boxes::{self, SegmentIndex},
    captions,
    tiles::{self, Tiles},
    track::{self, Layout, Names, Track, lay_out},
    uri,
};

pub(super) const MANIFEST_TYPE: &str = "application/dash+xml";

/// The initialisation segment's name in scratch.
const INIT: &str = "init.mp4";

pub(super) fn prepare(
    context: &Context<'_>,
    group: &DashGroup,
    outputs: &[PlannedOutput],
) -> Result<Prepared, PublishError> {
    let (beside, outputs): (Vec<_>, Vec<_>) = outputs.iter().partition(|planned| planned.captions.is_some());
    let tracks =
        outputs.into_iter().map(|planned| Track::read(context, planned, Some(INIT))).collect::<Result<Vec<_>, _>>()?;
    let mut media = Vec::new();
    let mut details = Vec::new();
    let mut representations = Vec::new();
    for track in &tracks {
        let names = Names {
            content_type: if track.planned.video.is_some() { "video/mp4" } else { "audio/mp4" },
            extension: ".mp4",
            digits: 9,
            init: Some((INIT, "init")),
            modifier: "",
        };
        let timeline = timeline_of(context, track)?;
        let mut layout = lay_out(context, track, group.segment_control, &names)?;
        media.append(&mut layout.files);
        // AWS names no files of single outputs here.
        details.push((track.planned.index, track.detail(None)));
        representations.push(Representation { track, layout, timeline, extension: names.extension });
    }
    let mut texts = Vec::new();
    for planned in beside {
        let Some(captions) = &planned.captions else { continue };
        let (detail, file) = captions::file(context, planned)?;
        media.push(file);
        details.push((planned.index, detail));
        texts.push(Text { planned: captions, name: format!("{}.vtt", context.stem(planned)) });
    }
    let (tiles, mut images) = tiles::read(context, track::longest_picture(&tracks))?;
    media.append(&mut images);
    details.sort_by_key(|(index, _)| *index);
    let details = details.into_iter().map(|(_, detail)| detail).collect();
    let name = format!("{}.mpd", context.base());
    let file = format!("g{}.mpd", context.index);
    context.write(&file, &Manifest::from(group).text(&representations, &texts, &tiles))?;
    let manifest = context.playlist(file, &name, MANIFEST_TYPE);
    let paths = Some(vec![context.destination.uri(&name)]);
    let detail = GroupDetail { output_details: details, playlist_file_paths: paths, kind: GroupKind::Dash };
    Ok((detail, media, vec![manifest]))
}

/// When each segment begins and how long it is. To be read before the segments are laid out.
pub(super) fn timeline_of(context: &Context<'_>, track: &Track<'_>) -> Result<Vec<SegmentIndex>, PublishError> {
    track.segments.iter().map(|segment| boxes::segment_index(context.scratch, &segment.file)).collect()
}

/// One track in a manifest.
pub(super) struct Representation<'a> {
    pub(super) track: &'a Track<'a>,
    pub(super) layout: Layout,
    pub(super) timeline: Vec<SegmentIndex>,
    /// With the dot.
    pub(super) extension: &'static str,
}

impl Representation<'_> {
    /// What tracks must have in common so that players may switch among them.
    fn family(&self) -> (bool, String, Option<&str>, Option<u32>, Option<&str>) {
        let planned = self.track.planned;
        let codecs = self.track.codecs(CodecSpecification::Rfc6381).join(",");
        let codec = codecs.split('.').next().unwrap_or_default().to_owned();
        let audio = planned.audios.first().filter(|_| planned.video.is_none());
        (
            planned.video.is_some(),
            codec,
            audio.and_then(|audio| audio.language.as_deref()),
            audio.map(|audio| audio.channels),
            audio.and_then(|audio| audio.name.as_deref()),
        )
    }
}

/// What a group says of its manifest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manifest {
    buffer_seconds: f64,
    bandwidth: BandwidthType,
}

impl From<&DashGroup> for Manifest {
    fn from(group: &DashGroup) -> Self {
        Self::new(group.min_buffer_time, group.segment_length, group.mpd_manifest_bandwidth_type)
    }
}

impl From<&CmafGroup> for Manifest {
    fn from(group: &CmafGroup) -> Self {
        Self::new(group.min_buffer_time, group.segment_length, group.mpd_manifest_bandwidth_type)
    }
}

impl Manifest {
    fn new(buffer_ms: Option<u32>, segment_seconds: u32, bandwidth: BandwidthType) -> Self {
        let buffer_seconds = buffer_ms.map_or(f64::from(segment_seconds), |ms| f64::from(ms) / 1000.0);
        Self { buffer_seconds, bandwidth }
    }

    /// The manifest of a group's tracks.
    pub(super) fn text(
        self,
        representations: &[Representation<'_>],
        texts: &[Text<'_>],
        tiles: &[Tiles<'_>],
    ) -> String {
        let seconds = representations.iter().map(|r| r.track.seconds()).fold(0.0, f64::max);
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-main:2011\" \
             type=\"static\" mediaPresentationDuration=\"PT{seconds:.3}S\" minBufferTime=\"PT{}S\">\n  \
             <Period id=\"1\" start=\"PT0S\">\n",
            self.buffer_seconds
        );
        // Tracks of one kind can be switched among. Pictures come first, whatever the outputs' order.
        let mut sets: Vec<Vec<(usize, &Representation<'_>)>> = Vec::new();
        for (id, member) in (1_usize..).zip(representations) {
            match sets.iter_mut().find(|set| set[0].1.family() == member.family()) {
                Some(set) => set.push((id, member)),
                None => sets.push(vec![(id, member)]),
            }
        }
        sets.sort_by_key(|set| set[0].1.track.planned.video.is_none());
        let text_set = sets.len() + 1;
        for (id, members) in (1..).zip(sets) {
            let planned = members[0].1.track.planned;
            let kind = if planned.video.is_some() { "video" } else { "audio" };
            let language = planned.audios.first().filter(|_| planned.video.is_none()).and_then(|a| a.language.as_ref());
            let language = language.map_or_else(String::new, |language| format!(" lang=\"{}\"", escape(language)));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "    <AdaptationSet id=\"{id}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\"{language} \
                 segmentAlignment=\"true\" startWithSAP=\"1\">"
            );
            if let Some(name) = planned.audios.first().and_then(|audio| audio.name.as_ref()).filter(|_| kind == "audio")
            {
                let _ = writeln!(text, "      <Label>{}</Label>", escape(name));
            }
            for (id, member) in members {
                self.representation(&mut text, id, member);
            }
            text.push_str("    </AdaptationSet>\n");
        }
        for (index, captions) in texts.iter().enumerate() {
            captions.write(&mut text, text_set + index, representations.len() + 1 + index);
        }
        for (index, tiles) in tiles.iter().enumerate() {
            let before = texts.len() + index;
            tiles.adaptation_set(&mut text, text_set + before, representations.len() + 1 + before, escape);
        }
        text.push_str("  </Period>\n</MPD>\n");
        text
    }

    fn representation(self, text: &mut String, id: usize, member: &Representation<'_>) {
        let planned = member.track.planned;
        let bandwidth = match (self.bandwidth, planned.video.and_then(|video| video.max_bitrate)) {
            (BandwidthType::Max, Some(max)) => u64::from(max),
            _ => member.track.average_bits(),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "      <Representation id=\"{id}\" bandwidth=\"{}\" codecs=\"{}\"",
            bandwidth.max(1),
            member.track.codecs(CodecSpecification::Rfc6381).join(",")
        );
        if let Some(video) = planned.video {
            let rate = video.frame_rate;
            let _ = write!(
                text,
                " width=\"{}\" height=\"{}\" frameRate=\"{}/{}\"",
                video.width, video.height, rate.numerator, rate.denominator
            );
        }
        if let (None, Some(audio)) = (planned.video, planned.audios.first()) {
            let _ = write!(
                text,
                " audioSamplingRate=\"{}\">\n        <AudioChannelConfiguration \
                 schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"{}\"/>\n",
                audio.sample_rate, audio.channels
            );
        } else {
            text.push_str(">\n");
        }
        match member.layout.init.as_ref().and_then(|init| init.range) {
            Some(range) => ranges(text, member, range),
            None => template(text, member),
        }
        text.push_str("      </Representation>\n");
    }
}

/// Captions in a manifest: one file of WebVTT.
pub(super) struct Text<'a> {
    pub(super) planned: &'a PlannedCaptions,
    /// The file's name.
    pub(super) name: String,
}

impl Text<'_> {
    fn write(&self, text: &mut String, set: usize, id: usize) {
        let language = self.planned.language.as_deref();
        let language = language.map_or_else(String::new, |language| format!(" lang=\"{}\"", escape(language)));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    <AdaptationSet id=\"{set}\" contentType=\"text\" mimeType=\"text/vtt\"{language}>");
        if self.planned.accessible {
            text.push_str("      <Accessibility schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"caption\"/>\n");
        }
        if let Some(name) = &self.planned.name {
            let _ = writeln!(text, "      <Label>{}</Label>", escape(name));
        }
        let _ = writeln!(
            text,
            "      <Representation id=\"{id}\" bandwidth=\"256\">\n        <BaseURL>{}</BaseURL>\n      \
             </Representation>\n    </AdaptationSet>",
            escape(&uri(&self.name))
        );
    }
}

/// A file for each segment.
fn template(text: &mut String, member: &Representation<'_>) {
    let Some(first) = member.timeline.first() else { return };
    // No presentation time offset: the edit lists of the initialisation segments put the first picture at zero, and what the
    // audio encoder needs to get going before it.
    // A dollar sign would begin a template's identifier; two stand for one.
    let name = escape(&uri(&member.track.stem).replace('$', "$$"));
    let extension = member.extension;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "        <SegmentTemplate timescale=\"{}\" startNumber=\"1\" \
         initialization=\"{name}init{extension}\" media=\"{name}_$Number%09d${extension}\">\n          \
         <SegmentTimeline>",
        first.timescale
    );
    timeline(text, &member.timeline);
    text.push_str("          </SegmentTimeline>\n        </SegmentTemplate>\n");
}

/// One file, in ranges of bytes.
fn ranges(text: &mut String, member: &Representation<'_>, (offset, bytes): (u64, u64)) {
    let (Some(first), Some(init)) = (member.timeline.first(), &member.layout.init) else { return };
    let last = |offset: u64, bytes: u64| offset + bytes.saturating_sub(1);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "        <BaseURL>{}</BaseURL>\n        <SegmentList timescale=\"{}\">\n          \
         <Initialization range=\"{offset}-{}\"/>\n          <SegmentTimeline>\n",
        escape(&uri(&init.name)),
        first.timescale,
        last(offset, bytes)
    );
    timeline(text, &member.timeline);
    text.push_str("          </SegmentTimeline>\n");
    for (offset, bytes) in member.layout.segments.iter().filter_map(|place| place.range) {
        let _ = writeln!(text, "          <SegmentURL mediaRange=\"{offset}-{}\"/>", last(offset, bytes));
    }
    text.push_str("        </SegmentList>\n");
}

/// Runs of equal segments that follow each other are one element.
fn timeline(text: &mut String, segments: &[SegmentIndex]) {
    let mut rest = segments;
    while let Some(first) = rest.first() {
        let run = (0_u64..)
            .zip(rest)
            .take_while(|(n, s)| s.duration == first.duration && s.start == first.start + n * first.duration)
            .count();
        let repeat = if run > 1 { format!(" r=\"{}\"", run - 1) } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "            <S t=\"{}\" d=\"{}\"{repeat}/>", first.start, first.duration);
        rest = &rest[run..];
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_segments_in_a_row_are_one_element() {
        let check = |segments: &[(u64, u64)], expected: &[&str]| {
            let segments: Vec<_> = segments
                .iter()
                .map(|(start, duration)| SegmentIndex { timescale: 10, start: *start, duration: *duration })
                .collect();
            let mut text = String::new();
            timeline(&mut text, &segments);
            assert_eq!(text.lines().map(str::trim).collect::<Vec<_>>(), expected);
        };
        check(&[(0, 30), (30, 30), (60, 20)], &["<S t=\"0\" d=\"30\" r=\"1\"/>", "<S t=\"60\" d=\"20\"/>"]);
        check(&[(0, 30), (31, 30)], &["<S t=\"0\" d=\"30\"/>", "<S t=\"31\" d=\"30\"/>"]);
        check(&[(5, 1)], &["<S t=\"5\" d=\"1\"/>"]);
    }
}
