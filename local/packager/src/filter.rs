//! Manifest filtering: `?aws.manifestfilter=video_height:1-720;audio_language:en`. Pure.
//! Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/manifest-filtering.html>.

use crate::{
    codec::{PictureCodec, Range, SoundCodec},
    facts::{Facts, Picture, Sound, TICKS_PER_SECOND},
    presentation::{Chosen, Presentation, Role, Stream},
};

const PARAMETER: &str = "aws.manifestfilter";
/// Characters of a filter, from the source above.
const CHARACTERS_MAX: usize = 1024;
/// The greatest number in a range, `INT_MAX` in the source above.
const NUMBER_MAX: f64 = 2_147_483_647.0;

/// Why a filter is refused; all of them are answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("{PARAMETER} is there more than once")]
    Repeated,
    #[error("{PARAMETER} has more than {CHARACTERS_MAX} characters")]
    TooLong,
    #[error("{PARAMETER} is malformed at {0:?}")]
    Malformed(String),
    #[error("{PARAMETER} has no parameter {0:?}")]
    Unknown(String),
    #[error("{0} is there more than once")]
    Duplicate(String),
    #[error("{0:?} is not a value of {1}")]
    Value(String, &'static str),
}

/// Numbers from and to, both included.
type Spans = Vec<(f64, f64)>;

/// What a manifest is to tell of. A filter that is not there lets everything through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    audio_bitrate: Option<Spans>,
    audio_channels: Option<Spans>,
    audio_codec: Option<Vec<String>>,
    audio_language: Option<Vec<String>>,
    audio_sample_rate: Option<Spans>,
    subtitle_language: Option<Vec<String>>,
    trickplay_height: Option<Spans>,
    trickplay_type: Option<Vec<String>>,
    video_bitrate: Option<Spans>,
    video_codec: Option<Vec<String>>,
    video_dynamic_range: Option<Vec<String>>,
    video_framerate: Option<Spans>,
    video_height: Option<Spans>,
}

/// The value of the filter in a query string, decoded; `None` when there is none.
pub(crate) fn in_query(query: &str) -> Result<Option<String>, FilterError> {
    let mut values = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_encoding::percent_decode_str(name).decode_utf8_lossy() == PARAMETER).then_some(value)
    });
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(FilterError::Repeated);
    }
    let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
    if value.chars().count() > CHARACTERS_MAX { Err(FilterError::TooLong) } else { Ok(Some(value)) }
}

