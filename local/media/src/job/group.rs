//! Output groups: how a set of outputs is packaged, where it goes, and what its files are called.

use serde::Deserialize;

use super::{
    AudioDescription, Destination, VideoCodec, VideoDescription,
    neutral::{Disabled, Enabled, Exactly, Excluded, NoItems, Nothing, Segmented},
};

/// One group of outputs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutputGroup {
    /// A label for people.
    #[serde(rename = "name")]
    _name: Option<String>,
    /// Another.
    #[serde(rename = "customName")]
    _custom_name: Option<String>,
    /// The packaging.
    pub(crate) output_group_settings: OutputGroupSettings,
    /// At least one.
    pub(crate) outputs: Vec<Output>,
}

impl OutputGroup {
    /// The packaging's settings, by its type. Validation has made sure that they are there.
    pub(crate) fn kind(&self) -> Option<OutputGroupKind<'_>> {
        let settings = &self.output_group_settings;
        match settings.kind {
            GroupType::Hls => settings.hls_group_settings.as_ref().map(OutputGroupKind::Hls),
            GroupType::File => settings.file_group_settings.as_ref().map(OutputGroupKind::File),
            GroupType::Dash => settings.dash_iso_group_settings.as_ref().map(OutputGroupKind::Dash),
        }
    }
}

/// A packaging and its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OutputGroupKind<'a> {
    Hls(&'a HlsGroup),
    File(&'a FileGroup),
    Dash(&'a DashGroup),
}

impl OutputGroupKind<'_> {
    pub(crate) fn destination(&self) -> &Destination {
        match self {
            Self::Hls(group) => &group.destination,
            Self::File(group) => &group.destination,
            Self::Dash(group) => &group.destination,
        }
    }

    /// Seconds; `None` when the group is not cut into segments.
    pub(crate) fn segment_seconds(&self) -> Option<u32> {
        match self {
            Self::Hls(group) => Some(group.segment_length),
            Self::Dash(group) => Some(group.segment_length),
            Self::File(_) => None,
        }
    }

    /// The container its outputs must have.
    pub(crate) fn container(&self, output: &Output) -> Container {
        let capture =
            output.video_description.as_ref().is_some_and(|v| v.codec_settings.codec == VideoCodec::FrameCapture);
        match self {
            Self::Hls(_) => Container::M3u8,
            Self::Dash(_) => Container::Mpd,
            Self::File(_) if capture => Container::Raw,
            Self::File(_) => Container::Mp4,
        }
    }
}

/// `outputGroupSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutputGroupSettings {
    #[serde(rename = "type")]
    pub(crate) kind: GroupType,
    pub(crate) hls_group_settings: Option<HlsGroup>,
    pub(crate) file_group_settings: Option<FileGroup>,
    pub(crate) dash_iso_group_settings: Option<DashGroup>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum GroupType {
    #[serde(rename = "HLS_GROUP_SETTINGS")]
    Hls,
    #[serde(rename = "FILE_GROUP_SETTINGS")]
    File,
    #[serde(rename = "DASH_ISO_GROUP_SETTINGS")]
    Dash,
}

/// `hlsGroupSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HlsGroup {
    pub(crate) destination: Destination,
    /// Whole seconds.
    #[serde(default = "hls_segment_length")]
    pub(crate) segment_length: u32,
    #[serde(default)]
    pub(crate) segment_length_control: SegmentLengthControl,
    #[serde(default)]
    pub(crate) manifest_duration_format: DurationFormat,
    #[serde(default)]
    pub(crate) codec_specification: CodecSpecification,
    #[serde(default)]
    pub(crate) stream_inf_resolution: StreamInfResolution,
    #[serde(default)]
    pub(crate) target_duration_compatibility_mode: TargetDurationMode,
    #[serde(default)]
    pub(crate) output_selection: HlsOutputSelection,
    #[serde(rename = "minSegmentLength")]
    _min_segment_length: Option<Exactly<0>>,
    #[serde(rename = "minFinalSegmentLength")]
    _min_final_segment_length: Option<Exactly<0>>,
    #[serde(rename = "segmentControl")]
    _segment_control: Option<Segmented>,
    #[serde(rename = "directoryStructure")]
    _directory_structure: Option<SingleDirectory>,
    #[serde(rename = "manifestCompression")]
    _manifest_compression: Option<Nothing>,
    #[serde(rename = "clientCache")]
    _client_cache: Option<Enabled>,
    #[serde(rename = "programDateTime")]
    _program_date_time: Option<Excluded>,
    #[serde(rename = "programDateTimePeriod")]
    _program_date_time_period: Option<u32>,
    #[serde(rename = "progressiveWriteHlsManifest")]
    _progressive_write_hls_manifest: Option<Disabled>,
    #[serde(rename = "timedMetadataId3Frame")]
    _timed_metadata_id3_frame: Option<Nothing>,
    #[serde(rename = "timedMetadataId3Period")]
    _timed_metadata_id3_period: Option<u32>,
    #[serde(rename = "timestampDeltaMilliseconds")]
    _timestamp_delta_milliseconds: Option<Exactly<0>>,
    #[serde(rename = "imageBasedTrickPlay")]
    _image_based_trick_play: Option<Nothing>,
    #[serde(rename = "captionLanguageSetting")]
    _caption_language_setting: Option<Omit>,
    #[serde(rename = "adMarkers")]
    _ad_markers: Option<NoItems>,
    #[serde(rename = "additionalManifests")]
    _additional_manifests: Option<NoItems>,
    #[serde(rename = "captionLanguageMappings")]
    _caption_language_mappings: Option<NoItems>,
    #[serde(rename = "segmentsPerSubdirectory")]
    _segments_per_subdirectory: Option<u32>,
}

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (HLS `segmentLength`).
fn hls_segment_length() -> u32 {
    10
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SingleDirectory {
    SingleDirectory,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Omit {
    Omit,
}

/// Whether segments have the exact length or end with the next GOP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SegmentLengthControl {
    #[default]
    Exact,
    GopMultiple,
}

/// How `EXTINF` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DurationFormat {
    #[default]
    FloatingPoint,
    Integer,
}

