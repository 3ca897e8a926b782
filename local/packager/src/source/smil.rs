//! Reads a SMIL source: a set of MP4 files and their captions. Every picture is cut where all of them have a key frame.

use std::os::unix::fs::FileExt as _;

use super::{
    SEGMENTS_MAX, STREAMS_MAX, SourceError, TRACKS_PER_STREAM_MAX,
    files::{Files, file, resolve},
};
use crate::{
    captions,
    facts::{
        Alternative, Container, Facts, File, Kind, Located, Picture, PictureSpan, Rendition, Segment, Sound, SoundSpan,
        TICKS_PER_SECOND,
    },
    mp4::{self, Format, Mp4Error, Track},
    smil,
};

/// The index of 24 hours in one file stays below this.
const INDEX_BYTES_MAX: u64 = 256 << 20;
/// Frames of all tracks together: what is known of each is kept.
const FRAMES_MAX: usize = 12_000_000;
/// Boxes before the index.
const BOXES_MAX: usize = 1024;
const AUDIO_GROUP: &str = "audio";
const SUBTITLES_GROUP: &str = "subtitles";

/// One MP4 file and what is in it.
struct Movie {
    file: File,
    tracks: Vec<Track>,
}

/// A track of sound, and what the manifest calls it.
struct SoundTrack<'a> {
    movie: usize,
    track: &'a Track,
    sound: Sound,
    language: Option<String>,
    name: Option<String>,
}

/// Reads the source with this manifest.
pub(super) fn read(files: &Files<'_>, key: &str) -> Result<Facts, SourceError> {
    let manifest = smil::parse(&files.text(key)?.0).map_err(|source| SourceError::Smil { key: key.into(), source })?;
    let streams = manifest.videos.len() + manifest.texts.len();
    if streams > STREAMS_MAX {
        return Err(SourceError::TooMany { what: "streams", found: streams, limit: STREAMS_MAX });
    }
    let movies = manifest
        .videos
        .iter()
        .map(|video| movie(files, &resolve(key, &video.uri)?))
        .collect::<Result<Vec<_>, SourceError>>()?;
    let frames: usize = movies.iter().flat_map(|movie| &movie.tracks).map(|track| track.frames.len()).sum();
    if frames > FRAMES_MAX {
        return Err(SourceError::TooMany { what: "frames", found: frames, limit: FRAMES_MAX });
    }
    let pictures: Vec<Option<&Track>> = movies
        .iter()
        .map(|movie| movie.tracks.iter().find(|track| matches!(track.format, Format::Picture(..))))
        .collect();
    let (starts, end) = cuts(&movies, &pictures)?;

    let sounds = sounds(&manifest, &movies);
    let audio_group = (!sounds.is_empty()).then(|| AUDIO_GROUP.to_owned());
    let subtitles_group = (!manifest.texts.is_empty()).then(|| SUBTITLES_GROUP.to_owned());
    let mut renditions = Vec::with_capacity(streams + sounds.len());
    for (movie, track) in movies.iter().zip(&pictures) {
        let Some(track) = track else { continue };
        let number = renditions.len() + 1;
        renditions.extend(picture_rendition(number, movie, track, (&starts, end), &audio_group, &subtitles_group));
    }
    for (index, sound) in sounds.into_iter().enumerate() {
        let number = renditions.len() + 1;
        let file = movies[sound.movie].file.clone();
        renditions.push(sound_rendition(number, index, file, sound, (&starts, end)));
    }
    for (index, text) in manifest.texts.iter().enumerate() {
        let text_key = resolve(key, &text.uri)?;
        let (content, file) = files.text(&text_key)?;
        captions::parse_subrip(&content).map_err(|source| SourceError::Captions { key: text_key, source })?;
        let name = text.name.clone().or_else(|| text.language.clone());
        let alternative = alternative(SUBTITLES_GROUP, index, name, text.language.clone());
        renditions.push(Rendition {
            number: renditions.len() + 1,
            kind: Kind::Subtitles(alternative),
            container: Container::SubRip,
            picture: None,
            sound: None,
            continuous: true,
            files: vec![file],
            segments: spans(&starts, end)
                .map(|(_, duration_ticks)| Segment { duration_ticks, ..Segment::default() })
                .collect(),
        });
    }
    Ok(Facts { bucket: files.bucket.into(), renditions, embedded_sound: None })
}

