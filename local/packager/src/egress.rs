//! Answers the egress URLs: `https://<group>.egress.mediapackage-vod.<region>.amazonaws.com/out/v1/<three parts>/<file>`.
//!
//! What an asset's playlists say is worked out at the first request for it and kept in memory; a segment is a file of the
//! source as it is, or several joined in memory. An endpoint's path is drawn at random for each asset and configuration, neither
//! of which can change, so everything below it may be cached for ever; playlists say a day so that a deleted asset fades out.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use vodline_core::{OriginBody, OriginRequest, OriginResponse, StoreError};

use crate::{
    authorization,
    cmaf::Track,
    facts::{Facts, Kind, Rendition},
    model::Status,
    presentation::{self, Content, Name, Output},
    service::Packager,
    source,
    table::{AssetRow, ConfigurationRow, EndpointRow, GroupRow},
    ts,
};

/// Endpoints kept ready. An hour of video in four renditions takes about 1 MiB.
const READY_MAX: usize = 256;

const SEGMENT_CACHE_CONTROL: &str = "max-age=31536000, immutable";
const PLAYLIST_CACHE_CONTROL: &str = "max-age=86400";

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const TRANSPORT_STREAM_TYPE: &str = "video/mp2t";
const SUBTITLES_TYPE: &str = "text/vtt";
const DASH_TYPE: &str = "application/dash+xml";
const VIDEO_TYPE: &str = "video/mp4";
const AUDIO_TYPE: &str = "audio/mp4";

/// An endpoint with everything written.
struct Ready {
    /// The file name of the manifest.
    manifest: String,
    facts: Facts,
    parent: Bytes,
    streams: Vec<ReadyStream>,
    /// Begins every entity tag.
    tag: String,
    last_modified: HeaderValue,
}

struct ReadyStream {
    number: usize,
    media: Option<Bytes>,
    key_frames: Option<Bytes>,
    content: Content,
}

/// What requests have made ready.
#[derive(Default)]
pub(crate) struct Egress {
    /// By host.
    groups: RwLock<HashMap<String, Arc<GroupRow>>>,
    /// By host and the three parts of the path.
    ready: RwLock<HashMap<(String, String), Arc<Ready>>>,
    /// Counts changes: what was read before a change is not kept after it.
    changes: AtomicU64,
}

