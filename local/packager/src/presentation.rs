//! An asset as one packaging configuration gives it out: its manifests, written, and where each segment comes from.

use crate::{
    cmaf, dash,
    facts::{Facts, Kind},
    hls,
    model::{Package, StreamOrder, StreamSelection},
};

/// Everything below one egress URL.
#[derive(Debug)]
pub(crate) struct Presentation {
    pub parent: String,
    pub streams: Vec<Stream>,
}

/// One stream of a presentation.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Names its files.
    pub number: usize,
    /// Its playlist; DASH has none.
    pub media: Option<String>,
    /// Its playlist of key frames alone, if the configuration wants one.
    pub key_frames: Option<String>,
    pub content: Content,
}

/// Where the segments of a stream come from.
#[derive(Debug)]
pub(crate) enum Content {
    /// Segments of a rendition of the source, joined.
    Joined { rendition: usize, outputs: Vec<Output> },
    /// Fragments of one track.
    Track(cmaf::Track),
}

/// One segment of the output that is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Which of the source's segments it is made of: from, and up to but without.
    pub from: usize,
    pub to: usize,
    pub size_bytes: u64,
    pub duration_ticks: u64,
}

/// Why an asset has no presentation under a configuration; the text goes into the IngestError event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotPresentable {
    #[error("the stream selection leaves no rendition")]
    NothingSelected,
    #[error("the local home gives out subtitles as HLS with transport streams only")]
    Subtitles,
    #[error("the local home gives out AC-3 and E-AC-3 as HLS with transport streams only")]
    Sound,
    #[error("the picture's parameters change within a rendition, which fragmented MP4 cannot say")]
    Parameters,
}

/// Writes all manifests of an asset for one configuration.
pub(crate) fn present(facts: &Facts, package: &Package) -> Result<Presentation, NotPresentable> {
    match package {
        Package::Hls(package) => hls::present(facts, package),
        Package::Cmaf(package) => cmaf::present(facts, package),
        Package::Dash(package) => dash::present(facts, package),
    }
}

/// Which variants are given out, in their order. The limits of stream selection are held against the bandwidth that the
/// source declares for the stream.
pub(crate) fn select(facts: &Facts, selection: Option<&StreamSelection>) -> Result<Vec<usize>, NotPresentable> {
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

/// What a file name under an endpoint asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Parent,
    /// The playlist of the stream with this number.
    Media(usize),
    /// The key frames of the stream with this number.
    KeyFrames(usize),
    /// The initialisation segment of the stream with this number.
    Init(usize),
    /// A segment: stream number, index.
    Segment(usize, usize),
}

/// Reads a file name under an endpoint whose manifest has this name, with its extension.
pub(crate) fn parse_name(manifest: &str, file: &str) -> Option<Name> {
    if file == manifest {
        return Some(Name::Parent);
    }
    let stem = manifest.rsplit_once('.')?.0;
    let rest = file.strip_prefix(stem)?.strip_prefix('_')?;
    // One spelling for each file: the names are also keys of caches.
    let number = |text: &str| text.parse().ok().filter(|_| !text.starts_with(['+', '0']) || text == "0");
    if let Some(stem) = rest.strip_suffix("_iframes.m3u8") {
        return Some(Name::KeyFrames(number(stem)?));
    }
    if let Some(stem) = rest.strip_suffix("_init.mp4") {
        return Some(Name::Init(number(stem)?));
    }
    if let Some(stem) = rest.strip_suffix(".m3u8") {
        return Some(Name::Media(number(stem)?));
    }
    let stem = [".ts", ".mp4", ".vtt"].iter().find_map(|extension| rest.strip_suffix(extension))?;
    let (stream, index) = stem.split_once('_')?;
    Some(Name::Segment(number(stream)?, number(index)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert_eq!(parse_name("index.m3u8", "index.m3u8"), Some(Name::Parent));
        assert_eq!(parse_name("index.mpd", "index.mpd"), Some(Name::Parent));
        assert_eq!(parse_name("index.m3u8", "index_2.m3u8"), Some(Name::Media(2)));
        assert_eq!(parse_name("index.m3u8", "index_2_iframes.m3u8"), Some(Name::KeyFrames(2)));
        assert_eq!(parse_name("index.m3u8", "index_2_init.mp4"), Some(Name::Init(2)));
        assert_eq!(parse_name("index.m3u8", "index_2_0.ts"), Some(Name::Segment(2, 0)));
        let wrong =
            ["", "index", "index.mpd", "index_.m3u8", "index_+1.m3u8", "index_01.m3u8", "index_1_2_3.ts", "other.m3u8"];
        for wrong in wrong {
            assert_eq!(parse_name("index.m3u8", wrong), None, "{wrong}");
        }
    }
}
