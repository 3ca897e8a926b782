//! Reads the index of an MP4 file that is not fragmented (ISO/IEC 14496-12): tracks, and where each frame lies. Pure.

use crate::{
    codec::{self, PictureCodec, PictureParameters, SoundCodec, SoundParameters},
    facts::{Located, TICKS_PER_SECOND},
    ts::CLOCK_TURN,
};

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mp4Error {
    #[error("it is not an MP4 file: it has no moov box")]
    NoIndex,
    #[error("it is a fragmented MP4 file")]
    Fragmented,
    #[error("its {0} box is cut short or malformed")]
    Malformed(&'static str),
    #[error("its {0:?} track is not of a supported codec")]
    Codec(String),
    #[error("the parameters of its {0} cannot be read: {1}")]
    Parameters(&'static str, &'static str),
    #[error("it has more than one sample description in a track")]
    Descriptions,
    #[error("a track has {0} frames, more than {FRAMES_MAX}")]
    TooMany(usize),
    #[error("a frame lies beyond the end of the file")]
    Beyond,
}

/// Frames of a track: 24 hours at 60 a second stay below this.
const FRAMES_MAX: usize = 5_500_000;

/// Time zero of a file, on the clock that its frames are given on: one turn in, so that what is decoded before it is shown
/// is still a number; and ten seconds more, so that the same is true on the 33 bits of a transport stream.
pub(crate) const ZERO_TICKS: u64 = CLOCK_TURN + 10 * TICKS_PER_SECOND;

/// A track.
#[derive(Debug, PartialEq)]
pub(crate) struct Track {
    pub format: Format,
    /// ISO 639-2, unless undetermined.
    pub language: Option<String>,
    /// In the order of decoding.
    pub frames: Vec<Located>,
    /// When the last frame ends, in ticks on the clock of the frames.
    pub end_ticks: u64,
}

/// What a track carries.
#[derive(Debug, PartialEq)]
pub(crate) enum Format {
    Picture(PictureCodec, PictureParameters),
    Sound(SoundParameters),
}

/// The header of a box at the start of these bytes: kind, header length, whole length. `None` when it is cut short; the length
/// is that of the whole file (`None`) when the box says it runs to the end.
pub(crate) fn box_header(bytes: &[u8]) -> Option<([u8; 4], u64, Option<u64>)> {
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    let kind = *bytes.get(4..)?.first_chunk()?;
    Some(match size {
        0 => (kind, 8, None),
        1 => (kind, 16, Some(u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?))),
        size => (kind, 8, Some(u64::from(size))),
    })
}

/// The boxes at one level.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, header, size) = box_header(bytes)?;
        let size = usize::try_from(size.unwrap_or(bytes.len() as u64)).ok()?;
        let body = bytes.get(header as usize..size)?;
        bytes = &bytes[size..];
        Some((kind, body))
    })
}

fn child<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| boxes(bytes).find(|(found, _)| found == *kind).map(|(_, body)| body))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads the tracks of picture and sound from the body of a `moov` box.
pub(crate) fn tracks(moov: &[u8], file_bytes: u64) -> Result<Vec<Track>, Mp4Error> {
    if child(moov, &[b"mvex"]).is_some() {
        return Err(Mp4Error::Fragmented);
    }
    let movie_scale = child(moov, &[b"mvhd"]).and_then(timescale).ok_or(Mp4Error::Malformed("mvhd"))?;
    let mut tracks = Vec::new();
    for (_, body) in boxes(moov).filter(|(kind, _)| kind == b"trak") {
        let handler = child(body, &[b"mdia", b"hdlr"]).and_then(|body| body.get(8..12));
        if matches!(handler, Some(b"vide" | b"soun")) {
            let track = track(body, movie_scale)?;
            if track.frames.iter().any(|frame| frame.offset.saturating_add(u64::from(frame.bytes)) > file_bytes) {
                return Err(Mp4Error::Beyond);
            }
            tracks.push(track);
        }
    }
    Ok(tracks)
}

/// Units in a second, of `mvhd` and `mdhd`.
fn timescale(body: &[u8]) -> Option<u64> {
    let scale = if *body.first()? == 1 { u32_at(body, 20)? } else { u32_at(body, 12)? };
    (scale > 0).then_some(u64::from(scale))
}

