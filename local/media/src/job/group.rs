//! Output groups: how a set of outputs is packaged, where it goes, and what its files are called.

use serde::Deserialize;

use super::{
    AudioCodec, Container, Destination, Output, TrickPlay, TrickPlayMode, TrickPlaySettings, VideoCodec,
    neutral::{Disabled, Exactly, Excluded, NoItems, Nothing},
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
            GroupType::Cmaf => settings.cmaf_group_settings.as_ref().map(OutputGroupKind::Cmaf),
        }
    }
}

/// A packaging and its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OutputGroupKind<'a> {
    Hls(&'a HlsGroup),
    File(&'a FileGroup),
    Dash(&'a DashGroup),
    Cmaf(&'a CmafGroup),
}

impl OutputGroupKind<'_> {
    pub(crate) fn destination(&self) -> &Destination {
        match self {
            Self::Hls(group) => &group.destination,
            Self::File(group) => &group.destination,
            Self::Dash(group) => &group.destination,
            Self::Cmaf(group) => &group.destination,
        }
    }

    /// Seconds; `None` when the group is not cut into segments.
    pub(crate) fn segment_seconds(&self) -> Option<u32> {
        match self {
            Self::Hls(group) => Some(group.segment_length),
            Self::Dash(group) => Some(group.segment_length),
            Self::Cmaf(group) => Some(group.segment_length),
            Self::File(_) => None,
        }
    }

    /// Whether segments must have that length exactly.
    pub(crate) fn exact_segments(&self) -> bool {
        let control = match self {
            Self::Hls(group) => group.segment_length_control,
            Self::Dash(group) => group.segment_length_control,
            Self::Cmaf(group) => group.segment_length_control,
            Self::File(_) => return false,
        };
        control == SegmentLengthControl::Exact
    }

    /// Whole seconds; `None` where the job does not say or there are none.
    pub(crate) fn fragment_seconds(&self) -> Option<u32> {
        match self {
            Self::Dash(group) => group.fragment_length,
            Self::Cmaf(group) => group.fragment_length,
            Self::Hls(_) | Self::File(_) => None,
        }
    }

    /// Pictures for winding.
    pub(crate) fn trick_play(&self) -> TrickPlay {
        let (mode, settings) = match self {
            Self::Hls(group) => (group.image_based_trick_play, group.image_based_trick_play_settings),
            Self::Dash(group) => (group.image_based_trick_play, group.image_based_trick_play_settings),
            Self::Cmaf(group) => (group.image_based_trick_play, group.image_based_trick_play_settings),
            Self::File(_) => (TrickPlayMode::None, None),
        };
        TrickPlay { mode, settings }
    }

    /// The containers that the output may have here.
    pub(crate) fn containers(&self, output: &Output) -> &'static [Container] {
        let capture =
            output.video_description.as_ref().is_some_and(|v| v.codec_settings.codec == VideoCodec::FrameCapture);
        match self {
            Self::Hls(_) => &[Container::M3u8],
            Self::Dash(_) => &[Container::Mpd],
            Self::Cmaf(_) => &[Container::Cmfc],
            Self::File(_) if capture => &[Container::Raw],
            Self::File(_) => file_containers(output),
        }
    }
}

/// The containers of a file that can hold an output's codecs. Source:
/// <https://docs.aws.amazon.com/mediaconvert/latest/ug/reference-codecs-containers.html>, as far as ffmpeg's muxers go.
fn file_containers(output: &Output) -> &'static [Container] {
    use AudioCodec::{Aac, Ac3, Eac3, Mp2, Mp3, Opus, Vorbis, Wav};
    use Container::{M2ts, Mov, Mp4, Raw, Webm};
    let sounds = |allowed: &[AudioCodec]| {
        output.audio_descriptions.iter().all(|audio| allowed.contains(&audio.codec_settings.codec))
    };
    let Some(video) = &output.video_description else {
        let alone = output.audio_descriptions.len() <= 1;
        return match (alone, sounds(&[Aac, Ac3, Eac3, Mp2, Mp3]), sounds(&[Opus, Vorbis])) {
            (true, true, _) => &[Raw, Mp4, Mov, M2ts],
            (false, true, _) => &[Mp4, Mov, M2ts],
            (_, _, true) => &[Webm],
            (true, false, false) if sounds(&[Wav]) => &[Raw, Mov],
            (true, false, false) => &[Raw],
            (false, false, false) => &[Mov],
        };
    };
    match video.codec_settings.codec {
        VideoCodec::H264 | VideoCodec::H265 if sounds(&[Aac, Ac3, Eac3, Mp2, Mp3]) => &[Mp4, Mov, M2ts],
        VideoCodec::H264 | VideoCodec::H265 => &[Mov],
        VideoCodec::Vp9 => &[Webm, Mp4],
        VideoCodec::Av1 => &[Mp4, Webm],
        VideoCodec::ProRes => &[Mov],
        VideoCodec::FrameCapture => &[Raw],
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
    pub(crate) cmaf_group_settings: Option<CmafGroup>,
}

impl OutputGroupSettings {
    /// Which settings are there, of all kinds there are.
    pub(crate) fn present(&self) -> [(bool, GroupType, &'static str); 4] {
        let of = |present, kind: GroupType| (present, kind, kind.settings_name());
        [
            of(self.hls_group_settings.is_some(), GroupType::Hls),
            of(self.file_group_settings.is_some(), GroupType::File),
            of(self.dash_iso_group_settings.is_some(), GroupType::Dash),
            of(self.cmaf_group_settings.is_some(), GroupType::Cmaf),
        ]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum GroupType {
    #[serde(rename = "HLS_GROUP_SETTINGS")]
    Hls,
    #[serde(rename = "FILE_GROUP_SETTINGS")]
    File,
    #[serde(rename = "DASH_ISO_GROUP_SETTINGS")]
    Dash,
    #[serde(rename = "CMAF_GROUP_SETTINGS")]
    Cmaf,
}

impl GroupType {
    /// The property that holds its settings.
    pub(crate) fn settings_name(self) -> &'static str {
        match self {
            Self::Hls => "hlsGroupSettings",
            Self::File => "fileGroupSettings",
            Self::Dash => "dashIsoGroupSettings",
            Self::Cmaf => "cmafGroupSettings",
        }
    }
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
    #[serde(default)]
    pub(crate) segment_control: SegmentControl,
    #[serde(default)]
    pub(crate) client_cache: ClientCache,
    #[serde(rename = "directoryStructure")]
    _directory_structure: Option<SingleDirectory>,
    #[serde(rename = "manifestCompression")]
    _manifest_compression: Option<Nothing>,
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
    #[serde(default)]
    image_based_trick_play: TrickPlayMode,
    image_based_trick_play_settings: Option<TrickPlaySettings>,
    #[serde(rename = "captionLanguageSetting")]
    _caption_language_setting: Option<Omit>,
    #[serde(default)]
    pub(crate) caption_segment_length_control: CaptionSegments,
    #[serde(rename = "audioOnlyHeader")]
    _audio_only_header: Option<super::neutral::Included>,
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

/// Whether each segment is a file, or a range of bytes of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SegmentControl {
    #[default]
    SegmentedFiles,
    SingleFile,
}

/// Whether playlists may be cached, as the obsolete `EXT-X-ALLOW-CACHE` says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ClientCache {
    #[default]
    Enabled,
    Disabled,
}

/// How long segments of captions are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CaptionSegments {
    /// Five minutes.
    #[default]
    LargeSegments,
    /// As long as the first picture's.
    MatchVideo,
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
    pub(crate) fragment_length: Option<u32>,
    /// Milliseconds; `@minBufferTime`.
    pub(crate) min_buffer_time: Option<u32>,
    #[serde(default)]
    pub(crate) mpd_manifest_bandwidth_type: BandwidthType,
    #[serde(default)]
    pub(crate) video_composition_offsets: CompositionOffsets,
    #[serde(rename = "minFinalSegmentLength")]
    _min_final_segment_length: Option<Exactly<0>>,
    #[serde(default)]
    pub(crate) segment_control: SegmentControl,
    #[serde(rename = "hbbtvCompliance")]
    _hbbtv_compliance: Option<Nothing>,
    #[serde(rename = "mpdProfile")]
    _mpd_profile: Option<MainProfile>,
    #[serde(default)]
    image_based_trick_play: TrickPlayMode,
    image_based_trick_play_settings: Option<TrickPlaySettings>,
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

/// `cmafGroupSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CmafGroup {
    pub(crate) destination: Destination,
    /// Whole seconds.
    #[serde(default = "hls_segment_length")]
    pub(crate) segment_length: u32,
    #[serde(default)]
    pub(crate) segment_length_control: SegmentLengthControl,
    #[serde(default)]
    pub(crate) segment_control: SegmentControl,
    /// Whole seconds; must equal the segment length, since the home writes one fragment a segment.
    pub(crate) fragment_length: Option<u32>,
    #[serde(default = "enabled")]
    pub(crate) write_hls_manifest: super::Toggle,
    #[serde(default = "enabled")]
    pub(crate) write_dash_manifest: super::Toggle,
    #[serde(default)]
    pub(crate) manifest_duration_format: DurationFormat,
    #[serde(default)]
    pub(crate) codec_specification: CodecSpecification,
    #[serde(default)]
    pub(crate) stream_inf_resolution: StreamInfResolution,
    #[serde(default)]
    pub(crate) target_duration_compatibility_mode: TargetDurationMode,
    #[serde(default)]
    pub(crate) client_cache: ClientCache,
    /// Milliseconds; `@minBufferTime`.
    pub(crate) min_buffer_time: Option<u32>,
    #[serde(default)]
    pub(crate) mpd_manifest_bandwidth_type: BandwidthType,
    #[serde(default)]
    pub(crate) video_composition_offsets: CompositionOffsets,
    #[serde(rename = "minFinalSegmentLength")]
    _min_final_segment_length: Option<Exactly<0>>,
    #[serde(rename = "mpdProfile")]
    _mpd_profile: Option<MainProfile>,
    #[serde(default)]
    image_based_trick_play: TrickPlayMode,
    image_based_trick_play_settings: Option<TrickPlaySettings>,
    #[serde(rename = "ptsOffsetHandlingForBFrames")]
    _pts_offset_handling_for_b_frames: Option<ZeroBasedPts>,
    // Both values are satisfied: every Representation carries its exact SegmentTimeline.
    #[serde(rename = "writeSegmentTimelineInRepresentation")]
    _write_segment_timeline_in_representation: Option<super::Toggle>,
    #[serde(rename = "dashManifestStyle")]
    _dash_manifest_style: Option<Basic>,
    #[serde(rename = "manifestCompression")]
    _manifest_compression: Option<Nothing>,
    #[serde(rename = "additionalManifests")]
    _additional_manifests: Option<NoItems>,
}

fn enabled() -> super::Toggle {
    super::Toggle::Enabled
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
