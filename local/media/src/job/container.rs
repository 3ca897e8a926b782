//! Containers and what can be set about each.

use serde::Deserialize;

use super::neutral::{Disabled, Exactly, Excluded, Included, Nothing};

/// `containerSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContainerSettings {
    pub(crate) container: Container,
    m3u8_settings: Option<M3u8Settings>,
    pub(crate) mp4_settings: Option<Mp4Settings>,
    mov_settings: Option<MovSettings>,
    m2ts_settings: Option<M2tsSettings>,
    mpd_settings: Option<MpdSettings>,
    pub(crate) cmfc_settings: Option<CmfcSettings>,
}

impl ContainerSettings {
    /// The names of all settings that are there, with the container each belongs to.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static str, Container)> {
        [
            (self.m3u8_settings.is_some(), "m3u8Settings", Container::M3u8),
            (self.mp4_settings.is_some(), "mp4Settings", Container::Mp4),
            (self.mov_settings.is_some(), "movSettings", Container::Mov),
            (self.m2ts_settings.is_some(), "m2tsSettings", Container::M2ts),
            (self.mpd_settings.is_some(), "mpdSettings", Container::Mpd),
            (self.cmfc_settings.is_some(), "cmfcSettings", Container::Cmfc),
        ]
        .into_iter()
        .filter_map(|(present, name, container)| present.then_some((name, container)))
    }
}

/// The containers the home has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Container {
    /// MPEG-TS segments of an HLS group.
    #[serde(rename = "M3U8")]
    M3u8,
    /// Fragmented MP4 of a CMAF group.
    Cmfc,
    /// Fragmented MP4 of a DASH ISO group.
    Mpd,
    #[serde(rename = "MP4")]
    Mp4,
    Mov,
    #[serde(rename = "M2TS")]
    M2ts,
    Webm,
    /// None: a picture, or one elementary stream.
    Raw,
}

impl Container {
    /// MediaConvert's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::M3u8 => "M3U8",
            Self::Cmfc => "CMFC",
            Self::Mpd => "MPD",
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::M2ts => "M2TS",
            Self::Webm => "WEBM",
            Self::Raw => "RAW",
        }
    }
}

/// `m3u8Settings`: MPEG-TS as ffmpeg muxes it; PIDs cannot be chosen.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct M3u8Settings {
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "nielsenId3")]
    _nielsen_id3: Option<Nothing>,
    #[serde(rename = "scte35Source")]
    _scte35_source: Option<Nothing>,
    #[serde(rename = "timedMetadata")]
    _timed_metadata: Option<Nothing>,
    #[serde(rename = "pcrControl")]
    _pcr_control: Option<PcrControl>,
    #[serde(rename = "programNumber")]
    _program_number: Option<Exactly<1>>,
    #[serde(rename = "patInterval")]
    _pat_interval: Option<Exactly<0>>,
    #[serde(rename = "pmtInterval")]
    _pmt_interval: Option<Exactly<0>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PcrControl {
    PcrEveryPesPacket,
}

/// Sound ends where its codec's last frame ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum CodecDuration {
    #[default]
    DefaultCodecDuration,
}

/// `mp4Settings`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Mp4Settings {
    #[serde(default)]
    pub(crate) moov_placement: MoovPlacement,
    // ffmpeg writes no `cslg` box.
    #[serde(rename = "cslgAtom")]
    _cslg_atom: Option<Excluded>,
    #[serde(rename = "cttsVersion")]
    _ctts_version: Option<Exactly<0>>,
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "freeSpaceBox")]
    _free_space_box: Option<Excluded>,
    #[serde(rename = "c2paManifest")]
    _c2pa_manifest: Option<Excluded>,
}

/// `movSettings`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MovSettings {
    #[serde(rename = "cslgAtom")]
    _cslg_atom: Option<Excluded>,
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "clapAtom")]
    _clap_atom: Option<Excluded>,
    #[serde(rename = "paddingControl")]
    _padding_control: Option<Nothing>,
    #[serde(rename = "reference")]
    _reference: Option<SelfContained>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SelfContained {
    SelfContained,
}

