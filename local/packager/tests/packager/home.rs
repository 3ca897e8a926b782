//! A packager with a bucket, a vault and a bus that a test can look into.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
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
pub(crate) struct Bus {
    pub(crate) events: Mutex<Vec<Event>>,
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

pub(crate) struct Home {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) bus: Arc<Bus>,
    pub(crate) packager: Arc<Packager>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bus = Arc::new(Bus::default());
        let packager = open(directory.path(), &bus);
        Self { directory, bus, packager }
    }

    pub(crate) fn source_directory(&self) -> PathBuf {
        let path = self.directory.path().join("buckets/media/v");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value, AwsError> {
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

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, body).await.unwrap()
    }

    pub(crate) async fn refusal(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let error = self.call(method, path, body).await.unwrap_err();
        (error.status.as_u16(), format!("{}: {}", error.code, error.message))
    }

    pub(crate) async fn group(&self) -> Value {
        let authorization =
            json!({ "cdnIdentifierSecret": SECRET, "secretsRoleArn": "arn:aws:iam::000000000000:role/reader" });
        self.post("/packaging_groups", json!({ "id": "group", "authorization": authorization })).await
    }

    pub(crate) async fn configuration(&self, id: &str, seconds: u32) {
        let package = json!({
            "segmentDurationSeconds": seconds,
            "hlsManifests": [{ "manifestName": "index", "includeIframeOnlyStream": true }],
        });
        self.post("/packaging_configurations", json!({ "id": id, "packagingGroupId": "group", "hlsPackage": package }))
            .await;
    }

    pub(crate) async fn asset(&self, id: &str) -> Value {
        self.post("/assets", asset_request(id, "reader")).await
    }

    /// Lets the worker go until the asset is no longer unfinished.
    pub(crate) async fn ingested(&self, id: &str) -> Value {
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

    pub(crate) fn told(&self) -> Vec<String> {
        let events = self.bus.events.lock().unwrap();
        events.iter().map(|event| event.detail["event"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn fetch(&self, url: &str, identifier: Option<&str>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let (domain, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let mut headers = HeaderMap::new();
        if let Some(identifier) = identifier {
            headers.insert("x-mediapackage-cdnidentifier", identifier.parse().unwrap());
        }
        let request = OriginRequest {
            domain_name: domain.into(),
            method: Method::GET,
            path: format!("/{path}"),
            query: query.into(),
            headers,
            body: Bytes::new(),
            signer: None,
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

    pub(crate) async fn get(&self, url: &str) -> Vec<u8> {
        let (status, _, bytes) = self.fetch(url, Some("11111111-2222-3333")).await;
        assert_eq!(status, StatusCode::OK, "{url}");
        bytes
    }

    /// Fetches a manifest and everything that it names into a new directory; gives where the manifest is.
    pub(crate) async fn download(&self, url: &str, into: &str) -> PathBuf {
        let into = self.directory.path().join(into);
        std::fs::create_dir_all(&into).unwrap();
        let (base, manifest) = url.rsplit_once('/').unwrap();
        let mut wanted = vec![manifest.to_owned()];
        while let Some(name) = wanted.pop() {
            if into.join(&name).exists() {
                continue;
            }
            let bytes = self.get(&format!("{base}/{name}")).await;
            if name.ends_with(".m3u8") {
                wanted.extend(crate::media::named_in_playlist(std::str::from_utf8(&bytes).unwrap()));
            } else if name.ends_with(".mpd") {
                wanted.extend(crate::media::named_in_mpd(std::str::from_utf8(&bytes).unwrap()));
            }
            std::fs::write(into.join(name), bytes).unwrap();
        }
        into.join(manifest)
    }

    /// The answer's text; it must be there.
    pub(crate) async fn text(&self, url: &str) -> String {
        String::from_utf8(self.get(url).await).unwrap()
    }

    /// Makes a configuration of this package.
    pub(crate) async fn package(&self, id: &str, package: &str, settings: Value) {
        let request = json!({ "id": id, "packagingGroupId": "group", package: settings });
        self.post("/packaging_configurations", request).await;
    }

    /// Ingests the source with this manifest; gives the address of each configuration's manifest.
    pub(crate) async fn play(&self, manifest: &str) -> BTreeMap<String, String> {
        let mut request = asset_request("clip", "reader");
        request["sourceArn"] = format!("arn:aws:s3:::media/v/{manifest}").into();
        self.post("/assets", request).await;
        let asset = self.ingested("clip").await;
        let endpoints = asset["egressEndpoints"].as_array().unwrap();
        let address = |endpoint: &Value| {
            let text = |name: &str| endpoint[name].as_str().unwrap().to_owned();
            assert_eq!(text("status"), "PLAYABLE", "{:#?}", self.bus.events.lock().unwrap());
            (text("packagingConfigurationId"), text("url"))
        };
        endpoints.iter().map(address).collect()
    }
}

pub(crate) fn open(directory: &Path, bus: &Arc<Bus>) -> Arc<Packager> {
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

pub(crate) fn asset_request(id: &str, role: &str) -> Value {
    json!({
        "id": id,
        "packagingGroupId": "group",
        "sourceArn": "arn:aws:s3:::media/v/clip.m3u8",
        "sourceRoleArn": format!("arn:aws:iam::000000000000:role/{role}"),
        "tags": { "videoId": id },
    })
}
