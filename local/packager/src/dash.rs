//! Writes DASH manifests (ISO/IEC 23009-1): one period, one adaptation set of pictures and one for each sound, numbered
//! segments with a timeline.

use std::fmt::Write as _;

use crate::{
    cmaf::{self, Track, Tracks},
    facts::{Facts, Kind},
    model::DashPackage,
    presentation::{Content, NotPresentable, Presentation, Stream, select},
};

/// Writes the manifest of a DASH package.
pub(crate) fn present(facts: &Facts, package: &DashPackage) -> Result<Presentation, NotPresentable> {
    let manifest = package.manifest();
    let variants = select(facts, manifest.stream_selection.as_ref())?;
    let tracks = cmaf::tracks(facts, &variants, package.segment_duration_seconds())?;
    let parent = document(manifest.name(), facts, &tracks, manifest.min_buffer_time_seconds());
    let streams = tracks.video.into_iter().chain(tracks.audio).map(|track| Stream {
        number: track.number,
        media: None,
        key_frames: None,
        content: Content::Track(track),
    });
    Ok(Presentation { parent, streams: streams.collect() })
}

fn document(name: &str, facts: &Facts, tracks: &Tracks, min_buffer_seconds: u32) -> String {
    let duration = tracks.video.iter().chain(&tracks.audio).map(Track::end_seconds).fold(0.0, f64::max);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT{duration:.3}S\" minBufferTime=\"PT{min_buffer_seconds}S\">\n  \
         <Period id=\"1\" start=\"PT0S\" duration=\"PT{duration:.3}S\">\n"
    );
    text.push_str(
        "    <AdaptationSet id=\"1\" contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\" \
         startWithSAP=\"1\" bitstreamSwitching=\"false\">\n",
    );
    for track in &tracks.video {
        let Some(video) = &facts.renditions[track.rendition].video else { continue };
        let rate = cmaf::frame_rate(video)
            .map_or_else(String::new, |_| format!(" frameRate=\"{}\"", frame_rate_fraction(video.frame_ticks)));
        let _ = writeln!(
            text,
            "      <Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{}\" width=\"{}\" height=\"{}\"{rate}>",
            track.number,
            track.codec,
            track.peak_bandwidth(),
            video.width,
            video.height
        );
        segment_template(&mut text, name, track);
        text.push_str("      </Representation>\n");
    }
    text.push_str("    </AdaptationSet>\n");
    for (index, track) in tracks.audio.iter().enumerate() {
        let rendition = &facts.renditions[track.rendition];
        let language = match &rendition.kind {
            Kind::Audio(alternative) => alternative.language.as_deref(),
            _ => None,
        };
        let language =
            language.map_or_else(String::new, |language| format!(" lang=\"{}\"", quick_xml::escape::escape(language)));
        let channels = rendition.audio.as_ref().and_then(|audio| audio.aac.as_ref()).map_or(2, |aac| aac.channels);
        let _ = write!(
            text,
            "    <AdaptationSet id=\"{}\" contentType=\"audio\" mimeType=\"audio/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\"{language}>\n      \
             <Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{}\" audioSamplingRate=\"{}\">\n        \
             <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"{channels}\"/>\n",
            index + 2,
            track.number,
            track.codec,
            track.peak_bandwidth(),
            track.timescale
        );
        segment_template(&mut text, name, track);
        text.push_str("      </Representation>\n    </AdaptationSet>\n");
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

/// NUMBER_WITH_TIMELINE: equal neighbours are one entry.
fn segment_template(text: &mut String, name: &str, track: &Track) {
    let number = track.number;
    let _ = write!(
        text,
        "        <SegmentTemplate timescale=\"{}\" startNumber=\"0\" initialization=\"{name}_{number}_init.mp4\" \
         media=\"{name}_{number}_$Number$.mp4\">\n          <SegmentTimeline>\n",
        track.timescale
    );
    let mut fragments = track.fragments.iter().peekable();
    let mut expected = None;
    while let Some(fragment) = fragments.next() {
        let mut end = fragment.start + fragment.duration;
        let mut repeats = 0;
        while fragments.next_if(|next| next.duration == fragment.duration && next.start == end).is_some() {
            end += fragment.duration;
            repeats += 1;
        }
        let start = if expected == Some(fragment.start) { String::new() } else { format!(" t=\"{}\"", fragment.start) };
        let repeat = if repeats == 0 { String::new() } else { format!(" r=\"{repeats}\"") };
        let _ = writeln!(text, "            <S{start} d=\"{}\"{repeat}/>", fragment.duration);
        expected = Some(end);
    }
    text.push_str("          </SegmentTimeline>\n        </SegmentTemplate>\n");
}

/// A frame rate as DASH writes it: a whole number, or a fraction over 1001.
fn frame_rate_fraction(frame_ticks: f64) -> String {
    let rate = 90_000.0 / frame_ticks;
    let over_1001 = (rate * 1.001).round();
    if (rate - rate.round()).abs() < 0.005 {
        format!("{}", rate.round())
    } else if (rate - over_1001 * 1000.0 / 1001.0).abs() < 0.005 {
        format!("{}/1001", over_1001 * 1000.0)
    } else {
        format!("{}/1000", (rate * 1000.0).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_whole_or_fractions() {
        for (ticks, expected) in [
            (3600.0, "25"),
            (3003.0, "30000/1001"),
            (3753.75, "24000/1001"),
            (1501.5, "60000/1001"),
            (7200.0, "12500/1000"),
        ] {
            assert_eq!(frame_rate_fraction(ticks), expected);
        }
    }
}
