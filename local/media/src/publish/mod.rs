//! From scratch files to objects: names, playlists, manifests, and what the COMPLETE event says of them.
//!
//! Publication is planned first ([`prepare`]) and written down, then carried out. Carrying out moves files one by one and can be
//! repeated, so a home that died in the middle goes on. Media come before the playlists that name them, so nobody sees a
//! playlist whose segments are missing.

mod boxes;
mod captions;
mod cmaf;
mod codec;
mod dash;
mod hls;
mod key_frames;
mod playlist;
mod segments;
mod tiles;
mod track;

use std::{collections::HashSet, path::Path};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use vodline_core::{AwsError, ObjectMetadata, Objects};

use crate::{
    job::{Destination, Identifiers, JobSettings, Output, OutputFacts, OutputGroup, OutputGroupKind},
    plan::{CaptionTrack, Plan, PlannedOutput, PlannedTiles},
};

/// Segments and stills never change once written: their names belong to one job.
const MEDIA_CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// What cannot stand in a relative URI's path segment. A colon could be taken for a scheme's.
const NAME: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Everything a finished job leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Publication {
    /// In the order they are to be moved.
    pub(crate) files: Vec<File>,
    /// What the COMPLETE event says.
    pub(crate) groups: Vec<GroupDetail>,
}

/// One file to move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    /// Below scratch.
    pub(crate) from: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) content_type: String,
    pub(crate) cache_control: Option<String>,
}

/// `outputGroupDetails[n]` of the COMPLETE event.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/output-file-names-and-paths.html>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupDetail {
    pub(crate) output_details: Vec<OutputDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) playlist_file_paths: Option<Vec<String>>,
    #[serde(rename = "type")]
    pub(crate) kind: GroupKind,
}

/// `outputDetails[n]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutputDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_file_paths: Option<Vec<String>>,
    pub(crate) duration_in_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video_details: Option<VideoDetails>,
}

/// `videoDetails`. The `qvbr*` members of AWS's are left out: x264 does not know MediaConvert's quality scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoDetails {
    pub(crate) width_in_px: u32,
    pub(crate) height_in_px: u32,
    /// Bits per second.
    pub(crate) average_bitrate: u64,
}

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GroupKind {
    #[serde(rename = "FILE_GROUP")]
    File,
    #[serde(rename = "HLS_GROUP")]
    Hls,
    #[serde(rename = "DASH_ISO_GROUP")]
    Dash,
    #[serde(rename = "CMAF_GROUP")]
    Cmaf,
}

/// Why finished files cannot be published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// A scratch file cannot be read or written.
    #[error("cannot use the scratch file {file}")]
    Scratch {
        file: String,
        #[source]
        source: std::io::Error,
    },
    /// ffmpeg ended well and yet left something out.
    #[error("ffmpeg's output {file} is not as expected: {what}")]
    Unexpected { file: String, what: &'static str },
    /// A bucket refused.
    #[error("cannot write s3://{bucket}/{key}")]
    Put {
        bucket: String,
        key: String,
        #[source]
        source: AwsError,
    },
    /// Two outputs came to the same name.
    #[error("two outputs are called s3://{bucket}/{key}")]
    SameName { bucket: String, key: String },
    /// A file of the publication is neither in scratch nor in its bucket.
    #[error("the scratch file {0} is gone")]
    Gone(String),
}

impl PublishError {
    pub(crate) fn scratch(file: &str) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::Scratch { file, source }
    }
}

