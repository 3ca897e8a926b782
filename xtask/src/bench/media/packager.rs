//! Segments made just in time, cold: every request builds its segment anew. The same bytes from nginx as ready-made files, and
//! `ffmpeg -c copy` packaging the whole clip.
//!
//! The door is the egress itself, on the port of the AWS APIs, which has no cache; a packaging group without CDN authorization
//! lets the load generator in.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Row;
use crate::{
    Outcome,
    home::{Home, Place, Profile},
    shell::{command, output, root},
    tools,
};

/// Ports that no other home of this machine uses by default.
const PORT: u16 = 14576;
const EDGE_PORT: u16 = 18090;
const NGINX_PORT: u16 = 18091;
/// How often each is measured; the best of each counts.
const ROUNDS: u32 = 3;
/// One measurement, in seconds.
const SECONDS: u32 = 3;
const CONNECTIONS: u32 = 8;
/// The clip: long enough that its segments differ, short enough to be made at once.
const CLIP_SECONDS: u32 = 24;
/// Requests of one after another, for times to the first byte.
const SINGLE_REQUESTS: usize = 200;
const START_TIMEOUT: Duration = Duration::from_secs(20);
const GROUP: &str = "bench";

/// A packaging configuration, a segment of it, and how ffmpeg packages the same.
struct Case {
    what: &'static str,
    id: &'static str,
    option: &'static str,
    package: &'static str,
    segment: &'static str,
    ffmpeg: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        what: "HLS, transport stream",
        id: "bench-hls",
        option: "--hls-package",
        package: r#"{"SegmentDurationSeconds":6,"HlsManifests":[{}]}"#,
        segment: "index_1_1.ts",
        ffmpeg: "-c copy -f hls -hls_time 6 -hls_playlist_type vod out.m3u8",
    },
    Case {
        what: "HLS, sound in a group",
        id: "bench-group",
        option: "--hls-package",
        package: r#"{"SegmentDurationSeconds":3,"UseAudioRenditionGroup":true,"HlsManifests":[{}]}"#,
        segment: "index_1_1.ts",
        ffmpeg: "-map 0:v -c copy -f hls -hls_time 3 -hls_playlist_type vod out.m3u8",
    },
    Case {
        what: "CMAF",
        id: "bench-cmaf",
        option: "--cmaf-package",
        package: r#"{"SegmentDurationSeconds":3,"HlsManifests":[{}]}"#,
        segment: "index_1_1.mp4",
        ffmpeg: "-map 0:v -c copy -f hls -hls_time 3 -hls_segment_type fmp4 -hls_playlist_type vod out.m3u8",
    },
    Case {
        what: "DASH",
        id: "bench-dash",
        option: "--dash-package",
        package: r#"{"SegmentDurationSeconds":3,"DashManifests":[{}]}"#,
        segment: "index_1_1.mp4",
        ffmpeg: "-map 0:v -c copy -f dash -seg_duration 3 out.mpd",
    },
];

/// Where a case's files are: host of the egress, and path of its manifest.
struct Endpoint {
    host: String,
    manifest: String,
}

impl Endpoint {
    fn beside(&self, name: &str) -> String {
        format!("{}/{name}", self.manifest.rsplit_once('/').map_or("", |(base, _)| base))
    }
}

