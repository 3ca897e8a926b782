//! The few facts that are read out of MP4 boxes. Source: ISO/IEC 14496-12.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::PublishError;

/// Boxes that are read whole are small; a `moov` of hours stays far below.
const BOX_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a segment index says of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentIndex {
    /// Ticks per second.
    pub(super) timescale: u32,
    /// When the segment begins, in ticks.
    pub(super) start: u64,
    /// How long it is, in ticks.
    pub(super) duration: u64,
}

/// Reads the `sidx` of a fragmented segment.
pub(super) fn segment_index(scratch: &Path, file: &str) -> Result<SegmentIndex, PublishError> {
    let body = top_level_box(scratch, file, *b"sidx")?;
    parse_sidx(&body).ok_or_else(|| PublishError::Unexpected { file: file.into(), what: "its segment index is broken" })
}

/// A fragment's bytes up to the end of its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FragmentStart {
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Finds the beginning of a segment's only fragment, which holds one track.
pub(super) fn fragment_start(scratch: &Path, file: &str) -> Result<FragmentStart, PublishError> {
    let (offset, body) = find_box(scratch, file, *b"moof")?;
    let broken = || PublishError::Unexpected { file: file.into(), what: "its fragment is broken" };
    Ok(FragmentStart { offset, bytes: first_frame_end(&body).ok_or_else(broken)? })
}

/// Where the first frame ends, in bytes from the beginning of the fragment whose box has this body.
fn first_frame_end(moof: &[u8]) -> Option<u64> {
    const DATA_OFFSET: u32 = 0x1;
    const FIRST_FLAGS: u32 = 0x4;
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    let (_, traf) = children(moof).find(|(kind, _)| kind == b"traf")?;
    let (_, trun) = children(traf).find(|(kind, _)| kind == b"trun")?;
    let mut reader = Reader(trun);
    let flags = reader.u32()?;
    let count = reader.u32()?;
    // Without them the data need not be where the fragment is, and frames would all be of one size.
    if count == 0 || flags & DATA_OFFSET == 0 || flags & SIZE == 0 {
        return None;
    }
    let data_offset = reader.u32()?;
    for flag in [FIRST_FLAGS, DURATION] {
        if flags & flag != 0 {
            reader.u32()?;
        }
    }
    Some(u64::from(data_offset) + u64::from(reader.u32()?))
}

/// The length of an MP4 file, in seconds.
pub(super) fn movie_seconds(scratch: &Path, file: &str) -> Result<f64, PublishError> {
    let moov = top_level_box(scratch, file, *b"moov")?;
    let broken = || PublishError::Unexpected { file: file.into(), what: "it has no movie header" };
    let mvhd = children(&moov).find(|(kind, _)| kind == b"mvhd").map(|(_, body)| body).ok_or_else(broken)?;
    parse_mvhd(mvhd).ok_or_else(broken)
}

fn parse_sidx(body: &[u8]) -> Option<SegmentIndex> {
    let mut reader = Reader(body);
    let version = reader.u32()? >> 24;
    reader.u32()?;
    let timescale = reader.u32()?;
    let start = if version == 0 { u64::from(reader.u32()?) } else { reader.u64()? };
    if version == 0 {
        reader.u32().map(u64::from)?
    } else {
        reader.u64()?
    };
    let count = reader.u32()? & 0xffff;
    let mut duration = 0;
    for _ in 0..count {
        reader.u32()?;
        duration += u64::from(reader.u32()?);
        reader.u32()?;
    }
    (timescale > 0).then_some(SegmentIndex { timescale, start, duration })
}

fn parse_mvhd(body: &[u8]) -> Option<f64> {
    let mut reader = Reader(body);
    let version = reader.u32()? >> 24;
    let (timescale, duration) = if version == 0 {
        reader.u64()?;
        (reader.u32()?, u64::from(reader.u32()?))
    } else {
        reader.u64()?;
        reader.u64()?;
        (reader.u32()?, reader.u64()?)
    };
    #[expect(clippy::cast_precision_loss, reason = "a length of media")]
    let seconds = duration as f64 / f64::from(timescale);
    (timescale > 0).then_some(seconds)
}

