//! Writes fragmented MP4 (ISO/IEC 14496-12, CMAF: ISO/IEC 23000-19): the initialisation and the media segments of one track.

use crate::{
    codec::{PictureCodec, SoundCodec},
    facts::{Picture, Sound},
};

/// What a track is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Track<'a> {
    /// A picture, and the body of its `avcC` or `hvcC` box.
    Picture(&'a Picture, &'a [u8]),
    Sound(&'a Sound),
    /// TTML.
    Text,
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

/// The initialisation segment. The language is of ISO 639-2; others are left undetermined.
pub(crate) fn init(track: Track<'_>, timescale: u32, language: Option<&str>) -> Vec<u8> {
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
        writer.boxed(b"trak", |writer| trak(writer, track, timescale, language));
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

fn trak(writer: &mut Writer, track: Track<'_>, timescale: u32, language: Option<&str>) {
    let (width, height) = match track {
        Track::Picture(picture, _) => (picture.width, picture.height),
        Track::Sound(_) | Track::Text => (0, 0),
    };
    // Enabled, and in the presentation.
    writer.full(b"tkhd", 0, 3, |writer| {
        writer.zeros(8);
        writer.u32(TRACK_ID);
        writer.zeros(8 + 8 + 4);
        writer.u16(if matches!(track, Track::Sound(_)) { 0x0100 } else { 0 }); // volume
        writer.u16(0);
        writer.unity_matrix();
        writer.u32(width << 16);
        writer.u32(height << 16);
    });
    writer.boxed(b"mdia", |writer| {
        writer.full(b"mdhd", 0, 0, |writer| {
            writer.zeros(8);
            writer.u32(timescale);
            writer.u32(0);
            writer.u16(packed_language(language));
            writer.u16(0);
        });
        writer.full(b"hdlr", 0, 0, |writer| {
            writer.u32(0);
            writer.bytes(match track {
                Track::Picture(..) => b"vide",
                Track::Sound(_) => b"soun",
                Track::Text => b"subt",
            });
            writer.zeros(12);
            writer.bytes(b"vodline\0");
        });
        writer.boxed(b"minf", |writer| {
            match track {
                Track::Picture(..) => writer.full(b"vmhd", 0, 1, |writer| writer.zeros(8)),
                Track::Sound(_) => writer.full(b"smhd", 0, 0, |writer| writer.zeros(4)),
                Track::Text => writer.full(b"sthd", 0, 0, |_| {}),
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

/// Three letters of five bits.
fn packed_language(language: Option<&str>) -> u16 {
    let letters = language.map(str::as_bytes).filter(|letters| letters.iter().all(u8::is_ascii_lowercase));
    match letters {
        Some(&[a, b, c]) => [a, b, c].iter().fold(0, |packed, letter| packed << 5 | u16::from(letter - 0x60)),
        _ => 0x55c4, // undetermined
    }
}

fn sample_entry(writer: &mut Writer, track: Track<'_>) {
    match track {
        Track::Picture(picture, configuration) => {
            let (entry, record) = match picture.codec {
                PictureCodec::H264 => (b"avc1", b"avcC"),
                PictureCodec::H265 => (b"hvc1", b"hvcC"),
            };
            writer.boxed(entry, |writer| {
                writer.zeros(6);
                writer.u16(1); // data reference
                writer.zeros(16);
                writer.u16(picture.width as u16);
                writer.u16(picture.height as u16);
                writer.u32(0x48_0000); // 72 dots per inch
                writer.u32(0x48_0000);
                writer.u32(0);
                writer.u16(1); // a frame in each sample
                writer.zeros(32); // no name of the compressor
                writer.u16(0x18); // depth
                writer.u16(0xffff);
                writer.boxed(record, |writer| writer.bytes(configuration));
                if let Some([primaries, transfer, matrix, full_range]) = picture.colour {
                    writer.boxed(b"colr", |writer| {
                        writer.bytes(b"nclx");
                        for code in [primaries, transfer, matrix] {
                            writer.u16(u16::from(code));
                        }
                        writer.u8(full_range << 7);
                    });
                }
            });
        }
        Track::Sound(sound) => {
            let entry = match sound.codec {
                SoundCodec::Aac => b"mp4a",
                SoundCodec::Ac3 => b"ac-3",
                SoundCodec::EAc3 => b"ec-3",
            };
            writer.boxed(entry, |writer| {
                writer.zeros(6);
                writer.u16(1); // data reference
                writer.zeros(8);
                writer.u16(u16::from(sound.channels));
                writer.u16(16); // bits
                writer.u32(0);
                // In 16.16; rates that do not fit are said by the configuration alone.
                writer.u32(u16::try_from(sound.sample_rate).map_or(0, |rate| u32::from(rate) << 16));
                match sound.codec {
                    SoundCodec::Aac => writer.full(b"esds", 0, 0, |writer| {
                        elementary_stream_descriptor(writer, &sound.configuration);
                    }),
                    SoundCodec::Ac3 => writer.boxed(b"dac3", |writer| writer.bytes(&sound.configuration)),
                    SoundCodec::EAc3 => writer.boxed(b"dec3", |writer| writer.bytes(&sound.configuration)),
                }
            });
        }
        // ISO/IEC 14496-30, 4.2.
        Track::Text => writer.boxed(b"stpp", |writer| {
            writer.zeros(6);
            writer.u16(1); // data reference
            writer.bytes(b"http://www.w3.org/ns/ttml\0");
            writer.zeros(2); // no schema, no auxiliary types
        }),
    }
}

/// ISO/IEC 14496-1, 7.2.6.5.
fn elementary_stream_descriptor(writer: &mut Writer, configuration: &[u8]) {
    let decoder_bytes = 13 + 2 + configuration.len();
    writer.bytes(&[0x03, (3 + 2 + decoder_bytes + 3) as u8]);
    writer.u16(TRACK_ID as u16);
    writer.u8(0);
    writer.bytes(&[0x04, decoder_bytes as u8]);
    writer.u8(0x40); // MPEG-4 audio
    writer.u8(0x15); // an audio stream
    writer.zeros(3 + 4 + 4); // buffer and bit rates unknown
    writer.bytes(&[0x05, configuration.len() as u8]);
    writer.bytes(configuration);
    writer.bytes(&[0x06, 1, 2]);
}

/// What stands before the samples of a media segment whatever their number: `styp`, `moof` with its fixed parts, and the head
/// of `mdat`.
const HEAD_BYTES: usize = 24 + 8 + 16 + 8 + 16 + 20 + 20 + 8;
/// What each sample adds to it.
const SAMPLE_BYTES: usize = 16;

/// The bytes before the samples of a media segment with so many of them.
pub(crate) fn head_bytes(samples: usize) -> usize {
    HEAD_BYTES + SAMPLE_BYTES * samples
}

/// Writes what stands before the samples of a media segment that begins at `decode_time` into the first bytes of `segment`;
/// the samples themselves are there already. There are [`head_bytes`] for it.
pub(crate) fn write_head(segment: &mut [u8], sequence: u32, decode_time: u64, samples: &[Sample]) {
    let head_bytes = head_bytes(samples.len());
    let data_bytes = segment.len() - head_bytes;
    let mut writer = Writer(Vec::with_capacity(head_bytes));
    writer.boxed(b"styp", |writer| {
        writer.bytes(b"msdh");
        writer.u32(0);
        writer.bytes(b"msdhcmfs");
    });
    writer.boxed(b"moof", |writer| {
        writer.full(b"mfhd", 0, 0, |writer| writer.u32(sequence));
        writer.boxed(b"traf", |writer| {
            // Offsets count from this moof.
            writer.full(b"tfhd", 0, 0x02_0000, |writer| writer.u32(TRACK_ID));
            writer.full(b"tfdt", 1, 0, |writer| writer.u64(decode_time));
            // Data offset; duration, size, flags and signed composition offset of each sample.
            writer.full(b"trun", 1, 0x0f01, |writer| {
                writer.u32(samples.len() as u32);
                writer.u32((head_bytes - 24) as u32);
                for sample in samples {
                    let mut entry = [0; SAMPLE_BYTES];
                    entry[..4].copy_from_slice(&sample.duration.to_be_bytes());
                    entry[4..8].copy_from_slice(&sample.bytes.to_be_bytes());
                    entry[8..12].copy_from_slice(&if sample.sync { SYNC_SAMPLE } else { OTHER_SAMPLE }.to_be_bytes());
                    entry[12..].copy_from_slice(&sample.composition_offset.to_be_bytes());
                    writer.bytes(&entry);
                }
            });
        });
    });
    writer.u32((data_bytes + 8) as u32);
    writer.bytes(b"mdat");
    segment[..head_bytes].copy_from_slice(&writer.0);
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
        let mut file = vec![0; head_bytes(samples.len())];
        file.extend_from_slice(b"abcde");
        write_head(&mut file, 7, 1 << 40, &samples);
        let top = boxes(&file);
        assert_eq!(top.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["styp", "moof", "mdat"]);
        let moof = boxes(top[1].1);
        let traf = boxes(moof[1].1);
        assert_eq!(traf.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["tfhd", "tfdt", "trun"]);
        let offset = u32::from_be_bytes(traf[2].1[8..12].try_into().unwrap()) as usize;
        let moof_start = 8 + top[0].1.len();
        assert_eq!(&file[moof_start + offset..], b"abcde");
    }

    #[test]
    fn languages_are_packed() {
        assert_eq!(packed_language(Some("und")), 0x55c4);
        assert_eq!(packed_language(Some("eng")), 0x15c7);
        assert_eq!(packed_language(Some("en-US")), 0x55c4);
    }
}
