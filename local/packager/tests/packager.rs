//! The packager through its two doors, the API and the egress, on real clips made with ffmpeg.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use vodline_core::{
    Account, Authorizer, AwsError, Event, EventBus, ManualClock, ObjectBody, ObjectInfo, ObjectMetadata, Objects,
    Origin, OriginBody, OriginRequest, Principal, Request, Secrets, SeededEntropy, Service, StoreError,
    rusqlite::Transaction,
};
use vodline_packager::{Config, Packager};

/// A bucket that is a directory.
struct Bucket(PathBuf);

impl Objects for Bucket {
    fn get(&self, bucket: &str, key: &str) -> Result<ObjectBody, AwsError> {
        let path = self.0.join(bucket).join(key);
        let size_bytes = std::fs::metadata(&path).map_err(|_| AwsError::not_found("NoSuchKey", "no such key"))?.len();
        let info = ObjectInfo {
            key: key.into(),
            size_bytes,
            etag: format!("\"{size_bytes}\""),
            version_id: None,
            last_modified: Timestamp::UNIX_EPOCH,
            metadata: ObjectMetadata::default(),
        };
        Ok(ObjectBody { info, path })
    }

    fn put_file(&self, _: &str, _: &str, _: &Path, _: ObjectMetadata) -> Result<ObjectInfo, AwsError> {
        Err(AwsError::internal("the packager writes nothing"))
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), AwsError> {
        Err(AwsError::internal("the packager deletes nothing"))
    }

    fn list(&self, _: &str, _: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        Err(AwsError::internal("the packager lists nothing"))
    }
}

struct Vault;

impl Secrets for Vault {
    fn values(&self, secret: &str) -> Result<Vec<String>, AwsError> {
        assert_eq!(secret, SECRET);
        Ok(vec![r#"{"MediaPackageCDNIdentifier":"11111111-2222-3333"}"#.into()])
    }
}

/// Keeps what it hears, and says so.
#[derive(Default)]
struct Bus {
    events: Mutex<Vec<Event>>,
    heard: tokio::sync::Notify,
}

impl EventBus for Bus {
    fn enqueue(&self, _: &Transaction<'_>, event: &Event) -> Result<(), StoreError> {
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }

    fn wake(&self) {
        self.heard.notify_one();
    }
}

/// Everybody may do everything, except the role named `stranger`.
struct Policy;

impl Authorizer for Policy {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if principal.arn().ends_with("/stranger") {
            return Err(AwsError::access_denied(principal.arn(), action, resource));
        }
        Ok(())
    }
}

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:MediaPackage/cdn";

struct Home {
    directory: tempfile::TempDir,
    bus: Arc<Bus>,
    packager: Arc<Packager>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bus = Arc::new(Bus::default());
        let packager = open(directory.path(), &bus);
        Self { directory, bus, packager }
    }

