//! One audio encode: which tracks, their filters, the encoder's options.

use crate::{
    job::{
        AacCodingMode, Ac3CodingMode, AudioCodec, AudioCodecSettings, AudioDescription, AudioNormalization,
        AudioSelector, DurationCorrection, Eac3CodingMode, LanguageCode, LfeControl, NormalizationAlgorithm,
        NormalizationControl, RateMode, Remix, SelectorType, VbrQuality,
    },
    source::{AudioFacts, SourceFacts, Track},
};

use super::{PlanError, PlannedAudio, parts::Part};

/// A distinct encode; outputs that ask for equal ones share it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AudioEncode {
    /// How the sound of each part is read, in the parts' order; `None` where a part has none.
    pub(super) readings: Vec<Option<Reading>>,
    /// What makes silence like the sound.
    pub(super) silence: String,
    /// After the parts are joined.
    pub(super) filters: Vec<String>,
    /// ffmpeg options without the stream specifier: (`b`, `96000`).
    pub(super) options: Vec<(&'static str, String)>,
    pub(super) planned: PlannedAudio,
}

/// How one part's sound is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// ffmpeg's stream indices; several are put side by side.
    pub(super) streams: Vec<usize>,
    /// For each stream.
    pub(super) each: Vec<String>,
    /// What makes each stream like the others where there are several.
    pub(super) alike: Vec<String>,
    /// For all of them together.
    pub(super) then: Vec<String>,
}

impl AudioEncode {
    /// `Ok(None)` when no part has any sound.
    pub(super) fn new(description: &AudioDescription, parts: &[Part<'_>]) -> Result<Option<Self>, PlanError> {
        let mut chosen = Vec::new();
        for part in parts {
            chosen.push(choose(description, part)?);
        }
        let Some(first) = chosen.iter().flatten().next() else { return Ok(None) };
        let source_channels: u32 = first.tracks.iter().map(|(_, facts)| facts.channels).sum();
        let remixed = description.remix_settings.as_ref().or(first.remix).map(|remix| remix.channels_out);
        let coding = Coding::new(&description.codec_settings, remixed.unwrap_or(source_channels));
        let layout = layout(coding.channels);
        let joined = parts.len() > 1;
        let readings = chosen
            .iter()
            .map(|chosen| chosen.as_ref().map(|chosen| chosen.reading(description, layout, &coding, joined)))
            .collect();
        let mut filters: Vec<_> =
            description.audio_normalization_settings.and_then(loudness_filter).into_iter().collect();
        filters.push(format!("aformat=sample_rates={}", coding.sample_rate));
        let language = first.tracks.first().and_then(|(track, _)| track.language.as_deref());
        Ok(Some(Self {
            readings,
            silence: format!("anullsrc=channel_layout={layout}:sample_rate={}", coding.sample_rate),
            filters,
            options: coding.options,
            planned: PlannedAudio {
                codec: description.codec_settings.codec,
                codecs: coding.codecs,
                language: description.language(language),
                name: description.stream_name.clone(),
                bitrate: coding.bitrate,
                sample_rate: coding.sample_rate,
                channels: coding.channels,
                delay_samples: coding.delay_samples,
            },
        }))
    }
}

/// The tracks of a part that a description means.
struct Chosen<'a> {
    tracks: Vec<(&'a Track, &'a AudioFacts)>,
    remix: Option<&'a Remix>,
    offset_ms: i32,
    correction: DurationCorrection,
}

fn choose<'a>(description: &AudioDescription, part: &Part<'a>) -> Result<Option<Chosen<'a>>, PlanError> {
    let available: Vec<_> = part.facts.audio().collect();
    if available.is_empty() {
        return Ok(None);
    }
    let selectors = part.input.selectors(description.audio_source_name.as_deref());
    let mut tracks = Vec::new();
    for selector in &selectors {
        tracks.extend(select(selector, part.facts, &available)?);
    }
    if selectors.is_empty() {
        tracks.extend(available.first().copied());
    }
    let first = selectors.first();
    Ok(Some(Chosen {
        tracks,
        remix: first.and_then(|selector| selector.remix_settings.as_ref()),
        offset_ms: first.map_or(0, |selector| selector.offset),
        correction: first.map(|selector| selector.audio_duration_correction).unwrap_or_default(),
    }))
}

