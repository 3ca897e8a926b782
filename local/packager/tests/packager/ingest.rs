//! From a source to a playable asset.

use std::{collections::BTreeMap, path::Path};

use http::StatusCode;
use serde_json::json;

use crate::{
    home::{Home, asset_request, open},
    media::{make_source, probe},
};

#[tokio::test]
async fn a_video_is_ingested_and_played_from_the_egress() {
    let home = Home::new();
    make_source(&home.source_directory());
    let group = home.group().await;
    let domain = group["domainName"].as_str().unwrap();
    assert!(domain.starts_with("https://") && domain.ends_with(".egress.mediapackage-vod.us-east-1.amazonaws.com"));
    home.configuration("hls-2s", 2).await;
    let created = home.asset("clip").await;
    assert_eq!(created["egressEndpoints"][0]["status"], "QUEUED");

    let asset = home.ingested("clip").await;
    let url = asset["egressEndpoints"][0]["url"].as_str().unwrap();
    assert_eq!(asset["egressEndpoints"][0]["status"], "PLAYABLE");
    assert_eq!(home.told(), ["IngestStart", "IngestComplete", "VodAssetPlayable"]);
    let playable = home.bus.events.lock().unwrap()[2].clone();
    assert_eq!(
        playable.resources,
        [
            "arn:aws:mediapackage-vod:us-east-1:000000000000:assets/clip",
            "arn:aws:mediapackage-vod:us-east-1:000000000000:packaging-configurations/hls-2s"
        ]
    );
    assert_eq!(playable.detail["manifest_urls"], json!([url]));
    assert_eq!(playable.detail["packaging_configuration_id"], "hls-2s");

    for wrong in [None, Some("11111111-2222-3334"), Some("")] {
        assert_eq!(home.fetch(url, wrong).await.0, StatusCode::FORBIDDEN);
    }

    let parent = String::from_utf8(home.get(url).await).unwrap();
    assert!(parent.contains("RESOLUTION=640x360,FRAME-RATE=29.970"), "{parent}");
    assert!(parent.contains("RESOLUTION=320x180") && parent.contains("mp4a.40.2"), "{parent}");
    assert!(parent.contains("#EXT-X-I-FRAME-STREAM-INF:"), "{parent}");
    let media = String::from_utf8(home.get(&url.replace("index.m3u8", "index_1.m3u8")).await).unwrap();
    let durations: Vec<f64> =
        media.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse().ok()).collect();
    assert_eq!(durations.len(), 3, "{media}");
    assert!((durations[0] - 60.0 * 1001.0 / 30000.0).abs() < 1e-4, "{media}");
    // 6 s at 29.97 frames per second are 180 frames.
    assert!((durations.iter().sum::<f64>() - 180.0 * 1001.0 / 30000.0).abs() < 1e-3, "{media}");

    let (_, headers, segment) =
        home.fetch(&url.replace("index.m3u8", "index_1_0.ts"), Some("11111111-2222-3333")).await;
    assert_eq!(headers["content-type"], "video/mp2t");
    assert_eq!(headers["last-modified"], "Fri, 02 Jan 2026 03:04:05 GMT");
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable") && headers.contains_key("etag"));
    let sources =
        ["clip_0_00000.ts", "clip_0_00001.ts"].map(|name| std::fs::read(home.source_directory().join(name)).unwrap());
    assert_eq!(segment, sources.concat());

    let playlist = home.download(url, "downloads").await;
    let downloads = playlist.parent().unwrap();
    let streams = probe(&["-show_entries", "stream=codec_name,width"], &playlist);
    assert!(
        streams.contains("width=640") && streams.contains("width=320") && streams.contains("codec_name=aac"),
        "{streams}"
    );
    let frames = probe(
        &["-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"],
        &downloads.join("index_1.m3u8"),
    );
    assert_eq!(frames.lines().last(), Some("nb_read_frames=180"));

    // Every entry of the key frame playlist decodes on its own to one key frame.
    let key_frames = String::from_utf8(home.get(&url.replace("index.m3u8", "index_1_iframes.m3u8")).await).unwrap();
    assert_eq!(key_frames.matches("index_1_iframes_").count(), 6, "{key_frames}");
    let frame = downloads.join("key_frame.ts");
    std::fs::write(&frame, home.get(&url.replace("index.m3u8", "index_1_iframes_1.ts")).await).unwrap();
    let types = probe(&["-select_streams", "v", "-show_entries", "frame=pict_type"], &frame);
    assert_eq!(types.trim(), "pict_type=I");

    for missing in ["index_9.m3u8", "index_1_9.ts", "index_1_0.vtt", "other.m3u8", ""] {
        let (status, ..) = home.fetch(&url.replace("index.m3u8", missing), Some("11111111-2222-3333")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn counters_that_start_over_in_each_segment_are_made_to_run_on() {
    let home = Home::new();
    let directory = home.source_directory();
    make_source(&directory);
    // A source whose every segment counts from zero, as some packagers write it.
    for index in 0..6 {
        let path = directory.join(format!("clip_0_{index:05}.ts"));
        let mut bytes = std::fs::read(&path).unwrap();
        let mut seen: BTreeMap<[u8; 2], u8> = BTreeMap::new();
        for packet in bytes.chunks_mut(188).filter(|packet| packet[3] & 0x10 != 0) {
            let counter = seen.entry([packet[1] & 0x1f, packet[2]]).or_default();
            packet[3] = packet[3] & 0xf0 | *counter;
            *counter = (*counter + 1) & 0x0f;
        }
        std::fs::write(path, bytes).unwrap();
    }
    home.group().await;
    home.configuration("hls", 3).await;
    home.asset("clip").await;
    let asset = home.ingested("clip").await;
    let url = asset["egressEndpoints"][0]["url"].as_str().unwrap();
    let mut whole = Vec::new();
    for index in 0..2 {
        whole.extend(home.get(&url.replace("index.m3u8", &format!("index_1_{index}.ts"))).await);
    }
    let mut last: BTreeMap<[u8; 2], u8> = BTreeMap::new();
    for packet in whole.chunks(188).filter(|packet| packet[3] & 0x10 != 0) {
        let counter = packet[3] & 0x0f;
        if let Some(before) = last.insert([packet[1] & 0x1f, packet[2]], counter) {
            assert_eq!(counter, (before + 1) & 0x0f);
        }
    }
}

#[tokio::test]
async fn an_unfinished_ingest_goes_on_after_a_restart() {
    let mut home = Home::new();
    make_source(&home.source_directory());
    home.group().await;
    home.configuration("hls", 6).await;
    home.asset("clip").await;
    home.packager = open(home.directory.path(), &home.bus);
    let asset = home.ingested("clip").await;
    assert_eq!(asset["egressEndpoints"][0]["status"], "PLAYABLE");

    // A configuration that is added later applies to the assets that are there.
    home.packager = open(home.directory.path(), &home.bus);
    home.configuration("another", 1).await;
    let asset = home.ingested("clip").await;
    assert_eq!(asset["egressEndpoints"].as_array().unwrap().len(), 2);
    assert_eq!(home.told(), ["IngestStart", "IngestComplete", "VodAssetPlayable", "VodAssetPlayable"]);
}

async fn check_ingest_error(prepare: impl FnOnce(&Path), role: &str, words: &str) {
    let home = Home::new();
    prepare(&home.source_directory());
    home.group().await;
    home.configuration("hls", 6).await;
    home.post("/assets", asset_request("clip", role)).await;
    let asset = home.ingested("clip").await;
    assert_eq!(asset["egressEndpoints"][0]["status"], "FAILED");
    let event = home.bus.events.lock().unwrap().last().unwrap().clone();
    assert_eq!(event.detail["event"], "IngestError");
    let message = event.detail["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    let url = asset["egressEndpoints"][0]["url"].as_str().unwrap();
    assert_eq!(home.fetch(url, Some("11111111-2222-3333")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_source_that_cannot_be_used_fails_the_asset_and_says_why() {
    check_ingest_error(|_| {}, "reader", "clip.m3u8: no such key").await;
    check_ingest_error(make_source, "stranger", "s3:GetObject").await;
    check_ingest_error(
        |directory| {
            make_source(directory);
            std::fs::write(directory.join("clip_1_00003.ts"), b"<html>not found</html>").unwrap();
        },
        "reader",
        "clip_1_00003.ts cannot be used: it is not a transport stream",
    )
    .await;
    check_ingest_error(
        |directory| {
            make_source(directory);
            let playlist = directory.join("clip_1.m3u8");
            let text = std::fs::read_to_string(&playlist).unwrap();
            let (head, _) = text.split_once("clip_1_00005.ts").unwrap();
            let head = head.rsplit_once("#EXTINF").unwrap().0;
            std::fs::write(playlist, format!("{head}#EXT-X-ENDLIST\n")).unwrap();
        },
        "reader",
        "segment 6 of v/clip_1.m3u8",
    )
    .await;
}
