//! Cache hits: the same bytes on the same cores, from the home's edge, from nginx's `proxy_cache`, and from Varnish.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::Row;
use crate::{
    Outcome,
    home::{Home, Place, Profile},
    shell::{command, output, root},
    tools,
};

/// Ports that no other home of this machine uses by default.
const PORT: u16 = 14571;
const EDGE_PORT: u16 = 18085;
const FILES_PORT: u16 = 18086;
const NGINX_PORT: u16 = 18087;
const VARNISH_PORT: u16 = 18088;
/// How often each is measured; the best of each counts.
const ROUNDS: u32 = 4;
/// One measurement, in seconds.
const SECONDS: u32 = 3;
const CONNECTIONS: u32 = 32;
/// How long a peer may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(20);

struct Case {
    what: &'static str,
    file: &'static str,
    size_bytes: usize,
    content_type: &'static str,
    range: Option<std::ops::Range<usize>>,
    /// At least so much of nginx's and of Varnish's requests a second; 0 for no aim.
    nginx_aim: f64,
    varnish_aim: f64,
}

const CASES: [Case; 3] = [
    Case {
        what: "cache hit, 1 MiB segment",
        file: "segment.m4s",
        size_bytes: 1 << 20,
        content_type: "video/mp4",
        range: None,
        nginx_aim: 1.5,
        varnish_aim: 0.75,
    },
    Case {
        what: "cache hit, 64 KiB range of it",
        file: "segment.m4s",
        size_bytes: 1 << 20,
        content_type: "video/mp4",
        range: Some(131_072..196_608),
        nginx_aim: 1.5,
        varnish_aim: 0.75,
    },
    Case {
        what: "cache hit, 1.5 KiB manifest",
        file: "index.m3u8",
        size_bytes: 1536,
        content_type: "application/vnd.apple.mpegurl",
        range: None,
        nginx_aim: 0.0,
        varnish_aim: 1.0,
    },
];

/// What one server did.
#[derive(Clone, Copy)]
struct Figure {
    requests_per_second: f64,
    /// Of the server's processes, in microseconds.
    cpu_per_request: f64,
}

impl Figure {
    const NONE: Self = Self { requests_per_second: 0.0, cpu_per_request: f64::MAX };

    fn best(self, other: Self) -> Self {
        Self {
            requests_per_second: self.requests_per_second.max(other.requests_per_second),
            cpu_per_request: self.cpu_per_request.min(other.cpu_per_request),
        }
    }
}

pub(crate) fn run(profile: Profile) -> Outcome<Vec<Row>> {
    let work = root().join("target/bench/edge");
    let _ = fs::remove_dir_all(&work);
    let files = work.join("files/media/bench");
    fs::create_dir_all(&files).map_err(|error| format!("cannot make {}: {error}", files.display()))?;
    for case in &CASES {
        write(&files.join(case.file), &content(case.size_bytes))?;
    }
    let home = Home::start(profile, &Place { data: work.join("data"), port: PORT, edge_port: EDGE_PORT })?;
    upload(&home, &files)?;
    let nginx = nginx(&work)?;
    let varnish = varnish(&work)?;
    let servers = [(EDGE_PORT, home.pid()), (NGINX_PORT, nginx.0.id()), (VARNISH_PORT, varnish.0.id())];
    let mut best = [[Figure::NONE; 3]; CASES.len()];
    for case in &CASES {
        for (port, _) in servers {
            // Once to fill the cache, once to see that the same bytes come from it.
            get(port, case)?;
            let answer = get(port, case)?;
            if port == EDGE_PORT && !answer.contains("x-cache: Hit from cloudfront") {
                return Err(format!("the edge did not keep {}: {answer}", case.file));
            }
        }
    }
    // In turns, so that a busy minute of the machine falls on all.
    for round in 1..=ROUNDS {
        println!("==> cache hits, round {round} of {ROUNDS}");
        for (case, best) in CASES.iter().zip(&mut best) {
            for ((port, pid), best) in servers.iter().zip(best) {
                *best = best.best(measure(*port, *pid, case)?);
            }
        }
    }
    Ok(CASES.iter().zip(best).flat_map(|(case, figures)| rows(case, figures)).collect())
}

