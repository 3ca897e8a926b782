//! Where the key frames of an output lie in its segments, for playlists of nothing else (`EXT-X-I-FRAMES-ONLY`).
//! Sources: RFC 8216, section 4.3.3.6; ISO/IEC 13818-1 for transport streams; ISO/IEC 14496-12 for fragments.

use super::{
    Context, PublishError,
    boxes::{self, FragmentStart},
    segments::Segment,
    track::Track,
};

/// Bytes of a packet of a transport stream.
const PACKET_BYTES: usize = 188;
/// Begins a packet.
const SYNC: u8 = 0x47;
/// Ticks per second of a transport stream's clock, which counts to 2^33 and begins again.
const TICKS_PER_SECOND: f64 = 90_000.0;
const CLOCK_MASK: u64 = (1 << 33) - 1;

/// Some bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The segment's place in its track.
    pub(super) segment: usize,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// One key frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KeyFrame {
    pub(super) range: Range,
    /// Until the next one, or the end.
    pub(super) seconds: f64,
}

/// The key frames of a track.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeyFrames {
    /// What a player must have read before any of them, where that is no initialisation segment: a transport stream's tables.
    pub(super) tables: Option<Range>,
    pub(super) frames: Vec<KeyFrame>,
}

impl KeyFrames {
    /// Those of fragments: the first frame of each, which is all that can be had without the bytes between.
    /// To be read before the segments are laid out.
    pub(super) fn of_fragments(context: &Context<'_>, track: &Track<'_>) -> Result<Self, PublishError> {
        let frame = |(index, segment): (usize, &Segment)| {
            let FragmentStart { offset, bytes } = boxes::fragment_start(context.scratch, &segment.file)?;
            Ok(KeyFrame { range: Range { segment: index, offset, bytes }, seconds: segment.seconds })
        };
        let frames = track.segments.iter().enumerate().map(frame).collect::<Result<_, PublishError>>()?;
        Ok(Self { tables: None, frames })
    }

    /// Those of a transport stream. To be read before the segments are laid out.
    pub(super) fn of_transport_stream(context: &Context<'_>, track: &Track<'_>) -> Result<Self, PublishError> {
        let mut found = Vec::new();
        let mut tables = None;
        for (index, segment) in track.segments.iter().enumerate() {
            let bytes =
                std::fs::read(context.scratch.join(&segment.file)).map_err(PublishError::scratch(&segment.file))?;
            let pictures = pictures(&bytes);
            if let (0, Some(first)) = (index, pictures.first()) {
                tables = Some(Range { segment: 0, offset: 0, bytes: first.offset });
            }
            let ends = pictures.iter().skip(1).map(|next| next.offset).chain([bytes.len() as u64]);
            for (picture, end) in pictures.iter().zip(ends).filter(|(picture, _)| picture.key) {
                let range = Range { segment: index, offset: picture.offset, bytes: end - picture.offset };
                found.push((range, picture.ticks));
            }
        }
        let Some(&(_, first)) = found.first() else {
            let file = track.planned.directory.clone();
            return Err(PublishError::Unexpected { file, what: "it has no key frame" });
        };
        #[expect(clippy::cast_precision_loss, reason = "at most 33 bits")]
        let seconds = |ticks: u64| (ticks.wrapping_sub(first) & CLOCK_MASK) as f64 / TICKS_PER_SECOND;
        let ends = found.iter().skip(1).map(|(_, ticks)| seconds(*ticks)).chain([track.seconds()]);
        let frames = found.iter().zip(ends);
        let frames =
            frames.map(|((range, ticks), end)| KeyFrame { range: *range, seconds: (end - seconds(*ticks)).max(0.0) });
        Ok(Self { tables, frames: frames.collect() })
    }
}

/// The beginning of a picture in a transport stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PictureStart {
    offset: u64,
    key: bool,
    /// When it is shown.
    ticks: u64,
}

/// Each picture's first packet, in order. ffmpeg begins a packet of the elementary stream with each picture and marks those
/// that can be decoded alone as points of random access.
fn pictures(bytes: &[u8]) -> Vec<PictureStart> {
    let packets = bytes.chunks_exact(PACKET_BYTES).enumerate();
    packets.filter_map(|(number, packet)| picture((number * PACKET_BYTES) as u64, packet)).collect()
}

fn picture(offset: u64, packet: &[u8]) -> Option<PictureStart> {
    const ADAPTATION_FIELD: u8 = 0x20;
    const RANDOM_ACCESS: u8 = 0x40;
    let [SYNC, flags, _, control, rest @ ..] = packet else { return None };
    if flags & 0x40 == 0 {
        return None;
    }
    let (key, payload) = if control & ADAPTATION_FIELD == 0 {
        (false, rest)
    } else {
        let length = usize::from(*rest.first()?);
        (length > 0 && rest.get(1)? & RANDOM_ACCESS != 0, rest.get(1 + length..)?)
    };
    // A start code, and the number of a stream of pictures.
    let [0, 0, 1, 0xe0..=0xef, _, _, _, has, _, a, b, c, d, e, ..] = payload else { return None };
    if has & 0x80 == 0 {
        return None;
    }
    let bits = |byte: &u8, mask: u8, shift: u32| u64::from(byte & mask) << shift;
    let ticks = bits(a, 0x0e, 29) | bits(b, 0xff, 22) | bits(c, 0xfe, 14) | bits(d, 0xff, 7) | bits(e, 0xfe, 0) >> 1;
    Some(PictureStart { offset, key, ticks })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(key: bool) -> Vec<u8> {
        let mut packet = vec![SYNC, 0x41, 0, 0x30, 1, if key { 0x50 } else { 0x10 }];
        // 900,000 ticks: ten seconds.
        packet.extend([0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0x00, 0x37, 0x77, 0x41]);
        packet.resize(PACKET_BYTES, 0xff);
        packet
    }

    #[test]
    fn pictures_are_found_by_their_first_packets() {
        let table = [[SYNC, 0x40, 0, 0x10].as_slice(), &[0; 184]].concat();
        let middle = [[SYNC, 0x01, 0, 0x10].as_slice(), &[0; 184]].concat();
        let bytes = [table, packet(true), middle, packet(false)].concat();
        let found = pictures(&bytes);
        let expected = [(188, true), (564, false)].map(|(offset, key)| PictureStart { offset, key, ticks: 900_000 });
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn broken_packets_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = pictures(&bytes);
        }
    }
}
