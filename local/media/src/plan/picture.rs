//! The geometry of pictures: how large, what is cut off, what is filled with black.

use crate::{
    job::{Rectangle, ScalingBehavior},
    source::Ratio,
};

/// A picture's pixels and their shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raster {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) sample_aspect: Ratio,
}

/// How a source becomes an output picture: scaled to `scaled`, then cut or padded to `framed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Width and height after scaling the whole source.
    pub(crate) scaled: (u32, u32),
    /// What of that is kept, its middle.
    kept: (u32, u32),
    /// Where that lies in the output; in the middle when `None`.
    at: Option<(u32, u32)>,
    /// Width and height of the output.
    pub(crate) framed: (u32, u32),
    /// The shape of an output pixel.
    pub(crate) sample_aspect: Ratio,
}

impl Picture {
    /// Fits `source` into the wanted size. `pixel` is the wanted shape of a pixel; the source's when absent.
    pub(crate) fn fit(
        source: Raster,
        width: Option<u32>,
        height: Option<u32>,
        behavior: ScalingBehavior,
        pixel: Option<Ratio>,
    ) -> Self {
        let sample_aspect = pixel.unwrap_or(source.sample_aspect);
        // The source's width in output pixels.
        let natural_width = f64::from(source.width) * source.sample_aspect.value() / sample_aspect.value();
        let natural_height = f64::from(source.height);
        let (box_width, box_height) = match (width, height) {
            (Some(width), Some(height)) => (f64::from(width), f64::from(height)),
            (Some(width), None) => (f64::from(width), natural_height * f64::from(width) / natural_width),
            (None, Some(height)) => (natural_width * f64::from(height) / natural_height, f64::from(height)),
            (None, None) => (natural_width, natural_height),
        };
        let bounds = (even(box_width), even(box_height));
        let inside = (box_width / natural_width).min(box_height / natural_height);
        let outside = (box_width / natural_width).max(box_height / natural_height);
        let scaled_by = |factor: f64| (even(natural_width * factor), even(natural_height * factor));
        let within = |(width, height): (u32, u32)| (width.min(bounds.0), height.min(bounds.1));
        let (scaled, framed) = match behavior {
            ScalingBehavior::Default => (within(scaled_by(inside)), bounds),
            ScalingBehavior::StretchToOutput => (bounds, bounds),
            ScalingBehavior::Fit => (within(scaled_by(inside)), within(scaled_by(inside))),
            ScalingBehavior::FitNoUpscale => {
                let size = within(scaled_by(inside.min(1.0)));
                (size, size)
            }
            ScalingBehavior::Fill => {
                let (width, height) = scaled_by(outside);
                ((width.max(bounds.0), height.max(bounds.1)), bounds)
            }
        };
        let kept = (scaled.0.min(framed.0), scaled.1.min(framed.1));
        Self { scaled, kept, at: None, framed, sample_aspect }
    }

    /// As [`Self::fit`], into a part of the output; the rest is black.
    pub(crate) fn fit_at(
        source: Raster,
        output: (u32, u32),
        position: Rectangle,
        behavior: ScalingBehavior,
        pixel: Option<Ratio>,
    ) -> Self {
        let inner = Self::fit(source, Some(position.width), Some(position.height), behavior, pixel);
        // What is smaller than its place lies in the middle of it, on an even pixel.
        let middle = |place: u32, side: u32| (place.saturating_sub(side) / 2) & !1;
        let at =
            (position.x + middle(position.width, inner.framed.0), position.y + middle(position.height, inner.framed.1));
        let kept = (inner.kept.0.min(inner.framed.0), inner.kept.1.min(inner.framed.1));
        let pad = (middle(inner.framed.0, kept.0), middle(inner.framed.1, kept.1));
        Self { kept, at: Some((at.0 + pad.0, at.1 + pad.1)), framed: output, ..inner }
    }

    /// The filters after scaling.
    pub(crate) fn frame_filters(&self) -> Vec<String> {
        let mut filters = Vec::new();
        let (width, height) = self.kept;
        if self.kept != self.scaled {
            filters.push(format!("crop={width}:{height}"));
        }
        if self.framed != self.kept {
            let (width, height) = self.framed;
            let at = self.at.map_or("-1:-1".to_owned(), |(x, y)| format!("{x}:{y}"));
            filters.push(format!("pad={width}:{height}:{at}"));
        }
        filters.push(format!("setsar={}/{}", self.sample_aspect.numerator, self.sample_aspect.denominator));
        filters
    }
}