/// How H.264 is named in `CODECS`: `avc1.77.30` (RFC 4281) or `avc1.4d401e` (RFC 6381).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum CodecSpecification {
    #[default]
    #[serde(rename = "RFC_4281")]
    Rfc4281,
    #[serde(rename = "RFC_6381")]
    Rfc6381,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StreamInfResolution {
    #[default]
    Include,
    Exclude,
}

/// How `EXT-X-TARGETDURATION` is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TargetDurationMode {
    /// Up.
    #[default]
    Legacy,
    /// To the nearest.
    SpecCompliant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum HlsOutputSelection {
    #[default]
    ManifestsAndSegments,
    SegmentsOnly,
}

/// `fileGroupSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FileGroup {
    pub(crate) destination: Destination,
}

/// `dashIsoGroupSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DashGroup {
    pub(crate) destination: Destination,
    /// Whole seconds.
    #[serde(default = "dash_segment_length")]
    pub(crate) segment_length: u32,
    #[serde(default)]
    pub(crate) segment_length_control: SegmentLengthControl,
    /// Whole seconds; must equal the segment length, since the home writes one fragment a segment.
    #[serde(default = "dash_fragment_length")]
    pub(crate) fragment_length: u32,
    /// Milliseconds; `@minBufferTime`.
    pub(crate) min_buffer_time: Option<u32>,
    #[serde(default)]
    pub(crate) mpd_manifest_bandwidth_type: BandwidthType,
    #[serde(default)]
    pub(crate) video_composition_offsets: CompositionOffsets,
    #[serde(rename = "minFinalSegmentLength")]
    _min_final_segment_length: Option<Exactly<0>>,
    #[serde(rename = "segmentControl")]
    _segment_control: Option<Segmented>,
    #[serde(rename = "hbbtvCompliance")]
    _hbbtv_compliance: Option<Nothing>,
    #[serde(rename = "mpdProfile")]
    _mpd_profile: Option<MainProfile>,
    #[serde(rename = "imageBasedTrickPlay")]
    _image_based_trick_play: Option<Nothing>,
    #[serde(rename = "ptsOffsetHandlingForBFrames")]
    _pts_offset_handling_for_b_frames: Option<ZeroBasedPts>,
    // Both values are satisfied: every Representation carries its exact SegmentTimeline.
    #[serde(rename = "writeSegmentTimelineInRepresentation")]
    _write_segment_timeline_in_representation: Option<super::Toggle>,
    #[serde(rename = "dashManifestStyle")]
    _dash_manifest_style: Option<Basic>,
    #[serde(rename = "audioChannelConfigSchemeIdUri")]
    _audio_channel_config_scheme_id_uri: Option<MpegChannelConfiguration>,
    #[serde(rename = "additionalManifests")]
    _additional_manifests: Option<NoItems>,
}

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (DASH `segmentLength`).
fn dash_segment_length() -> u32 {
    30
}

/// Source: as above (DASH `fragmentLength`).
fn dash_fragment_length() -> u32 {
    2
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum MainProfile {
    MainProfile,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ZeroBasedPts {
    ZeroBased,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Basic {
    Basic,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum MpegChannelConfiguration {
    MpegChannelConfiguration,
}

/// What `@bandwidth` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum BandwidthType {
    #[default]
    Average,
    Max,
}

/// Whether composition offsets may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CompositionOffsets {
    #[default]
    Unsigned,
    Signed,
}

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
    #[serde(rename = "captionDescriptions")]
    _caption_descriptions: Option<NoItems>,
}

/// `outputSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutputSettings {
    #[serde(default)]
    pub(crate) hls_settings: HlsOutput,
}

/// `hlsSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HlsOutput {
    /// What is added to the names of segments.
    #[serde(default)]
    pub(crate) segment_modifier: String,
    #[serde(rename = "iFrameOnlyManifest")]
    _i_frame_only_manifest: Option<Excluded>,
}

/// `containerSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContainerSettings {
    pub(crate) container: Container,
    #[serde(rename = "m3u8Settings")]
    _m3u8_settings: Option<M3u8Settings>,
    #[serde(default)]
    pub(crate) mp4_settings: Mp4Settings,
    #[serde(rename = "mpdSettings")]
    _mpd_settings: Option<MpdSettings>,
}

/// The containers the home has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Container {
    #[serde(rename = "M3U8")]
    M3u8,
    #[serde(rename = "MP4")]
    Mp4,
    Mpd,
    Raw,
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
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "cslgAtom")]
    _cslg_atom: Option<Excluded>,
    #[serde(rename = "cttsVersion")]
    _ctts_version: Option<Exactly<0>>,
    #[serde(rename = "freeSpaceBox")]
    _free_space_box: Option<Excluded>,
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

/// `mpdSettings`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MpdSettings {
    #[serde(rename = "captionContainerType")]
    _caption_container_type: Option<Raw>,
    #[serde(rename = "scte35Esam")]
    _scte35_esam: Option<Nothing>,
    #[serde(rename = "scte35Source")]
    _scte35_source: Option<Nothing>,
    #[serde(rename = "audioDuration")]
    _audio_duration: Option<CodecDuration>,
    #[serde(rename = "accessibilityCaptionHints")]
    _accessibility_caption_hints: Option<super::neutral::Included>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Raw {
    Raw,
}
