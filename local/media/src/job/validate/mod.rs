//! What settings must hold together, beyond each one's own type.

mod audio;
mod trick_play;
mod video;

use super::{
    CaptionDestinationType, Container, Input, JobSettings, Output, OutputGroup, OutputGroupKind, Refusal,
    TimecodeSource, VideoCodec,
    identifiers::{self, Place},
    input::DefaultSelection,
};

/// Inputs of one job. Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/limits.html>.
const INPUTS_MAX: usize = 150;

/// Checks what serde cannot.
pub(crate) fn validate(settings: &JobSettings) -> Result<(), Refusal> {
    match settings.inputs.len() {
        0 => return Err(Refusal::new("/inputs", "Should have at least 1 items")),
        1..=INPUTS_MAX => {}
        _ => return Err(Refusal::new("/inputs", "Should have at most 150 items")),
    }
    for (index, input) in settings.inputs.iter().enumerate() {
        validate_input(&format!("/inputs/{index}"), input)?;
    }
    let timecode = &settings.timecode_config;
    if timecode.source == TimecodeSource::SpecifiedStart && timecode.start.is_none() {
        return Err(Refusal::new("/timecodeConfig", "start is a required property"));
    }
    if settings.output_groups.is_empty() {
        return Err(Refusal::new("/outputGroups", "Should have at least 1 items"));
    }
    let mut files = Vec::new();
    for (index, group) in settings.output_groups.iter().enumerate() {
        validate_group(&format!("/outputGroups/{index}"), group, settings, &mut files)?;
    }
    Ok(())
}

fn validate_input(path: &str, input: &Input) -> Result<(), Refusal> {
    for (name, selector) in &input.audio_selectors {
        audio::validate_selector(&format!("{path}/audioSelectors/{name}"), selector)?;
    }
    let defaults = input.audio_selectors.values().filter(|s| s.default_selection == Some(DefaultSelection::Default));
    if defaults.count() > 1 {
        return Err(Refusal::new(format!("{path}/audioSelectors"), "only one selector may be the default"));
    }
    for (name, group) in &input.audio_selector_groups {
        let path = format!("{path}/audioSelectorGroups/{name}/audioSelectorNames");
        if group.audio_selector_names.is_empty() {
            return Err(Refusal::new(path, "Should have at least 1 items"));
        }
        if group.audio_selector_names.iter().any(|name| !input.audio_selectors.contains_key(name)) {
            return Err(Refusal::new(path, "no audio selector has this name"));
        }
    }
    for (name, selector) in &input.caption_selectors {
        let path = format!("{path}/captionSelectors/{name}/sourceSettings");
        let source = &selector.source_settings;
        match source.source_type.demuxer() {
            Some(_) if source.file_source_settings.is_none() => {
                return Err(Refusal::new(path, "fileSourceSettings is a required property"));
            }
            Some(_) if source.embedded_source_settings.is_some() => {
                return Err(Refusal::new(format!("{path}/embeddedSourceSettings"), "goes with EMBEDDED alone"));
            }
            None if source.file_source_settings.is_some() => {
                return Err(Refusal::new(format!("{path}/fileSourceSettings"), "does not go with EMBEDDED"));
            }
            _ => {}
        }
    }
    if input.timecode_source == TimecodeSource::SpecifiedStart && input.timecode_start.is_none() {
        return Err(Refusal::new(path, "timecodeStart is a required property"));
    }
    if input.timecode_source != TimecodeSource::SpecifiedStart && input.timecode_start.is_some() {
        return Err(Refusal::new(format!("{path}/timecodeStart"), "goes with SPECIFIEDSTART alone"));
    }
    for (index, clipping) in input.input_clippings.iter().enumerate() {
        if clipping.start_timecode.is_none() && clipping.end_timecode.is_none() {
            let path = format!("{path}/inputClippings/{index}");
            return Err(Refusal::new(path, "Should have a startTimecode or endTimecode"));
        }
    }
    for (name, rectangle) in [("crop", input.crop), ("position", input.position)] {
        video::validate_rectangle(&format!("{path}/{name}"), rectangle)?;
    }
    if let Some(inserter) = &input.image_inserter {
        video::validate_images(&format!("{path}/imageInserter/insertableImages"), &inserter.insertable_images)?;
    }
    Ok(())
}

