//! What sources may be: MP4 sets, several sounds, captions, other codecs.

use serde_json::json;

use crate::{
    home::{Home, asset_request},
    media::{check_playable, ffmpeg, make_source, probe},
};

const PICTURE: &str = "-f lavfi -i testsrc2=size=640x360:rate=30000/1001:duration=6.006";
const SOUND: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=6.006";
const H264: &str = "-c:v libx264 -preset ultrafast -g 30 -keyint_min 30 -sc_threshold 0 -pix_fmt yuv420p";

/// A home with the three packages, segments of two seconds.
async fn three_packages() -> Home {
    let home = Home::new();
    home.group().await;
    let hls = json!([{ "includeIframeOnlyStream": true }]);
    home.package("hls", "hlsPackage", json!({ "segmentDurationSeconds": 2, "hlsManifests": hls })).await;
    home.package("cmaf", "cmafPackage", json!({ "segmentDurationSeconds": 2, "hlsManifests": hls })).await;
    home.package("dash", "dashPackage", json!({ "segmentDurationSeconds": 2, "dashManifests": [{}] })).await;
    home
}

/// How many frames ffprobe decodes from a stream, its codec, and how long after the first the last is shown.
fn decoded(manifest: &std::path::Path, stream: &str) -> (u32, String, f64) {
    let found = probe(
        &[
            "-count_frames",
            "-select_streams",
            stream,
            "-show_entries",
            "stream=codec_name,nb_read_frames:packet=pts_time",
        ],
        manifest,
    );
    let value = |name: &str| {
        let found = found.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name} in {found:?}")).to_owned()
    };
    let times = found.lines().filter_map(|line| line.strip_prefix("pts_time=")?.parse::<f64>().ok());
    let (first, last) = times.fold((f64::MAX, f64::MIN), |(first, last), time| (first.min(time), last.max(time)));
    (value("nb_read_frames").parse().unwrap(), value("codec_name"), last - first)
}

/// When the first caption is shown, in seconds on the clock of the segments.
fn shown_seconds(captions: &str) -> f64 {
    let ticks: f64 = captions.split("MPEGTS:").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let start = captions.lines().find_map(|line| line.split_once(" --> ")).unwrap().0;
    let parts = start.split(':').map(|part| part.parse::<f64>().unwrap());
    ticks / 90_000.0 + parts.fold(0.0, |seconds, part| seconds * 60.0 + part)
}