/// Reads what ffmpeg made, writes playlists and manifests beside it, and says what goes where.
///
/// `started` is when the job started, for names that tell it.
pub(crate) fn prepare(
    settings: &JobSettings,
    plan: &Plan,
    scratch: &Path,
    started: Timestamp,
) -> Result<Publication, PublishError> {
    let mut publication = Publication { files: Vec::new(), groups: Vec::new() };
    let mut last = Vec::new();
    let planned = plan.groups.iter().zip(&plan.tiles);
    for (index, (group, (outputs, tiles))) in settings.output_groups.iter().zip(planned).enumerate() {
        let (Some(kind), Some(input)) = (group.kind(), settings.inputs.first()) else { continue };
        let identifiers = Identifiers { started, input: &input.file_input, output: None };
        let destination = &kind.destination().resolved(&identifiers);
        let seconds = plan.duration_seconds;
        let context =
            Context { scratch, group, kind, destination, identifiers, index, seconds, captions: &plan.captions, tiles };
        let (detail, mut media, mut playlists) = match kind {
            OutputGroupKind::Hls(hls) => hls::prepare(&context, hls, outputs)?,
            OutputGroupKind::Dash(dash) => dash::prepare(&context, dash, outputs)?,
            OutputGroupKind::Cmaf(cmaf) => cmaf::prepare(&context, cmaf, outputs)?,
            OutputGroupKind::File(_) => files(&context, outputs)?,
        };
        publication.files.append(&mut media);
        last.append(&mut playlists);
        publication.groups.push(detail);
    }
    publication.files.append(&mut last);
    let mut keys = HashSet::new();
    match publication.files.iter().find(|file| !keys.insert((&file.bucket, &file.key))) {
        None => Ok(publication),
        Some(file) => Err(PublishError::SameName { bucket: file.bucket.clone(), key: file.key.clone() }),
    }
}

/// A group's detail, its media, and its playlists in the order they may appear.
type Prepared = (GroupDetail, Vec<File>, Vec<File>);

/// What the preparation of one group needs to know.
struct Context<'a> {
    scratch: &'a Path,
    group: &'a OutputGroup,
    kind: OutputGroupKind<'a>,
    destination: &'a Destination,
    identifiers: Identifiers<'a>,
    /// The group's place in the settings.
    index: usize,
    /// How long the job's outputs are expected to be.
    seconds: f64,
    captions: &'a [CaptionTrack],
    tiles: &'a [PlannedTiles],
}

impl<'a> Context<'a> {
    fn output(&self, planned: &PlannedOutput) -> &'a Output {
        &self.group.outputs[planned.index]
    }

    /// Base name and modifier.
    fn stem(&self, planned: &PlannedOutput) -> String {
        format!("{}{}", self.base(), self.resolve(planned, &self.output(planned).name_modifier))
    }

    /// A name with what its output is.
    fn resolve(&self, planned: &PlannedOutput, text: &str) -> String {
        let video = planned.video.as_ref();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of frames")]
        let frame_rate = video.map_or(0, |video| video.frame_rate.value() as u32);
        let output = OutputFacts {
            width: video.map_or(0, |video| video.width),
            height: video.map_or(0, |video| video.height),
            frame_rate,
            video_bitrate: video.and_then(|video| video.bitrate.or(video.max_bitrate)).unwrap_or_default(),
            audio_bitrate: planned.audios.iter().map(|audio| audio.bitrate).sum(),
        };
        Identifiers { output: Some(output), ..self.identifiers }.resolve(text)
    }

    fn base(&self) -> &str {
        self.destination.base_name(self.identifiers.input)
    }

    fn media(&self, from: String, name: &str, content_type: &str) -> File {
        File { cache_control: Some(MEDIA_CACHE_CONTROL.into()), ..self.playlist(from, name, content_type) }
    }

    fn playlist(&self, from: String, name: &str, content_type: &str) -> File {
        File {
            from,
            bucket: self.destination.bucket.clone(),
            key: self.destination.key(name),
            content_type: content_type.into(),
            cache_control: None,
        }
    }

    fn write(&self, file: &str, text: &str) -> Result<(), PublishError> {
        std::fs::write(self.scratch.join(file), text).map_err(PublishError::scratch(file))
    }

    fn size(&self, file: &str) -> Result<u64, PublishError> {
        let metadata = std::fs::metadata(self.scratch.join(file)).map_err(PublishError::scratch(file))?;
        Ok(metadata.len())
    }
}

/// A name as it stands in a playlist.
fn uri(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

fn milliseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of media")]
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    milliseconds
}

