//! A home with nothing but an edge: an origin that is a closure, a clock that stands, viewers that are real.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod api;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use vodline_core::{
    Account, AwsError, ManualClock, ObjectBody, ObjectInfo, ObjectMetadata, Objects, Origin, OriginBody, OriginRequest,
    OriginResponse, SeededEntropy,
};
use vodline_edge::{Config, DistributionDefinition, DistributionSpec, Edge, FunctionSpec};

pub(crate) const OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
pub(crate) const DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

type Answer = dyn Fn(&OriginRequest) -> OriginResponse + Send + Sync;

struct FakeOrigin {
    delay: Duration,
    answer: Box<Answer>,
    seen: Mutex<Vec<OriginRequest>>,
}

#[async_trait]
impl Origin for FakeOrigin {
    async fn fetch(&self, request: OriginRequest) -> OriginResponse {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(request.clone());
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        (self.answer)(&request)
    }
}

/// Buckets that remember what was put into them; the one called `gone` does not exist.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<Vec<(String, String, Vec<u8>)>>);

impl Buckets {
    /// Bucket, key and bytes of all objects, in the order they came.
    pub(crate) fn all(&self) -> Vec<(String, String, Vec<u8>)> {
        self.0.lock().unwrap().clone()
    }
}

impl Objects for Buckets {
    fn get(&self, _: &str, key: &str) -> Result<ObjectBody, AwsError> {
        Err(AwsError::not_found("NoSuchKey", key))
    }

    fn put_file(
        &self,
        bucket: &str,
        key: &str,
        from: &std::path::Path,
        metadata: ObjectMetadata,
    ) -> Result<ObjectInfo, AwsError> {
        if bucket == "gone" {
            return Err(AwsError::not_found("NoSuchBucket", bucket));
        }
        let bytes = std::fs::read(from).unwrap();
        std::fs::remove_file(from).unwrap();
        let size_bytes = bytes.len() as u64;
        self.0.lock().unwrap().push((bucket.to_owned(), key.to_owned(), bytes));
        let last_modified = Timestamp::UNIX_EPOCH;
        Ok(ObjectInfo {
            key: key.to_owned(),
            size_bytes,
            etag: String::new(),
            version_id: None,
            last_modified,
            metadata,
        })
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), AwsError> {
        Ok(())
    }

    fn list(&self, _: &str, _: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        Ok(Vec::new())
    }
}

pub(crate) fn respond(status: u16, body: &str) -> OriginResponse {
    OriginResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: OriginBody::Bytes(body.to_owned().into()),
    }
}

pub(crate) fn origin(id: &str) -> Value {
    json!({
        "Id": id,
        "DomainName": format!("{id}.example.com"),
        "CustomOriginConfig": { "OriginProtocolPolicy": "https-only" },
    })
}

pub(crate) fn behavior(origin: &str, cache_policy: &str) -> Value {
    json!({ "TargetOriginId": origin, "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": cache_policy })
}

pub(crate) fn distribution(origins: Value, default: Value, behaviors: Value) -> Value {
    json!({ "Enabled": true, "Origins": origins, "DefaultCacheBehavior": default, "CacheBehaviors": behaviors })
}

pub(crate) struct Home {
    pub(crate) edge: Arc<Edge>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) objects: Arc<Buckets>,
    origin: Arc<FakeOrigin>,
    address: SocketAddr,
    directory: tempfile::TempDir,
}

/// What a viewer got.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn x_cache(&self) -> &str {
        self.header("x-cache").unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Home {
    pub(crate) async fn start(answer: impl Fn(&OriginRequest) -> OriginResponse + Send + Sync + 'static) -> Self {
        Self::start_slow(Duration::ZERO, answer).await
    }

    pub(crate) async fn start_slow(
        delay: Duration,
        answer: impl Fn(&OriginRequest) -> OriginResponse + Send + Sync + 'static,
    ) -> Self {
        let origin = Arc::new(FakeOrigin { delay, answer: Box::new(answer), seen: Mutex::default() });
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let directory = tempfile::tempdir().unwrap();
        let objects = Arc::new(Buckets::default());
        let edge = open(directory.path(), &origin, &clock, &objects);
        let address = serve(&edge).await;
        Self { edge, clock, objects, origin, address, directory }
    }

    /// The same home after an orderly end and a new start.
    pub(crate) async fn restart(self) -> Self {
        let edge = self.edge.clone();
        edge.flush_cache();
        let edge = self.reopen();
        let address = serve(&edge).await;
        Self { edge, address, ..self }
    }

    /// The same data directory, opened by another process.
    pub(crate) fn reopen(&self) -> Arc<Edge> {
        open(self.directory.path(), &self.origin, &self.clock, &self.objects)
    }

    pub(crate) fn define(&self, config: Value) -> DistributionDefinition {
        self.define_as("Site", config)
    }

    pub(crate) fn define_as(&self, logical_id: &str, config: Value) -> DistributionDefinition {
        self.edge.define_distribution(DistributionSpec { logical_id: logical_id.into(), config }).unwrap()
    }

    pub(crate) fn function(&self, name: &str, code: &str) -> Result<String, AwsError> {
        self.edge.define_function(FunctionSpec {
            logical_id: name.into(),
            name: name.into(),
            code: code.into(),
            runtime: "cloudfront-js-2.0".into(),
            comment: "a test's".into(),
            key_value_stores: Vec::new(),
            auto_publish: true,
        })
    }

    /// What the origin was asked.
    pub(crate) fn seen(&self) -> Vec<OriginRequest> {
        self.origin.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let response = self.begin(method, path, headers, body).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request and reads the head of the answer; the body arrives as it is read.
    pub(crate) async fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Incoming> {
        let stream = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        sender.send_request(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await.unwrap()
    }
}

async fn serve(edge: &Arc<Edge>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(edge.clone().serve(listener));
    address
}

fn open(
    directory: &std::path::Path,
    origin: &Arc<FakeOrigin>,
    clock: &Arc<ManualClock>,
    objects: &Arc<Buckets>,
) -> Arc<Edge> {
    Edge::open(Config {
        data_directory: directory.into(),
        account: Account::default(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(11)),
        origin: origin.clone(),
        objects: Some(objects.clone()),
        cache_bytes: 64 << 20,
        disk_cache_bytes: 256 << 20,
    })
    .unwrap()
}
