//! The process that makes pictures and sound: decode once, scale in a chain, encode each distinct thing once, tee.

use crate::{
    job::{
        CompositionOffsets, InsertableImage, JobSettings, MoovPlacement, ObjectLocation, Output, OutputGroup,
        OutputGroupKind,
    },
    source::{Ratio, SourceFacts},
};

use super::{
    PIXELS_MAX, PlanError, PlannedOutput, PlannedVideo,
    audio::AudioEncode,
    graph::{Graph, NodeId, Source},
    image_file, preamble, source_input, strings, turn, turn_filters, turned,
    video::VideoEncode,
};

/// The notes on black pictures in the scratch directory.
pub(crate) const BLACK_FILE: &str = "black.txt";

/// Shorter black is a cut or a blink. Our choice, after an event of AWS's that tells of 84 ms of it.
const BLACK_SECONDS_MIN: f64 = 0.08;

/// Gathers what the outputs want.
#[derive(Debug)]
pub(super) struct Transcode<'a> {
    settings: &'a JobSettings,
    facts: &'a SourceFacts,
    videos: Vec<VideoEncode>,
    audios: Vec<AudioEncode>,
    sinks: Vec<Sink>,
}

/// One slave of the tee muxer.
#[derive(Debug)]
struct Sink {
    video: Option<usize>,
    audio: Option<usize>,
    /// Muxer and its options, as `tee` takes them.
    muxer: String,
    /// Below scratch.
    file: String,
}

impl<'a> Transcode<'a> {
    pub(super) fn new(settings: &'a JobSettings, facts: &'a SourceFacts) -> Self {
        Self { settings, facts, videos: Vec::new(), audios: Vec::new(), sinks: Vec::new() }
    }

    /// Adds an output; `None` when it would be of sound alone and the source has none.
    pub(super) fn add(
        &mut self,
        index: usize,
        directory: &str,
        group: &OutputGroup,
        output: &Output,
    ) -> Result<Option<PlannedOutput>, PlanError> {
        let Some(kind) = group.kind() else { return Ok(None) };
        let video = self.video(output, kind);
        let audio = self.audio(output)?;
        if video.is_none() && audio.is_none() {
            return Ok(None);
        }
        let (muxer, file) = muxer(group, kind, output, directory);
        self.sinks.push(Sink { video, audio, muxer, file });
        Ok(Some(PlannedOutput {
            index,
            directory: directory.to_owned(),
            video: video.map(|at| {
                let encode = &self.videos[at];
                let (width, height) = encode.picture.framed;
                PlannedVideo { width, height, frame_rate: encode.frame_rate, max_bitrate: encode.max_bitrate }
            }),
            audio: audio.map(|at| self.audios[at].planned.clone()),
            captures: None,
        }))
    }

    fn video(&mut self, output: &Output, kind: OutputGroupKind<'_>) -> Option<usize> {
        let description = output.video_description.as_ref()?;
        let h264 = description.codec_settings.h264_settings.as_ref()?;
        let (_, facts) = self.facts.video()?;
        let raster = turned(facts, turn(self.settings, facts));
        let encode = VideoEncode::new(description, h264, raster, facts.frame_rate, kind.segment_seconds());
        Some(place(&mut self.videos, encode))
    }

    fn audio(&mut self, output: &Output) -> Result<Option<usize>, PlanError> {
        let (Some(description), Some(input)) = (output.audio_descriptions.first(), self.settings.inputs.first()) else {
            return Ok(None);
        };
        let encode = AudioEncode::new(description, input, self.facts)?;
        Ok(encode.map(|encode| place(&mut self.audios, encode)))
    }

