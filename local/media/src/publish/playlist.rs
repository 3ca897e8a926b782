//! HLS playlists. Source: <https://www.rfc-editor.org/rfc/rfc8216>.

use std::fmt::Write;

use crate::job::{
    AudioTrackType, ClientCache, CmafGroup, CodecSpecification, DurationFormat, HlsGroup, Rendition, SegmentControl,
    StreamInfResolution, TargetDurationMode,
};

use crate::plan::PlannedCaptions;

use super::{
    bit_rate,
    key_frames::{KeyFrames, Range},
    tiles::Tiles,
    track::{Layout, Place, Track},
    uri,
};

pub(super) const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";

/// What a group says of how its playlists are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    durations: DurationFormat,
    target: TargetDurationMode,
    codecs: CodecSpecification,
    resolution: StreamInfResolution,
    cache: ClientCache,
    /// `EXT-X-VERSION`.
    version: u8,
}

impl From<&HlsGroup> for Style {
    fn from(group: &HlsGroup) -> Self {
        Self {
            durations: group.manifest_duration_format,
            target: group.target_duration_compatibility_mode,
            codecs: group.codec_specification,
            resolution: group.stream_inf_resolution,
            cache: group.client_cache,
            // Ranges of bytes need 4.
            version: if group.segment_control == SegmentControl::SingleFile { 4 } else { 3 },
        }
    }
}

impl From<&CmafGroup> for Style {
    fn from(group: &CmafGroup) -> Self {
        Self {
            durations: group.manifest_duration_format,
            target: group.target_duration_compatibility_mode,
            codecs: group.codec_specification,
            resolution: group.stream_inf_resolution,
            cache: group.client_cache,
            // Initialisation segments of ordinary playlists need 6.
            version: 6,
        }
    }
}

impl Style {
    fn head(self) -> String {
        let cache = match self.cache {
            ClientCache::Enabled => "",
            ClientCache::Disabled => "#EXT-X-ALLOW-CACHE:NO\n",
        };
        format!("#EXTM3U\n#EXT-X-VERSION:{}\n{cache}", self.version)
    }

    /// One output's playlist.
    pub(super) fn media(self, track: &Track<'_>, layout: &Layout) -> String {
        let lengths: Vec<f64> = track.segments.iter().map(|segment| segment.seconds).collect();
        self.list(&lengths, layout.init.as_ref(), &layout.segments)
    }

    /// A playlist of segments of these lengths in seconds.
    pub(super) fn list(self, lengths: &[f64], init: Option<&Place>, places: &[Place]) -> String {
        self.listed("", lengths, init, places)
    }

