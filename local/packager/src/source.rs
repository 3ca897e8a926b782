//! Reads a source from its bucket: the parent playlist, the media playlists, and every segment once.

use std::{fs, io, path::Path, sync::Arc};

use vodline_core::{AwsError, ObjectBody, Objects};

use crate::{
    facts::{
        self, Aac, Alternative, Audio, AudioSpan, Facts, Kind, Rendition, Segment, TICKS_PER_SECOND, Video, VideoSpan,
    },
    playlist::{self, Entry, MediaKind, PlaylistError},
    ts::{self, Scan, TsError},
};

/// Streams of an asset; <https://docs.aws.amazon.com/mediapackage/latest/ug/vod-quotas.html> ("Ingest streams per asset").
const STREAMS_MAX: usize = 20;
/// A playlist of 100 hours in segments of one second stays below this.
const PLAYLIST_BYTES_MAX: u64 = 32 << 20;
/// A segment of 30 s at 200 Mbit/s stays below this; it is read into memory.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
const SEGMENTS_MAX: usize = 400_000;
/// How far the start of a segment may lie from the same segment's start in another rendition.
const ALIGNMENT_TICKS: i64 = 900;

/// Why a source cannot be ingested; the text goes to the caller in the IngestError event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot read s3://{bucket}/{key}: {}", .error.message)]
    Object { bucket: String, key: String, error: AwsError },
    #[error("cannot read s3://{bucket}/{key}")]
    Read {
        bucket: String,
        key: String,
        #[source]
        source: io::Error,
    },
    #[error("s3://{bucket}/{key} has {size_bytes} bytes, more than the {limit_bytes} that the packager reads")]
    TooLarge { bucket: String, key: String, size_bytes: u64, limit_bytes: u64 },
    #[error("the playlist {key} cannot be used")]
    Playlist {
        key: String,
        #[source]
        source: PlaylistError,
    },
    #[error("the segment {key} cannot be used")]
    Segment {
        key: String,
        #[source]
        source: TsError,
    },
    #[error("the URI {0:?} leads out of the source's bucket or is not relative")]
    Uri(String),
    #[error("the source has {found} {what}, more than {limit}")]
    TooMany { what: &'static str, found: usize, limit: usize },
    #[error("segment {segment} of {key} does not begin where the same segment of the first rendition begins")]
    Unaligned { key: String, segment: usize },
    #[error("the parameters of {key} change at segment {segment}")]
    Changed { key: String, segment: usize },
    #[error("the source has no video track")]
    NoVideo,
}

/// Reads the HLS source with this parent playlist. Blocks on the disk.
pub(crate) fn read(objects: &Arc<dyn Objects>, bucket: &str, key: &str) -> Result<Facts, SourceError> {
    let source = Source { objects: objects.as_ref(), bucket };
    let parent = playlist::parent(&source.text(key)?)
        .map_err(|error| SourceError::Playlist { key: key.into(), source: error })?;
    let streams = parent.variants.len() + parent.alternatives.len();
    if streams > STREAMS_MAX {
        return Err(SourceError::TooMany { what: "streams", found: streams, limit: STREAMS_MAX });
    }
    let mut renditions = Vec::with_capacity(streams);
    let mut starts = None;
    for variant in parent.variants {
        let kind = Kind::Variant {
            declared_bandwidth: variant.bandwidth,
            audio_group: variant.audio_group,
            subtitles_group: variant.subtitles_group,
        };
        let playlist_key = resolve(key, &variant.uri)?;
        let rendition = source.stream(renditions.len() + 1, kind, &playlist_key, &mut starts)?;
        if rendition.video.is_none() {
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
        let playlist_key = resolve(key, &media.uri)?;
        renditions.push(match media.kind {
            MediaKind::Audio => source.stream(number, Kind::Audio(alternative), &playlist_key, &mut None)?,
            MediaKind::Subtitles => source.subtitles(number, Kind::Subtitles(alternative), &playlist_key)?,
        });
    }
    Ok(Facts { bucket: bucket.into(), renditions })
}

struct Source<'a> {
    objects: &'a dyn Objects,
    bucket: &'a str,
}

