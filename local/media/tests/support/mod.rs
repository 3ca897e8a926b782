//! A home of one service: MediaConvert with real ffmpeg, objects in a directory, and a bus that remembers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses its share")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use vodline_core::{
    Account, Authorizer, AwsError, Event, EventBus, Migration, ObjectBody, ObjectInfo, ObjectMetadata, Objects,
    Principal, Request, Service, Store, StoreError, SystemClock, SystemEntropy, rusqlite::Transaction,
};
use vodline_media::{Config, Limits, MediaConvert};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/media";

/// How long a test waits for a job at most; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// Buckets in a directory. Any bucket exists but `missing`.
pub(crate) struct Buckets {
    directory: PathBuf,
    infos: Mutex<BTreeMap<(String, String), ObjectBody>>,
    /// Which write waits at the gate, counted from zero; none by default.
    pub(crate) gate_at: AtomicUsize,
    puts: AtomicUsize,
    gate: (Mutex<bool>, Condvar),
    pub(crate) reached: watch::Sender<bool>,
}

impl Buckets {
    fn new(directory: PathBuf) -> Self {
        std::fs::create_dir_all(&directory).unwrap();
        Self {
            directory,
            infos: Mutex::default(),
            gate_at: AtomicUsize::new(usize::MAX),
            puts: AtomicUsize::new(0),
            gate: (Mutex::new(false), Condvar::new()),
            reached: watch::Sender::new(false),
        }
    }

    pub(crate) fn open_gate(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        self.infos.lock().unwrap().keys().filter(|(b, _)| b == bucket).map(|(_, key)| key.clone()).collect()
    }

    pub(crate) fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.get(bucket, key).unwrap().path
    }

    pub(crate) fn text(&self, bucket: &str, key: &str) -> String {
        std::fs::read_to_string(self.path(bucket, key)).unwrap()
    }
}

impl Objects for Buckets {
    fn get(&self, bucket: &str, key: &str) -> Result<ObjectBody, AwsError> {
        let infos = self.infos.lock().unwrap();
        let found = infos.get(&(bucket.to_owned(), key.to_owned())).cloned();
        found.ok_or_else(|| AwsError::not_found("NoSuchKey", "The specified key does not exist."))
    }

    fn put_file(&self, bucket: &str, key: &str, from: &Path, metadata: ObjectMetadata) -> Result<ObjectInfo, AwsError> {
        if bucket == "missing" {
            return Err(AwsError::not_found("NoSuchBucket", "The specified bucket does not exist"));
        }
        let number = self.puts.fetch_add(1, Ordering::SeqCst);
        if number == self.gate_at.load(Ordering::SeqCst) {
            self.reached.send_replace(true);
            let open = self.gate.0.lock().unwrap();
            let _open = self.gate.1.wait_while(open, |open| !*open).unwrap();
            return Err(AwsError::internal("the home has ended"));
        }
        let path = self.directory.join(format!("{number}"));
        std::fs::rename(from, &path).unwrap();
        let info = ObjectInfo {
            key: key.into(),
            size_bytes: std::fs::metadata(&path).unwrap().len(),
            etag: format!("\"{number}\""),
            version_id: None,
            last_modified: Timestamp::now(),
            metadata,
        };
        let body = ObjectBody { info: info.clone(), path };
        self.infos.lock().unwrap().insert((bucket.into(), key.into()), body);
        Ok(info)
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        self.infos.lock().unwrap().remove(&(bucket.to_owned(), key.to_owned()));
        Ok(())
    }

    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        let infos = self.infos.lock().unwrap();
        Ok(infos
            .values()
            .map(|b| b.info.clone())
            .filter(|i| i.key.starts_with(prefix))
            .filter(|_| !bucket.is_empty())
            .collect())
    }
}

/// Keeps events in order, as EventBridge does: in the sender's transaction, seen once that is committed.
pub(crate) struct Bus {
    store: Store,
    pub(crate) events: watch::Sender<Vec<Event>>,
}

impl Bus {
    fn open(directory: &Path) -> Self {
        const TABLES: Migration =
            Migration { service: "test_bus", statements: &["CREATE TABLE test_bus_events (event TEXT NOT NULL)"] };
        Self { store: Store::open(directory, TABLES).unwrap(), events: watch::Sender::default() }
    }
}