fn rows(case: &Case, [ours, nginx, varnish]: [Figure; 3]) -> Vec<Row> {
    let row = |peer: &str, theirs: Figure, aim: f64, aim_in_words: &'static str| {
        let ratio = ours.requests_per_second / theirs.requests_per_second;
        (aim > 0.0).then(|| Row {
            what: format!("{}, {peer}", case.what),
            figures: format!(
                "{:.0} to {:.0} req/s, {:.1} to {:.1} us CPU",
                ours.requests_per_second, theirs.requests_per_second, ours.cpu_per_request, theirs.cpu_per_request
            ),
            ratio: Some(ratio),
            aim: aim_in_words,
            met: ratio >= aim,
        })
    };
    let words = |aim: f64| match aim {
        1.5 => "at least 1.5",
        0.75 => "at least 0.75",
        _ => "at least 1.0",
    };
    let rows = [
        row("nginx", nginx, case.nginx_aim, words(case.nginx_aim)),
        row("Varnish", varnish, case.varnish_aim, words(case.varnish_aim)),
    ];
    rows.into_iter().flatten().collect()
}

/// Bytes that do not compress.
fn content(size_bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(size_bytes).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Puts the files into the home's bucket of media.
fn upload(home: &Home, files: &Path) -> Outcome {
    let aws = tools::aws_clients()?.join("aws");
    let bucket = home.output("MediaBucket")?;
    for case in &CASES {
        output(
            command(&aws)
                .envs([
                    ("AWS_ACCESS_KEY_ID", "vodline"),
                    ("AWS_SECRET_ACCESS_KEY", "vodline-local"),
                    ("AWS_DEFAULT_REGION", "us-east-1"),
                ])
                .args(["--endpoint-url", &format!("http://127.0.0.1:{PORT}"), "s3api", "put-object"])
                .args(["--bucket", &bucket, "--key", &format!("media/bench/{}", case.file)])
                .args(["--content-type", case.content_type, "--cache-control", "max-age=86400", "--body"])
                .arg(files.join(case.file)),
        )?;
    }
    Ok(())
}

/// Loads one server.
fn measure(port: u16, pid: u32, case: &Case) -> Outcome<Figure> {
    let mut wrk = command(program("wrk")?);
    wrk.args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s")]);
    if let Some(range) = &case.range {
        wrk.args(["-H", &format!("Range: bytes={}-{}", range.start, range.end - 1)]);
    }
    let before = cpu_us(pid);
    let text = output(wrk.arg(format!("http://127.0.0.1:{port}/media/bench/{}", case.file)))?;
    let spent = cpu_us(pid) - before;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("not every request was answered: {text}"));
    }
    let number = |mark: &str, index: usize| -> Outcome<f64> {
        let line = text.lines().find(|line| line.contains(mark));
        let word = line.and_then(|line| line.split_whitespace().nth(index)).and_then(|word| word.parse().ok());
        word.ok_or_else(|| format!("wrk printed no {mark}: {text}"))
    };
    Ok(Figure { requests_per_second: number("Requests/sec:", 1)?, cpu_per_request: spent / number("requests in", 0)? })
}

/// The CPU time of a process and its children so far, in microseconds.
fn cpu_us(pid: u32) -> f64 {
    let stat = |pid: u32| -> Option<(u32, f64)> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may hold anything; what follows are numbers. A tick is 10 ms.
        let numbers: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = numbers.get(11)?.parse::<f64>().ok()? + numbers.get(12)?.parse::<f64>().ok()?;
        Some((numbers.get(1)?.parse().ok()?, ticks * 10_000.0))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|one| stat(one).map(|(parent, spent)| (one, parent, spent)))
        .filter(|(one, parent, _)| *one == pid || *parent == pid)
        .map(|(_, _, spent)| spent)
        .sum()
}