fn select<'a>(
    selector: &AudioSelector,
    facts: &'a SourceFacts,
    available: &[(&'a Track, &'a AudioFacts)],
) -> Result<Vec<(&'a Track, &'a AudioFacts)>, PlanError> {
    let missing = |wanted: String| PlanError::Track { wanted, available: available.len() };
    let nth = |number: &u32| (*number as usize).saturating_sub(1);
    match selector.selector_type {
        SelectorType::Track if selector.tracks.is_empty() => Ok(available.first().copied().into_iter().collect()),
        SelectorType::Track => selector
            .tracks
            .iter()
            .map(|number| available.get(nth(number)).copied().ok_or_else(|| missing(format!("track {number}"))))
            .collect(),
        SelectorType::Pid => selector
            .pids
            .iter()
            .map(|pid| {
                let found = available.iter().find(|(track, _)| track.pid == Some(*pid));
                found.copied().ok_or_else(|| missing(format!("PID {pid}")))
            })
            .collect(),
        SelectorType::Stream => selector
            .streams
            .iter()
            .map(|number| {
                let stream = facts.tracks.get(nth(number)).map(|track| track.stream);
                let found = available.iter().find(|(track, _)| Some(track.stream) == stream);
                found.copied().ok_or_else(|| missing(format!("stream {number}")))
            })
            .collect(),
        SelectorType::LanguageCode => {
            let code = selector.custom_language_code.as_ref().or(selector.language_code.as_ref());
            let LanguageCode(code) = code.ok_or_else(|| missing("no language".to_owned()))?;
            let found = available.iter().find(|(track, _)| track.language.as_deref() == Some(code));
            Ok(vec![found.copied().ok_or_else(|| missing(format!("language {code}")))?])
        }
    }
}

impl Chosen<'_> {
    fn reading(&self, description: &AudioDescription, layout: &str, coding: &Coding, joined: bool) -> Reading {
        // Gaps become silence and the sound begins with the picture, so that both keep the same clock.
        let stretch = match self.correction {
            DurationCorrection::Disabled | DurationCorrection::Auto => 1,
            // Samples per second by which it may be stretched or squeezed.
            DurationCorrection::Frame | DurationCorrection::Force => 1000,
        };
        let each = vec![format!("aresample=async={stretch}:first_pts=0")];
        let mut then = Vec::new();
        match self.offset_ms {
            0 => {}
            late @ 1.. => then.push(format!("adelay=delays={late}:all=1")),
            early => {
                then.push(format!("atrim=start={:.3}", f64::from(early.unsigned_abs()) / 1000.0));
                then.push("asetpts=PTS-STARTPTS".to_owned());
            }
        }
        then.extend(self.remix.map(pan));
        then.extend(description.remix_settings.as_ref().map(pan));
        then.push(format!("aformat=channel_layouts={layout}"));
        if joined {
            then.push(format!("aformat=sample_rates={}", coding.sample_rate));
        }
        let alike = |facts: &AudioFacts| {
            let (rate, channels) = (coding.sample_rate, self::layout(facts.channels));
            format!("aformat=sample_fmts=fltp:sample_rates={rate}:channel_layouts={channels}")
        };
        Reading {
            streams: self.tracks.iter().map(|(track, _)| track.stream).collect(),
            each,
            alike: self.tracks.iter().map(|(_, facts)| alike(facts)).collect(),
            then,
        }
    }
}

/// Decibels to factors; -60 is silence. Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html>
/// (`inputChannels`).
fn pan(remix: &Remix) -> String {
    let outputs: Vec<_> = remix
        .channel_mapping
        .output_channels
        .iter()
        .enumerate()
        .map(|(index, output)| {
            let terms: Vec<_> = output
                .decibels()
                .into_iter()
                .enumerate()
                .filter(|(_, db)| *db > -60.0)
                .map(|(input, db)| format!("{:.4}*c{input}", 10_f64.powf(db / 20.0)))
                .collect();
            let sum = if terms.is_empty() { "0*c0".to_owned() } else { terms.join("+") };
            format!("c{index}={sum}")
        })
        .collect();
    format!("pan={}|{}", layout(remix.channels_out), outputs.join("|"))
}

