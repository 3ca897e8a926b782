//! Where the media comes from and which of its tracks are meant.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    CaptionSelector, ImageInserter, LanguageCode, ObjectLocation, Rectangle, Remix, Timecode,
    neutral::{Auto, Disabled, Exactly, Nothing},
};

/// One input.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    /// The object.
    pub(crate) file_input: ObjectLocation,
    /// By name; audio descriptions refer to them.
    #[serde(default)]
    pub(crate) audio_selectors: BTreeMap<String, AudioSelector>,
    /// Selectors put together, by name.
    #[serde(default)]
    pub(crate) audio_selector_groups: BTreeMap<String, AudioSelectorGroup>,
    /// By name; caption descriptions refer to them.
    #[serde(default)]
    pub(crate) caption_selectors: BTreeMap<String, CaptionSelector>,
    /// How to read the video.
    #[serde(default)]
    pub(crate) video_selector: VideoSelector,
    /// What the timecodes of this input count from.
    #[serde(default)]
    pub(crate) timecode_source: TimecodeSource,
    /// With `SPECIFIEDSTART`.
    pub(crate) timecode_start: Option<Timecode>,
    /// The parts that are wanted, in the order they are wanted; all of it when empty.
    #[serde(default)]
    pub(crate) input_clippings: Vec<InputClipping>,
    /// The part of the picture that is wanted; goes before the outputs'.
    pub(crate) crop: Option<Rectangle>,
    /// The part of the outputs that the picture fills; goes before theirs.
    pub(crate) position: Option<Rectangle>,
    /// Watermarks in this input.
    pub(crate) image_inserter: Option<ImageInserter>,
    #[serde(rename = "filterEnable")]
    _filter_enable: Option<Auto>,
    #[serde(rename = "filterStrength")]
    _filter_strength: Option<Exactly<0>>,
    #[serde(rename = "deblockFilter")]
    _deblock_filter: Option<Disabled>,
    #[serde(rename = "denoiseFilter")]
    _denoise_filter: Option<Disabled>,
    #[serde(rename = "advancedInputFilter")]
    _advanced_input_filter: Option<Disabled>,
    #[serde(rename = "inputScanType")]
    _input_scan_type: Option<Auto>,
    #[serde(rename = "psiControl")]
    _psi_control: Option<PsiControl>,
}

/// What timecodes count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum TimecodeSource {
    /// The timecode in the source; zero when it has none.
    #[default]
    #[serde(rename = "EMBEDDED")]
    Embedded,
    #[serde(rename = "ZEROBASED")]
    ZeroBased,
    #[serde(rename = "SPECIFIEDSTART")]
    SpecifiedStart,
}

/// A part of an input, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InputClipping {
    pub(crate) start_timecode: Option<Timecode>,
    pub(crate) end_timecode: Option<Timecode>,
}

/// Chooses audio tracks. Several are put side by side, channel after channel.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AudioSelector {
    /// The selector for audio descriptions that name none.
    pub(crate) default_selection: Option<DefaultSelection>,
    #[serde(default)]
    pub(crate) selector_type: SelectorType,
    /// Numbers counted from one among the audio tracks; the first when absent.
    #[serde(default)]
    pub(crate) tracks: Vec<u32>,
    /// With `PID`: packet identifiers of a transport stream.
    #[serde(default)]
    pub(crate) pids: Vec<u32>,
    /// With `STREAM`: numbers counted from one among all tracks.
    #[serde(default)]
    pub(crate) streams: Vec<u32>,
    /// With `LANGUAGE_CODE`.
    pub(crate) language_code: Option<LanguageCode>,
    /// As `languageCode`, and in its stead.
    pub(crate) custom_language_code: Option<LanguageCode>,
    /// Milliseconds that the sound is late; early when negative.
    #[serde(default)]
    pub(crate) offset: i32,
    pub(crate) remix_settings: Option<Remix>,
    #[serde(default)]
    pub(crate) audio_duration_correction: DurationCorrection,
    #[serde(rename = "programSelection")]
    _program_selection: Option<Exactly<1>>,
    #[serde(rename = "smpte337Passthrough")]
    _smpte_337_passthrough: Option<Disabled>,
}

/// `audioSelectorGroups[name]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AudioSelectorGroup {
    pub(crate) audio_selector_names: Vec<String>,
}

/// Whether a selector stands in for missing ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DefaultSelection {
    Default,
    NotDefault,
}

/// By what tracks are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SelectorType {
    #[default]
    Track,
    Pid,
    Stream,
    LanguageCode,
}

/// Whether sound is stretched to the times its container gives it. Gaps become silence in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DurationCorrection {
    #[default]
    Disabled,
    Auto,
    Frame,
    Force,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PsiControl {
    UsePsi,
}

/// How to read the video.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VideoSelector {
    /// `DEGREE_0` (the file's own rotation is ignored) when absent.
    #[serde(default)]
    pub(crate) rotate: Rotate,
    #[serde(rename = "colorSpace")]
    _color_space: Option<Follow>,
    #[serde(rename = "colorSpaceUsage")]
    _color_space_usage: Option<Fallback>,
    #[serde(rename = "alphaBehavior")]
    _alpha_behavior: Option<Discard>,
    #[serde(rename = "sampleRange")]
    _sample_range: Option<Follow>,
    #[serde(rename = "embeddedTimecodeOverride")]
    _embedded_timecode_override: Option<Nothing>,
    #[serde(rename = "padVideo")]
    _pad_video: Option<Disabled>,
    #[serde(rename = "selectorType")]
    _selector_type: Option<Auto>,
}

/// How to turn the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Rotate {
    /// As it is stored.
    #[default]
    #[serde(rename = "DEGREE_0")]
    None,
    /// As the file says it is to be shown.
    #[serde(rename = "AUTO")]
    Auto,
    /// A quarter turn clockwise.
    #[serde(rename = "DEGREES_90")]
    Quarter,
    /// A half turn.
    #[serde(rename = "DEGREES_180")]
    Half,
    /// Three quarter turns clockwise.
    #[serde(rename = "DEGREES_270")]
    ThreeQuarters,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Follow {
    Follow,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Fallback {
    Fallback,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Discard {
    Discard,
}

impl Input {
    /// The selectors that a name means: of a group, or one, or the default where there is none of that name.
    pub(crate) fn selectors(&self, name: Option<&str>) -> Vec<&AudioSelector> {
        let group = name.and_then(|name| self.audio_selector_groups.get(name));
        if let Some(group) = group {
            return group.audio_selector_names.iter().filter_map(|name| self.audio_selectors.get(name)).collect();
        }
        let named = name.and_then(|name| self.audio_selectors.get(name));
        named.or_else(|| self.default_audio_selector()).into_iter().collect()
    }

    /// The selector for descriptions that name none: the one marked so, or the only one.
    fn default_audio_selector(&self) -> Option<&AudioSelector> {
        let marked = self
            .audio_selectors
            .values()
            .find(|selector| selector.default_selection == Some(DefaultSelection::Default));
        marked.or_else(|| if self.audio_selectors.len() == 1 { self.audio_selectors.values().next() } else { None })
    }
}
