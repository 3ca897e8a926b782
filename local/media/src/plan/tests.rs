//! Plans as tables: what is asked for, and what of it stands on the command line.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};

use super::*;
use crate::{job::decode_settings, source::facts_from_json};

fn line() -> Value {
    serde_json::from_str(include_str!("../../tests/data/line-job.json")).unwrap()
}

/// A 1080p source of ten seconds with stereo sound, changed as told.
fn facts(video: Option<Value>, audio_tracks: usize) -> SourceFacts {
    let mut streams = Vec::new();
    if let Some(changes) = video {
        let mut stream = json!({"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080,
            "r_frame_rate": "30/1", "avg_frame_rate": "30/1", "pix_fmt": "yuv420p"});
        for (key, value) in changes.as_object().unwrap() {
            stream[key] = value.clone();
        }
        streams.push(stream);
    }
    for _ in 0..audio_tracks {
        streams.push(json!({"index": streams.len(), "codec_type": "audio", "codec_name": "aac", "channels": 2,
            "sample_rate": "48000"}));
    }
    let report = json!({"streams": streams, "format": {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "10.0"}});
    facts_from_json(report.to_string().as_bytes(), b"").unwrap()
}

fn plan_of(settings: &Value, facts: &SourceFacts) -> Plan {
    plan(&decode_settings(settings).unwrap(), std::slice::from_ref(facts)).unwrap()
}

fn option<'a>(arguments: &'a [String], name: &str) -> &'a str {
    let at = arguments.iter().position(|argument| argument == name);
    &arguments[at.unwrap_or_else(|| panic!("{name} in {arguments:?}")) + 1]
}

#[test]
fn the_lines_job_is_one_decode_and_each_encode_once() {
    let plan = plan_of(&line(), &facts(Some(json!({})), 1));
    let arguments = plan.transcode.unwrap();
    assert_eq!(
        option(&arguments, "-filter_complex"),
        "[0:0]fps=30/1:start_time=0[n0_0];\
         [n0_0]scale=1280:720:flags=bicubic,format=yuv420p,split=3[n1_0][n1_1][n1_2];\
         [n1_0]scale=960:540:flags=bicubic,format=yuv420p,split=2[n2_0][n2_1];\
         [n2_0]scale=640:360:flags=bicubic,format=yuv420p,blackdetect=d=0.08,metadata=mode=print:file=black.txt[n3_0];\
         [n3_0]setsar=1/1[n4_0];\
         [n2_1]setsar=1/1[n5_0];\
         [n1_1]setsar=1/1[n6_0];\
         [n1_2]setsar=1/1[n7_0];\
         [1:0]format=rgba,scale=120:40,colorchannelmixer=aa=0.60[n8_0];\
         [n7_0][n8_0]overlay=20:20:format=yuv420[n9_0];\
         [0:1]aresample=async=1:first_pts=0,aformat=channel_layouts=stereo,loudnorm=I=-23.0:TP=0.0:LRA=11,\
         aformat=sample_rates=48000[n10_0]"
    );
    // Three rungs that HLS and DASH share, the watermarked picture, and one sound for all.
    let maps: Vec<_> = arguments.windows(2).filter(|pair| pair[0] == "-map").map(|pair| pair[1].as_str()).collect();
    assert_eq!(maps, ["[n4_0]", "[n5_0]", "[n6_0]", "[n9_0]", "[n10_0]"]);
    assert_eq!(option(&arguments, "-crf:v:0"), "22.0");
    assert_eq!(option(&arguments, "-maxrate:v:0"), "1000000");
    assert_eq!(option(&arguments, "-bufsize:v:0"), "2500000");
    assert_eq!(option(&arguments, "-force_key_frames:v:2"), "expr:gte(t,n_forced*3)");
    assert_eq!(option(&arguments, "-x264-params:v:2"), "keyint=infinite:min-keyint=90:open-gop=0:scenecut=40:cabac=1");
    let tee = arguments.last().unwrap();
    let selected: Vec<_> = tee.split('|').map(|slave| slave.split(':').next().unwrap()).collect();
    assert_eq!(
        selected,
        [
            "[select=0,4",
            "[select=1,4",
            "[select=2,4",
            "[select=3,4",
            "[select=0",
            "[select=1",
            "[select=2",
            "[select=4"
        ]
    );
    assert!(tee.contains("hls_segment_filename=g0o2/%05d.ts]g0o2/index.m3u8"), "{tee}");
    assert!(tee.contains("[select=3,4:f=mp4:movflags=+faststart]g1o0/file.mp4"), "{tee}");
    let capture = plan.capture.unwrap();
    assert_eq!(option(&capture, "-frames:v"), "5");
    assert_eq!(option(&capture, "-skip_frame"), "nokey");
    assert_eq!(plan.images.len(), 1);
}

