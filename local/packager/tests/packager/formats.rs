//! What the packages give out, of one and the same source.

use http::StatusCode;
use serde_json::json;

use crate::{
    home::Home,
    media::{check_playable, make_source, probe},
};

const IDENTIFIER: Option<&str> = Some("11111111-2222-3333");

/// A home with the usual source and one configuration; gives the manifest's address.
async fn packaged(package: &str, settings: serde_json::Value) -> (Home, String) {
    let home = Home::new();
    make_source(&home.source_directory());
    home.group().await;
    home.package("it", package, settings).await;
    let url = home.play("clip.m3u8").await["it"].clone();
    (home, url)
}

#[tokio::test]
async fn cmaf_is_played_and_gives_key_frames() {
    let settings = json!({ "segmentDurationSeconds": 2, "hlsManifests": [{ "includeIframeOnlyStream": true }] });
    let (home, url) = packaged("cmafPackage", settings).await;
    let parent = home.text(&url).await;
    assert!(parent.contains("TYPE=AUDIO") && parent.contains("URI=\"index_3.m3u8\""), "{parent}");
    assert!(parent.contains("#EXT-X-I-FRAME-STREAM-INF:") && parent.contains("#EXT-X-VERSION:7"), "{parent}");
    let playlist = home.download(&url, "cmaf").await;
    check_playable(&playlist);
    let (_, headers, _) = home.fetch(&url.replace("index.m3u8", "index_1_0.mp4"), IDENTIFIER).await;
    assert_eq!(headers["content-type"], "video/mp4");

    let downloads = playlist.parent().unwrap();
    let whole = ["index_1_init.mp4", "index_1_iframes_4.mp4"].map(|name| std::fs::read(downloads.join(name)).unwrap());
    std::fs::write(downloads.join("key_frame.mp4"), whole.concat()).unwrap();
    let frame = probe(&["-show_entries", "frame=pict_type,pkt_pts_time,pts_time"], &downloads.join("key_frame.mp4"));
    assert_eq!(frame.matches("pict_type=").count(), 1, "{frame}");
    assert!(frame.contains("pict_type=I") && frame.contains("pts_time=4.0"), "{frame}");
}

#[tokio::test]
async fn hls_gives_its_sound_in_a_group_of_its_own() {
    let settings = json!({
        "segmentDurationSeconds": 2,
        "useAudioRenditionGroup": true,
        "hlsManifests": [{ "includeIframeOnlyStream": true, "programDateTimeIntervalSeconds": 3 }],
    });
    let (home, url) = packaged("hlsPackage", settings).await;
    let parent = home.text(&url).await;
    assert!(parent.contains("TYPE=AUDIO,GROUP-ID=\"audio\"") && parent.contains(",AUDIO=\"audio\""), "{parent}");
    let playlist = home.download(&url, "hls").await;
    check_playable(&playlist);
    let downloads = playlist.parent().unwrap();
    let streams = |name: &str| probe(&["-show_entries", "stream=codec_type"], &downloads.join(name));
    assert!(!streams("index_1_0.ts").contains("audio") && !streams("index_1_iframes_3.ts").contains("audio"));
    assert!(!streams("index_3_0.ts").contains("video"));
    let media = home.text(&url.replace("index.m3u8", "index_1.m3u8")).await;
    assert_eq!(media.matches("#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:0").count(), 2, "{media}");
}

async fn check_dash(settings: serde_json::Value, words: &[&str]) {
    let (home, url) = packaged("dashPackage", settings).await;
    let manifest = home.text(&url).await;
    for words in words {
        assert!(manifest.contains(words), "{words}: {manifest}");
    }
    check_playable(&home.download(&url, "dash").await);
    let (_, headers, _) = home.fetch(&url, IDENTIFIER).await;
    assert_eq!(headers["content-type"], "application/dash+xml");
    for missing in ["index_1_3.mp4", "index_1_0.ts", "index_4_init.mp4", "index_1.m3u8", "index_1_t1.mp4"] {
        let (status, ..) = home.fetch(&url.replace("index.mpd", missing), IDENTIFIER).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn dash_addresses_segments_in_every_way() {
    check_dash(
        json!({ "segmentDurationSeconds": 2, "dashManifests": [{ "minBufferTimeSeconds": 4 }] }),
        &["frameRate=\"30000/1001\"", "minBufferTime=\"PT4S\"", "$Number$", "<SegmentTimeline>"],
    )
    .await;
    check_dash(
        json!({
            "segmentDurationSeconds": 2, "segmentTemplateFormat": "TIME_WITH_TIMELINE", "includeIframeOnlyStream": true,
            "dashManifests": [{ "manifestLayout": "COMPACT" }],
        }),
        &["index_$RepresentationID$_t$Time$.mp4", "http://dashif.org/guidelines/trickmode"],
    )
    .await;
    check_dash(
        json!({
            "segmentDurationSeconds": 2, "segmentTemplateFormat": "NUMBER_WITH_DURATION",
            "dashManifests": [{ "manifestLayout": "FULL" }],
        }),
        &["index_1_$Number$.mp4", " duration=\"180180\"/>"],
    )
    .await;
}

#[tokio::test]
async fn a_manifest_is_filtered_by_its_query() {
    let settings = json!({ "segmentDurationSeconds": 2, "hlsManifests": [{ "includeIframeOnlyStream": true }] });
    let (home, url) = packaged("cmafPackage", settings).await;
    let filtered = async |filter: &str| {
        let (status, headers, body) = home.fetch(&format!("{url}?aws.manifestfilter={filter}"), IDENTIFIER).await;
        (status, headers.get("etag").cloned(), String::from_utf8(body).unwrap())
    };
    let (status, tag, small) = filtered("video_height:1-240").await;
    assert_eq!(status, StatusCode::OK);
    assert!(small.contains("320x180") && !small.contains("640x360") && small.contains("TYPE=AUDIO"), "{small}");
    let (_, other_tag, silent) = filtered("audio_codec%3AEC-3%3Btrickplay_type%3Anone").await;
    assert!(!silent.contains("AUDIO") && !silent.contains("I-FRAME") && silent.contains("640x360"), "{silent}");
    assert!(tag.is_some() && tag != other_tag);
    for bad in ["video_height:9-1", "donut_type:rhododendron", "video_codec:h265;audio_codec:ac-3"] {
        assert_eq!(filtered(bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    for name in ["index_1.m3u8", "index_1_0.mp4"] {
        let url = url.replace("index.m3u8", name);
        let (status, ..) = home.fetch(&format!("{url}?aws.manifestfilter=video_codec:h264"), IDENTIFIER).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(home.fetch(&format!("{url}?m=1"), IDENTIFIER).await.0, StatusCode::OK);
    }
}