fn track(body: &[u8], movie_scale: u64) -> Result<Track, Mp4Error> {
    let header = child(body, &[b"mdia", b"mdhd"]).ok_or(Mp4Error::Malformed("mdhd"))?;
    let scale = timescale(header).ok_or(Mp4Error::Malformed("mdhd"))?;
    let table = child(body, &[b"mdia", b"minf", b"stbl"]).ok_or(Mp4Error::Malformed("stbl"))?;
    let format = format(child(table, &[b"stsd"]).ok_or(Mp4Error::Malformed("stsd"))?)?;
    let (delay, skipped) = match child(body, &[b"edts", b"elst"]) {
        Some(list) => edits(list).ok_or(Mp4Error::Malformed("elst"))?,
        None => (0, 0),
    };
    // No honest delay comes near a turn of the clock.
    let delay_ticks = (delay.saturating_mul(TICKS_PER_SECOND) / movie_scale).min(CLOCK_TURN);
    let clock = Clock { scale, delay_ticks, skipped };
    let (frames, end_ticks) = frames(table, &clock)?;
    Ok(Track { format, language: language(header), frames, end_ticks })
}

/// The packed language of `mdhd`: three letters of five bits.
fn language(header: &[u8]) -> Option<String> {
    let at = if *header.first()? == 1 { 32 } else { 20 };
    let packed = u16::from_be_bytes([*header.get(at)?, *header.get(at + 1)?]);
    let letters: String = [10, 5, 0].map(|shift| char::from(0x60 + (packed >> shift & 0x1f) as u8)).iter().collect();
    (letters != "und" && letters.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(letters)
}

/// How a track's time lies in the file's.
struct Clock {
    /// Units of the track in a second.
    scale: u64,
    /// The track begins this much after the file.
    delay_ticks: u64,
    /// The track's own time at which it begins.
    skipped: i64,
}

impl Clock {
    fn ticks(&self, time: i64) -> u64 {
        let ticks = i128::from(time - self.skipped) * i128::from(TICKS_PER_SECOND);
        let scale = i128::from(self.scale);
        let rounded = (ticks + scale / 2).div_euclid(scale);
        u64::try_from(i128::from(ZERO_TICKS + self.delay_ticks) + rounded).unwrap_or(0)
    }
}

/// The empty time at the start, in the movie's units, and the media time of the first edit that is not empty.
fn edits(list: &[u8]) -> Option<(u64, i64)> {
    let long = *list.first()? == 1;
    let count = u32_at(list, 4)?;
    let mut delay = 0_u64;
    for entry in 0..count as usize {
        let (duration, time) = if long {
            let at = 8 + entry.checked_mul(20)?;
            (u64_at(list, at)?, u64_at(list, at + 8)? as i64)
        } else {
            let at = 8 + entry.checked_mul(12)?;
            (u64::from(u32_at(list, at)?), i64::from(u32_at(list, at + 4)? as i32))
        };
        if time >= 0 {
            return Some((delay, time));
        }
        delay = delay.checked_add(duration)?;
    }
    Some((delay, 0))
}

/// The one sample description.
fn format(description: &[u8]) -> Result<Format, Mp4Error> {
    let malformed = Mp4Error::Malformed("stsd");
    if u32_at(description, 4).ok_or(malformed.clone())? != 1 {
        return Err(Mp4Error::Descriptions);
    }
    let (kind, entry) = boxes(description.get(8..).unwrap_or_default()).next().ok_or(malformed)?;
    // After the fields that every entry of its kind has.
    let inner = |fields: usize, kind: &[u8; 4]| child(entry.get(fields..).unwrap_or_default(), &[kind]);
    let picture = |codec, kind| {
        let record = inner(78, kind).ok_or(Mp4Error::Malformed("stsd"))?;
        codec::picture_configuration(codec, record)
            .map(|parameters| Format::Picture(codec, parameters))
            .map_err(|reason| Mp4Error::Parameters("picture", reason))
    };
    let sound = |codec, body: Option<&[u8]>| {
        codec::sound_configuration(codec, body.ok_or(Mp4Error::Malformed("stsd"))?)
            .map(Format::Sound)
            .map_err(|reason| Mp4Error::Parameters("sound", reason))
    };
    match &kind {
        b"avc1" | b"avc3" => picture(PictureCodec::H264, b"avcC"),
        b"hvc1" | b"hev1" => picture(PictureCodec::H265, b"hvcC"),
        b"mp4a" => sound(SoundCodec::Aac, inner(28, b"esds").and_then(audio_specific_configuration)),
        b"ac-3" => sound(SoundCodec::Ac3, inner(28, b"dac3")),
        b"ec-3" => sound(SoundCodec::EAc3, inner(28, b"dec3")),
        other => Err(Mp4Error::Codec(String::from_utf8_lossy(other).into_owned())),
    }
}

/// The AudioSpecificConfig within an `esds` box (ISO/IEC 14496-1, 7.2.6).
fn audio_specific_configuration(body: &[u8]) -> Option<&[u8]> {
    let (tag, stream) = descriptor(body.get(4..)?)?;
    let flags = *stream.get(2)?;
    if tag != 3 || flags & 0xe0 != 0 {
        return None;
    }
    let (tag, decoder) = descriptor(stream.get(3..)?)?;
    // 0x40: MPEG-4 audio.
    if tag != 4 || *decoder.first()? != 0x40 {
        return None;
    }
    let (tag, specific) = descriptor(decoder.get(13..)?)?;
    (tag == 5).then_some(specific)
}

/// A descriptor: its tag and its body. The length has seven bits a byte.
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let tag = *bytes.first()?;
    let mut length = 0_usize;
    for at in 1..5 {
        let byte = *bytes.get(at)?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((tag, bytes.get(at + 1..at + 1 + length)?));
        }
    }
    None
}

