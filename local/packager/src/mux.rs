//! Writes transport streams (ISO/IEC 13818-1): whole segments of one picture, one sound, or both. Pure.
//!
//! Segments are made independently of each other and yet play one after another: every stream of a segment but the tables has
//! a multiple of sixteen packets, so that each segment's counters begin at zero; the tables come once a segment.

use crate::{
    codec::{self, PictureCodec, SoundCodec},
    facts::{Picture, Sound},
    ts::{AAC_ADTS, AC3, CLOCK_TURN, E_AC3, H264, H265, PACKET_BYTES},
};

const PROGRAM_MAP_PID: u16 = 0x1e0;
const PICTURE_PID: u16 = 0x1e1;
const SOUND_PID: u16 = 0x1e2;
/// What a packet holds besides its header.
const PAYLOAD_BYTES: usize = 184;
/// An adaptation field with a clock reference: length, flags, and six bytes.
const CLOCK_FIELD_BYTES: usize = 8;
/// How far decoding lags behind the clock reference, in ticks: what a player buffers before the first frame.
const BUFFER_TICKS: u64 = 45_000;
/// Sound is gathered to PES packets of about this size.
const SOUND_PES_BYTES: usize = 1_000;
/// What a packet costs in the counters' turn.
const COUNTER_TURN: usize = 16;

/// One frame in the form of MP4. Times are in ticks, counted on past the 33-bit clock's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub bytes: u32,
    pub pts: u64,
    pub dts: u64,
    /// Whether decoding can begin here.
    pub key: bool,
}

/// Frames one after another, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub frames: Vec<Frame>,
    pub data: Vec<u8>,
}

impl Frames {
    fn each(&self) -> impl Iterator<Item = (&Frame, &[u8])> {
        let mut rest = self.data.as_slice();
        self.frames.iter().map(move |frame| {
            let (bytes, tail) = rest.split_at_checked(frame.bytes as usize).unwrap_or((rest, &[]));
            rest = tail;
            (frame, bytes)
        })
    }
}

struct Writer {
    out: Vec<u8>,
    /// Packets written so far, of the picture and of the sound.
    packets: [usize; 2],
    clock_pid: u16,
}

/// One PES packet to be written.
struct Unit<'a> {
    pid: u16,
    stream_id: u8,
    pts: u64,
    dts: u64,
    payload: &'a [u8],
    key: bool,
    /// The last of its stream in the segment.
    last: bool,
}

/// A segment; `index` is its place in the stream, from 0.
pub(crate) fn segment(index: usize, picture: Option<(&Picture, &Frames)>, sound: Option<(&Sound, &Frames)>) -> Vec<u8> {
    let data = picture.map_or(0, |(_, frames)| frames.data.len()) + sound.map_or(0, |(_, frames)| frames.data.len());
    let count =
        picture.map_or(0, |(_, frames)| frames.frames.len()) + sound.map_or(0, |(_, frames)| frames.frames.len());
    let mut writer = Writer {
        out: Vec::with_capacity(data + data / 32 + count * 128 + 64 * PACKET_BYTES),
        packets: [0; 2],
        clock_pid: if picture.is_some() { PICTURE_PID } else { SOUND_PID },
    };
    let picture_type = picture.map(|(picture, _)| match picture.codec {
        PictureCodec::H264 => H264,
        PictureCodec::H265 => H265,
    });
    let sound_type = sound.map(|(sound, _)| match sound.codec {
        SoundCodec::Aac => AAC_ADTS,
        SoundCodec::Ac3 => AC3,
        SoundCodec::EAc3 => E_AC3,
    });
    writer.tables(index, picture_type, sound_type);
    let mut sounds = sound.map(|(sound, frames)| gather(sound, frames)).unwrap_or_default().into_iter().peekable();
    let mut put_sound = |writer: &mut Writer, before: u64| {
        while let Some(gathered) = sounds.next_if(|gathered| gathered.pts < before) {
            let last = sounds.peek().is_none();
            let stream_id = if sound_type == Some(AAC_ADTS) { 0xc0 } else { 0xbd };
            writer.unit(&Unit {
                pid: SOUND_PID,
                stream_id,
                pts: gathered.pts,
                dts: gathered.pts,
                payload: &gathered.bytes,
                key: true,
                last,
            });
        }
    };
    if let Some((picture, frames)) = picture {
        let mut payload = Vec::new();
        let count = frames.frames.len();
        for (number, (frame, bytes)) in frames.each().enumerate() {
            put_sound(&mut writer, frame.dts);
            payload.clear();
            let sets = frame.key.then_some(picture.sets.as_slice());
            codec::append_byte_stream(picture.codec, bytes, sets, &mut payload);
            writer.unit(&Unit {
                pid: PICTURE_PID,
                stream_id: 0xe0,
                pts: frame.pts,
                dts: frame.dts,
                payload: &payload,
                key: frame.key,
                last: number + 1 == count,
            });
        }
    }
    put_sound(&mut writer, u64::MAX);
    writer.out
}

