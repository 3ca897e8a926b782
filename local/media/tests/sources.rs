//! Sources as people have them, and as enemies make them, through the service's API.
//!
//! Each friendly clip shows a white flash while it beeps, near its beginning and near its end. Its renditions are held to it: the
//! same length, flash and beep as far apart as in the source, the same shape on the screen, and segments of all rungs that begin
//! with the same frames.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use support::{Home, ffmpeg, ffprobe, lay_out, line_job};
use vodline_media::Limits;

/// What the outputs may be apart from the source, in seconds.
const SYNC_TOLERANCE: f64 = 0.040;

/// A flashing picture of this size and rate, three seconds long.
fn flash(size: &str, rate: &str) -> String {
    format!(
        "-f lavfi -i color=black:s={size}:r={rate}:d=3,drawbox=t=fill:c=white:enable='between(t,0.5,0.6)+between(t,2.5,2.6)'"
    )
}

/// A sound that beeps while the picture flashes.
const BEEP: &str = "-f lavfi -i aevalsrc='0.5*sin(6283*t)*(between(t,0.5,0.6)+between(t,2.5,2.6))':s=48000:d=3";

const H264: &str = "-c:v libx264 -preset ultrafast -g 40 -pix_fmt yuv420p";

/// Two rungs and a file of a source, with GOPs and segments of this many seconds.
fn job(input: &str, seconds: u32, sound: bool) -> Value {
    let mut settings = line_job(input);
    let groups = settings["outputGroups"].as_array_mut().unwrap();
    groups.truncate(2);
    groups[0]["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"] = json!(seconds);
    let rung = groups[0]["outputs"][0].clone();
    let output = |name: &str, side: u32| {
        let mut output = rung.clone();
        output["nameModifier"] = json!(name);
        let video = &mut output["videoDescription"];
        video["scalingBehavior"] = json!("FIT_NO_UPSCALE");
        (video["width"], video["height"]) = (json!(side), json!(side));
        video["codecSettings"]["h264Settings"]["gopSize"] = json!(seconds);
        if sound {
            output["audioDescriptions"][0].as_object_mut().unwrap().remove("audioNormalizationSettings");
        } else {
            output.as_object_mut().unwrap().remove("audioDescriptions");
        }
        output
    };
    groups[0]["outputs"] = json!([output("_small", 160), output("_large", 320)]);
    let mut file = output("_file", 320);
    file["containerSettings"] = json!({"container": "MP4"});
    groups[1]["outputs"] = json!([file]);
    settings
}

/// What a clip shows.
#[derive(Clone, Copy)]
struct Shown {
    seconds: f64,
    /// Width by height on the screen.
    shape: f64,
    sound: bool,
}

const USUAL: Shown = Shown { seconds: 3.0, shape: 16.0 / 9.0, sound: true };

#[track_caller]
fn check_outputs(key: &str, folder: &Path, source: &Path, shown: Shown) {
    let outputs =
        ["v/hls/master_small.m3u8", "v/hls/master_large.m3u8", "v/mp4/video_file.mp4"].map(|o| folder.join(o));
    for output in &outputs {
        let seconds = video_seconds(output);
        assert!((seconds - shown.seconds).abs() < 0.1, "{key}: {seconds} s of {} s", shown.seconds);
        let shape = shape(output);
        // Sides are even numbers of pixels.
        assert!((shape / shown.shape - 1.0).abs() < 0.025, "{key}: {shape} instead of {}", shown.shape);
    }
    let rungs = [&outputs[0], &outputs[1]];
    let [small, large] = rungs.map(|playlist| key_frames(playlist));
    assert_eq!(small, large, "{key}: key frames");
    let [small, large] = rungs.map(|playlist| segment_lengths(playlist));
    assert_eq!(small, large, "{key}: segments");
    if shown.sound {
        let expected = sync(source);
        for output in &outputs {
            for (found, expected) in sync(output).iter().zip(&expected) {
                assert!(
                    (found - expected).abs() < SYNC_TOLERANCE,
                    "{key}: the sound moved from {expected} to {found} s"
                );
            }
        }
    }
}

