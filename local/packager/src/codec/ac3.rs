//! AC-3 and E-AC-3 (ETSI TS 102 366).

use super::{
    SoundCodec, SoundParameters,
    bits::{BitWriter, Bits},
};

/// Samples in a frame of six blocks.
const FRAME_SAMPLES: u32 = 1536;
/// The least of a frame that says how long it is.
const HEADER_BYTES: usize = 8;
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Kilobits per second by half the frame size code (table 4.13).
const BIT_RATES: [u32; 19] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
/// Channels by the audio coding mode, without the low frequency effects (table 4.3).
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

fn sync(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.starts_with(&[0x0b, 0x77]) { Ok(()) } else { Err("the sound does not consist of AC-3 frames") }
}

/// Where the first frame lies; `None` when more bytes are needed.
pub(super) fn frame(codec: SoundCodec, bytes: &[u8]) -> Result<Option<std::ops::Range<usize>>, &'static str> {
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    sync(bytes)?;
    let length = match codec {
        SoundCodec::EAc3 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]]) & 0x07ff) + 1) * 2,
        _ => ac3_bytes(bytes[4]).ok_or("an AC-3 frame has an unknown size")?,
    };
    Ok((bytes.len() >= length).then_some(0..length))
}

/// The length of a frame by its fifth byte: sampling frequency and frame size code (table 4.13).
fn ac3_bytes(codes: u8) -> Option<usize> {
    let (rate, size) = (codes >> 6, codes & 0x3f);
    let kilobits = *BIT_RATES.get(usize::from(size / 2))?;
    let words = match rate {
        0 => kilobits * 2,
        1 => kilobits * 96_000 / 44_100 + u32::from(size & 1),
        2 => kilobits * 3,
        _ => return None,
    };
    Some(words as usize * 2)
}

/// What the first frame says of a stream, with the body of its `dac3` or `dec3` box (annex F).
pub(super) fn parameters(codec: SoundCodec, bytes: &[u8]) -> Result<SoundParameters, &'static str> {
    sync(bytes)?;
    let read = match codec {
        SoundCodec::EAc3 => eac3(bytes),
        _ => ac3(bytes),
    };
    read.ok_or("the first frame of the sound cannot be read")?
}

type Read = Option<Result<SoundParameters, &'static str>>;

fn ac3(bytes: &[u8]) -> Read {
    let mut bits = Bits::new(bytes.get(4..)?);
    let rate = bits.read(2)?;
    let size = bits.read(6)?;
    let identification = bits.read(5)?;
    let mode = bits.read(3)?;
    let coding = bits.read(3)?;
    // Mix levels stand between the coding mode and the low frequency flag (4.3).
    if coding & 1 == 1 && coding != 1 {
        bits.skip(2)?;
    }
    if coding & 4 != 0 {
        bits.skip(2)?;
    }
    if coding == 2 {
        bits.skip(2)?;
    }
    let low = u32::from(bits.flag()?);
    let mut body = BitWriter::default();
    for (value, count) in [(rate, 2), (identification, 5), (mode, 3), (coding, 3), (low, 1), (size >> 1, 5), (0, 5)] {
        body.put(value, count);
    }
    Some(Ok(sound(SoundCodec::Ac3, rate, coding, low, body.finish())?))
}

fn eac3(bytes: &[u8]) -> Read {
    let mut bits = Bits::new(bytes.get(2..)?);
    let kind = bits.read(2)?;
    let substream = bits.read(3)?;
    let words = bits.read(11)? + 1;
    let rate = bits.read(2)?;
    let blocks = bits.read(2)?;
    let coding = bits.read(3)?;
    let low = u32::from(bits.flag()?);
    let identification = bits.read(5)?;
    if kind != 0 || substream != 0 || rate == 3 || blocks != 3 {
        return Some(Err("the sound is E-AC-3 with dependent streams or short frames"));
    }
    let kilobits = words * 2 * 8 * *SAMPLE_RATES.get(rate as usize)? / FRAME_SAMPLES / 1000;
    let mut body = BitWriter::default();
    for (value, count) in [
        (kilobits, 13),
        (0, 3), // one independent stream
        (rate, 2),
        (identification, 5),
        (0, 1),
        (0, 1), // no associated service
        (0, 3), // complete main
        (coding, 3),
        (low, 1),
        (0, 3),
        (0, 4), // no dependent streams
        (0, 1),
    ] {
        body.put(value, count);
    }
    Some(Ok(sound(SoundCodec::EAc3, rate, coding, low, body.finish())?))
}

fn sound(codec: SoundCodec, rate: u32, coding: u32, low: u32, configuration: Vec<u8>) -> Option<SoundParameters> {
    Some(SoundParameters {
        codec,
        name: if codec == SoundCodec::EAc3 { "ec-3" } else { "ac-3" }.to_owned(),
        sample_rate: *SAMPLE_RATES.get(rate as usize)?,
        channels: CHANNELS.get(coding as usize)? + low as u8,
        frame_samples: FRAME_SAMPLES,
        configuration,
    })
}

/// What a `dac3` or `dec3` box says.
pub(super) fn from_configuration(codec: SoundCodec, body: &[u8]) -> Result<SoundParameters, &'static str> {
    let mut bits = Bits::new(body);
    let read = match codec {
        SoundCodec::EAc3 => (|| {
            bits.skip(16)?;
            let rate = bits.read(2)?;
            bits.skip(10)?;
            Some((rate, bits.read(3)?, u32::from(bits.flag()?)))
        })(),
        _ => (|| {
            let rate = bits.read(2)?;
            bits.skip(8)?;
            Some((rate, bits.read(3)?, u32::from(bits.flag()?)))
        })(),
    };
    let (rate, coding, low) = read.ok_or("the configuration of the sound is cut short")?;
    sound(codec, rate, coding, low, body.to_vec()).ok_or("the configuration of the sound is malformed")
}
