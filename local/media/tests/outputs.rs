//! What jobs may ask for, made by real ffmpeg and looked at with ffprobe.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Home, ffmpeg, ffprobe};

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

/// A file group.
fn file(outputs: &Value) -> Value {
    job("FILE_GROUP_SETTINGS", "fileGroupSettings", &json!({}), outputs)
}

/// Key frames' times, to the millisecond.
fn key_frames(file: &Path) -> Vec<i64> {
    let packets = probe("-select_streams v:0 -show_entries packet=pts_time,flags", file);
    let keys = packets.iter().filter(|packet| packet.contains(",K"));
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a short clip")]
    let times: Vec<_> = keys
        .map(|packet| (packet.split(',').next().unwrap().parse::<f64>().unwrap() * 1000.0).round() as i64)
        .collect();
    times.iter().map(|time| time - times[0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_in_its_container() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", &CLIP.replace("d=4", "d=2"));
    let output = |modifier: &str, container: &str, codec: Value, sounds: Value| {
        json!({"nameModifier": modifier, "containerSettings": {"container": container},
            "videoDescription": {"codecSettings": codec}, "audioDescriptions": sounds})
    };
    let sound = |codec: &str, name: &str, settings: Value| json!({"codecSettings": {"codec": codec, name: settings}});
    let h265 = |changes: Value| {
        let mut settings = json!({"rateControlMode": "QVBR", "maxBitrate": 800_000, "gopSize": 1,
            "gopSizeUnits": "SECONDS", "qualityTuningLevel": "SINGLE_PASS"});
        merge(&mut settings, &changes);
        json!({"codec": "H_265", "h265Settings": settings})
    };
    let vp9 = json!({"codec": "VP9", "vp9Settings": {"bitrate": 400_000, "gopSize": 30}});
    let av1 = json!({"codec": "AV1", "av1Settings": {"maxBitrate": 400_000, "gopSize": 30}});
    let prores = json!({"codec": "PRORES", "proresSettings": {"codecProfile": "APPLE_PRORES_422_LT"}});
    let surround = sound("AC3", "ac3Settings", json!({"codingMode": "CODING_MODE_3_2_LFE"}));
    let wav = sound("WAV", "wavSettings", json!({"bitDepth": 24, "channels": 2, "sampleRate": 48_000}));
    let mut french = aac();
    french["languageCode"] = json!("FRA");
    let outputs = json!([
        output("_265", "MP4", h265(json!({})), json!([sound("EAC3", "eac3Settings", json!({"codingMode": "CODING_MODE_2_0"}))])),
        output("_265ten", "MOV", h265(json!({"codecProfile": "MAIN10_MAIN", "writeMp4PackagingType": "HEV1"})), json!([french, surround])),
        output("_vp9", "WEBM", vp9, json!([sound("OPUS", "opusSettings", json!({"bitrate": 96_000}))])),
        output("_av1", "MP4", av1, json!([sound("MP3", "mp3Settings", json!({"bitrate": 128_000, "channels": 2}))])),
        output("_pro", "MOV", prores, json!([wav])),
        output("_ts", "M2TS", h264(&json!({})), json!([sound("MP2", "mp2Settings", json!({"channels": 2}))])),
        {"nameModifier": "_w", "containerSettings": {"container": "RAW"}, "audioDescriptions": [wav]},
        {"nameModifier": "_a", "containerSettings": {"container": "RAW"}, "audioDescriptions": [sound("AIFF", "aiffSettings", json!({"bitDepth": 16}))]},
        {"nameModifier": "_f", "containerSettings": {"container": "RAW"}, "audioDescriptions": [sound("FLAC", "flacSettings", json!({"bitDepth": 24}))]},
        {"nameModifier": "_m", "containerSettings": {"container": "RAW"}, "audioDescriptions": [sound("MP3", "mp3Settings", json!({"rateControlMode": "VBR", "vbrQuality": 4}))]},
        {"nameModifier": "_v", "containerSettings": {"container": "WEBM"}, "audioDescriptions": [sound("VORBIS", "vorbisSettings", json!({}))]},
        {"nameModifier": "_4", "containerSettings": {"container": "MP4"}, "audioDescriptions": [aac()]},
    ]);
    let folder = complete(&home, &file(&outputs)).await;
    let check = |name: &str, entries: &str, expected: &[&str]| {
        let file = folder.path().join("v").join(name);
        assert_eq!(streams(entries, &file), expected, "{name}");
        let seconds: f64 = probe("-show_entries format=duration", &file)[0].parse().unwrap();
        assert!((seconds - 2.0).abs() < 0.1, "{name} {seconds}");
    };
    check("out_265.mp4", "codec_name,codec_tag_string", &["hevc,hvc1", "eac3,ec-3"]);
    check(
        "out_265ten.mov",
        "codec_name,pix_fmt,channels:stream_tags=language",
        &["hevc,yuv420p10le", "aac,2,fra", "ac3,6"],
    );
    check("out_vp9.webm", "codec_name", &["vp9", "opus"]);
    check("out_av1.mp4", "codec_name", &["av1", "mp3"]);
    check("out_pro.mov", "codec_name,pix_fmt", &["prores,yuv422p10le", "pcm_s24le"]);
    check("out_ts.m2ts", "codec_name", &["h264", "mp2"]);
    check("out_w.wav", "codec_name,sample_rate", &["pcm_s24le,48000"]);
    check("out_a.aiff", "codec_name", &["pcm_s16be"]);
    check("out_f.flac", "codec_name,bits_per_raw_sample", &["flac,24"]);
    check("out_m.mp3", "codec_name", &["mp3"]);
    check("out_v.webm", "codec_name", &["vorbis"]);
    check("out_4.mp4", "codec_name", &["aac"]);
    for name in ["out_265.mp4", "out_265ten.mov", "out_vp9.webm", "out_av1.mp4", "out_ts.m2ts"] {
        assert_eq!(key_frames(&folder.path().join("v").join(name)), [0, 1000], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codecs_are_streamed() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", CLIP);
    let picture = |modifier: &str, codec: Value| json!({"nameModifier": modifier, "containerSettings": {"container": "CMFC"}, "videoDescription": {"codecSettings": codec}});
    let sound = |modifier: &str, codec: &str, name: &str, settings: Value| {
        json!({"nameModifier": modifier, "containerSettings": {"container": "CMFC"},
            "audioDescriptions": [{"codecSettings": {"codec": codec, name: settings}}]})
    };
    let outputs = json!([
        picture(
            "_265",
            json!({"codec": "H_265", "h265Settings": {"rateControlMode": "QVBR", "maxBitrate": 800_000,
            "gopSize": 60, "gopSizeUnits": "FRAMES", "qualityTuningLevel": "SINGLE_PASS"}})
        ),
        picture("_vp9", json!({"codec": "VP9", "vp9Settings": {"bitrate": 400_000, "gopSize": 60}})),
        picture("_av1", json!({"codec": "AV1", "av1Settings": {"maxBitrate": 400_000, "gopSize": 60}})),
        sound("_ac3", "AC3", "ac3Settings", json!({})),
        sound("_opus", "OPUS", "opusSettings", json!({})),
        sound("_flac", "FLAC", "flacSettings", json!({"channels": 2})),
    ]);
    let folder = complete(&home, &cmaf(&json!({"segmentLength": 2}), &outputs)).await;
    let root = folder.path().join("v");
    let manifest = std::fs::read_to_string(root.join("out.mpd")).unwrap();
    for codec in ["\"hvc1.1.", "\"vp09.00.", "\"av01.0.", "\"ac-3\"", "\"Opus\"", "\"fLaC\""] {
        assert!(manifest.contains(&format!("codecs={codec}")), "{codec} {manifest}");
    }
    for rung in ["_265", "_vp9", "_av1"] {
        let playlist = root.join(format!("out{rung}.m3u8"));
        assert_eq!(frames(&playlist).0, 120, "{rung}");
        assert_eq!(key_frames(&playlist), [0, 2000], "{rung}");
    }
    // And H.265 in transport streams.
    let outputs = json!([{"nameModifier": "_ts", "containerSettings": {"container": "M3U8"},
        "videoDescription": {"codecSettings": outputs[0]["videoDescription"]["codecSettings"]},
        "audioDescriptions": [{"codecSettings": {"codec": "EAC3", "eac3Settings": {}}}]}]);
    let folder =
        complete(&home, &hls(&json!({"segmentLength": 2, "destination": "s3://media/ts/out"}), &outputs)).await;
    let master = std::fs::read_to_string(folder.path().join("ts/out.m3u8")).unwrap();
    assert!(master.contains("CODECS=\"hvc1.1.") && master.contains(",ec-3\""), "{master}");
    assert_eq!(frames(&folder.path().join("ts/out_ts.m3u8")).0, 120);
}

/// The colour of a pixel of a frame: red, green, blue.
fn pixel(file: &Path, seconds: f64, x: u32, y: u32) -> [u8; 3] {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-ss", &format!("{seconds}"), "-i"])
        .arg(file)
        .args(["-frames:v", "1", "-vf", &format!("crop=2:2:{x}:{y},format=rgb24"), "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    *output.stdout.first_chunk().unwrap()
}

fn is_near(pixel: [u8; 3], colour: [u8; 3]) -> bool {
    pixel.iter().zip(colour).all(|(one, other)| one.abs_diff(other) < 40)
}

const RED: [u8; 3] = [254, 0, 0];
const BLUE: [u8; 3] = [0, 0, 254];
const BLACK: [u8; 3] = [0, 0, 0];

fn put_colour(home: &Home, key: &str, colour: &str, seconds: u32) {
    home.put_clip(
        "uploads",
        key,
        &format!(
            "-f lavfi -i color={colour}:s=320x180:r=25:d={seconds} -f lavfi -i sine=440:d={seconds} \
             -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac"
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_cut_placed_and_drawn_upon() {
    let home = Home::start();
    put_colour(&home, "clip.mp4", "blue", 3);
    let image = home.directory.path().join("mark.png");
    ffmpeg(&format!("-y -f lavfi -i color=red:s=64x32 -frames:v 1 {}", image.display()));
    home.put_path("assets", "mark.png", &image);
    let mark = |changes: Value| {
        let mut mark =
            json!({"imageInserterInput": "s3://assets/mark.png", "imageX": 10, "imageY": 20, "opacity": 100});
        merge(&mut mark, &changes);
        json!({"imageInserter": {"insertableImages": [mark]}})
    };
    let output = |modifier: &str, description: Value| {
        let mut video = json!({"codecSettings": h264(&json!({"maxBitrate": 3_000_000}))});
        merge(&mut video, &description);
        json!({"nameModifier": modifier, "containerSettings": {"container": "MP4"}, "videoDescription": video})
    };
    let outputs = json!([
        output("_$w$x$h$", json!({"crop": {"width": 100, "height": 50, "x": 10, "y": 10}})),
        output(
            "_at",
            json!({"width": 320, "height": 180, "position": {"width": 160, "height": 90, "x": 100, "y": 40}})
        ),
        output("_mark", json!({"videoPreprocessors": mark(json!({"startTime": "00:00:01:00", "duration": 1000}))})),
        output("_fade", json!({"videoPreprocessors": mark(json!({"fadeIn": 2000}))})),
        output(
            "_soft",
            json!({"width": 160, "sharpness": 0, "codecSettings": {"h264Settings": {
            "framerateControl": "SPECIFIED", "framerateNumerator": 50, "framerateDenominator": 1,
            "framerateConversionAlgorithm": "INTERPOLATE"}}})
        ),
        output("_gray", json!({"videoPreprocessors": {"colorCorrector": {"saturation": 1, "brightness": 50}}})),
    ]);
    let mut settings = file(&outputs);
    settings["outputGroups"][0]["outputGroupSettings"]["fileGroupSettings"]["destination"] = json!("s3://media/$fn$/");
    let folder = complete(&home, &settings).await;
    let at = |name: &str| folder.path().join("clip").join(name);
    assert_eq!(streams("width,height", &at("clip_100x50.mp4")), ["100,50"]);
    assert!(is_near(pixel(&at("clip_at.mp4"), 1.0, 20, 20), BLACK));
    assert!(is_near(pixel(&at("clip_at.mp4"), 1.0, 110, 50), BLUE));
    assert!(is_near(pixel(&at("clip_at.mp4"), 1.0, 250, 120), BLUE));
    for (seconds, colour) in [(0.5, BLUE), (0.96, BLUE), (1.0, RED), (1.96, RED), (2.04, BLUE)] {
        let pixel = pixel(&at("clip_mark.mp4"), seconds, 40, 30);
        assert!(is_near(pixel, colour), "{seconds} {pixel:?}");
    }
    let fading: Vec<_> = [0.1, 1.0, 2.5].map(|seconds| pixel(&at("clip_fade.mp4"), seconds, 40, 30)[0]).into();
    assert!(fading.is_sorted() && fading[0] < 60 && fading[2] > 200, "{fading:?}");
    assert_eq!(streams("width,r_frame_rate", &at("clip_soft.mp4")), ["160,50/1"]);
    let [red, _, blue] = pixel(&at("clip_gray.mp4"), 1.0, 10, 10);
    assert!(red.abs_diff(blue) < 30, "{red} {blue}");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_clipped_and_joined() {
    let home = Home::start();
    put_colour(&home, "clip.mp4", "blue", 3);
    put_colour(&home, "red.mp4", "red", 2);
    home.put_clip(
        "uploads",
        "tall.mp4",
        "-f lavfi -i color=red:s=90x160:r=30:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let outputs = json!([{"nameModifier": "_j", "containerSettings": {"container": "MP4"},
        "videoDescription": {"codecSettings": h264(&json!({"maxBitrate": 3_000_000}))}, "audioDescriptions": [aac()]}]);
    let mut settings = file(&outputs);
    let selectors = settings["inputs"][0]["audioSelectors"].clone();
    // Frames 25 to 49 of the first, the first 13 of the second, and all of a third that is silent and of another shape.
    settings["inputs"] = json!([
        {"fileInput": "s3://uploads/clip.mp4", "timecodeSource": "ZEROBASED", "audioSelectors": selectors,
            "inputClippings": [{"startTimecode": "00:00:01:00", "endTimecode": "00:00:01:24"}]},
        {"fileInput": "s3://uploads/red.mp4", "timecodeSource": "SPECIFIEDSTART", "timecodeStart": "10:00:00:00",
            "audioSelectors": selectors, "inputClippings": [{"endTimecode": "10:00:00:12"}]},
        {"fileInput": "s3://uploads/tall.mp4", "timecodeSource": "ZEROBASED"},
    ]);
    let folder = complete(&home, &settings).await;
    let joined = folder.path().join("v/out_j.mp4");
    let (count, _) = frames(&joined);
    assert!(count.abs_diff(25 + 13 + 25) <= 1, "{count}");
    for (seconds, x, colour) in
        [(0.0, 10, BLUE), (0.96, 10, BLUE), (1.0, 10, RED), (1.48, 10, RED), (1.56, 10, BLACK), (2.2, 160, RED)]
    {
        let pixel = pixel(&joined, seconds, x, 90);
        assert!(is_near(pixel, colour), "{seconds} {pixel:?}");
    }
    let ends: Vec<f64> = ["v", "a"]
        .map(|kind| {
            let times = probe(&format!("-select_streams {kind}:0 -show_entries packet=pts_time"), &joined);
            times.iter().filter_map(|time| time.parse::<f64>().ok()).fold(0.0, f64::max)
        })
        .into();
    assert!((ends[0] - ends[1]).abs() < 0.1, "{ends:?}");
    let event = home.last_event("INPUT_INFORMATION").detail;
    assert_eq!(event["inputDetails"].as_array().unwrap().len(), 3);

    // Clips of one input, the later first.
    let mut settings = file(&json!([{"nameModifier": "_c", "containerSettings": {"container": "MP4"},
        "videoDescription": {"codecSettings": h264(&json!({}))}}]));
    settings["inputs"][0]["inputClippings"] = json!([{"startTimecode": "00:00:02:00"}, {"endTimecode": "00:00:00:09"}]);
    let folder = complete(&home, &settings).await;
    assert_eq!(frames(&folder.path().join("v/out_c.mp4")).0, 25 + 10);
    settings["inputs"][0]["inputClippings"] = json!([{"startTimecode": "00:00:09:00"}]);
    let job = home.run(&settings).await;
    assert_eq!((&job["status"], &job["errorCode"]), (&json!("ERROR"), &json!(1040)), "{job:#}");
}

/// How loud a file is, in decibels of the mean.
fn volume(file: &Path, filters: &str) -> f64 {
    let output = std::process::Command::new("ffmpeg")
        .args(["-hide_banner", "-i"])
        .arg(file)
        .args(["-af", &format!("{filters}volumedetect"), "-vn", "-f", "null", "-"])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let mean = words.split("mean_volume: ").nth(1).unwrap_or_else(|| panic!("{words}"));
    mean.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sounds_are_chosen_and_mixed() {
    let home = Home::start();
    // A loud tone in English, a silent track in French, and 5.1 with sound in the centre alone.
    let path = home.directory.path().join("clip.ts");
    ffmpeg(&format!(
        "-y -f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=440:d=2 -f lavfi -i anullsrc=d=2 \
         -f lavfi -i aevalsrc=0|0|0.5*sin(880*2*PI*t)|0|0|0:c=5.1:d=2:s=48000 -map 0 -map 1 -map 2 -map 3 \
         -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a:0 aac -c:a:1 aac -c:a:2 ac3 -streamid 1:300 -streamid 2:301 \
         -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra -t 2 {}",
        path.display()
    ));
    home.put_path("uploads", "clip.mp4", &path);
    let output = |modifier: &str, source: &str, changes: Value| {
        let mut audio = aac();
        audio["audioSourceName"] = json!(source);
        merge(&mut audio, &changes);
        json!({"nameModifier": modifier, "containerSettings": {"container": "MP4"}, "audioDescriptions": [audio]})
    };
    let mono = json!({"codecSettings": {"aacSettings": {"codingMode": "CODING_MODE_1_0"}}});
    let left = json!({"remixSettings": {"channelsIn": 2, "channelsOut": 2, "channelMapping": {"outputChannels": [
        {"inputChannels": [0, -60]}, {"inputChannels": [-60, -60]}]}}});
    let outputs = json!([
        output("_en", "english", json!({})),
        output("_fr", "french", json!({})),
        output("_down", "surround", json!({})),
        output(
            "_51",
            "surround",
            json!({"codecSettings": {"aacSettings": {"codingMode": "CODING_MODE_5_1", "bitrate": 256_000}}})
        ),
        output("_mono", "english", mono),
        output("_left", "english", left),
        output("_late", "late", json!({})),
        output("_both", "both", json!({"codecSettings": {"aacSettings": {"codingMode": "CODING_MODE_2_0"}}})),
        output(
            "_loud",
            "english",
            json!({"audioNormalizationSettings": {"algorithm": "ITU_BS_1770_3", "targetLkfs": -30, "peakCalculation": "TRUE_PEAK"}})
        ),
    ]);
    let mut settings = file(&outputs);
    settings["inputs"][0]["audioSelectors"] = json!({
        "english": {"selectorType": "PID", "pids": [300], "defaultSelection": "DEFAULT"},
        "french": {"selectorType": "LANGUAGE_CODE", "languageCode": "FRA"},
        "surround": {"tracks": [3]},
        "late": {"tracks": [1], "offset": 1000},
    });
    settings["inputs"][0]["audioSelectorGroups"] = json!({"both": {"audioSelectorNames": ["english", "french"]}});
    let folder = complete(&home, &settings).await;
    let at = |name: &str| folder.path().join(format!("v/out_{name}.mp4"));
    assert_eq!(streams("channels:stream_tags=language", &at("fr")), ["2,fra"]);
    assert!(volume(&at("en"), "") > -30.0 && volume(&at("fr"), "") < -60.0);
    assert!(volume(&at("down"), "") > -30.0, "the centre is heard in stereo");
    assert_eq!(streams("channels", &at("51")), ["6"]);
    assert_eq!(streams("channels", &at("mono")), ["1"]);
    assert!(volume(&at("left"), "pan=mono|c0=c0,") > -30.0 && volume(&at("left"), "pan=mono|c0=c1,") < -60.0);
    assert!(volume(&at("late"), "atrim=end=0.9,") < -60.0 && volume(&at("late"), "atrim=start=1.1,") > -30.0);
    assert!(volume(&at("both"), "") > -40.0);
    assert!(volume(&at("loud"), "") < volume(&at("en"), "") - 5.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn light_of_hdr_is_pressed_together_or_kept() {
    let home = Home::start();
    let display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)";
    home.put_clip("uploads", "clip.mp4", &format!(
        "-f lavfi -i color=white:s=320x180:r=25:d=1 -vf format=yuv420p10le -c:v libx265 -preset ultrafast -tag:v hvc1 \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc \
         -x265-params log-level=error:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:master-display={display}:max-cll=1000,400"
    ));
    let outputs = json!([
        {"nameModifier": "_sdr", "containerSettings": {"container": "MP4"}, "videoDescription": {
            "codecSettings": h264(&json!({})),
            "videoPreprocessors": {"colorCorrector": {"colorSpaceConversion": "FORCE_709"}}}},
        {"nameModifier": "_hdr", "containerSettings": {"container": "MP4"}, "videoDescription": {"codecSettings": {
            "codec": "H_265", "h265Settings": {"rateControlMode": "QVBR", "maxBitrate": 1_000_000,
            "codecProfile": "MAIN10_MAIN", "qualityTuningLevel": "SINGLE_PASS"}}}},
        {"nameModifier": "_still", "containerSettings": {"container": "RAW"}, "videoDescription": {
            "codecSettings": {"codec": "FRAME_CAPTURE", "frameCaptureSettings": {"maxCaptures": 1}},
            "videoPreprocessors": {"colorCorrector": {"colorSpaceConversion": "FORCE_709"}}}},
    ]);
    let folder = complete(&home, &file(&outputs)).await;
    assert_eq!(streams("codec_name,width", &folder.path().join("v/out_still.0000000.jpg")), ["mjpeg,320"]);
    let colours = "pix_fmt,color_primaries,color_transfer,color_space";
    assert_eq!(streams(colours, &folder.path().join("v/out_sdr.mp4")), ["yuv420p,bt709,bt709,bt709"]);
    let hdr = folder.path().join("v/out_hdr.mp4");
    assert_eq!(streams(colours, &hdr), ["yuv420p10le,bt2020nc,smpte2084,bt2020"]);
    let side = ffprobe("-select_streams v:0 -show_frames -read_intervals %+#1 -of json", &hdr);
    assert!(side.contains("Mastering display metadata") && side.contains("\"max_content\": 1000"), "{side}");
}

const CAPTIONS: &str =
    "1\n00:00:00,500 --> 00:00:01,500\nHello <i>world</i>\n\n2\n00:00:01,800 --> 00:00:03,000\nTwo\nlines\n";

#[tokio::test(flavor = "multi_thread")]
async fn captions_stand_beside_the_media() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", CLIP);
    home.put("uploads", "clip.srt", CAPTIONS.as_bytes());
    let selectors = json!({"Captions 1": {"sourceSettings": {"sourceType": "SRT",
        "fileSourceSettings": {"sourceFile": "s3://uploads/clip.srt"}}}});
    let captions = |container: &str, kind: &str| {
        json!({"nameModifier": "_fr", "containerSettings": {"container": container}, "captionDescriptions": [{
            "captionSelectorName": "Captions 1", "languageCode": "FRA", "languageDescription": "Français",
            "destinationSettings": {"destinationType": kind}}]})
    };
    let picture = |container: &str| {
        json!({"nameModifier": "_v", "containerSettings": {"container": container},
            "videoDescription": {"codecSettings": h264(&json!({}))}})
    };
    let with = |mut settings: Value| {
        settings["inputs"][0]["captionSelectors"] = selectors.clone();
        settings
    };
    let settings = json!({"segmentLength": 2});
    let folder = complete(&home, &with(cmaf(&settings, &json!([picture("CMFC"), captions("CMFC", "WEBVTT")])))).await;
    let root = folder.path().join("v");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let master = read("out.m3u8");
    assert!(
        master.contains(
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"Français\",LANGUAGE=\"fra\",DEFAULT=NO,\
             AUTOSELECT=YES,FORCED=NO,URI=\"out_fr.m3u8\"\n"
        ) && master.contains(",SUBTITLES=\"subs\"\nout_v.m3u8"),
        "{master}"
    );
    assert_eq!(read("out_fr.m3u8").matches("#EXTINF:2.000000").count(), 2);
    let first = read("out_fr_00001.vtt");
    assert!(first.starts_with("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"), "{first}");
    assert!(first.contains("00:00:00.500 --> 00:00:01.500\nHello <i>world</i>\n") && first.contains("Two\nlines"));
    assert!(!read("out_fr_00002.vtt").contains("Hello") && read("out_fr_00002.vtt").contains("Two"));
    assert!(read("out.mpd").contains("mimeType=\"text/vtt\" lang=\"fra\">"), "{}", read("out.mpd"));
    assert_eq!(streams("codec_name", &root.join("out_fr.vtt")), ["webvtt"]);

    let settings = json!({"segmentLength": 2, "destination": "s3://media/hls/out"});
    let folder = complete(&home, &with(hls(&settings, &json!([picture("M3U8"), captions("M3U8", "WEBVTT")])))).await;
    let text = std::fs::read_to_string(folder.path().join("hls/out_fr_00001.vtt")).unwrap();
    assert!(text.contains("MPEGTS:900000,") && text.contains("Two"), "one segment of five minutes: {text}");

    // A clip takes its captions with it.
    let mut settings = with(file(&json!([captions("RAW", "SRT"), {"containerSettings": {"container": "MP4"},
        "videoDescription": {"codecSettings": h264(&json!({}))}}])));
    settings["inputs"][0]["inputClippings"] = json!([{"startTimecode": "00:00:01:00", "endTimecode": "00:00:01:29"}]);
    let folder = complete(&home, &settings).await;
    let text = std::fs::read_to_string(folder.path().join("v/out_fr.srt")).unwrap();
    assert!(
        text.starts_with("1\n00:00:00,000 --> 00:00:00,500\nHello") && text.contains("00:00:00,800 --> 00:00:01,000"),
        "{text}"
    );
}
