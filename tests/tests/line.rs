//! One home, many videos: what becomes of good, odd and bad uploads.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use vodline_tests::{Home, clips, get};

/// The tests of this file share a home, as a team's videos do.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(Home::start)
}

#[track_caller]
fn ready(row: &Value) -> &Value {
    assert_eq!(row["status"], "READY", "{row:#}");
    row
}

#[track_caller]
fn failed<'a>(row: &'a Value, code: &str) -> &'a Value {
    assert_eq!((&row["status"], &row["error"]["code"]), (&"FAILED".into(), &code.into()), "{row:#}");
    row
}

/// Splits an `https://host/path` address.
fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("https://").unwrap();
    let slash = rest.find('/').unwrap();
    (&rest[..slash], &rest[slash..])
}

#[test]
fn a_video_goes_through_every_step_and_plays() {
    let home = home();
    let row = home.upload(&clips::short(), &["--title", "Grüße & <b>\"more\"</b> 🎬"]);
    ready(&row);
    assert_eq!(row["title"], "Grüße & <b>\"more\"</b> 🎬");
    let heights: Vec<_> = row["renditions"].as_array().unwrap().iter().map(|r| r["height"].as_u64().unwrap()).collect();
    assert_eq!(heights, [360, 540, 720]);
    assert_eq!(row["receipt"]["renditions"].as_array().unwrap().len(), 3);

    // The packager is closed to everyone but the distribution.
    let (host, path) = host_and_path(row["endpoint"].as_str().unwrap());
    assert!(host.ends_with(".egress.mediapackage-vod.us-east-1.amazonaws.com"), "{host}");
    let direct = format!("{}{path}", home.endpoint());
    let closed = |headers: &[(&str, &str)]| get(&direct, &[&[("host", host)], headers].concat()).0;
    assert_eq!(closed(&[]), 403);
    assert_eq!(closed(&[("x-mediapackage-cdnidentifier", "0123456789")]), 403);
    let hls = row["playback"]["hls"].as_str().unwrap();
    let (status, master) = get(&home.site(hls), &[]);
    assert_eq!(status, 200);
    assert!(String::from_utf8(master).unwrap().contains("RESOLUTION=1280x720"));
    // A viewer's own header opens nothing.
    assert_eq!(get(&home.site("/v/media/x"), &[("x-mediapackage-cdnidentifier", "guess")]).0, 404);

    // What is not packaged is served from the media bucket.
    for path in [&row["poster"], &row["playback"]["mp4"], &row["playback"]["dash"]] {
        let path = path.as_str().unwrap_or_else(|| panic!("{row:#}"));
        let (status, body) = get(&home.site(path), &[("range", "bytes=0-99")]);
        assert_eq!((status, body.len()), (206, 100), "{path}");
    }

    let id = row["videoId"].as_str().unwrap();
    let run = home.print(&["run", id]);
    let entered: Vec<_> = run.lines().filter_map(|line| line.split("  ").next()).collect();
    for state in [
        "AdmitUpload",
        "ProbeSource",
        "TranscodeAndPrepareDelivery",
        "StartJob",
        "EnsurePackagingGroup",
        "AttachOrigin",
        "IngestAsset",
        "VerifyPlayback",
        "RecordCatalog",
    ] {
        assert!(entered.contains(&state), "{state} in {run}");
    }
    assert!(home.print(&["videos"]).contains(id));
    let log = home.print(&["logs", "start-job", "--filter", "REPORT"]);
    assert!(log.contains("Billed Duration"), "{log}");
    // The CDN's secret is in no log and on no row.
    assert!(!log.contains("MediaPackageCDNIdentifier"));
}

#[test]
fn what_cannot_be_published_ends_in_a_row_that_says_why() {
    let home = home();
    failed(&home.upload(&clips::text(), &[]), "Vod.UnsupportedSource");
    failed(&home.upload(&clips::empty(), &[]), "Vod.UnsupportedSource");
    failed(&home.upload(&clips::truncated(), &[]), "Vod.UnsupportedSource");
    let audio = home.upload(&clips::audio_only(), &[]);
    assert_eq!(failed(&audio, "Vod.UnsupportedSource")["error"]["state"], "ProbeSource");
    // The row is in the catalogue too, and the run can be read.
    let listed = home.print(&["videos", "--limit", "100"]);
    assert!(listed.contains("FAILED Vod.UnsupportedSource"), "{listed}");
    assert!(home.print(&["runs", "--status", "failed"]).contains("FAILED"));
}

#[test]
fn odd_names_are_only_names() {
    let home = home();
    for key in [
        "a b/c d.mp4",
        "plus+and%20percent%.mp4",
        "quotes'\"`.mp4",
        "emoji 🎬 é.mp4",
        "..dots...mp4",
        "no-suffix",
        "a/../b.mp4",
        "ends with space .mp4",
    ] {
        let row = home.upload(&clips::tiny(), &["--key", key]);
        assert_eq!(ready(&row)["source"]["key"], key);
    }
}

#[test]
fn uploads_never_overwrite_each_other() {
    let home = home();
    let folder = TempDir::new().unwrap();
    let file = clips::renamed(&clips::tiny(), folder.path(), "same.mp4");
    let rows = [
        home.upload(&file, &["--key", "one/same.mp4"]),
        home.upload(&file, &["--key", "two/same.mp4"]),
        home.upload(&file, &["--key", "two/same.mp4"]),
    ];
    let mut addresses: Vec<_> = rows.iter().map(|row| ready(row)["playback"]["mp4"].to_string()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    for row in &rows {
        let hls = row["playback"]["hls"].as_str().unwrap();
        assert_eq!(get(&home.site(hls), &[]).0, 200);
    }
}

#[test]
fn a_silent_video_is_a_video() {
    let row = home().upload(&clips::silent(), &[]);
    assert_eq!(ready(&row)["facts"]["audio"], serde_json::json!([]));
}
