//! What is known of an ingested source: enough to write every playlist and segment without looking at the media again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Ticks of the MPEG clock in a second; all times here are in them.
pub(crate) const TICKS_PER_SECOND: u64 = 90_000;

/// The facts of one asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The bucket the source lies in.
    pub bucket: String,
    /// In the order of the source's parent playlist.
    pub renditions: Vec<Rendition>,
}

/// One stream of the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rendition {
    /// Its place in the source, from 1; names its playlist and segments.
    pub number: usize,
    pub kind: Kind,
    /// The picture, when it has one.
    pub video: Option<Video>,
    /// The sound, when it has any.
    pub audio: Option<Audio>,
    /// Whether the continuity counters run on from each segment to the next, so that segments can be joined as they are.
    pub continuous: bool,
    pub segments: Vec<Segment>,
}

/// What a rendition is to the player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A variant stream.
    Variant {
        /// `BANDWIDTH` as the source declares it, in bits per second.
        declared_bandwidth: u64,
        /// `AUDIO`: the group its sound is in, when it is not in the stream itself.
        audio_group: Option<String>,
        /// `SUBTITLES`: the group of its subtitles.
        subtitles_group: Option<String>,
    },
    /// An alternative rendition: sound of its own.
    Audio(Alternative),
    /// An alternative rendition: WebVTT subtitles.
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
pub(crate) struct Video {
    /// RFC 6381, such as `avc1.4d401f`.
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// Ticks from one frame to the next, on average over the stream.
    pub frame_ticks: f64,
    /// The sequence and the picture parameter set, when all segments have the same.
    pub parameter_sets: Option<(Vec<u8>, Vec<u8>)>,
}

/// The sound of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audio {
    /// RFC 6381, such as `mp4a.40.2`.
    pub codec: String,
    /// Of AAC; other sound passes through as it is.
    pub aac: Option<Aac>,
}

/// What a player needs to know of AAC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aac {
    /// Hertz.
    pub sample_rate: u32,
    pub channels: u8,
    /// The AudioSpecificConfig.
    pub config: [u8; 2],
}

/// One segment of the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub key: String,
    /// The object's version, by its entity tag.
    pub etag: String,
    /// Where its bytes were when it was ingested.
    pub path: PathBuf,
    pub size_bytes: u64,
    pub duration_ticks: u64,
    /// The picture in it; without, if there is none.
    pub video: Option<VideoSpan>,
    /// The sound in it; without, if there is none or it is not AAC.
    pub audio: Option<AudioSpan>,
    /// Bytes from the segment's start to the end of its first key frame; zero without a picture.
    pub key_frame_bytes: u64,
    /// How many packets with a payload each stream of the segment has; only kept where counters must be rewritten.
    pub payload_packets: Vec<(u16, u64)>,
}

/// The picture of one segment. Times are the source's own, counted on past the 33-bit clock's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VideoSpan {
    pub pts: u64,
    pub dts: u64,
    pub frames: u64,
    pub bytes: u64,
}

/// The sound of one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AudioSpan {
    pub pts: u64,
    pub frames: u64,
    pub bytes: u64,
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
}
