//! The HLS group: MPEG-TS, or packed audio.

use crate::{
    job::{CaptionSegments, HlsGroup, HlsOutputSelection},
    plan::{PlannedOutput, SEPARATE_STREAMS_OFFSET_SECONDS},
};

use super::{
    Context, GroupDetail, GroupKind, Prepared, PublishError, captions,
    key_frames::KeyFrames,
    playlist::{Entry, PLAYLIST_TYPE, Style, Subtitles},
    segments::Segment,
    tiles,
    track::{self, Names, Track, lay_out},
};

/// Ticks of a transport stream's clock. Source: ISO/IEC 13818-1.
const TICKS_PER_SECOND: f64 = 90_000.0;

pub(super) fn prepare(
    context: &Context<'_>,
    group: &HlsGroup,
    outputs: &[PlannedOutput],
) -> Result<Prepared, PublishError> {
    let (beside, outputs): (Vec<_>, Vec<_>) = outputs.iter().partition(|planned| planned.captions.is_some());
    let tracks =
        outputs.into_iter().map(|planned| Track::read(context, planned, None)).collect::<Result<Vec<_>, _>>()?;
    let mut media = Vec::new();
    let mut playlists = Vec::new();
    let mut details = Vec::new();
    let mut entries = Vec::new();
    let style = Style::from(group);
    for track in &tracks {
        let packed = track.output.is_packed_audio();
        if packed {
            for segment in &track.segments {
                stamp(context, segment)?;
            }
        }
        let format = track.output.packed_audio();
        let modifier = context.resolve(track.planned, track.output.segment_modifier());
        let names = Names {
            content_type: if packed { format.content_type } else { "video/mp2t" },
            extension: if packed { format.extension } else { ".ts" },
            digits: 5,
            init: None,
            modifier: &modifier,
        };
        let key_frames = match track.output.has_key_frame_playlist() {
            true => Some(KeyFrames::of_transport_stream(context, track)?),
            false => None,
        };
        let mut layout = lay_out(context, track, group.segment_control, &names)?;
        let name = format!("{}.m3u8", track.stem);
        let file = format!("{}/media.m3u8", track.planned.directory);
        context.write(&file, &style.media(track, &layout))?;
        media.append(&mut layout.files);
        playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
        let mut line = String::new();
        if let Some(key_frames) = &key_frames {
            let name = format!("{}_I-Frame.m3u8", track.stem);
            let file = format!("{}/key_frames.m3u8", track.planned.directory);
            context.write(&file, &style.key_frames(key_frames, &layout))?;
            playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
            line = style.key_frame_entry(track, key_frames, &name);
        }
        details.push((track.planned.index, track.detail(Some(vec![context.destination.uri(&name)]))));
        entries.push(Entry {
            track,
            playlist: name,
            rendition: track.output.rendition(context.kind),
            key_frames: line,
        });
    }
    let mut subtitles = Vec::new();
    for planned in beside {
        let Some(captions) = &planned.captions else { continue };
        let lengths = caption_lengths(group, &tracks);
        let (places, mut files) = captions::segments(context, planned, &lengths, SEPARATE_STREAMS_OFFSET_SECONDS)?;
        media.append(&mut files);
        let name = format!("{}.m3u8", context.stem(planned));
        let file = format!("{}/media.m3u8", planned.directory);
        context.write(&file, &style.list(&lengths, None, &places))?;
        playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
        details.push((planned.index, captions::detail(context, &name)));
        subtitles.push(Subtitles { planned: captions, playlist: name });
    }
    let (tiles, mut images) = tiles::read(context, track::longest_picture(&tracks))?;
    media.append(&mut images);
    for set in &tiles {
        playlists.push(set.playlist(context)?);
    }
    details.sort_by_key(|(index, _)| *index);
    let details = details.into_iter().map(|(_, detail)| detail).collect();
    let name = format!("{}.m3u8", context.base());
    let file = format!("g{}.m3u8", context.index);
    context.write(&file, &style.master(&entries, &subtitles, &tiles))?;
    playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
    let mut paths = Some(vec![context.destination.uri(&name)]);
    if group.output_selection == HlsOutputSelection::SegmentsOnly {
        playlists.clear();
        paths = None;
    }
    let detail = GroupDetail { output_details: details, playlist_file_paths: paths, kind: GroupKind::Hls };
    Ok((detail, media, playlists))
}

/// Seconds of each segment of captions.
fn caption_lengths(group: &HlsGroup, tracks: &[Track<'_>]) -> Vec<f64> {
    /// Source: aws-sdk-mediaconvert 1.153, `HlsGroupSettings::caption_segment_length_control`.
    const LARGE_SECONDS: f64 = 300.0;
    let first = tracks.iter().find(|track| track.planned.video.is_some()).or(tracks.first());
    let lengths: Vec<f64> = first.iter().flat_map(|track| &track.segments).map(|segment| segment.seconds).collect();
    match group.caption_segment_length_control {
        CaptionSegments::MatchVideo => lengths,
        CaptionSegments::LargeSegments => {
            let mut rest: f64 = lengths.iter().sum();
            let mut large = Vec::new();
            while rest > LARGE_SECONDS {
                large.push(LARGE_SECONDS);
                rest -= LARGE_SECONDS;
            }
            large.push(rest);
            large
        }
    }
}

/// Puts the time at which a segment of packed audio begins in front of it, as players need it.
/// Source: RFC 8216, section 3.4.
fn stamp(context: &Context<'_>, segment: &Segment) -> Result<(), PublishError> {
    let failed = PublishError::scratch(&segment.file);
    let path = context.scratch.join(&segment.file);
    let start = segment.start_seconds.unwrap_or_default() + SEPARATE_STREAMS_OFFSET_SECONDS;
    std::fs::read(&path)
        .and_then(|bytes| {
            let mut stamped = timestamp_tag(start);
            stamped.extend(bytes);
            std::fs::write(&path, stamped)
        })
        .map_err(failed)
}

/// An ID3 tag with the time in ticks. Sources: RFC 8216, section 3.4, and <https://id3.org/id3v2.4.0-structure>.
fn timestamp_tag(seconds: f64) -> Vec<u8> {
    const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
    const FRAME_BYTES: u8 = OWNER.len() as u8 + 8;
    const TAG_BYTES: u8 = FRAME_BYTES + 10;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of media in 33 bits")]
    let ticks = (seconds.max(0.0) * TICKS_PER_SECOND).round() as u64 & 0x1_ffff_ffff;
    let mut tag = b"ID3\x04\0\0\0\0\0".to_vec();
    tag.push(TAG_BYTES);
    tag.extend(b"PRIV\0\0\0");
    tag.push(FRAME_BYTES);
    tag.extend([0, 0]);
    tag.extend(OWNER);
    tag.extend(ticks.to_be_bytes());
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_a_tag() {
        let tag = timestamp_tag(10.0);
        assert_eq!(&tag[..10], b"ID3\x04\0\0\0\0\0\x3f");
        assert_eq!(tag.len(), 10 + 0x3f);
        assert_eq!(&tag[tag.len() - 8..], 900_000_u64.to_be_bytes());
    }
}
