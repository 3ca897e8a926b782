//! Writes HLS playlists (RFC 8216), for transport streams and for fragmented MP4. Pure.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::{
    codec::Range,
    facts::{Alternative, Facts, TICKS_PER_SECOND},
    model::Package,
    presentation::{Chosen, Content, Output, Role, Stream},
};

/// The name of a stream's segment.
pub(crate) fn segment_name(manifest: &str, stream: &Stream, index: usize) -> String {
    format!("{manifest}_{}_{index}.{}", stream.number, stream.extension())
}

/// Key frame playlists need version 4, fragmented MP4 7 (RFC 8216, section 7).
fn version(stream: &Stream, key_frames: bool) -> u8 {
    match (stream.content, key_frames) {
        (Content::Fragmented(_), _) => 7,
        (_, true) => 4,
        _ => 3,
    }
}

fn header(manifest: &str, stream: &Stream, outputs: &[Output], key_frames: bool) -> String {
    let mut text = String::with_capacity(256 + 64 * outputs.len());
    let _ = write!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        version(stream, key_frames),
        stream.target_seconds()
    );
    if key_frames {
        text.push_str("#EXT-X-I-FRAMES-ONLY\n");
    } else if !matches!(stream.role, Role::Subtitles { .. }) {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    if stream.init.is_some() {
        let _ = writeln!(text, "#EXT-X-MAP:URI=\"{manifest}_{}_init.mp4\"", stream.number);
    }
    text
}

/// How often a playlist tells the time of day, and from when on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeOfDay {
    pub every_seconds: u32,
    pub begun_at: Timestamp,
}

/// The playlist of a stream.
pub(crate) fn media(manifest: &str, stream: &Stream, time_of_day: Option<TimeOfDay>) -> String {
    let mut text = header(manifest, stream, &stream.outputs, false);
    let mut told_at = None;
    for (index, output) in stream.outputs.iter().enumerate() {
        let start = stream.seconds(output.start);
        if let Some(time) = time_of_day
            && told_at.is_none_or(|told: f64| start - told >= f64::from(time.every_seconds))
        {
            let moment = time.begun_at.saturating_add(SignedDuration::from_secs_f64(start));
            if let Ok(moment) = moment {
                let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{moment:.3}");
            }
            told_at = Some(start);
        }
        let name = segment_name(manifest, stream, index);
        let _ = write!(text, "#EXTINF:{:.6},\n{name}\n", stream.seconds(output.duration));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// The playlist of a stream's key frames: a file for each.
pub(crate) fn key_frames(manifest: &str, stream: &Stream) -> Option<String> {
    let outputs = stream.key_frames.as_ref()?;
    let mut text = header(manifest, stream, outputs, true);
    for (index, output) in outputs.iter().enumerate() {
        let duration = stream.seconds(output.duration);
        let (number, extension) = (stream.number, stream.extension());
        let _ = write!(text, "#EXTINF:{duration:.6},\n{manifest}_{number}_iframes_{index}.{extension}\n");
    }
    text.push_str("#EXT-X-ENDLIST\n");
    Some(text)
}

/// The parent playlist.
pub(crate) fn parent(facts: &Facts, package: &Package, chosen: &Chosen<'_>) -> String {
    let manifest = package.manifest_name();
    let versions = chosen.streams.iter().map(|stream| version(stream, false));
    let key_frame_versions = chosen.key_frames.iter().map(|stream| version(stream, true));
    let version = versions.chain(key_frame_versions).max().unwrap_or(3);
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for stream in &chosen.streams {
        match &stream.role {
            Role::Audio { rendition, label } => {
                let channels = facts.renditions[*rendition].sound.as_ref().map(|sound| sound.channels);
                write_alternative(&mut text, "AUDIO", label, channels, Some((manifest, stream.number)));
            }
            Role::Subtitles { label, .. } => {
                write_alternative(&mut text, "SUBTITLES", label, None, Some((manifest, stream.number)));
            }
            Role::Variant { .. } => {}
        }
    }
    // The sound in the variants themselves belongs to its group, without an address of its own.
    let joined = chosen
        .streams
        .iter()
        .any(|stream| stream.content == Content::Joined && matches!(stream.role, Role::Variant { sound: Some(_), .. }));
    if let Some(label) = facts.embedded_sound.as_ref().filter(|_| joined) {
        write_alternative(&mut text, "AUDIO", label, None, None);
    }
    for stream in &chosen.streams {
        if let Role::Variant { audio_groups, .. } = &stream.role {
            let there: Vec<&String> =
                audio_groups.iter().filter(|group| sounds(chosen, group).next().is_some()).collect();
            if there.is_empty() {
                write_variant(&mut text, facts, manifest, chosen, stream, None);
            }
            for group in there {
                write_variant(&mut text, facts, manifest, chosen, stream, Some(group));
            }
        }
    }
    for stream in &chosen.key_frames {
        let Some(picture) = &facts.renditions[stream.rendition()].picture else { continue };
        let _ = writeln!(
            text,
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},CODECS=\"{}\",RESOLUTION={}x{}{},URI=\"{manifest}_{}_iframes.m3u8\"",
            stream.key_frames_bandwidth(),
            picture.name,
            picture.width,
            picture.height,
            range(picture.range),
            stream.number
        );
    }
    text
}

/// The streams of sound in a group.
fn sounds<'a>(chosen: &'a Chosen<'_>, group: &'a str) -> impl Iterator<Item = &'a Stream> {
    chosen
        .streams
        .iter()
        .copied()
        .filter(move |stream| matches!(&stream.role, Role::Audio { label, .. } if label.group == group))
}