impl Filter {
    /// Reads a filter.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for pair in text.to_ascii_lowercase().split(';') {
            let malformed = || FilterError::Malformed(pair.to_owned());
            // A second parameter of the query's own, as the source's examples write it.
            if pair.starts_with(PARAMETER) {
                return Err(FilterError::Repeated);
            }
            let (name, values) = pair.split_once(':').ok_or_else(malformed)?;
            let values: Vec<&str> = values.split(',').map(str::trim).collect();
            if values.iter().any(|value| value.is_empty() || value.contains([':', '='])) {
                return Err(malformed());
            }
            filter.parameter(name.trim(), &values)?;
        }
        Ok(filter)
    }

    fn parameter(&mut self, name: &str, values: &[&str]) -> Result<(), FilterError> {
        match name {
            "audio_bitrate" => set(&mut self.audio_bitrate, "audio_bitrate", spans(values, "audio_bitrate", 0.0)?),
            "audio_channels" => set(&mut self.audio_channels, "audio_channels", spans(values, "audio_channels", 1.0)?),
            "audio_codec" => {
                let list = one_of(values, "audio_codec", &["aacl", "aach", "ac-3", "ec-3"])?;
                set(&mut self.audio_codec, "audio_codec", list)
            }
            "audio_language" => set(&mut self.audio_language, "audio_language", words(values)),
            "audio_sample_rate" => {
                set(&mut self.audio_sample_rate, "audio_sample_rate", spans(values, "audio_sample_rate", 0.0)?)
            }
            "subtitle_language" => set(&mut self.subtitle_language, "subtitle_language", words(values)),
            "trickplay_height" => {
                set(&mut self.trickplay_height, "trickplay_height", spans(values, "trickplay_height", 1.0)?)
            }
            "trickplay_type" => {
                let list = one_of(values, "trickplay_type", &["iframe", "image", "none"])?;
                set(&mut self.trickplay_type, "trickplay_type", list)
            }
            "video_bitrate" => set(&mut self.video_bitrate, "video_bitrate", spans(values, "video_bitrate", 0.0)?),
            "video_codec" => {
                set(&mut self.video_codec, "video_codec", one_of(values, "video_codec", &["h264", "h265"])?)
            }
            "video_dynamic_range" => {
                let list = one_of(values, "video_dynamic_range", &["hdr10", "hlg", "sdr"])?;
                set(&mut self.video_dynamic_range, "video_dynamic_range", list)
            }
            "video_framerate" => {
                set(&mut self.video_framerate, "video_framerate", spans(values, "video_framerate", 1.0)?)
            }
            "video_height" => set(&mut self.video_height, "video_height", spans(values, "video_height", 1.0)?),
            unknown => Err(FilterError::Unknown(unknown.to_owned())),
        }
    }

    /// The streams that pass; `None` when nothing does.
    pub(crate) fn choose<'a>(&self, facts: &Facts, presentation: &'a Presentation) -> Option<Chosen<'a>> {
        let all = Chosen::all(presentation);
        let streams: Vec<&Stream> = all.streams.into_iter().filter(|stream| self.passes(facts, stream)).collect();
        let key_frames = all.key_frames.into_iter().filter(|stream| {
            let picture = facts.renditions[stream.rendition()].picture.as_ref();
            let kind = self.trickplay_type.as_ref();
            picture.is_some_and(|picture| {
                self.passes_picture(stream, picture, false) && within(&self.trickplay_height, f64::from(picture.height))
            }) && kind.is_none_or(|kinds| kinds.iter().any(|kind| kind == "iframe"))
        });
        let chosen = Chosen { lead_ticks: all.lead_ticks, key_frames: key_frames.collect(), streams };
        (!chosen.streams.is_empty()).then_some(chosen)
    }

    fn passes(&self, facts: &Facts, stream: &Stream) -> bool {
        // What carries sound that does not pass goes with it.
        let sound = stream.sound().and_then(|index| facts.renditions[index].sound.as_ref().map(|sound| (index, sound)));
        let sound_passes = sound.is_none_or(|(index, sound)| self.passes_sound(facts, index, sound));
        match &stream.role {
            Role::Variant { rendition, .. } => {
                let picture = facts.renditions[*rendition].picture.as_ref();
                sound_passes && picture.is_none_or(|picture| self.passes_picture(stream, picture, true))
            }
            Role::Audio { label, .. } => sound_passes && spoken(&self.audio_language, label.language.as_deref()),
            Role::Subtitles { label, .. } => spoken(&self.subtitle_language, label.language.as_deref()),
        }
    }

    fn passes_sound(&self, facts: &Facts, rendition: usize, sound: &Sound) -> bool {
        let codec = match sound.codec {
            SoundCodec::Aac if matches!(sound.name.as_str(), "mp4a.40.5" | "mp4a.40.29") => "aach",
            SoundCodec::Aac => "aacl",
            SoundCodec::Ac3 => "ac-3",
            SoundCodec::EAc3 => "ec-3",
        };
        let spans = facts.renditions[rendition].segments.iter().filter_map(|segment| segment.sound.as_ref());
        let (bytes, frames) = spans.fold((0, 0), |(bytes, frames), span| (bytes + span.bytes, frames + span.frames));
        let samples = (frames * u64::from(sound.frame_samples)).max(1);
        within(&self.audio_bitrate, bytes as f64 * 8.0 * f64::from(sound.sample_rate) / samples as f64)
            && within(&self.audio_channels, f64::from(sound.channels))
            && within(&self.audio_sample_rate, f64::from(sound.sample_rate))
            && among(&self.audio_codec, codec)
    }

    /// The bit rate says nothing of key frames alone.
    fn passes_picture(&self, stream: &Stream, picture: &Picture, with_bitrate: bool) -> bool {
        let codec = match picture.codec {
            PictureCodec::H264 => "h264",
            PictureCodec::H265 => "h265",
        };
        let range = match picture.range {
            Range::Standard => "sdr",
            Range::PerceptualQuantizer => "hdr10",
            Range::HybridLogGamma => "hlg",
        };
        let rate = TICKS_PER_SECOND as f64 / picture.frame_ticks.max(1.0);
        // A rate has three digits behind the point at most.
        let rate = (rate * 1000.0).round() / 1000.0;
        (!with_bitrate || within(&self.video_bitrate, stream.average_bandwidth() as f64))
            && within(&self.video_height, f64::from(picture.height))
            && within(&self.video_framerate, rate)
            && among(&self.video_codec, codec)
            && among(&self.video_dynamic_range, range)
    }
}