fn movie(files: &Files<'_>, key: &str) -> Result<Movie, SourceError> {
    let object = files.object(key, u64::MAX)?;
    let unusable = |source| SourceError::File { key: key.into(), source };
    let read_error = |error| files.read_error(key, error);
    let input = std::fs::File::open(&object.path).map_err(read_error)?;
    let size_bytes = object.info.size_bytes;
    let mut offset = 0_u64;
    for _ in 0..BOXES_MAX {
        let mut header = [0; 16];
        let readable = size_bytes.saturating_sub(offset).min(16) as usize;
        input.read_exact_at(&mut header[..readable], offset).map_err(read_error)?;
        let Some((kind, header_bytes, size)) = mp4::box_header(&header[..readable]) else { break };
        let size = size.unwrap_or(size_bytes - offset);
        if size < header_bytes {
            break;
        }
        if &kind == b"moof" {
            return Err(unusable(Mp4Error::Fragmented));
        }
        if &kind == b"moov" {
            let body_bytes = size - header_bytes;
            if body_bytes > INDEX_BYTES_MAX.min(size_bytes) {
                return Err(unusable(Mp4Error::Malformed("moov")));
            }
            let mut body = vec![0; body_bytes as usize];
            input.read_exact_at(&mut body, offset + header_bytes).map_err(read_error)?;
            let tracks = mp4::tracks(&body, size_bytes).map_err(unusable)?;
            if tracks.len() > TRACKS_PER_STREAM_MAX {
                return Err(SourceError::TooMany {
                    what: "tracks in a file",
                    found: tracks.len(),
                    limit: TRACKS_PER_STREAM_MAX,
                });
            }
            return Ok(Movie { file: file(key, object), tracks });
        }
        offset = offset.saturating_add(size);
    }
    Err(unusable(Mp4Error::NoIndex))
}

/// Where all pictures have a key frame, and when the longest of them ends.
fn cuts(movies: &[Movie], pictures: &[Option<&Track>]) -> Result<(Vec<u64>, u64), SourceError> {
    let keys =
        |track: &Track| -> Vec<u64> { track.frames.iter().filter(|frame| frame.key).map(|frame| frame.pts).collect() };
    let tracks: Vec<(&Movie, &Track)> =
        movies.iter().zip(pictures).filter_map(|(movie, track)| Some((movie, (*track)?))).collect();
    let Some(((_, first), others)) = tracks.split_first() else { return Err(SourceError::NoVideo) };
    let mut starts = keys(first);
    for (movie, track) in others {
        let own = keys(track);
        // A tick of rounding on either side.
        starts.retain(|start| {
            let at = own.partition_point(|key| key + 1 < *start);
            own.get(at).is_some_and(|key| key.abs_diff(*start) <= 1)
        });
        let aligned = starts.first().zip(own.first()).is_some_and(|(a, b)| a.abs_diff(*b) <= 1);
        if !aligned {
            return Err(SourceError::UnalignedKeyFrames(movie.file.key.clone()));
        }
    }
    if starts.is_empty() {
        return Err(SourceError::NoVideo);
    }
    if starts.len() > SEGMENTS_MAX {
        return Err(SourceError::TooMany { what: "segments", found: starts.len(), limit: SEGMENTS_MAX });
    }
    Ok((starts, tracks.iter().map(|(_, track)| track.end_ticks).max().unwrap_or(0)))
}

/// Start and duration of each segment.
fn spans(starts: &[u64], end: u64) -> impl Iterator<Item = (u64, u64)> {
    let ends = starts.iter().skip(1).copied().chain([end]);
    starts.iter().copied().zip(ends).map(|(start, end)| (start, end.saturating_sub(start)))
}

/// The tracks of sound that the manifest includes. Sound that several files have alike is taken once.
fn sounds<'a>(manifest: &smil::Manifest, movies: &'a [Movie]) -> Vec<SoundTrack<'a>> {
    let mut found: Vec<SoundTrack<'a>> = Vec::new();
    for (index, (video, movie)) in manifest.videos.iter().zip(movies).enumerate() {
        let tracks = movie.tracks.iter().filter_map(|track| match &track.format {
            Format::Sound(parameters) => Some((track, parameters)),
            Format::Picture(..) => None,
        });
        for (place, (track, parameters)) in tracks.enumerate() {
            if video.included.get(place) == Some(&false) {
                continue;
            }
            let given = |list: &[String]| list.get(place).filter(|value| !value.is_empty()).cloned();
            let language = given(&video.languages).or_else(|| track.language.clone());
            let name = given(&video.names);
            let sound = Sound {
                codec: parameters.codec,
                name: parameters.name.clone(),
                sample_rate: parameters.sample_rate,
                channels: parameters.channels,
                frame_samples: parameters.frame_samples,
                configuration: parameters.configuration.clone(),
            };
            let alike = |other: &SoundTrack<'_>| {
                other.movie != index && other.language == language && other.name == name && other.sound == sound
            };
            if !found.iter().any(alike) {
                found.push(SoundTrack { movie: index, track, sound, language, name });
            }
        }
    }
    found
}

