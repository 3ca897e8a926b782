//! Accelerated transcoding: the video in chunks, encoded side by side, joined without another encode.
//!
//! Each chunk begins with a GOP and has a process with one thread, so that as many cores work as there are, whatever the encoder
//! makes of threads. A chunk is decoded from the key frame before its beginning, put on the grid of frames of the whole output,
//! cut out of it to the frame, and encoded from time zero; one more process puts the chunks of each encode one behind the other
//! (their lengths are known exactly), encodes the sound in one piece, and hands both to the outputs the plan wants. Frames, times
//! and key frames are those of the job in one piece.
//!
//! The plan's command line is taken apart for it. What is not understood well enough to be cut is not accelerated.

use std::fmt::Write;

use crate::{
    plan::{BLACK_FILE, SOURCE_FILE},
    source::{PROTOCOLS, SourceFacts},
};

/// Chunks for each worker, so that all have work to the end.
const CHUNKS_A_WORKER: u64 = 4;

/// A chunk is at least this long: each costs a start and the way from a key frame.
const CHUNK_SECONDS_MIN: f64 = 3.0;

/// How long before its first frame a chunk's pictures are decoded, for filters that look back.
const LOOK_BACK_SECONDS: f64 = 0.5;

/// How much longer than its headers say a source may be and still have its key frames in their places.
const SURPLUS_SECONDS: f64 = 60.0;

/// What Linux takes as one argument, of which a list of key frames may make good use. Source: `MAX_ARG_STRLEN` in execve(2).
const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;

/// Containers with an index of key frames; elsewhere a seek may land anywhere.
const INDEXED_FORMATS: [&str; 6] = ["mp4", "quicktime", "three_gp", "three_g2", "matroska", "webm"];

/// Encoders whose packets an MP4 of one chunk can carry.
const ENCODERS: [&str; 4] = ["libx264", "libx265", "libvpx-vp9", "libsvtav1"];

/// Filters that make each picture of the pictures at its own time, so that a cut before or after them is the same.
const FILTERS: [&str; 20] = [
    "fps",
    "scale",
    "zscale",
    "format",
    "setsar",
    "setdar",
    "setparams",
    "crop",
    "pad",
    "overlay",
    "transpose",
    "hflip",
    "vflip",
    "yadif",
    "bwdif",
    "blackdetect",
    "metadata",
    "colorchannelmixer",
    "tonemap",
    "unsharp",
];

/// A transcode in chunks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunks {
    /// In the order of time.
    pub(crate) chunks: Vec<Chunk>,
    /// Of all video encodes.
    pub(crate) frames_per_second: f64,
    /// How many encodes there are.
    encodes: usize,
    /// Arguments of the process that joins them.
    pub(crate) join: Vec<String>,
}

/// One chunk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) arguments: Vec<String>,
    /// Its place in the whole, in frames. The last has no end.
    first: u64,
    end: Option<u64>,
    end_seconds: Option<f64>,
    /// Files of notes it takes, in the scratch directory.
    pub(crate) quality_file: String,
    pub(crate) black_file: String,
}

impl Chunk {
    /// How many frames it must have; the last has as many as there are.
    pub(crate) fn frames(&self) -> Option<u64> {
        self.end.map(|end| end - self.first)
    }

    /// Where its pictures end, in seconds of the output; `whole` for the last.
    pub(crate) fn end_seconds(&self, whole: f64) -> f64 {
        self.end_seconds.unwrap_or(whole)
    }
}

impl Chunks {
    /// The lists of files that the joining process reads: name and text.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let microseconds = |frame: u64| {
            #[expect(clippy::cast_precision_loss, reason = "pictures of one job")]
            let microseconds = (frame as f64 / self.frames_per_second * 1e6).round();
            microseconds
        };
        (0..self.encodes).map(move |encode| {
            let mut text = "ffconcat version 1.0\n".to_owned();
            for (number, chunk) in self.chunks.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "file {}", chunk_file(number, encode));
                if let Some(end) = chunk.end {
                    // The difference of rounded times, so that no error adds up.
                    let seconds = (microseconds(end) - microseconds(chunk.first)) / 1e6;
                    let _ = writeln!(text, "duration {seconds:.6}");
                }
            }
            (list_file(encode), text)
        })
    }

    /// Files that are of no use once the chunks are joined.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> + '_ {
        let of_chunk = |number| (0..self.encodes).map(move |encode| chunk_file(number, encode));
        (0..self.chunks.len()).flat_map(of_chunk).chain((0..self.encodes).map(list_file))
    }
}

