//! An asset as one packaging configuration gives it out: its streams, where the segments of each come from, and its manifests.

use crate::{
    dash,
    facts::{Alternative, Container, Facts, Kind, Rendition, TICKS_PER_SECOND},
    fmp4, hls,
    model::{Package, StreamOrder, StreamSelection},
    ts::Media,
};

/// Everything below one egress URL.
#[derive(Debug)]
pub(crate) struct Presentation {
    pub streams: Vec<Stream>,
    /// The source's time, in ticks, that is zero in what is written anew.
    pub origin_ticks: u64,
    /// How long after that the first frame is shown, in ticks.
    pub lead_ticks: u64,
}

/// One stream of a presentation.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Names its files.
    pub number: usize,
    pub role: Role,
    pub content: Content,
    /// Units in a second.
    pub timescale: u32,
    pub outputs: Vec<Output>,
    /// Its key frames alone, one for each segment of the source, if the configuration wants them.
    pub key_frames: Option<Vec<Output>>,
    /// The initialisation segment, where there is one.
    pub init: Option<Vec<u8>>,
}

/// What a stream is to the player. Renditions are named by their place in the facts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    Variant {
        rendition: usize,
        /// The rendition whose sound is in the stream itself.
        sound: Option<usize>,
        /// The groups that its sound may come from.
        audio_groups: Vec<String>,
        subtitles_group: Option<String>,
    },
    Audio {
        rendition: usize,
        label: Alternative,
    },
    Subtitles {
        rendition: usize,
        label: Alternative,
    },
}

/// Where the segments of a stream come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The source's own transport streams, one after another.
    Joined,
    /// Transport streams written anew, of the picture and the sound of these renditions.
    Transport { picture: Option<usize>, sound: Option<usize> },
    /// Fragmented MP4 of one track.
    Fragmented(Media),
    /// WebVTT beside segments whose clock begins at zero, or goes on with the source's.
    WebVtt { zero_based: bool },
    /// TTML in fragmented MP4.
    Ttml,
}

/// One segment of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    /// Which of the source's segments it is made of: from, and up to but without.
    pub from: usize,
    pub to: usize,
    /// In the stream's timescale from the start of the presentation, as is the duration.
    pub start: u64,
    pub duration: u64,
    /// Nearly, where the segment is not the source's own.
    pub size_bytes: u64,
}

/// Why an asset has no presentation under a configuration; the text goes into the IngestError event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotPresentable {
    #[error("the stream selection leaves no rendition")]
    NothingSelected,
    #[error("H.265 is given out in CMAF and DASH only")]
    H265,
    #[error("the picture's parameters change within a rendition, which fragmented MP4 cannot say")]
    Parameters,
    #[error("the segments are not nearly of the same length, which NUMBER_WITH_DURATION needs")]
    Durations,
}

impl Stream {
    /// The rendition that the stream is made of; that of its picture if of two.
    pub(crate) fn rendition(&self) -> usize {
        match self.role {
            Role::Variant { rendition, .. } | Role::Audio { rendition, .. } | Role::Subtitles { rendition, .. } => {
                rendition
            }
        }
    }

    /// The rendition whose sound the stream carries.
    pub(crate) fn sound(&self) -> Option<usize> {
        match self.role {
            Role::Variant { sound, .. } => sound,
            Role::Audio { rendition, .. } => Some(rendition),
            Role::Subtitles { .. } => None,
        }
    }