fn set<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), FilterError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(FilterError::Duplicate(name.to_owned())),
    }
}

/// `from-to`, or a single number.
fn spans(values: &[&str], name: &'static str, least: f64) -> Result<Spans, FilterError> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' && name == "video_framerate");
        text.parse::<f64>().ok().filter(|value| digits && (least..=NUMBER_MAX).contains(value))
    };
    let span = |value: &&str| {
        let (from, to) = value.split_once('-').unwrap_or((value, value));
        number(from)
            .zip(number(to))
            .filter(|(from, to)| from <= to)
            .ok_or_else(|| FilterError::Value((*value).to_owned(), name))
    };
    values.iter().map(span).collect()
}

fn words(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn one_of(values: &[&str], name: &'static str, known: &[&str]) -> Result<Vec<String>, FilterError> {
    match values.iter().find(|value| !known.contains(value)) {
        Some(unknown) => Err(FilterError::Value((*unknown).to_owned(), name)),
        None => Ok(words(values)),
    }
}

fn within(spans: &Option<Spans>, value: f64) -> bool {
    spans.as_ref().is_none_or(|spans| spans.iter().any(|(from, to)| (*from..=*to).contains(&value)))
}

fn among(list: &Option<Vec<String>>, value: &str) -> bool {
    list.as_ref().is_none_or(|list| list.iter().any(|item| item == value))
}

fn spoken(list: &Option<Vec<String>>, language: Option<&str>) -> bool {
    list.as_ref().is_none_or(|_| language.is_some_and(|language| among(list, &language.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn check_refused(query: &str, expected: &FilterError) {
        let refused = in_query(query).and_then(|text| Filter::parse(&text.unwrap_or_default()));
        assert_eq!(refused.as_ref().unwrap_err(), expected, "{query}");
    }

    #[test]
    fn the_error_conditions_of_the_guide() {
        let base = "aws.manifestfilter=";
        let value = |value: &str, name| FilterError::Value(value.into(), name);
        check_refused(&format!("{base}audio_sample_rate:0-1&{base}video_bitrate:0-1"), &FilterError::Repeated);
        check_refused(
            &format!("{base}audio_sample_rate:0-48000;{base}audio_sample_rate:0-48000"),
            &FilterError::Repeated,
        );
        check_refused(
            &format!("{base}video_height:1-2;video_height:1-2"),
            &FilterError::Duplicate("video_height".into()),
        );
        check_refused(&format!("{base}donut_type:rhododendron"), &FilterError::Unknown("donut_type".into()));
        check_refused(&format!("{base}audio_sample_rate:300-0"), &value("300-0", "audio_sample_rate"));
        check_refused(&format!("{base}audio_sample_rate:0-2147483648"), &value("0-2147483648", "audio_sample_rate"));
        check_refused(
            &format!("{base}audio_sample_rate:is:0-44100"),
            &FilterError::Malformed("audio_sample_rate:is:0-44100".into()),
        );
        check_refused(
            &format!("{base}audio_sample_rate:0-1;video_bitrate=0-1"),
            &FilterError::Malformed("video_bitrate=0-1".into()),
        );
        check_refused(&format!("{base}audio_language:{}", "a".repeat(1024)), &FilterError::TooLong);
        check_refused(&format!("{base}video_codec:vp9"), &value("vp9", "video_codec"));
        check_refused(base, &FilterError::Malformed(String::new()));
    }

    #[test]
    fn filters_are_read_in_any_case_and_encoding() {
        let text =
            in_query("x=1&aws.manifestfilter=VIDEO_HEIGHT%3A240-360%2C720%3Bvideo_codec%3AH264").unwrap().unwrap();
        let filter = Filter::parse(&text).unwrap();
        assert_eq!(filter.video_height, Some(vec![(240.0, 360.0), (720.0, 720.0)]));
        assert_eq!(filter.video_codec, Some(vec!["h264".to_owned()]));
        let filter = Filter::parse("video_framerate:23.976-30;audio_language:en-US, de").unwrap();
        assert_eq!(filter.video_framerate, Some(vec![(23.976, 30.0)]));
        assert_eq!(filter.audio_language, Some(vec!["en-us".to_owned(), "de".to_owned()]));
        assert_eq!(in_query("m=1"), Ok(None));
    }

    proptest! {
        #[test]
        fn hostile_filters_never_panic(query in "(aws.manifestfilter=)?[ -~\u{e9}]{0,60}") {
            if let Ok(Some(text)) = in_query(&query) {
                let _ = Filter::parse(&text);
            }
        }
    }
}
