//! One AAC encode: which track, its filters, its rate.

use crate::{
    job::{AacCodingMode, AudioDescription, AudioNormalization, Input, NormalizationAlgorithm, NormalizationControl},
    source::{SourceFacts, Track},
};

use super::{PlanError, PlannedAudio};

/// What ffmpeg's AAC encoder needs to get going: one frame.
const AAC_DELAY_SAMPLES: u32 = 1024;

/// A distinct encode; outputs that ask for equal ones share it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AudioEncode {
    /// ffmpeg's stream index.
    pub(super) stream: usize,
    /// In the order of the chain.
    pub(super) filters: Vec<String>,
    pub(super) planned: PlannedAudio,
}

impl AudioEncode {
    /// `Ok(None)` when the source has no sound at all.
    pub(super) fn new(
        description: &AudioDescription,
        input: &Input,
        facts: &SourceFacts,
    ) -> Result<Option<Self>, PlanError> {
        let Some(track) = track(description, input, facts)? else { return Ok(None) };
        let aac = &description.codec_settings.aac_settings;
        let (layout, channels) = match aac.coding_mode {
            AacCodingMode::Mono => ("mono", 1),
            AacCodingMode::Stereo => ("stereo", 2),
            AacCodingMode::Surround => ("5.1", 6),
        };
        // Gaps become silence and the sound begins with the picture, so that both keep the same clock.
        let mut filters = vec!["aresample=async=1:first_pts=0".to_owned(), format!("aformat=channel_layouts={layout}")];
        filters.extend(description.audio_normalization_settings.and_then(loudness_filter));
        filters.push(format!("aformat=sample_rates={}", aac.sample_rate));
        let bitrate = aac.bitrate.unwrap_or_default();
        let planned = PlannedAudio {
            codecs: "mp4a.40.2",
            language: description.language(track.language.as_deref()),
            name: description.stream_name.clone(),
            bitrate,
            sample_rate: aac.sample_rate,
            channels,
            delay_samples: AAC_DELAY_SAMPLES,
        };
        Ok(Some(Self { stream: track.stream, filters, planned }))
    }
}

fn track<'f>(
    description: &AudioDescription,
    input: &Input,
    facts: &'f SourceFacts,
) -> Result<Option<&'f Track>, PlanError> {
    let selector = match &description.audio_source_name {
        Some(name) => input.audio_selectors.get(name),
        None => input.default_audio_selector(),
    };
    let tracks: Vec<_> = facts.audio().map(|(track, _)| track).collect();
    if tracks.is_empty() {
        return Ok(None);
    }
    let wanted = selector.and_then(|selector| selector.tracks.first().copied()).unwrap_or(1);
    match tracks.get((wanted as usize).saturating_sub(1)) {
        Some(track) => Ok(Some(track)),
        None => Err(PlanError::Track { wanted, available: tracks.len() }),
    }
}

/// One pass of EBU R 128 normalisation, which uses the measure of BS.1770.
fn loudness_filter(settings: AudioNormalization) -> Option<String> {
    if settings.algorithm_control == NormalizationControl::MeasureOnly {
        return None;
    }
    // Source: https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html (`targetLkfs`).
    let usual = if settings.algorithm == Some(NormalizationAlgorithm::Bs1770V1) { -24.0 } else { -23.0 };
    let target = settings.target_lkfs.unwrap_or(usual);
    let peak = settings.true_peak_limiter_threshold.unwrap_or(0.0);
    Some(format!("loudnorm=I={target:.1}:TP={peak:.1}:LRA=11"))
}
