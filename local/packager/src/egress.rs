//! Answers the egress URLs: `https://<group>.egress.mediapackage-vod.<region>.amazonaws.com/out/v1/<three parts>/<file>`.
//!
//! What an asset's manifests say is worked out at the first request for it and kept in memory; a segment is a file of the
//! source as it is, or made in memory. An endpoint's path is drawn at random for each asset and configuration, neither of
//! which can change, so everything below it may be cached for ever; manifests say a day so that a deleted asset fades out.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::Semaphore;
use vodline_core::{OriginBody, OriginRequest, OriginResponse, Store, StoreError};

use crate::{
    authorization,
    build::{self, Builder, Part},
    facts::Facts,
    filter::{self, Filter},
    hls,
    model::{Package, Status},
    presentation::{self, Chosen, Content, Name, Presentation, Role, Stream},
    service::Packager,
    source,
    table::{AssetRow, ConfigurationRow, EndpointRow, GroupRow},
    ts::Media,
};

/// What ready endpoints may take in memory. An hour of video in four renditions takes about 1 MiB.
const READY_BYTES_MAX: usize = 256 << 20;
/// Groups kept ready; there are fewer, unless they come and go.
const GROUPS_READY_MAX: usize = 64;
/// Segments made at a time, for each processor.
const BUILDS_PER_PROCESSOR: usize = 4;
/// What all segments in the making may take in memory together, in the unit of the limit.
const BUILD_UNITS_MAX: u32 = 512;
const BUILD_UNIT_BYTES: u64 = 1 << 20;
/// How long a request waits for its turn before it is told to come back.
const BUILD_PATIENCE: Duration = Duration::from_secs(10);

const SEGMENT_CACHE_CONTROL: &str = "max-age=31536000, immutable";
const PLAYLIST_CACHE_CONTROL: &str = "max-age=86400";

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const DASH_TYPE: &str = "application/dash+xml";

/// An endpoint with everything written.
struct Ready {
    package: Package,
    /// The file name of the manifest.
    manifest: String,
    facts: Facts,
    presentation: Presentation,
    parent: Bytes,
    /// For each stream of the presentation.
    texts: Vec<StreamTexts>,
    /// Begins every entity tag.
    tag: String,
    last_modified: HeaderValue,
    weight_bytes: usize,
}

/// What is written of one stream.
struct StreamTexts {
    media: Option<Bytes>,
    key_frames: Option<Bytes>,
    init: Option<Bytes>,
}

/// What requests have made ready, and the limits of what is made.
pub(crate) struct Egress {
    /// By host.
    groups: RwLock<HashMap<String, Arc<GroupRow>>>,
    /// By host and the three parts of the path.
    ready: RwLock<HashMap<(String, String), Arc<Ready>>>,
    /// Counts changes: what was read before a change is not kept after it.
    changes: AtomicU64,
    builds: Semaphore,
    build_units: Semaphore,
}

impl Default for Egress {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            groups: RwLock::default(),
            ready: RwLock::default(),
            changes: AtomicU64::default(),
            builds: Semaphore::new(processors * BUILDS_PER_PROCESSOR),
            build_units: Semaphore::new(BUILD_UNITS_MAX as usize),
        }
    }
}

impl Egress {
    fn keep_group(&self, host: String, group: &Arc<GroupRow>, changes: u64) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a change that comes now clears the map after this.
        if self.changes.load(Ordering::SeqCst) == changes {
            if groups.len() >= GROUPS_READY_MAX {
                groups.clear();
            }
            groups.insert(host, group.clone());
        }
    }

    /// Keeps what was read when there had been this many changes, unless there has been another since.
    fn keep_ready(&self, key: (String, String), ready: &Arc<Ready>, changes: u64) {
        let mut map = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) != changes {
            return;
        }
        map.insert(key, ready.clone());
        // Making ready again costs milliseconds; which ones have to go is not worth remembering.
        let mut weight: usize = map.values().map(|ready| ready.weight_bytes).sum();
        map.retain(|_, kept| {
            if weight <= READY_BYTES_MAX || Arc::ptr_eq(kept, ready) {
                return true;
            }
            weight -= kept.weight_bytes;
            false
        });
    }

    /// Forgets everything; called when something was changed or deleted.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.groups.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.ready.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A failure as its status; the reason is for the viewer.
