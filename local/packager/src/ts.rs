//! MPEG transport streams (ISO/IEC 13818-1): takes the frames out of segments, and joins segments.

use std::collections::BTreeMap;

use crate::codec::{self, PictureCodec, PictureParameters, SoundCodec, SoundParameters};

/// Every packet's size.
pub(crate) const PACKET_BYTES: usize = 188;

/// Timestamps are counters of 33 bits.
pub(crate) const CLOCK_TURN: u64 = 1 << 33;

/// Why a segment cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum TsError {
    #[error("it is not a transport stream: {0} bytes are no whole number of packets")]
    Length(usize),
    #[error("it is not a transport stream: packet {0} has no sync byte")]
    Sync(usize),
    #[error("packet {0} is cut short or malformed")]
    Malformed(usize),
    #[error("it has no program map before its first frame")]
    NoProgram,
    #[error("it has neither picture nor sound")]
    Empty,
    #[error("it is scrambled")]
    Scrambled,
    #[error("its stream type 0x{0:02x} is not supported")]
    StreamType(u8),
    #[error("a frame has no timestamp")]
    NoTimestamp,
    #[error("its codec parameters cannot be read: {0}")]
    Codec(&'static str),
}

/// `later` minus `earlier` on the 33-bit clock, as the shorter way round.
pub(crate) fn ticks_between(earlier: u64, later: u64) -> i64 {
    let forward = later.wrapping_sub(earlier) & (CLOCK_TURN - 1);
    if forward < CLOCK_TURN / 2 { forward as i64 } else { forward as i64 - CLOCK_TURN as i64 }
}

struct Packet<'a>(&'a [u8]);

impl<'a> Packet<'a> {
    fn pid(&self) -> u16 {
        u16::from_be_bytes([self.0[1] & 0x1f, self.0[2]])
    }

    fn starts_unit(&self) -> bool {
        self.0[1] & 0x40 != 0
    }

    fn scrambled(&self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    fn has_payload(&self) -> bool {
        self.0[3] & 0x10 != 0
    }

    fn counter(&self) -> u8 {
        self.0[3] & 0x0f
    }

    /// The payload; `None` when the adaptation field claims more than the packet holds.
    fn payload(&self) -> Option<&'a [u8]> {
        let start = if self.0[3] & 0x20 != 0 { 5 + usize::from(self.0[4]) } else { 4 };
        self.0.get(start..)
    }
}

/// What the header of a PES packet says.
#[derive(Debug, PartialEq)]
struct PesHeader {
    pts: Option<u64>,
    /// The presentation time, where no other is given.
    dts: Option<u64>,
    /// The header's own length.
    bytes: usize,
}

/// Reads the header of a PES packet (2.4.3.6).
fn pes_header(bytes: &[u8]) -> Option<PesHeader> {
    if bytes.get(..3)? != [0, 0, 1] {
        return None;
    }
    let flags = *bytes.get(7)?;
    let pts = if flags & 0x80 != 0 { Some(timestamp(bytes.get(9..14)?)) } else { None };
    let dts = if flags & 0xc0 == 0xc0 { Some(timestamp(bytes.get(14..19)?)) } else { pts };
    Some(PesHeader { pts, dts, bytes: 9 + usize::from(*bytes.get(8)?) })
}

/// A timestamp of 33 bits, in three parts with marker bits between them.
fn timestamp(field: &[u8]) -> u64 {
    let high = u64::from(field[0] >> 1 & 0x07) << 30;
    let middle = u64::from(u16::from_be_bytes([field[1], field[2]]) >> 1) << 15;
    let low = u64::from(u16::from_be_bytes([field[3], field[4]]) >> 1);
    high | middle | low
}

/// The body of the section that a payload starts with, from its table identifier to before its checksum.
fn section(payload: &[u8]) -> Option<&[u8]> {
    let start = 1 + usize::from(*payload.first()?);
    let bytes = payload.get(start..)?;
    let length = usize::from(u16::from_be_bytes([bytes.get(1)? & 0x0f, *bytes.get(2)?]));
    bytes.get(..(3 + length).checked_sub(4)?)
}

/// The identifier of the first program's map.
fn program_map_pid(payload: &[u8]) -> Option<u16> {
    let programs = section(payload)?.get(8..)?;
    programs.chunks_exact(4).find_map(|entry| {
        let program = u16::from_be_bytes([entry[0], entry[1]]);
        (program != 0).then(|| u16::from_be_bytes([entry[2] & 0x1f, entry[3]]))
    })
}

