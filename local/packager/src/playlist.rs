//! Reads HLS playlists (RFC 8216) as sources of an asset. A tag that would change what the media means, and that the packager
//! does not honour, is refused by its name.

use std::collections::HashMap;

/// Why a playlist cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum PlaylistError {
    #[error("it is not a playlist: the first line is not #EXTM3U")]
    NotAPlaylist,
    #[error("line {line}: {tag} is not supported in a source")]
    UnsupportedTag { line: usize, tag: String },
    #[error("line {line}: {what}")]
    Malformed { line: usize, what: &'static str },
    #[error("it has no {0}")]
    Missing(&'static str),
}

/// A parent playlist.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parent {
    pub variants: Vec<Variant>,
    pub alternatives: Vec<Media>,
}

/// `EXT-X-STREAM-INF` and its URI.
#[derive(Debug, PartialEq)]
pub(crate) struct Variant {
    pub uri: String,
    pub bandwidth: u64,
    pub audio_group: Option<String>,
    pub subtitles_group: Option<String>,
}

/// `EXT-X-MEDIA`. Without a URI it names the sound that is in the variants themselves.
#[derive(Debug, PartialEq)]
pub(crate) struct Media {
    pub kind: MediaKind,
    pub uri: Option<String>,
    pub group: String,
    pub name: String,
    pub language: Option<String>,
    pub default: bool,
    pub autoselect: bool,
    pub forced: bool,
    pub characteristics: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Audio,
    Subtitles,
}

/// One entry of a media playlist.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub uri: String,
    /// As declared, in seconds.
    pub duration_seconds: f64,
}

/// Reads a parent playlist.
pub(crate) fn parent(text: &str) -> Result<Parent, PlaylistError> {
    let mut parent = Parent::default();
    let mut pending: Option<HashMap<String, String>> = None;
    for (line, content) in lines(text)? {
        if let Some(list) = content.strip_prefix("#EXT-X-STREAM-INF:") {
            pending = Some(attributes(list).ok_or(PlaylistError::Malformed { line, what: "malformed attributes" })?);
        } else if let Some(list) = content.strip_prefix("#EXT-X-MEDIA:") {
            let list = attributes(list).ok_or(PlaylistError::Malformed { line, what: "malformed attributes" })?;
            parent.alternatives.extend(media(line, list)?);
        } else if let Some(tag) = content.strip_prefix("#EXT") {
            let name = format!("#EXT{}", tag.split(':').next().unwrap_or_default());
            match name.as_str() {
                // What says nothing of the media: the packager writes its own.
                "#EXTM3U"
                | "#EXT-X-VERSION"
                | "#EXT-X-INDEPENDENT-SEGMENTS"
                | "#EXT-X-I-FRAME-STREAM-INF"
                | "#EXT-X-IMAGE-STREAM-INF"
                | "#EXT-X-START" => {}
                "#EXTINF" => {
                    return Err(PlaylistError::Missing("variants: it is a media playlist, not a parent playlist"));
                }
                _ => return Err(PlaylistError::UnsupportedTag { line, tag: name }),
            }
        } else if !content.starts_with('#') {
            let mut list =
                pending.take().ok_or(PlaylistError::Malformed { line, what: "a URI without EXT-X-STREAM-INF" })?;
            let bandwidth = list.get("BANDWIDTH").and_then(|text| text.parse().ok());
            parent.variants.push(Variant {
                uri: content.to_owned(),
                bandwidth: bandwidth.ok_or(PlaylistError::Malformed { line, what: "a variant without BANDWIDTH" })?,
                audio_group: list.remove("AUDIO"),
                subtitles_group: list.remove("SUBTITLES"),
            });
        }
    }
    if parent.variants.is_empty() { Err(PlaylistError::Missing("variants")) } else { Ok(parent) }
}

fn media(line: usize, mut list: HashMap<String, String>) -> Result<Option<Media>, PlaylistError> {
    let kind = match list.get("TYPE").map(String::as_str) {
        Some("AUDIO") => MediaKind::Audio,
        Some("SUBTITLES") => MediaKind::Subtitles,
        // Closed captions travel inside the picture and have no playlist.
        Some("CLOSED-CAPTIONS") => return Ok(None),
        Some(_) => return Err(PlaylistError::UnsupportedTag { line, tag: "#EXT-X-MEDIA of this TYPE".into() }),
        None => return Err(PlaylistError::Malformed { line, what: "EXT-X-MEDIA without TYPE" }),
    };
    let yes = |list: &HashMap<String, String>, name: &str| list.get(name).is_some_and(|value| value == "YES");
    Ok(Some(Media {
        kind,
        uri: list.remove("URI"),
        default: yes(&list, "DEFAULT"),
        autoselect: yes(&list, "AUTOSELECT"),
        forced: yes(&list, "FORCED"),
        group: list
            .remove("GROUP-ID")
            .ok_or(PlaylistError::Malformed { line, what: "EXT-X-MEDIA without GROUP-ID" })?,
        name: list.remove("NAME").ok_or(PlaylistError::Malformed { line, what: "EXT-X-MEDIA without NAME" })?,
        language: list.remove("LANGUAGE"),
        characteristics: list.remove("CHARACTERISTICS"),
    }))
}

