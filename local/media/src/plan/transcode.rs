//! The process that makes pictures and sound: decode once, scale in a chain, encode each distinct thing once, tee.

use crate::job::{
    AudioCodec, CompositionOffsets, Container, JobSettings, MoovPlacement, ObjectLocation, Output, OutputGroup,
    OutputGroupKind, Timecode, TimecodeSource, WavFormat,
};

use super::{
    PIXELS_MAX, PlanError, PlannedFile, PlannedOutput, PlannedVideo,
    audio::{self, AudioEncode},
    graph::{Graph, NodeId, Source},
    image_file,
    overlay::Overlay,
    parts::Part,
    preamble, source_input, strings,
    video::{Reading, VideoEncode},
};

/// The notes on black pictures in the scratch directory.
pub(crate) const BLACK_FILE: &str = "black.txt";

/// Shorter black is a cut or a blink. Our choice, after an event of AWS's that tells of 84 ms of it.
const BLACK_SECONDS_MIN: f64 = 0.08;

/// Gathers what the outputs want.
#[derive(Debug)]
pub(super) struct Transcode<'a> {
    settings: &'a JobSettings,
    parts: &'a [Part<'a>],
    videos: Vec<VideoEncode>,
    audios: Vec<AudioEncode>,
    sinks: Vec<Sink>,
}

/// One slave of the tee muxer.
#[derive(Debug)]
struct Sink {
    video: Option<usize>,
    audios: Vec<usize>,
    /// Muxer and its options, as `tee` takes them.
    muxer: String,
    /// Below scratch.
    file: String,
}

