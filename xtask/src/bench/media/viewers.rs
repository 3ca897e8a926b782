//! Many viewers of one video, at real pace: no stall, no error, and every object fetched from its origin once.

use std::{fs, time::Instant};

use serde_json::Value;

use super::Row;
use crate::{
    Outcome,
    home::{self, Home, Place, Profile},
    shell::{cargo, command, output, root, run as run_command},
};

/// Ports that no other home of this machine uses by default.
const PORT: u16 = 14572;
const EDGE_PORT: u16 = 18090;
const VIEWERS: u32 = 500;
/// How long each of them watches.
const SECONDS: u32 = 60;

pub(crate) fn run(profile: Profile) -> Outcome<Vec<Row>> {
    let mut build = cargo();
    build.args(["build", "--package", "vodline-tests", "--example", "viewers"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    run_command("build the viewers", &mut build)?;
    let sample = root().join(format!("target/demo/sample-{SECONDS}.mp4"));
    if !sample.exists() {
        home::sample(&sample, SECONDS)?;
    }
    let work = root().join("target/bench/viewers");
    let _ = fs::remove_dir_all(&work);
    let home = Home::start(profile, &Place { data: work.join("data"), port: PORT, edge_port: EDGE_PORT })?;
    println!("==> publish a video of {SECONDS} s");
    let text = output(home.vodline().args(["upload", "--json"]).arg(&sample))?;
    let row: Value = serde_json::from_str(&text).map_err(|error| format!("the row cannot be read: {error}"))?;
    let hls = row["playback"]["hls"].as_str().ok_or_else(|| format!("the video is {}", row["status"]))?;
    drop(home);
    // A new process, with what the first one kept on the disk removed: nothing is in its cache.
    let _ = fs::remove_dir_all(work.join("data/edge-cache"));
    let home = Home::start(profile, &Place { data: work.join("data"), port: PORT, edge_port: EDGE_PORT })?;
    let master = if hls.starts_with('/') { format!("http://127.0.0.1:{EDGE_PORT}{hls}") } else { hls.to_owned() };
    println!("==> {VIEWERS} viewers for {SECONDS} s");
    let began = Instant::now();
    let text = output(command(profile.folder().join("examples/viewers")).args([
        &master,
        &VIEWERS.to_string(),
        &SECONDS.to_string(),
    ]))?;
    let took = began.elapsed();
    drop(home);
    let seen: Value = serde_json::from_str(&text).map_err(|error| format!("the viewers printed {text}: {error}"))?;
    let number = |name: &str| seen[name].as_u64().ok_or_else(|| format!("the viewers did not count {name}"));
    let rate = number("bytes")? as f64 * 8.0 / took.as_secs_f64() / 1e6;
    let none = |what: &str, name: &str| -> Outcome<Row> {
        let count = number(name)?;
        let what = format!("{VIEWERS} viewers, {what}");
        Ok(Row { what, figures: count.to_string(), ratio: None, aim: "none", met: count == 0 })
    };
    let most = number("fetchesOfOneObjectMax")?;
    let objects = number("objects")?;
    let mut rows = vec![
        none("stalls", "stalls")?,
        none("5xx", "serverErrors")?,
        none("other failures", "otherFailures")?,
        Row {
            what: format!("{VIEWERS} viewers, origin fetches of one object"),
            figures: format!("at most {most}, of {objects} objects"),
            ratio: None,
            aim: "one",
            met: most == 1,
        },
    ];
    if let Some(stalls) = rows.first_mut() {
        let ms = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
        stalls.figures = format!(
            "{} ({rate:.0} Mbit/s; a segment in {:.1} ms, p99 {:.1} ms)",
            stalls.figures,
            ms("segmentMsMedian"),
            ms("segmentMsP99")
        );
    }
    Ok(rows)
}
