//! Clips made with ffmpeg, and what ffprobe says of what comes out.

use std::{path::Path, process::Command};

/// A source of 6 s in two renditions with segments of 1 s, as MediaConvert lays it out.
pub(crate) fn make_source(directory: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30000/1001:duration=6"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=6"])
        .args(["-filter_complex", "[0:v]split[a][b];[b]scale=320:180[c]"])
        .args(["-map", "[a]", "-map", "1:a", "-map", "[c]", "-map", "1:a"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"])
        .args(["-b:v:0", "800k", "-b:v:1", "200k", "-c:a", "aac", "-ac", "2", "-f", "hls", "-hls_time", "1"])
        .args(["-hls_playlist_type", "vod", "-master_pl_name", "clip.m3u8", "-var_stream_map", "v:0,a:0 v:1,a:1"])
        .args(["-hls_segment_filename"])
        .arg(directory.join("clip_%v_%05d.ts"))
        .arg(directory.join("clip_%v.m3u8"))
        .status()
        .unwrap();
    assert!(status.success());
}

/// What ffprobe says, as `name=value` lines.
pub(crate) fn probe(arguments: &[&str], input: &Path) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "default=noprint_wrappers=1"])
        .args(arguments)
        .arg(input)
        .output()
        .unwrap();
    // ffmpeg counts the segments of a template without timeline in whole seconds, and asks for one too many.
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints = complaints.lines().filter(|line| !line.contains("Error when loading first fragment of playlist"));
    assert!(output.status.success() && complaints.clone().next().is_none(), "{:?}", complaints.collect::<Vec<_>>());
    String::from_utf8(output.stdout).unwrap()
}

/// Frames of each kind, and how far apart the first of each are, of what ffprobe reads from a manifest.
pub(crate) fn check_playable(manifest: &Path) {
    let video = probe(
        &["-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames,width,height,codec_name"],
        manifest,
    );
    assert!(video.contains("nb_read_frames=180") && video.contains("codec_name=h264"), "{video}");
    let times = |stream: &str| -> Vec<f64> {
        probe(&["-select_streams", stream, "-show_entries", "packet=pts_time"], manifest)
            .lines()
            .filter_map(|line| line.strip_prefix("pts_time=")?.parse().ok())
            .collect()
    };
    let (mut video, audio) = (times("v:0"), times("a:0"));
    video.sort_by(f64::total_cmp);
    let steps = video.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.into_iter().all(|step| (step - 1001.0 / 30000.0).abs() < 0.001), "{video:?}");
    let steps = audio.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.into_iter().all(|step| (step - 1024.0 / 48000.0).abs() < 0.001), "{audio:?}");
    assert!((video[0] - audio[0]).abs() < 0.04, "{} {}", video[0], audio[0]);
}

/// Runs ffmpeg in a directory.
pub(crate) fn ffmpeg(directory: &Path, arguments: &str) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .status()
        .unwrap();
    assert!(status.success(), "{arguments}");
}

/// The files that a playlist names.
pub(crate) fn named_in_playlist(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let attributes = text.split("URI=\"").skip(1).filter_map(|rest| rest.split('"').next());
    lines.chain(attributes).map(str::to_owned).collect()
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(&format!(" {name}=\"")).nth(1)?.split('"').next()
}

/// The files that a DASH manifest names: every segment of every representation.
pub(crate) fn named_in_mpd(text: &str) -> Vec<String> {
    let total: f64 = attribute(text, "mediaPresentationDuration").unwrap()[2..].trim_end_matches('S').parse().unwrap();
    let mut names = Vec::new();
    for set in text.split("<AdaptationSet ").skip(1) {
        // The template is in the set or in each representation.
        let shared = set.split("<Representation ").next().filter(|head| head.contains("<SegmentTemplate"));
        for representation in set.split("<Representation ").skip(1) {
            let id = attribute(&format!(" {representation}"), "id").unwrap().to_owned();
            let template = shared.unwrap_or(representation).split("<SegmentTemplate").nth(1).unwrap();
            let named = |name: &str| attribute(template, name).unwrap().replace("$RepresentationID$", &id);
            names.push(named("initialization"));
            let media = named("media");
            let mut time = 0_u64;
            let mut times = Vec::new();
            for entry in template.split("<S ").skip(1) {
                let number =
                    |name: &str| attribute(&format!(" {entry}"), name).map(|value| value.parse::<u64>().unwrap());
                time = number("t").unwrap_or(time);
                for _ in 0..=number("r").unwrap_or(0) {
                    times.push(time);
                    time += number("d").unwrap();
                }
            }
            if let Some(duration) = attribute(template, "duration") {
                let scale: f64 = attribute(template, "timescale").unwrap().parse().unwrap();
                let count = (total / (duration.parse::<f64>().unwrap() / scale)).ceil() as usize;
                times.resize(count, 0);
            }
            let name = |(index, time): (usize, &u64)| {
                media.replace("$Number$", &index.to_string()).replace("$Time$", &time.to_string())
            };
            names.extend(times.iter().enumerate().map(name));
        }
    }
    names
}