/// Some frames of sound.
struct Gathered {
    pts: u64,
    bytes: Vec<u8>,
}

fn gather(sound: &Sound, frames: &Frames) -> Vec<Gathered> {
    let mut gathered: Vec<Gathered> = Vec::new();
    for (frame, bytes) in frames.each() {
        match gathered.last_mut().filter(|last| last.bytes.len() + bytes.len() < SOUND_PES_BYTES) {
            Some(last) => codec::append_sound(sound.codec, &sound.configuration, bytes, &mut last.bytes),
            None => {
                let mut first = Vec::with_capacity(SOUND_PES_BYTES);
                codec::append_sound(sound.codec, &sound.configuration, bytes, &mut first);
                gathered.push(Gathered { pts: frame.pts, bytes: first });
            }
        }
    }
    gathered
}

impl Writer {
    /// The program association and the program map.
    fn tables(&mut self, index: usize, picture: Option<u8>, sound: Option<u8>) {
        let counter = (index % COUNTER_TURN) as u8;
        let [high, low] = PROGRAM_MAP_PID.to_be_bytes();
        self.table(0, counter, &[0x00, 0x00, 0x01, 0xc1, 0, 0, 0x00, 0x01, 0xe0 | high, low]);
        let [high, low] = self.clock_pid.to_be_bytes();
        let mut map = vec![0x02, 0x00, 0x01, 0xc1, 0, 0, 0xe0 | high, low, 0xf0, 0x00];
        for (stream_type, pid) in [(picture, PICTURE_PID), (sound, SOUND_PID)] {
            if let Some(stream_type) = stream_type {
                let [high, low] = pid.to_be_bytes();
                map.extend_from_slice(&[stream_type, 0xe0 | high, low, 0xf0, 0x00]);
            }
        }
        self.table(PROGRAM_MAP_PID, counter, &map);
    }

    /// One section in a packet of its own: `fields` without the length behind the table identifier, and the checksum.
    fn table(&mut self, pid: u16, counter: u8, fields: &[u8]) {
        let length = (fields.len() - 1 + 4) as u16;
        let [high, low] = length.to_be_bytes();
        let mut section = vec![fields[0], 0xb0 | high, low];
        section.extend_from_slice(&fields[1..]);
        let checksum = crc32(&section);
        section.extend_from_slice(&checksum.to_be_bytes());
        let start = self.out.len();
        let [high, low] = pid.to_be_bytes();
        self.out.extend_from_slice(&[0x47, 0x40 | high, low, 0x10 | counter, 0]);
        self.out.extend_from_slice(&section);
        self.out.resize(start + PACKET_BYTES, 0xff);
    }