#[test]
fn the_source_is_opened_as_a_file_of_a_known_container_and_nothing_else() {
    let plan = plan_of(&line(), &facts(Some(json!({})), 1));
    for arguments in [plan.transcode.unwrap(), plan.capture.unwrap()] {
        let inputs = arguments.iter().filter(|argument| *argument == "-i").count();
        let whitelists = arguments.iter().filter(|argument| *argument == "-protocol_whitelist").count();
        assert_eq!(inputs, whitelists);
        assert_eq!(option(&arguments, "-i"), "file:source");
        assert_eq!(option(&arguments, "-format_whitelist"), crate::source::INPUT_FORMATS);
        assert!(arguments.contains(&"-nostdin".to_owned()));
    }
    for format in ["hls", "dash", "concat", "image2", "lavfi", "rtsp"] {
        assert!(!crate::source::INPUT_FORMATS.split(',').any(|allowed| allowed == format));
    }
}

/// The sizes of the ladder's rungs for a source.
#[test]
fn sizes_follow_the_displayed_picture() {
    let check = |video: Value, sizes: [(u32, u32); 3], turns: &str| {
        let plan = plan_of(&line(), &facts(Some(video.clone()), 1));
        let made: Vec<_> = plan.groups[0].iter().map(|o| o.video.map(|v| (v.width, v.height)).unwrap()).collect();
        assert_eq!(made, sizes, "{video}");
        assert!(option(&plan.transcode.unwrap(), "-filter_complex").contains(turns), "{video}");
    };
    check(json!({}), [(640, 360), (960, 540), (1280, 720)], "start_time=0[");
    check(json!({"width": 320, "height": 180}), [(320, 180); 3], "");
    check(json!({"width": 1440}), [(480, 360), (720, 540), (960, 720)], "");
    let portrait = json!({"side_data_list": [{"rotation": -90}]});
    check(portrait, [(202, 360), (304, 540), (406, 720)], "start_time=0,transpose=clock");
    let pal = json!({"width": 720, "height": 576, "sample_aspect_ratio": "64:45"});
    check(pal, [(640, 360), (960, 540), (1024, 576)], "");
    check(json!({"field_order": "tt"}), [(640, 360), (960, 540), (1280, 720)], "[0:0]yadif=deint=interlaced,fps");
    check(json!({"width": 641, "height": 361}), [(640, 360), (642, 362), (642, 362)], "");
}

#[test]
fn what_a_source_lacks() {
    let settings = decode_settings(&line()).unwrap();
    let silent = plan(&settings, &[facts(Some(json!({})), 0)]).unwrap();
    assert!(silent.groups.iter().flatten().all(|output| output.audios.is_empty()));
    assert_eq!(silent.groups[3].len(), 3, "the DASH group's sound is left out");
    assert!(!silent.transcode.unwrap().iter().any(|argument| argument.starts_with("-c:a")));
    let blind = plan(&settings, &[facts(None, 1)]);
    assert_eq!(blind, Err(PlanError::Video { group: 0, output: 0 }));

    let mut sound_only = line();
    let group = sound_only["outputGroups"][3].as_object_mut().unwrap();
    let outputs = group["outputs"].as_array_mut().unwrap();
    outputs.drain(..3);
    let sound_only = json!({"inputs": sound_only["inputs"], "outputGroups": [sound_only["outputGroups"][3]]});
    let settings = decode_settings(&sound_only).unwrap();
    assert!(plan(&settings, &[facts(None, 1)]).is_ok());
    assert_eq!(plan(&settings, &[facts(Some(json!({})), 0)]), Err(PlanError::Audio { group: 0 }));
}

#[test]
fn a_selector_chooses_the_track() {
    let mut settings = line();
    settings["inputs"][0]["audioSelectors"]["Audio Selector 1"]["tracks"] = json!([2]);
    let two = plan_of(&settings, &facts(Some(json!({})), 2));
    assert!(option(&two.transcode.unwrap(), "-filter_complex").contains("[0:2]aresample"));
    let one = plan(&decode_settings(&settings).unwrap(), &[facts(Some(json!({})), 1)]);
    assert_eq!(one, Err(PlanError::Track { wanted: "track 2".into(), available: 1 }));
}