/// Bits per second.
fn bit_rate(bytes: u64, seconds: f64) -> u64 {
    if seconds <= 0.0 {
        return 0;
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let bits = bytes as f64 * 8.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and finite")]
    let rate = (bits / seconds).round() as u64;
    rate
}

/// The picture's share of an output: what is left when the sound's nominal rate is taken off.
fn video_details(planned: &PlannedOutput, bytes: u64, seconds: f64) -> Option<VideoDetails> {
    let video = planned.video?;
    let sound: u64 = planned.audios.iter().map(|audio| u64::from(audio.bitrate)).sum();
    Some(VideoDetails {
        width_in_px: video.width,
        height_in_px: video.height,
        average_bitrate: bit_rate(bytes, seconds).saturating_sub(sound),
    })
}

fn files(context: &Context<'_>, outputs: &[PlannedOutput]) -> Result<Prepared, PublishError> {
    let mut detail = GroupDetail { output_details: Vec::new(), playlist_file_paths: None, kind: GroupKind::File };
    let mut media = Vec::new();
    for planned in outputs {
        if planned.captions.is_some() {
            let (captions, file) = captions::file(context, planned)?;
            detail.output_details.push(captions);
            media.push(file);
            continue;
        }
        let stem = context.stem(planned);
        let extension = context.output(planned).extension.as_deref();
        let (last, seconds, bytes) = match planned.captures {
            Some(expected) => {
                let extension = extension.unwrap_or("jpg");
                let mut bytes = 0;
                let mut last = None;
                for number in 0..expected {
                    let from = format!("{}/{number:07}.jpg", planned.directory);
                    // Fewer than expected is what a source without more pictures gives.
                    let Ok(size) = context.size(&from) else { break };
                    bytes += size;
                    let name = format!("{stem}.{number:07}.{extension}");
                    media.push(context.media(from, &name, "image/jpeg"));
                    last = Some((name, f64::from(number + 1)));
                }
                let Some((name, count)) = last else {
                    let file = planned.directory.clone();
                    return Err(PublishError::Unexpected { file, what: "no picture could be captured" });
                };
                let rate = planned.video.map_or(1.0, |video| video.frame_rate.value());
                (name, count / rate, bytes)
            }
            None => {
                let Some(file) = planned.file else { continue };
                let from = format!("{}/file.{}", planned.directory, file.extension);
                let bytes = context.size(&from)?;
                let seconds = match file.muxer {
                    "mp4" | "mov" => boxes::movie_seconds(context.scratch, &from)?,
                    _ => context.seconds,
                };
                let name = format!("{stem}.{}", extension.unwrap_or(file.extension));
                media.push(context.media(from, &name, file.content_type));
                (name, seconds, bytes)
            }
        };
        detail.output_details.push(OutputDetail {
            output_file_paths: Some(vec![context.destination.uri(&last)]),
            duration_in_ms: milliseconds(seconds),
            video_details: video_details(planned, bytes, seconds),
        });
    }
    Ok((detail, media, Vec::new()))
}

/// Moves the files of a publication into their buckets. Files that were moved before are passed over.
pub(crate) fn carry_out(
    publication: &Publication,
    scratch: &Path,
    objects: &dyn Objects,
    stop: impl Fn() -> bool,
) -> Result<(), PublishError> {
    for file in &publication.files {
        if stop() {
            return Ok(());
        }
        let from = scratch.join(&file.from);
        if !from.exists() {
            if objects.get(&file.bucket, &file.key).is_ok() {
                continue;
            }
            return Err(PublishError::Gone(file.from.clone()));
        }
        let metadata = ObjectMetadata {
            content_type: Some(file.content_type.clone()),
            cache_control: file.cache_control.clone(),
            ..ObjectMetadata::default()
        };
        objects.put_file(&file.bucket, &file.key, &from, metadata).map_err(|source| PublishError::Put {
            bucket: file.bucket.clone(),
            key: file.key.clone(),
            source,
        })?;
    }
    Ok(())
}
