//! What a segment looks like from its first bytes on.

/// An MPEG transport stream is packets of this many bytes, each of which begins with this one.
/// Source: ISO/IEC 13818-1, 2.4.3.2.
const TS_PACKET_BYTES: usize = 188;
const TS_SYNC_BYTE: u8 = 0x47;
/// Boxes that a fragment may begin with. Source: ISO/IEC 14496-12, 8.16, and ISO/IEC 23009-1 (`emsg`, `prft`).
const FRAGMENT_BOXES: &[&[u8]] = &[b"styp", b"sidx", b"moof", b"emsg", b"prft"];

/// What a segment should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MPEG transport stream.
    Stream,
    /// The beginning that all fragments of a track share.
    Initialization,
    /// A fragment of an MP4.
    Fragment,
}

impl Kind {
    /// What to say of something else.
    #[must_use]
    pub const fn contradiction(self) -> &'static str {
        match self {
            Self::Stream => "it is no MPEG transport stream",
            Self::Initialization => "it is no initialisation of an MP4",
            Self::Fragment => "it is no fragment of an MP4",
        }
    }
}

/// Whether these bytes are of this kind.
#[must_use]
pub fn is(bytes: &[u8], kind: Kind) -> bool {
    // A box is its size in four bytes and its name in four.
    let first_box = bytes.get(4..8).unwrap_or_default();
    match kind {
        Kind::Stream => is_transport_stream(bytes),
        Kind::Initialization => first_box == b"ftyp",
        Kind::Fragment => FRAGMENT_BOXES.contains(&first_box),
    }
}

fn is_transport_stream(bytes: &[u8]) -> bool {
    let begins_a_packet = |offset: usize| bytes.get(offset).is_none_or(|byte| *byte == TS_SYNC_BYTE);
    bytes.len() >= TS_PACKET_BYTES && begins_a_packet(0) && begins_a_packet(TS_PACKET_BYTES)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// So many packets of a transport stream.
    pub(crate) fn stream(packets: usize) -> Vec<u8> {
        let mut packet = [0; TS_PACKET_BYTES];
        packet[0] = TS_SYNC_BYTE;
        packet.repeat(packets)
    }

    /// The first box of an initialisation segment.
    pub(crate) fn initialization() -> Vec<u8> {
        b"\0\0\0\x0cftypcmfc".to_vec()
    }

    /// The first box of a fragment.
    pub(crate) fn fragment() -> Vec<u8> {
        b"\0\0\0\x0cstypmsdh".to_vec()
    }

    #[test]
    fn segments_are_told_apart() {
        let check = |bytes: &[u8], expected: &[Kind]| {
            let kinds = [Kind::Stream, Kind::Initialization, Kind::Fragment].into_iter();
            assert_eq!(kinds.filter(|kind| is(bytes, *kind)).collect::<Vec<_>>(), expected, "{bytes:?}");
        };
        check(&stream(1), &[Kind::Stream]);
        check(&stream(3), &[Kind::Stream]);
        check(&stream(1)[1..], &[]);
        check(&[TS_SYNC_BYTE; 10], &[]);
        check(&initialization(), &[Kind::Initialization]);
        check(&fragment(), &[Kind::Fragment]);
        check(b"\0\0\0\x08moof", &[Kind::Fragment]);
        check(b"<html>", &[]);
        check(b"", &[]);
    }
}
