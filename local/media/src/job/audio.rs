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
    pub(crate) remix_settings: Option<Remix>,
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
    /// Which of the settings counts.
    pub(crate) codec: AudioCodec,
    pub(crate) aac_settings: Option<Aac>,
    pub(crate) mp2_settings: Option<Mp2>,
    pub(crate) mp3_settings: Option<Mp3>,
    pub(crate) ac3_settings: Option<Ac3>,
    pub(crate) eac3_settings: Option<Eac3>,
    pub(crate) opus_settings: Option<Opus>,
    pub(crate) vorbis_settings: Option<Vorbis>,
    pub(crate) flac_settings: Option<Pcm>,
    pub(crate) wav_settings: Option<Wav>,
    pub(crate) aiff_settings: Option<Pcm>,
}

impl CodecSettings {
    /// The names of all settings that are there, with the codec each belongs to.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static str, AudioCodec)> {
        [
            (self.aac_settings.is_some(), AudioCodec::Aac),
            (self.mp2_settings.is_some(), AudioCodec::Mp2),
            (self.mp3_settings.is_some(), AudioCodec::Mp3),
            (self.ac3_settings.is_some(), AudioCodec::Ac3),
            (self.eac3_settings.is_some(), AudioCodec::Eac3),
            (self.opus_settings.is_some(), AudioCodec::Opus),
            (self.vorbis_settings.is_some(), AudioCodec::Vorbis),
            (self.flac_settings.is_some(), AudioCodec::Flac),
            (self.wav_settings.is_some(), AudioCodec::Wav),
            (self.aiff_settings.is_some(), AudioCodec::Aiff),
        ]
        .into_iter()
        .filter_map(|(present, codec)| present.then_some((codec.settings_name(), codec)))
    }
}

/// The codecs the home has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AudioCodec {
    Aac,
    #[serde(rename = "MP2")]
    Mp2,
    #[serde(rename = "MP3")]
    Mp3,
    #[serde(rename = "AC3")]
    Ac3,
    #[serde(rename = "EAC3")]
    Eac3,
    Opus,
    Vorbis,
    Flac,
    Wav,
    Aiff,
}

impl AudioCodec {
    /// The property that holds its settings.
    pub(crate) fn settings_name(self) -> &'static str {
        match self {
            Self::Aac => "aacSettings",
            Self::Mp2 => "mp2Settings",
            Self::Mp3 => "mp3Settings",
            Self::Ac3 => "ac3Settings",
            Self::Eac3 => "eac3Settings",
            Self::Opus => "opusSettings",
            Self::Vorbis => "vorbisSettings",
            Self::Flac => "flacSettings",
            Self::Wav => "wavSettings",
            Self::Aiff => "aiffSettings",
        }
    }

    /// MediaConvert's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aac => "AAC",
            Self::Mp2 => "MP2",
            Self::Mp3 => "MP3",
            Self::Ac3 => "AC3",
            Self::Eac3 => "EAC3",
            Self::Opus => "OPUS",
            Self::Vorbis => "VORBIS",
            Self::Flac => "FLAC",
            Self::Wav => "WAV",
            Self::Aiff => "AIFF",
        }
    }

    /// ffmpeg's encoder for it, at the usual depth.
    pub(crate) fn encoder(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Mp2 => "mp2",
            Self::Mp3 => "libmp3lame",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Opus => "libopus",
            Self::Vorbis => "libvorbis",
            Self::Flac => "flac",
            Self::Wav => "pcm_s16le",
            Self::Aiff => "pcm_s16be",
        }
    }
}

/// `aacSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Aac {
    /// Bits per second; with `CBR`.
    pub(crate) bitrate: Option<u32>,
    /// With `VBR`.
    pub(crate) vbr_quality: Option<VbrQuality>,
    #[serde(default)]
    pub(crate) rate_control_mode: RateMode,
    /// Hertz.
    pub(crate) sample_rate: u32,
    pub(crate) coding_mode: AacCodingMode,
    #[serde(rename = "codecProfile")]
    _codec_profile: Option<LowComplexity>,
    #[serde(rename = "rawFormat")]
    _raw_format: Option<Nothing>,
    #[serde(rename = "specification")]
    _specification: Option<Mpeg4>,
    #[serde(rename = "audioDescriptionBroadcasterMix")]
    _audio_description_broadcaster_mix: Option<Normal>,
    #[serde(rename = "passthroughControl")]
    _passthrough_control: Option<NoPassthrough>,
}

/// Whether the rate or the quality is constant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RateMode {
    #[default]
    Cbr,
    Vbr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum VbrQuality {
    Low,
    MediumLow,
    MediumHigh,
    High,
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
    /// As many as the source has.
    #[serde(rename = "CODING_MODE_AUTO")]
    Auto,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum LowComplexity {
    #[serde(rename = "LC")]
    Lc,
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

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NoPassthrough {
    NoPassthrough,
}

/// `mp2Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Mp2 {
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    /// 0 follows the source.
    #[serde(default)]
    pub(crate) channels: u32,
    /// Hertz.
    pub(crate) sample_rate: Option<u32>,
    #[serde(rename = "audioDescriptionMix")]
    _audio_description_mix: Option<Nothing>,
}

/// `mp3Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Mp3 {
    /// Bits per second; with `CBR`.
    pub(crate) bitrate: Option<u32>,
    /// 0 follows the source.
    #[serde(default)]
    pub(crate) channels: u32,
    #[serde(default)]
    pub(crate) rate_control_mode: RateMode,
    /// Hertz.
    pub(crate) sample_rate: Option<u32>,
    /// 0 (best) to 9; with `VBR`.
    pub(crate) vbr_quality: Option<u32>,
}