    /// The same with these tags in its head.
    fn listed(self, tags: &str, lengths: &[f64], init: Option<&Place>, places: &[Place]) -> String {
        let longest = lengths.iter().copied().fold(0.0, f64::max);
        let target = match self.target {
            TargetDurationMode::Legacy => longest.ceil(),
            TargetDurationMode::SpecCompliant => longest.round(),
        };
        let mut text = self.head();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "#EXT-X-TARGETDURATION:{:.0}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n{tags}",
            target.max(1.0)
        );
        if let Some(init) = init {
            let range = init.range.map(|(offset, bytes)| format!(",BYTERANGE=\"{bytes}@{offset}\""));
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\"{}", uri(&init.name), range.unwrap_or_default());
        }
        for (seconds, place) in lengths.iter().zip(places) {
            let _ = match self.durations {
                DurationFormat::FloatingPoint => writeln!(text, "#EXTINF:{seconds:.6},"),
                DurationFormat::Integer => writeln!(text, "#EXTINF:{:.0},", seconds.max(1.0)),
            };
            if let Some((offset, bytes)) = place.range {
                let _ = writeln!(text, "#EXT-X-BYTERANGE:{bytes}@{offset}");
            }
            text.push_str(&uri(&place.name));
            text.push('\n');
        }
        text.push_str("#EXT-X-ENDLIST\n");
        text
    }

    /// A playlist of key frames alone.
    pub(super) fn key_frames(self, key_frames: &KeyFrames, layout: &Layout) -> String {
        /// Of tables in front of frames. Source: RFC 8216, section 7.
        const VERSION: u8 = 5;
        let place = |range: &Range| {
            let Place { name, range: whole } = layout.segments.get(range.segment)?.clone();
            let begins = whole.map_or(0, |(offset, _)| offset);
            Some(Place { name, range: Some((begins + range.offset, range.bytes)) })
        };
        let init = layout.init.clone().or_else(|| key_frames.tables.as_ref().and_then(place));
        let places: Vec<_> = key_frames.frames.iter().filter_map(|frame| place(&frame.range)).collect();
        let lengths: Vec<_> = key_frames.frames.iter().map(|frame| frame.seconds).collect();
        let style = Self { version: self.version.max(VERSION), ..self };
        style.listed("#EXT-X-I-FRAMES-ONLY\n", &lengths, init.as_ref(), &places)
    }

    /// An output's line for its key frames alone.
    pub(super) fn key_frame_entry(self, track: &Track<'_>, key_frames: &KeyFrames, playlist: &str) -> String {
        let rates = key_frames.frames.iter().map(|frame| bit_rate(frame.range.bytes, frame.seconds));
        let codecs = track.codecs(self.codecs);
        // The picture's comes first, and a sound is not among key frames.
        let codec = codecs.first().map_or("", String::as_str);
        let mut line = format!(
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},CODECS=\"{codec}\"",
            rates.max().unwrap_or_default().max(1)
        );
        if let (Some(video), StreamInfResolution::Include) = (track.planned.video, self.resolution) {
            // Writing to a string cannot fail.
            let _ = write!(line, ",RESOLUTION={}x{}", video.width, video.height);
        }
        format!("{line},URI=\"{}\"\n", uri(playlist))
    }

    /// The master playlist of a group's outputs.
    pub(super) fn master(self, entries: &[Entry<'_>], subtitles: &[Subtitles<'_>], tiles: &[Tiles<'_>]) -> String {
        let mut text = self.head();
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        let pictures = entries.iter().any(|entry| entry.track.planned.video.is_some());
        let (alternatives, variants): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| pictures && entry.is_alternative());
        let mut groups = Vec::new();
        for entry in &alternatives {
            // One sound of a group is the one to begin with. Source: RFC 8216, section 4.3.4.1.1.
            let first = !groups.contains(&entry.rendition.audio_group);
            if first {
                groups.push(entry.rendition.audio_group);
            }
            text.push_str(&entry.alternative(first));
        }
        for (index, subtitles) in subtitles.iter().enumerate() {
            text.push_str(&subtitles.alternative(index));
        }
        let beside = if subtitles.is_empty() { "" } else { ",SUBTITLES=\"subs\"" };
        for entry in variants {
            let mut with = match &entry.rendition.audio_sets {
                Some(sets) => sets.clone(),
                None => groups.clone(),
            };
            with.retain(|set| groups.contains(set) && entry.track.planned.video.is_some());
            if with.is_empty() {
                text.push_str(&self.variant(entry, None, &[], beside));
            }
            for group in with {
                let sounds: Vec<_> = alternatives
                    .iter()
                    .filter(|sound| sound.rendition.audio_group == group)
                    .map(|sound| sound.track)
                    .collect();
                text.push_str(&self.variant(entry, Some(group), &sounds, beside));
            }
        }
        text.extend(entries.iter().map(|entry| entry.key_frames.as_str()));
        text.extend(tiles.iter().map(Tiles::entry));
        text
    }

    /// A picture with the sounds that may go with it, or a sound alone.
    fn variant(self, entry: &Entry<'_>, group: Option<&str>, sounds: &[&Track<'_>], beside: &str) -> String {
        let track = entry.track;
        let peak = track.peak_bits() + sounds.iter().map(|sound| sound.peak_bits()).max().unwrap_or_default();
        let average = track.average_bits() + sounds.iter().map(|sound| sound.average_bits()).max().unwrap_or_default();
        let mut codecs = track.codecs(self.codecs);
        for codec in sounds.iter().flat_map(|sound| sound.codecs(self.codecs)) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        let mut line =
            format!("#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}\"", codecs.join(","));
        if let Some(video) = track.planned.video {
            if self.resolution == StreamInfResolution::Include {
                // Writing to a string cannot fail.
                let _ = write!(line, ",RESOLUTION={}x{}", video.width, video.height);
            }
            let _ = write!(line, ",FRAME-RATE={:.3}", video.frame_rate.value());
        }
        if let Some(group) = group {
            let _ = write!(line, ",AUDIO=\"{}\"", quoted(group));
        }
        format!("{line}{beside}\n{}\n", uri(&entry.playlist))
    }
}

