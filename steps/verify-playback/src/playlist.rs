//! As much of HLS playlists as a player needs to begin.
//! Source: <https://www.rfc-editor.org/rfc/rfc8216>.

/// Lines of a playlist at most: a day of one-second segments has a quarter of that.
const LINES_MAX: usize = 1_000_000;

/// A parent playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its renditions, in order.
    pub variants: Vec<Variant>,
    /// Playlists of sound beside them, relative to the parent playlist.
    pub audio: Vec<String>,
}

/// One rendition of a parent playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Relative to the parent playlist.
    pub uri: String,
    /// Such as `1280x720`.
    pub resolution: Option<String>,
}

/// A rendition's playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// What comes before every segment (`EXT-X-MAP`), relative to the playlist; MPEG transport streams have none.
    pub initialization: Option<String>,
    /// Its segments, in order.
    pub segments: Vec<Segment>,
    /// Whether it is complete (`EXT-X-ENDLIST`): nothing is going to be added.
    pub is_complete: bool,
}

/// One segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Relative to the playlist.
    pub uri: String,
    /// Seconds.
    pub seconds: f64,
}

/// The text is no playlist of the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first line is not `#EXTM3U`.
    #[error("it does not begin with #EXTM3U")]
    NoPlaylist,
    /// Longer than any playlist of ours.
    #[error("it has more than {LINES_MAX} lines")]
    TooLong,
    /// A line that means nothing where it is.
    #[error("line {line} is not understood")]
    Line {
        /// From 1.
        line: usize,
    },
}

/// Reads a parent playlist. Tags that do not matter here are passed over.
///
/// # Errors
/// When it is none.
pub fn parent(text: &str) -> Result<Parent, Malformed> {
    let mut variants = Vec::new();
    let mut audio = Vec::new();
    let mut stream: Option<Option<String>> = None;
    for (line, content) in lines(text)? {
        if let Some(attributes) = content.strip_prefix("#EXT-X-STREAM-INF:") {
            stream = Some(attribute(attributes, "RESOLUTION").map(str::to_owned));
        } else if let Some(attributes) = content.strip_prefix("#EXT-X-MEDIA:") {
            // Without an address the sound is inside the renditions.
            if let (Some("AUDIO"), Some(uri)) = (attribute(attributes, "TYPE"), attribute(attributes, "URI")) {
                audio.push(uri.to_owned());
            }
        } else if !content.starts_with('#') {
            let resolution = stream.take().ok_or(Malformed::Line { line })?;
            variants.push(Variant { uri: content.to_owned(), resolution });
        }
    }
    Ok(Parent { variants, audio })
}

/// Reads a rendition's playlist. Tags that do not matter here are passed over.
///
/// # Errors
/// When it is none.
pub fn media(text: &str) -> Result<Media, Malformed> {
    let mut segments = Vec::new();
    let mut initialization = None;
    let mut is_complete = false;
    let mut next: Option<f64> = None;
    for (line, content) in lines(text)? {
        if let Some(info) = content.strip_prefix("#EXTINF:") {
            let seconds = info.split(',').next().and_then(|seconds| seconds.trim().parse::<f64>().ok());
            next =
                Some(seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0).ok_or(Malformed::Line { line })?);
        } else if let Some(attributes) = content.strip_prefix("#EXT-X-MAP:") {
            initialization = Some(attribute(attributes, "URI").ok_or(Malformed::Line { line })?.to_owned());
        } else if content == "#EXT-X-ENDLIST" {
            is_complete = true;
        } else if !content.starts_with('#') {
            let seconds = next.take().ok_or(Malformed::Line { line })?;
            segments.push(Segment { uri: content.to_owned(), seconds });
        }
    }
    Ok(Media { initialization, segments, is_complete })
}

/// The lines after `#EXTM3U` that are not empty, with their numbers.
fn lines(text: &str) -> Result<impl Iterator<Item = (usize, &str)>, Malformed> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim_end).enumerate().map(|(index, line)| (index + 1, line));
    match lines.next() {
        Some((_, "#EXTM3U")) if text.lines().nth(LINES_MAX).is_some() => Err(Malformed::TooLong),
        Some((_, "#EXTM3U")) => Ok(lines.filter(|(_, line)| !line.is_empty())),
        _ => Err(Malformed::NoPlaylist),
    }
}

