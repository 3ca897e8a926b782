//! Writes HLS playlists (RFC 8216) from the facts of an asset.

use std::fmt::Write as _;

use crate::{
    facts::{Alternative, Facts, Kind, Rendition, TICKS_PER_SECOND},
    model::HlsPackage,
    presentation::{Content, NotPresentable, Output, Presentation, Stream, select},
};

/// One rendition of a presentation.
struct Chosen {
    rendition: usize,
    number: usize,
    with_key_frames: bool,
    outputs: Vec<Output>,
}

/// The name of a rendition's playlist.
fn media_name(manifest: &str, number: usize) -> String {
    format!("{manifest}_{number}.m3u8")
}

fn key_frames_name(manifest: &str, number: usize) -> String {
    format!("{manifest}_{number}_iframes.m3u8")
}

fn segment_name(manifest: &str, number: usize, index: usize, extension: &str) -> String {
    format!("{manifest}_{number}_{index}.{extension}")
}

/// Writes all playlists of an asset for one configuration.
pub(crate) fn present(facts: &Facts, package: &HlsPackage) -> Result<Presentation, NotPresentable> {
    let manifest = package.manifest();
    let name = manifest.name();
    let mut selected = select(facts, manifest.stream_selection.as_ref())?;
    // Alternative renditions come along with whichever variants refer to them.
    selected.extend(
        (0..facts.renditions.len()).filter(|index| !matches!(facts.renditions[*index].kind, Kind::Variant { .. })),
    );
    let chosen: Vec<Chosen> = selected
        .into_iter()
        .map(|index| {
            let rendition = &facts.renditions[index];
            Chosen {
                rendition: index,
                number: rendition.number,
                with_key_frames: manifest.include_iframe_only_stream.unwrap_or(false) && rendition.video.is_some(),
                outputs: outputs(rendition, package.segment_duration_seconds()),
            }
        })
        .collect();
    let parent = parent_playlist(name, facts, &chosen);
    let streams = chosen.into_iter().map(|chosen| {
        let rendition = &facts.renditions[chosen.rendition];
        Stream {
            number: chosen.number,
            media: Some(media_playlist(name, rendition, &chosen.outputs)),
            key_frames: chosen.with_key_frames.then(|| key_frames_playlist(name, rendition, &chosen.outputs)),
            content: Content::Joined { rendition: chosen.rendition, outputs: chosen.outputs },
        }
    });
    Ok(Presentation { parent, streams: streams.collect() })
}

fn outputs(rendition: &Rendition, wanted_seconds: u32) -> Vec<Output> {
    // Subtitle segments are files of their own kind and cannot be joined byte by byte.
    let multiple =
        if matches!(rendition.kind, Kind::Subtitles(_)) { 1 } else { rendition.segments_per_output(wanted_seconds) };
    let mut from = 0;
    rendition
        .segments
        .chunks(multiple)
        .map(|sources| {
            let output = Output {
                from,
                to: from + sources.len(),
                size_bytes: sources.iter().map(|segment| segment.size_bytes).sum(),
                duration_ticks: sources.iter().map(|segment| segment.duration_ticks).sum(),
            };
            from = output.to;
            output
        })
        .collect()
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND as f64
}

/// The target duration: each segment's duration, rounded to the nearest second, is at most this (RFC 8216, 4.3.3.1).
fn target_duration(outputs: &[Output]) -> u64 {
    outputs.iter().map(|output| seconds(output.duration_ticks).round() as u64).max().unwrap_or(1).max(1)
}

fn header(version: u8, outputs: &[Output]) -> String {
    let mut text = String::with_capacity(128 + 48 * outputs.len());
    let target = target_duration(outputs);
    let _ = write!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    );
    text
}

