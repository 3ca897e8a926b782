//! Pictures for winding, made by real ffmpeg and looked at pixel by pixel.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use support::{Home, ffprobe};

/// Four seconds, each of one gray, lighter than the last; and sound.
const CLIP: &str = "-f lavfi -i color=black:s=320x180:r=30:d=4,geq=lum='20+60*floor(T)':cb=128:cr=128 \
                    -f lavfi -i sine=440:d=4 -c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p -c:a aac";

/// What of `CLIP`'s grays is seen in an image, whose range is full.
const GRAYS: [u8; 4] = [5, 75, 144, 214];

fn output(modifier: &str, container: &str, height: u32, sound: bool) -> Value {
    let mut output = json!({"nameModifier": modifier, "containerSettings": {"container": container},
        "videoDescription": {"height": height, "codecSettings": {"codec": "H_264", "h264Settings": {
            "rateControlMode": "QVBR", "maxBitrate": 1_000_000, "gopSize": 1, "gopSizeUnits": "SECONDS",
            "qualityTuningLevel": "SINGLE_PASS"}}}});
    if sound {
        output["audioDescriptions"] = json!([{"codecSettings": {"codec": "AAC",
            "aacSettings": {"bitrate": 96_000, "sampleRate": 48_000, "codingMode": "CODING_MODE_2_0"}}}]);
    }
    output
}

/// Asks for a playlist of an output's key frames.
fn with_key_frames(mut output: Value) -> Value {
    match output["containerSettings"]["container"].as_str() {
        Some("CMFC") => output["containerSettings"]["cmfcSettings"] = json!({"iFrameOnlyManifest": "INCLUDE"}),
        _ => output["outputSettings"] = json!({"hlsSettings": {"iFrameOnlyManifest": "INCLUDE"}}),
    }
    output
}

/// The bytes of `8@16` of a file.
fn ranged(file: &Path, range: &str) -> Vec<u8> {
    let (length, offset) = range.split_once('@').unwrap();
    let (length, offset): (usize, usize) = (length.parse().unwrap(), offset.parse().unwrap());
    std::fs::read(file).unwrap()[offset..offset + length].to_vec()
}

/// The gray in the middle of each key frame of a playlist. They are read as players do, each by itself: ffmpeg reads on to the
/// frames that follow in a fragment.
fn key_frames(home: &Home, group: &str, playlist: &str) -> Vec<u8> {
    let file = |name: &str| home.buckets.path("media", &format!("{group}/{name}"));
    let map = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")).unwrap();
    let (name, range) = map.trim_end_matches('"').split_once("\",BYTERANGE=\"").unwrap();
    let init = ranged(&file(name), range);
    let lines: Vec<_> = playlist.lines().collect();
    let ranges = lines.windows(2).filter_map(|pair| Some((pair[0].strip_prefix("#EXT-X-BYTERANGE:")?, pair[1])));
    let folder = tempfile::tempdir().unwrap();
    ranges
        .map(|(range, name)| {
            let alone = folder.path().join("alone");
            std::fs::write(&alone, [init.clone(), ranged(&file(name), range)].concat()).unwrap();
            let decoded = Command::new("ffmpeg")
                .args(["-v", "quiet", "-nostdin", "-f", if group == "hls" { "mpegts" } else { "mov" }, "-i"])
                .arg(&alone)
                .args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
                .output()
                .unwrap();
            assert_eq!(decoded.stdout.len(), 320 * 180, "{range}");
            decoded.stdout[90 * 320 + 160]
        })
        .collect()
}

/// The gray in the middle of each picture of a tile, row by row.
fn grays(image: &Path, (width, height): (usize, usize), (columns, rows): (usize, usize)) -> Vec<u8> {
    let size = ffprobe("-show_entries stream=codec_name,width,height -of csv=p=0", image);
    assert_eq!(size.trim(), format!("mjpeg,{},{}", width * columns, height * rows));
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(image)
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
        .output()
        .unwrap();
    let pixel = |column: usize, row: usize| {
        decoded.stdout[(row * height + height / 2) * width * columns + column * width + width / 2]
    };
    (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))).map(|(c, r)| pixel(c, r)).collect()
}

