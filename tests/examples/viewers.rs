//! Plays one video to many viewers at real pace and prints what they saw; used by `cargo xtask bench media`.
//! Usage: `viewers MASTER_URL COUNT SECONDS`. Prints one JSON object.
//!
//! A viewer reads the master playlist and one rendition's playlist (renditions in turns), then fetches a segment whenever the one
//! before begins to play, as a player with one segment of buffer does. A segment that is not there when its turn comes is a stall.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool; it may panic and must print")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use serde_json::json;
use tokio::{net::TcpStream, time::Instant};

/// How long one answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all viewers saw.
#[derive(Default)]
struct Seen {
    requests: u64,
    bytes: u64,
    stalls: u64,
    server_errors: u64,
    other_failures: u64,
    /// Time from request to whole answer of each segment, in milliseconds.
    segment_ms: Vec<f64>,
    /// By path: answers that the origin was asked for.
    fetches: HashMap<String, u64>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One connection, as every viewer has one.
struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
    authority: String,
}

impl Connection {
    async fn open(url: &Url) -> Self {
        let authority = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        let stream = TcpStream::connect(&authority).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, authority }
    }

    /// The status, whether the origin was asked, and the body.
    async fn get(&mut self, url: &Url) -> Result<(StatusCode, bool, Bytes), Failure> {
        let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let request = Request::get(target).header(HOST, &self.authority).body(Empty::new())?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let asked = response.headers().get("x-cache").is_some_and(|value| {
            let value = value.to_str().unwrap_or_default();
            value.starts_with("Miss") || value.starts_with("RefreshHit")
        });
        Ok((status, asked, response.into_body().collect().await?.to_bytes()))
    }
}

struct Viewers {
    seen: Mutex<Seen>,
}

impl Viewers {
    /// Fetches one object; `None` when that failed.
    async fn fetch(&self, connection: &mut Connection, url: &Url) -> Option<Bytes> {
        let answer = tokio::time::timeout(PATIENCE, connection.get(url)).await;
        let mut seen = self.seen.lock().unwrap();
        seen.requests += 1;
        let Ok(Ok((status, asked, bytes))) = answer else {
            seen.other_failures += 1;
            return None;
        };
        *seen.fetches.entry(url.path().to_owned()).or_default() += u64::from(asked);
        seen.bytes += bytes.len() as u64;
        seen.server_errors += u64::from(status.is_server_error());
        seen.other_failures += u64::from(!status.is_success() && !status.is_server_error());
        status.is_success().then_some(bytes)
    }

    async fn play(&self, master: &Url, index: usize, watched: Duration) {
        let mut connection = Connection::open(master).await;
        let Some(text) = self.fetch(&mut connection, master).await else { return };
        let renditions = uris(&String::from_utf8_lossy(&text));
        let playlist = master.join(&renditions[index % renditions.len()].1).unwrap();
        let Some(text) = self.fetch(&mut connection, &playlist).await else { return };
        let segments = uris(&String::from_utf8_lossy(&text));
        let mut playing: Option<Instant> = None;
        let mut played = Duration::ZERO;
        for (seconds, uri) in segments {
            if played >= watched {
                break;
            }
            let asked = Instant::now();
            if self.fetch(&mut connection, &playlist.join(&uri).unwrap()).await.is_none() {
                return;
            }
            let here = Instant::now();
            // Playback begins with the first segment; a stall moves everything after it.
            let began = playing.get_or_insert(here);
            let late = here.saturating_duration_since(*began + played);
            {
                let mut seen = self.seen.lock().unwrap();
                seen.segment_ms.push((here - asked).as_secs_f64() * 1000.0);
                seen.stalls += u64::from(!late.is_zero());
            }
            *began += late;
            // The next one is asked for when this one begins to play, and has this one's length of time.
            tokio::time::sleep_until(*began + played).await;
            played += seconds;
        }
    }
}

/// The URIs of a playlist with the durations before them; comments and tags otherwise left out.
fn uris(playlist: &str) -> Vec<(Duration, String)> {
    let mut seconds = Duration::ZERO;
    let mut found = Vec::new();
    for line in playlist.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("#EXTINF:") {
            seconds = Duration::from_secs_f64(rest.split(',').next().unwrap().parse().unwrap());
        } else if !line.starts_with('#') {
            found.push((seconds, line.to_owned()));
        }
    }
    found
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let master: Url = arguments[0].parse().unwrap();
    let (count, seconds) = (arguments[1].parse::<usize>().unwrap(), arguments[2].parse::<u64>().unwrap());
    let watched = Duration::from_secs(seconds);
    let viewers = Arc::new(Viewers { seen: Mutex::default() });
    // The length of a segment, over which the beginnings are spread.
    let mut connection = Connection::open(&master).await;
    let text = viewers.fetch(&mut connection, &master).await.unwrap();
    let playlist = master.join(&uris(&String::from_utf8_lossy(&text))[0].1).unwrap();
    let text = viewers.fetch(&mut connection, &playlist).await.unwrap();
    let spread = uris(&String::from_utf8_lossy(&text))[0].0;
    let playing = (0..count).map(|index| {
        let (viewers, master) = (viewers.clone(), master.clone());
        tokio::spawn(async move {
            tokio::time::sleep(spread.mul_f64(index as f64 / count as f64)).await;
            viewers.play(&master, index, watched).await;
        })
    });
    join_all(playing.collect::<Vec<_>>()).await.into_iter().for_each(|viewer| viewer.unwrap());
    let mut seen = viewers.seen.lock().unwrap();
    seen.segment_ms.sort_by(f64::total_cmp);
    let part =
        |share: f64| seen.segment_ms.get((seen.segment_ms.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    println!(
        "{}",
        json!({
            "requests": seen.requests,
            "bytes": seen.bytes,
            "stalls": seen.stalls,
            "serverErrors": seen.server_errors,
            "otherFailures": seen.other_failures,
            "objects": seen.fetches.len(),
            "fetchesOfOneObjectMax": seen.fetches.values().max(),
            "segmentMsMedian": part(0.5),
            "segmentMsP99": part(0.99),
        })
    );
}
