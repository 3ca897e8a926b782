//! The HLS group: MPEG-TS, or packed audio.

use crate::{
    job::{HlsGroup, HlsOutputSelection},
    plan::{PlannedOutput, SEPARATE_STREAMS_OFFSET_SECONDS},
};

use super::{
    Context, GroupDetail, GroupKind, Prepared, PublishError,
    playlist::{Entry, PLAYLIST_TYPE, Style},
    segments::Segment,
    track::{Names, Track, lay_out},
};

/// Ticks of a transport stream's clock. Source: ISO/IEC 13818-1.
const TICKS_PER_SECOND: f64 = 90_000.0;

pub(super) fn prepare(
    context: &Context<'_>,
    group: &HlsGroup,
    outputs: &[PlannedOutput],
) -> Result<Prepared, PublishError> {
    let tracks = outputs.iter().map(|planned| Track::read(context, planned, None)).collect::<Result<Vec<_>, _>>()?;
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
        let mut layout = lay_out(context, track, group.segment_control, &names)?;
        let name = format!("{}.m3u8", track.stem);
        let file = format!("{}/media.m3u8", track.planned.directory);
        context.write(&file, &style.media(track, &layout))?;
        media.append(&mut layout.files);
        playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
        details.push(track.detail(Some(vec![context.destination.uri(&name)])));
        entries.push(Entry { track, playlist: name, rendition: track.output.rendition(context.kind) });
    }
    let name = format!("{}.m3u8", context.base());
    let file = format!("g{}.m3u8", context.index);
    context.write(&file, &style.master(&entries))?;
    playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
    let mut paths = Some(vec![context.destination.uri(&name)]);
    if group.output_selection == HlsOutputSelection::SegmentsOnly {
        playlists.clear();
        paths = None;
    }
    let detail = GroupDetail { output_details: details, playlist_file_paths: paths, kind: GroupKind::Hls };
    Ok((detail, media, playlists))
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
