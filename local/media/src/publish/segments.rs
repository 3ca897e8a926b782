//! What ffmpeg's segmenter made.

use std::path::Path;

use super::PublishError;

/// One segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Its file, below scratch.
    pub(super) file: String,
    pub(super) seconds: f64,
    pub(super) bytes: u64,
}

/// The segments that the playlist in `directory` lists.
pub(super) fn read(scratch: &Path, directory: &str) -> Result<Vec<Segment>, PublishError> {
    let playlist = format!("{directory}/index.m3u8");
    let text = std::fs::read_to_string(scratch.join(&playlist)).map_err(PublishError::scratch(&playlist))?;
    let mut segments = Vec::new();
    for (name, seconds) in parse(&text) {
        let file = format!("{directory}/{name}");
        let bytes = std::fs::metadata(scratch.join(&file)).map_err(PublishError::scratch(&file))?.len();
        segments.push(Segment { file, seconds, bytes });
    }
    if segments.is_empty() {
        return Err(PublishError::Unexpected { file: playlist, what: "it lists no segment" });
    }
    Ok(segments)
}

fn parse(text: &str) -> Vec<(&str, f64)> {
    let mut seconds = 0.0;
    let mut segments = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(information) = line.strip_prefix("#EXTINF:") {
            seconds = information.split(',').next().and_then(|s| s.parse().ok()).unwrap_or(0.0);
        } else if !line.is_empty() && !line.starts_with('#') {
            segments.push((line, seconds));
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_is_read() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3.003000,\n00001.ts\n#EXTINF:1.5,x\r\n00002.ts\n#EXT-X-ENDLIST\n";
        assert_eq!(parse(text), [("00001.ts", 3.003), ("00002.ts", 1.5)]);
    }
}
