//! The process that makes stills: it decodes key frames only, about a twentieth of the work of decoding everything.
//! A still is therefore the last key frame shown at or before its time.

use crate::{
    job::{FrameCapture, ScalingBehavior, VideoDescription},
    source::Ratio,
};

use super::{
    PlannedOutput, PlannedVideo,
    graph::{Graph, NodeId, Source},
    parts::{Part, turn_filters},
    picture::Picture,
    preamble, source_input, strings, video,
};

/// Gathers the frame capture outputs.
#[derive(Debug)]
pub(super) struct Capture<'a> {
    parts: &'a [Part<'a>],
    graph: Graph,
    outputs: Vec<(NodeId, Vec<String>)>,
}

impl<'a> Capture<'a> {
    pub(super) fn new(parts: &'a [Part<'a>]) -> Self {
        Self { parts, graph: Graph::default(), outputs: Vec::new() }
    }

    /// Adds an output.
    pub(super) fn add(&mut self, index: usize, directory: &str, video: &VideoDescription) -> Option<PlannedOutput> {
        let capture = video.codec_settings.frame_capture_settings?;
        let (numerator, denominator) = (capture.framerate_numerator, capture.framerate_denominator);
        let rate = format!("fps={numerator}/{denominator}:start_time=0:round=up");
        // The last key frame is held so that the stills go on to the end of the source.
        let hold = "tpad=stop=-1:stop_mode=clone";
        let mut sources = Vec::new();
        let mut shape = None;
        for (number, part) in self.parts.iter().enumerate() {
            let (track, _) = part.video()?;
            let (picture, mut then) = picture(part, video, shape)?;
            shape.get_or_insert(picture);
            let mut filters = vec![hold.to_owned()];
            if self.parts.len() > 1 {
                filters.push(format!("trim=duration={:.6}", part.seconds));
            } else {
                filters.push(rate.clone());
            }
            filters.append(&mut then);
            sources.push(self.graph.add(vec![Source::Stream { input: number, stream: track.stream }], filters));
        }
        let node = match sources.as_slice() {
            [only] => *only,
            several => {
                let inputs = several.iter().map(|node| Source::Node(*node)).collect();
                let join = format!("concat=n={}:v=1:a=0", several.len());
                self.graph.add(inputs, vec![join, hold.to_owned(), rate])
            }
        };
        let seconds = self.parts.iter().map(|part| part.seconds).sum();
        let captures = count(&capture, seconds);
        let mut arguments = strings(["-c:v", "mjpeg", "-q:v"]);
        arguments.push(jpeg_scale(capture.quality));
        arguments.extend(["-frames:v".to_owned(), captures.to_string()]);
        arguments.extend(strings(["-map_metadata", "-1", "-f", "image2", "-start_number", "0"]));
        arguments.push(format!("{directory}/%07d.jpg"));
        self.outputs.push((node, arguments));
        let (width, height) = shape?.framed;
        Some(PlannedOutput {
            index,
            directory: directory.to_owned(),
            video: Some(PlannedVideo {
                width,
                height,
                sample_aspect: Ratio::ONE,
                frame_rate: Ratio { numerator, denominator },
                key_interval: Ratio { numerator: denominator, denominator: numerator },
                bitrate: None,
                max_bitrate: None,
            }),
            audios: Vec::new(),
            captures: Some(captures),
            file: None,
            captions: None,
        })
    }

    /// The command line.
    pub(super) fn finish(self) -> Option<Vec<String>> {
        if self.outputs.is_empty() {
            return None;
        }
        let mut arguments = preamble();
        for part in self.parts {
            arguments.extend(strings(["-skip_frame", "nokey"]));
            arguments.extend(source_input(part));
        }
        let (nodes, outputs): (Vec<_>, Vec<_>) = self.outputs.into_iter().unzip();
        let (graph, labels) = self.graph.finish(&nodes);
        arguments.extend(["-filter_complex".to_owned(), graph]);
        for (label, output) in labels.into_iter().zip(outputs) {
            arguments.extend(["-map".to_owned(), label]);
            arguments.extend(output);
        }
        Some(arguments)
    }
}

/// The still's geometry, and the filters that bring a part's picture into it. The first part's shape is everyone's.
fn picture(part: &Part<'_>, description: &VideoDescription, shape: Option<Picture>) -> Option<(Picture, Vec<String>)> {
    let (_, facts) = part.video()?;
    let mut filters = turn_filters(part.turn());
    let mut source = part.turned()?;
    if let Some(crop) = part.input.crop.or(description.crop) {
        filters.push(format!("crop={}:{}:{}:{}", crop.width, crop.height, crop.x, crop.y));
        (source.width, source.height) = (crop.width.min(source.width), crop.height.min(source.height));
    }
    filters.extend(video::color_filters(description.video_preprocessors.color_corrector, facts));
    // Image files have square pixels.
    let square = Some(Ratio::ONE);
    let position = part.input.position.or(description.position);
    let picture = match (shape, position, description.width, description.height) {
        (Some(shape), ..) => {
            let (width, height) = shape.framed;
            Picture::fit(source, Some(width), Some(height), ScalingBehavior::Default, square)
        }
        (None, Some(position), Some(width), Some(height)) => {
            Picture::fit_at(source, (width, height), position, description.scaling_behavior, square)
        }
        _ => Picture::fit(source, description.width, description.height, description.scaling_behavior, square),
    };
    let (width, height) = picture.scaled;
    filters.push(format!("scale={width}:{height}:flags=bicubic:out_range=full"));
    filters.push("format=yuvj420p".to_owned());
    filters.extend(picture.frame_filters());
    Some((picture, filters))
}

/// The first frame, then one for every full interval before the end.
fn count(capture: &FrameCapture, duration_seconds: f64) -> u32 {
    let rate = f64::from(capture.framerate_numerator) / f64::from(capture.framerate_denominator);
    let wanted = (duration_seconds * rate - 1e-6).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the maximum, which is a u32")]
    let wanted = wanted.min(f64::from(capture.max_captures)) as u32;
    wanted
}

/// From MediaConvert's 1 to 100 (best) to ffmpeg's 31 to 2 (best): 80 becomes 5. Our choice: AWS publishes no formula.
fn jpeg_scale(quality: u32) -> String {
    let scale = 2 + (100 - quality.min(100)) * 15 / 100;
    scale.to_string()
}
