//! What a source is: its container and tracks, as ffprobe finds them.

mod capabilities;
mod ffprobe;
mod tools;

pub(crate) use capabilities::Capabilities;
pub(crate) use ffprobe::{ProbeError, probe};
pub(crate) use tools::Tools;

#[cfg(test)]
pub(crate) use ffprobe::facts_from_json;

/// The demuxers that may read an untrusted file. All of them read one file and nothing else: playlists (HLS, DASH, concat,
/// image sequences) are absent, so a file cannot name other files. The list is MediaConvert's own containers.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/reference-codecs-containers-input.html>.
pub(crate) const INPUT_FORMATS: &str = "mov,matroska,mpegts,mpeg,avi,asf,flv,mxf,ogg,wav,mp3,aac,flac,ac3,eac3";

/// The protocols ffmpeg may use at all.
pub(crate) const PROTOCOLS: &str = "file";

/// Numerator and denominator; the denominator is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl Ratio {
    pub(crate) const ONE: Self = Self { numerator: 1, denominator: 1 };

    pub(crate) fn new(numerator: u32, denominator: u32) -> Option<Self> {
        (numerator > 0 && denominator > 0).then_some(Self { numerator, denominator })
    }

    pub(crate) fn value(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    pub(crate) fn inverse(self) -> Self {
        Self { numerator: self.denominator, denominator: self.numerator }
    }

    /// By its lowest terms.
    pub(crate) fn reduced(self) -> Self {
        let (mut a, mut b) = (self.numerator, self.denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { numerator: self.numerator / a, denominator: self.denominator / a }
    }
}

/// A source, as far as jobs and Probe need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourceFacts {
    /// Probe's name of the container, such as `mp4`; `None` when MediaConvert has no name for it.
    pub(crate) format: Option<&'static str>,
    /// ffmpeg's demuxer of the container.
    pub(crate) demuxer: String,
    /// The timecode of the first picture.
    pub(crate) timecode: Option<String>,
    /// Seconds; of the longest track.
    pub(crate) duration_seconds: f64,
    /// Bits per second of the whole file.
    pub(crate) bit_rate: Option<u64>,
    /// In the order of the file; cover pictures are left out.
    pub(crate) tracks: Vec<Track>,
}

impl SourceFacts {
    /// The first video track.
    pub(crate) fn video(&self) -> Option<(&Track, &VideoFacts)> {
        self.tracks.iter().find_map(|track| match &track.kind {
            TrackKind::Video(video) => Some((track, video)),
            _ => None,
        })
    }

    /// Tells what the first video track's film was mastered on.
    fn set_hdr10(&mut self, hdr10: Option<Hdr10>) {
        let video = self.tracks.iter_mut().find_map(|track| match &mut track.kind {
            TrackKind::Video(video) => Some(video),
            _ => None,
        });
        if let Some(video) = video {
            video.hdr10 = hdr10;
        }
    }

    /// The audio tracks.
    pub(crate) fn audio(&self) -> impl Iterator<Item = (&Track, &AudioFacts)> {
        self.tracks.iter().filter_map(|track| match &track.kind {
            TrackKind::Audio(audio) => Some((track, audio)),
            _ => None,
        })
    }
}

/// One track.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Track {
    /// ffmpeg's stream index, from zero.
    pub(crate) stream: usize,
    /// The packet identifier in a transport stream.
    pub(crate) pid: Option<u32>,
    /// Probe's name of the codec, such as `AVC`; `UNKNOWN` when it has none.
    pub(crate) codec: &'static str,
    /// Seconds.
    pub(crate) duration_seconds: Option<f64>,
    /// Bits per second.
    pub(crate) bit_rate: Option<u64>,
    /// ISO 639-2 or -3, three letters.
    pub(crate) language: Option<String>,
    /// What it carries.
    pub(crate) kind: TrackKind,
}

/// What a track carries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TrackKind {
    Video(VideoFacts),
    Audio(AudioFacts),
    Data,
}

/// A video track.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VideoFacts {
    /// Pixels as stored, before rotation.
    pub(crate) width: u32,
    /// Pixels as stored.
    pub(crate) height: u32,
    /// The shape of a pixel, as stored.
    pub(crate) sample_aspect: Ratio,
    /// Degrees clockwise to turn the picture for display: 0, 90, 180 or 270.
    pub(crate) rotation_degrees: u32,
    /// Frames per second.
    pub(crate) frame_rate: Ratio,
    /// Whether frames are made of two fields.
    pub(crate) interlaced: bool,
    /// Bits of one colour component.
    pub(crate) bit_depth: Option<u32>,
    /// Such as `4:2:0`.
    pub(crate) chroma: Option<&'static str>,
    /// Such as `High`.
    pub(crate) profile: Option<String>,
    /// Such as `4.1`.
    pub(crate) level: Option<String>,
    /// Probe's names; `None` when the file does not say.
    pub(crate) color_primaries: Option<&'static str>,
    pub(crate) transfer: Option<&'static str>,
    pub(crate) matrix: Option<&'static str>,
    /// What the film was mastered on, as HDR10 tells it.
    pub(crate) hdr10: Option<Hdr10>,
}

impl VideoFacts {
    /// Whether it says what its colours are.
    pub(crate) fn primaries_known(&self) -> bool {
        self.color_primaries.is_some() && self.transfer.is_some() && self.matrix.is_some()
    }

    /// Whether its brightness goes beyond what ordinary screens show.
    pub(crate) fn is_hdr(&self) -> bool {
        matches!(self.transfer, Some("SMPTE_2084" | "ARIB_B67"))
    }
}

/// HDR10's static metadata. Source: SMPTE ST 2086 and CTA-861.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hdr10 {
    /// x and y of green, blue, red and white, in units of 0.00002.
    pub(crate) primaries: [(u32, u32); 4],
    /// The brightest and the darkest, in units of 0.0001 candela per square metre.
    pub(crate) luminance: (u32, u32),
    /// The brightest pixel and the brightest picture on average, in candela per square metre.
    pub(crate) light_level: Option<(u32, u32)>,
}

/// An audio track.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudioFacts {
    pub(crate) channels: u32,
    /// Such as `stereo`.
    pub(crate) channel_layout: Option<String>,
    /// Hertz.
    pub(crate) sample_rate: u32,
    /// Bits of one sample; `None` for codecs that have none of their own.
    pub(crate) bit_depth: Option<u32>,
}
