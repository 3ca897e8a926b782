//! What settings must hold together, beyond each one's own type.

use super::{
    Container, FramerateControl, GopUnits, H264, Input, JobSettings, Output, OutputGroup, OutputGroupKind, ParControl,
    RateControl, Refusal, VideoCodec, VideoDescription, group::GroupType, input::DefaultSelection,
};

/// Pixels. Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`width`, `height`).
const SIDE: std::ops::RangeInclusive<u32> = 32..=8192;
/// Levels. Source: as above (`qvbrQualityLevel`).
const QUALITY_LEVEL: std::ops::RangeInclusive<u8> = 1..=10;
/// AAC bit rates. Source: as above (`aacSettings.bitrate`).
const AAC_BITRATE: std::ops::RangeInclusive<u32> = 6_000..=1_024_000;
/// AAC sample rates that ffmpeg's encoder has too.
const AAC_SAMPLE_RATES: [u32; 9] = [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
/// LKFS that the loudness filter can aim at.
const TARGET_LKFS: std::ops::RangeInclusive<f64> = -59.0..=-5.0;

/// Checks what serde cannot.
pub(crate) fn validate(settings: &JobSettings) -> Result<(), Refusal> {
    match settings.inputs.len() {
        0 => return Err(Refusal::new("/inputs", "Should have at least 1 items")),
        1 => {}
        _ => return Err(Refusal::new("/inputs", "the local home supports one input")),
    }
    validate_selectors(&settings.inputs[0])?;
    if settings.output_groups.is_empty() {
        return Err(Refusal::new("/outputGroups", "Should have at least 1 items"));
    }
    let mut files = Vec::new();
    for (index, group) in settings.output_groups.iter().enumerate() {
        validate_group(&format!("/outputGroups/{index}"), group, settings, &mut files)?;
    }
    Ok(())
}

fn validate_selectors(input: &Input) -> Result<(), Refusal> {
    for (name, selector) in &input.audio_selectors {
        if selector.tracks.len() > 1 || selector.tracks.contains(&0) {
            let path = format!("/inputs/0/audioSelectors/{name}/tracks");
            return Err(Refusal::new(path, "the local home supports one track, counted from 1"));
        }
    }
    let defaults = input.audio_selectors.values().filter(|s| s.default_selection == Some(DefaultSelection::Default));
    if defaults.count() > 1 {
        return Err(Refusal::new("/inputs/0/audioSelectors", "only one selector may be the default"));
    }
    Ok(())
}

fn validate_group(
    path: &str,
    group: &OutputGroup,
    settings: &JobSettings,
    files: &mut Vec<String>,
) -> Result<(), Refusal> {
    let name = match group.output_group_settings.kind {
        GroupType::Hls => "hlsGroupSettings",
        GroupType::File => "fileGroupSettings",
        GroupType::Dash => "dashIsoGroupSettings",
        GroupType::Cmaf => "cmafGroupSettings",
    };
    let settings_path = format!("{path}/outputGroupSettings");
    let Some(kind) = group.kind() else {
        return Err(Refusal::new(settings_path, format!("{name} is a required property")));
    };
    no_identifiers(&format!("{settings_path}/{name}/destination"), &kind.destination().uri(""))?;
    let input = &settings.inputs[0];
    let base = kind.destination().base_name(&input.file_input);
    no_identifiers(&format!("{settings_path}/{name}/destination"), base)?;
    if kind.segment_seconds() == Some(0) {
        return Err(Refusal::new(format!("{settings_path}/{name}/segmentLength"), "Should be at least 1"));
    }
    if let Some(fragment) = kind.fragment_seconds()
        && Some(fragment) != kind.segment_seconds()
    {
        let reason = "the local home writes one fragment per segment, so fragmentLength must equal segmentLength";
        return Err(Refusal::new(format!("{settings_path}/{name}/fragmentLength"), reason));
    }
    if group.outputs.is_empty() {
        return Err(Refusal::new(format!("{path}/outputs"), "Should have at least 1 items"));
    }
    for (index, output) in group.outputs.iter().enumerate() {
        let path = format!("{path}/outputs/{index}");
        validate_output(&path, output, kind, input)?;
        let segmented = kind.segment_seconds().is_some();
        if segmented && output.name_modifier.is_empty() {
            return Err(Refusal::new(path, "nameModifier is a required property"));
        }
        let container = output.container_settings.container;
        let file = kind.destination().uri(&format!("{base}{}|{container:?}", output.name_modifier));
        if files.contains(&file) {
            return Err(Refusal::new(
                format!("{path}/nameModifier"),
                "must be unique among outputs of one destination",
            ));
        }
        files.push(file);
    }
    validate_renditions(path, group, kind)
}

/// The audio groups that pictures name must be there.
fn validate_renditions(path: &str, group: &OutputGroup, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    let setting = match kind {
        OutputGroupKind::Hls(_) => "outputSettings/hlsSettings/audioRenditionSets",
        OutputGroupKind::Cmaf(_) => "containerSettings/cmfcSettings/audioRenditionSets",
        OutputGroupKind::Dash(_) | OutputGroupKind::File(_) => return Ok(()),
    };
    let sounds = group.outputs.iter().filter(|output| output.is_audio_only());
    let groups: Vec<_> = sounds.map(|output| output.rendition(kind).audio_group).collect();
    for (index, output) in group.outputs.iter().enumerate() {
        let unknown = output.rendition(kind).audio_sets.into_iter().flatten().find(|set| !groups.contains(set));
        if let Some(set) = unknown {
            let path = format!("{path}/outputs/{index}/{setting}");
            return Err(Refusal::new(path, format!("no output of the group has the audio group ID {set}")));
        }
    }
    Ok(())
}

fn validate_output(path: &str, output: &Output, kind: OutputGroupKind<'_>, input: &Input) -> Result<(), Refusal> {
    no_identifiers(&format!("{path}/nameModifier"), &output.name_modifier)?;
    no_identifiers(
        &format!("{path}/outputSettings/hlsSettings/segmentModifier"),
        &output.output_settings.hls_settings.segment_modifier,
    )?;
    let container = output.container_settings.container;
    let allowed = kind.containers(output);
    if !allowed.contains(&container) {
        let names: Vec<_> = allowed.iter().map(|container| container.name()).collect();
        let path = format!("{path}/containerSettings/container");
        let reason = format!("Should be equal to one of the allowed values: [{}]", names.join(", "));
        return Err(Refusal::new(path, reason));
    }
    if output.video_description.is_none() && output.audio_descriptions.is_empty() {
        return Err(Refusal::new(path, "Should have a videoDescription or audioDescriptions"));
    }
    let apart = matches!(container, Container::Mpd | Container::Cmfc);
    if apart && output.video_description.is_some() && !output.audio_descriptions.is_empty() {
        let reason = "an output of a DASH ISO or CMAF group holds either video or audio";
        return Err(Refusal::new(format!("{path}/audioDescriptions"), reason));
    }
    if output.audio_descriptions.len() > 1 {
        return Err(Refusal::new(format!("{path}/audioDescriptions"), "the local home supports one audio per output"));
    }
    if let Some(extension) = &output.extension
        && !(kind.segment_seconds().is_none() && extension.chars().all(|c| c.is_ascii_alphanumeric()))
    {
        return Err(Refusal::unsupported(format!("{path}/extension")));
    }
    if let Some(video) = &output.video_description {
        validate_video(&format!("{path}/videoDescription"), video, kind)?;
    }
    for (index, audio) in output.audio_descriptions.iter().enumerate() {
        let path = format!("{path}/audioDescriptions/{index}");
        if container == Container::Raw {
            return Err(Refusal::new(path, "a frame capture output holds no audio"));
        }
        if let Some(name) = &audio.audio_source_name
            && !input.audio_selectors.contains_key(name)
        {
            return Err(Refusal::new(format!("{path}/audioSourceName"), "no audio selector has this name"));
        }
        let aac = &audio.codec_settings.aac_settings;
        let aac_path = format!("{path}/codecSettings/aacSettings");
        match aac.bitrate {
            None => return Err(Refusal::new(aac_path, "bitrate is a required property")),
            Some(bitrate) => in_range(&format!("{aac_path}/bitrate"), bitrate, &AAC_BITRATE)?,
        }
        if !AAC_SAMPLE_RATES.contains(&aac.sample_rate) {
            let reason = format!("Should be equal to one of the allowed values: {AAC_SAMPLE_RATES:?}");
            return Err(Refusal::new(format!("{aac_path}/sampleRate"), reason));
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
    }
    Ok(())
}

fn validate_video(path: &str, video: &VideoDescription, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    for (name, side) in [("width", video.width), ("height", video.height)] {
        if let Some(side) = side {
            let path = format!("{path}/{name}");
            in_range(&path, side, &SIDE)?;
            if side % 2 != 0 {
                return Err(Refusal::new(path, "Should be a multiple of 2"));
            }
        }
    }
    for (index, image) in video.images().into_iter().enumerate() {
        let path = format!("{path}/videoPreprocessors/imageInserter/insertableImages/{index}");
        in_range(&format!("{path}/opacity"), image.opacity, &(0..=100))?;
        in_range(&format!("{path}/layer"), image.layer, &(0..=99))?;
        for (name, value) in [("imageX", Some(image.image_x)), ("imageY", Some(image.image_y))] {
            in_range(&format!("{path}/{name}"), value.unwrap_or_default(), &(0..=*SIDE.end()))?;
        }
        for (name, value) in [("width", image.width), ("height", image.height)] {
            in_range(&format!("{path}/{name}"), value.unwrap_or(1), &(1..=*SIDE.end()))?;
        }
    }
    let description = path;
    let path = format!("{path}/codecSettings");
    match video.codec_settings.codec {
        VideoCodec::FrameCapture => {
            if !matches!(kind, OutputGroupKind::File(_)) {
                return Err(Refusal::new(format!("{path}/codec"), "FRAME_CAPTURE belongs to a file group"));
            }
            if !video.images().is_empty() {
                return Err(Refusal::unsupported(format!("{description}/videoPreprocessors")));
            }
            let Some(capture) = &video.codec_settings.frame_capture_settings else {
                return Err(Refusal::new(path, "frameCaptureSettings is a required property"));
            };
            let path = format!("{path}/frameCaptureSettings");
            in_range(&format!("{path}/framerateNumerator"), capture.framerate_numerator, &(1..=u32::MAX))?;
            in_range(&format!("{path}/framerateDenominator"), capture.framerate_denominator, &(1..=u32::MAX))?;
            in_range(&format!("{path}/maxCaptures"), capture.max_captures, &(1..=10_000_000))?;
            in_range(&format!("{path}/quality"), capture.quality, &(1..=100))
        }
        VideoCodec::H264 => {
            let Some(h264) = &video.codec_settings.h264_settings else {
                return Err(Refusal::new(path, "h264Settings is a required property"));
            };
            validate_h264(&format!("{path}/h264Settings"), h264, kind)
        }
    }
}

fn validate_h264(path: &str, h264: &H264, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    let required = |name: &str| Err(Refusal::new(path, format!("{name} is a required property")));
    match h264.rate_control_mode {
        RateControl::Qvbr if h264.max_bitrate.is_none() => return required("maxBitrate"),
        RateControl::Vbr | RateControl::Cbr if h264.bitrate.is_none() => return required("bitrate"),
        _ => {}
    }
    if let Some(level) = h264.qvbr_settings.and_then(|qvbr| qvbr.qvbr_quality_level) {
        in_range(&format!("{path}/qvbrSettings/qvbrQualityLevel"), level, &QUALITY_LEVEL)?;
    }
    if let Some(tune) = h264.qvbr_settings.and_then(|qvbr| qvbr.qvbr_quality_level_fine_tune) {
        in_range(&format!("{path}/qvbrSettings/qvbrQualityLevelFineTune"), tune, &(0.0..=0.99))?;
    }
    for (name, rate) in [("maxBitrate", h264.max_bitrate), ("bitrate", h264.bitrate)] {
        in_range(&format!("{path}/{name}"), rate.unwrap_or(1000), &(1000..=1_152_000_000))?;
    }
    in_range(&format!("{path}/numberBFramesBetweenReferenceFrames"), h264.b_frames.unwrap_or(0), &(0..=7))?;
    in_range(&format!("{path}/numberReferenceFrames"), h264.number_reference_frames.unwrap_or(1), &(1..=6))?;
    in_range(&format!("{path}/slices"), h264.slices.unwrap_or(1), &(1..=32))?;
    if h264.gop_closed_cadence == Some(0) {
        return Err(Refusal::new(format!("{path}/gopClosedCadence"), "the local home makes closed GOPs only"));
    }
    if h264.framerate_control == FramerateControl::Specified {
        for (name, value) in
            [("framerateNumerator", h264.framerate_numerator), ("framerateDenominator", h264.framerate_denominator)]
        {
            match value {
                None => return required(name),
                Some(value) => in_range(&format!("{path}/{name}"), value, &(1..=1_000_000))?,
            }
        }
    }
    if h264.par_control == ParControl::Specified {
        for (name, value) in [("parNumerator", h264.par_numerator), ("parDenominator", h264.par_denominator)] {
            match value {
                None => return required(name),
                Some(value) => in_range(&format!("{path}/{name}"), value, &(1..=1_000_000))?,
            }
        }
    }
    validate_gop(path, h264, kind)
}

/// Segments begin at key frames, so a GOP of a given length must divide the segment, or segments would run over.
fn validate_gop(path: &str, h264: &H264, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    if h264.gop_size_units == GopUnits::Auto {
        return Ok(());
    }
    let Some(size) = h264.gop_size else {
        return Err(Refusal::new(path, "gopSize is a required property"));
    };
    if !(size.is_finite() && size > 0.0 && size <= 100_000.0) {
        return Err(Refusal::new(format!("{path}/gopSize"), "Should be more than 0"));
    }
    if let (true, GopUnits::Seconds, Some(segment)) =
        (kind.exact_segments(), h264.gop_size_units, kind.segment_seconds())
    {
        let gops = f64::from(segment) / size;
        if (gops - gops.round()).abs() > 1e-6 || gops.round() < 1.0 {
            let reason = "must divide segmentLength, or segmentLengthControl must be GOP_MULTIPLE, in the local home";
            return Err(Refusal::new(format!("{path}/gopSize"), reason));
        }
    }
    Ok(())
}

/// MediaConvert replaces `$dt$` and the like in names. The home does not yet.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/using-variables-in-your-job-settings.html>.
fn no_identifiers(path: &str, name: &str) -> Result<(), Refusal> {
    let mut parts = name.split('$').skip(1).peekable();
    while let Some(part) = parts.next() {
        let closed = parts.peek().is_some();
        let identifier = part.split(':').next().unwrap_or_default();
        if closed && !identifier.is_empty() && identifier.chars().all(|c| c.is_ascii_lowercase()) {
            return Err(Refusal::new(path, "the local home does not support format identifiers"));
        }
    }
    Ok(())
}

fn in_range<T: PartialOrd + std::fmt::Display + Copy>(
    path: &str,
    value: T,
    range: &std::ops::RangeInclusive<T>,
) -> Result<(), Refusal> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Refusal::new(path, format!("Should be between {} and {}", range.start(), range.end())))
}