impl Source<'_> {
    fn object(&self, key: &str, limit_bytes: u64) -> Result<ObjectBody, SourceError> {
        let object = self.objects.get(self.bucket, key).map_err(|error| SourceError::Object {
            bucket: self.bucket.into(),
            key: key.into(),
            error,
        })?;
        let size_bytes = object.info.size_bytes;
        if size_bytes > limit_bytes {
            return Err(SourceError::TooLarge { bucket: self.bucket.into(), key: key.into(), size_bytes, limit_bytes });
        }
        Ok(object)
    }

    fn bytes(&self, key: &str, path: &Path) -> Result<Vec<u8>, SourceError> {
        fs::read(path).map_err(|source| SourceError::Read { bucket: self.bucket.into(), key: key.into(), source })
    }

    fn text(&self, key: &str) -> Result<String, SourceError> {
        let object = self.object(key, PLAYLIST_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(&self.bytes(key, &object.path)?).into_owned())
    }

    fn entries(&self, playlist_key: &str) -> Result<Vec<(String, Entry)>, SourceError> {
        let entries = playlist::media_entries(&self.text(playlist_key)?)
            .map_err(|source| SourceError::Playlist { key: playlist_key.into(), source })?;
        if entries.len() > SEGMENTS_MAX {
            return Err(SourceError::TooMany { what: "segments", found: entries.len(), limit: SEGMENTS_MAX });
        }
        entries.into_iter().map(|entry| Ok((resolve(playlist_key, &entry.uri)?, entry))).collect()
    }

    /// Subtitles pass through as they are; their durations are the declared ones.
    fn subtitles(&self, number: usize, kind: Kind, playlist_key: &str) -> Result<Rendition, SourceError> {
        let mut segments = Vec::new();
        for (key, entry) in self.entries(playlist_key)? {
            let object = self.object(&key, SEGMENT_BYTES_MAX)?;
            segments.push(Segment {
                duration_ticks: (entry.duration_seconds * TICKS_PER_SECOND as f64).round() as u64,
                ..segment(key, object)
            });
        }
        Ok(Rendition { number, kind, video: None, audio: None, continuous: true, segments })
    }

    /// Scans every segment of a stream. `starts` holds where the segments of the first picture begin, for comparison.
    fn stream(
        &self,
        number: usize,
        kind: Kind,
        playlist_key: &str,
        starts: &mut Option<Vec<u64>>,
    ) -> Result<Rendition, SourceError> {
        let mut segments = Vec::new();
        let mut scans: Vec<Scan> = Vec::new();
        for (index, (key, _)) in self.entries(playlist_key)?.into_iter().enumerate() {
            let object = self.object(&key, SEGMENT_BYTES_MAX)?;
            let bytes = self.bytes(&key, &object.path)?;
            let scan = ts::scan(&bytes).map_err(|source| SourceError::Segment { key: key.clone(), source })?;
            if scans.first().is_some_and(|first| !same_parameters(first, &scan)) {
                return Err(SourceError::Changed { key: playlist_key.into(), segment: index + 1 });
            }
            segments.push(segment(key, object));
            scans.push(scan);
        }
        let timeline = Timeline::new(&scans);
        for (index, segment) in segments.iter_mut().enumerate() {
            segment.duration_ticks = timeline.duration_ticks(index);
            segment.key_frame_bytes = scans[index].video.as_ref().map_or(0, |video| video.key_frame_bytes);
            segment.video = scans[index].video.as_ref().map(|video| VideoSpan {
                pts: timeline.starts[index],
                dts: timeline.starts[index].saturating_add_signed(ts::ticks_between(video.first_pts, video.first_dts)),
                frames: video.frames,
                bytes: video.bytes,
            });
            // Placed by how far it is from the picture, or from the segment's own start where there is none.
            let first = first_pts(&scans[index]);
            segment.audio = scans[index].audio.as_ref().filter(|audio| audio.aac.is_some()).map(|audio| AudioSpan {
                pts: timeline.starts[index].saturating_add_signed(ts::ticks_between(first, audio.first_pts)),
                frames: audio.frames,
                bytes: audio.bytes,
            });
        }
        if scans[0].video.is_some() {
            check_alignment(playlist_key, &timeline.starts, starts)?;
        }
        let continuous = scans.windows(2).all(|pair| ts::runs_on(&pair[0].counters, &pair[1].counters));
        if !continuous {
            for (segment, scan) in segments.iter_mut().zip(&scans) {
                segment.payload_packets =
                    scan.counters.iter().map(|(pid, counter)| (*pid, counter.payload_packets)).collect();
            }
        }
        let video = scans[0].video.as_ref().map(|video| Video {
            codec: video.parameters.codec.clone(),
            width: video.parameters.width,
            height: video.parameters.height,
            frame_ticks: timeline.frame_ticks,
            parameter_sets: uniform_parameter_sets(&scans),
        });
        let audio = scans[0].audio.as_ref().map(|audio| Audio {
            codec: audio.codec.clone(),
            aac: audio.aac.as_ref().map(|aac| Aac {
                sample_rate: aac.sample_rate,
                channels: aac.channels,
                config: aac.config,
            }),
        });
        Ok(Rendition { number, kind, video, audio, continuous, segments })
    }
}