fn recall<K: std::hash::Hash + Eq, V>(map: &RwLock<HashMap<K, Arc<V>>>, key: &K) -> Option<Arc<V>> {
    map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

impl Egress {
    /// Keeps what was read when there had been this many changes, unless there has been another since.
    fn keep<K: std::hash::Hash + Eq, V>(&self, map: &RwLock<HashMap<K, Arc<V>>>, key: K, value: &Arc<V>, changes: u64) {
        let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a change that comes now clears the map after this.
        if self.changes.load(Ordering::SeqCst) != changes {
            return;
        }
        // Making ready again costs milliseconds; which one has to go is not worth remembering.
        if map.len() >= READY_MAX
            && let Some(any) = map.values().next().cloned()
        {
            map.retain(|_, value| !Arc::ptr_eq(value, &any));
        }
        map.insert(key, value.clone());
    }

    /// Forgets everything; called when something was changed or deleted.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.groups.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.ready.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Packager {
    pub(crate) async fn answer(&self, request: OriginRequest) -> OriginResponse {
        match self.try_answer(&request).await {
            Ok(mut response) => {
                if request.method == Method::HEAD {
                    let length = match &response.body {
                        OriginBody::Bytes(bytes) => bytes.len() as u64,
                        OriginBody::File { size_bytes, .. } => *size_bytes,
                    };
                    response.headers.insert(header::CONTENT_LENGTH, length.into());
                    response.body = OriginBody::Bytes(Bytes::new());
                }
                response
            }
            Err(status) => failure(status),
        }
    }

    async fn try_answer(&self, request: &OriginRequest) -> Result<OriginResponse, StatusCode> {
        let group = self.group_of(&request.domain_name)?;
        if let Some(authorization) = &group.authorization {
            let identifier = request.headers.get(authorization::HEADER).ok_or(StatusCode::FORBIDDEN)?;
            if !self.authorizations.permits(&authorization.cdn_identifier_secret, identifier.as_bytes()) {
                return Err(StatusCode::FORBIDDEN);
            }
        }
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(response(StatusCode::OK, OriginBody::Bytes(Bytes::new()))),
            _ => return Err(StatusCode::METHOD_NOT_ALLOWED),
        }
        if request.query.split('&').any(|pair| pair.starts_with("aws.manifestfilter")) {
            // Honoured by MediaPackage, not here yet; an unfiltered playlist would be a wrong answer.
            return Err(StatusCode::NOT_IMPLEMENTED);
        }
        let (path, file) = request
            .path
            .strip_prefix("/out/v1/")
            .and_then(|path| path.rsplit_once('/'))
            .ok_or(StatusCode::NOT_FOUND)?;
        let ready = self.ready(&group, path).await?;
        self.file(&ready, file).await
    }

    fn group_of(&self, domain: &str) -> Result<Arc<GroupRow>, StatusCode> {
        let host = domain.split('.').next().unwrap_or_default().to_owned();
        if let Some(group) = recall(&self.egress.groups, &host) {
            return Ok(group);
        }
        let before = self.egress.changes.load(Ordering::SeqCst);
        let group =
            self.store.read(|connection| GroupRow::by_host(connection, &host)).map_err(|error| store_failed(&error))?;
        let group = Arc::new(group.ok_or(StatusCode::NOT_FOUND)?);
        self.egress.keep(&self.egress.groups, host, &group, before);
        Ok(group)
    }

    async fn ready(&self, group: &GroupRow, path: &str) -> Result<Arc<Ready>, StatusCode> {
        let key = (group.host.clone(), path.to_owned());
        if let Some(ready) = recall(&self.egress.ready, &key) {
            return Ok(ready);
        }
        let before = self.egress.changes.load(Ordering::SeqCst);
        let ready = Arc::new(self.make_ready(group, path)?);
        self.egress.keep(&self.egress.ready, key, &ready, before);
        Ok(ready)
    }

    fn make_ready(&self, group: &GroupRow, path: &str) -> Result<Ready, StatusCode> {
        let rows = self.store.read::<_, StoreError>(|connection| {
            let Some(endpoint) = EndpointRow::by_path(connection, path)?.filter(|row| row.status == Status::Playable)
            else {
                return Ok(None);
            };
            let asset = AssetRow::find(connection, &endpoint.asset_id)?.filter(|asset| asset.group_id == group.id);
            let facts = AssetRow::facts(connection, &endpoint.asset_id)?;
            let configuration = ConfigurationRow::find(connection, &endpoint.configuration_id)?;
            Ok(asset.zip(facts).zip(configuration))
        });
        let rows = rows.map_err(|error| store_failed(&error))?;
        let ((asset, facts), configuration) = rows.ok_or(StatusCode::NOT_FOUND)?;
        let presentation = presentation::present(&facts, &configuration.package).map_err(|_| StatusCode::NOT_FOUND)?;
        let streams = presentation.streams.into_iter().map(|stream| ReadyStream {
            number: stream.number,
            media: stream.media.map(Bytes::from),
            key_frames: stream.key_frames.map(Bytes::from),
            content: stream.content,
        });
        Ok(Ready {
            manifest: configuration.package.manifest_file(),
            parent: presentation.parent.into(),
            streams: streams.collect(),
            facts,
            tag: path.rsplit('/').next().unwrap_or_default().to_owned(),
            last_modified: http_date(&asset.created_at).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?,
        })
    }

    async fn file(&self, ready: &Arc<Ready>, file: &str) -> Result<OriginResponse, StatusCode> {
        let name = presentation::parse_name(&ready.manifest, file).ok_or(StatusCode::NOT_FOUND)?;
        let stream = |number: usize| {
            ready.streams.iter().position(|stream| stream.number == number).ok_or(StatusCode::NOT_FOUND)
        };
        let playlist = |text: &Option<Bytes>| {
            let text = text.clone().ok_or(StatusCode::NOT_FOUND)?;
            Ok::<_, StatusCode>((OriginBody::Bytes(text), PLAYLIST_TYPE, PLAYLIST_CACHE_CONTROL))
        };
        let (body, content_type, cache_control) = match name {
            Name::Parent => {
                let content_type = if ready.manifest.ends_with(".mpd") { DASH_TYPE } else { PLAYLIST_TYPE };
                (OriginBody::Bytes(ready.parent.clone()), content_type, PLAYLIST_CACHE_CONTROL)
            }
            Name::Media(number) => playlist(&ready.streams[stream(number)?].media)?,
            Name::KeyFrames(number) => playlist(&ready.streams[stream(number)?].key_frames)?,
            Name::Init(number) => match &ready.streams[stream(number)?].content {
                Content::Track(track) => {
                    (OriginBody::Bytes(Bytes::from(track.init.clone())), track_type(track), SEGMENT_CACHE_CONTROL)
                }
                Content::Joined { .. } => return Err(StatusCode::NOT_FOUND),
            },
            Name::Segment(number, index) => {
                let (body, content_type) = self.segment(ready, stream(number)?, index, file).await?;
                (body, content_type, SEGMENT_CACHE_CONTROL)
            }
        };
        let mut response = response(StatusCode::OK, body);
        let headers = &mut response.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        headers.insert(header::LAST_MODIFIED, ready.last_modified.clone());
        // The file's name is made of letters, digits, '-', '_' and '.' only.
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}-{file}\"", ready.tag)) {
            headers.insert(header::ETAG, tag);
        }
        Ok(response)
    }

    /// A segment and its type: the source's file where one is enough and needs no change, made in memory otherwise.
    async fn segment(
        &self,
        ready: &Arc<Ready>,
        stream: usize,
        index: usize,
        file: &str,
    ) -> Result<(OriginBody, &'static str), StatusCode> {
        let (rendition, from, to, extension, content_type) = match &ready.streams[stream].content {
            Content::Joined { rendition, outputs } => {
                let output = outputs.get(index).ok_or(StatusCode::NOT_FOUND)?;
                let (extension, content_type) = match ready.facts.renditions[*rendition].kind {
                    Kind::Subtitles(_) => (".vtt", SUBTITLES_TYPE),
                    Kind::Variant { .. } | Kind::Audio(_) => (".ts", TRANSPORT_STREAM_TYPE),
                };
                (*rendition, output.from, output.to, extension, content_type)
            }
            Content::Track(track) => {
                let fragment = track.fragments.get(index).ok_or(StatusCode::NOT_FOUND)?;
                (track.rendition, fragment.from, fragment.to, ".mp4", track_type(track))
            }
        };
        if !file.ends_with(extension) {
            return Err(StatusCode::NOT_FOUND);
        }
        let facts = &ready.facts;
        let sources = &facts.renditions[rendition].segments[from..to];
        let paths: Result<Vec<PathBuf>, _> =
            sources.iter().map(|segment| source::segment_file(self.objects.as_ref(), &facts.bucket, segment)).collect();
        let mut paths = paths.map_err(|error| {
            tracing::warn!(code = error.code, "a segment of an ingested source is gone");
            StatusCode::NOT_FOUND
        })?;
        let joined = matches!(ready.streams[stream].content, Content::Joined { .. });
        if joined && paths.len() == 1 && facts.renditions[rendition].continuous {
            return Ok((OriginBody::File { path: paths.remove(0), size_bytes: sources[0].size_bytes }, content_type));
        }
        let ready = ready.clone();
        let made = tokio::task::spawn_blocking(move || make_segment(&ready, stream, index, &paths));
        match made.await {
            Ok(Ok(bytes)) => Ok((OriginBody::Bytes(bytes), content_type)),
            Ok(Err(error)) => {
                tracing::warn!(error = ?error, "cannot make a segment");
                Err(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// A segment cannot be made.
#[derive(Debug, thiserror::Error)]
enum SegmentError {
    #[error("a file of the source cannot be read")]
    Read(#[from] std::io::Error),
    #[error("a segment of the source is not what it was when it was ingested")]
    Changed(#[from] ts::TsError),
}

fn make_segment(ready: &Ready, stream: usize, index: usize, paths: &[PathBuf]) -> Result<Bytes, SegmentError> {
    match &ready.streams[stream].content {
        Content::Joined { rendition, outputs } => {
            Ok(join(&ready.facts.renditions[*rendition], &outputs[index], paths)?)
        }
        Content::Track(track) => {
            let sources = paths.iter().map(std::fs::read).collect::<std::io::Result<Vec<_>>>()?;
            Ok(track.segment(&ready.facts.renditions[track.rendition], index, &sources)?.into())
        }
    }
}

fn track_type(track: &Track) -> &'static str {
    match track.media {
        ts::Media::Video => VIDEO_TYPE,
        ts::Media::Audio => AUDIO_TYPE,
    }
}

/// Joins a run of the source's segments; the continuity counters are made to run on where the source's do not.
fn join(rendition: &Rendition, output: &Output, paths: &[PathBuf]) -> std::io::Result<Bytes> {
    use std::io::Read as _;
    let mut joined = Vec::with_capacity(output.size_bytes as usize);
    for path in paths {
        std::fs::File::open(path)?.read_to_end(&mut joined)?;
    }
    if joined.len() as u64 != output.size_bytes {
        return Err(std::io::Error::other("a segment has another size than when it was ingested"));
    }
    if !rendition.continuous {
        let mut position: BTreeMap<u16, u64> = BTreeMap::new();
        for (pid, packets) in rendition.segments[..output.from].iter().flat_map(|segment| &segment.payload_packets) {
            *position.entry(*pid).or_default() += packets;
        }
        ts::renumber(&mut joined, &mut position);
    }
    Ok(joined.into())
}

fn response(status: StatusCode, body: OriginBody) -> OriginResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    OriginResponse { status, headers, body }
}

fn failure(status: StatusCode) -> OriginResponse {
    let mut response = response(status, OriginBody::Bytes(Bytes::from(status.canonical_reason().unwrap_or_default())));
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn store_failed(error: &StoreError) -> StatusCode {
    tracing::error!(error = ?error, "the store failed");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// A stored time in the form of HTTP's headers (RFC 9110, 5.6.7).
fn http_date(created_at: &str) -> Option<HeaderValue> {
    let time: jiff::Timestamp = created_at.parse().ok()?;
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::try_from(text).ok()
}
