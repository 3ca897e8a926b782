//! Captions: each selector's are brought into WebVTT by a small run of ffmpeg, part by part.

use crate::job::{CaptionSourceType, ObjectLocation, Output};

use super::{PIXELS_MAX, PlannedCaptions, caption_file, parts::Part, preamble, strings};

/// The captions that one selector means, in every part that has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaptionTrack {
    selector: String,
    pub(crate) parts: Vec<CaptionPart>,
}

/// The captions of one part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaptionPart {
    /// WebVTT below scratch.
    pub(crate) file: String,
    /// The part of the source's time that is wanted, in seconds.
    pub(crate) from: f64,
    pub(crate) length: f64,
    /// When that begins in the output.
    pub(crate) begins: f64,
    /// How much later the captions are to come than their file says.
    pub(crate) delta: f64,
}

/// Gathers what the outputs want.
#[derive(Debug)]
pub(super) struct Captions<'a> {
    parts: &'a [Part<'a>],
    pub(super) tracks: Vec<CaptionTrack>,
    /// Arguments of the runs that make the parts' files.
    pub(super) runs: Vec<Vec<String>>,
    /// Files to put beside the source, named by [`caption_file`].
    pub(super) files: Vec<ObjectLocation>,
}

impl<'a> Captions<'a> {
    pub(super) fn new(parts: &'a [Part<'a>]) -> Self {
        Self { parts, tracks: Vec::new(), runs: Vec::new(), files: Vec::new() }
    }

    /// What an output's captions will be; `None` when it has none.
    pub(super) fn add(&mut self, output: &Output) -> Option<PlannedCaptions> {
        let description = output.caption_descriptions.first()?;
        let selector = &description.caption_selector_name;
        let track = match self.tracks.iter().position(|track| track.selector == *selector) {
            Some(track) => track,
            None => self.read(selector),
        };
        let webvtt = description.destination_settings.webvtt_destination_settings;
        Some(PlannedCaptions {
            track,
            kind: description.destination_settings.destination_type,
            language: description.language().map(str::to_owned),
            name: description.language_description.clone(),
            accessible: webvtt.accessibility == Some(crate::job::Toggle::Enabled),
        })
    }

    fn read(&mut self, selector: &str) -> usize {
        let mut parts = Vec::new();
        for part in self.parts {
            let Some(found) = part.input.caption_selectors.get(selector) else { continue };
            let file = format!("captions{}p{}.vtt", self.tracks.len(), parts.len());
            let source = &found.source_settings;
            let mut arguments = preamble();
            let mut delta = 0.0;
            match (source.source_type.demuxer(), &source.file_source_settings) {
                (Some(demuxer), Some(settings)) => {
                    let number = self.files.len();
                    self.files.push(settings.source_file.clone());
                    delta = settings.delta_seconds();
                    arguments.extend(strings(["-protocol_whitelist", crate::source::PROTOCOLS, "-f", demuxer, "-i"]));
                    arguments.push(format!("file:{}", caption_file(number)));
                }
                _ => {
                    // The pictures are decoded for it once more: only this source of ffmpeg's hands out what lies in them.
                    let demuxer = &part.facts.demuxer;
                    arguments.extend(strings(["-max_pixels", PIXELS_MAX, "-f", "lavfi", "-i"]));
                    arguments.push(format!(
                        "movie={}:format_name={demuxer}:format_opts=protocol_whitelist={}[out+subcc]",
                        part.file(),
                        crate::source::PROTOCOLS
                    ));
                }
            }
            arguments.extend(strings(["-map", "0:s:0", "-f", "webvtt"]));
            arguments.push(file.clone());
            self.runs.push(arguments);
            parts.push(CaptionPart {
                file,
                from: part.clip.map_or(0.0, |clip| clip.start) + timecode_start(part, source.source_type),
                length: part.seconds,
                begins: part.begins,
                delta,
            });
        }
        self.tracks.push(CaptionTrack { selector: selector.to_owned(), parts });
        self.tracks.len() - 1
    }
}

/// Captions that are timed by timecode count from where the input's timecodes do.
fn timecode_start(part: &Part<'_>, kind: CaptionSourceType) -> f64 {
    match kind {
        CaptionSourceType::Scc => part.first_timecode.seconds_since(crate::job::Timecode::default(), part.rate()),
        _ => 0.0,
    }
}