fn top_level_box(scratch: &Path, file: &str, wanted: [u8; 4]) -> Result<Vec<u8>, PublishError> {
    find_box(scratch, file, wanted).map(|(_, body)| body)
}

/// A box's offset in its file, and its body.
fn find_box(scratch: &Path, file: &str, wanted: [u8; 4]) -> Result<(u64, Vec<u8>), PublishError> {
    let failed = PublishError::scratch;
    let mut handle = File::open(scratch.join(file)).map_err(failed(file))?;
    let mut header = [0; 8];
    let mut offset = 0;
    loop {
        if handle.read_exact(&mut header).is_err() {
            return Err(PublishError::Unexpected { file: file.into(), what: "an expected box is missing" });
        }
        let [a, b, c, d, kind @ ..] = header;
        let mut size = u64::from(u32::from_be_bytes([a, b, c, d]));
        let mut header_bytes = 8;
        if size == 1 {
            let mut large = [0; 8];
            handle.read_exact(&mut large).map_err(failed(file))?;
            (size, header_bytes) = (u64::from_be_bytes(large), 16);
        }
        let body = size.saturating_sub(header_bytes);
        if kind == wanted {
            let mut bytes = Vec::new();
            handle.take(body.min(BOX_BYTES_MAX)).read_to_end(&mut bytes).map_err(failed(file))?;
            return Ok((offset, bytes));
        }
        offset += header_bytes + body;
        let body = i64::try_from(body).unwrap_or(i64::MAX);
        handle.seek(SeekFrom::Current(body)).map_err(failed(file))?;
    }
}

/// The boxes directly inside a container box.
fn children(mut body: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (&[a, b, c, d, k0, k1, k2, k3], _) = body.split_first_chunk::<8>()?;
        let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let child = body.get(8..size)?;
        body = &body[size..];
        Some(([k0, k1, k2, k3], child))
    })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from(self.u32()?) << 32 | u64::from(self.u32()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_segment_index_is_read() {
        let body = [
            0x01, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x3c, 0, 0, 0, 0, 0, 0, 0, 0xb4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
            2, 0x11, 0xee, 0, 0, 0xb4, 0, 0x80, 0, 0, 0,
        ];
        assert_eq!(parse_sidx(&body), Some(SegmentIndex { timescale: 15360, start: 46080, duration: 46080 }));
    }

    #[test]
    fn a_fragments_first_frame_is_found() {
        let boxed = |kind: &[u8; 4], body: &[u8]| {
            let size = u32::try_from(body.len() + 8).unwrap_or_default();
            [&size.to_be_bytes(), kind.as_slice(), body].concat()
        };
        let run = |flags: u32, fields: &[u32]| {
            let words = [&[flags, 2], fields].concat();
            let trun = boxed(b"trun", &words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>());
            [boxed(b"mfhd", &[0; 8]), boxed(b"traf", &[boxed(b"tfhd", &[0; 8]), trun].concat())].concat()
        };
        // The data's offset; the first frame's flags; each frame's length in time and in bytes.
        assert_eq!(first_frame_end(&run(0x305, &[100, 0, 512, 4000, 512, 300])), Some(4100));
        assert_eq!(first_frame_end(&run(0x201, &[100, 4000, 300])), Some(4100));
        assert_eq!(first_frame_end(&run(0x101, &[100, 512, 512])), None);
        assert_eq!(first_frame_end(&run(0x200, &[4000, 300])), None);
        assert_eq!(first_frame_end(&run(0x201, &[100])), None);
    }

    proptest! {
        #[test]
        fn broken_boxes_are_no_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_sidx(&body);
            let _ = parse_mvhd(&body);
            let _ = first_frame_end(&body);
            let _ = children(&body).count();
        }
    }
}