    fn source_directory(&self) -> PathBuf {
        let path = self.directory.path().join("buckets/media/v");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value, AwsError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            operation: String::new(),
            method,
            path: path.into(),
            query: query.into(),
            headers: HeaderMap::new(),
            body: if body.is_null() { Bytes::new() } else { body.to_string().into() },
            principal: Principal::Root,
            request_id: "r".into(),
            authorizer: Arc::new(Policy),
        };
        let response = self.packager.call(request).await?;
        Ok(serde_json::from_slice(&response.body).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, body).await.unwrap()
    }

    async fn refusal(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let error = self.call(method, path, body).await.unwrap_err();
        (error.status.as_u16(), format!("{}: {}", error.code, error.message))
    }

    async fn group(&self) -> Value {
        let authorization =
            json!({ "cdnIdentifierSecret": SECRET, "secretsRoleArn": "arn:aws:iam::000000000000:role/reader" });
        self.post("/packaging_groups", json!({ "id": "group", "authorization": authorization })).await
    }

    async fn configuration(&self, id: &str, seconds: u32) {
        let package = json!({
            "segmentDurationSeconds": seconds,
            "hlsManifests": [{ "manifestName": "index", "includeIframeOnlyStream": true }],
        });
        self.post("/packaging_configurations", json!({ "id": id, "packagingGroupId": "group", "hlsPackage": package }))
            .await;
    }

    async fn asset(&self, id: &str) -> Value {
        self.post("/assets", asset_request(id, "reader")).await
    }

    /// Lets the worker go until the asset is no longer unfinished.
    async fn ingested(&self, id: &str) -> Value {
        let worker = tokio::spawn(self.packager.clone().run());
        let finished = async {
            loop {
                let asset = self.call(Method::GET, &format!("/assets/{id}"), Value::Null).await.unwrap();
                let unfinished =
                    |endpoint: &Value| matches!(endpoint["status"].as_str(), Some("QUEUED" | "PROCESSING"));
                if !asset["egressEndpoints"].as_array().unwrap().iter().any(unfinished) {
                    return asset;
                }
                self.bus.heard.notified().await;
            }
        };
        let asset = tokio::time::timeout(std::time::Duration::from_secs(60), finished).await.unwrap();
        worker.abort();
        asset
    }

    fn told(&self) -> Vec<String> {
        let events = self.bus.events.lock().unwrap();
        events.iter().map(|event| event.detail["event"].as_str().unwrap().to_owned()).collect()
    }

    async fn fetch(&self, url: &str, identifier: Option<&str>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let (domain, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let mut headers = HeaderMap::new();
        if let Some(identifier) = identifier {
            headers.insert("x-mediapackage-cdnidentifier", identifier.parse().unwrap());
        }
        let request = OriginRequest {
            domain_name: domain.into(),
            method: Method::GET,
            path: format!("/{path}"),
            query: String::new(),
            headers,
            body: Bytes::new(),
        };
        let response = self.packager.fetch(request).await;
        let bytes = match response.body {
            OriginBody::Bytes(bytes) => bytes.to_vec(),
            OriginBody::File { path, size_bytes } => {
                let bytes = std::fs::read(path).unwrap();
                assert_eq!(bytes.len() as u64, size_bytes);
                bytes
            }
        };
        (response.status, response.headers, bytes)
    }

    async fn get(&self, url: &str) -> Vec<u8> {
        let (status, _, bytes) = self.fetch(url, Some("11111111-2222-3333")).await;
        assert_eq!(status, StatusCode::OK, "{url}");
        bytes
    }

    /// Fetches a playlist and everything below it into a directory.
    async fn download(&self, url: &str, into: &Path) {
        let base = url.rsplit_once('/').unwrap().0;
        let mut wanted = vec![url.rsplit('/').next().unwrap().to_owned()];
        while let Some(name) = wanted.pop() {
            if into.join(&name).exists() {
                continue;
            }
            let bytes = self.get(&format!("{base}/{name}")).await;
            if name.ends_with(".m3u8") {
                let text = String::from_utf8(bytes.clone()).unwrap();
                wanted
                    .extend(text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
            }
            std::fs::write(into.join(name), bytes).unwrap();
        }
    }
}

fn open(directory: &Path, bus: &Arc<Bus>) -> Arc<Packager> {
    Packager::open(Config {
        data_directory: directory.into(),
        account: Account::default(),
        clock: Arc::new(ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap())),
        entropy: Arc::new(SeededEntropy::new(7)),
        objects: Arc::new(Bucket(directory.join("buckets"))),
        secrets: Arc::new(Vault),
        events: bus.clone(),
    })
    .unwrap()
}

fn asset_request(id: &str, role: &str) -> Value {
    json!({
        "id": id,
        "packagingGroupId": "group",
        "sourceArn": "arn:aws:s3:::media/v/clip.m3u8",
        "sourceRoleArn": format!("arn:aws:iam::000000000000:role/{role}"),
        "tags": { "videoId": id },
    })
}