struct Failure(StatusCode, String);

impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Self {
        Self(status, status.canonical_reason().unwrap_or_default().to_owned())
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
            Err(failed) => failure(failed),
        }
    }

    async fn try_answer(&self, request: &OriginRequest) -> Result<OriginResponse, Failure> {
        let group = self.group_of(&request.domain_name)?;
        if let Some(authorization) = &group.authorization {
            let identifier = request.headers.get(authorization::HEADER).ok_or(StatusCode::FORBIDDEN)?;
            if !self.authorizations.permits(&authorization.cdn_identifier_secret, identifier.as_bytes()) {
                return Err(StatusCode::FORBIDDEN.into());
            }
        }
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(response(StatusCode::OK, OriginBody::Bytes(Bytes::new()))),
            _ => return Err(StatusCode::METHOD_NOT_ALLOWED.into()),
        }
        let bad = |error: filter::FilterError| Failure(StatusCode::BAD_REQUEST, error.to_string());
        let filter = filter::in_query(&request.query).map_err(bad)?;
        let (path, file) = request
            .path
            .strip_prefix("/out/v1/")
            .and_then(|path| path.rsplit_once('/'))
            .ok_or(StatusCode::NOT_FOUND)?;
        let ready = self.ready(&group, path).await?;
        match filter {
            Some(filter) if file == ready.manifest => {
                let filter = Filter::parse(&filter).map_err(bad)?;
                filtered(&ready, &request.query, &filter)
            }
            // Only the manifest itself can be filtered.
            Some(_) => Err(Failure(StatusCode::BAD_REQUEST, "only a manifest takes a filter".to_owned())),
            None => self.file(&ready, file).await,
        }
    }

    fn group_of(&self, domain: &str) -> Result<Arc<GroupRow>, StatusCode> {
        let host = domain.split('.').next().unwrap_or_default();
        let known = self.egress.groups.read().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
        if let Some(group) = known {
            return Ok(group);
        }
        let before = self.egress.changes.load(Ordering::SeqCst);
        let group =
            self.store.read(|connection| GroupRow::by_host(connection, host)).map_err(|error| store_failed(&error))?;
        let group = Arc::new(group.ok_or(StatusCode::NOT_FOUND)?);
        self.egress.keep_group(host.to_owned(), &group, before);
        Ok(group)
    }

    async fn ready(&self, group: &Arc<GroupRow>, path: &str) -> Result<Arc<Ready>, StatusCode> {
        let key = (group.host.clone(), path.to_owned());
        let known = self.egress.ready.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(ready) = known {
            return Ok(ready);
        }
        let before = self.egress.changes.load(Ordering::SeqCst);
        let (store, group, path) = (self.store.clone(), group.clone(), path.to_owned());
        // The facts of a long video are megabytes to read.
        let made = tokio::task::spawn_blocking(move || make_ready(&store, &group, &path)).await;
        let ready = Arc::new(made.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)??);
        self.egress.keep_ready(key, &ready, before);
        Ok(ready)
    }

    async fn file(&self, ready: &Arc<Ready>, file: &str) -> Result<OriginResponse, Failure> {
        let (name, extension) = presentation::parse_name(&ready.manifest, file).ok_or(StatusCode::NOT_FOUND)?;
        let stream = |number: usize| {
            let streams = &ready.presentation.streams;
            streams.iter().position(|stream| stream.number == number).ok_or(StatusCode::NOT_FOUND)
        };
        let text = |text: &Option<Bytes>| text.clone().map(OriginBody::Bytes).ok_or(StatusCode::NOT_FOUND);
        let (body, content_type, cache_control) = match name {
            Name::Parent => {
                (OriginBody::Bytes(ready.parent.clone()), manifest_type(&ready.package), PLAYLIST_CACHE_CONTROL)
            }
            Name::Media(number) => (text(&ready.texts[stream(number)?].media)?, PLAYLIST_TYPE, PLAYLIST_CACHE_CONTROL),
            Name::KeyFrames(number) => {
                (text(&ready.texts[stream(number)?].key_frames)?, PLAYLIST_TYPE, PLAYLIST_CACHE_CONTROL)
            }
            Name::Init(number) => {
                let index = stream(number)?;
                let content_type = content_type(&ready.presentation.streams[index]);
                (text(&ready.texts[index].init)?, content_type, SEGMENT_CACHE_CONTROL)
            }
            Name::Segment(..) | Name::SegmentAt(..) | Name::KeyFrame(..) => {
                let (number, part) = match name {
                    Name::KeyFrame(number, index) => (number, Part::KeyFrame(index)),
                    Name::Segment(number, index) => (number, Part::Segment(index)),
                    Name::SegmentAt(number, time) => {
                        let outputs = &ready.presentation.streams[stream(number)?].outputs;
                        let found = outputs.binary_search_by_key(&time, |output| output.start);
                        (number, Part::Segment(found.map_err(|_| StatusCode::NOT_FOUND)?))
                    }
                    Name::Parent | Name::Media(_) | Name::KeyFrames(_) | Name::Init(_) => {
                        return Err(StatusCode::NOT_FOUND.into());
                    }
                };
                let index = stream(number)?;
                let stream = &ready.presentation.streams[index];
                if stream.extension() != extension {
                    return Err(StatusCode::NOT_FOUND.into());
                }
                (self.part(ready, index, part).await?, content_type(stream), SEGMENT_CACHE_CONTROL)
            }
        };
        Ok(found(ready, body, content_type, cache_control, file))
    }

    /// A part of a stream: the source's file where one is enough and needs no change, made in memory otherwise.
    async fn part(&self, ready: &Arc<Ready>, index: usize, part: Part) -> Result<OriginBody, Failure> {
        let stream = &ready.presentation.streams[index];
        if let Some(body) = self.whole_file(ready, stream, part)? {
            return Ok(body);
        }
        let units = build::working_bytes(stream, part).div_ceil(BUILD_UNIT_BYTES).clamp(1, BUILD_UNITS_MAX.into());
        let turn = async {
            let build = self.egress.builds.acquire().await;
            let memory = self.egress.build_units.acquire_many(units as u32).await;
            build.ok().zip(memory.ok())
        };
        let Ok(Some(_turn)) = tokio::time::timeout(BUILD_PATIENCE, turn).await else {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        };
        let (objects, ready) = (self.objects.clone(), ready.clone());
        let made = tokio::task::spawn_blocking(move || {
            let builder = Builder { objects: &objects, facts: &ready.facts, presentation: &ready.presentation };
            builder.build(&ready.presentation.streams[index], part)
        });
        match made.await {
            Ok(Ok(Some(bytes))) => Ok(OriginBody::Bytes(bytes.into())),
            Ok(Ok(None)) => Err(StatusCode::NOT_FOUND.into()),
            Ok(Err(build::BuildError::Missing(error))) => {
                tracing::warn!(code = error.code, "a segment of an ingested source is gone");
                Err(StatusCode::NOT_FOUND.into())
            }
            Ok(Err(error)) => {
                tracing::warn!(error = ?error, "cannot make a segment");
                Err(StatusCode::INTERNAL_SERVER_ERROR.into())
            }
            Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR.into()),
        }
    }

    /// The file of the source that is a segment as it is.
    fn whole_file(&self, ready: &Ready, stream: &Stream, part: Part) -> Result<Option<OriginBody>, StatusCode> {
        let (Content::Joined, Part::Segment(index)) = (stream.content, part) else { return Ok(None) };
        let output = stream.outputs.get(index).ok_or(StatusCode::NOT_FOUND)?;
        let rendition = &ready.facts.renditions[stream.rendition()];
        if output.to - output.from > 1 || !rendition.continuous {
            return Ok(None);
        }
        let segment = &rendition.segments[output.from];
        let path = source::segment_file(self.objects.as_ref(), &ready.facts.bucket, rendition, segment);
        let path = path.map_err(|error| {
            tracing::warn!(code = error.code, "a segment of an ingested source is gone");
            StatusCode::NOT_FOUND
        })?;
        Ok(Some(OriginBody::File { path, size_bytes: output.size_bytes }))
    }
}