    pub(crate) fn extension(&self) -> &'static str {
        match self.content {
            Content::Joined | Content::Transport { .. } => "ts",
            Content::Fragmented(_) | Content::Ttml => "mp4",
            Content::WebVtt { .. } => "vtt",
        }
    }

    pub(crate) fn seconds(&self, units: u64) -> f64 {
        units as f64 / f64::from(self.timescale)
    }

    /// Where the stream ends, in seconds.
    pub(crate) fn end_seconds(&self) -> f64 {
        self.outputs.last().map_or(0.0, |last| self.seconds(last.start + last.duration))
    }

    /// From one segment to the next, on average.
    pub(crate) fn mean_duration(&self) -> u64 {
        match self.outputs.as_slice() {
            [] => 0,
            [only] => only.duration,
            [first, .., last] => (last.start - first.start) / (self.outputs.len() as u64 - 1),
        }
    }

    /// The target duration: each segment's duration, rounded to the nearest second, is at most this (RFC 8216, 4.3.3.1).
    pub(crate) fn target_seconds(&self) -> u64 {
        let rounded = self.outputs.iter().map(|output| self.seconds(output.duration).round() as u64);
        rounded.max().unwrap_or(1).max(1)
    }

    /// The peak bit rate: the largest of any run of segments lasting at least half the target duration (RFC 8216, 4.3.4.2).
    pub(crate) fn peak_bandwidth(&self) -> u64 {
        self.peak(&self.outputs)
    }

    pub(crate) fn key_frames_bandwidth(&self) -> u64 {
        self.peak(self.key_frames.as_deref().unwrap_or_default())
    }

    fn peak(&self, outputs: &[Output]) -> u64 {
        let least = self.target_seconds() * u64::from(self.timescale) / 2;
        let mut peak = 0;
        for start in 0..outputs.len() {
            let (mut bytes, mut units) = (0, 0);
            for output in &outputs[start..] {
                bytes += output.size_bytes;
                units += output.duration;
                if units >= least {
                    break;
                }
            }
            // A tail shorter than half the target says nothing of the rate, unless it is all there is.
            if units >= least || start == 0 {
                peak = peak.max(self.rate(bytes, units));
            }
        }
        peak
    }

    pub(crate) fn average_bandwidth(&self) -> u64 {
        let sum = |value: fn(&Output) -> u64| self.outputs.iter().map(value).sum();
        self.rate(sum(|output| output.size_bytes), sum(|output| output.duration))
    }

    /// Bits per second.
    fn rate(&self, bytes: u64, units: u64) -> u64 {
        (bytes * 8 * u64::from(self.timescale)).div_ceil(units.max(1))
    }
}

/// Works out the streams of an asset for one configuration.
pub(crate) fn present(facts: &Facts, package: &Package) -> Result<Presentation, NotPresentable> {
    let selected = select(facts, package.stream_selection())?;
    let seconds = package.segment_duration_seconds();
    let (origin_ticks, shown_ticks) = beginnings(facts, &selected);
    let planner = Planner { facts, seconds, key_frames: package.includes_key_frames(), origin_ticks };
    let streams = match package {
        Package::Hls(package) => planner.hls(&selected, package.use_audio_rendition_group.unwrap_or(false))?,
        Package::Cmaf(_) => planner.fragmented(&selected, Content::WebVtt { zero_based: true })?,
        Package::Dash(_) => planner.fragmented(&selected, Content::Ttml)?,
    };
    let presentation = Presentation { streams, origin_ticks, lead_ticks: shown_ticks.saturating_sub(origin_ticks) };
    if let Package::Dash(package) = package {
        dash::check(package, &presentation)?;
    }
    Ok(presentation)
}

/// Writes the manifest that tells of these streams.
pub(crate) fn manifest(facts: &Facts, package: &Package, chosen: &Chosen<'_>) -> String {
    match package {
        Package::Hls(_) | Package::Cmaf(_) => hls::parent(facts, package, chosen),
        Package::Dash(package) => dash::document(facts, package, chosen),
    }
}

/// The streams of a presentation that a manifest tells of.
#[derive(Debug, Default)]
pub(crate) struct Chosen<'a> {
    /// As in [`Presentation::lead_ticks`].
    pub lead_ticks: u64,
    pub streams: Vec<&'a Stream>,
    /// Those whose key frames it tells of.
    pub key_frames: Vec<&'a Stream>,
}

impl<'a> Chosen<'a> {
    pub(crate) fn all(presentation: &'a Presentation) -> Self {
        Self {
            lead_ticks: presentation.lead_ticks,
            streams: presentation.streams.iter().collect(),
            key_frames: presentation.streams.iter().filter(|stream| stream.key_frames.is_some()).collect(),
        }
    }
}

