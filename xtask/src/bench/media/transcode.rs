//! The line's MediaConvert job, with all its output groups, beside the floor (what the encoders alone take) and beside bare ffmpeg
//! making the same files.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Row;
use crate::{
    Outcome,
    home::{self, Home, Place, Profile},
    shell::{command, output, root, run as run_command},
    tools,
};

/// Ports that no other home of this machine uses by default.
const PORT: u16 = 14567;
const EDGE_PORT: u16 = 18081;

/// Length of the sample, in seconds.
const SECONDS: u32 = 60;

/// Frames a second of the sample.
const RATE: u32 = 30;

/// GOPs and segments of the line's job, in seconds.
const GOP_SECONDS: u32 = 3;

/// Seconds of one chunk of the bare chunked way: seven chunks of the sample.
const CHUNK_SECONDS: u32 = 9;

/// What the job may take of memory, in MiB.
const MEMORY_MIB_MAX: u64 = 1536;

/// Ticks of a second in `/proc`. Source: `USER_HZ`, which Linux keeps at 100 on all machines it runs on today.
const TICKS: f64 = 100.0;

/// One encode: its size, and the rate it may not exceed.
#[derive(Clone, Copy)]
struct Encode {
    width: u64,
    height: u64,
    kilobits_max: u64,
    marked: bool,
}

/// What a way of making the files took.
#[derive(Clone, Copy)]
struct Taken {
    wall: Duration,
    /// Seconds of user and system time together.
    cpu: f64,
    /// Of the largest process.
    peak_mib: u64,
}

pub(crate) fn run(profile: Profile) -> Outcome<Vec<Row>> {
    tools::ffmpeg()?;
    home::build_site()?;
    let work = root().join("target/bench/transcode");
    let _ = std::fs::remove_dir_all(&work);
    make_folder(&work)?;
    let sample = root().join(format!("target/bench/textured-{SECONDS}.mp4"));
    textured(&sample)?;
    let home = Home::start(profile, &Place { data: work.join("data"), port: PORT, edge_port: EDGE_PORT })?;
    let (ours, row) = line_job(&home, &sample)?;
    drop(home);
    let encodes = encodes(&row);
    let floor = floor(&sample, &encodes)?;
    let one = bare_in_one(&sample, &encodes, &work.join("one"))?;
    let chunked = bare_chunked(&sample, &encodes, &work.join("chunked"))?;
    let best = one.wall.min(chunked.wall);
    let cpu_ratio = ours.cpu / floor;
    let wall_ratio = ours.wall.as_secs_f64() / best.as_secs_f64();
    Ok(vec![
        Row {
            what: format!("the job of a {SECONDS} s 1080p source: CPU, floor"),
            figures: format!(
                "{:.1} s, {floor:.1} s (bare in one {:.1} s, chunked {:.1} s)",
                ours.cpu, one.cpu, chunked.cpu
            ),
            ratio: Some(cpu_ratio),
            aim: "at most 1.08",
            met: cpu_ratio <= 1.08,
        },
        Row {
            what: "its wall time, the best of bare ffmpeg".into(),
            figures: format!(
                "{:.1} s, in one {:.1} s, chunked {:.1} s",
                ours.wall.as_secs_f64(),
                one.wall.as_secs_f64(),
                chunked.wall.as_secs_f64()
            ),
            ratio: Some(wall_ratio),
            aim: "at most 1.05",
            met: wall_ratio <= 1.05,
        },
        Row {
            what: "its memory: the largest ffmpeg at its peak".into(),
            figures: format!("{} MiB", ours.peak_mib),
            ratio: None,
            aim: "at most 1,536 MiB",
            met: ours.peak_mib <= MEMORY_MIB_MAX,
        },
    ])
}

/// A sample with grain: a clean test picture would make the encoders' work too light to compare.
fn textured(path: &Path) -> Outcome {
    if path.exists() {
        return Ok(());
    }
    let picture = format!("testsrc2=size=1920x1080:rate={RATE}:duration={SECONDS},noise=alls=7:allf=t");
    let sound = format!("sine=frequency=440:beep_factor=4:sample_rate=48000:duration={SECONDS}");
    let mut ffmpeg = ffmpeg();
    ffmpeg.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
    ffmpeg
        .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac"])
        .arg(path);
    run_command("make a sample with grain", &mut ffmpeg)
}

