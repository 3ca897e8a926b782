//! What a job needs of the local ffmpeg.

use crate::source::Capabilities;

use super::{AudioCodec, ColorSpaceConversion, JobSettings, Refusal};

/// Refuses what the local ffmpeg was built without, by the path of the setting and the name of what is missing.
pub(crate) fn check_tools(settings: &JobSettings, tools: &Capabilities) -> Result<(), Refusal> {
    for (group_index, group) in settings.output_groups.iter().enumerate() {
        for (index, output) in group.outputs.iter().enumerate() {
            let path = format!("/outputGroups/{group_index}/outputs/{index}");
            if let Some(video) = &output.video_description {
                let codec = video.codec_settings.codec;
                let at = format!("{path}/videoDescription/codecSettings/codec");
                needs(tools.has_encoder(codec.encoder()), &at, "encoder", codec.encoder())?;
                if video
                    .video_preprocessors
                    .color_corrector
                    .is_some_and(|color| color.color_space_conversion == ColorSpaceConversion::Rec709)
                {
                    let at = format!("{path}/videoDescription/videoPreprocessors/colorCorrector/colorSpaceConversion");
                    for filter in ["zscale", "tonemap"] {
                        needs(tools.has_filter(filter), &at, "filter", filter)?;
                    }
                }
            }
            for (number, audio) in output.audio_descriptions.iter().enumerate() {
                let codec: AudioCodec = audio.codec_settings.codec;
                let at = format!("{path}/audioDescriptions/{number}/codecSettings/codec");
                needs(tools.has_encoder(codec.encoder()), &at, "encoder", codec.encoder())?;
            }
        }
    }
    Ok(())
}

fn needs(there: bool, path: &str, kind: &str, name: &str) -> Result<(), Refusal> {
    if there {
        return Ok(());
    }
    Err(Refusal::new(path, format!("is not supported by the local home: its ffmpeg has no {kind} {name}")))
}
