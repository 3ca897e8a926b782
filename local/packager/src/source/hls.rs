//! Reads an HLS source: playlists, then every segment once.

use super::{
    SEGMENT_BYTES_MAX, SEGMENTS_MAX, STREAMS_MAX, SourceError,
    files::{Files, file, resolve},
};
use crate::{
    captions,
    facts::{
        Alternative, Container, Facts, Kind, Picture, PictureSpan, Rendition, Segment, Sound, SoundSpan,
        TICKS_PER_SECOND,
    },
    playlist::{self, Entry, MediaKind},
    ts::{self, Scan},
};

/// How far the start of a segment may lie from the same segment's start in another rendition.
const ALIGNMENT_TICKS: i64 = 900;

/// Reads the source with this parent playlist.
pub(super) fn read(files: &Files<'_>, key: &str) -> Result<Facts, SourceError> {
    let parent = playlist::parent(&files.text(key)?.0)
        .map_err(|error| SourceError::Playlist { key: key.into(), source: error })?;
    let streams = parent.variants.len() + parent.alternatives.len();
    if streams > STREAMS_MAX {
        return Err(SourceError::TooMany { what: "streams", found: streams, limit: STREAMS_MAX });
    }
    let mut renditions = Vec::with_capacity(streams);
    let mut embedded_sound = None;
    let mut starts = None;
    for variant in parent.variants {
        let kind = Kind::Variant {
            declared_bandwidth: variant.bandwidth,
            audio_group: variant.audio_group,
            subtitles_group: variant.subtitles_group,
        };
        let playlist_key = resolve(key, &variant.uri)?;
        let rendition = stream(files, renditions.len() + 1, kind, &playlist_key, &mut starts)?;
        if rendition.picture.is_none() {
            return Err(SourceError::NoVideo);
        }
        renditions.push(rendition);
    }
    for media in parent.alternatives {
        let alternative = Alternative {
            group: media.group,
            name: media.name,
            language: media.language,
            default: media.default,
            autoselect: media.autoselect,
            forced: media.forced,
            characteristics: media.characteristics,
        };
        let number = renditions.len() + 1;
        let Some(uri) = media.uri else {
            if media.kind == MediaKind::Audio {
                embedded_sound.get_or_insert(alternative);
            }
            continue;
        };
        let playlist_key = resolve(key, &uri)?;
        renditions.push(match media.kind {
            MediaKind::Audio => stream(files, number, Kind::Audio(alternative), &playlist_key, &mut None)?,
            MediaKind::Subtitles => subtitles(files, number, Kind::Subtitles(alternative), &playlist_key)?,
        });
    }
    Ok(Facts { bucket: files.bucket.into(), renditions, embedded_sound })
}

fn entries(files: &Files<'_>, playlist_key: &str) -> Result<Vec<(String, Entry)>, SourceError> {
    let entries = playlist::media_entries(&files.text(playlist_key)?.0)
        .map_err(|source| SourceError::Playlist { key: playlist_key.into(), source })?;
    if entries.len() > SEGMENTS_MAX {
        return Err(SourceError::TooMany { what: "segments", found: entries.len(), limit: SEGMENTS_MAX });
    }
    entries.into_iter().map(|entry| Ok((resolve(playlist_key, &entry.uri)?, entry))).collect()
}

/// Captions are read to see that they can be; their durations are the declared ones.
fn subtitles(files: &Files<'_>, number: usize, kind: Kind, playlist_key: &str) -> Result<Rendition, SourceError> {
    let (mut segments, mut kept) = (Vec::new(), Vec::new());
    for (index, (key, entry)) in entries(files, playlist_key)?.into_iter().enumerate() {
        let (text, file) = files.text(&key)?;
        captions::parse_webvtt(&text).map_err(|source| SourceError::Captions { key: key.clone(), source })?;
        kept.push(file);
        segments.push(Segment {
            file: index,
            duration_ticks: (entry.duration_seconds * TICKS_PER_SECOND as f64).round() as u64,
            ..Segment::default()
        });
    }
    Ok(Rendition {
        number,
        kind,
        container: Container::WebVtt,
        picture: None,
        sound: None,
        continuous: true,
        files: kept,
        segments,
    })
}

/// Scans every segment of a stream. `starts` holds where the segments of the first picture begin, for comparison.
fn stream(
    files: &Files<'_>,
    number: usize,
    kind: Kind,
    playlist_key: &str,
    starts: &mut Option<Vec<u64>>,
) -> Result<Rendition, SourceError> {
    let (mut segments, mut kept) = (Vec::new(), Vec::new());
    let mut scans: Vec<Scan> = Vec::new();
    for (index, (key, _)) in entries(files, playlist_key)?.into_iter().enumerate() {
        let object = files.object(&key, SEGMENT_BYTES_MAX)?;
        let bytes = files.bytes(&key, &object)?;
        let scan = ts::scan(&bytes).map_err(|source| SourceError::Segment { key: key.clone(), source })?;
        if scans.first().is_some_and(|first| !same_parameters(first, &scan)) {
            return Err(SourceError::Changed { key: playlist_key.into(), segment: index + 1 });
        }
        segments.push(Segment { file: index, ..Segment::default() });
        kept.push(file(&key, object));
        scans.push(scan);
    }
    let timeline = Timeline::new(&scans);
    for (index, segment) in segments.iter_mut().enumerate() {
        let (scan, start) = (&scans[index], timeline.starts[index]);
        segment.duration_ticks = timeline.duration_ticks(index);
        segment.picture = scan.picture.as_ref().map(|picture| PictureSpan {
            pts: start,
            dts: start.saturating_add_signed(ts::ticks_between(picture.first_pts, picture.first_dts)),
            frames: picture.frames,
            bytes: picture.bytes,
            key_frame_bytes: picture.key_frame_bytes,
            head_bytes: picture.head_bytes,
            located: Vec::new(),
        });
        // Placed by how far it is from the picture, or from the segment's own start where there is none.
        segment.sound = scan.sound.as_ref().map(|sound| SoundSpan {
            pts: start.saturating_add_signed(ts::ticks_between(first_pts(scan), sound.first_pts)),
            frames: sound.frames,
            bytes: sound.bytes,
            located: Vec::new(),
        });
    }
    if scans[0].picture.is_some() {
        check_alignment(playlist_key, &timeline.starts, starts)?;
    }
    let continuous = scans.windows(2).all(|pair| ts::runs_on(&pair[0].counters, &pair[1].counters));
    if !continuous {
        for (segment, scan) in segments.iter_mut().zip(&scans) {
            segment.payload_packets =
                scan.counters.iter().map(|(pid, counter)| (*pid, counter.payload_packets)).collect();
        }
    }
    Ok(Rendition {
        number,
        kind,
        container: Container::TransportStream,
        picture: picture(&scans, timeline.frame_ticks),
        sound: sound(&scans),
        continuous,
        files: kept,
        segments,
    })
}

