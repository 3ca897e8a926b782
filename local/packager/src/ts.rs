//! MPEG transport streams (ISO/IEC 13818-1): just enough to know what is in a segment, and to join segments.

use std::collections::BTreeMap;

use crate::codec;

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
    #[error("its picture does not begin with a key frame")]
    NoKeyFrame,
    #[error("a frame of its picture has no timestamp")]
    NoTimestamp,
    #[error("its codec parameters cannot be read: {0}")]
    Codec(&'static str),
}

/// What a scan finds out about one segment.
#[derive(Debug, PartialEq)]
pub(crate) struct Scan {
    pub video: Option<VideoScan>,
    pub audio: Option<AudioScan>,
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
pub(crate) struct VideoScan {
    pub parameters: codec::VideoParameters,
    /// The sequence and the picture parameter set that the segment begins with.
    pub parameter_sets: (Vec<u8>, Vec<u8>),
    /// Decoding time of the first frame, in ticks.
    pub first_dts: u64,
    /// Bytes of the elementary stream.
    pub bytes: u64,
    /// Presentation time of the first frame, in ticks.
    pub first_pts: u64,
    /// The latest presentation time in the segment, unwrapped: never before `first_pts`.
    pub last_pts: u64,
    pub frames: u64,
    /// Bytes from the segment's start to the end of the first frame.
    pub key_frame_bytes: u64,
}

/// The sound of a segment.
#[derive(Debug, PartialEq)]
pub(crate) struct AudioScan {
    pub codec: String,
    /// Of AAC; other sound passes through as it is.
    pub aac: Option<codec::AudioParameters>,
    /// Frames of AAC.
    pub frames: u64,
    /// Bytes of the elementary stream.
    pub bytes: u64,
    pub first_pts: u64,
    /// The latest presentation time, unwrapped.
    pub last_pts: u64,
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

/// One elementary stream while a segment is scanned.
struct Stream {
    pid: u16,
    stream_type: u8,
    first_pts: Option<u64>,
    first_dts: Option<u64>,
    last_offset: i64,
    units: u64,
    bytes: u64,
    /// The bytes of the first unit of a picture, for its parameters; all bytes of AAC, to count its frames.
    head: Vec<u8>,
    /// Where the first unit ends in the segment.
    head_end: u64,
}

impl Stream {
    fn new(pid: u16, stream_type: u8) -> Self {
        Self {
            pid,
            stream_type,
            first_pts: None,
            first_dts: None,
            last_offset: 0,
            units: 0,
            bytes: 0,
            head: Vec::new(),
            head_end: 0,
        }
    }

