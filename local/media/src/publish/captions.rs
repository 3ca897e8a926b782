//! Captions as players read them: WebVTT whole or in segments, and SubRip.
//! Sources: <https://www.w3.org/TR/webvtt1/>, RFC 8216 section 3.5.

use std::fmt::Write;

use crate::{
    job::CaptionDestinationType,
    plan::{CaptionPart, PlannedOutput},
};

use super::{Context, File, OutputDetail, PublishError, milliseconds, track::Place};

pub(super) const WEBVTT_TYPE: &str = "text/vtt";

/// A file of captions larger than this is none.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One caption, in milliseconds of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cue {
    start_ms: u64,
    end_ms: u64,
    /// Where on the picture, in WebVTT's words; may be empty.
    settings: String,
    text: String,
}

/// The captions of an output.
pub(super) fn read(context: &Context<'_>, planned: &PlannedOutput) -> Result<Vec<Cue>, PublishError> {
    let parts = planned.captions.as_ref().and_then(|captions| context.captions.get(captions.track));
    let mut cues = Vec::new();
    for part in parts.iter().flat_map(|track| &track.parts) {
        if context.size(&part.file)? > BYTES_MAX {
            return Err(PublishError::Unexpected { file: part.file.clone(), what: "it is too large for captions" });
        }
        let text =
            std::fs::read_to_string(context.scratch.join(&part.file)).map_err(PublishError::scratch(&part.file))?;
        cues.extend(parse(&text).into_iter().filter_map(|cue| place(cue, part)));
    }
    Ok(cues)
}

/// Moves a caption into the output's time, and cuts it at the part's ends.
fn place(cue: Cue, part: &CaptionPart) -> Option<Cue> {
    #[expect(clippy::cast_precision_loss, reason = "a length of media")]
    let moved = |ms: u64| (ms as f64 / 1000.0 + part.delta - part.from).clamp(0.0, part.length) + part.begins;
    let (start_ms, end_ms) = (milliseconds(moved(cue.start_ms)), milliseconds(moved(cue.end_ms)));
    (end_ms > start_ms).then_some(Cue { start_ms, end_ms, ..cue })
}

/// Reads WebVTT as ffmpeg writes it.
fn parse(text: &str) -> Vec<Cue> {
    let text = text.replace("\r\n", "\n");
    let cue = |block: &str| {
        let mut lines = block.lines().skip_while(|line| !line.contains("-->"));
        let (start, rest) = lines.next()?.split_once("-->")?;
        let (end, settings) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let text = lines.collect::<Vec<_>>().join("\n");
        Some(Cue { start_ms: time(start.trim())?, end_ms: time(end)?, settings: settings.to_owned(), text })
    };
    text.split("\n\n").filter_map(cue).filter(|cue| !cue.text.trim().is_empty()).collect()
}

/// `01:02:03.456`, or without hours.
fn time(text: &str) -> Option<u64> {
    let (clock, milliseconds) = text.split_once('.')?;
    let seconds =
        clock.split(':').try_fold(0_u64, |total, part| total.checked_mul(60)?.checked_add(part.parse().ok()?));
    seconds?.checked_mul(1000)?.checked_add(milliseconds.parse().ok().filter(|ms| *ms < 1000)?)
}

fn clock(ms: u64, point: char) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}{point}{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
}

/// All of it as WebVTT, with what else is to stand in its head.
pub(super) fn webvtt<'c>(cues: impl IntoIterator<Item = &'c Cue>, head: &str) -> String {
    let mut text = format!("WEBVTT\n{head}\n");
    for cue in cues {
        let space = if cue.settings.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{} --> {}{space}{}\n{}\n\n",
            clock(cue.start_ms, '.'),
            clock(cue.end_ms, '.'),
            cue.settings,
            cue.text
        );
    }
    text
}

fn subrip(cues: &[Cue]) -> String {
    let mut text = String::new();
    for (number, cue) in (1..).zip(cues) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{number}\n{} --> {}\n{}\n\n", clock(cue.start_ms, ','), clock(cue.end_ms, ','), cue.text);
    }
    text
}

