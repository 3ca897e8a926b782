//! The process that makes stills: it decodes key frames only, about a twentieth of the work of decoding everything.
//! A still is therefore the last key frame shown at or before its time.

use crate::{
    job::{FrameCapture, JobSettings, VideoDescription},
    source::{Ratio, SourceFacts},
};

use super::{
    PlannedOutput, PlannedVideo,
    graph::{Graph, NodeId, Source},
    picture::Picture,
    preamble, source_input, strings, turn, turn_filters, turned,
};

/// Gathers the frame capture outputs.
#[derive(Debug)]
pub(super) struct Capture<'a> {
    settings: &'a JobSettings,
    facts: &'a SourceFacts,
    graph: Graph,
    outputs: Vec<(NodeId, Vec<String>)>,
}

impl<'a> Capture<'a> {
    pub(super) fn new(settings: &'a JobSettings, facts: &'a SourceFacts) -> Self {
        Self { settings, facts, graph: Graph::default(), outputs: Vec::new() }
    }

    /// Adds an output.
    pub(super) fn add(&mut self, index: usize, directory: &str, video: &VideoDescription) -> Option<PlannedOutput> {
        let capture = video.codec_settings.frame_capture_settings?;
        let (track, facts) = self.facts.video()?;
        let degrees = turn(self.settings, facts);
        let raster = turned(facts, degrees);
        // Image files have square pixels.
        let picture = Picture::fit(raster, video.width, video.height, video.scaling_behavior, Some(Ratio::ONE));
        // The last key frame is held so that the stills go on to the end of the source.
        let mut filters = vec!["tpad=stop=-1:stop_mode=clone".to_owned()];
        let (numerator, denominator) = (capture.framerate_numerator, capture.framerate_denominator);
        filters.push(format!("fps={numerator}/{denominator}:start_time=0:round=up"));
        filters.extend(turn_filters(degrees).iter().map(|filter| (*filter).to_owned()));
        let (width, height) = picture.scaled;
        filters.push(format!("scale={width}:{height}:flags=bicubic:out_range=full"));
        filters.push("format=yuvj420p".to_owned());
        filters.extend(picture.frame_filters());
        let node = self.graph.add(vec![Source::Stream { input: 0, stream: track.stream }], filters);
        let captures = count(&capture, self.facts.duration_seconds);
        let mut arguments = strings(["-c:v", "mjpeg", "-q:v"]);
        arguments.push(jpeg_scale(capture.quality));
        arguments.extend(["-frames:v".to_owned(), captures.to_string()]);
        arguments.extend(strings(["-map_metadata", "-1", "-f", "image2", "-start_number", "0"]));
        arguments.push(format!("{directory}/%07d.jpg"));
        self.outputs.push((node, arguments));
        let (width, height) = picture.framed;
        Some(PlannedOutput {
            index,
            directory: directory.to_owned(),
            video: Some(PlannedVideo {
                width,
                height,
                frame_rate: Ratio { numerator, denominator },
                max_bitrate: None,
            }),
            audio: None,
            captures: Some(captures),
        })
    }

    /// The command line.
    pub(super) fn finish(self) -> Option<Vec<String>> {
        if self.outputs.is_empty() {
            return None;
        }
        let mut arguments = preamble();
        arguments.extend(strings(["-skip_frame", "nokey"]));
        arguments.extend(source_input());
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
