//! Codecs, as far as a packager looks into them: parameters, the boundaries of units and frames, and which pictures decoding
//! can begin at. Pure; whatever is malformed is an error, never a panic.

mod aac;
mod ac3;
mod avc;
mod bits;
mod hevc;

use std::ops::Range as Span;

use memchr::memmem;
use serde::{Deserialize, Serialize};

/// How a picture is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PictureCodec {
    H264,
    H265,
}

/// How sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SoundCodec {
    Aac,
    Ac3,
    EAc3,
}

/// The dynamic range of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Range {
    #[default]
    Standard,
    /// HDR10's.
    PerceptualQuantizer,
    HybridLogGamma,
}

/// What a player needs to know of a picture before the first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PictureParameters {
    /// RFC 6381, such as `avc1.4d401f`.
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub range: Range,
    /// Primaries, transfer, matrix and full range by their codes in ITU-T H.273, when the stream says.
    pub colour: Option<[u8; 4]>,
    /// The body of the `avcC` or `hvcC` box.
    pub configuration: Vec<u8>,
    /// The parameter sets, in the order in which they stand before a key frame.
    pub sets: Vec<Vec<u8>>,
}

/// What a player needs to know of sound before the first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SoundParameters {
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

/// The NAL units of a byte stream (ITU-T H.264 and H.265, annex B), without the zeros that may follow each.
struct NalUnits<'a> {
    bytes: &'a [u8],
    starts: memmem::FindIter<'a, 'static>,
    /// Where the next unit begins.
    next: Option<usize>,
}

impl<'a> NalUnits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut starts = memmem::find_iter(bytes, &[0, 0, 1]);
        let next = starts.next().map(|at| at + 3);
        Self { bytes, starts, next }
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.next?;
        let end = self.starts.next();
        self.next = end.map(|at| at + 3);
        // No unit ends in a zero (7.4.1).
        let unit = &self.bytes[start..end.unwrap_or(self.bytes.len())];
        Some(&unit[..unit.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)])
    }
}

/// What a NAL unit is to a packager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A slice of a picture that decoding can begin at.
    Key,
    /// A parameter set; its place among them.
    Set(u8),
    /// What says nothing outside a byte stream: delimiters and filler.
    Framing,
    Other,
}

impl PictureCodec {
    /// By `nal_unit_type`: ITU-T H.264, table 7-1; H.265, table 7-1.
    fn unit(self, unit: &[u8]) -> Unit {
        let Some(header) = unit.first() else { return Unit::Framing };
        match self {
            Self::H264 => match header & 0x1f {
                5 => Unit::Key,
                kind @ 7..=8 => Unit::Set(kind - 7),
                9 | 12 => Unit::Framing,
                _ => Unit::Other,
            },
            Self::H265 => match header >> 1 & 0x3f {
                16..=21 => Unit::Key,
                kind @ 32..=34 => Unit::Set(kind - 32),
                35 | 38 => Unit::Framing,
                _ => Unit::Other,
            },
        }
    }

    /// A delimiter, as it stands before each picture of a byte stream.
    fn delimiter(self) -> &'static [u8] {
        match self {
            Self::H264 => &[0, 0, 0, 1, 0x09, 0xf0],
            Self::H265 => &[0, 0, 0, 1, 0x46, 0x01, 0x50],
        }
    }
}

/// The parameters in the first picture of a byte stream; an error when decoding cannot begin there.
pub(crate) fn picture_parameters(codec: PictureCodec, picture: &[u8]) -> Result<PictureParameters, &'static str> {
    let mut sets: [&[u8]; 3] = [&[]; 3];
    let mut key = false;
    for unit in NalUnits::new(picture) {
        match codec.unit(unit) {
            Unit::Set(place) if sets[usize::from(place)].is_empty() => sets[usize::from(place)] = unit,
            Unit::Key => key = true,
            _ => {}
        }
    }
    if !key {
        return Err(NO_KEY_FRAME);
    }
    match codec {
        PictureCodec::H264 if sets[0].is_empty() => Err("the first frame has no sequence parameter set"),
        PictureCodec::H264 => avc::parameters(sets[0], sets[1]),
        PictureCodec::H265 if sets[1].is_empty() => Err("the first frame has no sequence parameter set"),
        PictureCodec::H265 => hevc::parameters(sets[0], sets[1], sets[2]),
    }
}

/// The error of [`picture_parameters`] for a picture that depends on others.
pub(crate) const NO_KEY_FRAME: &str = "its picture does not begin with a key frame";