/// Which variants are given out, in their order. The limits of stream selection are held against the bandwidth that the
/// source declares for the stream.
fn select(facts: &Facts, selection: Option<&StreamSelection>) -> Result<Vec<usize>, NotPresentable> {
    let selection = selection.cloned().unwrap_or_default();
    let bandwidth = |index: &usize| match facts.renditions[*index].kind {
        Kind::Variant { declared_bandwidth, .. } => Some(declared_bandwidth),
        _ => None,
    };
    let least = selection.min_video_bits_per_second.map_or(0, u64::from);
    let most = selection.max_video_bits_per_second.map_or(u64::MAX, u64::from);
    let mut variants: Vec<usize> = (0..facts.renditions.len())
        .filter(|index| bandwidth(index).is_some_and(|bandwidth| (least..=most).contains(&bandwidth)))
        .collect();
    match selection.stream_order.unwrap_or_default() {
        StreamOrder::Original => {}
        StreamOrder::VideoBitrateAscending => variants.sort_by_key(bandwidth),
        StreamOrder::VideoBitrateDescending => variants.sort_by_key(|index| std::cmp::Reverse(bandwidth(index))),
    }
    if variants.is_empty() { Err(NotPresentable::NothingSelected) } else { Ok(variants) }
}

/// When the first frame of picture or sound is decoded, and when the first is shown. All streams are counted from the former:
/// so they keep their distances, and no frame is shown before it is decoded, which not every player gets right.
fn beginnings(facts: &Facts, variants: &[usize]) -> (u64, u64) {
    let alternatives = facts.renditions.iter().filter(|rendition| matches!(rendition.kind, Kind::Audio(_)));
    let renditions = variants.iter().map(|index| &facts.renditions[*index]).chain(alternatives);
    let times = renditions.filter_map(|rendition| rendition.segments.first()).flat_map(|segment| {
        let picture = segment.picture.as_ref().map(|span| (span.dts.min(span.pts), span.pts));
        picture.into_iter().chain(segment.sound.as_ref().map(|span| (span.pts, span.pts)))
    });
    times.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).unwrap_or((0, 0))
}

/// What a fragment takes besides its samples is exact in `fmp4`; a transport stream's packets and headers are estimated.
fn transport_bytes(bytes: u64, frames: u64) -> u64 {
    bytes * 188 / 184 + frames * 120 + 16 * 188
}

struct Planner<'a> {
    facts: &'a Facts,
    /// The wanted length of segments.
    seconds: u32,
    key_frames: bool,
    origin_ticks: u64,
}