    /// The command line, and the images it reads.
    pub(super) fn finish(self) -> (Option<Vec<String>>, Vec<ObjectLocation>) {
        if self.sinks.is_empty() {
            return (None, Vec::new());
        }
        let mut images = Vec::new();
        for image in self.videos.iter().flat_map(|video| &video.images) {
            if !images.contains(&image.image_inserter_input) {
                images.push(image.image_inserter_input.clone());
            }
        }
        let mut arguments = preamble();
        arguments.extend(source_input());
        for number in 0..images.len() {
            // The only format an image may have is named, so that its bytes decide nothing.
            arguments.extend(strings(["-max_pixels", PIXELS_MAX, "-protocol_whitelist", crate::source::PROTOCOLS]));
            arguments.extend(strings(["-f", "png_pipe", "-i"]));
            arguments.push(format!("file:{}", image_file(number)));
        }
        let (graph, labels) = self.graph(&images);
        arguments.extend(["-filter_complex".to_owned(), graph]);
        for label in labels {
            arguments.extend(["-map".to_owned(), label]);
        }
        for (index, video) in self.videos.iter().enumerate() {
            for (name, value) in &video.options {
                arguments.extend([format!("-{name}:v:{index}"), value.clone()]);
            }
        }
        for (index, audio) in self.audios.iter().enumerate() {
            arguments.extend([format!("-c:a:{index}"), "aac".to_owned()]);
            arguments.extend([format!("-b:a:{index}"), audio.planned.bitrate.to_string()]);
            if let Some(language) = &audio.planned.language {
                arguments.extend([format!("-metadata:s:a:{index}"), format!("language={language}")]);
            }
        }
        // Headers beside the stream are what MP4 needs; the TS muxer writes them into the stream.
        arguments.extend(strings(["-flags", "+global_header", "-map_metadata", "-1", "-map_chapters", "-1"]));
        arguments.extend(strings(["-f", "tee"]));
        arguments.push(self.sinks.iter().map(|sink| sink.tee(self.videos.len())).collect::<Vec<_>>().join("|"));
        (Some(arguments), images)
    }

    fn graph(&self, images: &[ObjectLocation]) -> (String, Vec<String>) {
        let mut graph = Graph::default();
        let mut outputs = Vec::new();
        let pictures = self.pictures(&mut graph);
        for (video, picture) in self.videos.iter().zip(pictures) {
            let mut node = graph.add(vec![Source::Node(picture)], video.picture.frame_filters());
            for image in &video.images {
                let number =
                    images.iter().position(|location| *location == image.image_inserter_input).unwrap_or_default();
                let overlaid = graph.add(vec![Source::Stream { input: number + 1, stream: 0 }], image_filters(image));
                let overlay = format!("overlay={}:{}:format=yuv420", image.image_x, image.image_y);
                node = graph.add(vec![Source::Node(node), Source::Node(overlaid)], vec![overlay]);
            }
            outputs.push(node);
        }
        for audio in &self.audios {
            outputs.push(graph.add(vec![Source::Stream { input: 0, stream: audio.stream }], audio.filters.clone()));
        }
        graph.finish(&outputs)
    }

    /// The scaled picture for each encode. Each size is made once, from the smallest larger one there is.
    fn pictures(&self, graph: &mut Graph) -> Vec<NodeId> {
        let Some((track, facts)) = self.facts.video() else { return Vec::new() };
        let stream = Source::Stream { input: 0, stream: track.stream };
        let mut wanted: Vec<(Ratio, (u32, u32))> = Vec::new();
        for video in &self.videos {
            place(&mut wanted, (video.frame_rate, video.picture.scaled));
        }
        wanted.sort_by_key(|(_, (width, height))| std::cmp::Reverse(u64::from(*width) * u64::from(*height)));
        let smallest = wanted.last().copied();
        let mut bases: Vec<(Ratio, NodeId)> = Vec::new();
        let mut made: Vec<(Ratio, (u32, u32), NodeId)> = Vec::new();
        for (rate, (width, height)) in wanted {
            let larger = made.iter().rev().find(|(r, (w, h), _)| *r == rate && *w >= width && *h >= height);
            let parent = match (larger, bases.iter().find(|(r, _)| *r == rate)) {
                (Some((_, _, node)), _) | (None, Some((_, node))) => *node,
                (None, None) => {
                    let mut filters = Vec::new();
                    if facts.interlaced {
                        filters.push("yadif=deint=interlaced".to_owned());
                    }
                    // A constant rate from time zero: key frames then fall on the same frames in every rung, and segments
                    // begin where they should whatever the source's own timestamps are.
                    filters.push(format!("fps={}/{}:start_time=0", rate.numerator, rate.denominator));
                    filters.extend(turn_filters(turn(self.settings, facts)).iter().map(|filter| (*filter).to_owned()));
                    let base = graph.add(vec![stream], filters);
                    bases.push((rate, base));
                    base
                }
            };
            let mut filters = vec![format!("scale={width}:{height}:flags=bicubic"), "format=yuv420p".to_owned()];
            if smallest == Some((rate, (width, height))) {
                filters.extend(black_filters());
            }
            made.push((rate, (width, height), graph.add(vec![Source::Node(parent)], filters)));
        }
        let node = |video: &VideoEncode| {
            made.iter().find(|(rate, size, _)| *rate == video.frame_rate && *size == video.picture.scaled).map(|m| m.2)
        };
        self.videos.iter().filter_map(node).collect()
    }
}