/// A source of 6 s in two renditions with segments of 1 s, as MediaConvert lays it out.
fn make_source(directory: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30000/1001:duration=6"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=6"])
        .args(["-filter_complex", "[0:v]split[a][b];[b]scale=320:180[c]"])
        .args(["-map", "[a]", "-map", "1:a", "-map", "[c]", "-map", "1:a"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"])
        .args(["-b:v:0", "800k", "-b:v:1", "200k", "-c:a", "aac", "-ac", "2", "-f", "hls", "-hls_time", "1"])
        .args(["-hls_playlist_type", "vod", "-master_pl_name", "clip.m3u8", "-var_stream_map", "v:0,a:0 v:1,a:1"])
        .args(["-hls_segment_filename"])
        .arg(directory.join("clip_%v_%05d.ts"))
        .arg(directory.join("clip_%v.m3u8"))
        .status()
        .unwrap();
    assert!(status.success());
}

/// What ffprobe says, as `name=value` lines.
fn probe(arguments: &[&str], input: &Path) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "default=noprint_wrappers=1"])
        .args(arguments)
        .arg(input)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_video_is_ingested_and_played_from_the_egress() {
    let home = Home::new();
    make_source(&home.source_directory());
    let group = home.group().await;
    let domain = group["domainName"].as_str().unwrap();
    assert!(domain.starts_with("https://") && domain.ends_with(".egress.mediapackage-vod.us-east-1.amazonaws.com"));
    home.configuration("hls-2s", 2).await;
    let created = home.asset("clip").await;
    assert_eq!(created["egressEndpoints"][0]["status"], "QUEUED");

    let asset = home.ingested("clip").await;
    let url = asset["egressEndpoints"][0]["url"].as_str().unwrap();
    assert_eq!(asset["egressEndpoints"][0]["status"], "PLAYABLE");
    assert_eq!(home.told(), ["IngestStart", "IngestComplete", "VodAssetPlayable"]);
    let playable = home.bus.events.lock().unwrap()[2].clone();
    assert_eq!(
        playable.resources,
        [
            "arn:aws:mediapackage-vod:us-east-1:000000000000:assets/clip",
            "arn:aws:mediapackage-vod:us-east-1:000000000000:packaging-configurations/hls-2s"
        ]
    );
    assert_eq!(playable.detail["manifest_urls"], json!([url]));
    assert_eq!(playable.detail["packaging_configuration_id"], "hls-2s");

    for wrong in [None, Some("11111111-2222-3334"), Some("")] {
        assert_eq!(home.fetch(url, wrong).await.0, StatusCode::FORBIDDEN);
    }

    let parent = String::from_utf8(home.get(url).await).unwrap();
    assert!(parent.contains("RESOLUTION=640x360,FRAME-RATE=29.970"), "{parent}");
    assert!(parent.contains("RESOLUTION=320x180") && parent.contains("mp4a.40.2"), "{parent}");
    assert!(parent.contains("#EXT-X-I-FRAME-STREAM-INF:"), "{parent}");
    let media = String::from_utf8(home.get(&url.replace("index.m3u8", "index_1.m3u8")).await).unwrap();
    let durations: Vec<f64> =
        media.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse().ok()).collect();
    assert_eq!(durations.len(), 3, "{media}");
    assert!((durations[0] - 60.0 * 1001.0 / 30000.0).abs() < 1e-4, "{media}");
    // 6 s at 29.97 frames per second are 180 frames.
    assert!((durations.iter().sum::<f64>() - 180.0 * 1001.0 / 30000.0).abs() < 1e-3, "{media}");

    let (_, headers, segment) =
        home.fetch(&url.replace("index.m3u8", "index_1_0.ts"), Some("11111111-2222-3333")).await;
    assert_eq!(headers["content-type"], "video/mp2t");
    assert_eq!(headers["last-modified"], "Fri, 02 Jan 2026 03:04:05 GMT");
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable") && headers.contains_key("etag"));
    let sources =
        ["clip_0_00000.ts", "clip_0_00001.ts"].map(|name| std::fs::read(home.source_directory().join(name)).unwrap());
    assert_eq!(segment, sources.concat());

    let downloads = home.directory.path().join("downloads");
    std::fs::create_dir_all(&downloads).unwrap();
    home.download(url, &downloads).await;
    let streams = probe(&["-show_entries", "stream=codec_name,width"], &downloads.join("index.m3u8"));
    assert!(
        streams.contains("width=640") && streams.contains("width=320") && streams.contains("codec_name=aac"),
        "{streams}"
    );
    let frames = probe(
        &["-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"],
        &downloads.join("index_1.m3u8"),
    );
    assert_eq!(frames.lines().last(), Some("nb_read_frames=180"));

    // Every entry of the key frame playlist decodes on its own to one key frame.
    let key_frames = String::from_utf8(home.get(&url.replace("index.m3u8", "index_1_iframes.m3u8")).await).unwrap();
    let ranges: Vec<(usize, usize)> = key_frames
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:")?.split_once('@'))
        .map(|(length, offset)| (length.parse().unwrap(), offset.parse().unwrap()))
        .collect();
    assert_eq!(ranges.len(), 6, "{key_frames}");
    let (length, offset) = ranges[1];
    let frame = downloads.join("key_frame.ts");
    std::fs::write(&frame, &segment[offset..offset + length]).unwrap();
    let types = probe(&["-select_streams", "v", "-show_entries", "frame=pict_type"], &frame);
    assert_eq!(types.trim(), "pict_type=I");

    for missing in ["index_9.m3u8", "index_1_9.ts", "index_1_0.vtt", "other.m3u8", ""] {
        let (status, ..) = home.fetch(&url.replace("index.m3u8", missing), Some("11111111-2222-3333")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn counters_that_start_over_in_each_segment_are_made_to_run_on() {
    let home = Home::new();
    let directory = home.source_directory();
    make_source(&directory);
    // A source whose every segment counts from zero, as some packagers write it.
    for index in 0..6 {
        let path = directory.join(format!("clip_0_{index:05}.ts"));
        let mut bytes = std::fs::read(&path).unwrap();
        let mut seen: BTreeMap<[u8; 2], u8> = BTreeMap::new();
        for packet in bytes.chunks_mut(188).filter(|packet| packet[3] & 0x10 != 0) {
            let counter = seen.entry([packet[1] & 0x1f, packet[2]]).or_default();
            packet[3] = packet[3] & 0xf0 | *counter;
            *counter = (*counter + 1) & 0x0f;
        }
        std::fs::write(path, bytes).unwrap();
    }
    home.group().await;
    home.configuration("hls", 3).await;
    home.asset("clip").await;
    let asset = home.ingested("clip").await;
    let url = asset["egressEndpoints"][0]["url"].as_str().unwrap();
    let mut whole = Vec::new();
    for index in 0..2 {
        whole.extend(home.get(&url.replace("index.m3u8", &format!("index_1_{index}.ts"))).await);
    }
    let mut last: BTreeMap<[u8; 2], u8> = BTreeMap::new();
    for packet in whole.chunks(188).filter(|packet| packet[3] & 0x10 != 0) {
        let counter = packet[3] & 0x0f;
        if let Some(before) = last.insert([packet[1] & 0x1f, packet[2]], counter) {
            assert_eq!(counter, (before + 1) & 0x0f);
        }
    }
}

#[tokio::test]
async fn an_unfinished_ingest_goes_on_after_a_restart() {
    let mut home = Home::new();
    make_source(&home.source_directory());
    home.group().await;
    home.configuration("hls", 6).await;
    home.asset("clip").await;
    home.packager = open(home.directory.path(), &home.bus);
    let asset = home.ingested("clip").await;
    assert_eq!(asset["egressEndpoints"][0]["status"], "PLAYABLE");

    // A configuration that is added later applies to the assets that are there.
    home.packager = open(home.directory.path(), &home.bus);
    home.configuration("another", 1).await;
    let asset = home.ingested("clip").await;
    assert_eq!(asset["egressEndpoints"].as_array().unwrap().len(), 2);
    assert_eq!(home.told(), ["IngestStart", "IngestComplete", "VodAssetPlayable", "VodAssetPlayable"]);
}

async fn check_ingest_error(prepare: impl FnOnce(&Path), role: &str, words: &str) {
    let home = Home::new();
    prepare(&home.source_directory());
    home.group().await;
    home.configuration("hls", 6).await;
    home.post("/assets", asset_request("clip", role)).await;
    let asset = home.ingested("clip").await;
    assert_eq!(asset["egressEndpoints"][0]["status"], "FAILED");
    let event = home.bus.events.lock().unwrap().last().unwrap().clone();
    assert_eq!(event.detail["event"], "IngestError");
    let message = event.detail["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    let url = asset["egressEndpoints"][0]["url"].as_str().unwrap();
    assert_eq!(home.fetch(url, Some("11111111-2222-3333")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_source_that_cannot_be_used_fails_the_asset_and_says_why() {
    check_ingest_error(|_| {}, "reader", "clip.m3u8: no such key").await;
    check_ingest_error(make_source, "stranger", "s3:GetObject").await;
    check_ingest_error(
        |directory| {
            make_source(directory);
            std::fs::write(directory.join("clip_1_00003.ts"), b"<html>not found</html>").unwrap();
        },
        "reader",
        "clip_1_00003.ts cannot be used: it is not a transport stream",
    )
    .await;
    check_ingest_error(
        |directory| {
            make_source(directory);
            let playlist = directory.join("clip_1.m3u8");
            let text = std::fs::read_to_string(&playlist).unwrap();
            let (head, _) = text.split_once("clip_1_00005.ts").unwrap();
            let head = head.rsplit_once("#EXTINF").unwrap().0;
            std::fs::write(playlist, format!("{head}#EXT-X-ENDLIST\n")).unwrap();
        },
        "reader",
        "segment 6 of v/clip_1.m3u8",
    )
    .await;
}

#[tokio::test]
async fn the_api_keeps_its_rules() {
    let home = Home::new();
    let group = home.group().await;
    assert_eq!(group["approximateAssetCount"], 0);
    home.configuration("hls", 6).await;
    home.asset("one").await;
    home.asset("two").await;

    let (status, text) = home.refusal(Method::POST, "/assets", asset_request("one", "reader")).await;
    assert_eq!((status, text.as_str()), (422, "UnprocessableEntityException: Asset already exists: one"));
    assert_eq!(home.refusal(Method::POST, "/packaging_groups", json!({ "id": "group" })).await.0, 422);
    assert_eq!(home.refusal(Method::GET, "/assets/none", Value::Null).await.0, 404);
    assert_eq!(home.refusal(Method::DELETE, "/packaging_groups/group", Value::Null).await.0, 422);
    assert_eq!(home.refusal(Method::POST, "/assets", json!({ "id": "x", "surprise": 1 })).await.0, 400);
    let (status, text) = home
        .refusal(
            Method::POST,
            "/packaging_configurations",
            json!({ "id": "d", "packagingGroupId": "group", "mssPackage": {} }),
        )
        .await;
    assert_eq!(status, 501);
    assert!(text.contains("mssPackage"), "{text}");
    assert_eq!(home.refusal(Method::PUT, "/packaging_groups/group/configure_logs", json!({})).await.0, 501);

    let page = home.call(Method::GET, "/assets?maxResults=1&packagingGroupId=group", Value::Null).await.unwrap();
    assert_eq!(page["assets"][0]["id"], "one");
    let next = format!("/assets?maxResults=1&nextToken={}", page["nextToken"].as_str().unwrap());
    let page = home.call(Method::GET, &next, Value::Null).await.unwrap();
    assert_eq!(page["assets"][0]["id"], "two");
    assert!(page.get("nextToken").is_none());
    let group = home.call(Method::GET, "/packaging_groups/group", Value::Null).await.unwrap();
    assert_eq!(group["approximateAssetCount"], 2);

    let tags = "/tags/arn%3Aaws%3Amediapackage-vod%3Aus-east-1%3A000000000000%3Aassets%2Fone";
    home.post(tags, json!({ "tags": { "more": "1" } })).await;
    home.call(Method::DELETE, &format!("{tags}?tagKeys=videoId"), Value::Null).await.unwrap();
    let answer = home.call(Method::GET, tags, Value::Null).await.unwrap();
    assert_eq!(answer, json!({ "tags": { "more": "1" } }));

    for id in ["one", "two"] {
        home.call(Method::DELETE, &format!("/assets/{id}"), Value::Null).await.unwrap();
    }
    home.call(Method::DELETE, "/packaging_configurations/hls", Value::Null).await.unwrap();
    home.call(Method::DELETE, "/packaging_groups/group", Value::Null).await.unwrap();
    let groups = home.call(Method::GET, "/packaging_groups", Value::Null).await.unwrap();
    assert_eq!(groups, json!({ "packagingGroups": [] }));
}

/// Frames of each kind, and how far apart the first of each are, of what ffprobe reads from a manifest.
fn check_playable(manifest: &Path) {
    let video = probe(
        &["-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames,width,height,codec_name"],
        manifest,
    );
    assert!(video.contains("nb_read_frames=180") && video.contains("codec_name=h264"), "{video}");
    let times = |stream: &str| -> Vec<f64> {
        probe(&["-select_streams", stream, "-show_entries", "packet=pts_time"], manifest)
            .lines()
            .filter_map(|line| line.strip_prefix("pts_time=")?.parse().ok())
            .collect()
    };
    let (mut video, audio) = (times("v:0"), times("a:0"));
    video.sort_by(f64::total_cmp);
    let steps = video.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.into_iter().all(|step| (step - 1001.0 / 30000.0).abs() < 0.001), "{video:?}");
    let steps = audio.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.into_iter().all(|step| (step - 1024.0 / 48000.0).abs() < 0.001), "{audio:?}");
    assert!((video[0] - audio[0]).abs() < 0.04, "{} {}", video[0], audio[0]);
}

#[tokio::test]
async fn the_same_asset_is_played_as_cmaf_and_as_dash() {
    let home = Home::new();
    make_source(&home.source_directory());
    home.group().await;
    let cmaf = json!({ "segmentDurationSeconds": 2, "hlsManifests": [{}] });
    let dash = json!({ "segmentDurationSeconds": 2, "dashManifests": [{ "minBufferTimeSeconds": 4 }] });
    for (id, package, settings) in [("cmaf", "cmafPackage", cmaf), ("dash", "dashPackage", dash)] {
        home.post("/packaging_configurations", json!({ "id": id, "packagingGroupId": "group", package: settings }))
            .await;
    }
    home.asset("clip").await;
    let asset = home.ingested("clip").await;
    let url = |index: usize| asset["egressEndpoints"][index]["url"].as_str().unwrap();
    assert!(url(0).ends_with("/index.m3u8") && url(1).ends_with("/index.mpd"));
    let identifier = Some("11111111-2222-3333");

    let downloads = home.directory.path().join("cmaf");
    std::fs::create_dir_all(&downloads).unwrap();
    home.download(url(0), &downloads).await;
    for name in ["index_1_init.mp4", "index_2_init.mp4", "index_3_init.mp4"] {
        std::fs::write(downloads.join(name), home.get(&url(0).replace("index.m3u8", name)).await).unwrap();
    }
    let parent = std::fs::read_to_string(downloads.join("index.m3u8")).unwrap();
    assert!(parent.contains("TYPE=AUDIO") && parent.contains("URI=\"index_3.m3u8\""), "{parent}");
    let audio = home.get(&url(0).replace("index.m3u8", "index_3.m3u8")).await;
    std::fs::write(downloads.join("index_3.m3u8"), &audio).unwrap();
    for index in 0..3 {
        let name = format!("index_3_{index}.mp4");
        std::fs::write(downloads.join(&name), home.get(&url(0).replace("index.m3u8", &name)).await).unwrap();
    }
    check_playable(&downloads.join("index.m3u8"));
    let (_, headers, _) = home.fetch(&url(0).replace("index.m3u8", "index_1_0.mp4"), identifier).await;
    assert_eq!(headers["content-type"], "video/mp4");

    let downloads = home.directory.path().join("dash");
    std::fs::create_dir_all(&downloads).unwrap();
    let manifest = home.get(url(1)).await;
    std::fs::write(downloads.join("index.mpd"), &manifest).unwrap();
    for stream in 1..=3 {
        for part in ["init", "0", "1", "2"] {
            let name = format!("index_{stream}_{part}.mp4");
            std::fs::write(downloads.join(&name), home.get(&url(1).replace("index.mpd", &name)).await).unwrap();
        }
    }
    let manifest = String::from_utf8(manifest).unwrap();
    assert!(manifest.contains("frameRate=\"30000/1001\"") && manifest.contains("minBufferTime=\"PT4S\""), "{manifest}");
    check_playable(&downloads.join("index.mpd"));
    let (_, headers, _) = home.fetch(url(1), identifier).await;
    assert_eq!(headers["content-type"], "application/dash+xml");
    for missing in ["index_1_3.mp4", "index_1_0.ts", "index_4_init.mp4", "index_1.m3u8"] {
        assert_eq!(
            home.fetch(&url(1).replace("index.mpd", missing), identifier).await.0,
            StatusCode::NOT_FOUND,
            "{missing}"
        );
    }
}