    /// Takes the payload of the packet that ends at `end`.
    fn take(&mut self, payload: &[u8], starts_unit: bool, end: u64) -> Option<()> {
        let mut data = payload;
        if starts_unit {
            let header = pes_header(payload)?;
            data = payload.get(header.bytes..)?;
            self.units += 1;
            if self.units == 1 {
                self.first_dts = header.dts;
            }
            if let Some(pts) = header.pts {
                let first = *self.first_pts.get_or_insert(pts);
                self.last_offset = self.last_offset.max(ticks_between(first, pts));
            }
        }
        self.bytes += data.len() as u64;
        if self.units == 1 || self.stream_type == AAC_ADTS {
            self.head.extend_from_slice(data);
        }
        if self.units == 1 {
            self.head_end = end;
        }
        Some(())
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

/// Scans a whole segment.
pub(crate) fn scan(segment: &[u8]) -> Result<Scan, TsError> {
    if segment.is_empty() || !segment.len().is_multiple_of(PACKET_BYTES) {
        return Err(TsError::Length(segment.len()));
    }
    let mut counters: BTreeMap<u16, Counter> = BTreeMap::new();
    let mut map_pid = None;
    let mut streams: Option<(Option<Stream>, Option<Stream>)> = None;
    for (index, bytes) in segment.chunks_exact(PACKET_BYTES).enumerate() {
        if bytes[0] != 0x47 {
            return Err(TsError::Sync(index));
        }
        let packet = Packet(bytes);
        if !packet.has_payload() {
            continue;
        }
        if packet.scrambled() {
            return Err(TsError::Scrambled);
        }
        let pid = packet.pid();
        counters
            .entry(pid)
            .and_modify(|counter| {
                counter.last = packet.counter();
                counter.payload_packets += 1;
            })
            .or_insert(Counter { first: packet.counter(), last: packet.counter(), payload_packets: 1 });
        let payload = packet.payload().ok_or(TsError::Malformed(index))?;
        if pid == 0 && packet.starts_unit() && map_pid.is_none() {
            map_pid = Some(program_map_pid(payload).ok_or(TsError::Malformed(index))?);
        } else if Some(pid) == map_pid && packet.starts_unit() && streams.is_none() {
            streams = Some(choose_streams(&program_streams(payload).ok_or(TsError::Malformed(index))?)?);
        } else if let Some((video, audio)) = &mut streams {
            let end = ((index + 1) * PACKET_BYTES) as u64;
            for stream in [video, audio].into_iter().flatten().filter(|stream| stream.pid == pid) {
                stream.take(payload, packet.starts_unit(), end).ok_or(TsError::Malformed(index))?;
            }
        }
    }
    let (video, audio) = streams.ok_or(TsError::NoProgram)?;
    let video = video.filter(|stream| stream.units > 0).map(video_scan).transpose()?;
    let audio = audio.filter(|stream| stream.units > 0).map(audio_scan).transpose()?;
    if video.is_none() && audio.is_none() {
        return Err(TsError::Empty);
    }
    Ok(Scan { video, audio, counters })
}

// Stream types: ISO/IEC 13818-1 table 2-34; AC-3 and E-AC-3 as ATSC A/52 assigns them.
const H264: u8 = 0x1b;
const AAC_ADTS: u8 = 0x0f;
const AC3: u8 = 0x81;
const E_AC3: u8 = 0x87;
const ID3: u8 = 0x15;
const SCTE35: u8 = 0x86;

/// The first picture and the first sound of a program. Other streams stay in the segment untouched.
fn choose_streams(program: &[(u16, u8)]) -> Result<(Option<Stream>, Option<Stream>), TsError> {
    let (mut video, mut audio) = (None, None);
    for &(pid, stream_type) in program {
        match stream_type {
            H264 if video.is_none() => video = Some(Stream::new(pid, stream_type)),
            AAC_ADTS | AC3 | E_AC3 if audio.is_none() => audio = Some(Stream::new(pid, stream_type)),
            H264 | AAC_ADTS | AC3 | E_AC3 | ID3 | SCTE35 => {}
            unknown => return Err(TsError::StreamType(unknown)),
        }
    }
    Ok((video, audio))
}

fn video_scan(stream: Stream) -> Result<VideoScan, TsError> {
    let first_pts = stream.first_pts.ok_or(TsError::NoTimestamp)?;
    let first_dts = stream.first_dts.ok_or(TsError::NoTimestamp)?;
    let nal_units = codec::NalUnits::new(&stream.head);
    if !nal_units.clone().any(codec::is_idr) {
        return Err(TsError::NoKeyFrame);
    }
    let parameter_set = |nal_unit_type| {
        nal_units.clone().find_map(|unit| codec::parameter_set(unit, nal_unit_type)).unwrap_or_default().to_vec()
    };
    let parameter_sets = (parameter_set(7), parameter_set(8));
    let parameters = nal_units
        .filter_map(codec::sequence_parameters)
        .next()
        .ok_or(TsError::Codec("the first frame has no sequence parameter set"))?
        .map_err(TsError::Codec)?;
    Ok(VideoScan {
        parameters,
        parameter_sets,
        first_dts,
        bytes: stream.bytes,
        first_pts,
        last_pts: first_pts + stream.last_offset as u64,
        frames: stream.units,
        key_frame_bytes: stream.head_end,
    })
}

fn audio_scan(stream: Stream) -> Result<AudioScan, TsError> {
    let first_pts = stream.first_pts.ok_or(TsError::NoTimestamp)?;
    let aac = match stream.stream_type {
        AAC_ADTS => Some(codec::adts_parameters(&stream.head).map_err(TsError::Codec)?),
        _ => None,
    };
    let frames = match aac {
        Some(_) => codec::adts_frames(&stream.head).try_fold(0, |count, frame| frame.map(|_| count + 1)),
        None => Ok(0),
    };
    Ok(AudioScan {
        codec: match (&aac, stream.stream_type) {
            (Some(parameters), _) => parameters.codec.clone(),
            (None, AC3) => "ac-3".to_owned(),
            (None, _) => "ec-3".to_owned(),
        },
        aac,
        frames: frames.map_err(TsError::Codec)?,
        bytes: stream.bytes,
        first_pts,
        last_pts: first_pts + stream.last_offset as u64,
    })
}

/// Which stream of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Video,
    Audio,
}

/// An elementary stream taken out of a segment.
#[derive(Debug, Default)]
pub(crate) struct Elementary {
    pub data: Vec<u8>,
    pub units: Vec<Unit>,
}

/// One PES packet's part of an elementary stream: a frame of a picture.
#[derive(Debug)]
pub(crate) struct Unit {
    pub pts: u64,
    pub dts: u64,
    /// Where it begins in the data; it ends where the next begins.
    pub start: usize,
}

/// Takes the picture or the sound out of a segment that was scanned before.
pub(crate) fn elementary(segment: &[u8], media: Media) -> Result<Elementary, TsError> {
    let mut elementary = Elementary { data: Vec::with_capacity(segment.len()), units: Vec::new() };
    let (mut map_pid, mut wanted) = (None, None);
    for (index, bytes) in segment.chunks_exact(PACKET_BYTES).enumerate() {
        let packet = Packet(bytes);
        if !packet.has_payload() {
            continue;
        }
        let pid = packet.pid();
        let malformed = || TsError::Malformed(index);
        if Some(pid) == wanted {
            let mut data = packet.payload().ok_or_else(malformed)?;
            if packet.starts_unit() {
                let header = pes_header(data).ok_or_else(malformed)?;
                data = data.get(header.bytes..).ok_or_else(malformed)?;
                if let (Some(pts), Some(dts)) = (header.pts, header.dts) {
                    elementary.units.push(Unit { pts, dts, start: elementary.data.len() });
                }
            }
            elementary.data.extend_from_slice(data);
        } else if pid == 0 && map_pid.is_none() && packet.starts_unit() {
            map_pid = packet.payload().and_then(program_map_pid);
        } else if Some(pid) == map_pid && wanted.is_none() && packet.starts_unit() {
            let program = packet.payload().and_then(program_streams).ok_or_else(malformed)?;
            let (video, audio) = choose_streams(&program)?;
            let stream = if media == Media::Video { video } else { audio };
            wanted = stream.map(|stream| stream.pid);
        }
    }
    Ok(elementary)
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
            let _ = elementary(&bytes, Media::Video);
        }

        #[test]
        fn hostile_tables_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..184)) {
            let _ = program_map_pid(&payload);
            let _ = program_streams(&payload);
            let _ = pes_header(&payload);
        }
    }
}
