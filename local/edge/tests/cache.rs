//! The cache over real HTTP: restarts, stale answers, content that is still arriving, invalidations, ranges, protocols.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};
use vodline_core::{
    Authorizer, AwsError, OriginBody, OriginRequest, OriginResponse, Principal, Request as ApiRequest, Service as _,
};
use vodline_edge::Tls;

use common::{Home, OPTIMIZED, behavior, distribution, origin, respond};

const MIB: usize = 1 << 20;

fn with(mut response: OriginResponse, headers: &[(&'static str, &'static str)]) -> OriginResponse {
    for (name, value) in headers {
        response.headers.insert(*name, HeaderValue::from_static(value));
    }
    response
}

fn file(path: &Path, size_bytes: u64) -> OriginResponse {
    let headers = HeaderMap::from_iter([(http::header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"))]);
    OriginResponse { status: StatusCode::OK, headers, body: OriginBody::File { path: path.to_owned(), size_bytes } }
}

fn site() -> Value {
    distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]))
}

async fn home(answer: impl Fn(&OriginRequest) -> OriginResponse + Send + Sync + 'static) -> Home {
    let home = Home::start(answer).await;
    home.define(site());
    home
}

/// Lets everything else go on until this holds.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(|index| index.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[tokio::test]
async fn answers_outlive_a_restart_with_their_age_and_their_compressed_forms() {
    let text = "#EXTINF:6.006,\nindex_1_0.ts\n".repeat(100);
    let home = Home::start(move |_| {
        with(respond(200, &text), &[("cache-control", "max-age=60"), ("content-type", "text/plain"), ("etag", "\"1\"")])
    })
    .await;
    let mut default = behavior("site", OPTIMIZED);
    default["Compress"] = json!(true);
    home.define(distribution(json!([origin("site")]), default, json!([])));
    home.get("/a").await;
    let home = home.restart().await;
    home.clock.advance(SignedDuration::from_secs(30));
    let kept = home.send("GET", "/a", &[("accept-encoding", "br")], "").await;
    assert_eq!((kept.x_cache(), kept.header("age")), ("Hit from cloudfront", Some("30")));
    assert_eq!((kept.header("content-encoding"), kept.header("vary")), (Some("br"), Some("Accept-Encoding")));
    let unchanged = home.send("GET", "/a", &[("if-none-match", "\"1\"")], "").await;
    assert_eq!((unchanged.status, home.seen().len()), (StatusCode::NOT_MODIFIED, 1));
    // What has become stale on the disk is still worth a question.
    let home = home.restart().await;
    home.clock.advance(SignedDuration::from_secs(40));
    home.get("/a").await;
    assert_eq!(home.seen()[1].headers["if-none-match"], "\"1\"");
}

#[tokio::test]
async fn a_stale_answer_is_given_at_once_while_it_is_refreshed() {
    let changed = Arc::new(AtomicBool::new(false));
    let seen = changed.clone();
    let home = home(move |_| {
        let body = if seen.load(Ordering::SeqCst) { "new" } else { "old" };
        with(respond(200, body), &[("cache-control", "max-age=60, stale-while-revalidate=30")])
    })
    .await;
    home.get("/a").await;
    changed.store(true, Ordering::SeqCst);
    home.clock.advance(SignedDuration::from_secs(89));
    let stale = home.get("/a").await;
    assert_eq!((stale.text(), stale.x_cache(), stale.header("age")), ("old", "Hit from cloudfront", Some("89")));
    until(|| home.seen().len() == 2).await;
    let new = home.get("/a").await;
    assert!(matches!(new.text(), "old" | "new"));
    // Beyond the window nobody is given what is stale.
    home.clock.advance(SignedDuration::from_secs(200));
    assert_eq!(home.get("/a").await.text(), "new");
}