pub(crate) fn run(profile: Profile) -> Outcome<Vec<Row>> {
    let work = root().join("target/bench/packager");
    let _ = fs::remove_dir_all(&work);
    let (clip, files) = (work.join("clip"), work.join("files"));
    for folder in [&clip, &files] {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    make_clip(&clip)?;
    let home = Home::start(profile, &Place { data: work.join("data"), port: PORT, edge_port: EDGE_PORT })?;
    let endpoints = ingest(&home, &clip)?;
    let mut rows = Vec::new();
    let nginx = nginx(&work, &files)?;
    for (case, endpoint) in CASES.iter().zip(&endpoints) {
        let path = endpoint.beside(case.segment);
        let (bytes, _) = Connection::open(PORT)?.get(&endpoint.host, &path)?;
        let file = format!("{}.bin", case.id);
        fs::write(files.join(&file), &bytes).map_err(|error| format!("cannot write {file}: {error}"))?;
        let (mut ours, mut theirs) = (0.0_f64, 0.0_f64);
        // In turns, so that a busy minute of the machine falls on both.
        for round in 1..=ROUNDS {
            println!("==> {}, round {round} of {ROUNDS}", case.what);
            ours = ours.max(load(PORT, &endpoint.host, &path, bytes.len())?);
            theirs = theirs.max(load(NGINX_PORT, "127.0.0.1", &format!("/{file}"), bytes.len())?);
        }
        let (_, first_byte) = one_by_one(&endpoint.host, &path)?;
        let copied = copy(case, &clip, &work.join("copy"))?;
        rows.push(Row {
            what: format!("{}, {:.1} MB segment, nginx", case.what, bytes.len() as f64 / 1e6),
            figures: format!("{ours:.0} to {theirs:.0} MB/s; ffmpeg -c copy {copied:.0} MB/s"),
            ratio: Some(ours / theirs),
            aim: "at least 0.7",
            met: ours / theirs >= 0.7,
        });
        rows.push(timed(format!("{}, first byte", case.what), first_byte, 5.0, "median under 5 ms"));
        let (whole, _) = one_by_one(&endpoint.host, &endpoint.manifest)?;
        rows.push(timed(format!("{}, manifest", case.what), whole, 0.2, "median under 0.2 ms"));
    }
    drop(nginx);
    Ok(rows)
}

fn timed(what: String, mut times: Vec<f64>, limit_ms: f64, aim: &'static str) -> Row {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::MAX);
    let median = at(0.5);
    Row {
        what,
        figures: format!("median {median:.3} ms, 99 of 100 within {:.3} ms", at(0.99)),
        ratio: None,
        aim,
        met: median < limit_ms,
    }
}

/// A source of one rendition at 1080p with sound, as MediaConvert lays it out; noise, so that it has real rates.
fn make_clip(folder: &Path) -> Outcome {
    let picture = format!("testsrc2=size=1920x1080:rate=30:duration={CLIP_SECONDS},noise=alls=12:allf=t");
    let sound = format!("sine=frequency=440:sample_rate=48000:duration={CLIP_SECONDS}");
    println!("==> make a source of {CLIP_SECONDS} s");
    output(
        command("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", &picture])
            .args([
                "-f",
                "lavfi",
                "-i",
                &sound,
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-b:v",
                "6M",
                "-maxrate",
                "7M",
            ])
            .args(["-bufsize", "12M", "-g", "90", "-keyint_min", "90", "-sc_threshold", "0", "-bf", "2"])
            .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "hls", "-hls_time", "3"])
            .args([
                "-hls_playlist_type",
                "vod",
                "-master_pl_name",
                "master.m3u8",
                "-hls_segment_filename",
                "hd_%05d.ts",
            ])
            .arg("hd.m3u8")
            .current_dir(folder),
    )
    .map(drop)
}

/// Puts the source into the home's bucket, makes the configurations, and waits until everything is playable.
fn ingest(home: &Home, clip: &Path) -> Outcome<Vec<Endpoint>> {
    let bin = tools::aws_clients()?;
    let aws = |arguments: &[&str]| {
        output(
            command(bin.join("aws"))
                .envs([
                    ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{PORT}").as_str()),
                    ("AWS_ACCESS_KEY_ID", "vodline"),
                    ("AWS_SECRET_ACCESS_KEY", "vodline-local"),
                    ("AWS_DEFAULT_REGION", "us-east-1"),
                ])
                .args(["--output", "json"])
                .args(arguments),
        )
    };
    let bucket = home.output("MediaBucket")?;
    let destination = format!("s3://{bucket}/media/bench/");
    aws(&["s3", "cp", "--quiet", "--recursive", &clip.to_string_lossy(), &destination])?;
    aws(&["mediapackage-vod", "create-packaging-group", "--id", GROUP])?;
    for case in &CASES {
        let configuration = ["--id", case.id, "--packaging-group-id", GROUP, case.option, case.package];
        aws(&[&["mediapackage-vod", "create-packaging-configuration"], &configuration[..]].concat())?;
    }
    let source = format!("arn:aws:s3:::{bucket}/media/bench/master.m3u8");
    let role = "arn:aws:iam::000000000000:role/vodline-mediapackage-us-east-1";
    let asset = ["--id", GROUP, "--packaging-group-id", GROUP, "--source-arn", &source, "--source-role-arn", role];
    aws(&[&["mediapackage-vod", "create-asset"], &asset[..]].concat())?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let text = aws(&["mediapackage-vod", "describe-asset", "--id", GROUP])?;
        let asset: Value = serde_json::from_str(&text).map_err(|error| format!("the asset cannot be read: {error}"))?;
        let endpoint = |case: &Case| {
            let endpoints = asset["EgressEndpoints"].as_array().into_iter().flatten();
            let mut own = endpoints.filter(|endpoint| endpoint["PackagingConfigurationId"] == case.id);
            let endpoint = own.next().filter(|endpoint| endpoint["Status"] == "PLAYABLE")?;
            let (host, path) = endpoint["Url"].as_str()?.strip_prefix("https://")?.split_once('/')?;
            Some(Endpoint { host: host.to_owned(), manifest: format!("/{path}") })
        };
        if let Some(endpoints) = CASES.iter().map(endpoint).collect() {
            return Ok(endpoints);
        }
        if Instant::now() > deadline {
            return Err(format!("the asset does not become playable: {asset}"));
        }
        sleep(Duration::from_millis(200));
    }
}