fn chunk_file(number: usize, encode: usize) -> String {
    format!("chunk{number}v{encode}.mp4")
}

fn list_file(encode: usize) -> String {
    format!("chunks{encode}.txt")
}

/// Cuts a transcode into chunks for so many workers, or says why it cannot be.
pub(crate) fn chunks(arguments: &[String], facts: &SourceFacts, workers: usize) -> Result<Chunks, &'static str> {
    if !facts.format.is_some_and(|format| INDEXED_FORMATS.contains(&format)) {
        return Err("the input's container has no index of key frames");
    }
    let duration = facts.video().and_then(|(track, _)| track.duration_seconds).unwrap_or(facts.duration_seconds);
    let parts = Parts::of(arguments).ok_or("its command line is unlike others")?;
    if parts.encodes.is_empty() {
        return Err("it has no video");
    }
    let grid = parts.grid()?;
    let key_frames = parts.key_frames()?;
    let graph = Graph::parse(parts.graph).ok_or("its filter graph is unlike others")?;
    let labels: Vec<_> = parts.encodes.iter().map(|encode| encode.label).collect();
    let pictures = graph.leading_to(&labels);
    if !pictures.cuttable() {
        return Err("a filter needs the pictures in one piece");
    }
    let mut chunks = Vec::new();
    // The headers may be wrong about the end; key frames go on as if they were by this much.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of media")]
    let last = ((duration + SURPLUS_SECONDS) * grid.frames_per_second()) as u64;
    for (number, (first, end)) in cuts(&grid, key_frames, duration, workers).into_iter().enumerate() {
        let arguments = parts.chunk(&pictures, &grid, key_frames, number, (first, end), last);
        if arguments.iter().any(|argument| argument.len() > ARGUMENT_BYTES_MAX) {
            return Err("it has too many GOPs");
        }
        let (quality_file, black_file) = (format!("quality{number}.txt"), format!("black{number}.txt"));
        let end_seconds = end.map(|end| grid.seconds(end));
        chunks.push(Chunk { arguments, first, end, end_seconds, quality_file, black_file });
    }
    let sounds = graph.leading_to(&parts.sounds);
    let join = parts.join(&sounds);
    Ok(Chunks { chunks, frames_per_second: grid.frames_per_second(), encodes: parts.encodes.len(), join })
}

/// First frame and end of each chunk.
fn cuts(grid: &Grid, key_frames: KeyFrames, duration: f64, workers: usize) -> Vec<(u64, Option<u64>)> {
    #[expect(clippy::cast_precision_loss, reason = "frames of one GOP")]
    let gop_seconds = grid.key_frame(key_frames, 1) as f64 / grid.frames_per_second();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a GOP has a frame at least")]
    let gops = (duration / gop_seconds).ceil().max(1.0) as u64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "likewise")]
    let least = (CHUNK_SECONDS_MIN / gop_seconds).ceil().max(1.0) as u64;
    let length = gops.div_ceil(CHUNKS_A_WORKER * workers.max(1) as u64).max(least);
    let starts: Vec<_> = (0..gops).step_by(usize::try_from(length).unwrap_or(usize::MAX)).collect();
    let frame = |gop: u64| grid.key_frame(key_frames, gop);
    let ends = starts.iter().skip(1).map(|gop| Some(frame(*gop))).chain([None]);
    starts.iter().map(|gop| frame(*gop)).zip(ends).collect()
}

/// The frame rate all encodes share.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    numerator: f64,
    denominator: f64,
}

impl Grid {
    fn frames_per_second(&self) -> f64 {
        self.numerator / self.denominator
    }

    fn seconds(&self, frame: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "pictures of one job")]
        let frame = frame as f64;
        // As ffmpeg computes it, so that it compares as there.
        frame * (self.denominator / self.numerator)
    }

    /// The frame that begins the GOP with this number.
    fn key_frame(&self, key_frames: KeyFrames, gop: u64) -> u64 {
        match key_frames {
            KeyFrames::EveryFrames(frames) => gop * frames,
            KeyFrames::EverySeconds(seconds) => {
                #[expect(clippy::cast_precision_loss, reason = "GOPs of one job")]
                let wanted = gop as f64 * seconds;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a frame of one job")]
                let near = (wanted * self.frames_per_second()).floor().max(1.0) as u64 - 1;
                (near..).find(|frame| self.seconds(*frame) >= wanted).unwrap_or(near)
            }
        }
    }
}