fn picture(scans: &[Scan], frame_ticks: f64) -> Option<Picture> {
    let first = scans.first()?.picture.as_ref()?;
    let parameters = &first.parameters;
    let configuration = |scan: &Scan| scan.picture.as_ref().map(|picture| picture.parameters.configuration.clone());
    let same = scans.iter().all(|scan| configuration(scan).is_some_and(|other| other == parameters.configuration));
    Some(Picture {
        codec: first.codec,
        name: parameters.name.clone(),
        width: parameters.width,
        height: parameters.height,
        frame_ticks,
        range: parameters.range,
        colour: parameters.colour,
        configuration: same.then(|| parameters.configuration.clone()),
        sets: parameters.sets.clone(),
    })
}

fn sound(scans: &[Scan]) -> Option<Sound> {
    // The sound may begin later than the picture.
    let parameters = &scans.iter().find_map(|scan| scan.sound.as_ref())?.parameters;
    Some(Sound {
        codec: parameters.codec,
        name: parameters.name.clone(),
        sample_rate: parameters.sample_rate,
        channels: parameters.channels,
        frame_samples: parameters.frame_samples,
        configuration: parameters.configuration.clone(),
    })
}

fn same_parameters(first: &Scan, other: &Scan) -> bool {
    let size = |scan: &Scan| {
        scan.picture.as_ref().map(|picture| (picture.codec, picture.parameters.width, picture.parameters.height))
    };
    let sound = |scan: &Scan| scan.sound.as_ref().map(|sound| sound.parameters.clone());
    // The sound may end before the picture does: the last segment may be without.
    size(first) == size(other) && (first.sound.is_none() || other.sound.is_none() || sound(first) == sound(other))
}

/// When a segment begins, on the 33-bit clock: with its picture, or its sound where there is none.
fn first_pts(scan: &Scan) -> u64 {
    let sound = scan.sound.as_ref().map(|sound| sound.first_pts);
    scan.picture.as_ref().map(|picture| picture.first_pts).or(sound).unwrap_or(0)
}

/// Where the segments of one stream begin and end, in ticks since the stream's own first frame's time, unwrapped.
struct Timeline {
    starts: Vec<u64>,
    end: u64,
    frame_ticks: f64,
}

impl Timeline {
    fn new(scans: &[Scan]) -> Self {
        let first_last = |scan: &Scan| match (&scan.picture, &scan.sound) {
            (Some(picture), _) => (picture.first_pts, picture.last_pts),
            (None, Some(sound)) => (sound.first_pts, sound.last_pts),
            (None, None) => (0, 0),
        };
        let mut starts = Vec::with_capacity(scans.len());
        // The absolute time of the first frame is kept: it is what renditions are compared by. It is counted from one turn
        // of the clock on, so that what comes a little earlier (a frame's decoding, its sound) is still a number.
        let mut previous = scans.first().map_or(0, |scan| first_last(scan).0);
        let mut start = previous + ts::CLOCK_TURN;
        for scan in scans {
            let (first, _) = first_last(scan);
            start = start.saturating_add_signed(ts::ticks_between(previous, first));
            previous = first;
            starts.push(start);
        }
        let last_frame = scans.last().map_or(0, |scan| {
            let (first, last) = first_last(scan);
            start + (last - first)
        });
        let frames: u64 = scans.iter().filter_map(|scan| scan.picture.as_ref()).map(|picture| picture.frames).sum();
        let span = last_frame.saturating_sub(starts.first().copied().unwrap_or(0)) as f64;
        let frame_ticks = if frames > 1 { span / (frames - 1) as f64 } else { 0.0 };
        Self { starts, end: last_frame + frame_ticks.round() as u64, frame_ticks }
    }

    fn duration_ticks(&self, index: usize) -> u64 {
        self.starts.get(index + 1).copied().unwrap_or(self.end).saturating_sub(self.starts[index])
    }
}

fn check_alignment(key: &str, own: &[u64], reference: &mut Option<Vec<u64>>) -> Result<(), SourceError> {
    let Some(reference) = reference else {
        *reference = Some(own.to_vec());
        return Ok(());
    };
    let unaligned = |segment| Err(SourceError::Unaligned { key: key.into(), segment });
    if own.len() != reference.len() {
        return unaligned(own.len().min(reference.len()) + 1);
    }
    match own.iter().zip(reference.iter()).position(|(a, b)| ts::ticks_between(*b, *a).abs() > ALIGNMENT_TICKS) {
        Some(index) => unaligned(index + 1),
        None => Ok(()),
    }
}