/// The parameters in the `avcC` or `hvcC` box of an MP4 file.
pub(crate) fn picture_configuration(codec: PictureCodec, record: &[u8]) -> Result<PictureParameters, &'static str> {
    let malformed = "the decoder configuration is malformed, or its lengths are not of four bytes";
    match codec {
        PictureCodec::H264 => {
            let (sequence, picture) = avc::sets_of(record).ok_or(malformed)?;
            avc::parameters(&sequence, &picture)
        }
        PictureCodec::H265 => {
            let [video, sequence, picture] = hevc::sets_of(record).ok_or(malformed)?;
            hevc::parameters(&video, &sequence, &picture)
        }
    }
}

/// Appends a picture of a byte stream in the form of MP4: each NAL unit with its length before it (ISO/IEC 14496-15, 5.2.3).
/// Delimiters, filler and parameter sets stay out. Tells whether decoding can begin here.
pub(crate) fn append_picture(codec: PictureCodec, picture: &[u8], out: &mut Vec<u8>) -> bool {
    let mut key = false;
    for unit in NalUnits::new(picture) {
        let kind = codec.unit(unit);
        key |= kind == Unit::Key;
        if matches!(kind, Unit::Key | Unit::Other) {
            out.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            out.extend_from_slice(unit);
        }
    }
    key
}

/// Appends a picture in the form of MP4 as a byte stream: a delimiter, the parameter sets where decoding can begin, the units.
/// What a broken length hides is left out.
pub(crate) fn append_byte_stream(codec: PictureCodec, mut picture: &[u8], sets: Option<&[Vec<u8>]>, out: &mut Vec<u8>) {
    out.extend_from_slice(codec.delimiter());
    for set in sets.into_iter().flatten() {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(set);
    }
    while let Some((length, rest)) = picture.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((unit, rest)) = rest.split_at_checked(length) else { break };
        picture = rest;
        if matches!(codec.unit(unit), Unit::Key | Unit::Other) {
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(unit);
        }
    }
}

/// The parameters of sound by its first frame.
pub(crate) fn sound_parameters(codec: SoundCodec, bytes: &[u8]) -> Result<SoundParameters, &'static str> {
    match codec {
        SoundCodec::Aac => aac::parameters(bytes),
        SoundCodec::Ac3 | SoundCodec::EAc3 => ac3::parameters(codec, bytes),
    }
}

/// The parameters of sound by its AudioSpecificConfig, or the body of its `dac3` or `dec3` box.
pub(crate) fn sound_configuration(codec: SoundCodec, body: &[u8]) -> Result<SoundParameters, &'static str> {
    match codec {
        SoundCodec::Aac => aac::from_configuration(body),
        SoundCodec::Ac3 | SoundCodec::EAc3 => ac3::from_configuration(codec, body),
    }
}

/// Where the first frame of a stream of sound lies, as MP4 would hold it; the next begins where it ends. `None` when more
/// bytes are needed.
pub(crate) fn sound_frame(codec: SoundCodec, bytes: &[u8]) -> Result<Option<Span<usize>>, &'static str> {
    match codec {
        SoundCodec::Aac => aac::frame(bytes),
        SoundCodec::Ac3 | SoundCodec::EAc3 => ac3::frame(codec, bytes),
    }
}