/// Where key frames are forced.
#[derive(Clone, Copy, Debug, PartialEq)]
enum KeyFrames {
    EverySeconds(f64),
    EveryFrames(u64),
}

impl KeyFrames {
    fn parse(expression: &str) -> Option<Self> {
        let expression = expression.strip_prefix("expr:")?;
        if let Some(seconds) = expression.strip_prefix("gte(t,n_forced*").and_then(|rest| rest.strip_suffix(')')) {
            return seconds.parse().ok().filter(|seconds: &f64| *seconds > 0.0).map(Self::EverySeconds);
        }
        let frames = expression.strip_prefix("not(mod(n,")?.strip_suffix("))")?;
        frames.parse().ok().filter(|frames| *frames > 0).map(Self::EveryFrames)
    }

    /// For a chunk that is encoded from time zero.
    ///
    /// Forced times from `last` on do no harm and are left out.
    fn of_chunk(self, grid: &Grid, first: u64, last: u64, expression: &str) -> String {
        let Self::EverySeconds(_) = self else { return expression.to_owned() };
        let keys = (0..).map(|gop| grid.key_frame(self, gop)).skip_while(|frame| *frame < first);
        let keys = keys.take_while(|frame| *frame < last);
        let times: Vec<_> = keys.map(|frame| format!("{:.6}", grid.seconds(frame - first))).collect();
        times.join(",")
    }
}

/// The plan's command line: `[head] -filter_complex graph {-map label} {option value} -f tee sinks`.
struct Parts<'a> {
    /// Global options and inputs.
    head: &'a [String],
    graph: &'a str,
    encodes: Vec<Encode<'a>>,
    /// Labels of the sounds.
    sounds: Vec<&'a str>,
    /// Options of the sounds and of the outputs as a whole.
    others: Vec<(&'a str, &'a str)>,
    sinks: &'a str,
}

/// A video encode.
struct Encode<'a> {
    /// With brackets.
    label: &'a str,
    /// Names without the stream specifier.
    options: Vec<(String, &'a str)>,
}

impl Encode<'_> {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}

impl<'a> Parts<'a> {
    fn of(arguments: &'a [String]) -> Option<Self> {
        let at = arguments.iter().position(|argument| argument == "-filter_complex")?;
        let (head, rest) = arguments.split_at(at);
        let (rest, [format, tee, sinks]) = rest.split_last_chunk()?;
        let graph = rest.get(1)?;
        let mut pairs = rest.get(2..)?.chunks_exact(2);
        if format != "-f" || tee != "tee" || !pairs.remainder().is_empty() {
            return None;
        }
        let mut labels = Vec::new();
        let mut options = Vec::new();
        for pair in &mut pairs {
            match (pair[0].as_str(), pair[1].as_str()) {
                ("-map", label) => labels.push(label),
                (name, value) => options.push((name, value)),
            }
        }
        let video = |name: &str| name.rsplit_once(":v:")?.1.parse::<usize>().ok();
        let count = options.iter().filter_map(|(name, _)| video(name)).max().map_or(0, |last| last + 1);
        if count > labels.len() || !simple_head(head) {
            return None;
        }
        let sounds = labels.split_off(count);
        let encodes = labels.into_iter().enumerate().map(|(index, label)| {
            let suffix = format!(":v:{index}");
            let own = options.iter().filter_map(|(n, value)| Some((n.strip_suffix(&suffix)?.to_owned(), *value)));
            Encode { label, options: own.collect() }
        });
        let encodes: Vec<_> = encodes.collect();
        let others = options.iter().filter(|(name, _)| video(name).is_none()).copied().collect();
        Some(Self { head, graph, encodes, sounds, others, sinks })
    }