#[test]
fn rate_control_and_gops() {
    let check = |changes: Value, expected: &[(&str, &str)]| {
        let mut settings = line();
        settings["outputGroups"].as_array_mut().unwrap().truncate(1);
        let h264 = &mut settings["outputGroups"][0]["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"];
        for (key, value) in changes.as_object().unwrap() {
            h264[key] = value.clone();
        }
        let arguments = plan_of(&settings, &facts(Some(json!({"r_frame_rate": "30000/1001"})), 1)).transcode.unwrap();
        for (name, value) in expected {
            assert!(option(&arguments, name).contains(value), "{changes}: {name} {}", option(&arguments, name));
        }
    };
    check(json!({"qvbrSettings": {"qvbrQualityLevel": 9, "qvbrQualityLevelFineTune": 0.5}}), &[("-crf:v:0", "17.0")]);
    check(json!({"rateControlMode": "VBR", "bitrate": 800_000}), &[("-b:v:0", "800000"), ("-maxrate:v:0", "1000000")]);
    check(
        json!({"rateControlMode": "CBR", "bitrate": 800_000, "hrdBufferSize": 900_000}),
        &[("-maxrate:v:0", "800000"), ("-bufsize:v:0", "900000"), ("-x264-params:v:0", "nal-hrd=cbr")],
    );
    check(json!({"gopSize": 1.5}), &[("-force_key_frames:v:0", "n_forced*1.5"), ("-x264-params:v:0", "min-keyint=45")]);
    check(
        json!({"gopSize": 48, "gopSizeUnits": "FRAMES"}),
        &[("-force_key_frames:v:0", "not(mod(n,48))"), ("-x264-params:v:0", "min-keyint=48")],
    );
    check(json!({"gopSizeUnits": "AUTO", "gopSize": 0}), &[("-force_key_frames:v:0", "n_forced*3")]);
    check(
        json!({"codecProfile": "BASELINE", "numberBFramesBetweenReferenceFrames": 0}),
        &[("-x264-params:v:0", "cabac=0")],
    );
    check(
        json!({"framerateControl": "SPECIFIED", "framerateNumerator": 25, "framerateDenominator": 1}),
        &[("-filter_complex", "fps=25/1:start_time=0"), ("-filter_complex", "fps=30000/1001:start_time=0")],
    );
    check(json!({"qualityTuningLevel": "MULTI_PASS_HQ"}), &[("-preset:v:0", "medium")]);
    check(json!({"codecLevel": "LEVEL_3_1"}), &[("-level:v:0", "3.1")]);
    check(json!({"sceneChangeDetect": "DISABLED"}), &[("-x264-params:v:0", "scenecut=0")]);
}

#[test]
fn loudness() {
    let check = |normalization: Value, expected: &str| {
        let mut settings = line();
        settings["outputGroups"].as_array_mut().unwrap().truncate(1);
        for output in settings["outputGroups"][0]["outputs"].as_array_mut().unwrap() {
            output["audioDescriptions"][0]["audioNormalizationSettings"] = normalization.clone();
        }
        let arguments = plan_of(&settings, &facts(Some(json!({})), 1)).transcode.unwrap();
        let graph = option(&arguments, "-filter_complex");
        assert_eq!(graph.split_once("loudnorm").map_or("", |(_, rest)| rest.split(',').next().unwrap()), expected);
    };
    check(json!({}), "=I=-23.0:TP=0.0:LRA=11");
    check(json!({"algorithm": "ITU_BS_1770_1"}), "=I=-24.0:TP=0.0:LRA=11");
    check(json!({"targetLkfs": -16, "truePeakLimiterThreshold": -1.5}), "=I=-16.0:TP=-1.5:LRA=11");
    check(json!({"algorithmControl": "MEASURE_ONLY"}), "");
}

#[test]
fn stills_are_counted_from_the_length() {
    let check = |numerator: u32, denominator: u32, max: u32, expected: &str| {
        let mut settings = line();
        let capture = json!({"framerateNumerator": numerator, "framerateDenominator": denominator, "maxCaptures": max, "quality": 100});
        settings["outputGroups"][2]["outputs"][0]["videoDescription"]["codecSettings"]["frameCaptureSettings"] =
            capture;
        let arguments = plan_of(&settings, &facts(Some(json!({})), 1)).capture.unwrap();
        assert_eq!(option(&arguments, "-frames:v"), expected, "{numerator}/{denominator}");
        assert_eq!(option(&arguments, "-q:v"), "2");
    };
    check(1, 5, 100, "2");
    check(1, 3, 100, "4");
    check(1, 100, 100, "1");
    check(30, 1, 7, "7");
}