/// Reads a media playlist.
pub(crate) fn media_entries(text: &str) -> Result<Vec<Entry>, PlaylistError> {
    let mut entries = Vec::new();
    let mut pending = None;
    let mut ended = false;
    for (line, content) in lines(text)? {
        if let Some(value) = content.strip_prefix("#EXTINF:") {
            let seconds = value.split(',').next().unwrap_or_default().trim().parse::<f64>();
            let seconds = seconds.ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
            pending = Some(seconds.ok_or(PlaylistError::Malformed { line, what: "a malformed duration" })?);
        } else if let Some(tag) = content.strip_prefix("#EXT") {
            let name = format!("#EXT{}", tag.split(':').next().unwrap_or_default());
            match name.as_str() {
                "#EXTM3U"
                | "#EXT-X-VERSION"
                | "#EXT-X-TARGETDURATION"
                | "#EXT-X-MEDIA-SEQUENCE"
                | "#EXT-X-PLAYLIST-TYPE"
                | "#EXT-X-INDEPENDENT-SEGMENTS"
                | "#EXT-X-PROGRAM-DATE-TIME"
                | "#EXT-X-ALLOW-CACHE"
                | "#EXT-X-START"
                | "#EXT-X-BITRATE" => {}
                "#EXT-X-KEY" if tag.contains("METHOD=NONE") => {}
                "#EXT-X-ENDLIST" => ended = true,
                _ => return Err(PlaylistError::UnsupportedTag { line, tag: name }),
            }
        } else if !content.starts_with('#') {
            let seconds = pending.take().ok_or(PlaylistError::Malformed { line, what: "a URI without EXTINF" })?;
            entries.push(Entry { uri: content.to_owned(), duration_seconds: seconds });
        }
    }
    match (entries.is_empty(), ended) {
        (true, _) => Err(PlaylistError::Missing("segments")),
        (_, false) => Err(PlaylistError::Missing("EXT-X-ENDLIST: it is not finished")),
        _ => Ok(entries),
    }
}

/// The lines with content, numbered from 1, after checking the first.
fn lines(text: &str) -> Result<impl Iterator<Item = (usize, &str)>, PlaylistError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.lines().next().map(str::trim_end) != Some("#EXTM3U") {
        return Err(PlaylistError::NotAPlaylist);
    }
    Ok(text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty()))
}

/// An attribute list (RFC 8216, 4.2): names and values, quotes taken off. `None` when malformed.
fn attributes(mut text: &str) -> Option<HashMap<String, String>> {
    let mut list = HashMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, if rest.is_empty() { rest } else { rest.strip_prefix(',')? })
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        list.insert(name.trim().to_owned(), value.trim().to_owned());
        text = rest.trim_start();
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_parent_playlist_as_mediaconvert_writes_it() {
        let text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"English, full\",LANGUAGE=\"eng\",AUTOSELECT=YES,DEFAULT=YES,FORCED=NO,URI=\"a_en.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1220000,AVERAGE-BANDWIDTH=1100000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000,SUBTITLES=\"subs\"\n\
            a_360.m3u8\n";
        let parent = parent(text).unwrap();
        assert_eq!(
            parent.variants,
            [Variant {
                uri: "a_360.m3u8".into(),
                bandwidth: 1_220_000,
                audio_group: None,
                subtitles_group: Some("subs".into())
            }]
        );
        assert_eq!(parent.alternatives.len(), 1);
        assert_eq!(parent.alternatives[0].name, "English, full");
        assert!(parent.alternatives[0].default && !parent.alternatives[0].forced);
    }

    #[test]
    fn a_media_playlist_gives_its_segments() {
        let text = "#EXTM3U\r\n#EXT-X-TARGETDURATION:6\r\n#EXTINF:6.006,\r\na_00001.ts\r\n#EXTINF:2,title\r\na_00002.ts\r\n#EXT-X-ENDLIST\r\n";
        let entries = media_entries(text).unwrap();
        assert_eq!(entries[0], Entry { uri: "a_00001.ts".into(), duration_seconds: 6.006 });
        assert_eq!(entries[1].uri, "a_00002.ts");
    }

    fn check_refused(text: &str, words: &str) {
        let error = media_entries(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn what_the_packager_cannot_honour_is_refused_by_name() {
        check_refused("<html>", "not a playlist");
        check_refused("#EXTM3U\n#EXT-X-ENDLIST\n", "segments");
        check_refused("#EXTM3U\n#EXTINF:1,\na.ts\n", "EXT-X-ENDLIST");
        check_refused("#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n", "#EXT-X-MAP");
        check_refused("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n", "#EXT-X-KEY");
        check_refused("#EXTM3U\n#EXT-X-BYTERANGE:10@0\n", "#EXT-X-BYTERANGE");
        check_refused("#EXTM3U\n#EXTINF:x,\n", "duration");
        assert!(parent("#EXTM3U\n#EXTINF:1,\na.ts\n").unwrap_err().to_string().contains("media playlist"));
    }

    proptest! {
        #[test]
        fn hostile_playlists_never_panic(text in "(#EXTM3U\n)?(#EXT[A-Z-]*:?[ -~]*\n|[ -~]*\n){0,12}") {
            let _ = parent(&text);
            let _ = media_entries(&text);
        }
    }
}
