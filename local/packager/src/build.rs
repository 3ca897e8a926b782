//! Makes segments from the source's own files. Blocks on the disk.
//!
//! A segment is built in one buffer: the head is left free, frames are appended behind it as they come out of the source, and
//! the head is written last. Transport streams are read through a small window that stays in the processor's cache.

use std::{fs::File, io::Read as _, os::unix::fs::FileExt as _, path::PathBuf, sync::Arc};

use vodline_core::{AwsError, Objects};

use crate::{
    captions::{self, CaptionError, Captions},
    codec,
    facts::{Container, Facts, Located, Rendition, Segment, TICKS_PER_SECOND},
    fmp4::{self, Sample},
    mp4,
    mux::{self, Frame, Frames},
    presentation::{Content, Output, Presentation, Role, Stream},
    source,
    ts::{self, Carries, Demultiplexer, Media, PACKET_BYTES, Pes, SoundFrames, TsError},
};

/// How much of a transport stream is read at a time.
const WINDOW_BYTES: usize = 340 * PACKET_BYTES;

/// How many captions may last over the boundary of two segments.
const REPEATED_CUES_MAX: usize = 64;

/// A segment cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("a file of the source is not there")]
    Missing(#[from] AwsError),
    #[error("a file of the source cannot be read")]
    Read(#[from] std::io::Error),
    #[error("a segment of the source is not what it was when it was ingested")]
    Changed(#[from] TsError),
    #[error("captions of the source are not what they were when they were ingested")]
    Captions(#[from] CaptionError),
    #[error("a segment of the source has other frames than when it was ingested")]
    Frames,
}

/// Which part of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Segment(usize),
    KeyFrame(usize),
}

/// What segments are made from.
pub(crate) struct Builder<'a> {
    pub objects: &'a Arc<dyn Objects>,
    pub facts: &'a Facts,
    pub presentation: &'a Presentation,
}

/// The bytes that a part takes while it is made, nearly: what is read, and what comes of it.
pub(crate) fn working_bytes(stream: &Stream, part: Part) -> u64 {
    let size = match part {
        Part::Segment(index) => stream.outputs.get(index).map_or(0, |output| output.size_bytes),
        Part::KeyFrame(index) => {
            stream.key_frames.as_ref().and_then(|outputs| outputs.get(index)).map_or(0, |output| output.size_bytes)
        }
    };
    // What is muxed anew is there twice.
    2 * size + WINDOW_BYTES as u64
}

impl Builder<'_> {
    /// Makes a part; `None` when the stream has no such part.
    pub(crate) fn build(&self, stream: &Stream, part: Part) -> Result<Option<Vec<u8>>, BuildError> {
        let (outputs, index) = match part {
            Part::Segment(index) => (Some(&stream.outputs), index),
            Part::KeyFrame(index) => (stream.key_frames.as_ref(), index),
        };
        let Some(output) = outputs.and_then(|outputs| outputs.get(index)) else { return Ok(None) };
        let key_only = matches!(part, Part::KeyFrame(_));
        let made = match stream.content {
            Content::Joined if key_only => self.head(stream.rendition(), output.from)?,
            Content::Joined => self.join(stream.rendition(), output)?,
            Content::Transport { picture, sound } => self.transport(picture, sound, output, index, key_only)?,
            Content::Fragmented(Media::Picture) => self.pictures(stream, output, index, key_only)?,
            Content::Fragmented(Media::Sound) => self.sounds(stream, output, index)?,
            Content::WebVtt { zero_based } => {
                let zero = if zero_based { 0 } else { self.presentation.origin_ticks % ts::CLOCK_TURN };
                captions::write_webvtt(&self.captions(stream.rendition(), output)?, zero).into_bytes()
            }
            Content::Ttml => self.ttml(stream, output, index)?,
        };
        Ok(Some(made))
    }

    fn rendition(&self, index: usize) -> Result<&Rendition, BuildError> {
        self.facts.renditions.get(index).ok_or(BuildError::Frames)
    }

    fn path(&self, rendition: &Rendition, segment: &Segment) -> Result<PathBuf, BuildError> {
        Ok(source::segment_file(self.objects.as_ref(), &self.facts.bucket, rendition, segment)?)
    }

    /// Joins a run of the source's segments; the continuity counters are made to run on where the source's do not.
    fn join(&self, rendition: usize, output: &Output) -> Result<Vec<u8>, BuildError> {
        let rendition = self.rendition(rendition)?;
        let mut joined = Vec::with_capacity(output.size_bytes as usize);
        for segment in &rendition.segments[output.from..output.to] {
            File::open(self.path(rendition, segment)?)?.read_to_end(&mut joined)?;
        }
        if joined.len() as u64 != output.size_bytes {
            return Err(BuildError::Frames);
        }
        if !rendition.continuous {
            let mut position = std::collections::BTreeMap::new();
            let before = rendition.segments[..output.from].iter().flat_map(|segment| &segment.payload_packets);
            for (pid, packets) in before {
                *position.entry(*pid).or_default() += packets;
            }
            ts::renumber(&mut joined, &mut position);
        }
        Ok(joined)
    }

    /// A transport stream up to the end of its first frame.
    fn head(&self, rendition: usize, segment: usize) -> Result<Vec<u8>, BuildError> {
        let rendition = self.rendition(rendition)?;
        let segment = &rendition.segments[segment];
        let mut head = vec![0; segment.picture.as_ref().map_or(0, |span| span.head_bytes) as usize];
        File::open(self.path(rendition, segment)?)?.read_exact(&mut head)?;
        Ok(head)
    }

    fn transport(
        &self,
        picture: Option<usize>,
        sound: Option<usize>,
        output: &Output,
        index: usize,
        key_only: bool,
    ) -> Result<Vec<u8>, BuildError> {
        let gather = |rendition: usize, media| {
            let mut frames = Frames::default();
            self.append(self.rendition(rendition)?, media, output, key_only, &mut frames)?;
            Ok::<_, BuildError>(frames)
        };
        let pictures = picture.map(|rendition| gather(rendition, Media::Picture)).transpose()?;
        let sounds = sound.filter(|_| !key_only).map(|rendition| gather(rendition, Media::Sound)).transpose()?;
        let of_picture = picture.and_then(|index| self.facts.renditions.get(index)?.picture.as_ref());
        let of_sound = sound.and_then(|index| self.facts.renditions.get(index)?.sound.as_ref());
        Ok(mux::segment(index, of_picture.zip(pictures.as_ref()), of_sound.zip(sounds.as_ref())))
    }

    fn pictures(&self, stream: &Stream, output: &Output, index: usize, key_only: bool) -> Result<Vec<u8>, BuildError> {
        let rendition = self.rendition(stream.rendition())?;
        let span = |index: usize| rendition.segments.get(index)?.picture.as_ref();
        let count: u64 = (output.from..output.to).filter_map(span).map(|span| span.frames).sum();
        let head_bytes = fmp4::head_bytes(if key_only { 1 } else { count as usize });
        let mut frames = Frames::default();
        frames.data.reserve_exact(output.size_bytes as usize);
        frames.data.resize(head_bytes, 0);
        self.append(rendition, Media::Picture, output, key_only, &mut frames)?;
        let Some(first) = frames.frames.first() else { return Err(BuildError::Frames) };

        let decode = |dts: u64| dts.saturating_sub(self.presentation.origin_ticks);
        let decode_time = if key_only { output.start } else { decode(first.dts) };
        // A frame lasts until the next is decoded; the last one until the next segment's first, or as long as the others.
        let usual = rendition.picture.as_ref().map_or(0, |picture| picture.frame_ticks.round() as u64);
        let last = frames.frames.last().map_or(0, |frame| decode(frame.dts));
        let end = match span(output.to) {
            _ if key_only => output.start + output.duration,
            Some(next) => decode(next.dts),
            None => last + usual,
        };
        let starts = frames.frames.iter().map(|frame| if key_only { output.start } else { decode(frame.dts) });
        let ends = starts.clone().skip(1).chain([end]);
        let samples: Vec<Sample> = frames
            .frames
            .iter()
            .zip(starts.zip(ends))
            .map(|(frame, (start, end))| Sample {
                bytes: frame.bytes,
                duration: end.saturating_sub(start) as u32,
                composition_offset: if key_only {
                    0
                } else {
                    (frame.pts.saturating_sub(self.presentation.origin_ticks) as i64 - start as i64) as i32
                },
                sync: frame.key,
            })
            .collect();
        finish(frames, index, decode_time, &samples, head_bytes)
    }

    fn sounds(&self, stream: &Stream, output: &Output, index: usize) -> Result<Vec<u8>, BuildError> {
        let rendition = self.rendition(stream.rendition())?;
        let duration = rendition.sound.as_ref().map_or(0, |sound| sound.frame_samples);
        let (_, count) = crate::presentation::sound_bytes(rendition, output.from, output.to);
        let head_bytes = fmp4::head_bytes(count as usize);
        let mut frames = Frames::default();
        frames.data.reserve_exact(output.size_bytes as usize);
        frames.data.resize(head_bytes, 0);
        self.append(rendition, Media::Sound, output, false, &mut frames)?;
        let sample = |frame: &Frame| Sample { bytes: frame.bytes, duration, composition_offset: 0, sync: true };
        let samples: Vec<Sample> = frames.frames.iter().map(sample).collect();
        finish(frames, index, output.start, &samples, head_bytes)
    }

    fn ttml(&self, stream: &Stream, output: &Output, index: usize) -> Result<Vec<u8>, BuildError> {
        let language = match &stream.role {
            Role::Subtitles { label, .. } => label.language.as_deref(),
            Role::Variant { .. } | Role::Audio { .. } => None,
        };
        let document = captions::write_ttml(&self.captions(stream.rendition(), output)?, language);
        let head_bytes = fmp4::head_bytes(1);
        let mut frames = Frames { frames: Vec::new(), data: vec![0; head_bytes] };
        frames.data.extend_from_slice(document.as_bytes());
        let sample = Sample {
            bytes: document.len() as u32,
            duration: output.duration as u32,
            composition_offset: 0,
            sync: true,
        };
        finish(frames, index, output.start, &[sample], head_bytes)
    }

    /// The captions of a run of segments, with times from the start of the presentation.
    fn captions(&self, rendition: usize, output: &Output) -> Result<Captions, BuildError> {
        let rendition = self.rendition(rendition)?;
        let origin = self.presentation.origin_ticks;
        let mut all = Captions::default();
        let mut read: Option<PathBuf> = None;
        for segment in &rendition.segments[output.from..output.to] {
            let path = self.path(rendition, segment)?;
            // All segments of SubRip are in one file.
            if read.as_ref() == Some(&path) {
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            read = Some(path);
            let whole_file = rendition.container == Container::SubRip;
            let captions = if whole_file { captions::parse_subrip(&text) } else { captions::parse_webvtt(&text) }?;
            let (map_ticks, map_ms) = captions.map.unwrap_or((if whole_file { mp4::ZERO_TICKS } else { 0 }, 0));
            // Without a map, time zero is the clock's zero (RFC 8216, 3.5); in an MP4 set it is the files'.
            let shift = ts::ticks_between(origin, map_ticks) - captions::ticks(map_ms) as i64;
            let place = |ms: u64| (captions::ticks(ms) as i64).saturating_add(shift);
            for mut cue in captions.cues {
                let (start, end) = (place(cue.start_ms), place(cue.end_ms));
                let (from, to) = (output.start as i64, (output.start + output.duration) as i64);
                if end <= 0 || whole_file && (end <= from || start >= to) {
                    continue;
                }
                cue.start_ms = start.max(0) as u64 / (TICKS_PER_SECOND / 1000);
                cue.end_ms = end as u64 / (TICKS_PER_SECOND / 1000);
                // A caption that lasts over a boundary is in both files, near it.
                if !all.cues.iter().rev().take(REPEATED_CUES_MAX).any(|other| *other == cue) {
                    all.cues.push(cue);
                }
            }
            for block in captions.blocks {
                if !all.blocks.contains(&block) {
                    all.blocks.push(block);
                }
            }
        }
        Ok(all)
    }

    /// Appends the frames of one track in a run of segments; with `key_only` the first of them alone.
    fn append(
        &self,
        rendition: &Rendition,
        media: Media,
        output: &Output,
        key_only: bool,
        frames: &mut Frames,
    ) -> Result<(), BuildError> {
        // The sound of an MP4 set may have fewer segments than the pictures.
        for segment in rendition.segments.get(output.from..output.to).unwrap_or_default() {
            let there = match media {
                Media::Picture => segment.picture.is_some(),
                Media::Sound => segment.sound.is_some(),
            };
            if !there {
                continue;
            }
            let file = File::open(self.path(rendition, segment)?)?;
            match rendition.container {
                Container::Mp4 => append_located(&file, media, segment, key_only, frames)?,
                _ => append_demultiplexed(file, media, rendition, segment, key_only, frames)?,
            }
        }
        Ok(())
    }
}

/// Writes the head of a segment whose samples are in place.
fn finish(
    frames: Frames,
    index: usize,
    decode_time: u64,
    samples: &[Sample],
    head_bytes: usize,
) -> Result<Vec<u8>, BuildError> {
    let mut data = frames.data;
    if fmp4::head_bytes(samples.len()) != head_bytes {
        return Err(BuildError::Frames);
    }
    fmp4::write_head(&mut data, index as u32 + 1, decode_time, samples);
    Ok(data)
}

/// Appends frames that lie in an MP4 file: one read for each run without a gap.
fn append_located(
    file: &File,
    media: Media,
    segment: &Segment,
    key_only: bool,
    frames: &mut Frames,
) -> Result<(), BuildError> {
    let located: &[Located] = match media {
        Media::Picture => segment.picture.as_ref().map_or(&[], |span| &span.located),
        Media::Sound => segment.sound.as_ref().map_or(&[], |span| &span.located),
    };
    let located = if key_only { &located[..located.len().min(1)] } else { located };
    for run in located.chunk_by(|a, b| a.offset + u64::from(a.bytes) == b.offset) {
        let start = frames.data.len();
        let bytes: usize = run.iter().map(|frame| frame.bytes as usize).sum();
        frames.data.resize(start + bytes, 0);
        file.read_exact_at(&mut frames.data[start..], run[0].offset)?;
        let frame = |frame: &Located| Frame { bytes: frame.bytes, pts: frame.pts, dts: frame.dts, key: frame.key };
        frames.frames.extend(run.iter().map(frame));
    }
    Ok(())
}

/// Appends frames that come out of a transport stream.
fn append_demultiplexed(
    mut file: File,
    media: Media,
    rendition: &Rendition,
    segment: &Segment,
    key_only: bool,
    frames: &mut Frames,
) -> Result<(), BuildError> {
    let mut demultiplexer = Demultiplexer::one(media);
    let mut left = match (&segment.picture, key_only) {
        (Some(span), true) => span.head_bytes,
        _ => rendition.stored_bytes(segment),
    };
    let mut sound = rendition.sound.as_ref().map(|sound| (SoundFrames::new(sound.codec), sound));
    let mut first_dts = None;
    let mut sounds = 0_u64;
    let mut take = |pes: Pes<'_>| match pes.carries {
        Carries::Picture(codec) => {
            let span = segment.picture.as_ref().ok_or(TsError::NoTimestamp)?;
            let (pts, dts) = pes.pts.zip(pes.dts).ok_or(TsError::NoTimestamp)?;
            let start = frames.data.len();
            let key = codec::append_picture(codec, pes.data, &mut frames.data);
            let first = *first_dts.get_or_insert(dts);
            let decoded = span.dts.saturating_add_signed(ts::ticks_between(first, dts));
            frames.frames.push(Frame {
                bytes: (frames.data.len() - start) as u32,
                dts: decoded,
                pts: decoded.saturating_add_signed(ts::ticks_between(dts, pts)),
                key,
            });
            Ok(())
        }
        Carries::Sound(_) => {
            let (cutter, sound) = sound.as_mut().ok_or(TsError::Empty)?;
            let begun = segment.sound.as_ref().map_or(0, |span| span.pts);
            cutter.feed(pes.data, |frame| {
                let samples = sounds * u64::from(sound.frame_samples);
                let pts = begun + samples * TICKS_PER_SECOND / u64::from(sound.sample_rate);
                frames.data.extend_from_slice(frame);
                frames.frames.push(Frame { bytes: frame.len() as u32, pts, dts: pts, key: true });
                sounds += 1;
            })
        }
    };
    let mut window = vec![0; WINDOW_BYTES];
    while left > 0 {
        let now = left.min(WINDOW_BYTES as u64) as usize;
        file.read_exact(&mut window[..now])?;
        demultiplexer.feed(&window[..now], &mut take)?;
        left -= now as u64;
    }
    demultiplexer.finish(&mut take)?;
    Ok(())
}
