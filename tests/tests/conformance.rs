//! What the packager gives out, judged by others: players in Chromium, GPAC's parser, ffprobe and xmllint, through the edge of
//! a real home.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use vodline_tests::{Home, clips, get, root, text};

/// What ffprobe says of an address, without a word of complaint.
fn probe(url: &str, arguments: &[&str]) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "default=noprint_wrappers=1"])
        .args(arguments)
        .arg(url)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{url}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The first and the last time that packets of a kind are shown, in seconds.
fn shown(url: &str, stream: &str) -> (f64, f64) {
    let packets = probe(url, &["-select_streams", stream, "-show_entries", "packet=pts_time,duration_time"]);
    let mut bounds = (f64::MAX, f64::MIN);
    let mut start = 0.0;
    for line in packets.lines() {
        if let Some(time) = line.strip_prefix("pts_time=").and_then(|time| time.parse::<f64>().ok()) {
            start = time;
            bounds = (bounds.0.min(time), bounds.1.max(time));
        } else if let Some(length) = line.strip_prefix("duration_time=").and_then(|time| time.parse::<f64>().ok()) {
            bounds.1 = bounds.1.max(start + length);
        }
    }
    bounds
}

/// The addresses of a playlist's entries.
fn entries(url: &str) -> Vec<String> {
    let (status, body) = get(url, &[]);
    assert_eq!(status, 200, "{url}");
    let base = url.rsplit_once('/').unwrap().0;
    let text = String::from_utf8(body).unwrap();
    let names = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    names.map(|name| format!("{base}/{name}")).collect()
}

#[test]
fn players_and_parsers_accept_every_package() {
    let packages = root().join("tests/conformance/node_modules");
    assert!(packages.exists(), "`npm ci` in tests/conformance installs the players; `cargo xtask test` does it");
    let home = Home::start();
    let row = home.upload(&clips::short(), &["--title", "Conformance"]);
    assert_eq!(row["status"], "READY", "{row:#}");
    let url = |format: &str| home.site(row["playback"][format].as_str().unwrap());

    for format in ["hls", "cmaf", "dash"] {
        let streams = probe(&url(format), &["-show_entries", "stream=codec_name,height"]);
        assert!(streams.contains("codec_name=h264") && streams.contains("codec_name=aac"), "{format}: {streams}");
        for height in [360, 540, 720] {
            assert!(streams.contains(&format!("height={height}")), "{format}: {streams}");
        }
        // Picture and sound stay together over the whole clip.
        let (picture, sound) = (shown(&url(format), "v:0"), shown(&url(format), "a:0"));
        assert!(
            (picture.0 - sound.0).abs() < 0.04 && (picture.1 - sound.1).abs() < 0.04,
            "{format}: {picture:?} {sound:?}"
        );
        // No frame is lost or doubled: seven seconds at 30 a second.
        let frames = probe(
            &url(format),
            &["-count_packets", "-select_streams", "v:0", "-show_entries", "stream=nb_read_packets"],
        );
        assert_eq!(frames.lines().last(), Some("nb_read_packets=210"), "{format}");
    }

    // The transport stream segments of all rungs line up to the frame.
    let playlists = entries(&url("hls"));
    assert_eq!(playlists.len(), 3);
    let boundaries = |playlist: &String| -> Vec<(f64, f64)> {
        entries(playlist).iter().map(|segment| shown(segment, "v:0")).collect()
    };
    let first = boundaries(&playlists[0]);
    assert!(first.len() > 1);
    for playlist in &playlists[1..] {
        assert_eq!(boundaries(playlist), first, "{playlist}");
    }

    let manifest = home.data.path().join("index.mpd");
    std::fs::write(&manifest, get(&url("dash"), &[]).1).unwrap();
    let output = Command::new("xmllint").arg("--noout").arg(&manifest).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));

    let node = |script: &str, arguments: &[String]| {
        let output =
            Command::new("node").arg(root().join("tests/conformance").join(script)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{script}: {}", text(&output));
    };
    node("parse.mjs", &[url("cmaf")]);
    node("players.mjs", &["hls", "cmaf", "dash"].map(|format| format!("{format}={}", url(format))));
}