/// Captions in a master playlist.
pub(super) struct Subtitles<'a> {
    pub(super) planned: &'a PlannedCaptions,
    /// Their playlist's name.
    pub(super) playlist: String,
}

impl Subtitles<'_> {
    fn alternative(&self, index: usize) -> String {
        let language = self.planned.language.as_deref();
        let usual = format!("Captions {}", index + 1);
        let name = self.planned.name.as_deref().or(language).unwrap_or(&usual);
        let mut line = format!("#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"{}\"", quoted(name));
        if let Some(language) = language {
            // Writing to a string cannot fail.
            let _ = write!(line, ",LANGUAGE=\"{}\"", quoted(language));
        }
        line.push_str(",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO");
        if self.planned.accessible {
            // Source: aws-sdk-mediaconvert 1.153, `WebvttDestinationSettings::accessibility`.
            line.push_str(
                ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,\
                 public.accessibility.describes-music-and-sound\"",
            );
        }
        let _ = write!(line, ",URI=\"{}\"", uri(&self.playlist));
        line.push('\n');
        line
    }
}

/// One output in a master playlist.
pub(super) struct Entry<'a> {
    pub(super) track: &'a Track<'a>,
    /// Its playlist's name.
    pub(super) playlist: String,
    pub(super) rendition: Rendition<'a>,
    /// The line of its key frames; empty when they have no playlist.
    pub(super) key_frames: String,
}

impl Entry<'_> {
    fn is_alternative(&self) -> bool {
        self.track.planned.video.is_none() && self.rendition.track_type != Some(AudioTrackType::Variant)
    }

    fn alternative(&self, first: bool) -> String {
        let Some(audio) = self.track.planned.audios.first() else { return String::new() };
        let language = audio.language.as_deref();
        let name = audio.name.as_deref().or(language).unwrap_or(&self.track.output.name_modifier);
        let mut line = format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\",NAME=\"{}\"",
            quoted(self.rendition.audio_group),
            quoted(name)
        );
        if let Some(language) = language {
            // Writing to a string cannot fail.
            let _ = write!(line, ",LANGUAGE=\"{}\"", quoted(language));
        }
        let (default, auto) = match self.rendition.track_type {
            None => (first, true),
            Some(AudioTrackType::Default) => (true, true),
            Some(AudioTrackType::AutoSelect) => (false, true),
            Some(AudioTrackType::NotAutoSelect | AudioTrackType::Variant) => (false, false),
        };
        let yes = |yes| if yes { "YES" } else { "NO" };
        let _ = write!(line, ",DEFAULT={},AUTOSELECT={}", yes(default), yes(auto));
        if self.rendition.descriptive {
            line.push_str(",CHARACTERISTICS=\"public.accessibility.describes-video\"");
        }
        let _ = write!(line, ",CHANNELS=\"{}\",URI=\"{}\"", audio.channels, uri(&self.playlist));
        line.push('\n');
        line
    }
}

/// A quoted string holds neither quotes nor line breaks.
pub(super) fn quoted(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).map(|c| if c == '"' { '\'' } else { c }).collect()
}