#[test]
fn stills_of_a_high_dynamic_range_are_brought_down_where_the_job_says_so() {
    let check = |corrector: Value, transfer: &str, expected: bool| {
        let mut settings = line();
        let still = &mut settings["outputGroups"][2]["outputs"][0]["videoDescription"];
        still["videoPreprocessors"] = json!({"colorCorrector": corrector});
        let source = json!({"color_transfer": transfer, "color_primaries": "bt2020", "color_space": "bt2020nc"});
        let arguments = plan_of(&settings, &facts(Some(source), 1)).capture.unwrap();
        let graph = option(&arguments, "-filter_complex");
        assert_eq!(graph.contains("tonemap=tonemap=hable"), expected, "{corrector} {transfer}: {graph}");
    };
    check(json!({"colorSpaceConversion": "FORCE_709"}), "smpte2084", true);
    check(json!({"colorSpaceConversion": "FORCE_709"}), "arib-std-b67", true);
    check(json!({"colorSpaceConversion": "FORCE_709"}), "bt709", false);
    check(json!({}), "smpte2084", false);
}

#[test]
fn pictures_for_winding_are_made_of_finished_outputs() {
    let trick_play = |source: Value, group: usize, changes: Value| {
        let mut settings = line();
        let kind = if group == 0 { "hlsGroupSettings" } else { "dashIsoGroupSettings" };
        let of = &mut settings["outputGroups"][group]["outputGroupSettings"][kind];
        for (name, value) in changes.as_object().unwrap() {
            of[name] = value.clone();
        }
        let plan = plan(&decode_settings(&settings).unwrap(), &[facts(Some(source), 1)]);
        plan.map(|plan| (plan.tiles.concat(), plan.tile_runs, plan.transcode.unwrap(), plan.capture.unwrap()))
    };
    let advanced =
        |settings: Value| json!({"imageBasedTrickPlay": "ADVANCED", "imageBasedTrickPlaySettings": settings});
    // Each set: its size, its layout, its interval as a fraction of a second, the output it is made of, and its filters' heart.
    type Set = ((u32, u32), (u32, u32), (u32, u32), &'static str, &'static str);
    let check = |source: Value, group: usize, changes: Value, expected: &[Set]| {
        let (tiles, runs, transcode, capture) = trick_play(source, group, changes.clone()).unwrap();
        assert_eq!((tiles.len(), runs.len()), (expected.len(), expected.len()), "{changes}");
        for ((tiles, run), (size, layout, interval, from, filter)) in tiles.iter().zip(&runs).zip(expected) {
            assert_eq!((tiles.width, tiles.height), *size, "{changes}");
            assert_eq!((tiles.columns, tiles.rows), *layout, "{changes}");
            assert_eq!((tiles.interval.numerator, tiles.interval.denominator), *interval, "{changes}");
            assert_eq!(option(run, "-i"), format!("file:{from}/index.m3u8"));
            assert!(option(run, "-vf").contains(filter), "{changes}: {}", option(run, "-vf"));
            assert_eq!(run.contains(&"nokey".to_owned()), !filter.contains("select="), "{changes}");
        }
        // No sparse stream is added to what encodes, nor to the stills of the source.
        let (_, _, plain, stills) = trick_play(json!({}), group, json!({})).unwrap();
        if expected.is_empty() {
            assert_eq!((transcode, capture), (plain, stills));
        } else {
            assert_eq!(transcode.len(), plain.len());
            assert_eq!(capture.len(), stills.len());
        }
    };
    let thumbnail = |from| ((312, 176), (3, 3), (3, 1), from, "fps=1/3:start_time=0:round=near,trim=end_frame=4,");
    check(json!({}), 0, json!({"imageBasedTrickPlay": "NONE"}), &[]);
    check(json!({}), 0, json!({"imageBasedTrickPlay": "THUMBNAIL"}), &[thumbnail("g0o0")]);
    check(json!({}), 3, json!({"imageBasedTrickPlay": "THUMBNAIL"}), &[thumbnail("g3o0")]);
    check(
        json!({}),
        0,
        json!({"imageBasedTrickPlay": "THUMBNAIL_AND_FULLFRAME"}),
        &[thumbnail("g0o0"), ((1280, 720), (1, 1), (3, 1), "g0o2", "scale=1280:720:")],
    );
    check(json!({}), 0, advanced(json!({})), &[thumbnail("g0o0")]);
    check(
        json!({"r_frame_rate": "30000/1001", "avg_frame_rate": "30000/1001"}),
        0,
        advanced(json!({"intervalCadence": "FOLLOW_CUSTOM", "thumbnailInterval": 5, "thumbnailWidth": 160,
            "tileWidth": 10, "tileHeight": 2})),
        &[((160, 90), (10, 2), (1001, 200), "g0o0", r"select=not(mod(n\,150)),trim=end_frame=2,scale=160:90:")],
    );
    check(
        json!({}),
        0,
        advanced(json!({"thumbnailWidth": 64, "thumbnailHeight": 64, "tileWidth": 1, "tileHeight": 64})),
        &[((64, 64), (1, 64), (3, 1), "g0o0", "tile=1x64")],
    );
    let too_large = |settings: Value| trick_play(json!({}), 0, advanced(settings)).unwrap_err();
    assert_eq!(
        too_large(json!({"thumbnailWidth": 4096, "tileHeight": 2})),
        PlanError::Tile { group: 0, width: 12_288, height: 4608 }
    );
    assert!(matches!(too_large(json!({"tileWidth": 512})), PlanError::Tile { width: 159_744, .. }));
}