impl EventBus for Bus {
    fn enqueue(&self, transaction: &Transaction<'_>, event: &Event) -> Result<(), StoreError> {
        let event = serde_json::to_string(event).unwrap();
        transaction.execute("INSERT INTO test_bus_events VALUES (?1)", [event])?;
        Ok(())
    }

    fn wake(&self) {
        let events = self.store.read::<_, StoreError>(|connection| {
            let mut statement = connection.prepare("SELECT event FROM test_bus_events ORDER BY rowid")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(rows.map(|row| serde_json::from_str(&row.unwrap()).unwrap()).collect())
        });
        self.events.send_replace(events.unwrap());
    }
}

/// Allows everything but what is in `secret`.
struct Rules;

impl Authorizer for Rules {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        if resource.contains("secret") {
            return Err(AwsError::access_denied(principal.arn(), action, resource));
        }
        Ok(())
    }
}

pub(crate) struct Home {
    pub(crate) directory: Arc<tempfile::TempDir>,
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) service: Arc<MediaConvert>,
    runner: Option<JoinHandle<()>>,
}

impl Drop for Home {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Home {
    /// A home whose jobs run.
    pub(crate) fn start() -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let buckets = Arc::new(Buckets::new(directory.path().join("objects")));
        Self::on(directory, buckets)
    }

    /// A home whose jobs stay submitted.
    pub(crate) fn idle(directory: Arc<tempfile::TempDir>) -> Self {
        let buckets = Arc::new(Buckets::new(directory.path().join("objects")));
        Self::open(directory, buckets)
    }