impl Planner<'_> {
    fn alternatives(&self, kind: fn(&Kind) -> Option<&Alternative>) -> impl Iterator<Item = (usize, Alternative)> {
        let labels = self.facts.renditions.iter().enumerate();
        labels.filter_map(move |(index, rendition)| Some((index, kind(&rendition.kind)?.clone())))
    }

    /// HLS with transport streams.
    fn hls(&self, variants: &[usize], rendition_group: bool) -> Result<Vec<Stream>, NotPresentable> {
        let renditions = &self.facts.renditions;
        if variants.iter().any(|index| {
            renditions[*index].picture.as_ref().is_some_and(|picture| picture.codec == crate::codec::PictureCodec::H265)
        }) {
            return Err(NotPresentable::H265);
        }
        let audio: Vec<(usize, Alternative)> = self.alternatives(audio_label).collect();
        let mut streams = Vec::new();
        for &index in variants {
            let rendition = &renditions[index];
            let Kind::Variant { audio_group, subtitles_group, .. } = &rendition.kind else { continue };
            // A set of MP4 files with one sound gives streams with both, as a transport stream source would.
            let alone = audio.first().filter(|_| rendition.container == Container::Mp4 && audio.len() == 1);
            let (content, sound, groups) = match (rendition.container, rendition_group) {
                (Container::TransportStream, true) if rendition.sound.is_some() => {
                    let groups = vec![audio_group.clone().unwrap_or_else(|| AUDIO_GROUP.to_owned())];
                    (Content::Transport { picture: Some(index), sound: None }, None, groups)
                }
                (Container::TransportStream, _) => {
                    let own = rendition.sound.as_ref().map(|_| index);
                    (Content::Joined, own, audio_group.iter().cloned().collect())
                }
                _ => match alone.filter(|_| !rendition_group) {
                    Some((sound, _)) => {
                        (Content::Transport { picture: Some(index), sound: Some(*sound) }, Some(*sound), Vec::new())
                    }
                    None => {
                        let groups = audio_group.iter().cloned().collect();
                        (Content::Transport { picture: Some(index), sound: None }, None, groups)
                    }
                },
            };
            let role = Role::Variant {
                rendition: index,
                sound,
                audio_groups: groups,
                subtitles_group: subtitles_group.clone(),
            };
            streams.push(self.stream(rendition.number, role, content)?);
        }
        let muxed = streams.iter().any(|stream| matches!(stream.content, Content::Transport { sound: Some(_), .. }));
        if !muxed {
            if rendition_group {
                streams.extend(self.embedded(variants, Content::Transport { picture: None, sound: None })?);
            }
            for (index, label) in audio {
                let content = match renditions[index].container {
                    Container::Mp4 => Content::Transport { picture: None, sound: Some(index) },
                    _ => Content::Joined,
                };
                streams.push(self.stream(
                    renditions[index].number,
                    Role::Audio { rendition: index, label },
                    content,
                )?);
            }
        }
        streams.extend(self.subtitles(Content::WebVtt { zero_based: false })?);
        Ok(streams)
    }

    /// CMAF and DASH: each track for itself.
    fn fragmented(&self, variants: &[usize], captions: Content) -> Result<Vec<Stream>, NotPresentable> {
        let renditions = &self.facts.renditions;
        let mut sounds: Vec<Stream> = self.embedded(variants, Content::Fragmented(Media::Sound))?.into_iter().collect();
        for (index, label) in self.alternatives(audio_label) {
            let role = Role::Audio { rendition: index, label };
            sounds.push(self.stream(renditions[index].number, role, Content::Fragmented(Media::Sound))?);
        }
        // A player cannot change the codec within a group: each has a group of its own.
        let mut groups: Vec<String> = Vec::new();
        for sound in &mut sounds {
            let Role::Audio { rendition, label } = &mut sound.role else { continue };
            let codec = renditions[*rendition].sound.as_ref().map_or("", |sound| sound.name.as_str());
            label.group =
                if codec.starts_with("mp4a") { AUDIO_GROUP.to_owned() } else { format!("{AUDIO_GROUP}-{codec}") };
            if !groups.contains(&label.group) {
                groups.push(label.group.clone());
            }
        }
        let subtitles: Vec<Stream> = self
            .subtitles(captions)?
            .into_iter()
            .map(|mut stream| {
                if let Role::Subtitles { label, .. } = &mut stream.role {
                    label.group = SUBTITLES_GROUP.to_owned();
                }
                stream
            })
            .collect();
        let mut streams = Vec::new();
        for &index in variants {
            let role = Role::Variant {
                rendition: index,
                sound: None,
                audio_groups: groups.clone(),
                subtitles_group: (!subtitles.is_empty()).then(|| SUBTITLES_GROUP.to_owned()),
            };
            streams.push(self.stream(renditions[index].number, role, Content::Fragmented(Media::Picture))?);
        }
        streams.extend(sounds);
        streams.extend(subtitles);
        Ok(streams)
    }

    /// The sound that is in the variants themselves, taken out of the first that has any. Where the source has sound of its
    /// own besides, only if its manifest names the embedded one too.
    fn embedded(&self, variants: &[usize], content: Content) -> Result<Option<Stream>, NotPresentable> {
        let facts = self.facts;
        if self.alternatives(audio_label).next().is_some() && facts.embedded_sound.is_none() {
            return Ok(None);
        }
        let Some(&rendition) = variants.iter().find(|index| facts.renditions[**index].sound.is_some()) else {
            return Ok(None);
        };
        let label = facts.embedded_sound.clone().unwrap_or_else(|| Alternative {
            group: AUDIO_GROUP.to_owned(),
            name: "audio".to_owned(),
            language: None,
            default: true,
            autoselect: true,
            forced: false,
            characteristics: None,
        });
        let content = match content {
            Content::Transport { .. } => Content::Transport { picture: None, sound: Some(rendition) },
            other => other,
        };
        // It needs a number of its own.
        self.stream(facts.renditions.len() + 1, Role::Audio { rendition, label }, content).map(Some)
    }

    fn subtitles(&self, content: Content) -> Result<Vec<Stream>, NotPresentable> {
        let labels = self.alternatives(|kind| match kind {
            Kind::Subtitles(label) => Some(label),
            _ => None,
        });
        labels
            .map(|(rendition, label)| {
                let number = self.facts.renditions[rendition].number;
                self.stream(number, Role::Subtitles { rendition, label }, content)
            })
            .collect()
    }

    fn stream(&self, number: usize, role: Role, content: Content) -> Result<Stream, NotPresentable> {
        let mut stream = Stream {
            number,
            role,
            content,
            timescale: TICKS_PER_SECOND as u32,
            outputs: Vec::new(),
            key_frames: None,
            init: None,
        };
        let rendition = &self.facts.renditions[stream.rendition()];
        let language = match &stream.role {
            Role::Audio { label, .. } | Role::Subtitles { label, .. } => label.language.as_deref(),
            Role::Variant { .. } => None,
        };
        match content {
            Content::Joined => stream.outputs = self.joined(rendition),
            Content::Transport { picture: Some(_), sound } => {
                let sound = sound.map(|index| &self.facts.renditions[index]);
                stream.outputs = self.pictures(rendition, |from, to| {
                    let (bytes, frames) = picture_bytes(rendition, from, to);
                    let (sound_bytes, sound_frames) = sound.map_or((0, 0), |sound| sound_bytes(sound, from, to));
                    transport_bytes(bytes + sound_bytes, frames + sound_frames)
                });
            }
            Content::Transport { picture: None, .. } => {
                stream.timescale = self.sound_timescale(rendition);
                stream.outputs = self.sounds(rendition, |bytes, frames| transport_bytes(bytes, frames / 4));
            }
            Content::Fragmented(Media::Picture) => {
                let Some((picture, configuration)) =
                    rendition.picture.as_ref().and_then(|picture| Some((picture, picture.configuration.as_deref()?)))
                else {
                    return Err(NotPresentable::Parameters);
                };
                if u16::try_from(picture.width.max(picture.height)).is_err() {
                    return Err(NotPresentable::Parameters);
                }
                stream.init = Some(fmp4::init(fmp4::Track::Picture(picture, configuration), stream.timescale, None));
                stream.outputs = self.pictures(rendition, |from, to| {
                    let (bytes, frames) = picture_bytes(rendition, from, to);
                    bytes + fmp4::head_bytes(frames as usize) as u64
                });
            }
            Content::Fragmented(Media::Sound) => {
                stream.timescale = self.sound_timescale(rendition);
                stream.init = rendition
                    .sound
                    .as_ref()
                    .map(|sound| fmp4::init(fmp4::Track::Sound(sound), stream.timescale, language));
                stream.outputs =
                    self.sounds(rendition, |bytes, frames| bytes + fmp4::head_bytes(frames as usize) as u64);
            }
            Content::WebVtt { .. } => stream.outputs = self.joined(rendition),
            Content::Ttml => {
                stream.init = Some(fmp4::init(fmp4::Track::Text, stream.timescale, language));
                stream.outputs = self.joined(rendition);
            }
        }
        if self.key_frames && matches!(stream.role, Role::Variant { .. }) {
            stream.key_frames = Some(self.key_frames(rendition, content));
        }
        Ok(stream)
    }

    fn sound_timescale(&self, rendition: &Rendition) -> u32 {
        rendition.sound.as_ref().map_or(TICKS_PER_SECOND as u32, |sound| sound.sample_rate)
    }

    /// Runs of source segments: from, and up to but without.
    fn runs(&self, rendition: &Rendition) -> impl Iterator<Item = (usize, usize)> {
        let (multiple, count) = (rendition.segments_per_output(self.seconds), rendition.segments.len());
        (0..count).step_by(multiple).map(move |from| (from, (from + multiple).min(count)))
    }

    /// Outputs that last as long as what they are made of.
    fn joined(&self, rendition: &Rendition) -> Vec<Output> {
        let mut start = 0;
        let runs = self.runs(rendition).map(|(from, to)| {
            let segments = &rendition.segments[from..to];
            let output = Output {
                from,
                to,
                start,
                duration: segments.iter().map(|segment| segment.duration_ticks).sum(),
                size_bytes: segments.iter().map(|segment| rendition.stored_bytes(segment)).sum(),
            };
            start += output.duration;
            output
        });
        runs.collect()
    }

    fn pictures(&self, rendition: &Rendition, size_bytes: impl Fn(usize, usize) -> u64) -> Vec<Output> {
        let runs = self.runs(rendition).filter_map(|(from, to)| {
            let segments = &rendition.segments[from..to];
            let first = segments.iter().find_map(|segment| segment.picture.as_ref())?;
            Some(Output {
                from,
                to,
                start: first.pts.saturating_sub(self.origin_ticks),
                duration: segments.iter().map(|segment| segment.duration_ticks).sum(),
                size_bytes: size_bytes(from, to),
            })
        });
        runs.collect()
    }

    /// In samples. Frames follow each other without gaps: counting them is exact where the clock of 90 kHz is not. Where the
    /// source has a gap, the count goes on from the source's time, so that picture and sound stay together.
    fn sounds(&self, rendition: &Rendition, size_bytes: impl Fn(u64, u64) -> u64) -> Vec<Output> {
        let Some(sound) = &rendition.sound else { return Vec::new() };
        let (rate, frame) = (u64::from(sound.sample_rate), u64::from(sound.frame_samples));
        let mut next: Option<u64> = None;
        let runs = self.runs(rendition).filter_map(|(from, to)| {
            let spans = || rendition.segments[from..to].iter().filter_map(|segment| segment.sound.as_ref());
            let told = (spans().next()?.pts.saturating_sub(self.origin_ticks) * rate + TICKS_PER_SECOND / 2)
                / TICKS_PER_SECOND;
            let start = next.filter(|counted| counted.abs_diff(told) <= frame).unwrap_or(told);
            let (bytes, frames) = sound_bytes(rendition, from, to);
            next = Some(start + frames * frame);
            Some(Output { from, to, start, duration: frames * frame, size_bytes: size_bytes(bytes, frames) })
        });
        runs.collect()
    }

    fn key_frames(&self, rendition: &Rendition, content: Content) -> Vec<Output> {
        let segments = rendition.segments.iter().enumerate().filter_map(|(index, segment)| {
            let span = segment.picture.as_ref()?;
            let size_bytes = match content {
                Content::Joined => span.head_bytes,
                Content::Fragmented(_) => span.key_frame_bytes + fmp4::head_bytes(1) as u64,
                _ => transport_bytes(span.key_frame_bytes, 1),
            };
            Some(Output {
                from: index,
                to: index + 1,
                start: span.pts.saturating_sub(self.origin_ticks),
                duration: segment.duration_ticks,
                size_bytes,
            })
        });
        segments.collect()
    }
}