impl<'a> Transcode<'a> {
    pub(super) fn new(settings: &'a JobSettings, parts: &'a [Part<'a>]) -> Self {
        Self { settings, parts, videos: Vec::new(), audios: Vec::new(), sinks: Vec::new() }
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
        let audios = self.audios(output)?;
        if video.is_none() && audios.is_empty() {
            return Ok(None);
        }
        let file = matches!(kind, OutputGroupKind::File(_)).then(|| planned_file(output));
        let (muxer, path) = muxer(group, kind, output, directory, file);
        let planned = PlannedOutput {
            index,
            directory: directory.to_owned(),
            video: video.map(|at| {
                let encode = &self.videos[at];
                let (width, height) = encode.picture.framed;
                PlannedVideo {
                    width,
                    height,
                    sample_aspect: encode.picture.sample_aspect,
                    frame_rate: encode.frame_rate,
                    key_interval: encode.key_interval,
                    bitrate: encode.bitrate,
                    max_bitrate: encode.max_bitrate,
                }
            }),
            audios: audios.iter().map(|at| self.audios[*at].planned.clone()).collect(),
            captures: None,
            file,
            captions: None,
        };
        self.sinks.push(Sink { video, audios, muxer, file: path });
        Ok(Some(planned))
    }

    fn video(&mut self, output: &Output, kind: OutputGroupKind<'_>) -> Option<usize> {
        let description = output.video_description.as_ref()?;
        let coding = description.codec_settings.coding()?;
        let timecodes = &self.settings.timecode_config;
        let first_timecode = match timecodes.source {
            TimecodeSource::SpecifiedStart => timecodes.start.unwrap_or_default(),
            TimecodeSource::Embedded => self.parts.first().map(|part| part.first_timecode).unwrap_or_default(),
            TimecodeSource::ZeroBased => Timecode::default(),
        };
        let encode = VideoEncode::new(description, coding, self.parts, first_timecode, kind.segment_seconds())?;
        Some(place(&mut self.videos, encode))
    }

    fn audios(&mut self, output: &Output) -> Result<Vec<usize>, PlanError> {
        let mut audios = Vec::new();
        for description in &output.audio_descriptions {
            let encode = AudioEncode::new(description, self.parts)?;
            audios.extend(encode.map(|encode| place(&mut self.audios, encode)));
        }
        Ok(audios)
    }

    /// The command line, and the images it reads.
    pub(super) fn finish(self) -> (Option<Vec<String>>, Vec<ObjectLocation>) {
        if self.sinks.is_empty() {
            return (None, Vec::new());
        }
        let images = self.images();
        let mut arguments = preamble();
        for part in self.parts {
            arguments.extend(source_input(part));
        }
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
            for (name, value) in &audio.options {
                arguments.extend([format!("-{name}:a:{index}"), value.clone()]);
            }
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

    /// Every image once.
    fn images(&self) -> Vec<ObjectLocation> {
        let mut images = Vec::new();
        for video in &self.videos {
            let read = video.readings.iter().flat_map(|reading| &reading.images);
            for overlay in read.chain(&video.images) {
                place(&mut images, overlay.image.clone());
            }
        }
        images
    }

    fn graph(&self, images: &[ObjectLocation]) -> (String, Vec<String>) {
        let mut graph = Graph::default();
        let draw = |graph: &mut Graph, node: NodeId, overlay: &Overlay| {
            let number = images.iter().position(|image| *image == overlay.image).unwrap_or_default();
            overlay.draw(graph, node, self.parts.len() + number)
        };
        let (sources, sounds) = self.sources(&mut graph, draw);
        let mut outputs = Vec::new();
        let pictures = self.pictures(&mut graph, &sources);
        for (video, picture) in self.videos.iter().zip(pictures) {
            let mut node = graph.add(vec![Source::Node(picture)], video.picture.frame_filters());
            for overlay in &video.images {
                node = draw(&mut graph, node, overlay);
            }
            outputs.push(node);
        }
        outputs.extend(self.sounds(&mut graph, &sounds));
        graph.finish(&outputs)
    }

    /// The picture at its rate for each distinct way of reading, and the sound of each encode as far as it is read part by part.
    ///
    /// Several parts are joined by one filter for everything, which knows the longest stream of each part and keeps picture and
    /// sound together.
    fn sources(
        &self,
        graph: &mut Graph,
        draw: impl Fn(&mut Graph, NodeId, &Overlay) -> NodeId,
    ) -> (Vec<(usize, NodeId)>, Vec<NodeId>) {
        let mut bases: Vec<usize> = Vec::new();
        for index in 0..self.videos.len() {
            if !bases.iter().any(|other| self.same_base(*other, index)) {
                bases.push(index);
            }
        }
        if self.parts.len() == 1 {
            let nodes = bases
                .into_iter()
                .map(|index| {
                    (index, self.read(graph, 0, &self.videos[index].readings[0], &self.videos[index].rate, &draw))
                })
                .collect();
            return (nodes, Vec::new());
        }
        let mut readings: Vec<usize> = Vec::new();
        for index in &bases {
            if !readings.iter().any(|other| self.videos[*other].readings == self.videos[*index].readings) {
                readings.push(*index);
            }
        }
        let mut inputs = Vec::new();
        for part in 0..self.parts.len() {
            for index in &readings {
                inputs.push(Source::Node(self.read(graph, part, &self.videos[*index].readings[part], &[], &draw)));
            }
            for audio in &self.audios {
                inputs.push(Source::Node(self.listen(graph, part, audio)));
            }
        }
        let (parts, videos, audios) = (self.parts.len(), readings.len(), self.audios.len());
        let joined = graph.add_many(inputs, format!("concat=n={parts}:v={videos}:a={audios}"), videos + audios);
        // A joined picture may be wanted at several rates, but a filter's output goes one way.
        let once: Vec<_> =
            joined[..videos].iter().map(|node| graph.add(vec![Source::Node(*node)], vec!["null".into()])).collect();
        let nodes = bases
            .into_iter()
            .filter_map(|index| {
                let at = readings.iter().position(|r| self.videos[*r].readings == self.videos[index].readings)?;
                Some((index, graph.add(vec![Source::Node(once[at])], self.videos[index].rate.clone())))
            })
            .collect();
        (nodes, joined[videos..].to_vec())
    }

    fn same_base(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.videos[one], &self.videos[other]);
        one.readings == other.readings && one.rate == other.rate
    }

    /// One part's picture.
    fn read(
        &self,
        graph: &mut Graph,
        part: usize,
        reading: &Reading,
        rate: &[String],
        draw: impl Fn(&mut Graph, NodeId, &Overlay) -> NodeId,
    ) -> NodeId {
        let stream = self.parts[part].video().map_or(0, |(track, _)| track.stream);
        let mut filters = [&reading.first, rate, &reading.turn].concat();
        if reading.images.is_empty() {
            filters.extend(reading.then.iter().cloned());
        }
        if filters.is_empty() {
            filters.push("null".to_owned());
        }
        let mut node = graph.add(vec![Source::Stream { input: part, stream }], filters);
        for overlay in &reading.images {
            node = draw(graph, node, overlay);
        }
        if !reading.images.is_empty() && !reading.then.is_empty() {
            node = graph.add(vec![Source::Node(node)], reading.then.clone());
        }
        node
    }

    /// One part's sound, or silence as long as the part.
    fn listen(&self, graph: &mut Graph, part: usize, audio: &AudioEncode) -> NodeId {
        match &audio.readings[part] {
            Some(reading) => hear(graph, part, reading, &[]),
            None => graph.add(Vec::new(), vec![format!("{}:duration={:.6}", audio.silence, self.parts[part].seconds)]),
        }
    }

    fn sounds(&self, graph: &mut Graph, joined: &[NodeId]) -> Vec<NodeId> {
        let of = |(index, audio): (usize, &AudioEncode)| match (joined.get(index), audio.readings.first()) {
            (Some(node), _) => graph.add(vec![Source::Node(*node)], audio.filters.clone()),
            (None, Some(Some(reading))) => hear(graph, 0, reading, &audio.filters),
            // An encode of a single part has sound there, or it would not be.
            (None, _) => graph.add(Vec::new(), vec![audio.silence.clone()]),
        };
        self.audios.iter().enumerate().map(of).collect()
    }

    /// The scaled picture for each encode. Each size is made once, from the smallest larger one there is.
    fn pictures(&self, graph: &mut Graph, sources: &[(usize, NodeId)]) -> Vec<NodeId> {
        let base = |index: usize| sources.iter().position(|(of, _)| self.same_base(*of, index)).unwrap_or_default();
        let mut wanted: Vec<Scaled> = Vec::new();
        let scaled: Vec<_> = self
            .videos
            .iter()
            .enumerate()
            .map(|(index, video)| Scaled {
                base: base(index),
                size: video.picture.scaled,
                scaler: video.scaler.clone(),
                pixel_format: video.pixel_format,
            })
            .collect();
        for scaled in &scaled {
            place(&mut wanted, scaled.clone());
        }
        wanted.sort_by_key(|scaled| std::cmp::Reverse(u64::from(scaled.size.0) * u64::from(scaled.size.1)));
        let smallest = wanted.last().cloned();
        let mut made: Vec<(Scaled, NodeId)> = Vec::new();
        for scaled in wanted {
            let larger = made.iter().rev().find(|(other, _)| other.can_become(&scaled)).map(|(_, node)| *node);
            let Some(parent) = larger.or_else(|| sources.get(scaled.base).map(|(_, node)| *node)) else { continue };
            let (width, height) = scaled.size;
            let mut filters = vec![
                format!("scale={width}:{height}:flags={}", scaled.scaler),
                format!("format={}", scaled.pixel_format),
            ];
            if smallest.as_ref() == Some(&scaled) {
                filters.extend(black_filters());
            }
            let node = graph.add(vec![Source::Node(parent)], filters);
            made.push((scaled, node));
        }
        scaled
            .iter()
            .filter_map(|scaled| made.iter().find(|(other, _)| other == scaled).map(|(_, node)| *node))
            .collect()
    }
}

/// A picture of some size.
#[derive(Clone, Debug, PartialEq)]
struct Scaled {
    base: usize,
    size: (u32, u32),
    scaler: String,
    pixel_format: &'static str,
}

impl Scaled {
    /// Whether the other can be made from this.
    fn can_become(&self, other: &Self) -> bool {
        self.base == other.base
            && self.scaler == other.scaler
            && self.pixel_format == other.pixel_format
            && self.size.0 >= other.size.0
            && self.size.1 >= other.size.1
    }
}

/// The sound of one part's streams, side by side, and `finally` these filters.
fn hear(graph: &mut Graph, part: usize, reading: &audio::Reading, finally: &[String]) -> NodeId {
    let stream = |stream: usize| Source::Stream { input: part, stream };
    let then = [reading.then.as_slice(), finally].concat();
    if let [only] = reading.streams.as_slice() {
        return graph.add(vec![stream(*only)], [reading.each.clone(), then].concat());
    }
    let mut nodes = Vec::new();
    for (number, same) in reading.streams.iter().zip(&reading.alike) {
        let each = [reading.each.as_slice(), std::slice::from_ref(same)].concat();
        nodes.push(Source::Node(graph.add(vec![stream(*number)], each)));
    }
    let merge = format!("amerge=inputs={}", nodes.len());
    graph.add(nodes, [vec![merge], then].concat())
}

impl Sink {
    fn tee(&self, videos: usize) -> String {
        let audios = self.audios.iter().map(|audio| videos + audio);
        let streams: Vec<_> = self.video.into_iter().chain(audios).map(|s| s.to_string()).collect();
        format!("[select={}:{}]{}", streams.join(","), self.muxer, self.file)
    }
}

/// When the first picture of an HLS output is shown, in seconds on the clock of its transport stream, where sound comes in
/// streams of its own. Without a common offset the muxer would begin each stream at its own zero, and they would drift apart.
pub(crate) const SEPARATE_STREAMS_OFFSET_SECONDS: f64 = 10.0;

/// The muxer with its options as `tee` takes them, and its file.
fn muxer(
    group: &OutputGroup,
    kind: OutputGroupKind<'_>,
    output: &Output,
    directory: &str,
    file: Option<PlannedFile>,
) -> (String, String) {
    let hls = |seconds: u32| format!("f=hls:hls_time={seconds}:hls_list_size=0:hls_playlist_type=vod:start_number=1");
    let list = format!("{directory}/index.m3u8");
    // ffmpeg's HLS muxer cuts fragmented MP4 just as DASH and CMAF want it, and names files per output, which its DASH muxer
    // does not. Timestamps are left alone so that the first picture is shown at zero.
    let flac = output.audio_descriptions.iter().any(|audio| audio.codec_settings.codec == AudioCodec::Flac);
    // The muxer calls FLAC in MP4 experimental.
    let strict = if flac { ":strict=-2" } else { "" };
    let fragmented = |seconds: u32, offsets: CompositionOffsets| {
        let offsets = match offsets {
            CompositionOffsets::Unsigned => "",
            CompositionOffsets::Signed => ":hls_segment_options=movflags=+negative_cts_offsets",
        };
        format!(
            "{}{strict}:hls_segment_type=fmp4:avoid_negative_ts=disabled{offsets}:hls_fmp4_init_filename=init.mp4\
             :hls_segment_filename={directory}/%05d.m4s",
            hls(seconds)
        )
    };
    match kind {
        OutputGroupKind::Hls(settings) if output.is_packed_audio() => {
            let seconds = settings.segment_length;
            let packed = output.packed_audio();
            let muxer = format!(
                "f=segment:segment_format={}:segment_time={seconds}:segment_list_type=csv\
                 :segment_list={directory}/index.csv:segment_start_number=1:avoid_negative_ts=disabled{}",
                packed.muxer,
                // What stands before and between the frames of a file has no place in a segment.
                if packed.muxer == "mp3" { r":segment_format_options=write_xing=0\\:id3v2_version=0" } else { "" }
            );
            (muxer, format!("{directory}/%05d{}", packed.extension))
        }
        OutputGroupKind::Hls(settings) => {
            let offset = if group.outputs.iter().any(Output::is_beside_pictures) {
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
            let file = file.unwrap_or_else(|| planned_file(output));
            (file_muxer(output, file), format!("{directory}/file.{}", file.extension))
        }
    }
}

fn file_muxer(output: &Output, file: PlannedFile) -> String {
    let mp4 = output.container_settings.mp4_settings.unwrap_or_default();
    let first = output.audio_descriptions.first();
    let wide =
        first.and_then(|audio| audio.codec_settings.wav_settings.as_ref()).is_some_and(|w| w.format == WavFormat::Rf64);
    match (file.muxer, mp4.moov_placement) {
        ("mp4", MoovPlacement::ProgressiveDownload) => "f=mp4:movflags=+faststart".to_owned(),
        ("wav", _) if wide => "f=wav:rf64=always".to_owned(),
        (muxer, _) => format!("f={muxer}"),
    }
}

/// The file of an output of a file group.
fn planned_file(output: &Output) -> PlannedFile {
    let file = |muxer, extension, content_type| PlannedFile { muxer, extension, content_type };
    let picture = output.video_description.is_some();
    match output.container_settings.container {
        Container::Mov => file("mov", "mov", "video/quicktime"),
        Container::M2ts => file("mpegts", "m2ts", "video/mp2t"),
        Container::Webm => file("webm", "webm", if picture { "video/webm" } else { "audio/webm" }),
        Container::Raw => match output.audio_descriptions.first().map(|audio| audio.codec_settings.codec) {
            Some(AudioCodec::Mp2) => file("mp2", "mp2", "audio/mpeg"),
            Some(AudioCodec::Mp3) => file("mp3", "mp3", "audio/mpeg"),
            Some(AudioCodec::Ac3) => file("ac3", "ac3", "audio/ac3"),
            Some(AudioCodec::Eac3) => file("eac3", "ec3", "audio/eac3"),
            Some(AudioCodec::Flac) => file("flac", "flac", "audio/flac"),
            Some(AudioCodec::Wav) => file("wav", "wav", "audio/wav"),
            Some(AudioCodec::Aiff) => file("aiff", "aiff", "audio/aiff"),
            _ => file("adts", "aac", "audio/aac"),
        },
        _ => file("mp4", "mp4", if picture { "video/mp4" } else { "audio/mp4" }),
    }
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