fn validate_group(
    path: &str,
    group: &OutputGroup,
    settings: &JobSettings,
    files: &mut Vec<String>,
) -> Result<(), Refusal> {
    let settings_path = format!("{path}/outputGroupSettings");
    let kind_of = group.output_group_settings.kind;
    for (present, kind, name) in group.output_group_settings.present() {
        match (present, kind == kind_of) {
            (false, true) => return Err(Refusal::new(settings_path, format!("{name} is a required property"))),
            (true, false) => return Err(does_not_apply(&format!("{settings_path}/{name}"), "type")),
            _ => {}
        }
    }
    let Some(kind) = group.kind() else { return Ok(()) };
    let name = kind_of.settings_name();
    identifiers::check(
        &format!("{settings_path}/{name}/destination"),
        &kind.destination().uri(kind.destination().name()),
        Place::Destination,
    )?;
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
    trick_play::validate(&format!("{settings_path}/{name}"), group, kind)?;
    for (index, output) in group.outputs.iter().enumerate() {
        let path = format!("{path}/outputs/{index}");
        validate_output(&path, output, kind, settings)?;
        let segmented = kind.segment_seconds().is_some();
        if segmented && output.name_modifier.is_empty() {
            return Err(Refusal::new(path, "nameModifier is a required property"));
        }
        let container = output.container_settings.container;
        let base = kind.destination().base_name(&settings.inputs[0].file_input);
        let extension = output.extension.as_deref().unwrap_or_default();
        let file = kind.destination().uri(&format!("{base}{}|{container:?}{extension}", output.name_modifier));
        if files.contains(&file) {
            return Err(Refusal::new(
                format!("{path}/nameModifier"),
                "must be unique among outputs of one destination",
            ));
        }
        files.push(file);
    }
    let captions = group.outputs.iter().filter(|output| !output.caption_descriptions.is_empty()).count();
    if kind.segment_seconds().is_some() && captions == group.outputs.len() {
        return Err(Refusal::new(format!("{path}/outputs"), "captions of a streaming group need media beside them"));
    }
    validate_renditions(path, group, kind)
}

