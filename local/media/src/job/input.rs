//! Where the media comes from and which of its tracks are meant.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    ObjectLocation,
    neutral::{Auto, Disabled, Exactly, NoItems, Nothing, ZeroBased},
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
    /// How to read the video.
    #[serde(default)]
    pub(crate) video_selector: VideoSelector,
    #[serde(rename = "timecodeSource")]
    _timecode_source: Option<ZeroBased>,
    #[serde(rename = "filterEnable")]
    _filter_enable: Option<Auto>,
    #[serde(rename = "filterStrength")]
    _filter_strength: Option<Exactly<0>>,
    #[serde(rename = "deblockFilter")]
    _deblock_filter: Option<Disabled>,
    #[serde(rename = "denoiseFilter")]
    _denoise_filter: Option<Disabled>,
    #[serde(rename = "inputScanType")]
    _input_scan_type: Option<Auto>,
    #[serde(rename = "psiControl")]
    _psi_control: Option<PsiControl>,
    #[serde(rename = "inputClippings")]
    _input_clippings: Option<NoItems>,
}

/// Chooses an audio track.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AudioSelector {
    /// The selector for audio descriptions that name none.
    pub(crate) default_selection: Option<DefaultSelection>,
    /// Track numbers, counted from one among the audio tracks; the first when absent.
    #[serde(default)]
    pub(crate) tracks: Vec<u32>,
    #[serde(rename = "selectorType")]
    _selector_type: Option<SelectorType>,
    #[serde(rename = "offset")]
    _offset: Option<Exactly<0>>,
    #[serde(rename = "programSelection")]
    _program_selection: Option<Exactly<1>>,
}

/// Whether a selector stands in for missing ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DefaultSelection {
    Default,
    NotDefault,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SelectorType {
    Track,
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
    /// The selector for descriptions that name none: the one marked so, or the only one.
    pub(crate) fn default_audio_selector(&self) -> Option<&AudioSelector> {
        let marked = self
            .audio_selectors
            .values()
            .find(|selector| selector.default_selection == Some(DefaultSelection::Default));
        marked.or_else(|| if self.audio_selectors.len() == 1 { self.audio_selectors.values().next() } else { None })
    }
}
