//! The names of picture codecs in `CODECS`, read from what the encoder wrote.
//!
//! Sources: RFC 6381 and ISO/IEC 14496-15 annex E (H.264, H.265), the VP9 and AV1 bindings to ISO BMFF
//! (<https://www.webmproject.org/vp9/mp4/>, <https://aomediacodec.github.io/av1-isobmff/#codecsparam>).

use std::{fmt::Write, io::Read, path::Path};

use crate::job::CodecSpecification;

use super::PublishError;

/// The first parameter sets lie within the first bytes of a stream, after a few hundred bytes of headers at most.
const HEAD_BYTES: u64 = 64 * 1024;

/// A picture codec with what names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PictureCodec {
    /// Profile, constraints and level.
    H264([u8; 3]),
    /// The twelve bytes of the general profile, tier and level, and the sample entry's name.
    H265([u8; 12], &'static str),
    /// Profile, level, bits, chroma subsampling, range, and colour's primaries, transfer and matrix.
    Vp9([u8; 6]),
    /// The second and third byte of the configuration.
    Av1([u8; 2]),
}

impl PictureCodec {
    /// Of the stream in a TS segment.
    pub(super) fn of_transport_stream(scratch: &Path, file: &str) -> Result<Self, PublishError> {
        // The muxer puts the parameter sets into the first packets of the stream. An H.264 set is never torn apart by packet
        // headers, and the part of an H.265 set that counts is its first bytes.
        let head = head(scratch, file)?;
        find_h264(&head, &[0, 0, 1, 0x67])
            .or_else(|| find_h264(&head, &[0, 0, 1, 0x27]))
            .or_else(|| h265_of_annex_b(&head))
            .ok_or_else(|| missing(file))
    }

    /// Of the track in an MP4 initialisation segment or file.
    pub(super) fn of_mp4(scratch: &Path, file: &str) -> Result<Self, PublishError> {
        let head = head(scratch, file)?;
        let after = |mark: &[u8]| at(&head, mark);
        find_h264(&head, b"avcC\x01")
            .or_else(|| {
                let entry = if after(b"hev1").is_some() { "hev1" } else { "hvc1" };
                Some(Self::H265(after(b"hvcC\x01")?.first_chunk::<12>().copied()?, entry))
            })
            .or_else(|| Some(Self::Vp9(after(b"vpcC\x01\0\0\0")?.first_chunk::<6>().copied()?)))
            .or_else(|| Some(Self::Av1(after(b"av1C\x81")?.first_chunk::<2>().copied()?)))
            .ok_or_else(|| missing(file))
    }

    /// Such as `avc1.4d401e`, or `avc1.77.30` in the older form, which H.264 alone has.
    pub(super) fn name(&self, specification: CodecSpecification) -> String {
        match (self, specification) {
            (Self::H264([profile, _, level]), CodecSpecification::Rfc4281) => format!("avc1.{profile}.{level}"),
            (Self::H264([profile, constraints, level]), CodecSpecification::Rfc6381) => {
                format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
            }
            (Self::H265(bytes, entry), _) => h265(bytes, entry),
            (Self::Vp9([profile, level, packed, primaries, transfer, matrix]), _) => {
                let (depth, chroma, range) = (packed >> 4, packed >> 1 & 7, packed & 1);
                format!(
                    "vp09.{profile:02}.{level:02}.{depth:02}.{chroma:02}.{primaries:02}.{transfer:02}.{matrix:02}.{range:02}"
                )
            }
            (Self::Av1([first, second]), _) => {
                let tier = if second & 0x80 == 0 { 'M' } else { 'H' };
                let depth = match (second & 0x40 != 0, second & 0x20 != 0) {
                    (false, _) => 8,
                    (true, false) => 10,
                    (true, true) => 12,
                };
                format!("av01.{}.{:02}{tier}.{depth:02}", first >> 5, first & 0x1f)
            }
        }
    }
}

fn h265([general, compatibility @ .., level]: &[u8; 12], entry: &str) -> String {
    let space = ["", "A", "B", "C"][usize::from(general >> 6)];
    let tier = if general & 0x20 == 0 { 'L' } else { 'H' };
    let [a, b, c, d, constraints @ ..] = compatibility;
    let flags = u32::from_be_bytes([*a, *b, *c, *d]).reverse_bits();
    let mut name = format!("{entry}.{space}{}.{flags:X}.{tier}{level}", general & 0x1f);
    let last = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..last] {
        // Writing to a string cannot fail.
        let _ = write!(name, ".{byte:X}");
    }
    name
}

fn find_h264(head: &[u8], mark: &[u8]) -> Option<PictureCodec> {
    at(head, mark)?.first_chunk::<3>().copied().map(PictureCodec::H264)
}

/// The sequence parameter set of H.265: two bytes of header, one of ids, then the profile, with emulation prevention.
fn h265_of_annex_b(head: &[u8]) -> Option<PictureCodec> {
    let body = at(head, &[0, 0, 1, 0x42, 0x01])?;
    let mut plain = Vec::new();
    for byte in body.iter().take(24) {
        if *byte == 3 && plain.ends_with(&[0, 0]) {
            continue;
        }
        plain.push(*byte);
    }
    plain.get(1..13)?.first_chunk::<12>().copied().map(|bytes| PictureCodec::H265(bytes, "hvc1"))
}

/// What follows the first `mark`.
fn at<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let found = bytes.windows(mark.len()).position(|window| window == mark)?;
    bytes.get(found + mark.len()..)
}

fn head(scratch: &Path, file: &str) -> Result<Vec<u8>, PublishError> {
    let mut head = Vec::new();
    std::fs::File::open(scratch.join(file))
        .and_then(|handle| handle.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(PublishError::scratch(file))?;
    Ok(head)
}

fn missing(file: &str) -> PublishError {
    PublishError::Unexpected { file: file.into(), what: "it has no parameter set of a known codec" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |codec: PictureCodec, name: &str| assert_eq!(codec.name(CodecSpecification::Rfc6381), name);
        check(PictureCodec::H264([77, 0x40, 30]), "avc1.4d401e");
        check(PictureCodec::H265([1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93], "hvc1"), "hvc1.1.6.L93.90");
        check(PictureCodec::H265([0x22, 0x20, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 153], "hev1"), "hev1.2.4.H153.B0");
        check(PictureCodec::Vp9([0, 21, 0x82, 1, 1, 1]), "vp09.00.21.08.01.01.01.01.00");
        check(PictureCodec::Av1([0x04, 0x0c]), "av01.0.04M.08");
        check(PictureCodec::Av1([0x08, 0x4c]), "av01.0.08M.10");
        let older = PictureCodec::H264([77, 0x40, 30]).name(CodecSpecification::Rfc4281);
        assert_eq!(older, "avc1.77.30");
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        let stream = [0, 0, 1, 0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 93, 9, 9, 9, 9];
        let expected = PictureCodec::H265([1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93], "hvc1");
        assert_eq!(h265_of_annex_b(&stream), Some(expected));
    }
}
