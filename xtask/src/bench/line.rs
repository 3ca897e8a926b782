//! `cargo xtask bench line`: from upload to READY, against a bare ffmpeg that makes the same renditions.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Outcome,
    home::{self, Home, Place, Profile},
    shell::{command, output, root, run as run_command},
    tools,
};

/// Ports that no other home of this machine uses by default.
const PORT: u16 = 14566;
const EDGE_PORT: u16 = 18080;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each side is measured; the best of each counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Length of the sample in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Measure the quick-to-build programs instead of the release.
    #[arg(long)]
    dev: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    tools::ffmpeg()?;
    let profile = if arguments.dev { Profile::Dev } else { Profile::Release };
    home::build(profile)?;
    home::build_site()?;
    let sample = root().join(format!("target/demo/sample-{}.mp4", arguments.seconds));
    home::sample(&sample, arguments.seconds)?;
    let work = root().join("target/bench/line");
    let _ = std::fs::remove_dir_all(&work);
    let home = Home::start(profile, &Place { data: work.join("data"), port: PORT, edge_port: EDGE_PORT })?;
    let (mut line, mut bare) = (Duration::MAX, Duration::MAX);
    let mut row = Value::Null;
    // In turns, so that a busy minute of the machine falls on both.
    for round in 1..=arguments.rounds {
        println!("==> round {round} of {}", arguments.rounds);
        let began = Instant::now();
        let text = output(home.vodline().args(["upload", "--json"]).arg(&sample))?;
        line = line.min(began.elapsed());
        row = serde_json::from_str(&text).map_err(|error| format!("the row cannot be read: {error}"))?;
        if row["status"] != "READY" {
            return Err(format!("the video is {}", row["status"]));
        }
        bare = bare.min(bare_ffmpeg(&sample, &work.join("bare"), &row)?);
    }
    let arn = row["executionArn"].as_str().unwrap_or_default();
    let transitions = entered(&home, arn)?;
    println!();
    println!("from upload to READY         {:>8.2} s", line.as_secs_f64());
    println!("bare ffmpeg, same renditions {:>8.2} s", bare.as_secs_f64());
    println!("ratio                        {:>8.3}   (aim: at most 1.15)", line.as_secs_f64() / bare.as_secs_f64());
    println!("state transitions            {transitions:>8}   (aim: 12; 9 without storyboard and choice of packaging)");
    println!(
        "Lambda invocations           {:>8}   (aim: 13, and one for each 10 s of transcode)",
        invocations(&home, arguments.rounds)?
    );
    Ok(())
}

/// The least one would do by hand: one decode, a chain of scales, every rendition with sound, the watermarked MP4, stills.
fn bare_ffmpeg(sample: &Path, folder: &Path, row: &Value) -> Outcome<Duration> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let rungs: Vec<(u64, u64)> = row["renditions"]
        .as_array()
        .into_iter()
        .flatten()
        .rev()
        .filter_map(|rung| Some((rung["width"].as_u64()?, rung["height"].as_u64()?)))
        .collect();
    // The watermark is put on the rendition that the line puts it on: 720p, or the largest there is.
    let marked = rungs.iter().position(|(w, h)| *w.min(h) <= 720).unwrap_or(0);
    let count = rungs.len();
    let mut graph = String::new();
    let mut last = "0:v".to_owned();
    for (index, (width, height)) in rungs.iter().enumerate() {
        let also_marked = index == marked;
        let outputs = 1 + usize::from(index + 1 < count) + usize::from(also_marked);
        graph += &format!("[{last}]scale={width}:{height}:flags=bicubic,split={outputs}[v{index}]");
        if index + 1 < count {
            graph += &format!("[next{index}]");
            last = format!("next{index}");
        }
        if also_marked {
            graph += "[plain]";
        }
        graph.push(';');
    }
    graph += "[plain][1:v]overlay=24:24[mp4];";
    let sounds: String = (0..=count).map(|index| format!("[a{index}]")).collect();
    graph += &format!("[0:a]loudnorm=I=-16:TP=-1,aresample=48000,asplit={}{sounds}", count + 1);
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-y", "-i"]).arg(sample);
    ffmpeg.arg("-i").arg(root().join("assets/watermark.png")).args(["-filter_complex", &graph]);
    let encode = |ffmpeg: &mut std::process::Command, video: &str, sound: usize, short_side: u64| {
        let maxrate = match short_side {
            0..=360 => 1_000,
            361..=540 => 2_000,
            541..=720 => 3_000,
            _ => 6_000,
        };
        ffmpeg.args([
            "-map",
            &format!("[{video}]"),
            "-map",
            &format!("[a{sound}]"),
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
        ]);
        ffmpeg.args([
            "-profile:v",
            "main",
            "-refs",
            "3",
            "-bf",
            "2",
            "-crf",
            "22",
            "-force_key_frames",
            "expr:gte(t,n_forced*3)",
        ]);
        ffmpeg.args(["-maxrate", &format!("{maxrate}k"), "-bufsize", &format!("{}k", maxrate * 5 / 2)]);
        ffmpeg.args(["-c:a", "aac", "-b:a", "96k", "-ac", "2"]);
    };
    for (index, (width, height)) in rungs.iter().enumerate() {
        encode(&mut ffmpeg, &format!("v{index}"), index, *width.min(height));
        ffmpeg
            .args(["-f", "hls", "-hls_time", "3", "-hls_playlist_type", "vod"])
            .arg(folder.join(format!("{height}p.m3u8")));
    }
    let (width, height) = rungs.get(marked).copied().unwrap_or_default();
    encode(&mut ffmpeg, "mp4", count, width.min(height));
    ffmpeg.args(["-movflags", "+faststart"]).arg(folder.join("video.mp4"));
    let began = Instant::now();
    run_command("bare ffmpeg", &mut ffmpeg)?;
    run_command(
        "bare ffmpeg, stills",
        command("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-y", "-skip_frame", "nokey", "-i"])
            .arg(sample)
            .args(["-vf", "fps=1/3", "-q:v", "3"])
            .arg(PathBuf::from(folder).join("still.%07d.jpg")),
    )?;
    Ok(began.elapsed())
}

/// States entered by the run, as the CLI tells them.
fn entered(home: &Home, arn: &str) -> Outcome<usize> {
    let text = output(home.vodline().args(["run", arn]))?;
    Ok(text.lines().skip_while(|line| !line.starts_with("STATE")).skip(1).filter(|line| !line.is_empty()).count())
}

/// Invocations per video, progress updates left out: one for each 10 s of transcode comes on top.
fn invocations(home: &Home, videos: u32) -> Outcome<f64> {
    const FUNCTIONS: &[&str] = &[
        "admit-upload",
        "probe-source",
        "start-job",
        "on-job-complete",
        "ensure-packaging-group",
        "attach-origin",
        "ingest-asset",
        "on-asset-playable",
        "verify-playback",
        "record-catalog",
        "record-run-status",
        "make-storyboard",
    ];
    let mut total = 0;
    for function in FUNCTIONS {
        let log = output(home.vodline().args(["logs", function, "--filter", "REPORT RequestId"]))?;
        total += log.lines().filter(|line| line.contains("REPORT RequestId")).count();
    }
    Ok(total as f64 / f64::from(videos))
}