/// The streams of a program: packet identifier and stream type.
fn program_streams(payload: &[u8]) -> Option<Vec<(u16, u8)>> {
    let section = section(payload)?;
    let descriptors = usize::from(u16::from_be_bytes([section.get(10)? & 0x0f, *section.get(11)?]));
    let mut rest = section.get(12 + descriptors..)?;
    let mut streams = Vec::new();
    while let [stream_type, pid_high, pid_low, length_high, length_low, tail @ ..] = rest {
        streams.push((u16::from_be_bytes([pid_high & 0x1f, *pid_low]), *stream_type));
        rest = tail.get(usize::from(u16::from_be_bytes([length_high & 0x0f, *length_low]))..)?;
    }
    Some(streams)
}

// Stream types: ISO/IEC 13818-1 table 2-34; AC-3 and E-AC-3 as ATSC A/52 assigns them.
pub(crate) const H264: u8 = 0x1b;
pub(crate) const H265: u8 = 0x24;
pub(crate) const AAC_ADTS: u8 = 0x0f;
pub(crate) const AC3: u8 = 0x81;
pub(crate) const E_AC3: u8 = 0x87;
const ID3: u8 = 0x15;
const SCTE35: u8 = 0x86;

/// What a stream of a program carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    Picture(PictureCodec),
    Sound(SoundCodec),
}

impl Carries {
    /// `None` for what stays in a segment untouched.
    fn of(stream_type: u8) -> Result<Option<Self>, TsError> {
        Ok(Some(match stream_type {
            H264 => Self::Picture(PictureCodec::H264),
            H265 => Self::Picture(PictureCodec::H265),
            AAC_ADTS => Self::Sound(SoundCodec::Aac),
            AC3 => Self::Sound(SoundCodec::Ac3),
            E_AC3 => Self::Sound(SoundCodec::EAc3),
            ID3 | SCTE35 => return Ok(None),
            unknown => return Err(TsError::StreamType(unknown)),
        }))
    }
}

/// Which stream of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Picture,
    Sound,
}

/// One PES packet: a frame of a picture, or some frames of sound.
pub(crate) struct Pes<'a> {
    pub carries: Carries,
    pub pts: Option<u64>,
    pub dts: Option<u64>,
    pub data: &'a [u8],
    /// Where the last packet of it ends, in bytes from the start of the segment.
    pub end: u64,
}

/// One elementary stream on its way through the demultiplexer.
struct Stream {
    pid: u16,
    carries: Carries,
    header: Option<PesHeader>,
    /// What has come of the unit so far; used again for the next, so that it stays in the processor's cache.
    data: Vec<u8>,
    end: u64,
}

/// Takes the first picture and the first sound of the first program out of packets as they come.
pub(crate) struct Demultiplexer {
    /// Which of the two are wanted.
    picture: bool,
    sound: bool,
    map_pid: Option<u16>,
    streams: Option<Vec<Stream>>,
    packets: usize,
    /// When wanted: the continuity counters, by packet identifier.
    counters: Option<BTreeMap<u16, Counter>>,
}

impl Demultiplexer {
    /// For one stream of a segment that was scanned before.
    pub(crate) fn one(media: Media) -> Self {
        Self {
            picture: media == Media::Picture,
            sound: media == Media::Sound,
            map_pid: None,
            streams: None,
            packets: 0,
            counters: None,
        }
    }

    fn all() -> Self {
        Self { picture: true, sound: true, counters: Some(BTreeMap::new()), ..Self::one(Media::Picture) }
    }