    fn unit(&mut self, unit: &Unit<'_>) {
        let header = pes_header(unit);
        let clock = unit.pid == self.clock_pid;
        let written = &mut self.packets[usize::from(unit.pid == SOUND_PID)];
        let total = header.len() + unit.payload.len();
        let first_room = PAYLOAD_BYTES - if clock { CLOCK_FIELD_BYTES } else { 0 };
        let mut packets = 1 + total.saturating_sub(first_room).div_ceil(PAYLOAD_BYTES);
        if unit.last {
            // Spread over more packets than needed, so that the stream's count comes out even. A unit with fewer bytes than
            // that (none known is) leaves a gap in the counters, which players mend.
            packets = (packets + (COUNTER_TURN - (*written + packets) % COUNTER_TURN) % COUNTER_TURN).min(total);
        }
        let first_counter = *written;
        *written += packets;
        let mut source = [header.as_slice(), unit.payload];
        let mut left = total;
        for number in 0..packets {
            let adaptation = if clock && number == 0 { CLOCK_FIELD_BYTES } else { 0 };
            // Each packet to come takes a byte at least.
            let room = (PAYLOAD_BYTES - adaptation).min(left - (packets - number - 1));
            left -= room;
            let start = self.out.len();
            let [high, low] = unit.pid.to_be_bytes();
            let first = if number == 0 { 0x40 } else { 0 };
            let field = if room < PAYLOAD_BYTES { 0x30 } else { 0x10 };
            let counter = ((first_counter + number) % COUNTER_TURN) as u8;
            self.out.extend_from_slice(&[0x47, first | high, low, field | counter]);
            if room < PAYLOAD_BYTES {
                let length = PAYLOAD_BYTES - room - 1;
                self.out.push(length as u8);
                if length > 0 {
                    let random_access = if unit.key && number == 0 { 0x40 } else { 0 };
                    self.out.push(random_access | if adaptation > 0 { 0x10 } else { 0 });
                    if adaptation > 0 {
                        self.out.extend_from_slice(&clock_reference(unit.dts));
                    }
                    self.out.resize(start + PACKET_BYTES - room, 0xff);
                }
            }
            let mut room = room;
            for part in &mut source {
                let (now, later) = part.split_at(room.min(part.len()));
                self.out.extend_from_slice(now);
                room -= now.len();
                *part = later;
            }
        }
    }
}

/// The header of a PES packet (2.4.3.6).
fn pes_header(unit: &Unit<'_>) -> Vec<u8> {
    let both = unit.pts != unit.dts;
    let fields = if both { 10 } else { 5 };
    // The length of a picture may stay unsaid, and often does not fit.
    let length = match unit.pid {
        SOUND_PID => u16::try_from(3 + fields + unit.payload.len()).unwrap_or(0),
        _ => 0,
    };
    let [high, low] = length.to_be_bytes();
    let mut header = vec![0, 0, 1, unit.stream_id, high, low, 0x84, if both { 0xc0 } else { 0x80 }, fields as u8];
    header.extend_from_slice(&timestamp(if both { 0x30 } else { 0x20 }, unit.pts));
    if both {
        header.extend_from_slice(&timestamp(0x10, unit.dts));
    }
    header
}

/// A timestamp of 33 bits, in three parts with marker bits between them.
fn timestamp(prefix: u8, ticks: u64) -> [u8; 5] {
    let ticks = ticks % CLOCK_TURN;
    [
        prefix | (ticks >> 29) as u8 & 0x0e | 1,
        (ticks >> 22) as u8,
        (ticks >> 14) as u8 | 1,
        (ticks >> 7) as u8,
        (ticks << 1) as u8 | 1,
    ]
}

/// The clock reference before a frame that is decoded at this time (2.4.3.5), without extension.
fn clock_reference(dts: u64) -> [u8; 6] {
    let base = dts.wrapping_sub(BUFFER_TICKS) % CLOCK_TURN;
    [(base >> 25) as u8, (base >> 17) as u8, (base >> 9) as u8, (base >> 1) as u8, (base << 7) as u8 | 0x7e, 0]
}