    /// The one rate of all pictures.
    fn grid(&self) -> Result<Grid, &'static str> {
        let mut grids = self.graph.match_indices("fps=").filter_map(|(at, _)| {
            let rate = self.graph[at + 4..].split_once(":start_time=0")?.0;
            let (numerator, denominator) = rate.split_once('/')?;
            Some(Grid { numerator: numerator.parse().ok()?, denominator: denominator.parse().ok()? })
        });
        let first = grids.next().ok_or("its pictures keep no constant rate")?;
        if grids.all(|grid| grid == first) { Ok(first) } else { Err("its outputs have different frame rates") }
    }

    fn key_frames(&self) -> Result<KeyFrames, &'static str> {
        let mut all = self.encodes.iter().map(|encode| {
            if !encode.option("-c").is_some_and(|encoder| ENCODERS.contains(&encoder)) {
                return Err("one of its encoders cannot work in chunks");
            }
            let expression = encode.option("-force_key_frames");
            expression.and_then(KeyFrames::parse).ok_or("one of its encodes has no regular key frames")
        });
        let first = all.next().ok_or("it has no video")??;
        for other in all {
            if other? != first {
                return Err("its outputs have GOPs of different lengths");
            }
        }
        Ok(first)
    }

    fn chunk(
        &self,
        pictures: &Graph<'_>,
        grid: &Grid,
        key_frames: KeyFrames,
        number: usize,
        (first, end): (u64, Option<u64>),
        last: u64,
    ) -> Vec<String> {
        let start = grid.seconds(first);
        let mut arguments: Vec<String> =
            ["-copyts", "-start_at_zero", "-filter_complex_threads", "1"].map(Into::into).into();
        arguments.extend(["-vstats_version", "2", "-vstats_file"].map(Into::into));
        arguments.push(format!("quality{number}.txt"));
        let source = format!("file:{SOURCE_FILE}");
        for (index, word) in self.head.iter().enumerate() {
            if word == "-i" && self.head.get(index + 1) == Some(&source) {
                arguments.extend(["-threads".into(), "1".into()]);
                if first > 0 {
                    // From the key frame before it: the frame filter drops what comes too early, and knows it.
                    let from = (start - LOOK_BACK_SECONDS).max(0.0);
                    arguments.extend(["-noaccurate_seek".into(), "-ss".into(), format!("{from:.6}")]);
                }
            }
            arguments.push(word.clone());
        }
        let end_of_trim = end.map_or_else(String::new, |end| format!(":end_pts={end}"));
        let cut = format!(":start_time={start:.9},trim=start_pts={first}{end_of_trim}");
        let mut graph = pictures.text().replace(":start_time=0", &cut);
        graph = graph.replace(&format!("file={BLACK_FILE}"), &format!("file=black{number}.txt"));
        for (index, encode) in self.encodes.iter().enumerate() {
            let _ = write!(graph, ";{}setpts=PTS-STARTPTS[chunk{index}]", encode.label);
        }
        arguments.extend(["-filter_complex".into(), graph]);
        for (index, encode) in self.encodes.iter().enumerate() {
            arguments.extend(["-map".into(), format!("[chunk{index}]")]);
            for (name, value) in &encode.options {
                arguments.push(name.clone());
                arguments.push(match name.as_str() {
                    "-force_key_frames" => key_frames.of_chunk(grid, first, end.unwrap_or(last), value),
                    _ => (*value).to_owned(),
                });
            }
            let of_output = ["-threads", "1", "-flags", "+global_header", "-map_metadata", "-1", "-f", "mp4"];
            arguments.extend(of_output.map(Into::into));
            arguments.push(chunk_file(number, index));
        }
        arguments
    }

    /// The source's sound and the joined chunks, to the outputs of the plan.
    fn join(&self, sounds: &Graph<'_>) -> Vec<String> {
        let mut arguments = self.head.to_vec();
        let inputs = self.head.iter().filter(|word| *word == "-i").count();
        for encode in 0..self.encodes.len() {
            let list = format!("file:{}", list_file(encode));
            let words =
                ["-protocol_whitelist", PROTOCOLS, "-format_whitelist", "concat,mov", "-f", "concat", "-i", &list];
            arguments.extend(words.map(Into::into));
        }
        if !self.sounds.is_empty() {
            arguments.extend(["-filter_complex".into(), sounds.text()]);
        }
        for encode in 0..self.encodes.len() {
            arguments.extend(["-map".into(), format!("{}:v", inputs + encode)]);
        }
        for label in &self.sounds {
            arguments.extend(["-map".into(), (*label).to_owned()]);
        }
        arguments.extend(["-c:v".into(), "copy".into()]);
        for (name, value) in &self.others {
            arguments.extend([(*name).to_owned(), (*value).to_owned()]);
        }
        arguments.extend(["-f".into(), "tee".into(), self.sinks.to_owned()]);
        arguments
    }
}