/// Puts the sample through the line and watches what its ffmpegs take. Their wall time is from the first one's beginning to the
/// last one's end; processor time is that of all children the home has waited for, ffprobe among them.
fn line_job(home: &Home, sample: &Path) -> Outcome<(Taken, Value)> {
    let done = AtomicBool::new(false);
    let before = children_seconds(home.pid())?;
    let (text, watched) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(home.pid(), &done));
        let text = output(home.vodline().args(["upload", "--json"]).arg(sample));
        done.store(true, Ordering::Relaxed);
        (text, watcher.join())
    });
    let row: Value = serde_json::from_str(&text?).map_err(|error| format!("the row cannot be read: {error}"))?;
    if row["status"] != "READY" {
        return Err(format!("the video is {}", row["status"]));
    }
    let (wall, peak_mib) = watched.map_err(|_| "the watcher of processes ended badly")?;
    Ok((Taken { wall, cpu: children_seconds(home.pid())? - before, peak_mib }, row))
}

/// From the first to the last moment at which the process has an ffmpeg, and the most memory of one.
fn watch(parent: u32, done: &AtomicBool) -> (Duration, u64) {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let (mut first, mut last, mut peak_mib) = (None, None, 0);
    while !done.load(Ordering::Relaxed) {
        for process in children(parent) {
            let now = Instant::now();
            first.get_or_insert(now);
            last = Some(now);
            peak_mib = peak_mib.max(peak_of(&process).unwrap_or(0));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    (first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first), peak_mib)
}

/// The folders in `/proc` of the ffmpegs this process has started.
fn children(parent: u32) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let is_child = |path: &PathBuf| {
        let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        // `pid (name) state parent ...`
        let parent_of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        stat.contains("(ffmpeg)") && parent_of == Some(parent)
    };
    entries.flatten().map(|entry| entry.path()).filter(is_child).collect()
}