#[tokio::test]
async fn a_set_of_mp4_files_is_packaged() {
    let home = three_packages().await;
    let directory = home.source_directory();
    // B-frames, an edit list, sound between the pictures; a second file without sound.
    ffmpeg(&directory, &format!("{PICTURE} {SOUND} {H264} -bf 2 -c:a aac -ac 2 one.mp4"));
    ffmpeg(
        &directory,
        "-i one.mp4 -an -s 320x180 -c:v libx264 -preset ultrafast -bf 2 -g 30 -keyint_min 30 -sc_threshold 0 -movflags +faststart two.mp4",
    );
    std::fs::write(
        directory.join("en.srt"),
        "1\n00:00:01,500 --> 00:00:02,500\n<i>One</i> & two\n\n2\n00:00:05,000 --> 00:00:05,500\nlast\n",
    )
    .unwrap();
    std::fs::write(
        directory.join("set.smil"),
        r#"<smil><body><switch><video src="one.mp4" systemLanguage="eng" audioName="English"/><video src="two.mp4"/>
        <textstream src="en.srt" systemLanguage="eng" subtitleName="English"/></switch></body></smil>"#,
    )
    .unwrap();
    let urls = home.play("set.smil").await;
    for id in ["hls", "cmaf", "dash"] {
        check_playable(&home.download(&urls[id], id).await);
    }
    let parent = home.text(&urls["hls"]).await;
    assert!(parent.contains("CODECS=\"avc1.42c01e,mp4a.40.2\"") || parent.contains(",mp4a.40.2\""), "{parent}");
    assert!(parent.contains("TYPE=SUBTITLES") && !parent.contains("TYPE=AUDIO"), "{parent}");
    // The clock of the transport streams is ten seconds on from the files', that of the fragments is the presentation's, which
    // begins when the first frame is decoded.
    let captions = home.text(&urls["hls"].replace("index.m3u8", "index_4_0.vtt")).await;
    assert!(captions.contains("\n<i>One</i> &amp; two"), "{captions}");
    assert!((shown_seconds(&captions) - 11.5).abs() < 0.002, "{captions}");
    let captions = home.text(&urls["cmaf"].replace("index.m3u8", "index_4_2.vtt")).await;
    assert!(captions.contains("MPEGTS:0,") && captions.contains("\nlast") && !captions.contains("One"), "{captions}");
    let picture = probe(
        &["-select_streams", "v:0", "-show_entries", "packet=pts_time"],
        &home.directory.path().join("cmaf/index.m3u8"),
    );
    let picture =
        picture.lines().filter_map(|line| line.strip_prefix("pts_time=")?.parse().ok()).fold(f64::MAX, f64::min);
    assert!((shown_seconds(&captions) - picture - 5.0).abs() < 0.002, "{captions}");
    // ffprobe passes over captions in a manifest, but reads their files.
    let dash = home.directory.path().join("dash");
    let parts = ["index_4_init.mp4", "index_4_0.mp4"].map(|name| std::fs::read(dash.join(name)).unwrap());
    assert!(String::from_utf8_lossy(&parts[1]).contains("<span tts:fontStyle=\"italic\">One</span> &amp; two</p>"));
    std::fs::write(dash.join("captions.mp4"), parts.concat()).unwrap();
    let text = probe(
        &["-show_entries", "stream=codec_tag_string,nb_read_packets", "-count_packets"],
        &dash.join("captions.mp4"),
    );
    assert!(text.contains("codec_tag_string=stpp") && text.contains("nb_read_packets=1"), "{text}");
}

#[tokio::test]
async fn several_sounds_are_a_group() {
    let home = three_packages().await;
    let directory = home.source_directory();
    ffmpeg(
        &directory,
        &format!(
            "{PICTURE} {SOUND} -f lavfi -i sine=frequency=880:sample_rate=48000:duration=6.006 -map 0 -map 1 -map 2 {H264} -c:a:0 aac -c:a:1 ac3 -ac 2 one.mp4"
        ),
    );
    std::fs::write(
        directory.join("set.smil"),
        r#"<smil><body><switch><video src="one.mp4" systemLanguage="eng,fra" audioName="English,Français"/></switch></body></smil>"#,
    )
    .unwrap();
    let urls = home.play("set.smil").await;
    let parent = home.text(&urls["cmaf"]).await;
    // A codec for each group, a variant for each codec.
    assert!(parent.contains("GROUP-ID=\"audio\",NAME=\"English\",LANGUAGE=\"eng\""), "{parent}");
    assert!(parent.contains("GROUP-ID=\"audio-ac-3\",NAME=\"Français\",LANGUAGE=\"fra\""), "{parent}");
    assert_eq!(parent.matches("#EXT-X-STREAM-INF").count(), 2, "{parent}");
    let manifest = home.download(&urls["dash"], "dash").await;
    assert_eq!(decoded(&manifest, "a:0").1, "aac");
    let (frames, codec, last) = decoded(&manifest, "a:1");
    assert_eq!((frames, codec.as_str()), (188, "ac3"));
    assert!((last - 187.0 * 1536.0 / 48000.0).abs() < 0.04, "{last}");
    let playlist = home.download(&urls["hls"], "hls").await;
    assert_eq!(decoded(&playlist, "v:0").0, 180);
    let filtered = home.text(&format!("{}?aws.manifestfilter=audio_language:FRA", urls["dash"])).await;
    assert!(filtered.contains("ac-3") && !filtered.contains("mp4a"), "{filtered}");
}