/// The nearest even number of pixels, at least two: 4:2:0 needs pairs.
fn even(pixels: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sides are positive and below 2^20")]
    let halves = (pixels / 2.0).round().clamp(1.0, 524_288.0) as u32;
    halves * 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn square(width: u32, height: u32) -> Raster {
        Raster { width, height, sample_aspect: Ratio::ONE }
    }

    #[test]
    fn behaviours() {
        use ScalingBehavior::{Default, Fill, Fit, FitNoUpscale, StretchToOutput};
        let check = |source: (u32, u32), behavior, scaled: (u32, u32), framed: (u32, u32)| {
            let picture = Picture::fit(square(source.0, source.1), Some(640), Some(360), behavior, None);
            assert_eq!((picture.scaled, picture.framed), (scaled, framed), "{source:?} {behavior:?}");
        };
        check((1920, 1080), Default, (640, 360), (640, 360));
        check((1440, 1080), Default, (480, 360), (640, 360));
        check((1440, 1080), StretchToOutput, (640, 360), (640, 360));
        check((1440, 1080), Fit, (480, 360), (480, 360));
        check((1440, 1080), Fill, (640, 480), (640, 360));
        check((320, 180), Fit, (640, 360), (640, 360));
        check((320, 180), FitNoUpscale, (320, 180), (320, 180));
        check((1080, 1920), Fit, (202, 360), (202, 360));
        check((1081, 607), FitNoUpscale, (640, 360), (640, 360));
        check((101, 57), FitNoUpscale, (102, 58), (102, 58));
    }

    #[test]
    fn a_position_is_filled() {
        let position = Rectangle { width: 320, height: 180, x: 20, y: 40 };
        let check = |source: (u32, u32), behavior, filters: &[&str]| {
            let picture = Picture::fit_at(square(source.0, source.1), (640, 360), position, behavior, None);
            assert_eq!(picture.framed, (640, 360));
            assert_eq!(picture.frame_filters(), filters, "{source:?} {behavior:?}");
        };
        check((1920, 1080), ScalingBehavior::Fit, &["pad=640:360:20:40", "setsar=1/1"]);
        check((1440, 1080), ScalingBehavior::Default, &["pad=640:360:60:40", "setsar=1/1"]);
        check((1440, 1080), ScalingBehavior::Fill, &["crop=320:180", "pad=640:360:20:40", "setsar=1/1"]);
    }

    #[test]
    fn one_side_gives_the_other() {
        let check = |width, height, framed: (u32, u32)| {
            let picture = Picture::fit(square(1280, 720), width, height, ScalingBehavior::Default, None);
            assert_eq!((picture.scaled, picture.framed), (framed, framed));
        };
        check(Some(640), None, (640, 360));
        check(None, Some(480), (854, 480));
        check(None, None, (1280, 720));
    }

    #[test]
    fn pixels_become_square_when_told() {
        let pal = Raster { width: 720, height: 576, sample_aspect: Ratio { numerator: 64, denominator: 45 } };
        let check = |pixel: Option<Ratio>, scaled: (u32, u32)| {
            let picture = Picture::fit(pal, Some(1024), Some(576), ScalingBehavior::Fit, pixel);
            assert_eq!(picture.scaled, scaled);
            assert_eq!(picture.sample_aspect, pixel.unwrap_or(pal.sample_aspect));
        };
        check(Some(Ratio::ONE), (1024, 576));
        check(None, (720, 576));
    }

    proptest! {
        #[test]
        fn sides_are_even_and_kept_in_bounds(
            source in (1_u32..9000, 1_u32..9000),
            wanted in (16_u32..4000, 16_u32..4000),
            shape in (1_u32..100, 1_u32..100),
        ) {
            let source = Raster {
                width: source.0,
                height: source.1,
                sample_aspect: Ratio { numerator: shape.0, denominator: shape.1 },
            };
            let (width, height) = (wanted.0 * 2, wanted.1 * 2);
            for behavior in [
                ScalingBehavior::Default,
                ScalingBehavior::StretchToOutput,
                ScalingBehavior::Fit,
                ScalingBehavior::FitNoUpscale,
                ScalingBehavior::Fill,
            ] {
                let picture = Picture::fit(source, Some(width), Some(height), behavior, Some(Ratio::ONE));
                for side in [picture.scaled.0, picture.scaled.1, picture.framed.0, picture.framed.1] {
                    prop_assert!(side >= 2 && side % 2 == 0);
                }
                prop_assert!(picture.framed.0 <= width && picture.framed.1 <= height);
                if matches!(behavior, ScalingBehavior::Fill) {
                    prop_assert!(picture.scaled.0 >= picture.framed.0 && picture.scaled.1 >= picture.framed.1);
                } else {
                    prop_assert!(picture.scaled.0 <= picture.framed.0 && picture.scaled.1 <= picture.framed.1);
                }
            }
        }
    }
}