fn peak_of(process: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Processor time of the children that the process has waited for.
fn children_seconds(process: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(|error| format!("/proc: {error}"))?;
    let fields: Vec<_> = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    // `cutime` and `cstime` are fields 16 and 17 of proc(5), and the state, which is third, is the first here.
    let ticks: Vec<f64> = fields.iter().skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// The encodes of the line's job, largest first: each rendition, and the MP4 with the watermark at 720p.
fn encodes(row: &Value) -> Vec<Encode> {
    let rungs = row["renditions"].as_array().into_iter().flatten().rev();
    let mut encodes: Vec<_> = rungs
        .filter_map(|rung| {
            let (width, height) = (rung["width"].as_u64()?, rung["height"].as_u64()?);
            let kilobits_max = match width.min(height) {
                0..=360 => 1_000,
                361..=540 => 2_000,
                541..=720 => 3_000,
                _ => 5_000,
            };
            Some(Encode { width, height, kilobits_max, marked: false })
        })
        .collect();
    let marked = encodes.iter().position(|encode| encode.width.min(encode.height) <= 720).unwrap_or(0);
    if let Some(encode) = encodes.get(marked).copied() {
        encodes.insert(marked + 1, Encode { marked: true, ..encode });
    }
    encodes
}

fn ffmpeg() -> Command {
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    ffmpeg
}

/// The encoder's options, those of the line's job.
fn options(encode: &Encode) -> Vec<String> {
    let kilobits = encode.kilobits_max;
    let gop = GOP_SECONDS * RATE;
    format!(
        "-c:v libx264 -preset veryfast -profile:v main -refs 3 -bf 2 -crf 22 -maxrate {kilobits}k -bufsize {}k \
         -force_key_frames expr:gte(t,n_forced*{GOP_SECONDS}) -forced-idr 1 \
         -x264-params keyint=infinite:min-keyint={gop}:open-gop=0:scenecut=40:cabac=1",
        kilobits * 5 / 2
    )
    .split_whitespace()
    .map(str::to_owned)
    .collect()
}

/// Processor time of one decode with all scaling, and of every encode alone, fed with raw pictures of its size.
fn floor(sample: &Path, encodes: &[Encode]) -> Outcome<f64> {
    let (graph, labels) = graph(encodes, false);
    let mut decode = ffmpeg();
    decode.arg("-i").arg(sample).args(["-filter_complex", &graph]);
    for label in &labels {
        decode.args(["-map", label, "-f", "null", "-"]);
    }
    let mut total = timed("the floor: one decode, all sizes", &mut decode)?.cpu;
    for encode in encodes {
        // The shell's own `time` gives the encoder's share of the pair.
        let script = "TIMEFORMAT='%U %S'; ffmpeg -v error -nostdin -i \"$1\" -vf \"$2\" -pix_fmt yuv420p -f rawvideo - | \
                      { time ffmpeg -v error -f rawvideo -pix_fmt yuv420p -s \"$3\" -r \"$4\" -i - \"${@:5}\" -f null -; } 2>&1";
        let size = format!("{}x{}", encode.width, encode.height);
        println!("==> the floor: {size}");
        let scale = format!("scale={}:{}:flags=bicubic", encode.width, encode.height);
        let mut pair = command("bash");
        pair.args(["-c", script, "bash"]).arg(sample).args([&scale, &size, &RATE.to_string()]).args(options(encode));
        let text = output(&mut pair)?;
        let last = text.lines().last().unwrap_or_default();
        let seconds: Vec<f64> = last.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        if seconds.len() != 2 {
            return Err(format!("the encoder's time cannot be read: {text}"));
        }
        total += seconds.iter().sum::<f64>();
    }
    Ok(total)
}

/// Each size from the next larger, and the labels of the encodes' pictures.
fn graph(encodes: &[Encode], watermark: bool) -> (String, Vec<String>) {
    let mut graph = String::new();
    let mut from = "0:v".to_owned();
    let mut labels = Vec::new();
    for (index, encode) in encodes.iter().enumerate() {
        let more = index + 1 < encodes.len();
        let mut filters = Vec::new();
        // The picture with the watermark has the size of the one before it.
        if !encode.marked {
            filters.push(format!("scale={}:{}:flags=bicubic", encode.width, encode.height));
        }
        filters.push(if more { format!("split[v{index}][n{index}]") } else { format!("null[v{index}]") });
        graph += &format!("[{from}]{};", filters.join(","));
        from = format!("n{index}");
        let mut label = format!("[v{index}]");
        if encode.marked && watermark {
            graph += &format!("{label}[1:v]overlay=24:24[m{index}];");
            label = format!("[m{index}]");
        }
        labels.push(label);
    }
    graph.pop();
    (graph, labels)
}

/// Loudness and AAC, once: all outputs want the same sound.
const SOUND: &str = "loudnorm=I=-16:TP=-1:LRA=11,aresample=48000";

/// The `tee` of all outputs: HLS of transport streams and of fragmented MP4 for every rendition, the MP4, and sound alone.
fn sinks(encodes: &[Encode], folder: &Path) -> Outcome<String> {
    let hls = format!("f=hls:hls_time={GOP_SECONDS}:hls_list_size=0:hls_playlist_type=vod");
    let sound = encodes.len();
    let mut sinks = Vec::new();
    for (index, encode) in encodes.iter().enumerate() {
        let part = folder.join(format!("{index}"));
        make_folder(&part)?;
        let part = part.display();
        if encode.marked {
            sinks.push(format!("[select={index},{sound}:f=mp4:movflags=+faststart]{part}/video.mp4"));
            continue;
        }
        sinks.push(format!("[select={index},{sound}:{hls}:hls_segment_filename={part}/%05d.ts]{part}/hls.m3u8"));
        sinks.push(format!(
            "[select={index}:{hls}:hls_segment_type=fmp4:hls_fmp4_init_filename=init.mp4:hls_segment_filename={part}/%05d.m4s]{part}/dash.m3u8"
        ));
    }
    let part = folder.join("sound");
    make_folder(&part)?;
    let part = part.display();
    sinks.push(format!(
        "[select={sound}:{hls}:hls_segment_type=fmp4:hls_fmp4_init_filename=init.mp4:hls_segment_filename={part}/%05d.m4s]{part}/dash.m3u8"
    ));
    Ok(sinks.join("|"))
}

/// Stills of key frames, poster and thumbnails.
fn stills(sample: &Path, folder: &Path) -> Command {
    let mut stills = ffmpeg();
    stills.args(["-skip_frame", "nokey", "-i"]).arg(sample);
    stills.args(["-vf", "fps=1/3,scale=1280:720", "-q:v", "5"]).arg(folder.join("still.%07d.jpg"));
    stills
}

/// One process that decodes once, scales in a chain and encodes everything, with stills beside it.
fn bare_in_one(sample: &Path, encodes: &[Encode], folder: &Path) -> Outcome<Taken> {
    make_folder(folder)?;
    let (graph, labels) = graph(encodes, true);
    let mut all = ffmpeg();
    all.arg("-i").arg(sample).arg("-i").arg(root().join("assets/watermark.png"));
    all.args(["-filter_complex", &format!("{graph};[0:a]{SOUND}[sound]")]);
    for label in &labels {
        all.args(["-map", label]);
    }
    all.args(["-map", "[sound]"]);
    for (index, encode) in encodes.iter().enumerate() {
        for option in options(encode).chunks(2) {
            let name = option[0].strip_suffix(":v").unwrap_or(&option[0]);
            all.args([&format!("{name}:v:{index}"), &option[1]]);
        }
    }
    all.args(["-c:a", "aac", "-b:a", "96k", "-ac", "2", "-flags", "+global_header", "-f", "tee"]);
    all.arg(sinks(encodes, folder)?);
    let mut taken = timed("bare ffmpeg in one", &mut all)?;
    let stills = timed("bare ffmpeg, stills", &mut stills(sample, folder))?;
    taken.wall += stills.wall;
    taken.cpu += stills.cpu;
    Ok(taken)
}

/// Chunks with one thread each, two at a time, joined by a process that copies.
fn bare_chunked(sample: &Path, encodes: &[Encode], folder: &Path) -> Outcome<Taken> {
    make_folder(folder)?;
    let began = Instant::now();
    let (graph, labels) = graph(encodes, true);
    let chunks = SECONDS.div_ceil(CHUNK_SECONDS);
    let next = std::sync::atomic::AtomicU32::new(0);
    let worker = || {
        let mut cpu = 0.0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= chunks {
                return Ok::<_, String>(cpu);
            }
            let (start, length) = ((number * CHUNK_SECONDS).to_string(), CHUNK_SECONDS.to_string());
            let mut chunk = ffmpeg();
            chunk.args(["-threads", "1", "-ss", &start, "-t", &length, "-i"]).arg(sample);
            chunk.arg("-i").arg(root().join("assets/watermark.png")).args(["-filter_complex", &graph]);
            for (index, (encode, label)) in encodes.iter().zip(&labels).enumerate() {
                chunk.args(["-map", label]).args(options(encode));
                chunk
                    .args(["-threads", "1", "-flags", "+global_header"])
                    .arg(folder.join(format!("{number}v{index}.mp4")));
            }
            cpu += timed(&format!("bare ffmpeg, chunk {number}"), &mut chunk)?.cpu;
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut cpu = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let ended = handles.into_iter().map(|handle| handle.join().map_err(|_| "a worker ended badly".to_owned())?);
        ended.sum::<Result<f64, String>>()
    })?;
    let mut join = ffmpeg();
    join.arg("-i").arg(sample);
    for index in 0..encodes.len() {
        let files: String = (0..chunks).map(|number| format!("file {number}v{index}.mp4\n")).collect();
        let list = folder.join(format!("list{index}.txt"));
        std::fs::write(&list, files).map_err(|error| format!("cannot write {}: {error}", list.display()))?;
        join.args(["-f", "concat", "-i"]).arg(list);
    }
    join.args(["-filter_complex", &format!("[0:a]{SOUND}[sound]")]);
    for index in 0..encodes.len() {
        join.args(["-map", &format!("{}:v", index + 1)]);
    }
    join.args(["-map", "[sound]", "-c:v", "copy", "-c:a", "aac", "-b:a", "96k", "-ac", "2"]);
    join.args(["-flags", "+global_header", "-f", "tee"]).arg(sinks(encodes, folder)?);
    cpu += timed("bare ffmpeg, join the chunks", &mut join)?.cpu;
    cpu += timed("bare ffmpeg, stills", &mut stills(sample, folder))?.cpu;
    Ok(Taken { wall: began.elapsed(), cpu, peak_mib: 0 })
}

/// Runs a command and says what it took; the shell's `time` tells its processor time.
fn timed(what: &str, command: &mut Command) -> Outcome<Taken> {
    println!("==> {what}");
    let mut shell = crate::shell::command("bash");
    shell.args(["-c", "TIMEFORMAT='%U %S'; { time \"$@\"; } 2>&1", "bash"]);
    shell.arg(command.get_program()).args(command.get_args());
    let began = Instant::now();
    let text = output(&mut shell)?;
    let wall = began.elapsed();
    let last = text.lines().last().unwrap_or_default();
    let seconds: Vec<f64> = last.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    if seconds.len() != 2 {
        return Err(format!("{what}: the time cannot be read: {text}"));
    }
    Ok(Taken { wall, cpu: seconds.iter().sum(), peak_mib: 0 })
}

fn make_folder(path: &Path) -> Outcome {
    std::fs::create_dir_all(path).map_err(|error| format!("cannot make {}: {error}", path.display()))
}
