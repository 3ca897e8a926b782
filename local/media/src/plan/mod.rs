//! From settings and the source's facts to ffmpeg's command lines. Pure: no file is touched and nothing is run here.
//!
//! One process makes everything but the stills: the source is decoded once, scaled in a chain (each size from the next larger),
//! every distinct encode is made once, and ffmpeg's `tee` muxer hands its packets to each output that wants them. So the DASH
//! group costs no second encode where it asks for the same pictures as the HLS group.
//! Stills come from a second process that decodes key frames only. In the same filter graph the sparse stream would make frames
//! queue without bound (9.9 GB against 0.6 GB for a minute of 1080p). Pictures for winding are made of a finished output.
//!
//! Names on the command line are ours (`g0o1/00001.ts`), relative to the job's scratch directory; the names of the job's outputs
//! are given when its files are published. So no key, however odd, meets ffmpeg's templates or escapes.

mod audio;
mod captions;
mod capture;
mod encoder;
mod graph;
mod overlay;
mod parts;
mod picture;
mod tiles;
mod transcode;
mod video;

use crate::{
    job::{AudioCodec, CaptionDestinationType, JobSettings, ObjectLocation},
    source::{Ratio, SourceFacts},
};

use parts::Part;

pub(crate) use captions::{CaptionPart, CaptionTrack};
pub(crate) use picture::Raster;
pub(crate) use tiles::PlannedTiles;
pub(crate) use transcode::{BLACK_FILE, SEPARATE_STREAMS_OFFSET_SECONDS};

/// The first source's name in the scratch directory.
pub(crate) const SOURCE_FILE: &str = "source";

/// The name in the scratch directory of the input with this number.
pub(crate) fn source_file(number: usize) -> String {
    if number == 0 { SOURCE_FILE.to_owned() } else { format!("{SOURCE_FILE}{number}") }
}

/// The name in the scratch directory of the image with this number.
pub(crate) fn image_file(number: usize) -> String {
    format!("image{number}")
}

/// The name in the scratch directory of the file of captions with this number.
pub(crate) fn caption_file(number: usize) -> String {
    format!("caption{number}")
}

/// What is to be run, and what will come of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Arguments of the process that makes pictures and sound; `None` when only stills are wanted.
    pub(crate) transcode: Option<Vec<String>>,
    /// Arguments of the process that makes stills.
    pub(crate) capture: Option<Vec<String>>,
    /// Images to put beside the source, named by [`image_file`].
    pub(crate) images: Vec<ObjectLocation>,
    /// Arguments of the small runs that bring captions into WebVTT.
    pub(crate) caption_runs: Vec<Vec<String>>,
    /// Files of captions to put beside the source, named by [`caption_file`].
    pub(crate) caption_files: Vec<ObjectLocation>,
    /// What comes of those runs.
    pub(crate) captions: Vec<CaptionTrack>,
    /// Whether it is one input from beginning to end.
    pub(crate) whole: bool,
    /// Seconds of output to expect; progress is measured against it.
    pub(crate) duration_seconds: f64,
    /// The outputs, group by group as in the settings.
    pub(crate) groups: Vec<Vec<PlannedOutput>>,
    /// The pictures for winding of each group.
    pub(crate) tiles: Vec<Vec<PlannedTiles>>,
    /// Arguments of the runs that make those, once the outputs are there.
    pub(crate) tile_runs: Vec<Vec<String>>,
}

impl Plan {
    /// Directories below scratch that must exist before the run.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        let tiles = self.tiles.iter().flatten().map(|tiles| tiles.directory.as_str());
        self.groups.iter().flatten().map(|output| output.directory.as_str()).chain(tiles)
    }
}

/// One output that will be made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedOutput {
    /// Its place in its group's settings.
    pub(crate) index: usize,
    /// Where its files appear, below scratch.
    pub(crate) directory: String,
    /// Its picture.
    pub(crate) video: Option<PlannedVideo>,
    /// Its sounds; at most one in a streaming group.
    pub(crate) audios: Vec<PlannedAudio>,
    /// How many stills; `None` when it is no frame capture.
    pub(crate) captures: Option<u32>,
    /// What it is, when it is one file.
    pub(crate) file: Option<PlannedFile>,
    /// Its captions, when it holds those and nothing else.
    pub(crate) captions: Option<PlannedCaptions>,
}

/// Captions that will be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedCaptions {
    /// Their place among the plan's [`Plan::captions`].
    pub(crate) track: usize,
    pub(crate) kind: CaptionDestinationType,
    pub(crate) language: Option<String>,
    /// What players show viewers.
    pub(crate) name: Option<String>,
    /// Whether they are for those who cannot hear.
    pub(crate) accessible: bool,
}

/// One file of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlannedFile {
    /// ffmpeg's.
    pub(crate) muxer: &'static str,
    /// Of the scratch file, and of the object unless the job says otherwise.
    pub(crate) extension: &'static str,
    pub(crate) content_type: &'static str,
}