/// Where an MP4's index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum MoovPlacement {
    /// In front.
    #[default]
    ProgressiveDownload,
    /// At the end.
    Normal,
}

/// `m2tsSettings`: MPEG-TS as ffmpeg muxes it; PIDs, tables and buffers cannot be chosen.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct M2tsSettings {
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "bitrate")]
    _bitrate: Option<Exactly<0>>,
    #[serde(rename = "rateMode")]
    _rate_mode: Option<VariableRate>,
    #[serde(rename = "klvMetadata")]
    _klv_metadata: Option<Nothing>,
    #[serde(rename = "nielsenId3")]
    _nielsen_id3: Option<Nothing>,
    #[serde(rename = "scte35Source")]
    _scte35_source: Option<Nothing>,
    #[serde(rename = "segmentationMarkers")]
    _segmentation_markers: Option<Nothing>,
    #[serde(rename = "pcrControl")]
    _pcr_control: Option<PcrControl>,
    #[serde(rename = "programNumber")]
    _program_number: Option<Exactly<1>>,
    #[serde(rename = "transportStreamId")]
    _transport_stream_id: Option<Exactly<1>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum VariableRate {
    Vbr,
}

/// `mpdSettings`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MpdSettings {
    #[serde(rename = "captionContainerType")]
    _caption_container_type: Option<Raw>,
    #[serde(rename = "c2paManifest")]
    _c2pa_manifest: Option<Excluded>,
    #[serde(rename = "klvMetadata")]
    _klv_metadata: Option<Nothing>,
    #[serde(rename = "manifestMetadataSignaling")]
    _manifest_metadata_signaling: Option<Disabled>,
    #[serde(rename = "scte35Esam")]
    _scte35_esam: Option<Nothing>,
    #[serde(rename = "scte35Source")]
    _scte35_source: Option<Nothing>,
    #[serde(rename = "timedMetadata")]
    _timed_metadata: Option<Nothing>,
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "accessibilityCaptionHints")]
    _accessibility_caption_hints: Option<Included>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Raw {
    Raw,
}

/// `cmfcSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CmfcSettings {
    pub(crate) audio_group_id: Option<String>,
    pub(crate) audio_rendition_sets: Option<String>,
    pub(crate) audio_track_type: Option<AudioTrackType>,
    #[serde(default)]
    pub(crate) descriptive_video_service_flag: DescriptiveVideo,
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "c2paManifest")]
    _c2pa_manifest: Option<Excluded>,
    #[serde(default)]
    pub(crate) i_frame_only_manifest: KeyFramePlaylist,
    #[serde(rename = "klvMetadata")]
    _klv_metadata: Option<Nothing>,
    #[serde(rename = "manifestMetadataSignaling")]
    _manifest_metadata_signaling: Option<Disabled>,
    #[serde(rename = "scte35Esam")]
    _scte35_esam: Option<Nothing>,
    #[serde(rename = "scte35Source")]
    _scte35_source: Option<Nothing>,
    #[serde(rename = "timedMetadata")]
    _timed_metadata: Option<Nothing>,
}

/// Whether a picture has, beside its playlist, one of its key frames alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum KeyFramePlaylist {
    Include,
    #[default]
    Exclude,
}

/// How a player comes to a track of sound alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum AudioTrackType {
    /// It plays this one beside the picture unless told otherwise.
    #[serde(rename = "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT")]
    Default,
    /// It may choose this one by the viewer's language.
    #[serde(rename = "ALTERNATE_AUDIO_AUTO_SELECT")]
    AutoSelect,
    /// Only the viewer chooses this one.
    #[serde(rename = "ALTERNATE_AUDIO_NOT_AUTO_SELECT")]
    NotAutoSelect,
    /// It plays this one instead of the picture.
    #[serde(rename = "AUDIO_ONLY_VARIANT_STREAM")]
    Variant,
}

/// Whether a track describes the pictures to those who cannot see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DescriptiveVideo {
    Flag,
    #[default]
    DontFlag,
}
