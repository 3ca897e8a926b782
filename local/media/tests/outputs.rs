//! What jobs may ask for, made by real ffmpeg and looked at with ffprobe.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Home, ffprobe};

/// Four seconds, with sound.
const CLIP: &str = "-f lavfi -i testsrc2=s=320x180:r=30:d=4 -f lavfi -i sine=440:d=4 \
                    -c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p -c:a aac";

fn h264(changes: &Value) -> Value {
    let mut settings = json!({"rateControlMode": "QVBR", "qvbrSettings": {"qvbrQualityLevel": 7}, "maxBitrate": 1_000_000,
        "gopSize": 1, "gopSizeUnits": "SECONDS", "qualityTuningLevel": "SINGLE_PASS"});
    merge(&mut settings, changes);
    json!({"codec": "H_264", "h264Settings": settings})
}

fn aac() -> Value {
    json!({"codecSettings": {"codec": "AAC",
        "aacSettings": {"bitrate": 96_000, "sampleRate": 48_000, "codingMode": "CODING_MODE_2_0"}}})
}

fn merge(into: &mut Value, changes: &Value) {
    for (key, value) in changes.as_object().unwrap() {
        match into.get_mut(key) {
            Some(old) if old.is_object() && value.is_object() => merge(old, value),
            _ => into[key] = value.clone(),
        }
    }
}

