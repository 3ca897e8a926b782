//! Jobs end to end, with real ffmpeg.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{collections::BTreeSet, path::Path, sync::atomic::Ordering};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Home, ffmpeg, ffprobe, lay_out, line_job, one_rung};

const PICTURE: &str = "-f lavfi -i testsrc2=s=1280x720:r=30:d=4";
const SOUND: &str = "-f lavfi -i sine=440:d=4";
const CODECS: &str = "-c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p -c:a aac";

fn put_watermark(home: &Home) {
    let path = home.directory.path().join("mark.png");
    ffmpeg(&format!("-y -f lavfi -i color=red:s=64x32 -frames:v 1 {}", path.display()));
    home.put_path("assets", "watermark.png", &path);
}

/// When the key frames of an HLS rendition are shown, to the millisecond.
fn key_frames(folder: &Path, playlist: &str) -> Vec<String> {
    let lines = ffprobe("-select_streams v -show_entries packet=pts_time,flags -of csv=p=0", &folder.join(playlist));
    let keys = lines.lines().filter(|line| line.contains(",K"));
    keys.map(|line| format!("{:.3}", line.split(',').next().unwrap().parse::<f64>().unwrap())).collect()
}

/// When the first packet of a DASH representation is shown, in seconds.
fn first_packet(folder: &Path, stem: &str) -> f64 {
    let parts = ["init", "_000000001"].map(|part| std::fs::read(folder.join(format!("{stem}{part}.mp4"))).unwrap());
    let whole = folder.join("whole.mp4");
    std::fs::write(&whole, parts.concat()).unwrap();
    let times = ffprobe("-show_entries packet=pts_time -of csv=p=0", &whole);
    times.lines().next().unwrap().trim_end_matches(',').parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_job_makes_every_group() {
    let home = Home::start();
    put_watermark(&home);
    let key = "in/a b+100%'\"🎬.v2.mp4";
    home.put_clip("uploads", key, &format!("{PICTURE} {SOUND} {CODECS}"));
    let id = home.submit(&line_job(&format!("s3://uploads/{key}"))).await;
    let job = home.finish(&id).await;
    assert_eq!(job["status"], "COMPLETE", "{job:#}");
    assert_eq!(job["jobPercentComplete"], 100);
    home.clean().await;

    // The files, by MediaConvert's names.
    let keys: BTreeSet<_> = home.buckets.keys("media").into_iter().collect();
    let mut expected =
        BTreeSet::from(["v/hls/master.m3u8", "v/mp4/video.mp4", "v/dash/manifest.mpd"].map(String::from));
    for rung in ["_360p", "_540p", "_720p"] {
        expected.insert(format!("v/hls/master{rung}.m3u8"));
        expected.extend((1..=2).map(|n| format!("v/hls/master{rung}_{n:05}.ts")));
        expected.insert(format!("v/dash/manifest{rung}init.mp4"));
        expected.extend((1..=2).map(|n| format!("v/dash/manifest{rung}_{n:09}.mp4")));
    }
    expected.insert("v/dash/manifest_audioinit.mp4".into());
    expected.extend((1..=2).map(|n| format!("v/dash/manifest_audio_{n:09}.mp4")));
    expected.extend((0..2).map(|n| format!("v/thumbs/frame.{n:07}.jpg")));
    assert_eq!(keys, expected);

    // The playlists.
    let master = home.buckets.text("media", "v/hls/master.m3u8");
    for (rung, size) in [("_360p", "640x360"), ("_540p", "960x540"), ("_720p", "1280x720")] {
        let line =
            master.lines().zip(master.lines().skip(1)).find(|(_, uri)| *uri == format!("master{rung}.m3u8")).unwrap().0;
        for part in [
            ",AVERAGE-BANDWIDTH=",
            "CODECS=\"avc1.4d",
            "mp4a.40.2\"",
            &format!("RESOLUTION={size}"),
            "FRAME-RATE=30.000",
        ] {
            assert!(line.contains(part), "{line}");
        }
        let playlist = home.buckets.text("media", &format!("v/hls/master{rung}.m3u8"));
        let durations: Vec<_> = playlist.lines().filter(|line| line.starts_with("#EXTINF")).collect();
        assert_eq!(durations, ["#EXTINF:3.000000,", "#EXTINF:1.000000,"]);
        assert!(playlist.contains("#EXT-X-TARGETDURATION:3\n") && playlist.ends_with("#EXT-X-ENDLIST\n"), "{playlist}");
    }
    let folder = lay_out(&home, "media");
    let hls = folder.path().join("v/hls");
    let first = key_frames(&hls, "master_360p.m3u8");
    assert_eq!(first.len(), 2, "{first:?}");
    for rung in ["_540p", "_720p"] {
        assert_eq!(key_frames(&hls, &format!("master{rung}.m3u8")), first);
    }

    // DASH: every representation plays, and picture and sound begin together.
    let mpd = folder.path().join("v/dash/manifest.mpd");
    let streams = ffprobe("-show_entries stream=codec_name,width -of csv=p=0", &mpd);
    for stream in ["h264,640", "h264,960", "h264,1280", "aac"] {
        assert!(streams.lines().any(|line| line.starts_with(stream)), "{streams}");
    }

    let dash = folder.path().join("v/dash");
    assert_eq!(first_packet(&dash, "manifest_360p"), 0.0);
    let sound = first_packet(&dash, "manifest_audio");
    assert!((sound + 1024.0 / 48_000.0).abs() < 0.001, "the encoder's first samples come before zero: {sound}");

    // The file and the stills.
    let length = ffprobe("-show_entries format=duration -of csv=p=0", &folder.path().join("v/mp4/video.mp4"));
    assert!((length.trim().parse::<f64>().unwrap() - 4.0).abs() < 0.1, "{length}");
    let still = ffprobe(
        "-show_entries stream=codec_name,width,height -of csv=p=0",
        &folder.path().join("v/thumbs/frame.0000001.jpg"),
    );
    assert_eq!(still.trim(), "mjpeg,640,360");
    let segment = home.buckets.infos_of("media", "v/hls/master_360p_00001.ts");
    assert_eq!(segment.content_type.as_deref(), Some("video/mp2t"));
    assert!(segment.cache_control.unwrap().contains("immutable"));

    // What the bus heard.
    let statuses = home.statuses(&id);
    assert_eq!(statuses[..2], ["PROGRESSING", "INPUT_INFORMATION"]);
    assert_eq!(statuses.last().unwrap(), "COMPLETE");
    assert!(statuses.iter().filter(|status| *status == "STATUS_UPDATE").count() >= 2, "{statuses:?}");
    check_complete_event(&home, &id);
}

fn check_complete_event(home: &Home, id: &str) {
    let event = home.last_event("COMPLETE");
    assert_eq!(event.source, "aws.mediaconvert");
    assert_eq!(event.detail_type, "MediaConvert Job State Change");
    assert_eq!(event.resources, [format!("arn:aws:mediaconvert:us-east-1:000000000000:jobs/{id}")]);
    assert_eq!(event.detail["userMetadata"], json!({"videoId": "v1"}));
    let groups = event.detail["outputGroupDetails"].as_array().unwrap();
    let types: Vec<_> = groups.iter().map(|group| group["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["HLS_GROUP", "FILE_GROUP", "FILE_GROUP", "DASH_ISO_GROUP"]);
    assert_eq!(groups[0]["playlistFilePaths"], json!(["s3://media/v/hls/master.m3u8"]));
    let rung = &groups[0]["outputDetails"][0];
    assert_eq!(rung["outputFilePaths"], json!(["s3://media/v/hls/master_360p.m3u8"]));
    assert_eq!(rung["durationInMs"], 4000);
    assert_eq!(rung["videoDetails"]["widthInPx"], 640);
    assert!(rung["videoDetails"]["averageBitrate"].as_u64().unwrap() > 10_000);
    assert_eq!(groups[1]["outputDetails"][0]["outputFilePaths"], json!(["s3://media/v/mp4/video.mp4"]));
    assert!(groups[1].get("playlistFilePaths").is_none());
    let stills = &groups[2]["outputDetails"][0];
    assert_eq!(stills["outputFilePaths"], json!(["s3://media/v/thumbs/frame.0000001.jpg"]), "only the last");
    assert_eq!(groups[3]["playlistFilePaths"], json!(["s3://media/v/dash/manifest.mpd"]));
    assert!(groups[3]["outputDetails"][3].get("videoDetails").is_none(), "sound has no picture");

    let update = home.last_event("STATUS_UPDATE").detail;
    assert!(update["framesDecoded"].as_u64().unwrap() > 0);
    assert_eq!(update["jobProgress"]["currentPhase"], "TRANSCODING");
    assert_eq!(
        update["jobProgress"]["phaseProgress"]["PROBING"],
        json!({"status": "COMPLETE", "percentComplete": 100})
    );
    let information = &home.last_event("INPUT_INFORMATION").detail["inputDetails"][0];
    assert_eq!(information["video"][0]["codec"], "AVC");
    assert_eq!(information["audio"][0]["sampleRate"], 44100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_sound_gives_pictures_only() {
    let home = Home::start();
    put_watermark(&home);
    home.put_clip("uploads", "silent.mp4", "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -c:v libx264 -pix_fmt yuv420p");
    let job = home.run(&line_job("s3://uploads/silent.mp4")).await;
    assert_eq!(job["status"], "COMPLETE", "{job:#}");
    let master = home.buckets.text("media", "v/hls/master.m3u8");
    assert!(!master.contains("mp4a") && master.contains("RESOLUTION=320x180"), "{master}");
    assert!(!home.buckets.keys("media").iter().any(|key| key.contains("_audio")));
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes_and_rates() {
    let home = Home::start();
    let check = |key: &'static str, arguments: &'static str, size: &'static str, rate: &'static str| {
        let home = &home;
        async move {
            home.put_clip("uploads", key, arguments);
            let job = home.run(&one_rung(&format!("s3://uploads/{key}"))).await;
            assert_eq!(job["status"], "COMPLETE", "{key} {job:#}");
            let master = home.buckets.text("media", "v/hls/master.m3u8");
            assert!(master.contains(&format!("RESOLUTION={size},FRAME-RATE={rate}")), "{key}: {master}");
        }
    };
    check(
        "odd.mp4",
        "-f lavfi -i testsrc=s=321x181:r=24000/1001:d=2 -c:v libx264 -pix_fmt yuv444p",
        "322x182",
        "23.976",
    )
    .await;
    check("tall.mkv", "-f lavfi -i testsrc2=s=180x320:r=50:d=2 -c:v libx264 -f matroska", "180x320", "50.000").await;
    check(
        "webm",
        "-f lavfi -i testsrc2=s=320x240:r=15:d=2 -c:v libvpx -deadline realtime -f webm",
        "320x240",
        "15.000",
    )
    .await;

    // A phone's portrait: stored lying down, with a matrix that turns it.
    let lying = home.directory.path().join("lying.mp4");
    ffmpeg(&format!("-y -f lavfi -i testsrc2=s=640x360:r=30:d=2 -c:v libx264 {}", lying.display()));
    let turned = home.directory.path().join("turned.mp4");
    ffmpeg(&format!("-y -i {} -c copy -metadata:s:v rotate=270 {}", lying.display(), turned.display()));
    home.put_path("uploads", "phone.mp4", &turned);
    let probe = json!({"inputFiles": [{"fileUrl": "s3://uploads/phone.mp4"}]});
    let (_, answer) = home.call(Method::POST, "probe", Some(probe)).await;
    let video = answer["probeResults"][0]["container"]["tracks"][0]["videoProperties"].clone();
    assert_eq!((&video["width"], &video["height"], &video["rotation"]), (&json!(640), &json!(360), &json!(90)));
    let job = home.run(&one_rung("s3://uploads/phone.mp4")).await;
    assert_eq!(job["status"], "COMPLETE", "{job:#}");
    assert!(home.buckets.text("media", "v/hls/master.m3u8").contains("RESOLUTION=202x360"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_cannot_be_published_end_in_their_code() {
    let home = Home::start();
    home.put_clip("uploads", "good.mp4", &format!("{PICTURE} {SOUND} {CODECS} -movflags +faststart"));
    home.put_clip("uploads", "late.mp4", &format!("{PICTURE} {SOUND} {CODECS}"));
    let bytes = |key: &str| std::fs::read(home.buckets.path("uploads", key)).unwrap();
    let (good, late) = (bytes("good.mp4"), bytes("late.mp4"));
    home.put("uploads", "text.mp4", b"this is no video\n");
    home.put("uploads", "empty.mp4", b"");
    home.put("uploads", "cut-index-first.mp4", &good[..good.len() / 2]);
    home.put("uploads", "cut-index-lost.mp4", &late[..late.len() / 2]);
    home.put_clip("uploads", "sound.mp4", &format!("{SOUND} -c:a aac"));
    // Files that would have ffmpeg read others.
    let playlist =
        format!("#EXTM3U\n#EXTINF:4,\nfile://{}\n#EXT-X-ENDLIST\n", home.buckets.path("uploads", "good.mp4").display());
    home.put("uploads", "playlist.mp4", playlist.as_bytes());
    let concat = format!("ffconcat version 1.0\nfile {}\n", home.buckets.path("uploads", "good.mp4").display());
    home.put("uploads", "concat.mp4", concat.as_bytes());

    for (key, code, words) in [
        ("text.mp4", 1010, "Unable to open input file [s3://uploads/text.mp4]"),
        ("empty.mp4", 1010, "Unable to open input file"),
        ("cut-index-first.mp4", 1076, "could be read"),
        ("cut-index-lost.mp4", 1010, "moov atom not found"),
        ("sound.mp4", 1020, "no video track"),
        ("playlist.mp4", 1010, "Unable to open input file"),
        ("concat.mp4", 1010, "Unable to open input file"),
        ("nowhere.mp4", 1404, "does not exist"),
        ("secret.mp4", 1401, "not authorized"),
    ] {
        let id = home.submit(&one_rung(&format!("s3://uploads/{key}"))).await;
        let job = home.finish(&id).await;
        assert_eq!(job["status"], "ERROR", "{key} {job:#}");
        assert_eq!(job["errorCode"], code, "{key} {job:#}");
        let message = job["errorMessage"].as_str().unwrap();
        assert!(message.contains(words), "{key}: {message}");
        assert!(!message.contains(home.directory.path().to_str().unwrap()), "{key}: {message}");
        assert_eq!(home.last_event("ERROR").detail["errorCode"], code);
    }
    assert!(home.buckets.keys("media").is_empty());
    home.clean().await;

    let mut nowhere = one_rung("s3://uploads/good.mp4");
    nowhere["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["destination"] =
        json!("s3://missing/v/master");
    let job = home.run(&nowhere).await;
    assert_eq!((&job["status"], &job["errorCode"]), (&json!("ERROR"), &json!(1404)), "{job:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audio_only_source_gives_an_audio_job() {
    let home = Home::start();
    home.put_clip("uploads", "sound.mp4", &format!("{SOUND} -c:a aac"));
    let mut settings = line_job("s3://uploads/sound.mp4");
    settings["outputGroups"].as_array_mut().unwrap().drain(1..3);
    settings["outputGroups"][1]["outputs"].as_array_mut().unwrap().drain(..3);
    let hls = settings["outputGroups"][0]["outputs"].as_array_mut().unwrap();
    hls.truncate(1);
    hls[0].as_object_mut().unwrap().remove("videoDescription");
    let job = home.run(&settings).await;
    assert_eq!(job["status"], "COMPLETE", "{job:#}");
    assert!(home.buckets.text("media", "v/hls/master.m3u8").contains("CODECS=\"mp4a.40.2\"\n"));
    assert!(home.buckets.text("media", "v/dash/manifest.mpd").contains("audioSamplingRate=\"48000\""));
}

/// Long enough to be stopped in the middle.
fn put_long(home: &Home) -> Value {
    let arguments = "-f lavfi -i testsrc2=s=1280x720:r=30:d=30 -c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p";
    home.put_clip("uploads", "long.mp4", arguments);
    let mut settings = one_rung("s3://uploads/long.mp4");
    settings["outputGroups"][0]["outputs"][0]["videoDescription"]["width"] = json!(1280);
    settings["outputGroups"][0]["outputs"][0]["videoDescription"]["height"] = json!(720);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_canceled() {
    let home = Home::start();
    let id = home.submit(&put_long(&home)).await;
    home.wait(|event| event.detail["status"] == "STATUS_UPDATE").await;
    let (status, _) = home.call(Method::DELETE, &format!("jobs/{id}"), None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let job = home.finish(&id).await;
    assert_eq!(job["status"], "CANCELED");
    // The next job finds room, so the process is gone.
    home.put_clip("uploads", "short.mp4", &format!("{PICTURE} -t 1 {CODECS}"));
    let job = home.run(&one_rung("s3://uploads/short.mp4")).await;
    assert_eq!(job["status"], "COMPLETE");
    home.clean().await;
    assert_eq!(home.statuses(&id).last().unwrap(), "CANCELED");
    let (status, answer) = home.call(Method::DELETE, &format!("jobs/{id}"), None).await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("ConflictException")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_survives_the_home_in_the_middle_of_its_transcode() {
    let home = Home::start();
    let id = home.submit(&put_long(&home)).await;
    home.wait(|event| event.detail["status"] == "STATUS_UPDATE").await;
    let home = home.restart();
    let job = home.finish(&id).await;
    assert_eq!((&job["status"], &job["retryCount"]), (&json!("COMPLETE"), &json!(1)));
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_job_is_published_after_the_home_died() {
    let home = Home::start();
    home.put_clip("uploads", "clip.mp4", &format!("{PICTURE} {SOUND} {CODECS}"));
    // The third file of the job never arrives; the first object was the clip itself.
    home.buckets.gate_at.store(3, Ordering::SeqCst);
    let id = home.submit(&one_rung("s3://uploads/clip.mp4")).await;
    home.buckets.reached.subscribe().wait_for(|reached| *reached).await.unwrap();
    let buckets = home.buckets.clone();
    let home = home.restart();
    let job = home.finish(&id).await;
    buckets.open_gate();
    assert_eq!((&job["status"], &job["retryCount"]), (&json!("COMPLETE"), &json!(0)), "{job:#}");
    assert_eq!(
        home.statuses(&id).iter().filter(|status| *status == "INPUT_INFORMATION").count(),
        1,
        "it was probed once"
    );
    assert_eq!(home.buckets.keys("media").len(), 4);
}

/// Every packet of a file or playlist: its stream, times, and whether it is a key frame.
fn packets(path: &Path) -> Vec<String> {
    let lines = ffprobe("-show_entries packet=codec_type,pts_time,dts_time,flags -of csv=p=0", path);
    let mut lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    // How streams take turns is the muxer's business.
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accelerated_job_makes_the_same_frames() {
    let home = Home::start();
    put_watermark(&home);
    let codecs = "-c:v libx264 -preset ultrafast -g 47 -bf 2 -pix_fmt yuv420p -c:a aac";
    let check = |key: &'static str, rate: &'static str, format: &'static str| {
        let home = &home;
        async move {
            let clip = format!(
                "-f lavfi -i testsrc2=s=320x180:r={rate}:d=7.4 -f lavfi -i sine=440:d=7.4 \
                 -vf drawbox=t=fill:c=black:enable='between(t,5,7)' {codecs} -f {format}"
            );
            home.put_clip("uploads", key, &clip);
            let plain = line_job(&format!("s3://uploads/{key}"));
            let fast = serde_json::from_str(&plain.to_string().replace("s3://media/", "s3://fast/")).unwrap();
            let id = home.submit_with(&plain, json!({})).await;
            let job = home.finish(&id).await;
            assert_eq!((&job["status"], &job["accelerationStatus"]), (&json!("COMPLETE"), &json!("NOT_APPLICABLE")));
            let told = home.last_event("COMPLETE").detail;
            let id = home.submit_with(&fast, json!({"accelerationSettings": {"mode": "ENABLED"}})).await;
            let job = home.finish(&id).await;
            assert_eq!(
                (&job["status"], &job["accelerationStatus"]),
                (&json!("COMPLETE"), &json!("ACCELERATED")),
                "{job:#}"
            );

            let (plain, fast) = (lay_out(home, "media"), lay_out(home, "fast"));
            for output in ["v/mp4/video.mp4", "v/hls/master_360p.m3u8", "v/hls/master_720p.m3u8"] {
                let expected = packets(&plain.path().join(output));
                assert_eq!(packets(&fast.path().join(output)), expected, "{key} {output}");
            }
            let names = |bucket: &str| home.buckets.keys(bucket);
            assert_eq!(names("fast"), names("media"));
            let stats = plain.path().join("psnr.txt");
            let videos = [&fast, &plain].map(|folder| folder.path().join("v/mp4/video.mp4").display().to_string());
            ffmpeg(&format!("-i {} -i {} -lavfi psnr=f={} -f null -", videos[0], videos[1], stats.display()));
            let stats = std::fs::read_to_string(stats).unwrap();
            let worst =
                stats.lines().filter_map(|l| l.split_once("psnr_avg:")?.1.split(' ').next()?.parse::<f64>().ok());
            let worst = worst.fold(f64::INFINITY, f64::min);
            assert!(worst > 28.0, "{key}: the pictures differ: {worst} dB");

            // Black is found across the chunks' border as in one piece.
            let told_fast = home.last_event("COMPLETE").detail;
            for event in [&told, &told_fast] {
                let black = &event["blackVideoSegments"][0];
                let about = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 60.0;
                assert!(about(&black["start"], 5000.0) && about(&black["end"], 7000.0), "{key} {black}");
                assert_eq!(event["blackVideoSegments"].as_array().unwrap().len(), 1, "{key}");
                let details = &event["outputGroupDetails"][0]["outputDetails"][0]["videoDetails"];
                let quality = details["qvbrAvgQuality"].as_f64().unwrap();
                assert!((5.0..=8.0).contains(&quality), "{details}");
                assert!(details["qvbrMinQuality"].as_f64().unwrap() <= quality, "{details}");
            }
        }
    };
    check("film.mp4", "24000/1001", "mp4").await;
    check("ntsc.mkv", "30000/1001", "matroska").await;
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_accelerated_fails_or_goes_on_without() {
    let home = Home::start();
    home.put_clip("uploads", "clip.ts", &format!("{PICTURE} -t 2 {CODECS} -f mpegts"));
    let run = async |mode: &str| {
        let members = json!({"accelerationSettings": {"mode": mode}});
        let id = home.submit_with(&one_rung("s3://uploads/clip.ts"), members).await;
        home.finish(&id).await
    };
    let job = run("PREFERRED").await;
    assert_eq!((&job["status"], &job["accelerationStatus"]), (&json!("COMPLETE"), &json!("NOT_ACCELERATED")));
    let job = run("ENABLED").await;
    assert_eq!((&job["status"], &job["errorCode"]), (&json!("ERROR"), &json!(1040)));
    assert!(job["errorMessage"].as_str().unwrap().contains("no index of key frames"), "{job:#}");
    home.clean().await;
}
