//! Codec parameters as they lie in the elementary streams: H.264 sequence parameters and ADTS headers.

/// What an H.264 sequence parameter set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoParameters {
    /// RFC 6381, such as `avc1.4d401f`.
    pub codec: String,
    pub width: u32,
    pub height: u32,
}

/// The NAL units of a byte stream in the format of ITU-T H.264 Annex B.
#[derive(Clone)]
pub(crate) struct NalUnits<'a> {
    rest: &'a [u8],
}

impl<'a> NalUnits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let start = start_code(bytes).map_or(bytes.len(), |at| at + 3);
        Self { rest: &bytes[start..] }
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (unit, rest) = match start_code(self.rest) {
            Some(at) => (&self.rest[..at], &self.rest[at + 3..]),
            None => (self.rest, &self.rest[self.rest.len()..]),
        };
        self.rest = rest;
        Some(unit)
    }
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

/// Whether the unit is a slice of an IDR picture (`nal_unit_type` 5).
pub(crate) fn is_idr(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| header & 0x1f == 5)
}

/// The parameters, when the unit is a sequence parameter set (`nal_unit_type` 7; ITU-T H.264, 7.3.2.1.1).
pub(crate) fn sequence_parameters(unit: &[u8]) -> Option<Result<VideoParameters, &'static str>> {
    (unit.first()? & 0x1f == 7).then(|| read_sequence_parameters(unit).ok_or("the sequence parameter set is cut short"))
}

/// Profiles whose sequence parameters carry the chroma format.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

fn read_sequence_parameters(unit: &[u8]) -> Option<VideoParameters> {
    let payload = without_emulation_prevention(&unit[1..]);
    let mut bits = Bits::new(&payload);
    let profile = bits.read(8)?;
    let constraints = bits.read(8)?;
    let level = bits.read(8)?;
    bits.exp_golomb()?; // seq_parameter_set_id
    let mut chroma_format = 1;
    let mut separate_planes = false;
    if HIGH_PROFILES.contains(&profile) {
        chroma_format = bits.exp_golomb()?;
        if chroma_format == 3 {
            separate_planes = bits.flag()?;
        }
        bits.exp_golomb()?; // bit_depth_luma_minus8
        bits.exp_golomb()?; // bit_depth_chroma_minus8
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            let lists = if chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.exp_golomb()?; // log2_max_frame_num_minus4
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.exp_golomb()?; // offset_for_non_ref_pic, its sign does not matter here
            bits.exp_golomb()?; // offset_for_top_to_bottom_field
            let cycle = bits.exp_golomb()?;
            for _ in 0..cycle.min(255) {
                bits.exp_golomb()?;
            }
        }
        _ => {}
    }
    bits.exp_golomb()?; // max_num_ref_frames
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    let width_units = bits.exp_golomb()?.checked_add(1)?;
    let height_units = bits.exp_golomb()?.checked_add(1)?;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let mut crop = [0; 4]; // left, right, top, bottom
    if bits.flag()? {
        for side in &mut crop {
            *side = bits.exp_golomb()?;
        }
    }
    let field_factor = if frames_only { 1 } else { 2 };
    // Cropping is counted in chroma samples; table 6-1.
    let (crop_x, crop_y) = match (separate_planes, chroma_format) {
        (false, 1) => (2, 2),
        (false, 2) => (2, 1),
        _ => (1, 1),
    };
    let width = width_units.checked_mul(16)?.checked_sub(crop[0].checked_add(crop[1])?.checked_mul(crop_x)?)?;
    let height = height_units
        .checked_mul(16 * field_factor)?
        .checked_sub(crop[2].checked_add(crop[3])?.checked_mul(crop_y * field_factor)?)?;
    Some(VideoParameters { codec: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"), width, height })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            let code = i64::from(bits.exp_golomb()?);
            let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
            next = (last + delta).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Takes out the bytes that keep start codes from appearing inside a unit (7.3.1).
fn without_emulation_prevention(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for &byte in bytes {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Reads bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    /// An unsigned Exp-Golomb code (9.1).
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.read(zeros)?;
        ((1_u32 << zeros) - 1).checked_add(rest)
    }
}

/// A parameter set of this `nal_unit_type` (7 sequence, 8 picture), without the zeros that may follow a unit.
pub(crate) fn parameter_set(unit: &[u8], nal_unit_type: u8) -> Option<&[u8]> {
    (unit.first()? & 0x1f == nal_unit_type).then(|| without_trailing_zeros(unit))
}

/// A unit without the zeros before the next start code; no unit ends in a zero (7.4.1).
pub(crate) fn without_trailing_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    &unit[..end]
}

/// Samples in a frame of AAC-LC.
pub(crate) const AAC_FRAME_SAMPLES: u64 = 1024;

/// What an ADTS header says of an AAC stream (ISO/IEC 13818-7, 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioParameters {
    /// RFC 6381, such as `mp4a.40.2`.
    pub codec: String,
    pub sample_rate: u32,
    pub channels: u8,
    /// The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
    pub config: [u8; 2],
}

