//! The geometry of pictures: how large, what is cut off, what is filled with black.

use crate::{job::ScalingBehavior, source::Ratio};

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
        Self { scaled, framed, sample_aspect }
    }

    /// The filters after scaling.
    pub(crate) fn frame_filters(&self) -> Vec<String> {
        let mut filters = Vec::new();
        let (width, height) = self.framed;
        if width < self.scaled.0 || height < self.scaled.1 {
            filters.push(format!("crop={width}:{height}"));
        } else if self.framed != self.scaled {
            filters.push(format!("pad={width}:{height}:-1:-1"));
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