fn assert_alike(made: &[u8], expected: &[u8]) {
    assert_eq!(made.len(), expected.len());
    assert!(made.iter().zip(expected).all(|(made, expected)| made.abs_diff(*expected) <= 6), "{made:?} {expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_for_winding_show_what_is_there_at_their_time() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", CLIP);
    let job = home
        .run(&json!({
            "inputs": [{"fileInput": "s3://uploads/clip.mp4", "timecodeSource": "ZEROBASED",
                "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}}],
            "outputGroups": [
                {"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
                    "destination": "s3://media/hls/out", "segmentLength": 2,
                    "imageBasedTrickPlay": "THUMBNAIL_AND_FULLFRAME"}},
                 "outputs": [with_key_frames(output("_180p", "M3U8", 180, true)), output("_90p", "M3U8", 90, true)]},
                {"outputGroupSettings": {"type": "CMAF_GROUP_SETTINGS", "cmafGroupSettings": {
                    "destination": "s3://media/cmaf/out", "segmentLength": 2, "segmentControl": "SINGLE_FILE",
                    "imageBasedTrickPlay": "ADVANCED", "imageBasedTrickPlaySettings": {
                        "intervalCadence": "FOLLOW_CUSTOM", "thumbnailInterval": 0.5, "thumbnailWidth": 64,
                        "tileWidth": 3, "tileHeight": 2}}},
                 "outputs": [with_key_frames(output("_180p", "CMFC", 180, false)), output("_90p", "CMFC", 90, false)]},
                {"outputGroupSettings": {"type": "DASH_ISO_GROUP_SETTINGS", "dashIsoGroupSettings": {
                    "destination": "s3://media/dash/out", "segmentLength": 2, "imageBasedTrickPlay": "THUMBNAIL"}},
                 "outputs": [output("_180p", "MPD", 180, false)]},
            ],
        }))
        .await;
    assert_eq!(job["status"], "COMPLETE", "{job:#}");
    let (text, path) = (|key: &str| home.buckets.text("media", key), |key: &str| home.buckets.path("media", key));

    // HLS: one tile of four seconds' key frames, and each key frame by itself.
    let master = text("hls/out.m3u8");
    for (resolution, name) in [("312x176", "thumbnail"), ("320x180", "fullframe")] {
        let end = format!(",RESOLUTION={resolution},CODECS=\"jpeg\",URI=\"out_{name}.m3u8\"");
        assert!(master.lines().any(|l| l.starts_with("#EXT-X-IMAGE-STREAM-INF:") && l.ends_with(&end)), "{master}");
    }
    let tiles = "#EXT-X-IMAGES-ONLY\n#EXTINF:4.000000,\n\
                 #EXT-X-TILES:RESOLUTION=312x176,LAYOUT=3x3,DURATION=1.000000\nout_thumbnail_00001.jpg\n#EXT-X-ENDLIST\n";
    assert!(text("hls/out_thumbnail.m3u8").ends_with(tiles), "{}", text("hls/out_thumbnail.m3u8"));
    let made = grays(&path("hls/out_thumbnail_00001.jpg"), (312, 176), (3, 3));
    assert_alike(&made, &[GRAYS.as_slice(), &[0; 5]].concat());
    assert_eq!(text("hls/out_fullframe.m3u8").matches("LAYOUT=1x1,DURATION=1.000000\n").count(), 4);
    for (number, gray) in (1..).zip(GRAYS) {
        assert_alike(&grays(&path(&format!("hls/out_fullframe_{number:05}.jpg")), (320, 180), (1, 1)), &[gray]);
    }
    assert!(!home.buckets.keys("media").contains(&"hls/out_fullframe_00005.jpg".to_owned()));
    let metadata = home.buckets.infos_of("media", "hls/out_thumbnail_00001.jpg");
    assert_eq!(metadata.content_type.as_deref(), Some("image/jpeg"));

    // CMAF: every half second, between key frames too; both manifests tell of it, and are played as before.
    let playlist = text("cmaf/out_thumbnail.m3u8");
    let tile = "#EXT-X-TILES:RESOLUTION=64x36,LAYOUT=3x2,DURATION=0.500000\n";
    assert!(playlist.contains(&format!("#EXTINF:3.000000,\n{tile}out_thumbnail_00001.jpg\n")), "{playlist}");
    assert!(playlist.contains(&format!("#EXTINF:1.000000,\n{tile}out_thumbnail_00002.jpg\n")), "{playlist}");
    let [a, b, c, d] = GRAYS;
    assert_alike(&grays(&path("cmaf/out_thumbnail_00001.jpg"), (64, 36), (3, 2)), &[a, a, b, b, c, c]);
    assert_alike(&grays(&path("cmaf/out_thumbnail_00002.jpg"), (64, 36), (3, 2)), &[d, d, 0, 0, 0, 0]);
    assert!(text("cmaf/out.m3u8").contains(",RESOLUTION=64x36,CODECS=\"jpeg\",URI=\"out_thumbnail.m3u8\"\n"));
    for (key, tile, duration) in [
        ("cmaf/out.mpd", "3x2", "timescale=\"2\" duration=\"6\""),
        ("dash/out.mpd", "3x3", "timescale=\"1\" duration=\"9\""),
    ] {
        let manifest = text(key);
        let property =
            format!("<EssentialProperty schemeIdUri=\"http://dashif.org/thumbnail_tile\" value=\"{tile}\"/>");
        assert!(manifest.contains("contentType=\"image\"") && manifest.contains(&property), "{manifest}");
        assert!(manifest.contains(duration) && manifest.contains("media=\"out_thumbnail_$Number%05d$.jpg\""));
    }
    assert_alike(&grays(&path("dash/out_thumbnail_00001.jpg"), (312, 176), (3, 3))[..4], &GRAYS);

    // Key frames by their bytes: all of a transport stream's, and each fragment's first.
    for (group, grays, length) in [("hls", GRAYS.as_slice(), "1.000000"), ("cmaf", &[a, c], "2.000000")] {
        let master = text(&format!("{group}/out.m3u8"));
        let line = master.lines().find(|line| line.starts_with("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=")).unwrap();
        assert!(line.ends_with(",RESOLUTION=320x180,URI=\"out_180p_I-Frame.m3u8\""), "{line}");
        assert!(line.contains(",CODECS=\"avc1.") && !line.contains("mp4a"), "{line}");
        let playlist = text(&format!("{group}/out_180p_I-Frame.m3u8"));
        assert!(playlist.contains("#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI="), "{playlist}");
        let entry = format!("#EXTINF:{length},\n#EXT-X-BYTERANGE:");
        assert_eq!(playlist.matches(&entry).count(), grays.len(), "{playlist}");
        assert_alike(&key_frames(&home, group, &playlist), grays);
    }
}
