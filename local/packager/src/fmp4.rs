//! Writes fragmented MP4 (ISO/IEC 14496-12, CMAF: ISO/IEC 23000-19): the initialisation and the media segments of one track.

/// What a track is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Track<'a> {
    /// H.264.
    Video { width: u16, height: u16, sequence_parameters: &'a [u8], picture_parameters: &'a [u8] },
    /// AAC.
    Audio { sample_rate: u32, channels: u8, config: [u8; 2] },
}

/// One sample of a media segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub bytes: u32,
    /// In the track's timescale.
    pub duration: u32,
    /// From decoding to presentation.
    pub composition_offset: i32,
    /// Whether decoding can begin here.
    pub sync: bool,
}

/// The only track of every file.
const TRACK_ID: u32 = 1;
/// `sample_depends_on` 2: on no other.
const SYNC_SAMPLE: u32 = 0x0200_0000;
/// `sample_depends_on` 1, and `sample_is_non_sync_sample`.
const OTHER_SAMPLE: u32 = 0x0101_0000;

struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    fn boxed(&mut self, kind: &[u8; 4], body: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.u32(0);
        self.bytes(kind);
        body(self);
        let size = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// A box with version and flags.
    fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Self)) {
        self.boxed(kind, |writer| {
            writer.u32(u32::from(version) << 24 | flags);
            body(writer);
        });
    }

    /// The matrix that changes nothing.
    fn unity_matrix(&mut self) {
        for value in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000] {
            self.u32(value);
        }
    }
}

/// The initialisation segment.
pub(crate) fn init(track: &Track<'_>, timescale: u32) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(1024));
    writer.boxed(b"ftyp", |writer| {
        writer.bytes(b"iso6");
        writer.u32(0);
        writer.bytes(b"iso6cmfcmp41");
    });
    writer.boxed(b"moov", |writer| {
        writer.full(b"mvhd", 0, 0, |writer| {
            writer.zeros(8);
            writer.u32(timescale);
            writer.u32(0);
            writer.u32(0x1_0000); // rate
            writer.u16(0x0100); // volume
            writer.zeros(10);
            writer.unity_matrix();
            writer.zeros(24);
            writer.u32(TRACK_ID + 1);
        });
        writer.boxed(b"trak", |writer| trak(writer, track, timescale));
        writer.boxed(b"mvex", |writer| {
            writer.full(b"trex", 0, 0, |writer| {
                writer.u32(TRACK_ID);
                writer.u32(1); // the first sample description
                writer.zeros(12);
            });
        });
    });
    writer.0
}

fn trak(writer: &mut Writer, track: &Track<'_>, timescale: u32) {
    let (width, height) = match track {
        Track::Video { width, height, .. } => (*width, *height),
        Track::Audio { .. } => (0, 0),
    };
    // Enabled, and in the presentation.
    writer.full(b"tkhd", 0, 3, |writer| {
        writer.zeros(8);
        writer.u32(TRACK_ID);
        writer.zeros(8 + 8 + 4);
        writer.u16(if width == 0 { 0x0100 } else { 0 }); // volume
        writer.u16(0);
        writer.unity_matrix();
        writer.u32(u32::from(width) << 16);
        writer.u32(u32::from(height) << 16);
    });
    writer.boxed(b"mdia", |writer| {
        writer.full(b"mdhd", 0, 0, |writer| {
            writer.zeros(8);
            writer.u32(timescale);
            writer.u32(0);
            writer.u16(0x55c4); // undetermined language
            writer.u16(0);
        });
        writer.full(b"hdlr", 0, 0, |writer| {
            writer.u32(0);
            writer.bytes(if width == 0 { b"soun" } else { b"vide" });
            writer.zeros(12);
            writer.bytes(b"vodline\0");
        });
        writer.boxed(b"minf", |writer| {
            match track {
                Track::Video { .. } => writer.full(b"vmhd", 0, 1, |writer| writer.zeros(8)),
                Track::Audio { .. } => writer.full(b"smhd", 0, 0, |writer| writer.zeros(4)),
            }
            writer.boxed(b"dinf", |writer| {
                writer.full(b"dref", 0, 0, |writer| {
                    writer.u32(1);
                    writer.full(b"url ", 0, 1, |_| {}); // in this file
                });
            });
            writer.boxed(b"stbl", |writer| {
                writer.full(b"stsd", 0, 0, |writer| {
                    writer.u32(1);
                    sample_entry(writer, track);
                });
                for kind in [b"stts", b"stsc", b"stco"] {
                    writer.full(kind, 0, 0, |writer| writer.u32(0));
                }
                writer.full(b"stsz", 0, 0, |writer| writer.zeros(8));
            });
        });
    });
}