#[test]
fn every_codec_has_its_options() {
    let check = |codec: Value, container: &str, expected: &[(&str, &str)]| {
        let mut settings = line();
        settings["outputGroups"] = json!([{
            "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS", "fileGroupSettings": {"destination": "s3://media/v/x"}},
            "outputs": [{"containerSettings": {"container": container}, "videoDescription": {"codecSettings": codec}}],
        }]);
        let arguments = plan_of(&settings, &facts(Some(json!({})), 0)).transcode.unwrap();
        for (name, value) in expected {
            assert!(option(&arguments, name).contains(value), "{codec}: {name} {}", option(&arguments, name));
        }
    };
    check(
        json!({"codec": "H_265", "h265Settings": {"rateControlMode": "QVBR", "maxBitrate": 900_000, "gopSize": 2,
            "gopSizeUnits": "SECONDS", "codecProfile": "MAIN10_HIGH", "codecLevel": "LEVEL_4_1"}}),
        "MP4",
        &[
            ("-c:v:0", "libx265"),
            ("-crf:v:0", "22.0"),
            ("-profile:v:0", "main10"),
            ("-tag:v:0", "hvc1"),
            ("-force_key_frames:v:0", "n_forced*2"),
            ("-x265-params:v:0", "min-keyint=60:open-gop=0:high-tier=1"),
            ("-x265-params:v:0", "level-idc=4.1"),
            ("-filter_complex", "format=yuv420p10le"),
        ],
    );
    check(
        json!({"codec": "VP9", "vp9Settings": {"bitrate": 500_000, "gopSize": 60}}),
        "WEBM",
        &[("-c:v:0", "libvpx-vp9"), ("-maxrate:v:0", "1000000"), ("-force_key_frames:v:0", "not(mod(n,60))")],
    );
    check(
        json!({"codec": "AV1", "av1Settings": {"maxBitrate": 500_000, "gopSize": 60, "bitDepth": "BIT_10"}}),
        "MP4",
        &[("-c:v:0", "libsvtav1"), ("-crf:v:0", "35"), ("-g:v:0", "60"), ("-filter_complex", "format=yuv420p10le")],
    );
    check(
        json!({"codec": "PRORES", "proresSettings": {"codecProfile": "APPLE_PRORES_4444"}}),
        "MOV",
        &[("-c:v:0", "prores_ks"), ("-profile:v:0", "4"), ("-filter_complex", "format=yuv444p10le")],
    );
}

#[test]
fn clips_and_inputs_are_joined_by_one_filter() {
    let mut settings = line();
    settings["outputGroups"].as_array_mut().unwrap().truncate(1);
    settings["inputs"][0]["inputClippings"] = json!([{"startTimecode": "00:00:02:00", "endTimecode": "00:00:02:29"}]);
    let clip = plan_of(&settings, &facts(Some(json!({})), 1));
    assert!(!clip.whole && (clip.duration_seconds - 1.0).abs() < 1e-6);
    let arguments = clip.transcode.unwrap();
    assert_eq!((option(&arguments, "-ss"), option(&arguments, "-t")), ("1.995833", "1.000000"));
    assert!(!option(&arguments, "-filter_complex").contains("concat"));

    let second = settings["inputs"][0].clone();
    settings["inputs"].as_array_mut().unwrap().push(second);
    let both = [facts(Some(json!({})), 1), facts(Some(json!({})), 0)];
    let joined = plan(&decode_settings(&settings).unwrap(), &both).unwrap().transcode.unwrap();
    let graph = option(&joined, "-filter_complex");
    assert!(graph.contains("concat=n=2:v=1:a=1") && graph.contains("anullsrc"), "{graph}");
    assert_eq!(joined.iter().filter(|argument| argument.starts_with("file:source")).count(), 2);
}
