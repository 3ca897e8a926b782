//! One output: what is in it, and the settings of it that its group's packaging reads.

use serde::Deserialize;

use super::{
    AudioCodec, AudioDescription, AudioTrackType, CaptionDescription, ContainerSettings, DescriptiveVideo,
    KeyFramePlaylist, OutputGroupKind, VideoDescription,
};

/// The group that alternative sounds are in unless they say otherwise.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/alternate-audio.html>.
const AUDIO_GROUP: &str = "program_audio";

/// One output.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Output {
    /// What is added to the group's base name.
    #[serde(default)]
    pub(crate) name_modifier: String,
    pub(crate) container_settings: ContainerSettings,
    /// None means: no picture in this output.
    pub(crate) video_description: Option<VideoDescription>,
    /// Empty means: no sound in this output.
    #[serde(default)]
    pub(crate) audio_descriptions: Vec<AudioDescription>,
    /// Settings that depend on the group's packaging.
    #[serde(default)]
    pub(crate) output_settings: OutputSettings,
    /// The file's extension, without the dot, for file groups.
    pub(crate) extension: Option<String>,
    /// Captions beside the media: an output holds either them or media.
    #[serde(default)]
    pub(crate) caption_descriptions: Vec<CaptionDescription>,
}

impl Output {
    /// How this output stands among the others of its group, as its HLS or CMAF settings say.
    pub(crate) fn rendition(&self, kind: OutputGroupKind<'_>) -> Rendition<'_> {
        let (group, sets, track_type, descriptive) = match kind {
            OutputGroupKind::Cmaf(_) => {
                let Some(cmfc) = &self.container_settings.cmfc_settings else { return Rendition::default() };
                (
                    &cmfc.audio_group_id,
                    &cmfc.audio_rendition_sets,
                    cmfc.audio_track_type,
                    cmfc.descriptive_video_service_flag,
                )
            }
            _ => {
                let Some(hls) = &self.output_settings.hls_settings else { return Rendition::default() };
                (
                    &hls.audio_group_id,
                    &hls.audio_rendition_sets,
                    hls.audio_track_type,
                    hls.descriptive_video_service_flag,
                )
            }
        };
        Rendition {
            audio_group: group.as_deref().filter(|group| !group.is_empty()).unwrap_or(AUDIO_GROUP),
            audio_sets: sets
                .as_deref()
                .map(|sets| sets.split(',').map(str::trim).filter(|set| !set.is_empty()).collect()),
            track_type,
            descriptive: descriptive == DescriptiveVideo::Flag,
        }
    }

    /// Whether it is, in an HLS group, sound in no container.
    pub(crate) fn is_packed_audio(&self) -> bool {
        let container = self.output_settings.hls_settings.as_ref().map(|hls| hls.audio_only_container);
        self.is_audio_only() && container.unwrap_or_default() == AudioOnlyContainer::Automatic
    }

    /// What is added to the names of segments.
    pub(crate) fn segment_modifier(&self) -> &str {
        self.output_settings.hls_settings.as_ref().map_or("", |hls| &hls.segment_modifier)
    }

    /// How its sound is packed, if it is.
    pub(crate) fn packed_audio(&self) -> Packed {
        let packed = |muxer, extension, content_type| Packed { muxer, extension, content_type };
        match self.audio_descriptions.first().map(|audio| audio.codec_settings.codec) {
            Some(AudioCodec::Ac3) => packed("ac3", ".ac3", "audio/ac3"),
            Some(AudioCodec::Eac3) => packed("eac3", ".ec3", "audio/eac3"),
            Some(AudioCodec::Mp3) => packed("mp3", ".mp3", "audio/mpeg"),
            _ => packed("adts", ".aac", "audio/aac"),
        }
    }

    /// Whether it has a playlist of its key frames.
    pub(crate) fn has_key_frame_playlist(&self) -> bool {
        let hls = self.output_settings.hls_settings.as_ref().map(|hls| hls.i_frame_only_manifest);
        let cmaf = self.container_settings.cmfc_settings.as_ref().map(|cmfc| cmfc.i_frame_only_manifest);
        hls.or(cmaf) == Some(KeyFramePlaylist::Include)
    }

    /// Whether it goes with pictures that are in another output.
    pub(crate) fn is_beside_pictures(&self) -> bool {
        self.is_audio_only() || !self.caption_descriptions.is_empty()
    }

    /// Whether it is sound alone.
    pub(crate) fn is_audio_only(&self) -> bool {
        self.video_description.is_none() && !self.audio_descriptions.is_empty()
    }
}

/// Sound in no container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// ffmpeg's.
    pub(crate) muxer: &'static str,
    /// With the dot.
    pub(crate) extension: &'static str,
    pub(crate) content_type: &'static str,
}

/// An output's place in a master playlist.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rendition<'a> {
    /// The group of alternative sounds it belongs to, if it is one.
    pub(crate) audio_group: &'a str,
    /// The groups of sounds that go with it, if it is a picture; `None` means every group there is.
    pub(crate) audio_sets: Option<Vec<&'a str>>,
    /// How players choose it, if it is a sound.
    pub(crate) track_type: Option<AudioTrackType>,
    /// Whether it describes the pictures.
    pub(crate) descriptive: bool,
}

impl Default for Rendition<'_> {
    fn default() -> Self {
        Self { audio_group: AUDIO_GROUP, audio_sets: None, track_type: None, descriptive: false }
    }
}

/// `outputSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutputSettings {
    pub(crate) hls_settings: Option<HlsOutput>,
}

/// `hlsSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HlsOutput {
    /// What is added to the names of segments.
    #[serde(default)]
    pub(crate) segment_modifier: String,
    #[serde(default)]
    pub(crate) audio_only_container: AudioOnlyContainer,
    pub(crate) audio_group_id: Option<String>,
    pub(crate) audio_rendition_sets: Option<String>,
    pub(crate) audio_track_type: Option<AudioTrackType>,
    #[serde(default)]
    pub(crate) descriptive_video_service_flag: DescriptiveVideo,
    #[serde(default)]
    pub(crate) i_frame_only_manifest: KeyFramePlaylist,
}

/// What holds an HLS output of sound alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum AudioOnlyContainer {
    /// Nothing: packed audio.
    #[default]
    #[serde(rename = "AUTOMATIC")]
    Automatic,
    /// MPEG-TS.
    #[serde(rename = "M2TS")]
    TransportStream,
}