/// One file of captions beside the media.
pub(super) fn file(context: &Context<'_>, planned: &PlannedOutput) -> Result<(OutputDetail, File), PublishError> {
    let cues = read(context, planned)?;
    let kind = planned.captions.as_ref().map_or(CaptionDestinationType::WebVtt, |captions| captions.kind);
    let (extension, content_type, text) = match kind {
        CaptionDestinationType::WebVtt => ("vtt", WEBVTT_TYPE, webvtt(&cues, "")),
        CaptionDestinationType::Srt => ("srt", "application/x-subrip", subrip(&cues)),
    };
    let extension = context.output(planned).extension.as_deref().unwrap_or(extension);
    let name = format!("{}.{extension}", context.stem(planned));
    let scratch = format!("{}/captions", planned.directory);
    context.write(&scratch, &text)?;
    Ok((detail(context, &name), context.media(scratch, &name, content_type)))
}

pub(super) fn detail(context: &Context<'_>, name: &str) -> OutputDetail {
    OutputDetail {
        output_file_paths: Some(vec![context.destination.uri(name)]),
        duration_in_ms: milliseconds(context.seconds),
        video_details: None,
    }
}

/// WebVTT in segments of these lengths; `offset_seconds` is what the pictures' clock shows at their beginning.
pub(super) fn segments(
    context: &Context<'_>,
    planned: &PlannedOutput,
    lengths: &[f64],
    offset_seconds: f64,
) -> Result<(Vec<Place>, Vec<File>), PublishError> {
    let cues = read(context, planned)?;
    let stem = context.stem(planned);
    let head = format!("X-TIMESTAMP-MAP=MPEGTS:{:.0},LOCAL:00:00:00.000\n", offset_seconds * 90_000.0);
    let (mut places, mut files) = (Vec::new(), Vec::new());
    let mut begins = 0.0;
    for (number, length) in (1..).zip(lengths) {
        let ends = begins + length;
        let (from, to) = (milliseconds(begins), milliseconds(ends));
        // A caption that lasts over a joint stands in both segments, as players expect it.
        let within = cues.iter().filter(|cue| cue.start_ms < to && cue.end_ms > from);
        let scratch = format!("{}/{number:05}.vtt", planned.directory);
        context.write(&scratch, &webvtt(within, &head))?;
        let name = format!("{stem}_{number:05}.vtt");
        files.push(context.media(scratch, &name, WEBVTT_TYPE));
        places.push(Place { name, range: None });
        begins = ends;
    }
    Ok((places, files))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "WEBVTT\n\n00:00.500 --> 00:01.500 align:start\nHello <i>world</i>\n\n\
                        01:00:02.000 --> 01:00:03.000\nTwo\nlines\n\n00:04.000 --> 00:05.000\n\n";

    #[test]
    fn webvtt_is_read_and_written() {
        let cues = parse(TEXT);
        assert_eq!(cues.len(), 2);
        assert_eq!((cues[0].start_ms, cues[0].end_ms, cues[0].settings.as_str()), (500, 1500, "align:start"));
        assert_eq!((cues[1].start_ms, cues[1].text.as_str()), (3_602_000, "Two\nlines"));
        assert_eq!(parse(&webvtt(&cues, "")), cues);
        assert!(subrip(&cues).starts_with("1\n00:00:00,500 --> 00:00:01,500\nHello"));
    }

    #[test]
    fn captions_are_moved_and_cut() {
        let part = CaptionPart { file: String::new(), from: 1.0, length: 2.0, begins: 10.0, delta: 0.5 };
        let check = |start_ms, end_ms, expected| {
            let cue = Cue { start_ms, end_ms, settings: String::new(), text: "x".into() };
            assert_eq!(place(cue, &part).map(|cue| (cue.start_ms, cue.end_ms)), expected);
        };
        check(1000, 2000, Some((10_500, 11_500)));
        check(0, 1000, Some((10_000, 10_500)));
        check(2000, 9000, Some((11_500, 12_000)));
        check(0, 500, None);
        check(9000, 9500, None);
    }

    proptest! {
        #[test]
        fn any_text_is_no_panic(text in "(WEBVTT|-->|[0-9:. \n]){0,30}") {
            let _ = parse(&text);
        }
    }
}