fn video_seconds(path: &Path) -> f64 {
    let lines = ffprobe("-select_streams v:0 -show_entries packet=pts_time,duration_time -of csv=p=0", path);
    let packets = lines.lines().filter_map(|line| {
        let mut fields = line.split(',').map(str::parse::<f64>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    });
    let (first, last) =
        packets.fold((f64::MAX, f64::MIN), |(first, last), (time, length)| (first.min(time), last.max(time + length)));
    last - first
}

fn shape(path: &Path) -> f64 {
    let stream = ffprobe("-select_streams v:0 -show_entries stream=width,height,sample_aspect_ratio -of json", path);
    let stream: Value = serde_json::from_str(&stream).unwrap();
    let stream = &stream["streams"][0];
    let pixel = stream["sample_aspect_ratio"].as_str().and_then(|ratio| ratio.split_once(':'));
    let pixel = pixel.map_or(1.0, |(w, h)| w.parse::<f64>().unwrap() / h.parse::<f64>().unwrap());
    stream["width"].as_f64().unwrap() * pixel / stream["height"].as_f64().unwrap()
}

fn key_frames(playlist: &Path) -> Vec<String> {
    let lines = ffprobe("-select_streams v:0 -show_entries packet=pts_time,flags -of csv=p=0", playlist);
    lines.lines().filter(|line| line.contains(",K")).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

fn segment_lengths(playlist: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(playlist).unwrap();
    text.lines().filter(|line| line.starts_with("#EXTINF")).map(str::to_owned).collect()
}

/// How long after each flash its beep begins, in seconds.
fn sync(path: &Path) -> Vec<f64> {
    // In one run: alone, each stream would begin at its own zero.
    let folder = tempfile::tempdir().unwrap();
    let [pictures, sound] = ["pictures", "sound"].map(|name| folder.path().join(name));
    ffmpeg(&format!(
        "-i {} -map 0:v:0 -vf fps=200:start_time=0,scale=1:1:flags=area,format=gray -f rawvideo {} \
         -map 0:a:0 -af aresample=async=1:first_pts=0 -ac 1 -ar 48000 -f s16le {}",
        path.display(),
        pictures.display(),
        sound.display()
    ));
    let [pictures, sound] = [pictures, sound].map(|path| std::fs::read(path).unwrap());
    let loud: Vec<_> = sound.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs() > 1500).collect();
    let bright: Vec<_> = pictures.iter().map(|luma| *luma > 128).collect();
    let (flashes, beeps) = (onsets(&bright, 200.0), onsets(&loud, 48000.0));
    assert_eq!((flashes.len(), beeps.len()), (2, 2), "{} {flashes:?} {beeps:?}", path.display());
    flashes.iter().zip(&beeps).map(|(flash, beep)| beep - flash).collect()
}

/// When something begins that was not for half a second.
fn onsets(on: &[bool], rate: f64) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    let mut last = f64::MIN;
    for (index, _) in on.iter().enumerate().filter(|(_, on)| **on) {
        #[expect(clippy::cast_precision_loss, reason = "a short clip")]
        let time = index as f64 / rate;
        if time - last > 0.5 {
            found.push(time);
        }
        last = time;
    }
    found
}

/// Makes the clip, runs the job, and holds its outputs to the clip.
async fn check(home: &Home, key: &str, clip: &str, shown: Shown) {
    home.put_clip("uploads", key, clip);
    check_put(home, key, shown).await;
}