/// Appends a frame of sound as a transport stream holds it.
pub(crate) fn append_sound(codec: SoundCodec, configuration: &[u8], frame: &[u8], out: &mut Vec<u8>) {
    if codec == SoundCodec::Aac {
        out.extend_from_slice(&aac::adts_header(configuration, frame.len()));
    }
    out.extend_from_slice(frame);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn check_h264(sequence_set: &str, expected: Option<(&str, u32, u32)>) {
        let read = avc::parameters(&hex(sequence_set), &[0x68, 1]).ok();
        let read = read.as_ref().map(|picture| (picture.name.as_str(), picture.width, picture.height));
        assert_eq!(read, expected, "{sequence_set}");
    }

    #[test]
    fn sequence_parameters_of_h264_encoders() {
        // Written by x264: high, main, portrait, baseline, and interlaced.
        check_h264("67640028acd940780227e5c05a808080a0000003002000000781e30632c0", Some(("avc1.640028", 1920, 1080)));
        check_h264("674d401eeca05017fcb80880000003008000001e078b16cb", Some(("avc1.4d401e", 640, 360)));
        check_h264("67640028acd9404403c797c044000003000400000300f03c60c658", Some(("avc1.640028", 1080, 1920)));
        check_h264("6742c00dd90141fb0110000003001000000303c0f142a480", Some(("avc1.42c00d", 320, 240)));
        check_h264("6764001eacd940b424d8088000000300800000190f8a14cb", Some(("avc1.64001e", 720, 576)));
        check_h264("674d40", None);
    }

    /// A picture: a delimiter, two parameter sets, and a slice of the kind.
    fn picture(slice: u8) -> Vec<u8> {
        let sequence = hex("674d401eeca05017fcb80880000003008000001e078b16cb");
        let units: [&[u8]; 4] = [&[9, 0xf0], &sequence, &[0x68, 0xeb, 0xe3], &[slice, 7, 7, 0]];
        units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect()
    }

    #[test]
    fn a_picture_becomes_lengths_and_back() {
        let key = picture(0x65);
        let parameters = picture_parameters(PictureCodec::H264, &key).unwrap();
        assert_eq!(picture_parameters(PictureCodec::H264, &picture(0x41)).unwrap_err(), NO_KEY_FRAME);
        let mut sample = Vec::new();
        assert!(append_picture(PictureCodec::H264, &key, &mut sample));
        assert_eq!(sample, [0, 0, 0, 3, 0x65, 7, 7]);
        assert!(!append_picture(PictureCodec::H264, &picture(0x41), &mut Vec::new()));

        let mut stream = Vec::new();
        append_byte_stream(PictureCodec::H264, &sample, Some(&parameters.sets), &mut stream);
        assert_eq!(picture_parameters(PictureCodec::H264, &stream), Ok(parameters.clone()));
        assert_eq!(picture_configuration(PictureCodec::H264, &parameters.configuration), Ok(parameters));
    }

    #[test]
    fn sound_frames_are_found_and_written_back() {
        // AAC-LC, 48 kHz, stereo, a frame of 10 bytes.
        let frame = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 1, 2, 3];
        let parameters = sound_parameters(SoundCodec::Aac, &frame).unwrap();
        assert_eq!((parameters.sample_rate, parameters.channels), (48_000, 2));
        assert_eq!((parameters.name.as_str(), parameters.configuration.as_slice()), ("mp4a.40.2", &[0x11, 0x90][..]));
        assert_eq!(sound_frame(SoundCodec::Aac, &frame), Ok(Some(7..10)));
        assert_eq!(sound_frame(SoundCodec::Aac, &frame[..9]), Ok(None));
        assert!(sound_frame(SoundCodec::Aac, &[0; 9]).is_err());
        let mut written = Vec::new();
        append_sound(SoundCodec::Aac, &parameters.configuration, &[1, 2, 3], &mut written);
        assert_eq!(sound_parameters(SoundCodec::Aac, &written), Ok(parameters));
        assert_eq!(sound_frame(SoundCodec::Aac, &written), Ok(Some(7..10)));
    }

    #[test]
    fn an_ac3_frame_tells_its_size() {
        // 48 kHz, 192 kbit/s, two channels: 768 bytes.
        let mut frame = vec![0x0b, 0x77, 0, 0, 0x14, 0x40, 0x43, 0xe1];
        assert_eq!(sound_frame(SoundCodec::Ac3, &frame), Ok(None));
        frame.resize(768, 0);
        assert_eq!(sound_frame(SoundCodec::Ac3, &frame), Ok(Some(0..768)));
        let parameters = sound_parameters(SoundCodec::Ac3, &frame).unwrap();
        assert_eq!((parameters.sample_rate, parameters.channels), (48_000, 2));
        assert_eq!(sound_configuration(SoundCodec::Ac3, &parameters.configuration), Ok(parameters));
    }

    proptest! {
        #[test]
        fn hostile_pictures_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 8..96), h265: bool) {
            let codec = if h265 { PictureCodec::H265 } else { PictureCodec::H264 };
            // A sequence parameter set and a key frame, so that the parser gets somewhere.
            bytes[..4].copy_from_slice(&[0, 0, 1, if h265 { 0x42 } else { 0x67 }]);
            let key: &[u8] = if h265 { &[0, 0, 1, 0x40, 1, 0, 0, 1, 0x44, 1, 0, 0, 1, 0x26, 1] } else { &[0, 0, 1, 0x68, 1, 0, 0, 1, 0x65] };
            bytes.extend_from_slice(key);
            let _ = picture_parameters(codec, &bytes);
            let _ = picture_configuration(codec, &bytes);
            let mut sample = Vec::new();
            append_picture(codec, &bytes, &mut sample);
            append_byte_stream(codec, &bytes, None, &mut Vec::new());
        }

        #[test]
        fn hostile_sound_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 2..64), kind in 0..3) {
            let codec = [SoundCodec::Aac, SoundCodec::Ac3, SoundCodec::EAc3][kind as usize];
            bytes[..2].copy_from_slice(if kind == 0 { &[0xff, 0xf1] } else { &[0x0b, 0x77] });
            let _ = sound_parameters(codec, &bytes);
            let _ = sound_frame(codec, &bytes);
            let _ = sound_configuration(codec, &bytes);
        }
    }
}