/// The checksum of sections (annex A).
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |checksum, byte| {
        (0..8).fold(checksum ^ u32::from(*byte) << 24, |checksum, _| {
            if checksum & 1 << 31 != 0 { checksum << 1 ^ 0x04c1_1db7 } else { checksum << 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;
    use crate::{codec::Range, ts};

    fn picture() -> Picture {
        // Written by x264: 640x360.
        let sequence = [
            0x67, 0x4d, 0x40, 0x1e, 0xec, 0xa0, 0x50, 0x17, 0xfc, 0xb8, 0x08, 0x80, 0, 0, 3, 0, 0x80, 0, 0, 0x1e, 7,
            0x8b, 0x16, 0xcb,
        ];
        Picture {
            codec: PictureCodec::H264,
            name: String::new(),
            width: 640,
            height: 360,
            frame_ticks: 3000.0,
            range: Range::Standard,
            colour: None,
            configuration: None,
            sets: vec![sequence.to_vec(), vec![0x68, 0xeb, 0xe3]],
        }
    }

    fn sound() -> Sound {
        Sound {
            codec: SoundCodec::Aac,
            name: String::new(),
            sample_rate: 48_000,
            channels: 2,
            frame_samples: 1024,
            configuration: vec![0x11, 0x90],
        }
    }

    /// Frames with one NAL unit each, of these sizes.
    fn frames(sizes: &[usize], step: u64, unit: impl Fn(usize) -> Option<u8>) -> Frames {
        let mut frames = Frames::default();
        for (index, size) in sizes.iter().enumerate() {
            let start = frames.data.len();
            if let Some(header) = unit(index) {
                frames.data.extend_from_slice(&(*size as u32).to_be_bytes());
                frames.data.push(header);
                frames.data.resize(start + 4 + size, 7);
            } else {
                frames.data.resize(start + size, 7);
            }
            let time = CLOCK_TURN - 6000 + index as u64 * step;
            let bytes = (frames.data.len() - start) as u32;
            frames.frames.push(Frame { bytes, pts: time + 6000, dts: time, key: index == 0 });
        }
        frames
    }

    fn check(pictures: &[usize], sounds: &[usize]) {
        let picture_frames = frames(pictures, 3000, |index| Some(if index == 0 { 0x65 } else { 0x41 }));
        let sound_frames = frames(sounds, 1920, |_| None);
        let (picture, sound) = (picture(), sound());
        let picture = (!pictures.is_empty()).then_some((&picture, &picture_frames));
        let sound = (!sounds.is_empty()).then_some((&sound, &sound_frames));
        let segments: Vec<Vec<u8>> = (0..3).map(|index| segment(index, picture, sound)).collect();
        let scans: Vec<ts::Scan> = segments.iter().map(|segment| ts::scan(segment).unwrap()).collect();
        assert!(scans.windows(2).all(|pair| ts::runs_on(&pair[0].counters, &pair[1].counters)));
        let scan = &scans[0];
        if let Some((_, frames)) = picture {
            let found = scan.picture.as_ref().unwrap();
            assert_eq!(found.frames, frames.frames.len() as u64);
            assert_eq!(found.bytes, frames.data.len() as u64);
            assert_eq!((found.first_pts, found.first_dts), (0, CLOCK_TURN - 6000));
        }
        if let Some((_, frames)) = sound {
            let found = scan.sound.as_ref().unwrap();
            assert_eq!(found.frames, frames.frames.len() as u64);
            assert_eq!(found.bytes, frames.data.len() as u64);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        check(&[5000, 100, 170, 171, 172, 173, 174, 183, 184, 185, 1], &[300; 40]);
        check(&[70_000], &[]);
        check(&[], &[200; 3]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_sizes_are_read_back(
            pictures in proptest::collection::vec(20_usize..1000, 1..12),
            sounds in proptest::collection::vec(20_usize..600, 1..24),
        ) {
            check(&pictures, &sounds);
        }
    }
}