fn sample_entry(writer: &mut Writer, track: &Track<'_>) {
    match *track {
        Track::Video { width, height, sequence_parameters, picture_parameters } => writer.boxed(b"avc1", |writer| {
            writer.zeros(6);
            writer.u16(1); // data reference
            writer.zeros(16);
            writer.u16(width);
            writer.u16(height);
            writer.u32(0x48_0000); // 72 dots per inch
            writer.u32(0x48_0000);
            writer.u32(0);
            writer.u16(1); // a frame in each sample
            writer.zeros(32); // no name of the compressor
            writer.u16(0x18); // depth
            writer.u16(0xffff);
            writer.boxed(b"avcC", |writer| avc_configuration(writer, sequence_parameters, picture_parameters));
        }),
        Track::Audio { sample_rate, channels, config } => writer.boxed(b"mp4a", |writer| {
            writer.zeros(6);
            writer.u16(1); // data reference
            writer.zeros(8);
            writer.u16(u16::from(channels));
            writer.u16(16); // bits
            writer.u32(0);
            // In 16.16; rates that do not fit are said by the configuration alone.
            writer.u32(u16::try_from(sample_rate).map_or(0, |rate| u32::from(rate) << 16));
            writer.full(b"esds", 0, 0, |writer| elementary_stream_descriptor(writer, config));
        }),
    }
}

/// ISO/IEC 14496-15, 5.3.3.1.
fn avc_configuration(writer: &mut Writer, sequence_parameters: &[u8], picture_parameters: &[u8]) {
    writer.u8(1);
    // Profile, constraints and level, as in the parameter set itself.
    writer.bytes(sequence_parameters.get(1..4).unwrap_or(&[0; 3]));
    writer.u8(0xff); // lengths of four bytes
    writer.u8(0xe1); // one sequence parameter set
    writer.u16(sequence_parameters.len() as u16);
    writer.bytes(sequence_parameters);
    writer.u8(1);
    writer.u16(picture_parameters.len() as u16);
    writer.bytes(picture_parameters);
    if sequence_parameters.get(1).is_some_and(|profile| matches!(profile, 100 | 110 | 122 | 144)) {
        // 4:2:0 in 8 bits, without extensions: what transport streams for the web carry.
        writer.bytes(&[0xfc | 1, 0xf8, 0xf8, 0]);
    }
}

/// ISO/IEC 14496-1, 7.2.6.5.
fn elementary_stream_descriptor(writer: &mut Writer, config: [u8; 2]) {
    let specific = [0x05, config.len() as u8, config[0], config[1]];
    let decoder_bytes = 13 + specific.len();
    writer.bytes(&[0x03, (3 + 2 + decoder_bytes + 3) as u8]);
    writer.u16(TRACK_ID as u16);
    writer.u8(0);
    writer.bytes(&[0x04, decoder_bytes as u8]);
    writer.u8(0x40); // MPEG-4 audio
    writer.u8(0x15); // an audio stream
    writer.zeros(3 + 4 + 4); // buffer and bit rates unknown
    writer.bytes(&specific);
    writer.bytes(&[0x06, 1, 2]);
}

/// A media segment: one fragment of these samples, beginning at `decode_time`, whose bytes are `data`.
pub(crate) fn segment(sequence: u32, decode_time: u64, samples: &[Sample], data: &[u8]) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(data.len() + samples.len() * 16 + 256));
    writer.boxed(b"styp", |writer| {
        writer.bytes(b"msdh");
        writer.u32(0);
        writer.bytes(b"msdhcmfs");
    });
    let moof = writer.0.len();
    let mut data_offset_at = 0;
    writer.boxed(b"moof", |writer| {
        writer.full(b"mfhd", 0, 0, |writer| writer.u32(sequence));
        writer.boxed(b"traf", |writer| {
            // Offsets count from this moof.
            writer.full(b"tfhd", 0, 0x02_0000, |writer| writer.u32(TRACK_ID));
            writer.full(b"tfdt", 1, 0, |writer| writer.u64(decode_time));
            // Data offset; duration, size, flags and signed composition offset of each sample.
            writer.full(b"trun", 1, 0x0f01, |writer| {
                writer.u32(samples.len() as u32);
                data_offset_at = writer.0.len();
                writer.u32(0);
                for sample in samples {
                    writer.u32(sample.duration);
                    writer.u32(sample.bytes);
                    writer.u32(if sample.sync { SYNC_SAMPLE } else { OTHER_SAMPLE });
                    writer.bytes(&sample.composition_offset.to_be_bytes());
                }
            });
        });
    });
    let data_offset = (writer.0.len() - moof + 8) as u32;
    writer.0[data_offset_at..data_offset_at + 4].copy_from_slice(&data_offset.to_be_bytes());
    writer.boxed(b"mdat", |writer| writer.bytes(data));
    writer.0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// The boxes at one level: kind and body.
    fn boxes(mut bytes: &[u8]) -> Vec<(String, &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            found.push((String::from_utf8(bytes[4..8].to_vec()).unwrap(), &bytes[8..size]));
            bytes = &bytes[size..];
        }
        found
    }

    #[test]
    fn sizes_and_offsets_agree() {
        let samples = [
            Sample { bytes: 3, duration: 3000, composition_offset: 0, sync: true },
            Sample { bytes: 2, duration: 3000, composition_offset: -3000, sync: false },
        ];
        let file = segment(7, 1 << 40, &samples, b"abcde");
        let top = boxes(&file);
        assert_eq!(top.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["styp", "moof", "mdat"]);
        let moof = boxes(top[1].1);
        let traf = boxes(moof[1].1);
        assert_eq!(traf.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["tfhd", "tfdt", "trun"]);
        let offset = u32::from_be_bytes(traf[2].1[8..12].try_into().unwrap()) as usize;
        let moof_start = 8 + top[0].1.len();
        assert_eq!(&file[moof_start + offset..], b"abcde");
    }
}