/// A job with one group.
fn job(kind: &str, settings_name: &str, settings: &Value, outputs: &Value) -> Value {
    let mut group = json!({"destination": "s3://media/v/out"});
    merge(&mut group, settings);
    json!({
        "inputs": [{"fileInput": "s3://uploads/clip.mp4", "timecodeSource": "ZEROBASED",
            "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}}],
        "outputGroups": [{
            "outputGroupSettings": {"type": kind, settings_name: group},
            "outputs": outputs,
        }],
    })
}

fn cmaf(settings: &Value, outputs: &Value) -> Value {
    job("CMAF_GROUP_SETTINGS", "cmafGroupSettings", settings, outputs)
}

fn hls(settings: &Value, outputs: &Value) -> Value {
    job("HLS_GROUP_SETTINGS", "hlsGroupSettings", settings, outputs)
}

/// Lays a bucket's objects out as files, so that players can follow playlists.
fn lay_out(home: &Home) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for key in home.buckets.keys("media") {
        let path = folder.path().join(&key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(home.buckets.path("media", &key), path).unwrap();
    }
    folder
}

async fn complete(home: &Home, settings: &Value) -> tempfile::TempDir {
    let job = home.run(settings).await;
    assert_eq!(job["status"], "COMPLETE", "{job:#}");
    lay_out(home)
}

/// The value of an attribute or entry of ffprobe, for every line.
fn probe(arguments: &str, file: &Path) -> Vec<String> {
    let name = file.to_str().unwrap();
    let allow = if name.ends_with(".mpd") || name.ends_with(".m3u8") { "-allowed_extensions ALL" } else { "" };
    ffprobe(&format!("{allow} {arguments} -of csv=p=0"), file)
        .lines()
        .map(|line| line.trim_matches(',').to_owned())
        .collect()
}

/// The same of the file's streams, each once: for playlists ffprobe repeats them by program.
fn streams(entries: &str, file: &Path) -> Vec<String> {
    let mut streams = Vec::new();
    for stream in probe(&format!("-show_entries stream={entries}"), file) {
        if !stream.is_empty() && !streams.contains(&stream) {
            streams.push(stream);
        }
    }
    streams
}

/// How many frames decode, and how many seconds they last.
fn frames(file: &Path) -> (usize, f64) {
    let times = probe("-select_streams v:0 -show_entries frame=pts_time", file);
    let times: Vec<f64> = times.iter().filter_map(|time| time.split(',').next()?.parse().ok()).collect();
    (times.len(), times.last().unwrap() - times[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn cmaf_is_played_by_both_manifests() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", CLIP);
    let outputs = json!([
        {"nameModifier": "_180p", "containerSettings": {"container": "CMFC"},
            "videoDescription": {"codecSettings": h264(&json!({}))}},
        {"nameModifier": "_90p", "containerSettings": {"container": "CMFC"},
            "videoDescription": {"height": 90, "codecSettings": h264(&json!({}))}},
        {"nameModifier": "_audio", "containerSettings": {"container": "CMFC"}, "audioDescriptions": [
            {"codecSettings": aac()["codecSettings"], "languageCode": "FRA", "streamName": "Français"}]},
    ]);
    let settings = json!({"segmentLength": 2, "fragmentLength": 2, "codecSpecification": "RFC_6381"});
    let folder = complete(&home, &cmaf(&settings, &outputs)).await;
    let root = folder.path().join("v");
    let master = std::fs::read_to_string(root.join("out.m3u8")).unwrap();
    let media = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"program_audio\",NAME=\"Français\",LANGUAGE=\"fra\",DEFAULT=YES,\
                 AUTOSELECT=YES,CHANNELS=\"2\",URI=\"out_audio.m3u8\"";
    assert!(master.contains(media), "{master}");
    assert!(master.contains("mp4a.40.2\",RESOLUTION=320x180,FRAME-RATE=30.000,AUDIO=\"program_audio\"\nout_180p.m3u8"));
    let names =
        ["_180pinit.cmfv", "_180p_000000001.cmfv", "_180p_000000002.cmfv", "_audioinit.cmfa", "_audio_000000002.cmfa"];
    for name in names {
        assert!(root.join(format!("out{name}")).exists(), "{name}");
    }
    let init = std::fs::read(root.join("out_90pinit.cmfv")).unwrap();
    assert!(init[8..24].windows(4).any(|brand| brand == b"cmfc"));
    assert_eq!(streams("codec_name,width", &root.join("out.mpd")), ["h264,320", "h264,160", "aac"]);
    for rung in ["180p", "90p"] {
        let (count, length) = frames(&root.join(format!("out_{rung}.m3u8")));
        assert_eq!(count, 120, "{rung}");
        assert!((length - 119.0 / 30.0).abs() < 0.001, "{rung} {length}");
    }
    let event = home.last_event("COMPLETE").detail["outputGroupDetails"][0].clone();
    assert_eq!(event["type"], "CMAF_GROUP");
    assert_eq!(event["playlistFilePaths"], json!(["s3://media/v/out.mpd", "s3://media/v/out.m3u8"]));
    assert_eq!(event["outputDetails"][0]["outputFilePaths"], json!(["s3://media/v/out_180p.m3u8"]));
    assert_eq!(event["outputDetails"][2]["durationInMs"].as_u64().unwrap().abs_diff(4000) / 50, 0);

    // The same as one file a track.
    let settings = json!({"segmentLength": 2, "segmentControl": "SINGLE_FILE", "destination": "s3://media/single/out"});
    let folder = complete(&home, &cmaf(&settings, &outputs)).await;
    let root = folder.path().join("single");
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 3 + 3 + 2);
    assert_eq!(frames(&root.join("out_180p.m3u8")).0, 120);
    assert_eq!(frames(&root.join("out_180p.cmfv")).0, 120);
    let manifest = std::fs::read_to_string(root.join("out.mpd")).unwrap();
    assert!(
        manifest.contains("<BaseURL>out_90p.cmfv</BaseURL>") && manifest.matches("<SegmentURL mediaRange").count() >= 6
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_alone_is_published() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", "-f lavfi -i sine=440:d=4 -c:a aac");
    let rung = |modifier: &str, container: &str, bitrate: u32| {
        let mut audio = aac();
        audio["codecSettings"]["aacSettings"]["bitrate"] = json!(bitrate);
        json!({"nameModifier": modifier, "containerSettings": {"container": container}, "audioDescriptions": [audio]})
    };
    let outputs = json!([rung("_64k", "CMFC", 64_000), rung("_128k", "CMFC", 128_000)]);
    let folder = complete(&home, &cmaf(&json!({"segmentLength": 2}), &outputs)).await;
    let root = folder.path().join("v");
    let master = std::fs::read_to_string(root.join("out.m3u8")).unwrap();
    assert_eq!(master.matches("#EXT-X-STREAM-INF").count(), 2, "{master}");
    assert!(!master.contains("EXT-X-MEDIA:"), "{master}");
    let manifest = std::fs::read_to_string(root.join("out.mpd")).unwrap();
    assert_eq!(manifest.matches("<AdaptationSet").count(), 1, "both rates can be switched among: {manifest}");
    assert_eq!(streams("codec_name", &root.join("out_128k.m3u8")), ["aac"]);

    let outputs = json!([rung("_64k", "M3U8", 64_000)]);
    let settings = json!({"segmentLength": 2, "destination": "s3://media/packed/out"});
    let folder = complete(&home, &hls(&settings, &outputs)).await;
    let first = std::fs::read(folder.path().join("packed/out_64k_00001.aac")).unwrap();
    assert!(first.starts_with(b"ID3\x04"));
    let playlist = folder.path().join("packed/out_64k.m3u8");
    let packets = probe("-show_entries packet=pts_time", &playlist).len();
    assert!(packets.abs_diff(4 * 48_000 / 1024) <= 4, "{packets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_sounds_stand_beside_the_picture_on_one_clock() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", CLIP);
    let outputs = json!([
        {"nameModifier": "_v", "containerSettings": {"container": "M3U8"},
            "outputSettings": {"hlsSettings": {"audioRenditionSets": "a"}},
            "videoDescription": {"codecSettings": h264(&json!({"numberBFramesBetweenReferenceFrames": 2}))}},
        {"nameModifier": "_ts", "containerSettings": {"container": "M3U8"}, "audioDescriptions": [aac()],
            "outputSettings": {"hlsSettings": {"audioGroupId": "a", "audioOnlyContainer": "M2TS",
                "audioTrackType": "ALTERNATE_AUDIO_AUTO_SELECT"}}},
        {"nameModifier": "_low", "containerSettings": {"container": "M3U8"}, "audioDescriptions": [aac()],
            "outputSettings": {"hlsSettings": {"audioGroupId": "a", "audioTrackType": "AUDIO_ONLY_VARIANT_STREAM"}}},
    ]);
    let folder = complete(&home, &hls(&json!({"segmentLength": 2}), &outputs)).await;
    let root = folder.path().join("v");
    let master = std::fs::read_to_string(root.join("out.m3u8")).unwrap();
    assert!(master.contains("GROUP-ID=\"a\",NAME=\"_ts\",DEFAULT=NO,AUTOSELECT=YES"), "{master}");
    assert!(
        master.contains("AUDIO=\"a\"\nout_v.m3u8") && master.contains("CODECS=\"mp4a.40.2\"\nout_low.m3u8"),
        "{master}"
    );
    let start = |name: &str| -> f64 {
        let times = probe("-show_entries packet=pts_time", &root.join(name));
        times.iter().find_map(|time| time.parse().ok()).unwrap()
    };
    // The encoder's first samples come before the first picture.
    let (picture, sound) = (start("out_v_00001.ts"), start("out_ts_00001.ts"));
    assert!((picture - sound - 1024.0 / 48_000.0).abs() < 0.002, "{picture} {sound}");
    let tag = std::fs::read(root.join("out_low_00001.aac")).unwrap();
    let ticks = u64::from_be_bytes(*tag[65..].first_chunk().unwrap());
    #[expect(clippy::cast_precision_loss, reason = "33 bits")]
    let stamped = ticks as f64 / 90_000.0;
    assert!((stamped - sound).abs() < 0.002, "{stamped} {sound}");
}
