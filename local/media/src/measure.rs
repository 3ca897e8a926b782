//! What can be said of the pictures without looking at them again: their quality and their black parts, from the notes ffmpeg
//! takes while it works.
//!
//! **Quality.** MediaConvert tells how close QVBR came to the level that was asked for; x264 does not know that scale. What it
//! knows is each picture's quantiser. At a constant rate factor `c`, as long as no bit rate limits it, that is `c + 5.4` rounded
//! (5.4 is what macroblock-tree rate control adds, `(1 - qcomp) * 13.5` in x264's `ratecontrol.c`), and the level asked for is
//! reached exactly. Where `maxBitrate` binds, the quantiser rises. Two steps of it are one level here, as they are where the plan
//! turns levels into rate factors (`36 - 2 * level`). Figures are means over a second of pictures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::BlackSegment;

/// `qvbr*` of an output's `videoDetails`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quality {
    /// 1 to 10, as are the next two.
    pub(crate) average: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
    /// Milliseconds of the output.
    pub(crate) minimum_at: u64,
    pub(crate) maximum_at: u64,
}

/// The quantisers of each encode's pictures, in the order they were encoded; `None` where ffmpeg does not know.
pub(crate) type Quantisers = BTreeMap<usize, Vec<Option<f64>>>;

/// Reads what `-vstats_version 2 -vstats_file` wrote. An encode is counted by its output and stream, of which one is zero.
pub(crate) fn read_quantisers(text: &str, into: &mut Quantisers) {
    for line in text.lines() {
        let field = |name: &str| {
            let value = line.split_once(name)?.1.trim_start();
            value.split_whitespace().next()
        };
        let number = |name: &str| field(name)?.parse::<usize>().ok();
        let (Some(output), Some(stream)) = (number("out="), number("st=")) else { continue };
        // The last pictures, which leave the encoder after its input has ended, are at -1.
        let quantiser = field(" q=").and_then(|q| q.parse().ok()).filter(|q: &f64| *q >= 0.0);
        into.entry(output + stream).or_default().push(quantiser);
    }
}

/// The quality of an encode at this rate factor.
pub(crate) fn quality(quantisers: &[Option<f64>], rate_factor: f64, frames_per_second: f64) -> Option<Quality> {
    /// x264 reports one more than it uses.
    const REPORTED: f64 = 1.0;
    const MACROBLOCK_TREE: f64 = 5.4;
    let unlimited = (rate_factor + MACROBLOCK_TREE).round() + REPORTED;
    let asked = (36.0 - rate_factor) / 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "frame rates are 1 to 120")]
    let window = frames_per_second.round().max(1.0) as usize;
    let mean = |quantisers: &[Option<f64>]| {
        let known: Vec<_> = quantisers.iter().flatten().collect();
        #[expect(clippy::cast_precision_loss, reason = "pictures of one job")]
        let mean = known.iter().copied().sum::<f64>() / known.len() as f64;
        let level = (asked - (mean - unlimited) / 2.0).clamp(1.0, 10.0);
        (!known.is_empty()).then_some((level * 100.0).round() / 100.0)
    };
    let seconds: Vec<_> = (0_u64..)
        .zip(quantisers.chunks(window))
        .filter_map(|(second, quantisers)| Some((second * 1000, mean(quantisers)?)))
        .collect();
    let by_level = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
    let (minimum_at, minimum) = *seconds.iter().min_by(by_level)?;
    // The first of equals, as for the minimum.
    let (maximum_at, maximum) = *seconds.iter().rev().max_by(by_level)?;
    Some(Quality { average: mean(quantisers)?, minimum, maximum, minimum_at, maximum_at })
}