fn range(range: Range) -> &'static str {
    match range {
        Range::Standard => "",
        Range::PerceptualQuantizer => ",VIDEO-RANGE=PQ",
        Range::HybridLogGamma => ",VIDEO-RANGE=HLG",
    }
}

fn write_variant(
    text: &mut String,
    facts: &Facts,
    manifest: &str,
    chosen: &Chosen<'_>,
    stream: &Stream,
    group: Option<&str>,
) {
    let Role::Variant { rendition, sound, subtitles_group, .. } = &stream.role else { return };
    let Some(picture) = &facts.renditions[*rendition].picture else { return };
    let group_streams: Vec<&Stream> = group.into_iter().flat_map(|group| sounds(chosen, group)).collect();
    let sound = group_streams.iter().find_map(|stream| stream.sound()).or(*sound);
    let sound = sound.and_then(|index| facts.renditions[index].sound.as_ref());
    // A player may fetch the variant and any one of the group's renditions.
    let most = |rate: fn(&Stream) -> u64| group_streams.iter().map(|stream| rate(stream)).max().unwrap_or(0);
    let peak = stream.peak_bandwidth() + most(Stream::peak_bandwidth);
    let average = stream.average_bandwidth() + most(Stream::average_bandwidth);
    let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}", picture.name);
    if let Some(sound) = sound {
        let _ = write!(text, ",{}", sound.name);
    }
    let _ = write!(text, "\",RESOLUTION={}x{}", picture.width, picture.height);
    if picture.frame_ticks > 0.0 {
        let _ = write!(text, ",FRAME-RATE={:.3}", TICKS_PER_SECOND as f64 / picture.frame_ticks);
    }
    text.push_str(range(picture.range));
    write_quoted(text, "AUDIO", group);
    let has_subtitles = chosen.streams.iter().any(
        |other| matches!(&other.role, Role::Subtitles { label, .. } if Some(&label.group) == subtitles_group.as_ref()),
    );
    write_quoted(text, "SUBTITLES", subtitles_group.as_deref().filter(|_| has_subtitles));
    let _ = write!(text, "\n{manifest}_{}.m3u8\n", stream.number);
}

fn write_alternative(
    text: &mut String,
    kind: &str,
    label: &Alternative,
    channels: Option<u8>,
    address: Option<(&str, usize)>,
) {
    let yes = |value: bool| if value { "YES" } else { "NO" };
    let _ = write!(text, "#EXT-X-MEDIA:TYPE={kind}");
    write_quoted(text, "GROUP-ID", Some(&label.group));
    write_quoted(text, "NAME", Some(&label.name));
    write_quoted(text, "LANGUAGE", label.language.as_deref());
    let _ = write!(text, ",DEFAULT={},AUTOSELECT={}", yes(label.default), yes(label.autoselect));
    if label.forced {
        text.push_str(",FORCED=YES");
    }
    if let Some(channels) = channels {
        let _ = write!(text, ",CHANNELS=\"{channels}\"");
    }
    write_quoted(text, "CHARACTERISTICS", label.characteristics.as_deref());
    if let Some((manifest, number)) = address {
        let _ = write!(text, ",URI=\"{manifest}_{number}.m3u8\"");
    }
    text.push('\n');
}