    /// A home whose jobs run, configured otherwise.
    pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let buckets = Arc::new(Buckets::new(directory.path().join("objects")));
        let mut home = Self::open_with(directory, buckets, change);
        home.runner = Some(tokio::spawn(home.service.clone().run()));
        home
    }

    fn on(directory: Arc<tempfile::TempDir>, buckets: Arc<Buckets>) -> Self {
        let mut home = Self::open(directory, buckets);
        home.runner = Some(tokio::spawn(home.service.clone().run()));
        home
    }

    fn open(directory: Arc<tempfile::TempDir>, buckets: Arc<Buckets>) -> Self {
        Self::open_with(directory, buckets, |_| {})
    }

    fn open_with(directory: Arc<tempfile::TempDir>, buckets: Arc<Buckets>, change: impl FnOnce(&mut Config)) -> Self {
        let bus = Arc::new(Bus::open(directory.path()));
        let mut config = Config {
            directory: directory.path().into(),
            account: Account::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: bus.clone(),
            objects: buckets.clone(),
            authorizer: Arc::new(Rules),
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            launcher: Some(("nice".into(), vec!["-n".into(), "5".into()])),
            concurrent_jobs_max: 1,
            status_update_interval_max: Duration::from_millis(300),
            stall_timeout: Config::STALL_TIMEOUT,
            limits: Limits::default(),
        };
        change(&mut config);
        let service = MediaConvert::open(config).unwrap();
        Self { directory, buckets, bus, service, runner: None }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(runner) = self.runner.take() {
            runner.abort();
        }
    }

    /// Ends this home as a crash would, and starts another on its data.
    pub(crate) fn restart(mut self) -> Self {
        self.kill();
        Self::on(self.directory.clone(), self.buckets.clone())
    }

    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let from = self.directory.path().join("incoming");
        std::fs::write(&from, bytes).unwrap();
        self.put_path(bucket, key, &from);
    }

    pub(crate) fn put_path(&self, bucket: &str, key: &str, from: &Path) {
        let metadata = ObjectMetadata { content_type: Some("video/mp4".into()), ..ObjectMetadata::default() };
        self.buckets.put_file(bucket, key, from, metadata).unwrap();
    }

    /// Makes a clip with ffmpeg's test sources and puts it.
    pub(crate) fn put_clip(&self, bucket: &str, key: &str, arguments: &str) {
        let path = self.directory.path().join("clip.mp4");
        ffmpeg(&format!("-y {arguments} {}", path.display()));
        self.put_path(bucket, key, &path);
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            operation: String::new(),
            method,
            path: format!("/2017-08-29/{path}"),
            query: query.into(),
            headers: HeaderMap::new(),
            body: body.map(|body| body.to_string().into()).unwrap_or_default(),
            principal: Principal::Root,
            request_id: "r".into(),
            authorizer: Arc::new(Rules),
        };
        let response = self.service.call(request).await.unwrap_or_else(|e| e.to_response(self.service.protocol(), "r"));
        let mut body: Value = serde_json::from_slice(&response.body).unwrap();
        if let Some(code) = response.headers.get("x-amzn-errortype") {
            body["code"] = json!(code.to_str().unwrap());
        }
        (response.status, body)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.1
    }

    pub(crate) async fn submit(&self, settings: &Value) -> String {
        self.submit_with(settings, json!({})).await
    }

    /// Submits a job with further members of the request.
    pub(crate) async fn submit_with(&self, settings: &Value, members: Value) -> String {
        let mut body = json!({"role": ROLE, "settings": settings, "userMetadata": {"videoId": "v1"}});
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (status, answer) = self.call(Method::POST, "jobs", Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["job"]["id"].as_str().unwrap().to_owned()
    }

    /// Waits for the job's last event and returns the job.
    pub(crate) async fn finish(&self, id: &str) -> Value {
        self.wait(|event| {
            let status = event.detail["status"].as_str().unwrap();
            event.detail["jobId"] == id && ["COMPLETE", "ERROR", "CANCELED"].contains(&status)
        })
        .await;
        self.get(&format!("jobs/{id}")).await["job"].clone()
    }

    pub(crate) async fn wait(&self, wanted: impl Fn(&Event) -> bool) {
        let mut events = self.bus.events.subscribe();
        let found = tokio::time::timeout(PATIENCE, events.wait_for(|events| events.iter().any(&wanted))).await;
        assert!(found.is_ok(), "no such event among {:#?}", self.bus.events.borrow());
    }

    /// Submits and waits.
    pub(crate) async fn run(&self, settings: &Value) -> Value {
        let id = self.submit(settings).await;
        self.finish(&id).await
    }

    /// What the events of a job said, in order.
    pub(crate) fn statuses(&self, id: &str) -> Vec<String> {
        let events = self.bus.events.borrow();
        let of_job = events.iter().filter(|event| event.detail["jobId"] == id);
        of_job.map(|event| event.detail["status"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn last_event(&self, status: &str) -> Event {
        let events = self.bus.events.borrow();
        events.iter().rfind(|event| event.detail["status"] == status).unwrap().clone()
    }

    /// Waits until nothing is left in scratch; it is cleaned just after a job's last event.
    pub(crate) async fn clean(&self) {
        let empty = async {
            while !self.scratch().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, empty).await.is_ok(), "{:?}", self.scratch());
    }

    fn scratch(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.directory.path().join("media")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// The line's job for a source.
pub(crate) fn line_job(input: &str) -> Value {
    let mut settings: Value = serde_json::from_str(include_str!("../data/line-job.json")).unwrap();
    settings["inputs"][0]["fileInput"] = json!(input);
    settings
}

/// The first rung of the line's HLS group and nothing else.
pub(crate) fn one_rung(input: &str) -> Value {
    let mut settings = line_job(input);
    settings["outputGroups"].as_array_mut().unwrap().truncate(1);
    settings["outputGroups"][0]["outputs"].as_array_mut().unwrap().truncate(1);
    settings
}

/// Lays a bucket's objects out as files, so that players can follow playlists.
pub(crate) fn lay_out(home: &Home, bucket: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for key in home.buckets.keys(bucket) {
        let path = folder.path().join(&key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(home.buckets.path(bucket, &key), path).unwrap();
    }
    folder
}

pub(crate) fn ffmpeg(arguments: &str) {
    let status = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(arguments.split_whitespace()).status();
    assert!(status.unwrap().success(), "{arguments}");
}

/// ffprobe's words on a file.
pub(crate) fn ffprobe(arguments: &str, path: &Path) -> String {
    let output =
        Command::new("ffprobe").args(["-v", "error"]).args(arguments.split_whitespace()).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Buckets {
    pub(crate) fn infos_of(&self, bucket: &str, key: &str) -> ObjectMetadata {
        self.get(bucket, key).unwrap().info.metadata
    }
}