fn make_ready(store: &Store, group: &GroupRow, path: &str) -> Result<Ready, StatusCode> {
    let rows = store.read::<_, StoreError>(|connection| {
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
    let package = configuration.package;
    let presentation = presentation::present(&facts, &package).map_err(|_| StatusCode::NOT_FOUND)?;
    let created_at: jiff::Timestamp = asset.created_at.parse().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let texts: Vec<StreamTexts> =
        presentation.streams.iter().map(|stream| texts(&package, stream, created_at)).collect();
    let parent = presentation::manifest(&facts, &package, &Chosen::all(&presentation));
    let text_bytes = |text: &Option<Bytes>| text.as_ref().map_or(0, Bytes::len);
    let written: usize = texts.iter().map(|texts| text_bytes(&texts.media) + text_bytes(&texts.key_frames)).sum();
    let outputs: usize = presentation.streams.iter().map(|stream| stream.outputs.len()).sum();
    Ok(Ready {
        manifest: package.manifest_file(),
        weight_bytes: facts.weight_bytes() + parent.len() + written + outputs * size_of::<presentation::Output>(),
        parent: parent.into(),
        texts,
        package,
        presentation,
        facts,
        tag: path.rsplit('/').next().unwrap_or_default().to_owned(),
        last_modified: http_date(created_at).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?,
    })
}

/// What is written of a stream.
fn texts(package: &Package, stream: &Stream, created_at: jiff::Timestamp) -> StreamTexts {
    let init = stream.init.clone().map(Bytes::from);
    let Some(manifest) = package.hls_manifest() else { return StreamTexts { media: None, key_frames: None, init } };
    let every = manifest.program_date_time_interval_seconds.filter(|seconds| *seconds > 0);
    let captions = matches!(stream.role, Role::Subtitles { .. });
    let time_of_day =
        every.filter(|_| !captions).map(|every_seconds| hls::TimeOfDay { every_seconds, begun_at: created_at });
    StreamTexts {
        media: Some(hls::media(manifest.name(), stream, time_of_day).into()),
        key_frames: hls::key_frames(manifest.name(), stream).map(Bytes::from),
        init,
    }
}

fn filtered(ready: &Ready, query: &str, filter: &Filter) -> Result<OriginResponse, Failure> {
    let chosen = filter
        .choose(&ready.facts, &ready.presentation)
        .ok_or_else(|| Failure(StatusCode::BAD_REQUEST, "the filter leaves nothing of the manifest".to_owned()))?;
    let text = presentation::manifest(&ready.facts, &ready.package, &chosen);
    let mut hasher = DefaultHasher::new();
    query.hash(&mut hasher);
    let tagged = format!("{}-{:016x}", ready.manifest, hasher.finish());
    let body = OriginBody::Bytes(text.into());
    Ok(found(ready, body, manifest_type(&ready.package), PLAYLIST_CACHE_CONTROL, &tagged))
}

fn found(
    ready: &Ready,
    body: OriginBody,
    content_type: &'static str,
    cache_control: &'static str,
    tagged: &str,
) -> OriginResponse {
    let mut response = response(StatusCode::OK, body);
    let headers = &mut response.headers;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(header::LAST_MODIFIED, ready.last_modified.clone());
    // A file's name is made of letters, digits, '-', '_' and '.' only.
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}-{tagged}\"", ready.tag)) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn manifest_type(package: &Package) -> &'static str {
    if matches!(package, Package::Dash(_)) { DASH_TYPE } else { PLAYLIST_TYPE }
}

fn content_type(stream: &Stream) -> &'static str {
    match stream.content {
        Content::Joined | Content::Transport { .. } => "video/mp2t",
        Content::Fragmented(Media::Picture) => "video/mp4",
        Content::Fragmented(Media::Sound) => "audio/mp4",
        Content::WebVtt { .. } => "text/vtt",
        Content::Ttml => "application/mp4",
    }
}

fn response(status: StatusCode, body: OriginBody) -> OriginResponse {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    OriginResponse { status, headers, body }
}

fn failure(Failure(status, reason): Failure) -> OriginResponse {
    let mut response = response(status, OriginBody::Bytes(reason.into()));
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn store_failed(error: &StoreError) -> StatusCode {
    tracing::error!(error = ?error, "the store failed");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// A time in the form of HTTP's headers (RFC 9110, 5.6.7).
fn http_date(time: jiff::Timestamp) -> Option<HeaderValue> {
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::try_from(text).ok()
}