#[tokio::test]
async fn e_ac3_passes_through_transport_streams() {
    let home = three_packages().await;
    let directory = home.source_directory();
    ffmpeg(
        &directory,
        &format!(
            "{PICTURE} {SOUND} {H264} -c:a eac3 -ac 2 -f hls -hls_time 1 -hls_playlist_type vod -master_pl_name clip.m3u8 -hls_segment_filename clip_%05d.ts one.m3u8"
        ),
    );
    let urls = home.play("clip.m3u8").await;
    for id in ["hls", "cmaf", "dash"] {
        let (frames, codec, last) = decoded(&home.download(&urls[id], id).await, "a:0");
        assert_eq!((frames, codec.as_str()), (188, "eac3"), "{id}");
        assert!((last - 187.0 * 1536.0 / 48000.0).abs() < 0.04, "{id}: {last}");
    }
}

#[tokio::test]
async fn high_dynamic_range_is_cmaf_and_dash_only() {
    let home = Home::new();
    home.group().await;
    home.package(
        "cmaf",
        "cmafPackage",
        json!({ "segmentDurationSeconds": 2, "hlsManifests": [{ "includeIframeOnlyStream": true }] }),
    )
    .await;
    home.package("dash", "dashPackage", json!({ "segmentDurationSeconds": 2, "dashManifests": [{}] })).await;
    let directory = home.source_directory();
    ffmpeg(
        &directory,
        "-f lavfi -i testsrc2=size=320x180:rate=30:duration=4 -f lavfi -i sine=duration=4:sample_rate=48000 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none:keyint=30:min-keyint=30:scenecut=0:open-gop=0:bframes=2:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc -c:a aac -ac 2 -f hls -hls_time 1 -hls_playlist_type vod -master_pl_name clip.m3u8 -hls_segment_filename clip_%05d.ts one.m3u8",
    );
    let urls = home.play("clip.m3u8").await;
    let parent = home.text(&urls["cmaf"]).await;
    assert!(parent.contains("hvc1.2.4.L") && parent.contains("VIDEO-RANGE=PQ"), "{parent}");
    for id in ["cmaf", "dash"] {
        let manifest = home.download(&urls[id], id).await;
        let (frames, codec, last) = decoded(&manifest, "v:0");
        assert_eq!((frames, codec.as_str()), (120, "hevc"));
        assert!((last - 119.0 / 30.0).abs() < 0.001, "{last}");
        let colour = probe(&["-select_streams", "v:0", "-show_entries", "stream=color_transfer,tag_string"], &manifest);
        assert!(colour.contains("smpte2084"), "{colour}");
    }
    let manifest = home.text(&urls["dash"]).await;
    assert!(manifest.contains("urn:mpeg:mpegB:cicp:TransferCharacteristics\" value=\"16\""), "{manifest}");

    // Transport streams of it are not given out; the other endpoints stay.
    home.package("hls", "hlsPackage", json!({ "hlsManifests": [{}] })).await;
    let asset = home.ingested("clip").await;
    let status = |id: &str| {
        let endpoints = asset["egressEndpoints"].as_array().unwrap();
        endpoints.iter().find(|endpoint| endpoint["packagingConfigurationId"] == id).unwrap()["status"].clone()
    };
    assert_eq!((status("hls"), status("cmaf")), (json!("FAILED"), json!("PLAYABLE")));
}