/// The frames of a track, and when the last ends.
fn frames(table: &[u8], clock: &Clock) -> Result<(Vec<Located>, u64), Mp4Error> {
    let sizes = sizes(table)?;
    let offsets = offsets(table, &sizes)?;
    let compositions = compositions(table, sizes.len())?;
    let keys = keys(table)?;
    let durations = child(table, &[b"stts"]).ok_or(Mp4Error::Malformed("stts"))?;
    let mut durations = runs(durations).ok_or(Mp4Error::Malformed("stts"))?;
    let mut frames = Vec::with_capacity(sizes.len());
    let (mut time, mut end) = (0_i64, 0_i64);
    let mut keys = keys.map(|keys| keys.into_iter().peekable());
    for (index, (&bytes, &offset)) in sizes.iter().zip(&offsets).enumerate() {
        let duration = durations.next().ok_or(Mp4Error::Malformed("stts"))?;
        let shown = time + i64::from(compositions.get(index).copied().unwrap_or(0));
        let key = keys.as_mut().is_none_or(|keys| keys.next_if_eq(&(index as u32 + 1)).is_some());
        frames.push(Located { offset, bytes, dts: clock.ticks(time), pts: clock.ticks(shown), key });
        time += i64::from(duration);
        end = end.max(shown + i64::from(duration));
    }
    Ok((frames, clock.ticks(end)))
}

/// A table of runs: count and value, one after another.
fn runs(body: &[u8]) -> Option<impl Iterator<Item = u32> + '_> {
    let count = u32_at(body, 4)? as usize;
    let entries = body.get(8..8_usize.checked_add(count.checked_mul(8)?)?)?;
    Some(entries.chunks_exact(8).flat_map(|entry| {
        let number = |at: usize| u32::from_be_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        std::iter::repeat_n(number(4), number(0) as usize)
    }))
}

fn sizes(table: &[u8]) -> Result<Vec<u32>, Mp4Error> {
    let malformed = || Mp4Error::Malformed("stsz");
    let body = child(table, &[b"stsz"]).ok_or_else(malformed)?;
    let (same, count) = (u32_at(body, 4).ok_or_else(malformed)?, u32_at(body, 8).ok_or_else(malformed)? as usize);
    if count > FRAMES_MAX {
        return Err(Mp4Error::TooMany(count));
    }
    if same != 0 {
        return Ok(vec![same; count]);
    }
    let sizes = body.get(12..12 + count * 4).ok_or_else(malformed)?;
    Ok(sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]])).collect())
}

/// Where each frame begins: chunks lie anywhere, the frames of one lie one after another.
fn offsets(table: &[u8], sizes: &[u32]) -> Result<Vec<u64>, Mp4Error> {
    let (width, chunks) = match (child(table, &[b"stco"]), child(table, &[b"co64"])) {
        (Some(body), _) => (4, body),
        (None, Some(body)) => (8, body),
        (None, None) => return Err(Mp4Error::Malformed("stco")),
    };
    let malformed = || Mp4Error::Malformed("stco");
    let count = u32_at(chunks, 4).ok_or_else(malformed)? as usize;
    let chunks = count.checked_mul(width).and_then(|bytes| chunks.get(8..8 + bytes)).ok_or_else(malformed)?;
    let runs = child(table, &[b"stsc"]).ok_or(Mp4Error::Malformed("stsc"))?;
    let run = |index: usize| Some((u32_at(runs, 8 + index * 12)? as usize, u32_at(runs, 12 + index * 12)?));
    let run_count = u32_at(runs, 4).ok_or(Mp4Error::Malformed("stsc"))? as usize;
    let mut offsets = Vec::with_capacity(sizes.len());
    let mut remaining = sizes;
    let mut current = 0;
    for (index, chunk) in chunks.chunks_exact(width).enumerate() {
        // The last run that begins at this chunk or before it.
        while current + 1 < run_count && run(current + 1).is_some_and(|(first, _)| first <= index + 1) {
            current += 1;
        }
        let (_, frames) = run(current).ok_or(Mp4Error::Malformed("stsc"))?;
        let mut offset = chunk.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let here = remaining.len().min(frames as usize);
        for size in &remaining[..here] {
            offsets.push(offset);
            offset = offset.checked_add(u64::from(*size)).ok_or_else(malformed)?;
        }
        remaining = &remaining[here..];
    }
    if remaining.is_empty() { Ok(offsets) } else { Err(malformed()) }
}

