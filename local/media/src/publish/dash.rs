//! The DASH manifest. Source: ISO/IEC 23009-1, static presentation with SegmentTemplate and SegmentTimeline.

use std::fmt::Write;

use crate::{
    job::{BandwidthType, CodecSpecification, DashGroup},
    plan::PlannedOutput,
};

use super::{
    Context, GroupDetail, GroupKind, OutputDetail, Prepared, PublishError, bit_rate,
    boxes::{self, SegmentIndex},
    h264::ProfileLevel,
    milliseconds,
    segments::{self, Segment},
    uri, video_details,
};

pub(super) fn prepare(
    context: &Context<'_>,
    group: &DashGroup,
    outputs: &[PlannedOutput],
) -> Result<Prepared, PublishError> {
    let mut media = Vec::new();
    let mut details = Vec::new();
    let mut representations = Vec::new();
    for planned in outputs {
        let stem = context.stem(planned);
        let content_type = if planned.video.is_some() { "video/mp4" } else { "audio/mp4" };
        let init = format!("{}/init.mp4", planned.directory);
        media.push(context.media(init.clone(), &format!("{stem}init.mp4"), content_type));
        let segments = segments::read(context.scratch, &planned.directory)?;
        let mut timeline = Vec::new();
        for (number, segment) in (1..).zip(&segments) {
            timeline.push(boxes::segment_index(context.scratch, &segment.file)?);
            media.push(context.media(segment.file.clone(), &format!("{stem}_{number:09}.mp4"), content_type));
        }
        let seconds: f64 = segments.iter().map(|segment| segment.seconds).sum();
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        let codecs = match planned.video {
            Some(_) => ProfileLevel::of_mp4(context.scratch, &init)?.codec(CodecSpecification::Rfc6381),
            None => "mp4a.40.2".to_owned(),
        };
        details.push(OutputDetail {
            // AWS names no files of single outputs here.
            output_file_paths: None,
            duration_in_ms: milliseconds(seconds),
            video_details: video_details(planned, bytes, seconds),
        });
        representations.push(Representation { planned, stem, codecs, segments, timeline });
    }
    let name = format!("{}.mpd", context.base());
    let file = format!("g{}.mpd", context.index);
    context.write(&file, &manifest(group, &representations))?;
    let manifest = context.playlist(file, &name, "application/dash+xml");
    let paths = Some(vec![context.destination.uri(&name)]);
    let detail = GroupDetail { output_details: details, playlist_file_paths: paths, kind: GroupKind::Dash };
    Ok((detail, media, vec![manifest]))
}

struct Representation<'a> {
    planned: &'a PlannedOutput,
    stem: String,
    codecs: String,
    segments: Vec<Segment>,
    timeline: Vec<SegmentIndex>,
}

impl Representation<'_> {
    fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }
}

fn manifest(group: &DashGroup, representations: &[Representation<'_>]) -> String {
    let seconds = representations.iter().map(Representation::seconds).fold(0.0, f64::max);
    let buffer = group.min_buffer_time.map_or(f64::from(group.segment_length), |ms| f64::from(ms) / 1000.0);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-main:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT{seconds:.3}S\" minBufferTime=\"PT{buffer}S\">\n  <Period id=\"1\" start=\"PT0S\">\n"
    );
    let (pictures, sounds): (Vec<_>, Vec<_>) =
        (1_usize..).zip(representations).partition(|(_, r)| r.planned.video.is_some());
    // Pictures can be switched among; each sound is a set of its own.
    let mut sets = Vec::new();
    if !pictures.is_empty() {
        sets.push(("video", pictures));
    }
    sets.extend(sounds.into_iter().map(|sound| ("audio", vec![sound])));
    for (id, (kind, members)) in (1..).zip(sets) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "    <AdaptationSet id=\"{id}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\" segmentAlignment=\"true\" \
             startWithSAP=\"1\">"
        );
        for (id, member) in members {
            representation(&mut text, id, group, member);
        }
        text.push_str("    </AdaptationSet>\n");
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

fn representation(text: &mut String, id: usize, group: &DashGroup, member: &Representation<'_>) {
    let bytes = member.segments.iter().map(|segment| segment.bytes).sum();
    let average = bit_rate(bytes, member.seconds());
    let bandwidth = match (group.mpd_manifest_bandwidth_type, member.planned.video.and_then(|video| video.max_bitrate))
    {
        (BandwidthType::Max, Some(max)) => u64::from(max),
        _ => average,
    };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "      <Representation id=\"{id}\" bandwidth=\"{}\" codecs=\"{}\"",
        bandwidth.max(1),
        member.codecs
    );
    if let Some(video) = member.planned.video {
        let rate = video.frame_rate;
        let _ = write!(
            text,
            " width=\"{}\" height=\"{}\" frameRate=\"{}/{}\"",
            video.width, video.height, rate.numerator, rate.denominator
        );
    }
    if let (None, Some(audio)) = (member.planned.video, member.planned.audio) {
        let _ = write!(
            text,
            " audioSamplingRate=\"{}\">\n        <AudioChannelConfiguration \
             schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"{}\"/>\n",
            audio.sample_rate, audio.channels
        );
    } else {
        text.push_str(">\n");
    }
    let Some(first) = member.timeline.first() else { return };
    // No presentation time offset: the edit lists of the initialisation segments put the first picture at zero, and what the
    // audio encoder needs to get going before it.
    // A dollar sign would begin a template's identifier; two stand for one.
    let name = escape(&uri(&member.stem).replace('$', "$$"));
    let _ = writeln!(
        text,
        "        <SegmentTemplate timescale=\"{}\" startNumber=\"1\" \
         initialization=\"{name}init.mp4\" media=\"{name}_$Number%09d$.mp4\">\n          <SegmentTimeline>",
        first.timescale
    );
    timeline(text, &member.timeline);
    text.push_str("          </SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n");
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