impl Sink {
    fn tee(&self, videos: usize) -> String {
        let streams: Vec<_> =
            self.video.into_iter().chain(self.audio.map(|audio| videos + audio)).map(|s| s.to_string()).collect();
        format!("[select={}:{}]{}", streams.join(","), self.muxer, self.file)
    }
}

/// When the first picture of an HLS output is shown, in seconds on the clock of its transport stream, where sound comes in
/// streams of its own. Without a common offset the muxer would begin each stream at its own zero, and they would drift apart.
pub(crate) const SEPARATE_STREAMS_OFFSET_SECONDS: f64 = 10.0;

/// The muxer with its options as `tee` takes them, and its file.
fn muxer(group: &OutputGroup, kind: OutputGroupKind<'_>, output: &Output, directory: &str) -> (String, String) {
    let hls = |seconds: u32| format!("f=hls:hls_time={seconds}:hls_list_size=0:hls_playlist_type=vod:start_number=1");
    let list = format!("{directory}/index.m3u8");
    // ffmpeg's HLS muxer cuts fragmented MP4 just as DASH and CMAF want it, and names files per output, which its DASH muxer
    // does not. Timestamps are left alone so that the first picture is shown at zero.
    let fragmented = |seconds: u32, offsets: CompositionOffsets| {
        let offsets = match offsets {
            CompositionOffsets::Unsigned => "",
            CompositionOffsets::Signed => ":hls_segment_options=movflags=+negative_cts_offsets",
        };
        format!(
            "{}:hls_segment_type=fmp4:avoid_negative_ts=disabled{offsets}:hls_fmp4_init_filename=init.mp4\
             :hls_segment_filename={directory}/%05d.m4s",
            hls(seconds)
        )
    };
    match kind {
        OutputGroupKind::Hls(settings) if output.is_packed_audio() => {
            let seconds = settings.segment_length;
            let muxer = format!(
                "f=segment:segment_format=adts:segment_time={seconds}:segment_list_type=csv\
                 :segment_list={directory}/index.csv:segment_start_number=1:avoid_negative_ts=disabled"
            );
            (muxer, format!("{directory}/%05d.aac"))
        }
        OutputGroupKind::Hls(settings) => {
            let offset = if group.outputs.iter().any(Output::is_audio_only) {
                format!(":avoid_negative_ts=disabled:output_ts_offset={SEPARATE_STREAMS_OFFSET_SECONDS}")
            } else {
                String::new()
            };
            let segments = format!("hls_segment_filename={directory}/%05d.ts");
            (format!("{}{offset}:{segments}", hls(settings.segment_length)), list)
        }
        OutputGroupKind::Dash(settings) => {
            (fragmented(settings.segment_length, settings.video_composition_offsets), list)
        }
        OutputGroupKind::Cmaf(settings) => {
            (fragmented(settings.segment_length, settings.video_composition_offsets), list)
        }
        OutputGroupKind::File(_) => {
            let muxer = match output.container_settings.mp4_settings.moov_placement {
                MoovPlacement::ProgressiveDownload => "f=mp4:movflags=+faststart",
                MoovPlacement::Normal => "f=mp4",
            };
            (muxer.to_owned(), format!("{directory}/file.mp4"))
        }
    }
}

fn image_filters(image: &InsertableImage) -> Vec<String> {
    let mut filters = vec!["format=rgba".to_owned()];
    let side = |pixels: Option<u32>| pixels.map_or("-1".to_owned(), |pixels| pixels.to_string());
    if image.width.is_some() || image.height.is_some() {
        filters.push(format!("scale={}:{}", side(image.width), side(image.height)));
    }
    if image.opacity < 100 {
        filters.push(format!("colorchannelmixer=aa={:.2}", f64::from(image.opacity) / 100.0));
    }
    filters
}

/// Looks for black pictures where that is cheapest, on the smallest rendition, and writes them down; the pictures pass unchanged.
fn black_filters() -> [String; 2] {
    [format!("blackdetect=d={BLACK_SECONDS_MIN}"), format!("metadata=mode=print:file={BLACK_FILE}")]
}

/// The place of `item` in `list`, where it is put unless an equal one is there.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|other| *other == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}