/// ffmpeg's name for so many channels.
fn layout(channels: u32) -> &'static str {
    match channels {
        1 => "mono",
        3 => "3.0",
        4 => "quad",
        5 => "5.0",
        6 => "5.1",
        7 => "6.1",
        8 => "7.1",
        _ => "stereo",
    }
}

/// What a codec's settings come to.
struct Coding {
    options: Vec<(&'static str, String)>,
    /// Bits per second; of lossless sound, its size without compression.
    bitrate: u32,
    sample_rate: u32,
    channels: u32,
    codecs: &'static str,
    delay_samples: u32,
}

/// Usual, where the settings may leave it out. Source: as above (`opusSettings`, `vorbisSettings`).
const SAMPLE_RATE: u32 = 48_000;

impl Coding {
    fn new(settings: &AudioCodecSettings, source_channels: u32) -> Self {
        // Zero follows the source, up to what the codec can hold.
        let follow = |asked: u32, most: u32| match asked {
            0 if source_channels > most => {
                if most >= 6 {
                    6
                } else {
                    most
                }
            }
            0 => source_channels,
            asked => asked,
        };
        let (sample_rate, channels, bitrate, mut options) = Self::of_codec(settings, follow);
        options.insert(0, ("c", encoder(settings).to_owned()));
        let (codecs, delay_samples) = match settings.codec {
            AudioCodec::Aac => ("mp4a.40.2", 1024),
            AudioCodec::Mp2 => ("mp4a.40.33", 0),
            AudioCodec::Mp3 => ("mp4a.40.34", 1105),
            AudioCodec::Ac3 => ("ac-3", 256),
            AudioCodec::Eac3 => ("ec-3", 256),
            AudioCodec::Opus => ("Opus", 312),
            AudioCodec::Vorbis => ("vorbis", 0),
            AudioCodec::Flac => ("fLaC", 0),
            AudioCodec::Wav | AudioCodec::Aiff => ("lpcm", 0),
        };
        Self { options, bitrate, sample_rate, channels, codecs, delay_samples }
    }