/// The value of an attribute in an attribute list; values may be quoted and then hold commas.
fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = list;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"')?;
                (value, after.strip_prefix(',').unwrap_or(after))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim() == name {
            return Some(value);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_parent_playlist_names_its_renditions() {
        let text = "#EXTM3U\r\n#EXT-X-VERSION:3\r\n\r\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"One, two\",URI=\"audio.m3u8\"\r\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Inside\"\r\n\
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",URI=\"text.m3u8\"\r\n\
            #EXT-X-STREAM-INF:CODECS=\"avc1.4d401f,mp4a.40.2\",BANDWIDTH=1,RESOLUTION=640x360\r\n360.m3u8?a=b\r\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2\r\n720/index.m3u8\r\n";
        let variant = |uri: &str, resolution: Option<&str>| Variant {
            uri: uri.to_owned(),
            resolution: resolution.map(str::to_owned),
        };
        let expected = vec![variant("360.m3u8?a=b", Some("640x360")), variant("720/index.m3u8", None)];
        assert_eq!(parent(text), Ok(Parent { variants: expected, audio: vec!["audio.m3u8".to_owned()] }));
    }

    #[test]
    fn a_media_playlist_names_its_segments() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6.006,title\na.ts\n#EXTINF:2,\nb.ts\n#EXT-X-ENDLIST\n";
        let segment = |uri: &str, seconds: f64| Segment { uri: uri.to_owned(), seconds };
        let segments = vec![segment("a.ts", 6.006), segment("b.ts", 2.0)];
        assert_eq!(media(text), Ok(Media { initialization: None, segments, is_complete: true }));
        let fragmented = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\na.mp4\n";
        assert_eq!(media(fragmented).expect("a playlist").initialization.as_deref(), Some("init.mp4"));
        assert!(!media("#EXTM3U\n#EXTINF:1\na.ts").expect("a playlist").is_complete);
    }

    #[test]
    fn what_is_no_playlist_is_refused() {
        for text in ["", "<!doctype html>", "#EXTM3U8\n", "\n#EXTM3U"] {
            assert_eq!(parent(text), Err(Malformed::NoPlaylist), "{text}");
            assert_eq!(media(text), Err(Malformed::NoPlaylist), "{text}");
        }
        assert_eq!(parent("#EXTM3U\na.m3u8"), Err(Malformed::Line { line: 2 }));
        assert_eq!(media("#EXTM3U\n#EXT-X-MAP:BYTERANGE=1"), Err(Malformed::Line { line: 2 }));
        assert_eq!(media("#EXTM3U\na.ts"), Err(Malformed::Line { line: 2 }));
        for seconds in ["", "x", "-1", "NaN", "inf"] {
            let text = format!("#EXTM3U\n#EXTINF:{seconds},\na.ts");
            assert_eq!(media(&text), Err(Malformed::Line { line: 2 }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "(#EXTM3U\n)?(#EXTINF:|#EXT-X-STREAM-INF:|[a-zA-Z=\",:.0-9 #\n]){0,40}") {
            let _ = (parent(&text), media(&text));
        }

        #[test]
        fn what_is_written_is_read(durations in proptest::collection::vec(0u32..100_000, 0..50)) {
            let mut text = "#EXTM3U\n".to_owned();
            for (index, milliseconds) in durations.iter().enumerate() {
                text.push_str(&format!("#EXTINF:{}.{:03},\n{index}.ts\n", milliseconds / 1000, milliseconds % 1000));
            }
            let media = media(&text).expect("a playlist");
            prop_assert_eq!(media.segments.len(), durations.len());
            for (segment, milliseconds) in media.segments.iter().zip(durations) {
                prop_assert!((segment.seconds * 1000.0 - f64::from(milliseconds)).abs() < 0.01);
            }
        }
    }
}