fn media_playlist(manifest: &str, rendition: &Rendition, outputs: &[Output]) -> String {
    let mut text = header(3, outputs);
    if rendition.video.is_some() {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    let extension = extension(rendition);
    for (index, output) in outputs.iter().enumerate() {
        let name = segment_name(manifest, rendition.number, index, extension);
        let _ = write!(text, "#EXTINF:{:.6},\n{name}\n", seconds(output.duration_ticks));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// One entry for every key frame that begins a source segment: a range of the output segment that holds it.
fn key_frames_playlist(manifest: &str, rendition: &Rendition, outputs: &[Output]) -> String {
    let mut text = header(4, outputs);
    text.push_str("#EXT-X-I-FRAMES-ONLY\n");
    for (index, output) in outputs.iter().enumerate() {
        let name = segment_name(manifest, rendition.number, index, extension(rendition));
        let mut offset = 0;
        for segment in &rendition.segments[output.from..output.to] {
            let duration = seconds(segment.duration_ticks);
            let length = segment.key_frame_bytes;
            let _ = write!(text, "#EXTINF:{duration:.6},\n#EXT-X-BYTERANGE:{length}@{offset}\n{name}\n");
            offset += segment.size_bytes;
        }
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

fn extension(rendition: &Rendition) -> &'static str {
    if matches!(rendition.kind, Kind::Subtitles(_)) { "vtt" } else { "ts" }
}

/// The peak bit rate: the largest of any run of segments lasting at least half the target duration (RFC 8216, 4.3.4.2).
fn peak_bandwidth(outputs: &[Output]) -> u64 {
    let least = TICKS_PER_SECOND * target_duration(outputs) / 2;
    let mut peak = 0;
    for start in 0..outputs.len() {
        let (mut bytes, mut ticks) = (0, 0);
        for output in &outputs[start..] {
            bytes += output.size_bytes;
            ticks += output.duration_ticks;
            if ticks >= least {
                break;
            }
        }
        // A tail shorter than half the target says nothing of the rate, unless it is all there is.
        if ticks >= least || start == 0 {
            peak = peak.max(bits_per_second(bytes, ticks));
        }
    }
    peak
}

fn average_bandwidth(outputs: &[Output]) -> u64 {
    bits_per_second(
        outputs.iter().map(|output| output.size_bytes).sum(),
        outputs.iter().map(|output| output.duration_ticks).sum(),
    )
}

fn bits_per_second(bytes: u64, ticks: u64) -> u64 {
    (bytes * 8 * TICKS_PER_SECOND).div_ceil(ticks.max(1))
}

fn parent_playlist(manifest: &str, facts: &Facts, streams: &[Chosen]) -> String {
    let with_key_frames = streams.iter().any(|stream| stream.with_key_frames);
    let mut text =
        format!("#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n", if with_key_frames { 4 } else { 3 });
    for stream in streams {
        match &facts.renditions[stream.rendition].kind {
            Kind::Audio(alternative) => write_alternative(&mut text, "AUDIO", manifest, stream, alternative),
            Kind::Subtitles(alternative) => write_alternative(&mut text, "SUBTITLES", manifest, stream, alternative),
            Kind::Variant { .. } => {}
        }
    }
    for stream in streams {
        let rendition = &facts.renditions[stream.rendition];
        let (Kind::Variant { audio_group, subtitles_group, .. }, Some(video)) = (&rendition.kind, &rendition.video)
        else {
            continue;
        };
        let group: Vec<&Chosen> = streams
            .iter()
            .filter(|other| match &facts.renditions[other.rendition].kind {
                Kind::Audio(alternative) => Some(&alternative.group) == audio_group.as_ref(),
                _ => false,
            })
            .collect();
        let sound = group
            .iter()
            .find_map(|other| facts.renditions[other.rendition].audio.as_ref())
            .or(rendition.audio.as_ref());
        // A player may fetch the variant and any one of the group's renditions.
        let peak = peak_bandwidth(&stream.outputs)
            + group.iter().map(|other| peak_bandwidth(&other.outputs)).max().unwrap_or(0);
        let average = average_bandwidth(&stream.outputs)
            + group.iter().map(|other| average_bandwidth(&other.outputs)).max().unwrap_or(0);
        let codecs = match sound {
            Some(audio) => format!("{},{}", video.codec, audio.codec),
            None => video.codec.clone(),
        };
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\",RESOLUTION={}x{}",
            video.width, video.height
        );
        if video.frame_ticks > 0.0 {
            let _ = write!(text, ",FRAME-RATE={:.3}", TICKS_PER_SECOND as f64 / video.frame_ticks);
        }
        if !group.is_empty() {
            write_quoted(&mut text, "AUDIO", audio_group.as_deref());
        }
        write_quoted(&mut text, "SUBTITLES", subtitles_group.as_deref());
        let _ = write!(text, "\n{}\n", media_name(manifest, stream.number));
    }
    for stream in streams.iter().filter(|stream| stream.with_key_frames) {
        let rendition = &facts.renditions[stream.rendition];
        let Some(video) = &rendition.video else { continue };
        let key_frames: Vec<Output> = rendition
            .segments
            .iter()
            .enumerate()
            .map(|(index, segment)| Output {
                from: index,
                to: index + 1,
                size_bytes: segment.key_frame_bytes,
                duration_ticks: segment.duration_ticks,
            })
            .collect();
        let _ = writeln!(
            text,
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},CODECS=\"{}\",RESOLUTION={}x{},URI=\"{}\"",
            peak_bandwidth(&key_frames),
            video.codec,
            video.width,
            video.height,
            key_frames_name(manifest, stream.number)
        );
    }
    text
}

fn write_alternative(text: &mut String, kind: &str, manifest: &str, stream: &Chosen, alternative: &Alternative) {
    let yes = |value: bool| if value { "YES" } else { "NO" };
    let _ = write!(text, "#EXT-X-MEDIA:TYPE={kind}");
    write_quoted(text, "GROUP-ID", Some(&alternative.group));
    write_quoted(text, "NAME", Some(&alternative.name));
    write_quoted(text, "LANGUAGE", alternative.language.as_deref());
    let _ = write!(text, ",DEFAULT={},AUTOSELECT={}", yes(alternative.default), yes(alternative.autoselect));
    if alternative.forced {
        text.push_str(",FORCED=YES");
    }
    write_quoted(text, "CHARACTERISTICS", alternative.characteristics.as_deref());
    let _ = writeln!(text, ",URI=\"{}\"", media_name(manifest, stream.number));
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
        facts::{Audio, Segment, Video},
        model::{HlsManifest, StreamOrder, StreamSelection},
    };

    fn rendition(number: usize, declared_bandwidth: u64, height: u32, sizes: &[u64]) -> Rendition {
        Rendition {
            number,
            kind: Kind::Variant { declared_bandwidth, audio_group: None, subtitles_group: None },
            video: Some(Video {
                codec: "avc1.4d401e".into(),
                width: height * 16 / 9,
                height,
                frame_ticks: 3003.0,
                parameter_sets: None,
            }),
            audio: Some(Audio { codec: "mp4a.40.2".into(), aac: None }),
            continuous: true,
            segments: sizes
                .iter()
                .map(|&size_bytes| Segment {
                    key: String::new(),
                    etag: String::new(),
                    path: Default::default(),
                    size_bytes,
                    duration_ticks: 180_180,
                    video: None,
                    audio: None,
                    key_frame_bytes: size_bytes / 10,
                    payload_packets: Vec::new(),
                })
                .collect(),
        }
    }

    fn outputs_of(stream: &Stream) -> &[Output] {
        match &stream.content {
            Content::Joined { outputs, .. } => outputs,
            Content::Track(_) => &[],
        }
    }

    fn facts() -> Facts {
        Facts {
            bucket: "b".into(),
            renditions: vec![
                rendition(1, 1_000_000, 360, &[1_000, 2_000, 3_000, 4_000, 500]),
                rendition(2, 3_000_000, 720, &[10_000, 20_000, 30_000, 40_000, 5_000]),
            ],
        }
    }

    fn package(seconds: u32, selection: StreamSelection, key_frames: bool) -> HlsPackage {
        HlsPackage {
            segment_duration_seconds: Some(seconds),
            hls_manifests: vec![HlsManifest {
                stream_selection: Some(selection),
                include_iframe_only_stream: Some(key_frames),
                ..HlsManifest::default()
            }],
            ..HlsPackage::default()
        }
    }

    #[test]
    fn segments_are_the_nearest_multiple_of_the_sources() {
        for (wanted, lengths) in [(1, vec![1; 5]), (2, vec![1; 5]), (5, vec![2, 2, 1]), (6, vec![3, 2]), (30, vec![5])]
        {
            let presentation = present(&facts(), &package(wanted, StreamSelection::default(), false)).unwrap();
            let made: Vec<usize> =
                outputs_of(&presentation.streams[0]).iter().map(|output| output.to - output.from).collect();
            assert_eq!(made, lengths, "{wanted} s");
        }
    }

    #[test]
    fn a_media_playlist_adds_up() {
        let presentation = present(&facts(), &package(4, StreamSelection::default(), true)).unwrap();
        expect_test::expect![[r#"
            #EXTM3U
            #EXT-X-VERSION:3
            #EXT-X-TARGETDURATION:4
            #EXT-X-MEDIA-SEQUENCE:0
            #EXT-X-PLAYLIST-TYPE:VOD
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXTINF:4.004000,
            index_1_0.ts
            #EXTINF:4.004000,
            index_1_1.ts
            #EXTINF:2.002000,
            index_1_2.ts
            #EXT-X-ENDLIST
        "#]]
        .assert_eq(presentation.streams[0].media.as_deref().unwrap());
        let key_frames = presentation.streams[0].key_frames.as_deref().unwrap();
        assert!(key_frames.contains("#EXT-X-BYTERANGE:200@1000\nindex_1_0.ts\n"), "{key_frames}");
    }

    #[test]
    fn a_parent_playlist_says_what_is_true_of_the_output() {
        let presentation = present(&facts(), &package(4, StreamSelection::default(), false)).unwrap();
        expect_test::expect![[r#"
            #EXTM3U
            #EXT-X-VERSION:3
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXT-X-STREAM-INF:BANDWIDTH=13987,AVERAGE-BANDWIDTH=8392,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970
            index_1.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=139861,AVERAGE-BANDWIDTH=83917,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970
            index_2.m3u8
        "#]]
        .assert_eq(&presentation.parent);
    }

    fn check_selection(selection: StreamSelection, expected: Result<&[usize], NotPresentable>) {
        let numbers = present(&facts(), &package(6, selection, false))
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
