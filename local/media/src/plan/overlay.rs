//! Images laid over pictures.

use crate::{
    job::{InsertableImage, ObjectLocation, Timecode},
    source::Ratio,
};

use super::graph::{Graph, NodeId, Source};

/// An image with its place and time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Overlay {
    pub(super) image: ObjectLocation,
    x: u32,
    y: u32,
    /// What makes the image what is laid over.
    filters: Vec<String>,
    /// From and until, in seconds; `None` means always.
    time: Option<(f64, Option<f64>)>,
}

impl Overlay {
    /// `first` is the timecode of the first picture, and `rate` that of the pictures it is laid over.
    pub(super) fn new(image: &InsertableImage, first: Timecode, rate: Ratio) -> Self {
        let mut filters = vec!["format=rgba".to_owned()];
        let side = |pixels: Option<u32>| pixels.map_or("-1".to_owned(), |pixels| pixels.to_string());
        if image.width.is_some() || image.height.is_some() {
            filters.push(format!("scale={}:{}", side(image.width), side(image.height)));
        }
        if image.opacity < 100 {
            filters.push(format!("colorchannelmixer=aa={:.2}", f64::from(image.opacity) / 100.0));
        }
        let seconds = |milliseconds: u32| f64::from(milliseconds) / 1000.0;
        let start = image.start_time.map_or(0.0, |code| code.seconds_since(first, rate)).max(0.0);
        let duration = image.duration.filter(|duration| *duration > 0).map(seconds);
        let (fade_in, fade_out) = (seconds(image.fade_in), seconds(image.fade_out));
        let end = duration.map(|duration| start + duration + fade_out);
        let timed = start > 0.0 || end.is_some() || fade_in > 0.0;
        if timed {
            // One picture for ever, at the rate of those it is laid over, so that it has a time to fade by.
            filters.push("loop=loop=-1:size=1".to_owned());
            filters.push(format!("setpts=N*{}/{}/TB", rate.denominator, rate.numerator));
        }
        if fade_in > 0.0 {
            filters.push(format!("fade=type=in:start_time={start:.3}:duration={fade_in:.3}:alpha=1"));
        }
        if let (Some(end), true) = (end, fade_out > 0.0) {
            let begins = end - fade_out;
            filters.push(format!("fade=type=out:start_time={begins:.3}:duration={fade_out:.3}:alpha=1"));
        }
        Self {
            image: image.image_inserter_input.clone(),
            x: image.image_x,
            y: image.image_y,
            filters,
            time: timed.then_some((start, end)),
        }
    }

    /// Lays the image, which is ffmpeg's input of this number, over a node.
    pub(super) fn draw(&self, graph: &mut Graph, picture: NodeId, input: usize) -> NodeId {
        let image = graph.add(vec![Source::Stream { input, stream: 0 }], self.filters.clone());
        let mut overlay = format!("overlay={}:{}:format=yuv420", self.x, self.y);
        if let Some((start, end)) = self.time {
            let until = end.map_or_else(String::new, |end| format!("*lt(t,{end:.3})"));
            // Half a millisecond takes up the rounding of times.
            overlay.push_str(&format!(":shortest=1:enable='gte(t,{:.4}){until}'", start - 0.0005));
        }
        graph.add(vec![Source::Node(picture), Source::Node(image)], vec![overlay])
    }
}