    /// Sample rate, channels, bit rate, and the options after the encoder's name.
    fn of_codec(
        settings: &AudioCodecSettings,
        follow: impl Fn(u32, u32) -> u32,
    ) -> (u32, u32, u32, Vec<(&'static str, String)>) {
        let constant =
            |rate: u32, channels: u32, bitrate: u32| (rate, channels, bitrate, vec![("b", bitrate.to_string())]);
        let pcm = |rate: Option<u32>, channels: u32, bits: Option<u32>| {
            let (rate, channels, bits) = (rate.unwrap_or(SAMPLE_RATE), follow(channels, 8), bits.unwrap_or(16));
            (rate, channels, rate * channels * bits, Vec::new())
        };
        if let Some(aac) = &settings.aac_settings {
            let channels = match aac.coding_mode {
                AacCodingMode::Mono => 1,
                AacCodingMode::Stereo => 2,
                AacCodingMode::Surround => 6,
                AacCodingMode::Auto => follow(0, 6),
            };
            return match (aac.rate_control_mode, aac.vbr_quality) {
                (RateMode::Vbr, Some(quality)) => {
                    // ffmpeg's encoder goes from 0.1 to 2; the rates are what these come to for stereo. Our choice.
                    let (scale, bitrate) = match quality {
                        VbrQuality::Low => ("0.5", 64_000),
                        VbrQuality::MediumLow => ("1", 96_000),
                        VbrQuality::MediumHigh => ("1.5", 128_000),
                        VbrQuality::High => ("2", 192_000),
                    };
                    (aac.sample_rate, channels, bitrate, vec![("q", scale.to_owned())])
                }
                _ => constant(aac.sample_rate, channels, aac.bitrate.unwrap_or_default()),
            };
        }
        if let Some(mp2) = &settings.mp2_settings {
            let rate = mp2.sample_rate.unwrap_or(SAMPLE_RATE);
            return constant(rate, follow(mp2.channels, 2), mp2.bitrate.unwrap_or(192_000));
        }
        if let Some(mp3) = &settings.mp3_settings {
            let (rate, channels) = (mp3.sample_rate.unwrap_or(SAMPLE_RATE), follow(mp3.channels, 2));
            return match mp3.vbr_quality {
                Some(quality) => (rate, channels, 190_000, vec![("q", quality.to_string())]),
                None => constant(rate, channels, mp3.bitrate.unwrap_or(128_000)),
            };
        }
        // Default rates. Source: as above (`ac3Settings.bitrate`, `eac3Settings.bitrate`).
        let dolby = |channels: u32, bitrate: Option<u32>, dialnorm: Option<u32>| {
            let usual = match channels {
                1 => 96_000,
                2 => 192_000,
                _ => 384_000,
            };
            let mut coding = constant(SAMPLE_RATE, channels, bitrate.unwrap_or(usual));
            coding.3.extend(dialnorm.map(|level| ("dialnorm", format!("-{level}"))));
            coding
        };
        if let Some(ac3) = &settings.ac3_settings {
            let channels = match ac3.coding_mode {
                Some(Ac3CodingMode::Mono) => 1,
                Some(Ac3CodingMode::Stereo) => 2,
                Some(Ac3CodingMode::Surround) => 6,
                Some(Ac3CodingMode::Auto) | None => follow(0, 6),
            };
            return dolby(channels, ac3.bitrate, ac3.dialnorm);
        }
        if let Some(eac3) = &settings.eac3_settings {
            let channels = match (eac3.coding_mode, eac3.lfe_control) {
                (Some(Eac3CodingMode::Mono), _) => 1,
                (Some(Eac3CodingMode::Stereo), _) => 2,
                (Some(Eac3CodingMode::Surround), Some(LfeControl::NoLfe)) => 5,
                (Some(Eac3CodingMode::Surround), _) => 6,
                (Some(Eac3CodingMode::Auto) | None, _) => follow(0, 6),
            };
            return dolby(channels, eac3.bitrate, eac3.dialnorm);
        }
        if let Some(opus) = &settings.opus_settings {
            let rate = opus.sample_rate.unwrap_or(SAMPLE_RATE);
            return constant(rate, follow(opus.channels, 2), opus.bitrate.unwrap_or(96_000));
        }
        if let Some(vorbis) = &settings.vorbis_settings {
            let quality = vorbis.vbr_quality.unwrap_or(4);
            let rate = vorbis.sample_rate.unwrap_or(SAMPLE_RATE);
            return (rate, follow(vorbis.channels, 2), 128_000, vec![("q", quality.to_string())]);
        }
        if let Some(wav) = &settings.wav_settings {
            return pcm(wav.sample_rate, wav.channels, wav.bit_depth);
        }
        let plain = settings.aiff_settings.as_ref().or(settings.flac_settings.as_ref());
        let mut coding = match plain {
            Some(plain) => pcm(plain.sample_rate, plain.channels, plain.bit_depth),
            None => pcm(None, 2, None),
        };
        if settings.codec == AudioCodec::Flac {
            let deep = plain.is_some_and(|plain| plain.bit_depth == Some(24));
            coding.3.push(("sample_fmt", if deep { "s32" } else { "s16" }.to_owned()));
        }
        coding
    }
}

/// ffmpeg's encoder, which for plain samples depends on their depth.
fn encoder(settings: &AudioCodecSettings) -> &'static str {
    let wav = settings.wav_settings.as_ref().and_then(|wav| wav.bit_depth);
    let aiff = settings.aiff_settings.as_ref().and_then(|aiff| aiff.bit_depth);
    match (settings.codec, wav, aiff) {
        (AudioCodec::Wav, Some(24), _) => "pcm_s24le",
        (AudioCodec::Wav, Some(32), _) => "pcm_s32le",
        (AudioCodec::Aiff, _, Some(24)) => "pcm_s24be",
        (AudioCodec::Aiff, _, Some(32)) => "pcm_s32be",
        (codec, _, _) => codec.encoder(),
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
