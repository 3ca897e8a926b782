//! What of the inputs is wanted, in order: whole inputs, or clips of them. Each part is an input of ffmpeg's.

use crate::{
    job::{Input, JobSettings, Rotate, Timecode, TimecodeSource},
    source::{Ratio, SourceFacts, Track, VideoFacts},
};

use super::{PlanError, Raster, source_file};

/// How much earlier than a clip's first frame reading begins, in frames, so that rounding never loses that frame.
const MARGIN_FRAMES: f64 = 0.125;

/// The rate of frames that timecodes count where there is no picture. Our choice: AWS says nothing of it.
const FRAME_RATE_WITHOUT_PICTURE: Ratio = Ratio { numerator: 30, denominator: 1 };

/// One input, or one clip of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    /// The input's place in the settings, and the settings themselves.
    pub(super) number: usize,
    pub(super) input: &'a Input,
    pub(super) facts: &'a SourceFacts,
    /// Seconds; `None` for a whole input.
    pub(super) clip: Option<Clip>,
    /// When it begins in the output, in seconds.
    pub(super) begins: f64,
    /// How long it is, in seconds.
    pub(super) seconds: f64,
    /// The input's first timecode.
    pub(super) first_timecode: Timecode,
}

/// From and for how long, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clip {
    pub(super) start: f64,
    pub(super) length: f64,
}

impl Part<'_> {
    /// The options in front of its input.
    pub(super) fn seek(&self) -> Vec<String> {
        let Some(clip) = self.clip else { return Vec::new() };
        let start = (clip.start - MARGIN_FRAMES / self.rate().value()).max(0.0);
        let words = ["-ss".to_owned(), format!("{start:.6}"), "-t".to_owned(), format!("{:.6}", clip.length)];
        words.into()
    }

    /// Its file in the scratch directory.
    pub(super) fn file(&self) -> String {
        source_file(self.number)
    }

    /// Frames per second that its timecodes count.
    pub(super) fn rate(&self) -> Ratio {
        self.facts.video().map_or(FRAME_RATE_WITHOUT_PICTURE, |(_, video)| video.frame_rate)
    }

    pub(super) fn video(&self) -> Option<(&Track, &VideoFacts)> {
        self.facts.video()
    }

    /// How the picture has to be turned, in degrees clockwise.
    pub(super) fn turn(&self) -> u32 {
        match self.input.video_selector.rotate {
            Rotate::None => 0,
            Rotate::Auto => self.video().map_or(0, |(_, video)| video.rotation_degrees),
            Rotate::Quarter => 90,
            Rotate::Half => 180,
            Rotate::ThreeQuarters => 270,
        }
    }

    /// The picture once it is turned.
    pub(super) fn turned(&self) -> Option<Raster> {
        let (_, video) = self.video()?;
        let (width, height, sample_aspect) = (video.width, video.height, video.sample_aspect);
        Some(if self.turn() % 180 == 90 {
            Raster { width: height, height: width, sample_aspect: sample_aspect.inverse() }
        } else {
            Raster { width, height, sample_aspect }
        })
    }
}

/// The filters that turn a picture.
pub(super) fn turn_filters(degrees: u32) -> Vec<String> {
    let filters: &[&str] = match degrees {
        90 => &["transpose=clock"],
        180 => &["hflip", "vflip"],
        270 => &["transpose=cclock"],
        _ => &[],
    };
    filters.iter().map(|filter| (*filter).to_owned()).collect()
}

/// The parts of a job's inputs. There is at least one.
pub(super) fn parts<'a>(settings: &'a JobSettings, facts: &'a [SourceFacts]) -> Result<Vec<Part<'a>>, PlanError> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for (number, (input, facts)) in settings.inputs.iter().zip(facts).enumerate() {
        let first_timecode = match input.timecode_source {
            TimecodeSource::ZeroBased => Timecode::default(),
            TimecodeSource::SpecifiedStart => input.timecode_start.unwrap_or_default(),
            TimecodeSource::Embedded => facts.timecode.as_deref().and_then(Timecode::parse).unwrap_or_default(),
        };
        let begins = parts.last().map_or(0.0, |part| part.begins + part.seconds);
        let whole = Part { number, input, facts, clip: None, begins, seconds: facts.duration_seconds, first_timecode };
        if input.input_clippings.is_empty() {
            parts.push(whole);
        }
        for (index, clipping) in input.input_clippings.iter().enumerate() {
            let rate = whole.rate();
            let seconds = |code: Timecode| code.seconds_since(first_timecode, rate);
            let start = clipping.start_timecode.map_or(0.0, seconds).max(0.0);
            // The last frame is wanted too.
            let end = clipping.end_timecode.map_or(facts.duration_seconds, |code| seconds(code) + 1.0 / rate.value());
            let end = end.min(facts.duration_seconds);
            if end - start < 0.5 / rate.value() {
                return Err(PlanError::Clipping { input: number, clipping: index });
            }
            let begins = parts.last().map_or(0.0, |part| part.begins + part.seconds);
            let clip = Some(Clip { start, length: end - start });
            parts.push(Part { clip, begins, seconds: end - start, ..whole });
        }
    }
    Ok(parts)
}
