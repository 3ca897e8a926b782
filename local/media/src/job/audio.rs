//! Sound: codec and loudness.

use serde::Deserialize;

use super::{
    LanguageCode,
    neutral::{Disabled, Exactly, Nothing},
};

/// `audioDescriptions[n]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AudioDescription {
    /// The codec.
    pub(crate) codec_settings: CodecSettings,
    /// The selector's name; the default selector when absent.
    pub(crate) audio_source_name: Option<String>,
    /// Loudness.
    pub(crate) audio_normalization_settings: Option<AudioNormalization>,
    /// Such as `ENG`, when the source does not say, or instead of what it says.
    pub(crate) language_code: Option<LanguageCode>,
    /// As `languageCode`, and in its stead.
    pub(crate) custom_language_code: Option<LanguageCode>,
    #[serde(default)]
    pub(crate) language_code_control: LanguageCodeControl,
    /// What players show viewers.
    pub(crate) stream_name: Option<String>,
    #[serde(rename = "audioType")]
    _audio_type: Option<Exactly<0>>,
    #[serde(rename = "audioTypeControl")]
    _audio_type_control: Option<FollowInput>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FollowInput {
    FollowInput,
}

impl AudioDescription {
    /// The language of the sound, given the source's.
    pub(crate) fn language(&self, source: Option<&str>) -> Option<String> {
        let configured = self.custom_language_code.as_ref().or(self.language_code.as_ref());
        let configured = configured.map(|code| code.0.as_str());
        let chosen = match self.language_code_control {
            LanguageCodeControl::FollowInput => source.or(configured),
            LanguageCodeControl::UseConfigured => configured,
        };
        chosen.map(str::to_owned)
    }
}

/// Which language code wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LanguageCodeControl {
    #[default]
    FollowInput,
    UseConfigured,
}

/// `codecSettings` of an audio.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CodecSettings {
    #[serde(rename = "codec")]
    _codec: AudioCodec,
    /// Required with AAC, the only codec yet.
    pub(crate) aac_settings: AacSettings,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum AudioCodec {
    Aac,
}

/// `aacSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AacSettings {
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    /// Hertz.
    pub(crate) sample_rate: u32,
    pub(crate) coding_mode: AacCodingMode,
    #[serde(rename = "codecProfile")]
    _codec_profile: Option<LowComplexity>,
    #[serde(rename = "rateControlMode")]
    _rate_control_mode: Option<ConstantRate>,
    #[serde(rename = "rawFormat")]
    _raw_format: Option<Nothing>,
    #[serde(rename = "specification")]
    _specification: Option<Mpeg4>,
    #[serde(rename = "audioDescriptionBroadcasterMix")]
    _audio_description_broadcaster_mix: Option<Normal>,
    #[serde(rename = "passthroughControl")]
    _passthrough_control: Option<Disabled>,
}

/// Channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum AacCodingMode {
    #[serde(rename = "CODING_MODE_1_0")]
    Mono,
    #[serde(rename = "CODING_MODE_2_0")]
    Stereo,
    #[serde(rename = "CODING_MODE_5_1")]
    Surround,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum LowComplexity {
    #[serde(rename = "LC")]
    Lc,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ConstantRate {
    Cbr,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Mpeg4 {
    #[serde(rename = "MPEG4")]
    Mpeg4,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Normal {
    Normal,
}

/// `audioNormalizationSettings`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AudioNormalization {
    /// `ITU_BS_1770_1` to `_4`.
    pub(crate) algorithm: Option<NormalizationAlgorithm>,
    /// Whether to correct or only to measure.
    #[serde(default)]
    pub(crate) algorithm_control: NormalizationControl,
    /// LKFS; -24 with 1770-1, else -23.
    pub(crate) target_lkfs: Option<f64>,
    /// dBFS, 0 to -8.
    pub(crate) true_peak_limiter_threshold: Option<f64>,
    /// -70 lets everything through the gate.
    #[serde(rename = "correctionGateLevel")]
    _correction_gate_level: Option<Exactly<-70>>,
    #[serde(rename = "loudnessLogging")]
    _loudness_logging: Option<DontLog>,
    /// What is measured shows in the log alone, and there is none.
    #[serde(rename = "peakCalculation")]
    _peak_calculation: Option<PeakCalculation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum NormalizationAlgorithm {
    #[serde(rename = "ITU_BS_1770_1")]
    Bs1770V1,
    #[serde(rename = "ITU_BS_1770_2")]
    Bs1770V2,
    #[serde(rename = "ITU_BS_1770_3")]
    Bs1770V3,
    #[serde(rename = "ITU_BS_1770_4")]
    Bs1770V4,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum NormalizationControl {
    #[default]
    CorrectAudio,
    MeasureOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PeakCalculation {
    TruePeak,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DontLog {
    DontLog,
}
