//! The CMAF group: fragmented MP4 with HLS playlists and a DASH manifest over the same files.
//! Source: ISO/IEC 23000-19.

use crate::{
    job::{CmafGroup, Toggle},
    plan::PlannedOutput,
};

use super::{
    Context, GroupDetail, GroupKind, Prepared, PublishError, captions,
    dash::{self, Manifest},
    key_frames::KeyFrames,
    playlist::{Entry, PLAYLIST_TYPE, Style, Subtitles},
    tiles,
    track::{self, Names, Track, lay_out},
};

/// The brand of a CMAF track.
const BRAND: [u8; 4] = *b"cmfc";

pub(super) fn prepare(
    context: &Context<'_>,
    group: &CmafGroup,
    outputs: &[PlannedOutput],
) -> Result<Prepared, PublishError> {
    let (beside, outputs): (Vec<_>, Vec<_>) = outputs.iter().partition(|planned| planned.captions.is_some());
    let tracks =
        outputs.into_iter().map(|planned| Track::read(context, planned, Some(INIT))).collect::<Result<Vec<_>, _>>()?;
    let hls = group.write_hls_manifest == Toggle::Enabled;
    let style = Style::from(group);
    let mut media = Vec::new();
    let mut playlists = Vec::new();
    let mut details = Vec::new();
    let mut entries = Vec::new();
    let mut representations = Vec::new();
    for track in &tracks {
        brand(context, &format!("{}/{INIT}", track.planned.directory))?;
        let picture = track.planned.video.is_some();
        let names = Names {
            content_type: if picture { "video/mp4" } else { "audio/mp4" },
            extension: if picture { ".cmfv" } else { ".cmfa" },
            digits: 9,
            init: Some((INIT, "init")),
            modifier: "",
        };
        let timeline = dash::timeline_of(context, track)?;
        let key_frames = match track.output.has_key_frame_playlist() {
            true => Some(KeyFrames::of_fragments(context, track)?),
            false => None,
        };
        let mut layout = lay_out(context, track, group.segment_control, &names)?;
        media.append(&mut layout.files);
        let name = format!("{}.m3u8", track.stem);
        let mut paths = None;
        if hls {
            let file = format!("{}/media.m3u8", track.planned.directory);
            context.write(&file, &style.media(track, &layout))?;
            playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
            paths = Some(vec![context.destination.uri(&name)]);
        }
        let mut line = String::new();
        if let Some(key_frames) = key_frames.as_ref().filter(|_| hls) {
            let name = format!("{}_I-Frame.m3u8", track.stem);
            let file = format!("{}/key_frames.m3u8", track.planned.directory);
            context.write(&file, &style.key_frames(key_frames, &layout))?;
            playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
            line = style.key_frame_entry(track, key_frames, &name);
        }
        details.push((track.planned.index, track.detail(paths)));
        entries.push(Entry {
            track,
            playlist: name,
            rendition: track.output.rendition(context.kind),
            key_frames: line,
        });
        representations.push(dash::Representation { track, layout, timeline, extension: names.extension });
    }
    let first = tracks.iter().find(|track| track.planned.video.is_some()).or(tracks.first());
    let lengths: Vec<f64> = first.iter().flat_map(|track| &track.segments).map(|segment| segment.seconds).collect();
    let mut subtitles = Vec::new();
    let mut texts = Vec::new();
    for planned in beside {
        let Some(captions) = &planned.captions else { continue };
        let mut name = format!("{}.vtt", context.stem(planned));
        if group.write_dash_manifest == Toggle::Enabled {
            let (_, file) = captions::file(context, planned)?;
            media.push(file);
            texts.push(dash::Text { planned: captions, name: name.clone() });
        }
        if hls {
            let (places, mut files) = captions::segments(context, planned, &lengths, 0.0)?;
            media.append(&mut files);
            name = format!("{}.m3u8", context.stem(planned));
            let file = format!("{}/media.m3u8", planned.directory);
            context.write(&file, &style.list(&lengths, None, &places))?;
            playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
            subtitles.push(Subtitles { planned: captions, playlist: name.clone() });
        }
        details.push((planned.index, captions::detail(context, &name)));
    }
    let (tiles, mut images) = tiles::read(context, track::longest_picture(&tracks))?;
    media.append(&mut images);
    if hls {
        for set in &tiles {
            playlists.push(set.playlist(context)?);
        }
    }
    details.sort_by_key(|(index, _)| *index);
    let details = details.into_iter().map(|(_, detail)| detail).collect();
    let mut paths = Vec::new();
    if group.write_dash_manifest == Toggle::Enabled {
        let name = format!("{}.mpd", context.base());
        let file = format!("g{}.mpd", context.index);
        context.write(&file, &Manifest::from(group).text(&representations, &texts, &tiles))?;
        playlists.push(context.playlist(file, &name, dash::MANIFEST_TYPE));
        paths.push(context.destination.uri(&name));
    }
    if hls {
        let name = format!("{}.m3u8", context.base());
        let file = format!("g{}.m3u8", context.index);
        context.write(&file, &style.master(&entries, &subtitles, &tiles))?;
        playlists.push(context.playlist(file, &name, PLAYLIST_TYPE));
        paths.push(context.destination.uri(&name));
    }
    let paths = (!paths.is_empty()).then_some(paths);
    Ok((GroupDetail { output_details: details, playlist_file_paths: paths, kind: GroupKind::Cmaf }, media, playlists))
}

/// The initialisation segment's name in scratch.
const INIT: &str = "init.mp4";

/// Says in the file type box that this is a CMAF track: the first compatible brand, which repeats the major one, makes room.
///
/// ffmpeg's own switch for it leaves out edit lists, and with them the sound's first samples would be heard too late.
fn brand(context: &Context<'_>, init: &str) -> Result<(), PublishError> {
    const COMPATIBLE: std::ops::Range<usize> = 16..20;
    let path = context.scratch.join(init);
    let mut bytes = std::fs::read(&path).map_err(PublishError::scratch(init))?;
    let is_file_type = bytes.get(4..8) == Some(b"ftyp".as_slice());
    match bytes.get_mut(COMPATIBLE) {
        Some(brand) if is_file_type => brand.copy_from_slice(&BRAND),
        _ => return Err(PublishError::Unexpected { file: init.into(), what: "it has no file type" }),
    }
    std::fs::write(&path, bytes).map_err(PublishError::scratch(init))
}
