//! Captions: where they come from and what they become.

use serde::Deserialize;

use super::{
    LanguageCode, ObjectLocation, Toggle,
    neutral::{Disabled, Exactly},
};

/// `captionSelectors[name]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaptionSelector {
    pub(crate) source_settings: CaptionSource,
}

/// `sourceSettings` of captions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaptionSource {
    pub(crate) source_type: CaptionSourceType,
    pub(crate) file_source_settings: Option<CaptionFile>,
    pub(crate) embedded_source_settings: Option<EmbeddedSource>,
}

/// The kinds of captions that the local ffmpeg reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CaptionSourceType {
    Srt,
    #[serde(rename = "WEBVTT")]
    WebVtt,
    Scc,
    Smi,
    /// CEA-608 in the pictures.
    Embedded,
}

impl CaptionSourceType {
    /// ffmpeg's demuxer for a file of it; `None` for captions that are in no file of their own.
    pub(crate) fn demuxer(self) -> Option<&'static str> {
        match self {
            Self::Srt => Some("srt"),
            Self::WebVtt => Some("webvtt"),
            Self::Scc => Some("scc"),
            Self::Smi => Some("sami"),
            Self::Embedded => None,
        }
    }
}

/// `fileSourceSettings`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaptionFile {
    pub(crate) source_file: ObjectLocation,
    /// Later, or earlier when negative.
    #[serde(default)]
    pub(crate) time_delta: i32,
    #[serde(default)]
    pub(crate) time_delta_units: TimeDeltaUnits,
    #[serde(rename = "convert608To708")]
    _convert_608_to_708: Option<Disabled>,
}

impl CaptionFile {
    pub(crate) fn delta_seconds(&self) -> f64 {
        match self.time_delta_units {
            TimeDeltaUnits::Seconds => f64::from(self.time_delta),
            TimeDeltaUnits::Milliseconds => f64::from(self.time_delta) / 1000.0,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TimeDeltaUnits {
    #[default]
    Seconds,
    Milliseconds,
}

/// `embeddedSourceSettings`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EmbeddedSource {
    // ffmpeg reads the first channel of the first video track.
    #[serde(rename = "source608ChannelNumber")]
    _source_608_channel_number: Option<Exactly<1>>,
    #[serde(rename = "source608TrackNumber")]
    _source_608_track_number: Option<Exactly<1>>,
    #[serde(rename = "convert608To708")]
    _convert_608_to_708: Option<Disabled>,
}

/// `captionDescriptions[n]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaptionDescription {
    pub(crate) caption_selector_name: String,
    pub(crate) destination_settings: CaptionDestination,
    pub(crate) language_code: Option<LanguageCode>,
    pub(crate) custom_language_code: Option<LanguageCode>,
    /// What players show viewers.
    pub(crate) language_description: Option<String>,
}

impl CaptionDescription {
    pub(crate) fn language(&self) -> Option<&str> {
        self.custom_language_code.as_ref().or(self.language_code.as_ref()).map(|code| code.0.as_str())
    }
}

/// `destinationSettings` of captions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaptionDestination {
    pub(crate) destination_type: CaptionDestinationType,
    #[serde(default)]
    pub(crate) webvtt_destination_settings: WebVttDestination,
    #[serde(rename = "srtDestinationSettings")]
    _srt_destination_settings: Option<SrtDestination>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CaptionDestinationType {
    #[serde(rename = "WEBVTT")]
    WebVtt,
    Srt,
}

/// `webvttDestinationSettings`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WebVttDestination {
    /// Whether they are for those who cannot hear.
    pub(crate) accessibility: Option<Toggle>,
    #[serde(rename = "stylePassthrough")]
    _style_passthrough: Option<Disabled>,
}

/// `srtDestinationSettings`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SrtDestination {
    #[serde(rename = "stylePassthrough")]
    _style_passthrough: Option<Disabled>,
}