/// `ac3Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Ac3 {
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    pub(crate) coding_mode: Option<Ac3CodingMode>,
    /// 1 to 31: how far below full scale speech lies, in decibels.
    pub(crate) dialnorm: Option<u32>,
    #[serde(rename = "sampleRate")]
    _sample_rate: Option<Exactly<48_000>>,
    #[serde(rename = "bitstreamMode")]
    _bitstream_mode: Option<CompleteMain>,
    #[serde(rename = "dynamicRangeCompressionLine")]
    _dynamic_range_compression_line: Option<Nothing>,
    #[serde(rename = "dynamicRangeCompressionProfile")]
    _dynamic_range_compression_profile: Option<Nothing>,
    #[serde(rename = "dynamicRangeCompressionRf")]
    _dynamic_range_compression_rf: Option<Nothing>,
    #[serde(rename = "lfeFilter")]
    _lfe_filter: Option<Disabled>,
    #[serde(rename = "metadataControl")]
    _metadata_control: Option<UseConfigured>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Ac3CodingMode {
    #[serde(rename = "CODING_MODE_1_0")]
    Mono,
    #[serde(rename = "CODING_MODE_2_0")]
    Stereo,
    #[serde(rename = "CODING_MODE_3_2_LFE")]
    Surround,
    #[serde(rename = "CODING_MODE_AUTO")]
    Auto,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum CompleteMain {
    CompleteMain,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum UseConfigured {
    UseConfigured,
}

/// `eac3Settings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Eac3 {
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    pub(crate) coding_mode: Option<Eac3CodingMode>,
    /// As with AC-3.
    pub(crate) dialnorm: Option<u32>,
    pub(crate) lfe_control: Option<LfeControl>,
    #[serde(rename = "sampleRate")]
    _sample_rate: Option<Exactly<48_000>>,
    #[serde(rename = "attenuationControl")]
    _attenuation_control: Option<Nothing>,
    #[serde(rename = "bitstreamMode")]
    _bitstream_mode: Option<CompleteMain>,
    #[serde(rename = "dcFilter")]
    _dc_filter: Option<Disabled>,
    #[serde(rename = "dynamicRangeCompressionLine")]
    _dynamic_range_compression_line: Option<Nothing>,
    #[serde(rename = "dynamicRangeCompressionRf")]
    _dynamic_range_compression_rf: Option<Nothing>,
    #[serde(rename = "lfeFilter")]
    _lfe_filter: Option<Disabled>,
    #[serde(rename = "metadataControl")]
    _metadata_control: Option<UseConfigured>,
    #[serde(rename = "passthroughControl")]
    _passthrough_control: Option<NoPassthrough>,
    #[serde(rename = "phaseControl")]
    _phase_control: Option<NoShift>,
    #[serde(rename = "stereoDownmix")]
    _stereo_downmix: Option<NotIndicated>,
    #[serde(rename = "surroundExMode")]
    _surround_ex_mode: Option<NotIndicated>,
    #[serde(rename = "surroundMode")]
    _surround_mode: Option<NotIndicated>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Eac3CodingMode {
    #[serde(rename = "CODING_MODE_1_0")]
    Mono,
    #[serde(rename = "CODING_MODE_2_0")]
    Stereo,
    #[serde(rename = "CODING_MODE_3_2")]
    Surround,
    #[serde(rename = "CODING_MODE_AUTO")]
    Auto,
}

/// Whether there is a channel of low effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LfeControl {
    Lfe,
    NoLfe,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NoShift {
    NoShift,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NotIndicated {
    NotIndicated,
}

/// `opusSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Opus {
    /// Bits per second.
    pub(crate) bitrate: Option<u32>,
    /// 0 follows the source.
    #[serde(default = "two")]
    pub(crate) channels: u32,
    /// Hertz.
    pub(crate) sample_rate: Option<u32>,
}

/// `vorbisSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Vorbis {
    /// 0 follows the source.
    #[serde(default = "two")]
    pub(crate) channels: u32,
    /// Hertz.
    pub(crate) sample_rate: Option<u32>,
    /// -1 to 10 (best).
    pub(crate) vbr_quality: Option<i32>,
}

fn two() -> u32 {
    2
}

/// `aiffSettings` and `flacSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pcm {
    pub(crate) bit_depth: Option<u32>,
    /// 0 follows the source.
    #[serde(default)]
    pub(crate) channels: u32,
    /// Hertz.
    pub(crate) sample_rate: Option<u32>,
}

/// `wavSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wav {
    pub(crate) bit_depth: Option<u32>,
    /// 0 follows the source.
    #[serde(default)]
    pub(crate) channels: u32,
    /// Hertz.
    pub(crate) sample_rate: Option<u32>,
    #[serde(default)]
    pub(crate) format: WavFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum WavFormat {
    #[default]
    #[serde(rename = "RIFF")]
    Riff,
    #[serde(rename = "RF64")]
    Rf64,
}

/// `remixSettings`: which input channels make up each output channel.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Remix {
    pub(crate) channel_mapping: ChannelMapping,
    pub(crate) channels_in: u32,
    pub(crate) channels_out: u32,
}

/// `channelMapping`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChannelMapping {
    pub(crate) output_channels: Vec<OutputChannel>,
}

/// Decibels for each input channel; -60 is silence.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutputChannel {
    #[serde(default)]
    pub(crate) input_channels: Vec<i32>,
    #[serde(default)]
    pub(crate) input_channels_fine_tune: Vec<f64>,
}

impl OutputChannel {
    /// Decibels, whichever list has them.
    pub(crate) fn decibels(&self) -> Vec<f64> {
        if self.input_channels.is_empty() {
            return self.input_channels_fine_tune.clone();
        }
        self.input_channels.iter().map(|db| f64::from(*db)).collect()
    }
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