/// One source read from its beginning; all other inputs are images.
fn simple_head(head: &[String]) -> bool {
    let moved = ["-ss", "-to", "-t", "-itsoffset", "-stream_loop"];
    let source = format!("file:{SOURCE_FILE}");
    !head.iter().any(|word| moved.contains(&word.as_str())) && head.iter().filter(|word| **word == source).count() == 1
}

/// A filter graph's text, taken apart.
struct Graph<'a> {
    chains: Vec<Chain<'a>>,
}

#[derive(Clone)]
struct Chain<'a> {
    text: &'a str,
    /// Labels with brackets.
    inputs: Vec<&'a str>,
    filters: &'a str,
    outputs: Vec<&'a str>,
}

impl<'a> Graph<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // Quotes and escapes would hide separators.
        if text.contains(['\'', '\\']) {
            return None;
        }
        text.split(';').map(Chain::parse).collect::<Option<_>>().map(|chains| Self { chains })
    }

    /// What it takes to make these outputs.
    fn leading_to(&self, labels: &[&str]) -> Self {
        let mut wanted: Vec<&str> = labels.to_vec();
        let mut chains = Vec::new();
        // A chain comes after those it takes from.
        for chain in self.chains.iter().rev() {
            if chain.outputs.iter().any(|output| wanted.contains(output)) {
                wanted.extend(&chain.inputs);
                chains.push(chain.clone());
            }
        }
        chains.reverse();
        Self { chains }
    }

    fn cuttable(&self) -> bool {
        self.chains.iter().all(|chain| {
            let known = chain.filters.split(',').all(|filter| {
                let name = filter.split('=').next().unwrap_or_default();
                FILTERS.contains(&name) || name == "split"
            });
            let from_source = chain.inputs.iter().any(|input| input.starts_with("[0:"));
            known && (!from_source || chain.filters.contains(":start_time=0"))
        })
    }

    fn text(&self) -> String {
        self.chains.iter().map(|chain| chain.text).collect::<Vec<_>>().join(";")
    }
}