    /// Takes a whole number of packets, and gives every unit that ends in them.
    pub(crate) fn feed(
        &mut self,
        packets: &[u8],
        mut take: impl FnMut(Pes<'_>) -> Result<(), TsError>,
    ) -> Result<(), TsError> {
        if !packets.len().is_multiple_of(PACKET_BYTES) {
            return Err(TsError::Length(packets.len()));
        }
        for bytes in packets.chunks_exact(PACKET_BYTES) {
            self.packet(bytes, &mut take)?;
            self.packets += 1;
        }
        Ok(())
    }

    fn packet(&mut self, bytes: &[u8], take: &mut impl FnMut(Pes<'_>) -> Result<(), TsError>) -> Result<(), TsError> {
        let malformed = TsError::Malformed(self.packets);
        if bytes[0] != 0x47 {
            return Err(TsError::Sync(self.packets));
        }
        let packet = Packet(bytes);
        if !packet.has_payload() {
            return Ok(());
        }
        if packet.scrambled() {
            return Err(TsError::Scrambled);
        }
        let pid = packet.pid();
        if let Some(counters) = &mut self.counters {
            counters
                .entry(pid)
                .and_modify(|counter| {
                    counter.last = packet.counter();
                    counter.payload_packets += 1;
                })
                .or_insert(Counter { first: packet.counter(), last: packet.counter(), payload_packets: 1 });
        }
        if let Some(streams) = &mut self.streams {
            let Some(stream) = streams.iter_mut().find(|stream| stream.pid == pid) else { return Ok(()) };
            let mut payload = packet.payload().ok_or(malformed)?;
            if packet.starts_unit() {
                stream.finish(take)?;
                let header = pes_header(payload).ok_or(TsError::Malformed(self.packets))?;
                payload = payload.get(header.bytes..).ok_or(TsError::Malformed(self.packets))?;
                stream.header = Some(header);
            }
            stream.data.extend_from_slice(payload);
            stream.end = ((self.packets + 1) * PACKET_BYTES) as u64;
        } else if packet.starts_unit() && (pid == 0 || Some(pid) == self.map_pid) {
            let payload = packet.payload().ok_or(malformed)?;
            let malformed = TsError::Malformed(self.packets);
            if pid == 0 {
                self.map_pid = Some(program_map_pid(payload).ok_or(malformed)?);
            } else {
                self.streams = Some(self.choose(&program_streams(payload).ok_or(malformed)?)?);
            }
        }
        Ok(())
    }

    /// The first picture and the first sound of a program, as far as they are wanted.
    fn choose(&self, program: &[(u16, u8)]) -> Result<Vec<Stream>, TsError> {
        let (mut picture, mut sound) = (None, None);
        for &(pid, stream_type) in program {
            let Some(carries) = Carries::of(stream_type)? else { continue };
            let place = match carries {
                Carries::Picture(_) => &mut picture,
                Carries::Sound(_) => &mut sound,
            };
            place.get_or_insert(Stream { pid, carries, header: None, data: Vec::new(), end: 0 });
        }
        Ok(picture.filter(|_| self.picture).into_iter().chain(sound.filter(|_| self.sound)).collect())
    }

    /// Gives what is left at the end of a segment.
    pub(crate) fn finish(&mut self, mut take: impl FnMut(Pes<'_>) -> Result<(), TsError>) -> Result<(), TsError> {
        for stream in self.streams.as_mut().ok_or(TsError::NoProgram)? {
            stream.finish(&mut take)?;
        }
        Ok(())
    }
}

impl Stream {
    fn finish(&mut self, take: &mut impl FnMut(Pes<'_>) -> Result<(), TsError>) -> Result<(), TsError> {
        // What comes before the first header belongs to a unit of the segment before.
        if let Some(PesHeader { pts, dts, .. }) = self.header.take() {
            take(Pes { carries: self.carries, pts, dts, data: &self.data, end: self.end })?;
        }
        self.data.clear();
        Ok(())
    }
}

/// Cuts sound into frames, which need not end where PES packets do.
pub(crate) struct SoundFrames {
    codec: SoundCodec,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
}

impl SoundFrames {
    pub(crate) fn new(codec: SoundCodec) -> Self {
        Self { codec, rest: Vec::new() }
    }

    /// Gives every frame that ends in `data`, as MP4 would hold it.
    pub(crate) fn feed(&mut self, data: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), TsError> {
        let joined;
        let mut bytes = if self.rest.is_empty() {
            data
        } else {
            joined = [&self.rest, data].concat();
            &joined
        };
        while let Some(span) = codec::sound_frame(self.codec, bytes).map_err(TsError::Codec)? {
            take(&bytes[span.clone()]);
            bytes = &bytes[span.end..];
        }
        self.rest = bytes.to_vec();
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), TsError> {
        if self.rest.is_empty() { Ok(()) } else { Err(TsError::Codec("a frame of the sound is cut short")) }
    }
}

/// What a scan finds out about one segment.
#[derive(Debug, PartialEq)]
pub(crate) struct Scan {
    pub picture: Option<PictureScan>,
    pub sound: Option<SoundScan>,
    /// By packet identifier.
    pub counters: BTreeMap<u16, Counter>,
}

/// The continuity counters of one stream of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    /// The counter of the first packet with a payload.
    pub first: u8,
    /// The counter of the last.
    pub last: u8,
    /// How many packets have a payload.
    pub payload_packets: u64,
}

/// The picture of a segment.
#[derive(Debug, PartialEq)]
pub(crate) struct PictureScan {
    pub codec: PictureCodec,
    pub parameters: PictureParameters,
    /// Decoding time of the first frame, in ticks.
    pub first_dts: u64,
    /// Presentation time of the first frame, in ticks.
    pub first_pts: u64,
    /// The latest presentation time in the segment, unwrapped: never before `first_pts`.
    pub last_pts: u64,
    pub frames: u64,
    /// Bytes of all frames, in the form of MP4.
    pub bytes: u64,
    /// Bytes of the first frame, in the form of MP4.
    pub key_frame_bytes: u64,
    /// Bytes from the segment's start to the end of the first frame.
    pub head_bytes: u64,
}

/// The sound of a segment.
#[derive(Debug, PartialEq)]
pub(crate) struct SoundScan {
    pub parameters: SoundParameters,
    pub frames: u64,
    /// Bytes of all frames, in the form of MP4.
    pub bytes: u64,
    pub first_pts: u64,
    /// The latest presentation time, unwrapped.
    pub last_pts: u64,
}

/// Scans a whole segment.
pub(crate) fn scan(segment: &[u8]) -> Result<Scan, TsError> {
    if segment.is_empty() {
        return Err(TsError::Length(0));
    }
    let (mut picture, mut sound) = (None, None);
    let mut frames = None;
    let mut scratch = Vec::new();
    let mut demultiplexer = Demultiplexer::all();
    let mut take = |pes: Pes<'_>| match pes.carries {
        Carries::Picture(codec) => scan_picture(&mut picture, codec, &pes, &mut scratch),
        Carries::Sound(codec) => {
            scan_sound(&mut sound, frames.get_or_insert_with(|| SoundFrames::new(codec)), codec, &pes)
        }
    };
    demultiplexer.feed(segment, &mut take)?;
    demultiplexer.finish(&mut take)?;
    if let Some(frames) = frames {
        frames.finish()?;
    }
    if picture.is_none() && sound.is_none() {
        return Err(TsError::Empty);
    }
    Ok(Scan { picture, sound, counters: demultiplexer.counters.unwrap_or_default() })
}

fn scan_picture(
    scan: &mut Option<PictureScan>,
    codec: PictureCodec,
    pes: &Pes<'_>,
    scratch: &mut Vec<u8>,
) -> Result<(), TsError> {
    let (Some(pts), Some(dts)) = (pes.pts, pes.dts) else { return Err(TsError::NoTimestamp) };
    scratch.clear();
    codec::append_picture(codec, pes.data, scratch);
    let bytes = scratch.len() as u64;
    let scan = match scan {
        Some(scan) => scan,
        None => scan.insert(PictureScan {
            codec,
            parameters: codec::picture_parameters(codec, pes.data).map_err(TsError::Codec)?,
            first_dts: dts,
            first_pts: pts,
            last_pts: pts,
            frames: 0,
            bytes: 0,
            key_frame_bytes: bytes,
            head_bytes: pes.end,
        }),
    };
    scan.frames += 1;
    scan.bytes += bytes;
    scan.last_pts = scan.last_pts.max(scan.first_pts.saturating_add_signed(ticks_between(scan.first_pts, pts)));
    Ok(())
}

fn scan_sound(
    scan: &mut Option<SoundScan>,
    frames: &mut SoundFrames,
    codec: SoundCodec,
    pes: &Pes<'_>,
) -> Result<(), TsError> {
    let scan = match scan {
        Some(scan) => scan,
        None => {
            let first_pts = pes.pts.ok_or(TsError::NoTimestamp)?;
            let parameters = codec::sound_parameters(codec, pes.data).map_err(TsError::Codec)?;
            scan.insert(SoundScan { parameters, frames: 0, bytes: 0, first_pts, last_pts: first_pts })
        }
    };
    if let Some(pts) = pes.pts {
        scan.last_pts = scan.last_pts.max(scan.first_pts.saturating_add_signed(ticks_between(scan.first_pts, pts)));
    }
    frames.feed(pes.data, |frame| {
        scan.frames += 1;
        scan.bytes += frame.len() as u64;
    })
}

/// Whether the counters of `next` run on from those of `previous`.
pub(crate) fn runs_on(previous: &BTreeMap<u16, Counter>, next: &BTreeMap<u16, Counter>) -> bool {
    next.iter().all(|(pid, counter)| previous.get(pid).is_none_or(|before| (before.last + 1) & 0x0f == counter.first))
}

/// Rewrites the continuity counters of a segment so that each stream counts on from where it stands in `position`
/// (payload packets seen so far), which is moved forward.
pub(crate) fn renumber(segment: &mut [u8], position: &mut BTreeMap<u16, u64>) {
    for bytes in segment.chunks_exact_mut(PACKET_BYTES) {
        let packet = Packet(bytes);
        let has_payload = packet.has_payload();
        let seen = position.entry(packet.pid()).or_default();
        // A packet without a payload repeats the counter of the packet before it.
        let counter = if has_payload { *seen } else { seen.wrapping_sub(1) };
        *seen += u64::from(has_payload);
        bytes[3] = bytes[3] & 0xf0 | (counter & 0x0f) as u8;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_clock_wraps() {
        assert_eq!(ticks_between(CLOCK_TURN - 10, 20), 30);
        assert_eq!(ticks_between(20, CLOCK_TURN - 10), -30);
        assert_eq!(ticks_between(5, 5), 0);
    }

    #[test]
    fn a_presentation_time_is_read_across_its_marker_bits() {
        // 0x1_2345_6789 in the 3-15-15 split of the PES header.
        let pts = 0x1_2345_6789_u64;
        let field = [
            0x21 | ((pts >> 29) as u8 & 0x0e),
            (pts >> 22) as u8,
            (pts >> 14) as u8 | 1,
            (pts >> 7) as u8,
            ((pts << 1) as u8) | 1,
        ];
        let mut header = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5];
        header.extend(field);
        assert_eq!(pes_header(&header), Some(PesHeader { pts: Some(pts), dts: Some(pts), bytes: 14 }));
    }

    #[test]
    fn what_is_no_transport_stream_is_refused() {
        assert_eq!(scan(b"").unwrap_err(), TsError::Length(0));
        assert_eq!(scan(&[0x47; 187]).unwrap_err(), TsError::Length(187));
        assert_eq!(scan(&[0x00; 188]).unwrap_err(), TsError::Sync(0));
    }

    #[test]
    fn frames_of_sound_may_lie_across_packets() {
        let frame = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 1, 2, 3];
        let stream = [frame, frame].concat();
        let mut frames = SoundFrames::new(SoundCodec::Aac);
        let mut found = Vec::new();
        for part in stream.chunks(6) {
            frames.feed(part, |frame| found.push(frame.to_vec())).unwrap();
        }
        assert_eq!(found, [[1, 2, 3], [1, 2, 3]]);
        frames.finish().unwrap();
    }

    #[test]
    fn renumbered_counters_count_payloads_only() {
        let packet = |flags: u8| {
            let mut bytes = [0_u8; PACKET_BYTES];
            bytes[..4].copy_from_slice(&[0x47, 0x01, 0x00, flags]);
            bytes
        };
        let mut segment: Vec<u8> = [packet(0x17), packet(0x17), packet(0x27), packet(0x17)].concat();
        let mut position = BTreeMap::from([(0x100, 15)]);
        renumber(&mut segment, &mut position);
        let counters: Vec<u8> = segment.chunks(PACKET_BYTES).map(|bytes| bytes[3] & 0x0f).collect();
        assert_eq!(counters, [15, 0, 0, 1]);
        assert_eq!(position[&0x100], 18);
    }

    proptest! {
        #[test]
        fn hostile_packets_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), PACKET_BYTES * 4)) {
            for packet in bytes.chunks_exact_mut(PACKET_BYTES) {
                packet[0] = 0x47;
            }
            let _ = scan(&bytes);
        }

        #[test]
        fn hostile_tables_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..184)) {
            let _ = program_map_pid(&payload);
            let _ = program_streams(&payload);
            let _ = pes_header(&payload);
        }
    }
}
