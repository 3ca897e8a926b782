//! The WebVTT of a storyboard: each cue's text is a place in a sheet, as a media fragment.
//!
//! Sources: <https://www.w3.org/TR/webvtt1/>, <https://www.w3.org/TR/media-frags/#naming-space>.

/// A picture, and when it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// Milliseconds from the beginning.
    pub start_ms: u64,
    /// Name of the sheet, relative to the WebVTT.
    pub sheet: String,
    /// Left, top, width, and height in the sheet, in pixels.
    pub place: (u32, u32, u32, u32),
}

/// The file. Each picture shows until the next one does, the last until the end of the video. A picture from after the end,
/// which a job makes when it rounds, is left out.
#[must_use]
pub fn render(cues: &[Cue], duration_ms: u64) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for (index, cue) in cues.iter().enumerate() {
        let end_ms = cues.get(index + 1).map_or(duration_ms, |next| next.start_ms).min(duration_ms);
        if cue.start_ms >= end_ms {
            continue;
        }
        let (x, y, width, height) = cue.place;
        text.push_str(&format!(
            "\n{} --> {}\n{}#xywh={x},{y},{width},{height}\n",
            time(cue.start_ms),
            time(end_ms),
            cue.sheet
        ));
    }
    text
}

/// `hh:mm:ss.mmm`.
fn time(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start_ms: u64, x: u32) -> Cue {
        Cue { start_ms, sheet: "sheet-0.jpg".to_owned(), place: (x, 0, 320, 180) }
    }

    #[test]
    fn a_picture_shows_until_the_next() {
        let check = |cues: &[Cue], duration_ms: u64, expected: &str| {
            assert_eq!(render(cues, duration_ms), expected, "{cues:?} in {duration_ms} ms");
        };
        let two = "WEBVTT\n\n00:00:00.000 --> 01:01:01.001\nsheet-0.jpg#xywh=0,0,320,180\n\n\
            01:01:01.001 --> 01:01:02.500\nsheet-0.jpg#xywh=320,0,320,180\n";
        check(&[cue(0, 0), cue(3_661_001, 320)], 3_662_500, two);
        let one = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsheet-0.jpg#xywh=0,0,320,180\n";
        check(&[cue(0, 0), cue(1_000, 320)], 1_000, one);
        check(&[cue(0, 0)], 1_000, one);
        check(&[], 1_000, "WEBVTT\n");
    }
}
