//! HLS playlists. Source: <https://www.rfc-editor.org/rfc/rfc8216>.

use std::fmt::Write;

use crate::{
    job::{DurationFormat, HlsGroup, HlsOutputSelection, StreamInfResolution, TargetDurationMode},
    plan::PlannedOutput,
};

use super::{
    Context, GroupDetail, GroupKind, OutputDetail, Prepared, PublishError, bit_rate,
    h264::ProfileLevel,
    milliseconds,
    segments::{self, Segment},
    uri, video_details,
};

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";

pub(super) fn prepare(
    context: &Context<'_>,
    group: &HlsGroup,
    outputs: &[PlannedOutput],
) -> Result<Prepared, PublishError> {
    let mut media = Vec::new();
    let mut playlists = Vec::new();
    let mut details = Vec::new();
    let mut variants = Vec::new();
    for planned in outputs {
        let segments = segments::read(context.scratch, &planned.directory)?;
        let stem = context.stem(planned);
        let modifier = &context.output(planned).output_settings.hls_settings.segment_modifier;
        let names: Vec<_> = (1..=segments.len()).map(|number| format!("{stem}{modifier}_{number:05}.ts")).collect();
        for (segment, name) in segments.iter().zip(&names) {
            media.push(context.media(segment.file.clone(), name, "video/mp2t"));
        }
        let seconds: f64 = segments.iter().map(|segment| segment.seconds).sum();
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        let name = format!("{stem}.m3u8");
        let file = format!("{}/media.m3u8", planned.directory);
        context.write(&file, &media_playlist(group, &segments, &names))?;
        playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
        variants.push(variant(context, group, planned, &segments, &name)?);
        details.push(OutputDetail {
            output_file_paths: Some(vec![context.destination.uri(&name)]),
            duration_in_ms: milliseconds(seconds),
            video_details: video_details(planned, bytes, seconds),
        });
    }
    let name = format!("{}.m3u8", context.base());
    let file = format!("g{}.m3u8", context.index);
    context.write(&file, &format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n{}", variants.concat()))?;
    playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
    let mut paths = Some(vec![context.destination.uri(&name)]);
    if group.output_selection == HlsOutputSelection::SegmentsOnly {
        playlists.clear();
        paths = None;
    }
    let detail = GroupDetail { output_details: details, playlist_file_paths: paths, kind: GroupKind::Hls };
    Ok((detail, media, playlists))
}

fn media_playlist(group: &HlsGroup, segments: &[Segment], names: &[String]) -> String {
    let longest = segments.iter().map(|segment| segment.seconds).fold(0.0, f64::max);
    let target = match group.target_duration_compatibility_mode {
        TargetDurationMode::Legacy => longest.ceil(),
        TargetDurationMode::SpecCompliant => longest.round(),
    };
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{:.0}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        target.max(1.0)
    );
    for (segment, name) in segments.iter().zip(names) {
        // Writing to a string cannot fail.
        let _ = match group.manifest_duration_format {
            DurationFormat::FloatingPoint => writeln!(text, "#EXTINF:{:.6},", segment.seconds),
            DurationFormat::Integer => writeln!(text, "#EXTINF:{:.0},", segment.seconds.max(1.0)),
        };
        text.push_str(&uri(name));
        text.push('\n');
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

fn variant(
    context: &Context<'_>,
    group: &HlsGroup,
    planned: &PlannedOutput,
    segments: &[Segment],
    playlist: &str,
) -> Result<String, PublishError> {
    let peak = segments.iter().map(|segment| bit_rate(segment.bytes, segment.seconds)).max().unwrap_or_default();
    let bytes = segments.iter().map(|segment| segment.bytes).sum();
    let average = bit_rate(bytes, segments.iter().map(|segment| segment.seconds).sum());
    let mut codecs = Vec::new();
    if let (Some(_), Some(first)) = (planned.video, segments.first()) {
        let stream = ProfileLevel::of_transport_stream(context.scratch, &first.file)?;
        codecs.push(stream.codec(group.codec_specification));
    }
    if planned.audio.is_some() {
        codecs.push("mp4a.40.2".to_owned());
    }
    let mut line =
        format!("#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}\"", codecs.join(","));
    if let Some(video) = planned.video {
        if group.stream_inf_resolution == StreamInfResolution::Include {
            // Writing to a string cannot fail.
            let _ = write!(line, ",RESOLUTION={}x{}", video.width, video.height);
        }
        let _ = write!(line, ",FRAME-RATE={:.3}", video.frame_rate.value());
    }
    Ok(format!("{line}\n{}\n", uri(playlist)))
}