const AUDIO_GROUP: &str = "audio";
const SUBTITLES_GROUP: &str = "subtitles";

fn audio_label(kind: &Kind) -> Option<&Alternative> {
    match kind {
        Kind::Audio(label) => Some(label),
        _ => None,
    }
}

/// Bytes and frames of the picture in these segments.
fn picture_bytes(rendition: &Rendition, from: usize, to: usize) -> (u64, u64) {
    let spans = rendition.segments[from..to].iter().filter_map(|segment| segment.picture.as_ref());
    spans.fold((0, 0), |(bytes, frames), span| (bytes + span.bytes, frames + span.frames))
}

/// Bytes and frames of the sound in these segments.
pub(crate) fn sound_bytes(rendition: &Rendition, from: usize, to: usize) -> (u64, u64) {
    let spans =
        rendition.segments.get(from..to).unwrap_or_default().iter().filter_map(|segment| segment.sound.as_ref());
    spans.fold((0, 0), |(bytes, frames), span| (bytes + span.bytes, frames + span.frames))
}

/// What a file name under an endpoint asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Parent,
    /// The playlist of the stream with this number.
    Media(usize),
    /// The playlist of its key frames.
    KeyFrames(usize),
    /// Its initialisation segment.
    Init(usize),
    /// A segment: stream number, index.
    Segment(usize, usize),
    /// A segment by when it begins, in the stream's timescale.
    SegmentAt(usize, u64),
    /// A key frame: stream number, index.
    KeyFrame(usize, usize),
}

