//! Reads a source from its bucket, once: the manifest, then everything that it names.

mod files;
mod hls;
mod smil;

use std::{io, sync::Arc};

use vodline_core::{AwsError, Objects};

use self::files::Files;
pub(crate) use self::files::segment_file;
use crate::{
    captions::CaptionError, facts::Facts, mp4::Mp4Error, playlist::PlaylistError, smil::SmilError, ts::TsError,
};

/// Streams of an asset; <https://docs.aws.amazon.com/mediapackage/latest/ug/vod-quotas.html> ("Ingest streams per asset").
const STREAMS_MAX: usize = 20;
/// Tracks of a stream; the same source ("Tracks per ingest stream").
const TRACKS_PER_STREAM_MAX: usize = 10;
/// A segment of 30 s at 200 Mbit/s stays below this; it is read into memory.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
const SEGMENTS_MAX: usize = 400_000;

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
    #[error("the manifest {key} cannot be used")]
    Smil {
        key: String,
        #[source]
        source: SmilError,
    },
    #[error("the segment {key} cannot be used")]
    Segment {
        key: String,
        #[source]
        source: TsError,
    },
    #[error("the file {key} cannot be used")]
    File {
        key: String,
        #[source]
        source: Mp4Error,
    },
    #[error("the captions {key} cannot be used")]
    Captions {
        key: String,
        #[source]
        source: CaptionError,
    },
    #[error("the URI {0:?} leads out of the source's bucket or is not relative")]
    Uri(String),
    #[error("the source has {found} {what}, more than {limit}")]
    TooMany { what: &'static str, found: usize, limit: usize },
    #[error("segment {segment} of {key} does not begin where the same segment of the first rendition begins")]
    Unaligned { key: String, segment: usize },
    #[error("the key frames of {0} are at other times than those of the first file")]
    UnalignedKeyFrames(String),
    #[error("the parameters of {key} change at segment {segment}")]
    Changed { key: String, segment: usize },
    #[error("the source has no video track")]
    NoVideo,
}

/// Reads the source with this manifest. Blocks on the disk.
pub(crate) fn read(objects: &Arc<dyn Objects>, bucket: &str, key: &str) -> Result<Facts, SourceError> {
    let files = Files { objects: objects.as_ref(), bucket };
    if key.ends_with(".smil") { smil::read(&files, key) } else { hls::read(&files, key) }
}