fn segment(key: String, object: ObjectBody) -> Segment {
    Segment {
        key,
        etag: object.info.etag,
        path: object.path,
        size_bytes: object.info.size_bytes,
        duration_ticks: 0,
        video: None,
        audio: None,
        key_frame_bytes: 0,
        payload_packets: Vec::new(),
    }
}

fn same_parameters(first: &Scan, other: &Scan) -> bool {
    let size = |scan: &Scan| scan.video.as_ref().map(|video| (video.parameters.width, video.parameters.height));
    let sound = |scan: &Scan| scan.audio.as_ref().map(|audio| audio.codec.clone());
    // The sound may end before the picture does: the last segment may be without.
    size(first) == size(other) && (other.audio.is_none() || sound(first) == sound(other))
}

/// The parameter sets that all segments share, if they do.
fn uniform_parameter_sets(scans: &[Scan]) -> Option<(Vec<u8>, Vec<u8>)> {
    let first = &scans.first()?.video.as_ref()?.parameter_sets;
    let same = scans.iter().all(|scan| scan.video.as_ref().is_some_and(|video| video.parameter_sets == *first));
    (same && !first.0.is_empty() && !first.1.is_empty()).then(|| first.clone())
}

/// When a segment begins, on the 33-bit clock: with its picture, or its sound where there is none.
fn first_pts(scan: &Scan) -> u64 {
    let audio = scan.audio.as_ref().map(|audio| audio.first_pts);
    scan.video.as_ref().map(|video| video.first_pts).or(audio).unwrap_or(0)
}

/// Where the segments of one stream begin and end, in ticks since the stream's own first frame's time, unwrapped.
struct Timeline {
    starts: Vec<u64>,
    end: u64,
    frame_ticks: f64,
}

impl Timeline {
    fn new(scans: &[Scan]) -> Self {
        let first_last = |scan: &Scan| match (&scan.video, &scan.audio) {
            (Some(video), _) => (video.first_pts, video.last_pts),
            (None, Some(audio)) => (audio.first_pts, audio.last_pts),
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
        let frames: u64 = scans.iter().filter_map(|scan| scan.video.as_ref()).map(|video| video.frames).sum();
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

/// The key that a playlist's relative URI means.
fn resolve(playlist_key: &str, uri: &str) -> Result<String, SourceError> {
    let refused = || SourceError::Uri(uri.to_owned());
    if uri.contains("://") || uri.starts_with('/') {
        return Err(refused());
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let path = percent_encoding::percent_decode_str(path).decode_utf8().map_err(|_| refused())?;
    let mut parts: Vec<&str> = playlist_key.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop().ok_or_else(refused)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Reads one segment again, for joining: from where it was at ingest, or from the bucket when the file has moved since.
pub(crate) fn segment_file(
    objects: &dyn Objects,
    bucket: &str,
    segment: &facts::Segment,
) -> Result<std::path::PathBuf, AwsError> {
    if fs::metadata(&segment.path).is_ok_and(|metadata| metadata.len() == segment.size_bytes) {
        return Ok(segment.path.clone());
    }
    let object = objects.get(bucket, &segment.key)?;
    if object.info.etag == segment.etag && object.info.size_bytes == segment.size_bytes {
        Ok(object.path)
    } else {
        Err(AwsError::not_found("NotFoundException", "the source has changed since it was ingested"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_key(playlist: &str, uri: &str, expected: Option<&str>) {
        assert_eq!(resolve(playlist, uri).ok().as_deref(), expected, "{uri}");
    }

    #[test]
    fn uris_resolve_within_the_bucket() {
        check_key("v/1/hls/a.m3u8", "a_360.m3u8", Some("v/1/hls/a_360.m3u8"));
        check_key("a.m3u8", "x/seg%20one.ts", Some("x/seg one.ts"));
        check_key("v/1/hls/a.m3u8", "../other/./b.ts?x=1", Some("v/1/other/b.ts"));
        check_key("a.m3u8", "../b.ts", None);
        check_key("a.m3u8", "https://elsewhere/b.ts", None);
        check_key("a.m3u8", "/b.ts", None);
    }
}