/// Sampling frequencies by their index (ISO/IEC 14496-3, table 1.18).
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The parameters of an AAC stream from its first ADTS header.
pub(crate) fn adts_parameters(bytes: &[u8]) -> Result<AudioParameters, &'static str> {
    let header = adts_header(bytes)?;
    let object_type = (header[2] >> 6) + 1;
    let rate_index = header[2] >> 2 & 0x0f;
    let channels = (header[2] & 1) << 2 | header[3] >> 6;
    let sample_rate =
        *SAMPLE_RATES.get(usize::from(rate_index)).ok_or("the sound has an unknown sampling frequency")?;
    if channels == 0 {
        return Err("the sound's channels are not in its ADTS header");
    }
    let config = u16::from(object_type) << 11 | u16::from(rate_index) << 7 | u16::from(channels) << 3;
    Ok(AudioParameters {
        codec: format!("mp4a.40.{object_type}"),
        sample_rate,
        // Configuration 7 means eight channels.
        channels: if channels == 7 { 8 } else { channels },
        config: config.to_be_bytes(),
    })
}

fn adts_header(bytes: &[u8]) -> Result<&[u8; 7], &'static str> {
    match bytes.first_chunk::<7>() {
        Some(header) if header[0] == 0xff && header[1] & 0xf6 == 0xf0 => Ok(header),
        _ => Err("the sound does not consist of ADTS frames"),
    }
}

/// The frames of an ADTS stream, without their headers.
pub(crate) fn adts_frames(mut bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], &'static str>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let frame = take_adts_frame(&mut bytes);
        if frame.is_err() {
            bytes = &[];
        }
        Some(frame)
    })
}

fn take_adts_frame<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let header = adts_header(bytes)?;
    let header_bytes = if header[1] & 1 == 1 { 7 } else { 9 };
    let length = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    if header[6] & 3 != 0 {
        return Err("an ADTS frame holds several blocks");
    }
    let frame = bytes.get(header_bytes..length).ok_or("an ADTS frame is cut short")?;
    *bytes = &bytes[length..];
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(hex_unit: &str, expected: Option<(&str, u32, u32)>) {
        let unit = (0..hex_unit.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex_unit[at..at + 2], 16).ok());
        let unit: Vec<u8> = unit.collect();
        let read = sequence_parameters(&unit).and_then(Result::ok);
        assert_eq!(
            read.as_ref().map(|video| (video.codec.as_str(), video.width, video.height)),
            expected,
            "{hex_unit}"
        );
    }

    #[test]
    fn sequence_parameters_of_real_encoders() {
        // Written by x264: high, main, portrait, baseline, and interlaced.
        check("67640028acd940780227e5c05a808080a0000003002000000781e30632c0", Some(("avc1.640028", 1920, 1080)));
        check("674d401eeca05017fcb80880000003008000001e078b16cb", Some(("avc1.4d401e", 640, 360)));
        check("67640028acd9404403c797c044000003000400000300f03c60c658", Some(("avc1.640028", 1080, 1920)));
        check("6742c00dd90141fb0110000003001000000303c0f142a480", Some(("avc1.42c00d", 320, 240)));
        check("6764001eacd940b424d8088000000300800000190f8a14cb", Some(("avc1.64001e", 720, 576)));
        check("674d40", None);
        check("68ebe3cb22c0", None);
    }

    #[test]
    fn units_are_found_between_start_codes() {
        let stream = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 7, 7];
        let units: Vec<&[u8]> = NalUnits::new(&stream).collect();
        assert_eq!(units, [&[9, 0xf0][..], &[0x65, 7, 7]]);
        assert!(units.into_iter().any(is_idr));
        assert_eq!(NalUnits::new(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn adts_headers_are_read() {
        // AAC-LC, 48 kHz, stereo, a frame of 10 bytes.
        let frame = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 1, 2, 3];
        let parameters = adts_parameters(&frame).ok();
        let expected =
            AudioParameters { codec: "mp4a.40.2".into(), sample_rate: 48_000, channels: 2, config: [0x11, 0x90] };
        assert_eq!(parameters, Some(expected));
        let two = [frame, frame].concat();
        let frames: Vec<_> = adts_frames(&two).collect();
        assert_eq!(frames, [Ok(&[1, 2, 3][..]), Ok(&[1, 2, 3][..])]);
        assert_eq!(adts_frames(&two[..18]).last(), Some(Err("an ADTS frame is cut short")));
        assert!(adts_parameters(&[0; 9]).is_err());
    }

    proptest! {
        #[test]
        fn hostile_parameters_never_panic(mut unit in proptest::collection::vec(any::<u8>(), 1..64)) {
            unit[0] = 0x67;
            let _ = sequence_parameters(&unit);
            let _ = NalUnits::new(&unit).count();
        }

        #[test]
        fn hostile_sound_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 2..64)) {
            bytes[0] = 0xff;
            bytes[1] = 0xf1;
            let _ = adts_parameters(&bytes);
            let _ = adts_frames(&bytes).count();
        }
    }
}
