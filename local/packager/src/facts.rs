//! What is known of an ingested source: enough to write every playlist without looking at the media again, and to find the
//! bytes of every segment at once.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::codec::{PictureCodec, Range, SoundCodec};

/// Ticks of the MPEG clock in a second; all times here are in them.
pub(crate) const TICKS_PER_SECOND: u64 = 90_000;

/// The facts of one asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The bucket the source lies in.
    pub bucket: String,
    /// In the order of the source's manifest.
    pub renditions: Vec<Rendition>,
    /// What the source's manifest calls the sound that is in the variants themselves, when it says.
    pub embedded_sound: Option<Alternative>,
}

/// One stream of the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rendition {
    /// Its place in the source, from 1; names its playlist and segments.
    pub number: usize,
    pub kind: Kind,
    pub container: Container,
    /// The picture, when it has one.
    pub picture: Option<Picture>,
    /// The sound, when it has any.
    pub sound: Option<Sound>,
    /// Whether the continuity counters run on from each segment to the next, so that segments can be joined as they are.
    pub continuous: bool,
    pub files: Vec<File>,
    pub segments: Vec<Segment>,
}

/// How the source holds a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Container {
    /// A transport stream for each segment.
    TransportStream,
    /// One MP4 file.
    Mp4,
    /// A WebVTT file for each segment.
    WebVtt,
    /// One SubRip file.
    SubRip,
}

/// What a rendition is to the player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A variant stream.
    Variant {
        /// Its rate in bits per second: `BANDWIDTH` as an HLS source declares it, the picture's own in an MP4 file.
        declared_bandwidth: u64,
        /// `AUDIO`: the group its sound is in, when it is not in the stream itself.
        audio_group: Option<String>,
        /// `SUBTITLES`: the group of its subtitles.
        subtitles_group: Option<String>,
    },
    /// An alternative rendition: sound of its own.
    Audio(Alternative),
    /// An alternative rendition: subtitles.
    Subtitles(Alternative),
}

/// The attributes of `EXT-X-MEDIA` that pass through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alternative {
    pub group: String,
    pub name: String,
    pub language: Option<String>,
    pub default: bool,
    pub autoselect: bool,
    pub forced: bool,
    pub characteristics: Option<String>,
}

/// The picture of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub codec: PictureCodec,
    /// RFC 6381, such as `avc1.4d401f`.
    pub name: String,
    pub width: u32,
    pub height: u32,
    /// Ticks from one frame to the next, on average over the stream.
    pub frame_ticks: f64,
    pub range: Range,
    /// Primaries, transfer, matrix and full range by their codes in ITU-T H.273.
    pub colour: Option<[u8; 4]>,
    /// The body of the `avcC` or `hvcC` box; without, if the parameters change within the stream.
    pub configuration: Option<Vec<u8>>,
    /// The parameter sets, as they stand before a key frame.
    pub sets: Vec<Vec<u8>>,
}

/// The sound of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sound {
    pub codec: SoundCodec,
    /// RFC 6381, such as `mp4a.40.2`.
    pub name: String,
    /// Hertz.
    pub sample_rate: u32,
    pub channels: u8,
    /// Samples in one frame.
    pub frame_samples: u32,
    /// The AudioSpecificConfig, or the body of the `dac3` or `dec3` box.
    pub configuration: Vec<u8>,
}

/// A file of the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    pub key: String,
    /// The object's version, by its entity tag.
    pub etag: String,
    /// Where its bytes were when it was ingested.
    pub path: PathBuf,
    pub size_bytes: u64,
}

/// One segment of the source: a file, or the part of a file from one key frame to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Which of the rendition's files it is in.
    pub file: usize,
    pub duration_ticks: u64,
    /// The picture in it; without, if there is none.
    pub picture: Option<PictureSpan>,
    /// The sound in it; without, if there is none.
    pub sound: Option<SoundSpan>,
    /// How many packets with a payload each stream of the segment has; only kept where counters must be rewritten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payload_packets: Vec<(u16, u64)>,
}

/// The picture of one segment. Times are the source's own, counted on past the 33-bit clock's end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PictureSpan {
    pub pts: u64,
    pub dts: u64,
    pub frames: u64,
    /// Bytes of all frames, in the form of MP4.
    pub bytes: u64,
    /// Bytes of the first frame, in the form of MP4.
    pub key_frame_bytes: u64,
    /// Bytes from the start of a transport stream to the end of its first frame.
    pub head_bytes: u64,
    /// Where the frames are in an MP4 file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub located: Vec<Located>,
}

/// The sound of one segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SoundSpan {
    pub pts: u64,
    pub frames: u64,
    /// Bytes of all frames, in the form of MP4.
    pub bytes: u64,
    /// Where the frames are in an MP4 file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub located: Vec<Located>,
}

/// A frame in an MP4 file. Written as a list, for there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u32, u64, u64, bool)", into = "(u64, u32, u64, u64, bool)")]
pub(crate) struct Located {
    pub offset: u64,
    pub bytes: u32,
    pub dts: u64,
    pub pts: u64,
    /// Whether decoding can begin here.
    pub key: bool,
}

impl From<(u64, u32, u64, u64, bool)> for Located {
    fn from((offset, bytes, dts, pts, key): (u64, u32, u64, u64, bool)) -> Self {
        Self { offset, bytes, dts, pts, key }
    }
}

impl From<Located> for (u64, u32, u64, u64, bool) {
    fn from(frame: Located) -> Self {
        (frame.offset, frame.bytes, frame.dts, frame.pts, frame.key)
    }
}

impl Rendition {
    /// The length of a typical segment: the mean of all but the last, which may be short.
    pub(crate) fn typical_ticks(&self) -> u64 {
        let whole = match self.segments.as_slice() {
            [] => return 0,
            [only] => return only.duration_ticks,
            [whole @ .., _last] => whole,
        };
        whole.iter().map(|segment| segment.duration_ticks).sum::<u64>() / whole.len() as u64
    }

    /// How many of the source's segments make one of the output: the wanted duration, rounded to the nearest multiple.
    pub(crate) fn segments_per_output(&self, wanted_seconds: u32) -> usize {
        let typical = self.typical_ticks().max(1) as f64;
        let multiple = (f64::from(wanted_seconds) * TICKS_PER_SECOND as f64 / typical).round();
        (multiple as usize).max(1)
    }

    pub(crate) fn file(&self, segment: &Segment) -> Option<&File> {
        self.files.get(segment.file)
    }

    /// The bytes that the source holds a segment in; zero where it shares its file with others.
    pub(crate) fn stored_bytes(&self, segment: &Segment) -> u64 {
        match self.container {
            Container::TransportStream | Container::WebVtt => self.file(segment).map_or(0, |file| file.size_bytes),
            Container::Mp4 | Container::SubRip => 0,
        }
    }
}

impl Facts {
    /// What the facts take in memory, nearly.
    pub(crate) fn weight_bytes(&self) -> usize {
        let located = |segment: &Segment| {
            segment.picture.as_ref().map_or(0, |span| span.located.len())
                + segment.sound.as_ref().map_or(0, |span| span.located.len())
        };
        self.renditions
            .iter()
            .map(|rendition| {
                let frames: usize = rendition.segments.iter().map(located).sum();
                frames * size_of::<Located>()
                    + rendition.segments.len() * (size_of::<Segment>() + 64)
                    + rendition.files.len() * (size_of::<File>() + 256)
            })
            .sum()
    }
}