/// Reads a file name under an endpoint whose manifest has this name, with its extension. The extension of a segment is given
/// back, to be held against the stream's.
pub(crate) fn parse_name<'a>(manifest: &str, file: &'a str) -> Option<(Name, &'a str)> {
    if file == manifest {
        return Some((Name::Parent, ""));
    }
    let stem = manifest.rsplit_once('.')?.0;
    let (rest, extension) = file.strip_prefix(stem)?.strip_prefix('_')?.rsplit_once('.')?;
    let mut parts = rest.split('_');
    let stream = number(parts.next()?)?;
    let name = match (parts.next(), parts.next(), extension) {
        (None, None, "m3u8") => Name::Media(stream),
        (Some("iframes"), None, "m3u8") => Name::KeyFrames(stream),
        (Some("init"), None, "mp4") => Name::Init(stream),
        (Some("iframes"), Some(index), "ts" | "mp4") => Name::KeyFrame(stream, number(index)?),
        (Some(index), None, "ts" | "mp4" | "vtt") => match index.strip_prefix('t') {
            Some(time) => Name::SegmentAt(stream, number(time)?),
            None => Name::Segment(stream, number(index)?),
        },
        _ => return None,
    };
    parts.next().is_none().then_some((name, extension))
}

/// One spelling for each number: names are also keys of caches.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| !text.starts_with(['+', '0']) || text == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let name = |manifest, file| parse_name(manifest, file).map(|(name, _)| name);
        assert_eq!(name("index.m3u8", "index.m3u8"), Some(Name::Parent));
        assert_eq!(name("index.mpd", "index.mpd"), Some(Name::Parent));
        assert_eq!(name("index.m3u8", "index_2.m3u8"), Some(Name::Media(2)));
        assert_eq!(name("index.m3u8", "index_2_iframes.m3u8"), Some(Name::KeyFrames(2)));
        assert_eq!(name("index.m3u8", "index_2_iframes_7.ts"), Some(Name::KeyFrame(2, 7)));
        assert_eq!(name("index.m3u8", "index_2_init.mp4"), Some(Name::Init(2)));
        assert_eq!(name("a_1.m3u8", "a_1_2_0.ts"), Some(Name::Segment(2, 0)));
        assert_eq!(name("index.mpd", "index_2_t90000.mp4"), Some(Name::SegmentAt(2, 90_000)));
        let wrong = [
            "",
            "index",
            "index.mpd",
            "index_.m3u8",
            "index_+1.m3u8",
            "index_01.m3u8",
            "index_1_2_3.ts",
            "other.m3u8",
            "index_1_iframes_1_2.ts",
            "index_1_init_1.mp4",
            "index_1_0.m4s",
        ];
        for wrong in wrong {
            assert_eq!(name("index.m3u8", wrong), None, "{wrong}");
        }
    }
}