fn alternative(group: &str, index: usize, name: Option<String>, language: Option<String>) -> Alternative {
    Alternative {
        group: group.to_owned(),
        name: name.unwrap_or_else(|| format!("{group} {}", index + 1)),
        language,
        default: index == 0,
        autoselect: true,
        forced: false,
        characteristics: None,
    }
}

fn picture_rendition(
    number: usize,
    movie: &Movie,
    track: &Track,
    (starts, end): (&[u64], u64),
    audio_group: &Option<String>,
    subtitles_group: &Option<String>,
) -> Option<Rendition> {
    let Format::Picture(codec, parameters) = &track.format else { return None };
    let frames = &track.frames;
    let first = frames.first()?.pts;
    let span_ticks = track.end_ticks.saturating_sub(first).max(1);
    let bytes: u64 = frames.iter().map(|frame| u64::from(frame.bytes)).sum();
    // Frames are cut in the order of decoding: a segment runs from its key frame up to the next segment's.
    let mut rest = frames.as_slice();
    let mut segments = Vec::with_capacity(starts.len());
    for (index, (start, duration_ticks)) in spans(starts, end).enumerate() {
        let next = starts.get(index + 1);
        let here = next.and_then(|next| rest.iter().position(|frame| frame.key && frame.pts + 1 >= *next));
        let (now, later) = rest.split_at(here.unwrap_or(rest.len()));
        rest = later;
        let picture = now.first().map(|key| PictureSpan {
            pts: start,
            dts: key.dts,
            frames: now.len() as u64,
            bytes: now.iter().map(|frame| u64::from(frame.bytes)).sum(),
            key_frame_bytes: u64::from(key.bytes),
            head_bytes: 0,
            located: now.to_vec(),
        });
        segments.push(Segment { file: 0, duration_ticks, picture, ..Segment::default() });
    }
    Some(Rendition {
        number,
        kind: Kind::Variant {
            declared_bandwidth: bytes * 8 * TICKS_PER_SECOND / span_ticks,
            audio_group: audio_group.clone(),
            subtitles_group: subtitles_group.clone(),
        },
        container: Container::Mp4,
        picture: Some(Picture {
            codec: *codec,
            name: parameters.name.clone(),
            width: parameters.width,
            height: parameters.height,
            frame_ticks: span_ticks as f64 / frames.len() as f64,
            range: parameters.range,
            colour: parameters.colour,
            configuration: Some(parameters.configuration.clone()),
            sets: parameters.sets.clone(),
        }),
        sound: None,
        continuous: true,
        files: vec![movie.file.clone()],
        segments,
    })
}

fn sound_rendition(
    number: usize,
    index: usize,
    file: File,
    track: SoundTrack<'_>,
    (starts, end): (&[u64], u64),
) -> Rendition {
    let mut rest: &[Located] = &track.track.frames;
    let mut segments = Vec::with_capacity(starts.len());
    for (place, (_, duration_ticks)) in spans(starts, end).enumerate() {
        let here = starts.get(place + 1).map_or(rest.len(), |next| rest.partition_point(|frame| frame.pts < *next));
        let (now, later) = rest.split_at(here);
        rest = later;
        let sound = now.first().map(|first| SoundSpan {
            pts: first.pts,
            frames: now.len() as u64,
            bytes: now.iter().map(|frame| u64::from(frame.bytes)).sum(),
            located: now.to_vec(),
        });
        segments.push(Segment { file: 0, duration_ticks, sound, ..Segment::default() });
    }
    let name = track.name.or_else(|| track.language.clone());
    Rendition {
        number,
        kind: Kind::Audio(alternative(AUDIO_GROUP, index, name, track.language)),
        container: Container::Mp4,
        picture: None,
        sound: Some(track.sound),
        continuous: true,
        files: vec![file],
        segments,
    }
}
