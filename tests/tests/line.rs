//! One home, many videos: what becomes of good, odd and bad uploads.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, sync::OnceLock};

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

/// The storyboard has a picture for each second, and its sheets are there.
#[track_caller]
fn storyboard_shows(home: &Home, row: &Value, pictures: usize) {
    let path = row["storyboard"].as_str().unwrap_or_else(|| panic!("no storyboard in {row:#}"));
    let (status, body) = get(&home.site(path), &[]);
    let text = String::from_utf8(body).unwrap();
    assert_eq!((status, text.lines().next()), (200, Some("WEBVTT")), "{text}");
    let cues: Vec<_> = text.lines().filter_map(|line| line.split_once("#xywh=")).collect();
    assert_eq!(cues.len(), pictures, "{text}");
    let folder = path.rsplit_once('/').unwrap().0;
    for (sheet, _) in cues {
        let (status, body) = get(&home.site(&format!("{folder}/{sheet}")), &[]);
        assert_eq!((status, &body[..3]), (200, &[0xff, 0xd8, 0xff][..]), "{sheet} is a JPEG");
    }
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

    // DASH and CMAF are packaged just in time as well, and were played from too.
    for format in ["hls", "dash", "cmaf"] {
        let path = row["playback"][format].as_str().unwrap_or_else(|| panic!("{format} in {row:#}"));
        assert!(path.starts_with("/v/"), "{path}");
        assert_eq!(get(&home.site(path), &[]).0, 200, "{path}");
        let manifests = row["receipt"]["manifests"].as_array().unwrap();
        let seen = manifests.iter().find(|seen| seen["format"] == format).unwrap_or_else(|| panic!("{row:#}"));
        assert_eq!((&seen["renditions"], seen["path"].as_str()), (&3.into(), Some(path)));
    }
    storyboard_shows(home, &row, 7);

    // What is not packaged is served from the media bucket.
    for path in [&row["poster"], &row["playback"]["mp4"]] {
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
        "ChoosePackaging",
        "TranscodeAndPrepareDelivery",
        "StartJob",
        "EnsurePackagingGroup",
        "AttachOrigin",
        "IngestAsset",
        "VerifyAndMakeStoryboard",
        "VerifyPlayback",
        "MakeStoryboard",
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
    failed(&home.upload(&clips::truncated(), &[]), "Vod.UnsupportedSource");
    let empty = home.upload(&clips::empty(), &[]);
    assert_eq!(failed(&empty, "Vod.UnsupportedSource")["error"]["state"], "ProbeSource");
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

/// What the parent playlist says of its first rendition.
fn stream_inf(home: &Home, path: &str) -> String {
    let (status, body) = get(&home.site(path), &[]);
    assert_eq!(status, 200, "{path}");
    let text = String::from_utf8(body).unwrap();
    text.lines().find(|line| line.starts_with("#EXT-X-STREAM-INF:")).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn real_sources_are_published_as_a_viewer_expects_them() {
    let check = |clip: &Path, size: (u64, u64), channels: &[u64], has_sound: bool| {
        let home = home();
        let row = home.upload(clip, &[]);
        let video = &ready(&row)["facts"]["video"];
        assert_eq!((&video["displayWidth"], &video["displayHeight"]), (&size.0.into(), &size.1.into()), "{row:#}");
        let tracks = row["facts"]["audio"].as_array().unwrap();
        assert_eq!(tracks.iter().map(|track| track["channels"].as_u64().unwrap()).collect::<Vec<_>>(), channels);
        // The one rung is as large as the source is shown, and the receipt has seen it in all formats.
        let rendition = &row["renditions"][0];
        assert_eq!((&rendition["width"], &rendition["height"]), (&size.0.into(), &size.1.into()), "{row:#}");
        assert_eq!(row["receipt"]["renditions"][0]["resolution"], format!("{}x{}", size.0, size.1));
        assert_eq!(row["receipt"]["manifests"].as_array().unwrap().len(), 3);
        let stream = stream_inf(home, row["playback"]["hls"].as_str().unwrap());
        assert!(stream.contains(&format!("RESOLUTION={}x{}", size.0, size.1)), "{stream}");
        assert_eq!(stream.contains("mp4a.40.2"), has_sound, "{stream}");
        storyboard_shows(home, &row, 2);
    };
    check(&clips::portrait(), (360, 640), &[], false);
    check(&clips::silent(), (640, 360), &[], false);
    check(&clips::surround(), (640, 360), &[6], true);
    check(&clips::two_languages(), (640, 360), &[1, 1], true);
}

#[test]
fn what_the_job_packages_is_served_as_it_is() {
    let home = Home::start_with_parameters(&["Packaging=direct"]);
    let row = home.upload(&clips::tiny(), &[]);
    let playback = &ready(&row)["playback"];
    assert_eq!((&playback["hls"], &row["endpoint"], &row["domainName"]), (&Value::Null, &Value::Null, &Value::Null));
    for format in ["cmaf", "dash"] {
        let path = playback[format].as_str().unwrap_or_else(|| panic!("{format} in {row:#}"));
        assert!(path.starts_with(&format!("/media/{}/cmaf/", row["videoId"].as_str().unwrap())), "{path}");
    }
    assert_eq!(row["receipt"]["manifests"][0]["audioTracks"], 1, "{row:#}");
    let run = home.print(&["run", row["videoId"].as_str().unwrap()]);
    assert!(run.contains("StartDirectJob") && !run.contains("IngestAsset"), "{run}");
    storyboard_shows(&home, &row, 2);
}

#[test]
fn sound_alone_is_published_directly_whatever_packages_the_rest() {
    let home = home();
    let row = home.upload(&clips::audio_only(), &[]);
    assert_eq!(ready(&row)["facts"].get("video"), None);
    let names: Vec<_> = row["renditions"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["64k", "128k", "192k"]);
    assert_eq!((&row["poster"], &row["storyboard"]), (&Value::Null, &Value::Null));
    assert_eq!(row["receipt"]["renditions"].as_array().unwrap().len(), 3);
    let stream = stream_inf(home, row["playback"]["cmaf"].as_str().unwrap());
    assert!(stream.contains("mp4a.40.2") && !stream.contains("RESOLUTION"), "{stream}");
}