/// A setting that would have no effect.
fn does_not_apply(path: &str, because: &str) -> Refusal {
    Refusal::new(path, format!("does not apply with this {because}"))
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

fn validate_output(
    path: &str,
    output: &Output,
    kind: OutputGroupKind<'_>,
    settings: &JobSettings,
) -> Result<(), Refusal> {
    identifiers::check(&format!("{path}/nameModifier"), &output.name_modifier, Place::NameModifier)?;
    if let Some(hls) = &output.output_settings.hls_settings {
        let path = format!("{path}/outputSettings/hlsSettings");
        if !matches!(kind, OutputGroupKind::Hls(_)) {
            return Err(does_not_apply(&path, "output group"));
        }
        identifiers::check(&format!("{path}/segmentModifier"), &hls.segment_modifier, Place::SegmentModifier)?;
    }
    let container = output.container_settings.container;
    for (name, of) in output.container_settings.present() {
        if of != container {
            return Err(does_not_apply(&format!("{path}/containerSettings/{name}"), "container"));
        }
    }
    if output.has_key_frame_playlist() && output.video_description.is_none() {
        let setting = match kind {
            OutputGroupKind::Hls(_) => "outputSettings/hlsSettings",
            _ => "containerSettings/cmfcSettings",
        };
        return Err(Refusal::new(format!("{path}/{setting}/iFrameOnlyManifest"), "needs a picture"));
    }
    let media = usize::from(output.video_description.is_some()) + output.audio_descriptions.len();
    if !output.caption_descriptions.is_empty() {
        return validate_captions(path, output, kind, settings, media);
    }
    if media == 0 {
        return Err(Refusal::new(path, "Should have a videoDescription or audioDescriptions"));
    }
    let allowed = kind.containers(output);
    if !allowed.contains(&container) {
        let names: Vec<_> = allowed.iter().map(|container| container.name()).collect();
        let path = format!("{path}/containerSettings/container");
        let reason = format!("Should be equal to one of the allowed values for these codecs: [{}]", names.join(", "));
        return Err(Refusal::new(path, reason));
    }
    let apart = matches!(container, Container::Mpd | Container::Cmfc);
    if apart && output.video_description.is_some() && !output.audio_descriptions.is_empty() {
        let reason = "an output of a DASH ISO or CMAF group holds either video or audio";
        return Err(Refusal::new(format!("{path}/audioDescriptions"), reason));
    }
    let streamed = kind.segment_seconds().is_some();
    if streamed && output.audio_descriptions.len() > 1 {
        let reason = "the local home supports one audio per output of a streaming group";
        return Err(Refusal::new(format!("{path}/audioDescriptions"), reason));
    }
    if let Some(extension) = &output.extension
        && (streamed || !extension.chars().all(|c| c.is_ascii_alphanumeric()))
    {
        return Err(Refusal::unsupported(format!("{path}/extension")));
    }
    if let Some(video) = &output.video_description {
        video::validate(&format!("{path}/videoDescription"), video, kind)?;
        if video.codec_settings.codec == VideoCodec::FrameCapture && !output.audio_descriptions.is_empty() {
            return Err(Refusal::new(format!("{path}/audioDescriptions"), "a frame capture output holds no audio"));
        }
    }
    for (index, description) in output.audio_descriptions.iter().enumerate() {
        let path = format!("{path}/audioDescriptions/{index}");
        audio::validate(&path, description, kind, &settings.inputs)?;
    }
    Ok(())
}

/// Captions stand in outputs of their own, one set in each.
fn validate_captions(
    path: &str,
    output: &Output,
    kind: OutputGroupKind<'_>,
    settings: &JobSettings,
    media: usize,
) -> Result<(), Refusal> {
    let at = format!("{path}/captionDescriptions");
    if media > 0 || output.caption_descriptions.len() > 1 {
        let reason = "the local home supports one set of captions in an output, and nothing else in it";
        return Err(Refusal::new(at, reason));
    }
    let expected = match kind {
        OutputGroupKind::Hls(_) => Container::M3u8,
        OutputGroupKind::Dash(_) => Container::Mpd,
        OutputGroupKind::Cmaf(_) => Container::Cmfc,
        OutputGroupKind::File(_) => Container::Raw,
    };
    if output.container_settings.container != expected {
        let path = format!("{path}/containerSettings/container");
        let reason = format!("Should be equal to one of the allowed values: [{}]", expected.name());
        return Err(Refusal::new(path, reason));
    }
    for (index, captions) in output.caption_descriptions.iter().enumerate() {
        let at = format!("{at}/{index}");
        if !settings.inputs.iter().any(|input| input.caption_selectors.contains_key(&captions.caption_selector_name)) {
            return Err(Refusal::new(format!("{at}/captionSelectorName"), "no caption selector has this name"));
        }
        let kind_of = captions.destination_settings.destination_type;
        if kind_of != CaptionDestinationType::WebVtt && !matches!(kind, OutputGroupKind::File(_)) {
            let at = format!("{at}/destinationSettings/destinationType");
            return Err(Refusal::new(at, "Should be equal to one of the allowed values: [WEBVTT]"));
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

fn one_of<T: PartialEq + std::fmt::Debug>(path: &str, value: &T, allowed: &[T]) -> Result<(), Refusal> {
    if allowed.contains(value) {
        return Ok(());
    }
    Err(Refusal::new(path, format!("Should be equal to one of the allowed values: {allowed:?}")))
}