/// One request; gives the head of the answer, after the body was held against what it should be.
fn get(port: u16, case: &Case) -> Outcome<String> {
    let fail = |error: std::io::Error| format!("port {port} does not answer: {error}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(fail)?;
    stream.set_read_timeout(Some(START_TIMEOUT)).map_err(fail)?;
    let range = case.range.as_ref().map(|range| format!("Range: bytes={}-{}\r\n", range.start, range.end - 1));
    let request = format!(
        "GET /media/bench/{} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{}Connection: close\r\n\r\n",
        case.file,
        range.unwrap_or_default()
    );
    stream.write_all(request.as_bytes()).map_err(fail)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(fail)?;
    let end =
        answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("an answer without an end of its head")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let whole = content(case.size_bytes);
    let expected = case.range.clone().map_or(&whole[..], |range| &whole[range]);
    if answer[end + 4..] != *expected {
        return Err(format!("port {port} answers other bytes for {}: {head}", case.file));
    }
    Ok(head)
}

/// A peer; asked to end when dropped.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        // Killed outright, nginx would leave its workers behind.
        let _ = command("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Peer {
    fn start(command: &mut Command, ports: &[u16]) -> Outcome<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdout(Stdio::null()).spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut peer = Self(child);
        let deadline = Instant::now() + START_TIMEOUT;
        while !ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            if peer.0.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
                return Err(format!("{name} did not come up"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(peer)
    }
}

/// A server's program: it may live outside a user's PATH.
fn program(name: &str) -> Outcome<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
        .ok_or_else(|| format!("{name} is not installed"))
}

/// nginx with `proxy_cache`, in front of its own static files; Varnish asks those as well.
fn nginx(work: &Path) -> Outcome<Peer> {
    let folder = work.display();
    let config = format!(
        "worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 10000000;
    open_file_cache max=1000;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    proxy_cache_path {folder}/nginx-cache levels=1:2 keys_zone=hits:10m max_size=1g inactive=60m;
    types {{ video/mp4 m4s; application/vnd.apple.mpegurl m3u8; }}
    server {{
        listen 127.0.0.1:{FILES_PORT};
        root {folder}/files;
        add_header Cache-Control max-age=86400;
    }}
    server {{
        listen 127.0.0.1:{NGINX_PORT} reuseport;
        location / {{
            proxy_pass http://127.0.0.1:{FILES_PORT};
            proxy_cache hits;
            proxy_cache_lock on;
        }}
    }}
}}
"
    );
    let path = work.join("nginx.conf");
    write(&path, config.as_bytes())?;
    Peer::start(command(program("nginx")?).args(["-e", "stderr", "-c"]).arg(path), &[FILES_PORT, NGINX_PORT])
}

fn varnish(work: &Path) -> Outcome<Peer> {
    let path = work.join("varnish.vcl");
    let backend = format!("vcl 4.1;\nbackend default {{ .host = \"127.0.0.1\"; .port = \"{FILES_PORT}\"; }}\n");
    write(&path, backend.as_bytes())?;
    let mut varnish = command(program("varnishd")?);
    varnish.args(["-F", "-a", &format!("127.0.0.1:{VARNISH_PORT}"), "-s", "malloc,256m", "-n"]);
    Peer::start(varnish.arg(work.join("varnish")).arg("-f").arg(path), &[VARNISH_PORT])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_the_cpu() {
        assert!(!cfg!(target_os = "linux") || cpu_us(std::process::id()) >= 0.0);
        assert_eq!(content(5), content(8)[..5]);
    }

    #[test]
    fn a_ratio_is_held_against_its_aim() {
        let figure = |requests_per_second| Figure { requests_per_second, cpu_per_request: 10.0 };
        let met: Vec<bool> =
            rows(&CASES[0], [figure(100.0), figure(70.0), figure(120.0)]).iter().map(|row| row.met).collect();
        assert_eq!(met, [false, true]);
        assert_eq!(rows(&CASES[2], [figure(1.0), figure(1.0), figure(1.0)]).len(), 1);
    }
}