/// Which encode makes the picture of the output in each directory, and at which rate factor, read from the transcode's command
/// line. Encodes of other rate control, and of encoders with another scale than x264's, are left out.
pub(crate) fn quality_encodes(arguments: &[String]) -> BTreeMap<&str, (usize, f64)> {
    let option = |name: String| {
        let at = arguments.iter().position(|word| *word == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let sinks = arguments.last().map(String::as_str).unwrap_or_default();
    let encode = |sink: &'_ str| {
        let stream: usize = sink.strip_prefix("[select=")?.split([',', ':']).next()?.parse().ok()?;
        if option(format!("-c:v:{stream}")) != Some("libx264") {
            return None;
        }
        Some((stream, option(format!("-crf:v:{stream}"))?.parse().ok()?))
    };
    sinks
        .split('|')
        .filter_map(|sink| {
            let (directory, _) = sink.rsplit_once(']')?.1.split_once('/')?;
            Some((directory, encode(sink)?))
        })
        .collect()
}

/// Reads what `blackdetect,metadata=print` wrote. Black that lasts to the end of the pictures ends at `end_seconds`.
pub(crate) fn read_black(text: &str, end_seconds: f64) -> Vec<BlackSegment> {
    let mut segments = Vec::new();
    let mut begun = None;
    for line in text.lines() {
        let value = |key: &str| line.strip_prefix(key)?.parse::<f64>().ok().map(milliseconds);
        if let Some(start) = value("lavfi.black_start=") {
            begun = Some(start);
        } else if let Some(end) = value("lavfi.black_end=")
            && let Some(start) = begun.take()
        {
            segments.push(BlackSegment { start, end });
        }
    }
    segments.extend(begun.map(|start| BlackSegment { start, end: milliseconds(end_seconds).max(start) }));
    segments
}

/// Joins black of one chunk and the next.
pub(crate) fn joined(segments: impl IntoIterator<Item = BlackSegment>, frame_seconds: f64) -> Vec<BlackSegment> {
    let mut joined: Vec<BlackSegment> = Vec::new();
    for segment in segments {
        match joined.last_mut() {
            Some(last) if segment.start <= last.end + milliseconds(frame_seconds) => last.end = segment.end,
            _ => joined.push(segment),
        }
    }
    joined
}

fn milliseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time within a video")]
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    milliseconds
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn quantisers_are_read_by_encode() {
        let mut read = Quantisers::new();
        let text = "out=  0 st=  1 frame=     0 q= 28.0 f_size=   8728 s_size=        0kB time= 0.010 type= I\n\
                    out=  0 st=  0 frame=     0 q= 30.0 f_size=   3786 type= I\nnonsense\n\
                    out=  0 st=  1 frame=     1 q= -1.0 f_size=    600 type= P\n";
        read_quantisers(text, &mut read);
        assert_eq!(read, Quantisers::from([(0, vec![Some(30.0)]), (1, vec![Some(28.0), None])]));
    }

    #[test]
    fn quality_is_the_level_asked_for_until_the_bit_rate_binds() {
        // Level 7 is rate factor 22, whose unlimited quantiser is reported as 28.
        let check = |quantisers: &[f64], expected: Option<(f64, f64, f64, u64, u64)>| {
            let quantisers: Vec<_> = quantisers.iter().map(|q| (*q >= 0.0).then_some(*q)).collect();
            let found = quality(&quantisers, 22.0, 2.0);
            assert_eq!(found.map(|q| (q.average, q.minimum, q.maximum, q.minimum_at, q.maximum_at)), expected);
        };
        check(&[28.0, 28.0, 28.0, 28.0], Some((7.0, 7.0, 7.0, 0, 0)));
        check(&[28.0, 28.0, 32.0, 32.0, 30.0, 30.0], Some((6.0, 5.0, 7.0, 1000, 0)));
        check(&[51.0, -1.0], Some((1.0, 1.0, 1.0, 0, 0)));
        check(&[-1.0], None);
        check(&[], None);
    }

    #[test]
    fn an_output_knows_its_encode() {
        let arguments = [
            "-c:v:0",
            "libx264",
            "-crf:v:0",
            "22.0",
            "-c:v:1",
            "libx264",
            "-b:v:1",
            "9",
            "-f",
            "tee",
            "[select=0,2:f=mp4]g0o0/file.mp4|[select=1:f=hls:hls_time=3]g0o1/index.m3u8|[select=2:f=mp4]g0o2/file.mp4",
        ];
        let arguments = arguments.map(String::from);
        assert_eq!(quality_encodes(&arguments), BTreeMap::from([("g0o0", (0, 22.0))]));
    }

    #[test]
    fn black_is_read_and_joined() {
        let text = "frame:60   pts:60060   pts_time:2.002\nlavfi.black_start=2.002\nframe:90 pts:90090\nlavfi.black_end=3.003\n\
                    lavfi.black_start=3.5\n";
        let first = read_black(text, 4.0);
        assert_eq!(first, [BlackSegment { start: 2002, end: 3003 }, BlackSegment { start: 3500, end: 4000 }]);
        let second = read_black("lavfi.black_start=4.0\nlavfi.black_end=4.5\nlavfi.black_end=9\n", 8.0);
        let joined = joined([first, second].concat(), 0.04);
        assert_eq!(joined, [BlackSegment { start: 2002, end: 3003 }, BlackSegment { start: 3500, end: 4500 }]);
        assert!(read_black("", 4.0).is_empty());
    }

    #[test]
    fn equal_seconds_are_told_by_the_first() {
        let quality = quality(&[Some(28.0); 8], 22.0, 2.0).unwrap();
        assert_eq!((quality.minimum_at, quality.maximum_at), (0, 0));
    }
}