/// A picture that will be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlannedVideo {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The shape of a pixel.
    pub(crate) sample_aspect: Ratio,
    /// Frames per second.
    pub(crate) frame_rate: Ratio,
    /// Seconds from one key frame to the next.
    pub(crate) key_interval: Ratio,
    /// Bits per second on average, where the job says so.
    pub(crate) bitrate: Option<u32>,
    /// Bits per second the encoder may not exceed.
    pub(crate) max_bitrate: Option<u32>,
}

/// A sound that will be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedAudio {
    pub(crate) codec: AudioCodec,
    /// Its name in `CODECS`.
    pub(crate) codecs: &'static str,
    /// Three letters of ISO 639, small.
    pub(crate) language: Option<String>,
    /// What players show viewers.
    pub(crate) name: Option<String>,
    /// Bits per second.
    pub(crate) bitrate: u32,
    /// Hertz.
    pub(crate) sample_rate: u32,
    pub(crate) channels: u32,
    /// Samples that the encoder puts in front of the sound.
    pub(crate) delay_samples: u32,
}

/// Why no plan fits this source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// An output wants a picture and the source has none.
    #[error("the input has no video track, and /outputGroups/{group}/outputs/{output} needs one")]
    Video { group: usize, output: usize },
    /// A group of nothing but sound, and the source has none.
    #[error("the input has no audio track, and every output of /outputGroups/{group} needs one")]
    Audio { group: usize },
    /// A selector asks for a track that is not there.
    #[error("the input has {available} audio tracks, and an audio selector asks for {wanted}")]
    Track { wanted: String, available: usize },
    /// A clip that is empty, or lies beyond the input's end.
    #[error("/inputs/{input}/inputClippings/{clipping} holds nothing of the input")]
    Clipping { input: usize, clipping: usize },
    /// Pictures for winding come to more pixels than an image may have.
    #[error("a tile of /outputGroups/{group} would be {width} by {height} pixels, which is too large")]
    Tile { group: usize, width: u64, height: u64 },
}

/// Plans the job. `facts` are those of each input, in order.
pub(crate) fn plan(settings: &JobSettings, facts: &[SourceFacts]) -> Result<Plan, PlanError> {
    let parts = parts::parts(settings, facts)?;
    let mut transcode = transcode::Transcode::new(settings, &parts);
    let mut capture = capture::Capture::new(&parts);
    let mut captions = captions::Captions::new(&parts);
    let duration_seconds = parts.iter().map(|part| part.seconds).sum();
    let mut groups = Vec::new();
    let (mut tiles, mut tile_runs) = (Vec::new(), Vec::new());
    for (group_index, group) in settings.output_groups.iter().enumerate() {
        let mut outputs = Vec::new();
        for (index, output) in group.outputs.iter().enumerate() {
            if output.video_description.is_some() && parts.iter().any(|part| part.video().is_none()) {
                return Err(PlanError::Video { group: group_index, output: index });
            }
            let directory = format!("g{group_index}o{index}");
            if let Some(planned) = captions.add(output) {
                outputs.push(PlannedOutput {
                    index,
                    directory,
                    video: None,
                    audios: Vec::new(),
                    captures: None,
                    file: None,
                    captions: Some(planned),
                });
                continue;
            }
            let planned = match &output.video_description {
                Some(video) if video.codec_settings.frame_capture_settings.is_some() => {
                    capture.add(index, &directory, video)
                }
                _ => transcode.add(index, &directory, group, output)?,
            };
            outputs.extend(planned);
        }
        if outputs.is_empty() {
            return Err(PlanError::Audio { group: group_index });
        }
        let planned = match group.kind() {
            Some(kind) => tiles::plan(kind, group_index, &outputs, duration_seconds)?,
            None => Vec::new(),
        };
        let (sets, mut runs) = planned.into_iter().unzip();
        tiles.push(sets);
        tile_runs.append(&mut runs);
        groups.push(outputs);
    }
    let (transcode, images) = transcode.finish();
    let whole = matches!(parts.as_slice(), [only] if only.clip.is_none());
    let captions::Captions { tracks, runs, files, .. } = captions;
    Ok(Plan {
        transcode,
        capture: capture.finish(),
        images,
        caption_runs: runs,
        caption_files: files,
        captions: tracks,
        whole,
        duration_seconds,
        groups,
        tiles,
        tile_runs,
    })
}

/// What every ffmpeg command line begins with.
fn preamble() -> Vec<String> {
    strings([
        "-nostdin",
        "-hide_banner",
        "-loglevel",
        "error",
        "-nostats",
        "-progress",
        "pipe:1",
        "-stats_period",
        "0.5",
    ])
}

/// Pixels of a decoded picture; a stream that claims more is not decoded. Twice what MediaConvert takes (8K).
const PIXELS_MAX: &str = "67108864";

/// Opens a part's file, and nothing but a file of a known container.
fn source_input(part: &Part<'_>) -> Vec<String> {
    let mut arguments = strings(["-noautorotate", "-max_pixels", PIXELS_MAX]);
    arguments.extend(part.seek());
    arguments.extend(strings(["-protocol_whitelist", crate::source::PROTOCOLS]));
    arguments.extend(strings(["-format_whitelist", crate::source::INPUT_FORMATS, "-i"]));
    arguments.push(format!("file:{}", part.file()));
    arguments
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

#[cfg(test)]
mod tests;
