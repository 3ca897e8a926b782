//! What sounds must hold together.

use std::ops::RangeInclusive;

use super::{in_range, one_of};
use crate::job::{
    AudioCodec, AudioDescription, AudioSelector, Input, OutputGroupKind, RateMode, Refusal, Remix, SelectorType,
    audio::Pcm,
};

/// AAC bit rates. Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`aacSettings.bitrate`).
const AAC_BITRATE: RangeInclusive<u32> = 6_000..=1_024_000;
/// AAC sample rates that ffmpeg's encoder has too.
const AAC_SAMPLE_RATES: [u32; 9] = [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
/// LKFS that the loudness filter can aim at.
const TARGET_LKFS: RangeInclusive<f64> = -59.0..=-5.0;
/// Channel counts that have a layout of their own in ffmpeg.
const CHANNELS: [u32; 6] = [0, 1, 2, 4, 6, 8];

pub(super) fn validate_selector(path: &str, selector: &AudioSelector) -> Result<(), Refusal> {
    let language = selector.language_code.is_some() || selector.custom_language_code.is_some();
    for (name, present, kind) in [
        ("tracks", !selector.tracks.is_empty(), SelectorType::Track),
        ("pids", !selector.pids.is_empty(), SelectorType::Pid),
        ("streams", !selector.streams.is_empty(), SelectorType::Stream),
        ("languageCode", language, SelectorType::LanguageCode),
    ] {
        if present && kind != selector.selector_type {
            return Err(Refusal::new(format!("{path}/{name}"), "does not apply with this selectorType"));
        }
        if !present && kind == selector.selector_type && kind != SelectorType::Track {
            return Err(Refusal::new(path, format!("{name} is a required property")));
        }
    }
    for (name, numbers) in [("tracks", &selector.tracks), ("streams", &selector.streams)] {
        if numbers.contains(&0) {
            return Err(Refusal::new(format!("{path}/{name}"), "are counted from 1"));
        }
    }
    selector.remix_settings.as_ref().map_or(Ok(()), |remix| validate_remix(&format!("{path}/remixSettings"), remix))
}

fn validate_remix(path: &str, remix: &Remix) -> Result<(), Refusal> {
    one_of(&format!("{path}/channelsOut"), &remix.channels_out, &CHANNELS[1..])?;
    in_range(&format!("{path}/channelsIn"), remix.channels_in, &(1..=64))?;
    let outputs = &remix.channel_mapping.output_channels;
    let path = format!("{path}/channelMapping/outputChannels");
    if outputs.len() != remix.channels_out as usize {
        return Err(Refusal::new(path, "Should have as many items as channelsOut"));
    }
    for (index, output) in outputs.iter().enumerate() {
        let path = format!("{path}/{index}");
        if !output.input_channels.is_empty() && !output.input_channels_fine_tune.is_empty() {
            return Err(Refusal::new(path, "Should have inputChannels or inputChannelsFineTune"));
        }
        let decibels = output.decibels();
        if decibels.len() != remix.channels_in as usize {
            return Err(Refusal::new(path, "Should have as many items as channelsIn"));
        }
        for db in decibels {
            in_range(&path, db, &(-60.0..=6.0))?;
        }
    }
    Ok(())
}

pub(super) fn validate(
    path: &str,
    audio: &AudioDescription,
    kind: OutputGroupKind<'_>,
    inputs: &[Input],
) -> Result<(), Refusal> {
    if let Some(name) = &audio.audio_source_name {
        let known =
            |input: &Input| input.audio_selectors.contains_key(name) || input.audio_selector_groups.contains_key(name);
        if !inputs.iter().any(known) {
            return Err(Refusal::new(format!("{path}/audioSourceName"), "no audio selector has this name"));
        }
    }
    if let Some(remix) = &audio.remix_settings {
        validate_remix(&format!("{path}/remixSettings"), remix)?;
    }
    if let Some(normalization) = &audio.audio_normalization_settings {
        let path = format!("{path}/audioNormalizationSettings");
        if let Some(target) = normalization.target_lkfs {
            in_range(&format!("{path}/targetLkfs"), target, &TARGET_LKFS)?;
        }
        if let Some(threshold) = normalization.true_peak_limiter_threshold {
            in_range(&format!("{path}/truePeakLimiterThreshold"), threshold, &(-8.0..=0.0))?;
        }
    }
    validate_codec(&format!("{path}/codecSettings"), audio, kind)
}

fn validate_codec(path: &str, audio: &AudioDescription, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    let settings = &audio.codec_settings;
    let codec = settings.codec;
    let name = codec.settings_name();
    if let Some((other, _)) = settings.present().find(|(_, of)| *of != codec) {
        return Err(Refusal::new(format!("{path}/{other}"), "does not apply with this codec"));
    }
    if !settings.present().any(|(_, of)| of == codec) {
        return Err(Refusal::new(path, format!("{name} is a required property")));
    }
    let streamed: &[AudioCodec] = match kind {
        OutputGroupKind::Hls(_) => &[AudioCodec::Aac, AudioCodec::Ac3, AudioCodec::Eac3, AudioCodec::Mp3],
        OutputGroupKind::Dash(_) | OutputGroupKind::Cmaf(_) => {
            &[AudioCodec::Aac, AudioCodec::Ac3, AudioCodec::Eac3, AudioCodec::Flac, AudioCodec::Opus]
        }
        OutputGroupKind::File(_) => &[],
    };
    if !streamed.is_empty() && !streamed.contains(&codec) {
        let allowed: Vec<_> = streamed.iter().map(|codec| codec.name()).collect();
        let reason = format!("Should be equal to one of the allowed values here: [{}]", allowed.join(", "));
        return Err(Refusal::new(format!("{path}/codec"), reason));
    }
    let at = |setting: &str| format!("{path}/{name}/{setting}");
    let rates =
        |rate: Option<u32>, allowed: &[u32]| rate.map_or(Ok(()), |rate| one_of(&at("sampleRate"), &rate, allowed));
    if let Some(aac) = &settings.aac_settings {
        match (aac.rate_control_mode, aac.bitrate, aac.vbr_quality) {
            (RateMode::Cbr, None, _) => {
                return Err(Refusal::new(format!("{path}/{name}"), "bitrate is a required property"));
            }
            (RateMode::Cbr, Some(_), Some(_)) => return Err(Refusal::new(at("vbrQuality"), "goes with VBR alone")),
            (RateMode::Cbr, Some(bitrate), None) => in_range(&at("bitrate"), bitrate, &AAC_BITRATE)?,
            (RateMode::Vbr, Some(_), _) => return Err(Refusal::new(at("bitrate"), "goes with CBR alone")),
            (RateMode::Vbr, None, None) => {
                return Err(Refusal::new(format!("{path}/{name}"), "vbrQuality is a required property"));
            }
            (RateMode::Vbr, None, Some(_)) => {}
        }
        one_of(&at("sampleRate"), &aac.sample_rate, &AAC_SAMPLE_RATES)?;
    }
    if let Some(mp2) = &settings.mp2_settings {
        one_of(&at("channels"), &mp2.channels, &[0, 1, 2])?;
        rates(mp2.sample_rate, &[32_000, 44_100, 48_000])?;
        in_range(&at("bitrate"), mp2.bitrate.unwrap_or(192_000), &(32_000..=384_000))?;
    }
    if let Some(mp3) = &settings.mp3_settings {
        one_of(&at("channels"), &mp3.channels, &[0, 1, 2])?;
        rates(mp3.sample_rate, &[22_050, 32_000, 44_100, 48_000])?;
        in_range(&at("bitrate"), mp3.bitrate.unwrap_or(128_000), &(16_000..=320_000))?;
        in_range(&at("vbrQuality"), mp3.vbr_quality.unwrap_or(0), &(0..=9))?;
        match (mp3.rate_control_mode, mp3.bitrate, mp3.vbr_quality) {
            (RateMode::Cbr, _, Some(_)) => return Err(Refusal::new(at("vbrQuality"), "goes with VBR alone")),
            (RateMode::Vbr, Some(_), _) => return Err(Refusal::new(at("bitrate"), "goes with CBR alone")),
            (RateMode::Vbr, None, None) => {
                return Err(Refusal::new(format!("{path}/{name}"), "vbrQuality is a required property"));
            }
            _ => {}
        }
    }
    if let Some(ac3) = &settings.ac3_settings {
        in_range(&at("bitrate"), ac3.bitrate.unwrap_or(192_000), &(64_000..=640_000))?;
        in_range(&at("dialnorm"), ac3.dialnorm.unwrap_or(1), &(1..=31))?;
    }
    if let Some(eac3) = &settings.eac3_settings {
        in_range(&at("bitrate"), eac3.bitrate.unwrap_or(192_000), &(32_000..=3_024_000))?;
        in_range(&at("dialnorm"), eac3.dialnorm.unwrap_or(1), &(1..=31))?;
    }
    if let Some(opus) = &settings.opus_settings {
        one_of(&at("channels"), &opus.channels, &[0, 1, 2])?;
        rates(opus.sample_rate, &[16_000, 24_000, 48_000])?;
        in_range(&at("bitrate"), opus.bitrate.unwrap_or(96_000), &(32_000..=192_000))?;
    }
    if let Some(vorbis) = &settings.vorbis_settings {
        one_of(&at("channels"), &vorbis.channels, &[0, 1, 2])?;
        rates(vorbis.sample_rate, &[22_050, 32_000, 44_100, 48_000])?;
        in_range(&at("vbrQuality"), vorbis.vbr_quality.unwrap_or(0), &(-1..=10))?;
    }
    let depths =
        |bits: Option<u32>, allowed: &[u32]| bits.map_or(Ok(()), |bits| one_of(&at("bitDepth"), &bits, allowed));
    let pcm = |pcm: &Pcm, allowed: &[u32]| {
        one_of(&at("channels"), &pcm.channels, &CHANNELS)?;
        in_range(&at("sampleRate"), pcm.sample_rate.unwrap_or(48_000), &(8_000..=192_000))?;
        depths(pcm.bit_depth, allowed)
    };
    if let Some(flac) = &settings.flac_settings {
        pcm(flac, &[16, 24])?;
    }
    if let Some(aiff) = &settings.aiff_settings {
        pcm(aiff, &[16, 24, 32])?;
    }
    if let Some(wav) = &settings.wav_settings {
        one_of(&at("channels"), &wav.channels, &CHANNELS)?;
        in_range(&at("sampleRate"), wav.sample_rate.unwrap_or(48_000), &(8_000..=192_000))?;
        depths(wav.bit_depth, &[16, 24, 32])?;
    }
    Ok(())
}