impl<'a> Chain<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (mut rest, mut inputs, mut outputs) = (text, Vec::new(), Vec::new());
        while rest.starts_with('[') {
            let (label, after) = rest.split_at(rest.find(']')? + 1);
            inputs.push(label);
            rest = after;
        }
        while rest.ends_with(']') {
            let (before, label) = rest.split_at(rest.rfind('[')?);
            outputs.push(label);
            rest = before;
        }
        Some(Self { text, inputs, filters: rest, outputs })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::source::facts_from_json;

    const GRAPH: &str = "[0:0]fps=30000/1001:start_time=0[n0_0];\
        [n0_0]scale=640:360:flags=bicubic,format=yuv420p,split=2[n1_0][n1_1];\
        [n1_0]scale=320:180:flags=bicubic,format=yuv420p,blackdetect=d=0.08,metadata=mode=print:file=black.txt[n2_0];\
        [n2_0]setsar=1/1[n3_0];[n1_1]setsar=1/1[n4_0];[0:1]aresample=async=1:first_pts=0[n5_0]";

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(Into::into).collect()
    }

    fn command(graph: &str, keys: [&str; 2]) -> Vec<String> {
        let mut arguments = words("-nostdin -max_pixels 9 -i file:source -filter_complex");
        arguments.push(graph.into());
        arguments.extend(words("-map [n4_0] -map [n3_0] -map [n5_0]"));
        for (index, key) in keys.iter().enumerate() {
            arguments
                .extend(words(&format!("-c:v:{index} libx264 -crf:v:{index} 22 -force_key_frames:v:{index} {key}")));
        }
        arguments.extend(words("-c:a:0 aac -b:a:0 96000 -flags +global_header -f tee [select=0,2:f=mp4]g0o0/file.mp4"));
        arguments
    }

    fn facts(format: &str, seconds: &str) -> SourceFacts {
        let report = format!(
            r#"{{"streams": [{{"index": 0, "codec_type": "video", "codec_name": "h264", "width": 640, "height": 360,
                "r_frame_rate": "30000/1001", "duration": "{seconds}"}}],
                "format": {{"format_name": "{format}", "duration": "{seconds}"}}}}"#
        );
        facts_from_json(report.as_bytes(), b"").unwrap()
    }

    const KEYS: &str = "expr:gte(t,n_forced*3)";

    #[test]
    fn chunks_begin_with_gops_and_know_their_length() {
        let made = chunks(&command(GRAPH, [KEYS; 2]), &facts("mov,mp4", "20.5"), 1).unwrap();
        let places: Vec<_> = made.chunks.iter().map(|chunk| (chunk.first, chunk.end)).collect();
        // 3 s are 89.91 frames, so the GOPs begin with frames 0, 90, 180, 270, 360, 450, and 540.
        assert_eq!(places, [(0, Some(180)), (180, Some(360)), (360, Some(540)), (540, None)]);
        let (name, list) = made.lists().nth(1).unwrap();
        assert_eq!(name, "chunks1.txt");
        assert!(
            list.starts_with("ffconcat version 1.0\nfile chunk0v1.mp4\nduration 6.006000\nfile chunk1v1.mp4\n"),
            "{list}"
        );
        assert!(list.ends_with("file chunk3v1.mp4\n"), "{list}");
    }

    #[test]
    fn a_chunk_is_cut_from_the_grid_of_the_whole() {
        let made = chunks(&command(GRAPH, [KEYS; 2]), &facts("mov,mp4", "20.5"), 1).unwrap();
        let second = &made.chunks[1].arguments;
        let graph = &second[second.iter().position(|word| word == "-filter_complex").unwrap() + 1];
        assert!(
            graph.starts_with("[0:0]fps=30000/1001:start_time=6.006000000,trim=start_pts=180:end_pts=360[n0_0];"),
            "{graph}"
        );
        assert!(graph.contains("file=black1.txt") && !graph.contains("aresample"), "{graph}");
        assert!(graph.ends_with(";[n4_0]setpts=PTS-STARTPTS[chunk0];[n3_0]setpts=PTS-STARTPTS[chunk1]"), "{graph}");
        let line = second.join(" ");
        assert!(line.contains("-noaccurate_seek -ss 5.506000 -i file:source"), "{line}");
        assert!(line.contains("-map [chunk1] -c libx264 -crf 22 -force_key_frames 0.000000,3.003000 "), "{line}");
        assert!(line.ends_with("-f mp4 chunk1v1.mp4"), "{line}");
        assert!(!made.chunks[0].arguments.contains(&"-ss".to_owned()));
        let join = made.join.join(" ");
        assert!(
            join.contains(
                "-i file:source -protocol_whitelist file -format_whitelist concat,mov -f concat -i file:chunks0.txt"
            ),
            "{join}"
        );
        assert!(join.contains("-filter_complex [0:1]aresample=async=1:first_pts=0[n5_0] -map 1:v -map 2:v -map [n5_0] -c:v copy -c:a:0 aac"), "{join}");
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        let check = |arguments: &[String], format: &str, why: &str| {
            assert_eq!(chunks(arguments, &facts(format, "20"), 2).unwrap_err(), why);
        };
        let usual = command(GRAPH, [KEYS; 2]);
        check(&usual, "mpegts", "the input's container has no index of key frames");
        check(
            &command(GRAPH, [KEYS, "expr:gte(t,n_forced*2)"]),
            "mov,mp4",
            "its outputs have GOPs of different lengths",
        );
        check(&command(GRAPH, [KEYS, "source"]), "mov,mp4", "one of its encodes has no regular key frames");
        check(
            &command(&GRAPH.replace("setsar=1/1[n3", "tmix[n3"), [KEYS; 2]),
            "mov,mp4",
            "a filter needs the pictures in one piece",
        );
        check(&words("-nostdin -i file:source -c copy x"), "mov,mp4", "its command line is unlike others");
        let mut clipped = usual;
        clipped.splice(0..0, words("-ss 3"));
        check(&clipped, "mov,mp4", "its command line is unlike others");
    }

    #[test]
    fn key_frames_fall_where_ffmpeg_puts_them() {
        let grid = Grid { numerator: 24000.0, denominator: 1001.0 };
        let keys = |every| (0..4).map(|gop| grid.key_frame(every, gop)).collect::<Vec<_>>();
        assert_eq!(keys(KeyFrames::EverySeconds(3.0)), [0, 72, 144, 216]);
        assert_eq!(keys(KeyFrames::EverySeconds(1.001)), [0, 24, 48, 72]);
        assert_eq!(keys(KeyFrames::EverySeconds(0.5)), [0, 12, 24, 36]);
        assert_eq!(keys(KeyFrames::EveryFrames(50)), [0, 50, 100, 150]);
    }
}
