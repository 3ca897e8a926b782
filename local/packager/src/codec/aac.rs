//! AAC in ADTS frames.

use super::{SoundCodec, SoundParameters};

/// Samples in a frame of AAC-LC.
const FRAME_SAMPLES: u32 = 1024;
/// The length of a header without checksum.
const HEADER_BYTES: usize = 7;

/// Sampling frequencies by their index (ISO/IEC 14496-3, table 1.18).
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// What the first ADTS header says of a stream (ISO/IEC 13818-7, 6.2).
pub(super) fn parameters(bytes: &[u8]) -> Result<SoundParameters, &'static str> {
    let header = header(bytes)?;
    let object_type = (header[2] >> 6) + 1;
    let rate_index = header[2] >> 2 & 0x0f;
    let channels = (header[2] & 1) << 2 | header[3] >> 6;
    if channels == 0 {
        return Err("the sound's channels are not in its ADTS header");
    }
    let configuration = u16::from(object_type) << 11 | u16::from(rate_index) << 7 | u16::from(channels) << 3;
    from_configuration(&configuration.to_be_bytes())
}

/// What an AudioSpecificConfig says (ISO/IEC 14496-3, 1.6.2.1).
pub(super) fn from_configuration(configuration: &[u8]) -> Result<SoundParameters, &'static str> {
    let &[first, second, ..] = configuration else { return Err("the configuration of the sound is cut short") };
    let object_type = first >> 3;
    let rate_index = (first & 7) << 1 | second >> 7;
    let channels = second >> 3 & 0x0f;
    if !(1..=4).contains(&object_type) {
        return Err("the sound is AAC of a profile that ADTS cannot carry");
    }
    let sample_rate =
        *SAMPLE_RATES.get(usize::from(rate_index)).ok_or("the sound has an unknown sampling frequency")?;
    if !(1..=7).contains(&channels) {
        return Err("the sound has channels that are not one of the usual layouts");
    }
    Ok(SoundParameters {
        codec: SoundCodec::Aac,
        name: format!("mp4a.40.{object_type}"),
        sample_rate,
        // Configuration 7 means eight channels.
        channels: if channels == 7 { 8 } else { channels },
        frame_samples: FRAME_SAMPLES,
        configuration: vec![first, second],
    })
}

fn header(bytes: &[u8]) -> Result<&[u8; HEADER_BYTES], &'static str> {
    match bytes.first_chunk() {
        Some(header) if header[0] == 0xff && header[1] & 0xf6 == 0xf0 => Ok(header),
        _ => Err("the sound does not consist of ADTS frames"),
    }
}

/// Where the first frame's payload lies, and so where the next frame begins; `None` when more bytes are needed.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<std::ops::Range<usize>>, &'static str> {
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let header = header(bytes)?;
    let header_bytes = if header[1] & 1 == 1 { HEADER_BYTES } else { HEADER_BYTES + 2 };
    let length = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    if header[6] & 3 != 0 {
        return Err("an ADTS frame holds several blocks");
    }
    if length < header_bytes {
        return Err("an ADTS frame is shorter than its header");
    }
    Ok((bytes.len() >= length).then_some(header_bytes..length))
}

/// The header of a frame with this AudioSpecificConfig.
pub(super) fn adts_header(configuration: &[u8], frame_bytes: usize) -> [u8; HEADER_BYTES] {
    let (first, second) = (configuration.first().copied().unwrap_or(0), configuration.get(1).copied().unwrap_or(0));
    let profile = (first >> 3).saturating_sub(1);
    let rate_index = (first & 7) << 1 | second >> 7;
    let channels = second >> 3 & 7;
    let length = HEADER_BYTES + frame_bytes;
    [
        0xff,
        0xf1,
        profile << 6 | rate_index << 2 | channels >> 2,
        (channels & 3) << 6 | (length >> 11) as u8 & 3,
        (length >> 3) as u8,
        (length << 5) as u8 | 0x1f,
        0xfc,
    ]
}