/// Megabytes a second under load.
fn load(port: u16, host: &str, path: &str, size_bytes: usize) -> Outcome<f64> {
    let text = output(
        command("wrk")
            .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s"), "-H", &format!("Host: {host}")])
            .arg(format!("http://127.0.0.1:{port}{path}")),
    )?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("not every request was answered: {text}"));
    }
    let line = text.lines().find(|line| line.contains("Requests/sec:"));
    let rate = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|word| word.parse::<f64>().ok());
    Ok(rate.ok_or_else(|| format!("wrk printed no rate: {text}"))? * size_bytes as f64 / 1e6)
}

/// Milliseconds of whole answers and to their first bytes, one request after another on a kept connection.
fn one_by_one(host: &str, path: &str) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let mut connection = Connection::open(PORT)?;
    let (mut whole, mut first) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE_REQUESTS {
        let began = Instant::now();
        let (_, first_byte) = connection.get(host, path)?;
        whole.push(began.elapsed().as_secs_f64() * 1000.0);
        first.push(first_byte.duration_since(began).as_secs_f64() * 1000.0);
    }
    Ok((whole, first))
}

/// A kept HTTP connection; as little as measuring needs.
struct Connection(TcpStream);

impl Connection {
    fn open(port: u16) -> Outcome<Self> {
        let fail = |error: std::io::Error| format!("port {port} does not answer: {error}");
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(fail)?;
        stream.set_read_timeout(Some(START_TIMEOUT)).map_err(fail)?;
        stream.set_nodelay(true).map_err(fail)?;
        Ok(Self(stream))
    }

    /// The body, and when the first byte of the answer came.
    fn get(&mut self, host: &str, path: &str) -> Outcome<(Vec<u8>, Instant)> {
        let fail = |error: std::io::Error| format!("{path}: {error}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.0.write_all(request.as_bytes()).map_err(fail)?;
        let mut answer = vec![0; 1 << 16];
        let mut filled = self.0.read(&mut answer).map_err(fail)?;
        let first_byte = Instant::now();
        loop {
            if let Some(end) = answer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
                if !head.starts_with("http/1.1 200") {
                    return Err(format!("{path}: {head}"));
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
                let length: usize = length.ok_or_else(|| format!("{path}: no length in {head}"))?;
                let mut body = answer[end + 4..filled].to_vec();
                let have = body.len();
                body.resize(length, 0);
                self.0.read_exact(&mut body[have..]).map_err(fail)?;
                return Ok((body, first_byte));
            }
            let more = self.0.read(&mut answer[filled..]).map_err(fail)?;
            if more == 0 {
                return Err(format!("{path}: the connection ended"));
            }
            filled += more;
        }
    }
}

/// Megabytes a second that ffmpeg packages the whole source at.
fn copy(case: &Case, clip: &Path, folder: &Path) -> Outcome<f64> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let began = Instant::now();
    output(
        command("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-y", "-i"])
            .arg(clip.join("hd.m3u8"))
            .args(case.ffmpeg.split_whitespace())
            .current_dir(folder),
    )?;
    let seconds = began.elapsed().as_secs_f64();
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes: u64 = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    Ok(bytes as f64 / 1e6 / seconds)
}

/// nginx, asked to end when dropped: killed outright, it would leave its workers behind.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = command("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// nginx with static files.
fn nginx(work: &Path, files: &Path) -> Outcome<Nginx> {
    let (folder, files) = (work.display(), files.display());
    let config = format!(
        "worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 10000000;
    open_file_cache max=1000;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    server {{ listen 127.0.0.1:{NGINX_PORT} reuseport; root {files}; }}
}}
"
    );
    let path = work.join("nginx.conf");
    fs::write(&path, config).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    // Servers live outside a user's PATH.
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
    let program = folders.iter().map(|folder| PathBuf::from(folder).join("nginx")).find(|path| path.exists());
    let mut nginx = Command::new(program.ok_or("nginx is not installed")?);
    nginx.args(["-e", "stderr", "-c"]).arg(path).stdin(Stdio::null()).stdout(Stdio::null());
    let mut nginx = Nginx(nginx.spawn().map_err(|error| format!("cannot start nginx: {error}"))?);
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(("127.0.0.1", NGINX_PORT)).is_err() {
        if nginx.0.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
            return Err("nginx did not come up".to_owned());
        }
        sleep(Duration::from_millis(50));
    }
    Ok(nginx)
}