async fn check_put(home: &Home, key: &str, shown: Shown) {
    let done = home.run(&job(&format!("s3://uploads/{key}"), 1, shown.sound)).await;
    assert_eq!(done["status"], "COMPLETE", "{key} {done:#}");
    let details = done["outputGroupDetails"].as_array().unwrap();
    for output in details.iter().flat_map(|group| group["outputDetails"].as_array().unwrap()) {
        let seconds = output["durationInMs"].as_f64().unwrap() / 1000.0;
        assert!((seconds - shown.seconds).abs() < 0.1, "{key} {output}");
    }
    let folder = lay_out(home, "media");
    check_outputs(key, folder.path(), &home.buckets.path("uploads", key), shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn frame_rates() {
    let home = Home::start();
    for rate in ["24000/1001", "30000/1001", "50", "60"] {
        let key = format!("{}.mp4", rate.replace('/', "-"));
        check(&home, &key, &format!("{} {BEEP} {H264} -c:a aac", flash("320x180", rate)), USUAL).await;
    }
    // Two of three frames are missing in the first half; times are the file's.
    let picture = flash("320x180", "30");
    let clip = format!("{picture},select='not(mod(n,3))+gt(t,1.5)' {BEEP} -vsync vfr {H264} -c:a aac");
    check(&home, "vfr.mp4", &clip, USUAL).await;
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes() {
    let home = Home::start();
    let clip = |size: &str, more: &str| format!("{} {BEEP} {H264} {more} -c:a aac", flash(size, "25"));
    check(&home, "4-3.mp4", &clip("320x240", ""), Shown { shape: 4.0 / 3.0, ..USUAL }).await;
    check(&home, "tall.mp4", &clip("180x320", ""), Shown { shape: 9.0 / 16.0, ..USUAL }).await;
    check(&home, "odd.mp4", &clip("321x181", "-pix_fmt yuv444p"), Shown { shape: 321.0 / 181.0, ..USUAL }).await;
    check(&home, "anamorphic.mp4", &clip("180x144", "-aspect 16:9"), USUAL).await;

    // A phone's portrait: stored lying down, with a matrix that turns it.
    home.put_clip("uploads", "lying.mp4", &clip("320x180", ""));
    let turned = home.directory.path().join("turned.mp4");
    let lying = home.buckets.path("uploads", "lying.mp4");
    ffmpeg(&format!("-y -i {} -c copy -metadata:s:v rotate=270 {}", lying.display(), turned.display()));
    home.put_path("uploads", "phone.mp4", &turned);
    check_put(&home, "phone.mp4", Shown { shape: 9.0 / 16.0, ..USUAL }).await;
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_and_codecs() {
    let home = Home::start();
    let picture = flash("320x180", "25");
    let check = async |key: &str, codecs: &str| check(&home, key, &format!("{picture} {BEEP} {codecs}"), USUAL).await;
    check("clip.mkv", &format!("{H264} -c:a flac -f matroska")).await;
    check("clip.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus -f webm").await;
    check("clip.mov", "-c:v prores_ks -profile:v 0 -c:a pcm_s16le -f mov").await;
    check("clip.avi", "-c:v mpeg4 -q:v 4 -c:a mp3 -f avi").await;
    check("clip.ts", &format!("{H264} -c:a aac -f mpegts")).await;
    check("clip.mpg", "-c:v mpeg2video -q:v 4 -c:a mp2 -f mpeg").await;
    check(
        "hdr10.mp4",
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc \
         -x265-params log-level=none:hdr10=1:max-cll=1000,400 -tag:v hvc1 -c:a aac -f mp4",
    )
    .await;
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sounds() {
    let home = Home::start();
    let picture = flash("320x180", "25");
    let clip = format!("{picture} {BEEP} {H264} -c:a aac -af pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0");
    check(&home, "surround.mp4", &clip, USUAL).await;
    let two = format!("{picture} {BEEP} -f lavfi -i sine=300:d=3 -map 0:v -map 1:a -map 2:a {H264} -c:a aac");
    check(&home, "two-tracks.mp4", &two, USUAL).await;
    check(&home, "silent.mp4", &format!("{picture} {H264}"), Shown { sound: false, ..USUAL }).await;
    // Sound that begins late and ends early keeps its place.
    let late = format!("{picture} -itsoffset 0.3 {BEEP} -t 2.9 {H264} -c:a aac");
    check(&home, "late.mkv", &format!("{late} -f matroska"), Shown { seconds: 2.9, ..USUAL }).await;
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths() {
    let home = Home::start();
    // Half an hour of two small pictures a second, made by repeating ten seconds without another encode; without sound, which
    // would take longer than all pictures.
    let ten = home.directory.path().join("ten.mkv");
    ffmpeg(&format!(
        "-y -f lavfi -i testsrc2=s=160x90:r=2:d=10 -f lavfi -i sine=300:d=10 {H264} -c:a aac {}",
        ten.display()
    ));
    let long = home.directory.path().join("long.mkv");
    ffmpeg(&format!("-y -stream_loop 179 -i {} -c copy -an {}", ten.display(), long.display()));
    for (key, path, sound) in [("ten.mkv", &ten, true), ("long.mkv", &long, false)] {
        let seconds: f64 = ffprobe("-show_entries format=duration -of csv=p=0", path).trim().parse().unwrap();
        home.put_path("uploads", key, path);
        let done = home.run(&job(&format!("s3://uploads/{key}"), 10, sound)).await;
        assert_eq!(done["status"], "COMPLETE", "{key} {done:#}");
        let file = home.buckets.path("media", "v/mp4/video_file.mp4");
        let found = video_seconds(&file);
        assert!((found - seconds).abs() < 0.6, "{key}: {found} s of {seconds} s");
    }
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_end_in_an_error_and_leave_nothing() {
    let home = Home::start();
    let good = format!("{} {BEEP} {H264} -c:a aac", flash("320x180", "25"));
    home.put_clip("uploads", "good.mp4", &good);
    let secret = home.buckets.path("uploads", "good.mp4").display().to_string();
    // A picture whose header claims four thousand million pixels.
    home.put_clip("uploads", "huge.avi", "-f lavfi -i color=red:s=320x180:r=5:d=1 -c:v mjpeg -f avi");
    let mut huge = std::fs::read(home.buckets.path("uploads", "huge.avi")).unwrap();
    let frames: Vec<_> = (0..huge.len() - 9).filter(|at| huge[*at..].starts_with(&[0xff, 0xc0, 0x00, 0x11])).collect();
    assert!(!frames.is_empty());
    for at in frames {
        huge[at + 5..at + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    }
    home.put("uploads", "huge.avi", &huge);
    // Headers of a film, and noise.
    let mut noise = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2".to_vec();
    noise.extend((0_u32..20_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    home.put("uploads", "noise.mp4", &noise);
    for (key, text) in [
        ("list.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{secret}\n#EXT-X-ENDLIST\n")),
        ("list.ffconcat", format!("ffconcat version 1.0\nfile '{secret}'\n")),
        (
            "list.mpd",
            format!(
                "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><Period><AdaptationSet>\
            <Representation id=\"1\" bandwidth=\"1\"><BaseURL>file://{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>"
            ),
        ),
        (
            "session.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n".to_owned(),
        ),
        ("subtitles.srt", "1\n00:00:00,000 --> 00:00:01,000\nwords\n".to_owned()),
    ] {
        home.put("uploads", key, text.as_bytes());
    }
    for key in ["huge.avi", "noise.mp4", "list.m3u8", "list.ffconcat", "list.mpd", "session.sdp", "subtitles.srt"] {
        let done = home.run(&job(&format!("s3://uploads/{key}"), 1, true)).await;
        assert_eq!(done["status"], "ERROR", "{key} {done:#}");
        let message = done["errorMessage"].as_str().unwrap();
        assert!(message.contains(&format!("s3://uploads/{key}")), "{key}: {message}");
        assert!(!message.contains(home.directory.path().to_str().unwrap()), "{key}: {message}");
    }
    assert!(home.buckets.keys("media").is_empty());

    // A file whose middle is noise may be saved or given up, but it comes to an end and leaves nothing.
    let mut broken = std::fs::read(home.buckets.path("uploads", "good.mp4")).unwrap();
    let (from, to) = (broken.len() / 3, broken.len() / 2);
    for (index, byte) in broken[from..to].iter_mut().enumerate() {
        *byte ^= u8::try_from(index * 7 % 256).unwrap();
    }
    home.put("uploads", "broken.mp4", &broken);
    let done = home.run(&job("s3://uploads/broken.mp4", 1, true)).await;
    assert!(["COMPLETE", "ERROR"].contains(&done["status"].as_str().unwrap()), "{done:#}");
    home.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_goes_beyond_its_limits_is_stopped() {
    let check = async |limits: Limits, code: u32, words: &str| {
        let home = Home::start_with(|config| config.limits = limits);
        let clip = "-f lavfi -i testsrc2=s=320x180:r=30:d=120 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
        home.put_clip("uploads", "long.mp4", clip);
        let done = home.run(&job("s3://uploads/long.mp4", 1, false)).await;
        assert_eq!((&done["status"], &done["errorCode"]), (&json!("ERROR"), &json!(code)), "{done:#}");
        assert!(done["errorMessage"].as_str().unwrap().contains(words), "{done:#}");
        assert!(home.buckets.keys("media").is_empty());
        home.clean().await;
    };
    let usual = Limits::default();
    check(Limits { job_time: Duration::from_millis(700), ..usual }, 1999, "it took more than").await;
    check(Limits { scratch_bytes: 100_000, ..usual }, 1507, "its files took more than").await;
    check(Limits { memory_bytes: 16 << 20, ..usual }, 1999, "of memory").await;
    check(Limits { free_bytes_min: u64::MAX, ..usual }, 1507, "the disk is almost full").await;
}