#[tokio::test]
async fn a_failing_origin_is_covered_for_as_long_as_it_says() {
    let down = Arc::new(AtomicBool::new(false));
    let seen = down.clone();
    let home = home(move |request| {
        let control =
            if request.path == "/never" { "max-age=60, stale-if-error=0" } else { "max-age=60, stale-if-error=30" };
        let response = if seen.load(Ordering::SeqCst) { respond(502, "down") } else { respond(200, "kept") };
        with(response, &[("cache-control", control)])
    })
    .await;
    for path in ["/a", "/never"] {
        home.get(path).await;
    }
    down.store(true, Ordering::SeqCst);
    home.clock.advance(SignedDuration::from_secs(61));
    let (covered, bare) = (home.get("/a").await, home.get("/never").await);
    assert_eq!((covered.status, covered.text(), covered.header("age")), (StatusCode::OK, "kept", Some("61")));
    assert_eq!((bare.status, bare.x_cache()), (StatusCode::BAD_GATEWAY, "Error from cloudfront"));
    home.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(home.get("/a").await.status, StatusCode::BAD_GATEWAY);
}

/// A file whose content arrives when the test says so.
struct Pipe {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Pipe {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Self { path, _directory: directory }
    }

    /// Opens the other end, once somebody reads, and hands it over.
    fn writer(&self) -> JoinHandle<File> {
        let path = self.path.clone();
        std::thread::spawn(move || OpenOptions::new().write(true).open(path).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_content_goes_out_while_it_arrives_and_is_fetched_once() {
    let pipe = Pipe::new();
    let path = pipe.path.clone();
    let bytes = noise(3 * MIB);
    let home = home(move |_| file(&path, 3 * MIB as u64)).await;
    let writer = pipe.writer();
    let mut first = home.begin("GET", "/large", &[], "").await;
    assert_eq!(first.headers()["content-length"], (3 * MIB).to_string());
    let mut end = writer.join().unwrap();
    let half = bytes[..MIB].to_vec();
    let writing = std::thread::spawn(move || {
        end.write_all(&half).unwrap();
        end
    });
    let mut got = first.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    assert!(!got.is_empty());
    // Others join: one wants what is there, one what is not.
    let early = home.send("GET", "/large", &[("range", "bytes=1000-1999")], "").await;
    assert_eq!((early.status, early.x_cache()), (StatusCode::PARTIAL_CONTENT, "Hit from cloudfront"));
    assert!(early.body == bytes[1000..2000]);
    let late = home.begin("GET", "/large", &[("range", "bytes=-10")], "").await;
    let mut end = writing.join().unwrap();
    let rest = bytes[MIB..].to_vec();
    let writing = std::thread::spawn(move || end.write_all(&rest).unwrap());
    got.extend_from_slice(&first.collect().await.unwrap().to_bytes());
    assert!(got == bytes);
    assert!(late.collect().await.unwrap().to_bytes() == bytes[3 * MIB - 10..]);
    writing.join().unwrap();
    let kept = home.get("/large").await;
    assert!(kept.body == bytes && kept.x_cache() == "Hit from cloudfront");
    assert_eq!(home.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_breaks_off_or_stalls_is_never_kept() {
    let pipe = Pipe::new();
    let directory = tempfile::tempdir().unwrap();
    let sound = directory.path().join("sound");
    fs::write(&sound, noise(2 * MIB)).unwrap();
    let (path, broken) = (pipe.path.clone(), Arc::new(AtomicBool::new(true)));
    let seen = broken.clone();
    let home =
        Home::start(move |_| file(if seen.load(Ordering::SeqCst) { &path } else { &sound }, 2 * MIB as u64)).await;
    let mut slow = origin("site");
    slow["CustomOriginConfig"]["OriginReadTimeout"] = json!(1);
    home.define(distribution(json!([slow]), behavior("site", OPTIMIZED), json!([])));
    for path in ["/breaks", "/stalls"] {
        broken.store(true, Ordering::SeqCst);
        let writer = pipe.writer();
        let response = home.begin("GET", path, &[], "").await;
        let mut end = writer.join().unwrap();
        let held = std::thread::spawn(move || {
            end.write_all(&noise(MIB)).unwrap();
            end
        });
        let end = held.join().unwrap();
        let held = if path == "/stalls" { Some(end) } else { None };
        assert!(response.collect().await.is_err(), "{path}");
        drop(held);
        broken.store(false, Ordering::SeqCst);
        // Until the flight has landed, its broken content may still be given to those who join it.
        let landed = async {
            loop {
                match home.begin("GET", path, &[], "").await.collect().await {
                    Ok(body) => return body.to_bytes(),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let body = tokio::time::timeout(Duration::from_secs(20), landed).await.unwrap();
        assert!(body == noise(2 * MIB), "{path}");
    }
}

#[tokio::test]
async fn a_very_large_file_is_kept_beside_its_origin_and_outlives_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large");
    let size_bytes = 33 * MIB as u64;
    File::create(&path).unwrap().set_len(size_bytes).unwrap();
    let origin_path = path.clone();
    let home = home(move |_| file(&origin_path, size_bytes)).await;
    assert_eq!(home.get("/large").await.x_cache(), "Miss from cloudfront");
    fs::remove_file(path).unwrap();
    let kept = home.send("GET", "/large", &[("range", "bytes=34000000-34000099")], "").await;
    assert_eq!(
        (kept.status, kept.x_cache(), kept.body.len()),
        (StatusCode::PARTIAL_CONTENT, "Hit from cloudfront", 100)
    );
    let home = home.restart().await;
    assert_eq!(home.send("HEAD", "/large", &[], "").await.header("content-length"), Some("34603008"));
    assert_eq!(home.seen().len(), 1);
}

#[tokio::test]
async fn ranges_of_an_unknown_object_are_one_fetch() {
    let home = Home::start_slow(Duration::from_millis(100), |_| respond(200, &"0123456789".repeat(100))).await;
    home.define(site());
    let home = &home;
    let requests = (0..20).map(|index| async move {
        let range = format!("bytes={}-{}", index * 10, index * 10 + 9);
        home.send("GET", "/a", &[("range", &range)], "").await
    });
    let answers = futures::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::PARTIAL_CONTENT && answer.text() == "0123456789"));
    assert_eq!(home.seen().len(), 1);
}

#[tokio::test]
async fn several_ranges_are_a_multipart_answer() {
    let home = home(|_| with(respond(200, "0123456789"), &[("content-type", "text/plain"), ("etag", "\"1\"")])).await;
    let answer = home.send("GET", "/a", &[("range", "bytes=0-1,5-5,-2")], "").await;
    assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
    let boundary = answer.header("content-type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, body: &str| {
        format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{body}")
    };
    let expected = [part("0-1", "01"), part("5-5", "5"), part("8-9", "89"), format!("\r\n--{boundary}--\r\n")].concat();
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.header("content-length"), Some(expected.len().to_string().as_str()));
    assert_eq!(answer.header("content-range"), None);
    assert_eq!(home.send("GET", "/a", &[("range", "bytes=5-5,0-1")], "").await.text(), "0123456789");
    let failed = home.send("GET", "/a", &[("if-match", "\"2\"")], "").await;
    assert_eq!((failed.status, failed.body.len()), (StatusCode::PRECONDITION_FAILED, 0));
}

struct Everyone;

impl Authorizer for Everyone {
    fn authorize(&self, _: &Principal, _: &str, _: &str) -> Result<(), AwsError> {
        Ok(())
    }
}

async fn invalidate(home: &Home, distribution: &str, path: &str) {
    let request = ApiRequest {
        operation: String::new(),
        method: Method::POST,
        path: format!("/2020-05-31/distribution/{distribution}/invalidation"),
        query: String::new(),
        headers: HeaderMap::new(),
        body: format!(
            "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>1</Quantity><Items>\
             <Path>{path}</Path></Items></Paths><CallerReference>{path}</CallerReference></InvalidationBatch>"
        )
        .into(),
        principal: Principal::Root,
        request_id: "r".into(),
        authorizer: Arc::new(Everyone),
    };
    assert_eq!(home.edge.call(request).await.unwrap().status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_invalidation_reaches_both_tiers_and_what_is_on_its_way() {
    let home = Home::start_slow(Duration::from_millis(100), |request| {
        with(respond(200, &request.path), &[("cache-control", "max-age=60")])
    })
    .await;
    let id = home.define(site()).id;
    for path in ["/v/a", "/w/b"] {
        home.get(path).await;
    }
    home.edge.flush_cache();
    invalidate(&home, &id, "/v/*").await;
    assert_eq!(home.get("/w/b").await.x_cache(), "Hit from cloudfront");
    assert_eq!(home.get("/v/a").await.x_cache(), "Miss from cloudfront");
    // An answer that was asked for before the invalidation reaches those who wait for it, and nobody else.
    let (early, ()) = tokio::join!(home.get("/v/c"), async {
        until(|| home.seen().len() == 4).await;
        invalidate(&home, &id, "/v/c").await;
    });
    assert_eq!(early.text(), "/v/c");
    assert_eq!(home.get("/v/c").await.x_cache(), "Miss from cloudfront");
    let home = home.restart().await;
    for path in ["/v/a", "/v/c", "/w/b"] {
        assert_eq!(home.get(path).await.x_cache(), "Hit from cloudfront", "{path}");
    }
    assert_eq!(home.seen().len(), 5);
}

#[tokio::test]
async fn viewers_may_speak_http2_where_the_distribution_says_so() {
    let home = home(|request| with(respond(200, &request.path), &[("cache-control", "max-age=60")])).await;
    let mut old = distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]));
    old["HttpVersion"] = json!("http1.1");
    let old = home.define_as("Old", old).domain_name;
    let stream = TokioIo::new(home.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let get = |host: &str, path: &str, filler: usize| {
        let mut sender = sender.clone();
        let request = Request::get(format!("http://{host}{path}")).header("x-filler", "x".repeat(filler));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        async move {
            let response = sender.send_request(request).await.unwrap();
            let (head, body) = response.into_parts();
            (head.version, head.status, body.collect().await.unwrap().to_bytes())
        }
    };
    let answers = futures::future::join_all((0..50).map(|index| get("localhost", &format!("/{}", index % 5), 0))).await;
    for (index, (version, status, body)) in answers.into_iter().enumerate() {
        assert_eq!((version, status, body), (Version::HTTP_2, StatusCode::OK, format!("/{}", index % 5).into()));
    }
    assert_eq!(home.seen().len(), 5);
    assert_eq!(get(&old, "/", 0).await.1, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    assert_eq!(get("localhost", "/", 30_000).await.1, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let large = home.send("GET", "/", &[("x-filler", &"x".repeat(21_000))], "").await;
    assert_eq!(large.status.as_u16(), 494);
}

#[tokio::test]
async fn requests_in_a_row_on_one_connection_are_answered_in_a_row() {
    let home = home(|request| respond(200, &request.path)).await;
    let mut stream = home.connect().await;
    let requests = "GET /a HTTP/1.1\r\nhost: h\r\n\r\nHEAD /b HTTP/1.1\r\nhost: h\r\n\r\nGET /c HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
    assert!(text.contains("\r\n\r\n/aHTTP/1.1") && text.contains("\r\n\r\nHTTP/1.1") && text.ends_with("\r\n\r\n/c"));
}

#[tokio::test]
async fn over_tls_the_two_agree_on_http2() {
    let home = home(|request| respond(200, &request.path)).await;
    let directory = tempfile::tempdir().unwrap();
    let tls = Tls::open(directory.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(home.edge.clone().serve_tls(listener, tls));
    let certificate = fs::read(directory.path().join("certificate.der")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.into()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/a").body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.version(), response.status()), (Version::HTTP_2, StatusCode::OK));
    assert_eq!(response.collect().await.unwrap().to_bytes(), "/a");
    // Who does not speak TLS is not answered, and harms nobody.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}