/// An attribute in quotes. Quotes and line ends cannot be in a value that was read from a playlist.
fn write_quoted(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(text, ",{name}=\"{value}\"");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::{
        codec::{PictureCodec, SoundCodec},
        facts::{Container, File, Kind, Picture, PictureSpan, Rendition, Segment, Sound, SoundSpan},
        model::{HlsManifest, HlsPackage, StreamOrder, StreamSelection},
        presentation::{self, NotPresentable, Presentation},
    };

    fn rendition(number: usize, declared_bandwidth: u64, height: u32, sizes: &[u64]) -> Rendition {
        let segment = |(index, size): (usize, &u64)| Segment {
            file: index,
            duration_ticks: 180_180,
            picture: Some(PictureSpan {
                pts: 900_000 + index as u64 * 180_180,
                dts: 900_000 + index as u64 * 180_180,
                frames: 60,
                bytes: size * 9 / 10,
                key_frame_bytes: size / 10,
                head_bytes: size / 10,
                located: Vec::new(),
            }),
            sound: Some(SoundSpan {
                pts: 900_000 + index as u64 * 180_180,
                frames: 94,
                bytes: size / 20,
                located: Vec::new(),
            }),
            payload_packets: Vec::new(),
        };
        Rendition {
            number,
            kind: Kind::Variant { declared_bandwidth, audio_group: None, subtitles_group: None },
            container: Container::TransportStream,
            picture: Some(Picture {
                codec: PictureCodec::H264,
                name: "avc1.4d401e".into(),
                width: height * 16 / 9,
                height,
                frame_ticks: 3003.0,
                range: Range::Standard,
                colour: None,
                configuration: Some(vec![1]),
                sets: Vec::new(),
            }),
            sound: Some(Sound {
                codec: SoundCodec::Aac,
                name: "mp4a.40.2".into(),
                sample_rate: 48_000,
                channels: 2,
                frame_samples: 1024,
                configuration: vec![0x11, 0x90],
            }),
            continuous: true,
            files: sizes
                .iter()
                .map(|&size_bytes| File {
                    key: String::new(),
                    etag: String::new(),
                    path: Default::default(),
                    size_bytes,
                })
                .collect(),
            segments: sizes.iter().enumerate().map(segment).collect(),
        }
    }

    fn facts() -> Facts {
        Facts {
            bucket: "b".into(),
            renditions: vec![
                rendition(1, 1_000_000, 360, &[1_000, 2_000, 3_000, 4_000, 500]),
                rendition(2, 3_000_000, 720, &[10_000, 20_000, 30_000, 40_000, 5_000]),
            ],
            embedded_sound: None,
        }
    }

    fn package(seconds: u32, selection: StreamSelection, key_frames: bool) -> Package {
        Package::Hls(HlsPackage {
            segment_duration_seconds: Some(seconds),
            hls_manifests: vec![HlsManifest {
                stream_selection: Some(selection),
                include_iframe_only_stream: Some(key_frames),
                ..HlsManifest::default()
            }],
            ..HlsPackage::default()
        })
    }

    fn present(package: &Package) -> Result<Presentation, NotPresentable> {
        presentation::present(&facts(), package)
    }

    #[test]
    fn segments_are_the_nearest_multiple_of_the_sources() {
        for (wanted, lengths) in [(1, vec![1; 5]), (2, vec![1; 5]), (5, vec![2, 2, 1]), (6, vec![3, 2]), (30, vec![5])]
        {
            let presentation = present(&package(wanted, StreamSelection::default(), false)).unwrap();
            let made: Vec<usize> =
                presentation.streams[0].outputs.iter().map(|output| output.to - output.from).collect();
            assert_eq!(made, lengths, "{wanted} s");
        }
    }

    #[test]
    fn a_media_playlist_adds_up() {
        let presentation = present(&package(4, StreamSelection::default(), true)).unwrap();
        let begun_at = "2026-01-02T03:04:05Z".parse().unwrap();
        expect_test::expect![[r#"
            #EXTM3U
            #EXT-X-VERSION:3
            #EXT-X-TARGETDURATION:4
            #EXT-X-MEDIA-SEQUENCE:0
            #EXT-X-PLAYLIST-TYPE:VOD
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z
            #EXTINF:4.004000,
            index_1_0.ts
            #EXTINF:4.004000,
            index_1_1.ts
            #EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:13.008Z
            #EXTINF:2.002000,
            index_1_2.ts
            #EXT-X-ENDLIST
        "#]]
        .assert_eq(&media("index", &presentation.streams[0], Some(TimeOfDay { every_seconds: 5, begun_at })));
        let key_frames = key_frames("index", &presentation.streams[0]).unwrap();
        assert!(key_frames.contains("#EXTINF:2.002000,\nindex_1_iframes_4.ts\n"), "{key_frames}");
    }

    #[test]
    fn a_parent_playlist_says_what_is_true_of_the_output() {
        let package = package(4, StreamSelection::default(), false);
        let presentation = present(&package).unwrap();
        expect_test::expect![[r#"
            #EXTM3U
            #EXT-X-VERSION:3
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXT-X-STREAM-INF:BANDWIDTH=13987,AVERAGE-BANDWIDTH=8392,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970
            index_1.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=139861,AVERAGE-BANDWIDTH=83917,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970
            index_2.m3u8
        "#]]
        .assert_eq(&parent(&facts(), &package, &Chosen::all(&presentation)));
    }

    fn check_selection(selection: StreamSelection, expected: Result<&[usize], NotPresentable>) {
        let numbers = present(&package(6, selection, false))
            .map(|presentation| presentation.streams.iter().map(|stream| stream.number).collect::<Vec<_>>());
        assert_eq!(numbers.as_deref().map_err(|error| *error), expected);
    }

    #[test]
    fn stream_selection_is_honoured() {
        let descending = Some(StreamOrder::VideoBitrateDescending);
        check_selection(StreamSelection { stream_order: descending, ..Default::default() }, Ok(&[2, 1]));
        check_selection(StreamSelection { max_video_bits_per_second: Some(2_000_000), ..Default::default() }, Ok(&[1]));
        check_selection(StreamSelection { min_video_bits_per_second: Some(2_000_000), ..Default::default() }, Ok(&[2]));
        check_selection(
            StreamSelection { min_video_bits_per_second: Some(9_000_000), ..Default::default() },
            Err(NotPresentable::NothingSelected),
        );
    }
}
