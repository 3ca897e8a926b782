//! What ffmpeg's segmenters made.

use std::path::Path;

use crate::plan::PlannedOutput;

use super::PublishError;

/// One segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Its file, below scratch.
    pub(super) file: String,
    /// When it begins, in the time of the picture; only told of packed audio.
    pub(super) start_seconds: Option<f64>,
    pub(super) seconds: f64,
    pub(super) bytes: u64,
}

/// A segment type box with the two brands ffmpeg writes.
const SEGMENT_TYPE_BYTES: u64 = 24;

/// The segments of an output, in order.
pub(super) fn read(scratch: &Path, planned: &PlannedOutput) -> Result<Vec<Segment>, PublishError> {
    let directory = &planned.directory;
    let table = format!("{directory}/{PACKED_LIST}");
    let playlist = format!("{directory}/index.m3u8");
    let packed = scratch.join(&table).exists();
    let list = if packed { table } else { playlist };
    let text = std::fs::read_to_string(scratch.join(&list)).map_err(PublishError::scratch(&list))?;
    let mut entries = if packed { parse_table(&text) } else { parse(&text) };
    if let (true, Some(audio), Some((_, start, seconds))) = (packed, planned.audios.first(), entries.first_mut()) {
        // The table lets the first segment begin at zero, but the encoder's delay comes before that.
        let delay = f64::from(audio.delay_samples) / f64::from(audio.sample_rate);
        (*start, *seconds) = (Some(-delay), *seconds + delay);
    }
    let mut segments = Vec::new();
    for (name, start_seconds, seconds) in entries {
        let file = format!("{directory}/{name}");
        let bytes = std::fs::metadata(scratch.join(&file)).map_err(PublishError::scratch(&file))?.len();
        segments.push(Segment { file, start_seconds, seconds, bytes });
    }
    // Some encoders end with a packet of nothing, for which the muxer opens a segment and puts no fragment in.
    while segments.last().is_some_and(|last: &Segment| last.file.ends_with(".m4s") && last.bytes <= SEGMENT_TYPE_BYTES)
    {
        segments.pop();
    }
    if segments.is_empty() {
        return Err(PublishError::Unexpected { file: list, what: "it lists no segment" });
    }
    Ok(segments)
}

/// The list of segments of packed audio, which says when each begins.
pub(super) const PACKED_LIST: &str = "index.csv";

type Entry<'a> = (&'a str, Option<f64>, f64);

fn parse(text: &str) -> Vec<Entry<'_>> {
    let mut seconds = 0.0;
    let mut segments = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(information) = line.strip_prefix("#EXTINF:") {
            seconds = information.split(',').next().and_then(|s| s.parse().ok()).unwrap_or(0.0);
        } else if !line.is_empty() && !line.starts_with('#') {
            segments.push((line, None, seconds));
        }
    }
    segments
}

fn parse_table(text: &str) -> Vec<Entry<'_>> {
    let line = |line| {
        let mut cells = str::split(line, ',');
        let (name, start, end) = (cells.next()?, cells.next()?, cells.next()?);
        let (start, end): (f64, f64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
        Some((name, Some(start), end - start))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_is_read() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3.003000,\n00001.ts\n#EXTINF:1.5,x\r\n00002.ts\n#EXT-X-ENDLIST\n";
        assert_eq!(parse(text), [("00001.ts", None, 3.003), ("00002.ts", None, 1.5)]);
    }

    #[test]
    fn a_table_is_read() {
        let text = "00001.aac,9.5,12.5\n00002.aac,12.500000,13.000000\nnonsense\n";
        assert_eq!(parse_table(text), [("00001.aac", Some(9.5), 3.0), ("00002.aac", Some(12.5), 0.5)]);
    }
}