/// From decoding to presentation; empty when all are zero.
fn compositions(table: &[u8], frames: usize) -> Result<Vec<i32>, Mp4Error> {
    let Some(body) = child(table, &[b"ctts"]) else { return Ok(Vec::new()) };
    // Both versions: an offset of version 0 that does not fit is one that writers mean as negative.
    let runs = runs(body).ok_or(Mp4Error::Malformed("ctts"))?;
    Ok(runs.take(frames).map(|offset| offset as i32).collect())
}

/// The frames, from 1, that decoding can begin at; `None` when it can at all.
fn keys(table: &[u8]) -> Result<Option<Vec<u32>>, Mp4Error> {
    let Some(body) = child(table, &[b"stss"]) else { return Ok(None) };
    let malformed = || Mp4Error::Malformed("stss");
    let count = u32_at(body, 4).ok_or_else(malformed)? as usize;
    let keys = count.checked_mul(4).and_then(|bytes| body.get(8..8 + bytes)).ok_or_else(malformed)?;
    Ok(Some(keys.chunks_exact(4).map(|key| u32::from_be_bytes([key[0], key[1], key[2], key[3]])).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
    }

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_be_bytes()).collect()
    }

    #[test]
    fn frames_are_placed_by_chunks_edits_and_offsets() {
        let table = [
            boxed(b"stts", &words(&[0, 1, 4, 100])),
            boxed(b"ctts", &words(&[0, 2, 1, 200, 3, 100])),
            boxed(b"stsz", &words(&[0, 0, 4, 10, 20, 30, 40])),
            boxed(b"stsc", &words(&[0, 2, 1, 1, 1, 2, 3, 1])),
            boxed(b"stco", &words(&[0, 2, 1000, 2000])),
            boxed(b"stss", &words(&[0, 2, 1, 3])),
        ]
        .concat();
        let clock = Clock { scale: 1000, delay_ticks: 9, skipped: 200 };
        let (frames, end) = frames(&table, &clock).unwrap_or_default();
        let zero = ZERO_TICKS + 9;
        let expected = [
            (1000, 10, zero - 18_000, zero, true),
            (2000, 20, zero - 9000, zero, false),
            (2020, 30, zero, zero + 9000, true),
            (2050, 40, zero + 9000, zero + 18_000, false),
        ];
        assert_eq!(frames, expected.map(Located::from));
        assert_eq!(end, zero + 27_000);
    }

    #[test]
    fn edits_say_where_a_track_begins() {
        assert_eq!(edits(&words(&[0, 2, 500, u32::MAX, 0x1_0000, 3000, 1024, 0x1_0000])), Some((500, 1024)));
        assert_eq!(edits(&words(&[0, 1, 3000, 0, 0x1_0000])), Some((0, 0)));
        assert_eq!(edits(&words(&[0, 9, 1])), None);
    }

    #[test]
    fn the_configuration_of_aac_is_found_in_its_descriptors() {
        let body = [0, 0, 0, 0, 3, 0x80, 0x80, 0x80, 0x22, 0, 1, 0, 4, 0x80, 0x80, 0x80, 0x14, 0x40, 0x15];
        let mut body = body.to_vec();
        body.resize(body.len() + 11, 0);
        body.extend([5, 0x80, 0x80, 0x80, 2, 0x11, 0x90, 6, 0x80, 0x80, 0x80, 1, 2]);
        assert_eq!(audio_specific_configuration(&body), Some(&[0x11, 0x90][..]));
    }

    proptest! {
        #[test]
        fn hostile_indexes_never_panic(values in proptest::collection::vec(0_u32..2000, 0..24), kind in 0..6_usize) {
            let kinds = [b"stts", b"ctts", b"stsz", b"stsc", b"stco", b"stss"];
            let table: Vec<u8> = kinds.iter().enumerate().flat_map(|(index, name)| {
                let body = if index == kind { words(&values) } else { words(&[0, 1, 1, 1, 1]) };
                boxed(name, &body)
            }).collect();
            let clock = Clock { scale: 1000, delay_ticks: 0, skipped: 0 };
            let _ = frames(&table, &clock);
            let _ = edits(&words(&values));
            let _ = tracks(&boxed(b"trak", &words(&values)), 1);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = tracks(&bytes, 1);
            let _ = format(&bytes);
            let _ = audio_specific_configuration(&bytes);
        }
    }
}