#[tokio::test]
async fn captions_of_hls_go_into_every_package() {
    let home = three_packages().await;
    let directory = home.source_directory();
    make_source(&directory);
    let parent = std::fs::read_to_string(directory.join("clip.m3u8")).unwrap();
    let media = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"English\",LANGUAGE=\"eng\",URI=\"en.m3u8\"\n";
    let parent = parent.replacen("#EXT-X-STREAM-INF:", &format!("{media}#EXT-X-STREAM-INF:"), 1);
    let parent = parent.replace("#EXT-X-STREAM-INF:", "#EXT-X-STREAM-INF:SUBTITLES=\"subs\",");
    std::fs::write(directory.join("clip.m3u8"), parent).unwrap();
    // ffmpeg's transport streams begin at 1.4 s plus what a B-frame waits.
    let first = probe(&["-select_streams", "v:0", "-show_entries", "packet=pts"], &directory.join("clip_0_00000.ts"));
    let first: u64 = first.lines().find_map(|line| line.strip_prefix("pts=")?.parse().ok()).unwrap();
    let mut playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n".to_owned();
    for second in 0..6 {
        let cue = format!("00:00:0{second}.250 --> 00:00:0{second}.750\nsecond {second}");
        let text = format!("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{first}\n\n{cue}\n");
        std::fs::write(directory.join(format!("en_{second}.vtt")), text).unwrap();
        playlist.push_str(&format!("#EXTINF:1.001,\nen_{second}.vtt\n"));
    }
    std::fs::write(directory.join("en.m3u8"), playlist + "#EXT-X-ENDLIST\n").unwrap();
    let urls = home.play("clip.m3u8").await;
    let captions = home.text(&urls["cmaf"].replace("index.m3u8", "index_3_1.vtt")).await;
    // The presentation begins with its first frame of picture or sound: the sound comes a little earlier.
    assert!(
        captions.contains("MPEGTS:0,") && captions.contains("second 2") && captions.contains("second 3"),
        "{captions}"
    );
    let parent = home.text(&urls["hls"]).await;
    assert!(parent.contains("TYPE=SUBTITLES") && parent.contains("SUBTITLES=\"subs\""), "{parent}");
    for id in ["hls", "cmaf", "dash"] {
        check_playable(&home.download(&urls[id], id).await);
    }
    let filtered = home.text(&format!("{}?aws.manifestfilter=subtitle_language:de", urls["hls"])).await;
    assert!(!filtered.contains("SUBTITLES"), "{filtered}");
}

#[tokio::test]
async fn hostile_mp4_files_fail_the_asset() {
    let good = |home: &Home| {
        ffmpeg(&home.source_directory(), &format!("{PICTURE} {H264} one.mp4"));
    };
    let check = async |words: &str, spoil: fn(&std::path::Path)| {
        let home = three_packages().await;
        good(&home);
        let directory = home.source_directory();
        std::fs::write(directory.join("set.smil"), "<smil><video src=\"one.mp4\"/></smil>").unwrap();
        spoil(&directory);
        let mut request = asset_request("clip", "reader");
        request["sourceArn"] = "arn:aws:s3:::media/v/set.smil".into();
        home.post("/assets", request).await;
        let asset = home.ingested("clip").await;
        assert_eq!(asset["egressEndpoints"][0]["status"], "FAILED", "{words}");
        let event = home.bus.events.lock().unwrap().last().unwrap().clone();
        let message = event.detail["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{message}");
    };
    check("no moov", |directory| std::fs::write(directory.join("one.mp4"), "text").unwrap()).await;
    check("beyond the end", |directory| {
        // The index before the frames, and the frames cut off.
        ffmpeg(directory, "-i one.mp4 -c copy -movflags +faststart fast.mp4");
        let bytes = std::fs::read(directory.join("fast.mp4")).unwrap();
        std::fs::write(directory.join("one.mp4"), &bytes[..bytes.len() / 2]).unwrap();
    })
    .await;
    check("fragmented", |directory| {
        ffmpeg(directory, "-i one.mp4 -c copy -movflags +frag_keyframe+empty_moov two.mp4");
        std::fs::rename(directory.join("two.mp4"), directory.join("one.mp4")).unwrap();
    })
    .await;
}
