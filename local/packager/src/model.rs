//! The shapes of the API. Source: <https://docs.aws.amazon.com/mediapackage-vod/latest/apireference/>.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use vodline_core::AwsError;

/// The service's name in refusals.
pub(crate) const SERVICE: &str = "mediapackage-vod";

/// Packaging groups in a region.
/// Source for these three: <https://docs.aws.amazon.com/mediapackage/latest/ug/vod-quotas.html>.
pub(crate) const GROUPS_MAX: u64 = 10;
/// Packaging configurations in a group.
pub(crate) const CONFIGURATIONS_PER_GROUP_MAX: u64 = 10;
/// Assets in a group.
pub(crate) const ASSETS_PER_GROUP_MAX: u64 = 10_000;
/// Characters of an id.
const ID_CHARACTERS_MAX: usize = 256;
/// What a configuration that does not say gets, as in the console.
const DEFAULT_SEGMENT_SECONDS: u32 = 6;
/// Seconds between two `EXT-X-PROGRAM-DATE-TIME`.
/// Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/cfigs-hls-manset.html>.
const PROGRAM_DATE_TIME_SECONDS_MAX: u32 = 1200;
/// Tags on a resource, as everywhere in AWS.
pub(crate) const TAGS_MAX: usize = 50;

pub(crate) type Tags = BTreeMap<String, String>;

/// 422: the request is well formed and cannot be carried out. MediaPackage has no ConflictException; duplicates end here too.
pub(crate) fn unprocessable(message: impl Into<String>) -> AwsError {
    AwsError::with_status(StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntityException", message)
}

/// 404.
pub(crate) fn not_found(kind: &str, id: &str) -> AwsError {
    AwsError::not_found("NotFoundException", format!("{kind} not found: {id}"))
}

/// 429: a quota is used up. MediaPackage says the same words when it throttles.
pub(crate) fn quota_exceeded() -> AwsError {
    AwsError::with_status(
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequestsException",
        "Too many requests, please try again. Resource limit exceeded.",
    )
}

/// Checks an id of any kind: letters, digits, hyphens and underscores.
pub(crate) fn check_id(id: &str) -> Result<(), AwsError> {
    let sound = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    if id.is_empty() || id.len() > ID_CHARACTERS_MAX || !id.chars().all(sound) {
        return Err(unprocessable(format!(
            "id {id:?} is not of 1 to {ID_CHARACTERS_MAX} letters, digits, '-' and '_'"
        )));
    }
    Ok(())
}

/// Checks the number of tags.
pub(crate) fn check_tags(tags: &Tags) -> Result<(), AwsError> {
    if tags.len() > TAGS_MAX { Err(unprocessable(format!("a resource has at most {TAGS_MAX} tags"))) } else { Ok(()) }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreatePackagingGroup {
    pub id: String,
    pub authorization: Option<Authorization>,
    pub egress_access_logs: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub tags: Tags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpdatePackagingGroup {
    pub authorization: Option<Authorization>,
}

/// CDN authorization of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Authorization {
    /// ARN of the secret that holds the value of the header.
    pub cdn_identifier_secret: String,
    /// The role the service reads it with.
    pub secrets_role_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackagingGroup {
    pub approximate_asset_count: u64,
    pub arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    pub created_at: String,
    /// With its scheme, as MediaPackage gives it.
    pub domain_name: String,
    pub id: String,
    pub tags: Tags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreatePackagingConfiguration {
    pub id: String,
    pub packaging_group_id: String,
    pub hls_package: Option<HlsPackage>,
    pub cmaf_package: Option<CmafPackage>,
    pub dash_package: Option<DashPackage>,
    pub mss_package: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackagingConfiguration {
    pub arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmaf_package: Option<CmafPackage>,
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dash_package: Option<DashPackage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hls_package: Option<HlsPackage>,
    pub id: String,
    pub packaging_group_id: String,
    pub tags: Tags,
}

/// How a configuration packages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Package {
    Hls(HlsPackage),
    Cmaf(CmafPackage),
    Dash(DashPackage),
}

impl CreatePackagingConfiguration {
    /// The one package, checked.
    pub(crate) fn package(&self) -> Result<Package, AwsError> {
        if self.mss_package.is_some() {
            return Err(AwsError::unsupported_field(SERVICE, "CreatePackagingConfiguration", "mssPackage"));
        }
        let packages: Vec<Package> = [
            self.hls_package.clone().map(Package::Hls),
            self.cmaf_package.clone().map(Package::Cmaf),
            self.dash_package.clone().map(Package::Dash),
        ]
        .into_iter()
        .flatten()
        .collect();
        let [package] = packages.as_slice() else {
            return Err(unprocessable("a packaging configuration needs exactly one package, such as hlsPackage"));
        };
        package.check()?;
        Ok(package.clone())
    }
}

impl Package {
    fn check(&self) -> Result<(), AwsError> {
        let name = match self {
            Self::Hls(_) => "hlsPackage",
            Self::Cmaf(_) => "cmafPackage",
            Self::Dash(_) => "dashPackage",
        };
        if !(1..=30).contains(&self.segment_duration_seconds()) {
            return Err(unprocessable(format!("{name}.segmentDurationSeconds is not between 1 and 30")));
        }
        match self {
            Self::Hls(package) => package.check(),
            Self::Cmaf(package) => package.check(),
            Self::Dash(package) => package.check(),
        }
    }

    /// The HLS manifest of the package, if it has one.
    pub(crate) fn hls_manifest(&self) -> Option<&HlsManifest> {
        match self {
            Self::Hls(package) => Some(package.manifest()),
            Self::Cmaf(package) => Some(package.manifest()),
            Self::Dash(_) => None,
        }
    }

    /// The name of the manifest, without extension.
    pub(crate) fn manifest_name(&self) -> &str {
        match self {
            Self::Hls(package) => package.manifest().name(),
            Self::Cmaf(package) => package.manifest().name(),
            Self::Dash(package) => package.manifest().name(),
        }
    }

    /// The file name of the manifest.
    pub(crate) fn manifest_file(&self) -> String {
        let extension = if matches!(self, Self::Dash(_)) { "mpd" } else { "m3u8" };
        format!("{}.{extension}", self.manifest_name())
    }

    pub(crate) fn stream_selection(&self) -> Option<&StreamSelection> {
        match self {
            Self::Hls(package) => package.manifest().stream_selection.as_ref(),
            Self::Cmaf(package) => package.manifest().stream_selection.as_ref(),
            Self::Dash(package) => package.manifest().stream_selection.as_ref(),
        }
    }

    pub(crate) fn segment_duration_seconds(&self) -> u32 {
        match self {
            Self::Hls(package) => package.segment_duration_seconds(),
            Self::Cmaf(package) => package.segment_duration_seconds(),
            Self::Dash(package) => package.segment_duration_seconds(),
        }
    }

    /// Whether key frames are given out as streams of their own.
    pub(crate) fn includes_key_frames(&self) -> bool {
        match self {
            Self::Hls(package) => package.manifest().include_iframe_only_stream.unwrap_or(false),
            Self::Cmaf(package) => package.manifest().include_iframe_only_stream.unwrap_or(false),
            Self::Dash(package) => package.include_iframe_only_stream.unwrap_or(false),
        }
    }
}

/// Refuses a field by its path.
fn refuse(path: &str) -> Result<(), AwsError> {
    Err(AwsError::unsupported_field(SERVICE, "CreatePackagingConfiguration", path))
}

/// The one manifest of a list.
fn one<T>(manifests: &[T], path: &str) -> Result<(), AwsError> {
    match manifests {
        [_] => Ok(()),
        [] => Err(unprocessable(format!("{path} is empty"))),
        _ => refuse(&format!("{path}[1]")),
    }
}

/// HLS with fragmented MP4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CmafPackage {
    #[serde(skip_serializing)]
    pub encryption: Option<serde::de::IgnoredAny>,
    pub hls_manifests: Vec<HlsManifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_encoder_configuration_in_segments: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_duration_seconds: Option<u32>,
}

impl CmafPackage {
    fn check(&self) -> Result<(), AwsError> {
        if self.encryption.is_some() {
            return refuse("cmafPackage.encryption");
        }
        if self.include_encoder_configuration_in_segments == Some(true) {
            return refuse("cmafPackage.includeEncoderConfigurationInSegments");
        }
        one(&self.hls_manifests, "cmafPackage.hlsManifests")?;
        self.manifest().check("cmafPackage")
    }

    pub(crate) fn manifest(&self) -> &HlsManifest {
        self.hls_manifests.first().unwrap_or(HlsManifest::DEFAULT)
    }

    pub(crate) fn segment_duration_seconds(&self) -> u32 {
        self.segment_duration_seconds.unwrap_or(DEFAULT_SEGMENT_SECONDS)
    }
}

/// DASH with fragmented MP4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DashPackage {
    pub dash_manifests: Vec<DashManifest>,
    #[serde(skip_serializing)]
    pub encryption: Option<serde::de::IgnoredAny>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_encoder_configuration_in_segments: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_iframe_only_stream: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub period_triggers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_duration_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_template_format: Option<SegmentTemplateFormat>,
}

/// How a manifest says where segments are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SegmentTemplateFormat {
    #[default]
    NumberWithTimeline,
    TimeWithTimeline,
    NumberWithDuration,
}

/// Where a manifest says what representations share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ManifestLayout {
    #[default]
    Full,
    Compact,
    DrmTopLevelCompact,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DashManifest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_layout: Option<ManifestLayout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_buffer_time_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scte_markers_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_selection: Option<StreamSelection>,
}

impl DashPackage {
    fn check(&self) -> Result<(), AwsError> {
        if self.encryption.is_some() {
            return refuse("dashPackage.encryption");
        }
        if self.include_encoder_configuration_in_segments == Some(true) {
            return refuse("dashPackage.includeEncoderConfigurationInSegments");
        }
        if !self.period_triggers.is_empty() {
            return refuse("dashPackage.periodTriggers");
        }
        let other = |value: &Option<String>, served: &str| value.as_deref().is_some_and(|value| value != served);
        one(&self.dash_manifests, "dashPackage.dashManifests")?;
        let manifest = self.manifest();
        if manifest.manifest_layout == Some(ManifestLayout::DrmTopLevelCompact) {
            return refuse("dashPackage.dashManifests[0].manifestLayout DRM_TOP_LEVEL_COMPACT");
        }
        if other(&manifest.profile, "NONE") {
            return refuse("dashPackage.dashManifests[0].profile other than NONE");
        }
        if other(&manifest.scte_markers_source, "SEGMENTS") {
            return refuse("dashPackage.dashManifests[0].scteMarkersSource other than SEGMENTS");
        }
        check_selection(manifest.stream_selection.as_ref())?;
        check_id(manifest.name())
    }

    pub(crate) fn manifest(&self) -> &DashManifest {
        const DEFAULT: &DashManifest = &DashManifest {
            manifest_layout: None,
            manifest_name: None,
            min_buffer_time_seconds: None,
            profile: None,
            scte_markers_source: None,
            stream_selection: None,
        };
        self.dash_manifests.first().unwrap_or(DEFAULT)
    }

    pub(crate) fn segment_duration_seconds(&self) -> u32 {
        self.segment_duration_seconds.unwrap_or(DEFAULT_SEGMENT_SECONDS)
    }

    pub(crate) fn segment_template_format(&self) -> SegmentTemplateFormat {
        self.segment_template_format.unwrap_or_default()
    }
}

/// The limits of a stream selection leave something between them.
fn check_selection(selection: Option<&StreamSelection>) -> Result<(), AwsError> {
    let limits =
        selection.and_then(|selection| selection.min_video_bits_per_second.zip(selection.max_video_bits_per_second));
    match limits {
        Some((least, most)) if least > most => {
            Err(unprocessable("streamSelection.minVideoBitsPerSecond is greater than maxVideoBitsPerSecond"))
        }
        _ => Ok(()),
    }
}

impl DashManifest {
    pub(crate) fn name(&self) -> &str {
        self.manifest_name.as_deref().unwrap_or("index")
    }

    /// MediaPackage's default is 30.
    pub(crate) fn min_buffer_time_seconds(&self) -> u32 {
        self.min_buffer_time_seconds.unwrap_or(30)
    }
}

/// HLS with transport stream segments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HlsPackage {
    #[serde(skip_serializing)]
    pub encryption: Option<serde::de::IgnoredAny>,
    pub hls_manifests: Vec<HlsManifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_dvb_subtitles: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_duration_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_audio_rendition_group: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HlsManifest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ad_markers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_iframe_only_stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program_date_time_interval_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_ext_x_key: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_selection: Option<StreamSelection>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StreamSelection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_video_bits_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_video_bits_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_order: Option<StreamOrder>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StreamOrder {
    #[default]
    Original,
    VideoBitrateAscending,
    VideoBitrateDescending,
}

impl HlsPackage {
    /// Refuses by name what this home does not serve, and what makes no sense.
    fn check(&self) -> Result<(), AwsError> {
        if self.encryption.is_some() {
            return refuse("hlsPackage.encryption");
        }
        if self.include_dvb_subtitles == Some(true) {
            return refuse("hlsPackage.includeDvbSubtitles");
        }
        one(&self.hls_manifests, "hlsPackage.hlsManifests")?;
        self.manifest().check("hlsPackage")
    }

    /// The one manifest; [`check`](Self::check) has seen to it.
    pub(crate) fn manifest(&self) -> &HlsManifest {
        self.hls_manifests.first().unwrap_or(HlsManifest::DEFAULT)
    }

    pub(crate) fn segment_duration_seconds(&self) -> u32 {
        self.segment_duration_seconds.unwrap_or(DEFAULT_SEGMENT_SECONDS)
    }
}

impl HlsManifest {
    /// What a package without a manifest would have.
    const DEFAULT: &Self = &Self {
        ad_markers: None,
        include_iframe_only_stream: None,
        manifest_name: None,
        program_date_time_interval_seconds: None,
        repeat_ext_x_key: None,
        stream_selection: None,
    };

    pub(crate) fn name(&self) -> &str {
        self.manifest_name.as_deref().unwrap_or("index")
    }

    fn check(&self, package: &str) -> Result<(), AwsError> {
        let refuse = |field: &str| refuse(&format!("{package}.hlsManifests[0].{field}"));
        if self.ad_markers.as_deref().is_some_and(|markers| markers != "NONE") {
            return refuse("adMarkers");
        }
        if self.program_date_time_interval_seconds.is_some_and(|seconds| seconds > PROGRAM_DATE_TIME_SECONDS_MAX) {
            return Err(unprocessable(format!(
                "{package}.hlsManifests[0].programDateTimeIntervalSeconds is greater than {PROGRAM_DATE_TIME_SECONDS_MAX}"
            )));
        }
        check_selection(self.stream_selection.as_ref())?;
        if self.repeat_ext_x_key == Some(true) {
            return refuse("repeatExtXKey");
        }
        check_id(self.name())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateAsset {
    pub id: String,
    pub packaging_group_id: String,
    pub resource_id: Option<String>,
    pub source_arn: String,
    pub source_role_arn: String,
    #[serde(default)]
    pub tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asset {
    pub arn: String,
    pub created_at: String,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress_endpoints: Option<Vec<EgressEndpoint>>,
    pub id: String,
    pub packaging_group_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    pub source_arn: String,
    pub source_role_arn: String,
    pub tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EgressEndpoint {
    pub packaging_configuration_id: String,
    pub status: Status,
    pub url: String,
}

/// Where an asset stands with one packaging configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Queued,
    Processing,
    Playable,
    Failed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Processing => "PROCESSING",
            Self::Playable => "PLAYABLE",
            Self::Failed => "FAILED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Queued, Self::Processing, Self::Playable, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagResource {
    pub tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package of the given name in a request that creates a configuration.
    fn package(name: &str, json: &str) -> Result<Package, AwsError> {
        let request = format!(r#"{{"id":"c","packagingGroupId":"g","{name}":{json}}}"#);
        let request: CreatePackagingConfiguration =
            serde_json::from_str(&request).unwrap_or_else(|error| panic!("{request}: {error}"));
        request.package()
    }

    fn check_refused(name: &str, json: &str, path: &str) {
        let error = package(name, json).err().map(|error| error.message).unwrap_or_default();
        assert!(error.contains(path), "{json}: {error}");
    }

    #[test]
    fn what_is_not_served_is_refused_by_its_name() {
        check_refused("hlsPackage", r#"{"hlsManifests":[{}],"encryption":{}}"#, "hlsPackage.encryption");
        check_refused("hlsPackage", r#"{"hlsManifests":[{}],"includeDvbSubtitles":true}"#, "includeDvbSubtitles");
        check_refused("hlsPackage", r#"{"hlsManifests":[{},{}]}"#, "hlsManifests[1]");
        check_refused("hlsPackage", r#"{"hlsManifests":[]}"#, "hlsManifests");
        check_refused("hlsPackage", r#"{"hlsManifests":[{"programDateTimeIntervalSeconds":1201}]}"#, "programDateTime");
        check_refused("hlsPackage", r#"{"hlsManifests":[{"repeatExtXKey":true}]}"#, "repeatExtXKey");
        let selection = r#"{"minVideoBitsPerSecond":2,"maxVideoBitsPerSecond":1}"#;
        check_refused("hlsPackage", &format!(r#"{{"hlsManifests":[{{"streamSelection":{selection}}}]}}"#), "minVideo");
        check_refused("hlsPackage", r#"{"hlsManifests":[{"adMarkers":"PASSTHROUGH"}]}"#, "adMarkers");
        check_refused("hlsPackage", r#"{"hlsManifests":[{"manifestName":"a/b"}]}"#, "a/b");
        check_refused("hlsPackage", r#"{"hlsManifests":[{}],"segmentDurationSeconds":0}"#, "segmentDurationSeconds");
        check_refused("cmafPackage", r#"{"hlsManifests":[{}],"encryption":{}}"#, "cmafPackage.encryption");
        let in_segments = "includeEncoderConfigurationInSegments";
        check_refused("cmafPackage", &format!(r#"{{"hlsManifests":[{{}}],"{in_segments}":true}}"#), in_segments);
        check_refused("dashPackage", &format!(r#"{{"dashManifests":[{{}}],"{in_segments}":true}}"#), in_segments);
        check_refused(
            "dashPackage",
            r#"{"dashManifests":[{"manifestLayout":"DRM_TOP_LEVEL_COMPACT"}]}"#,
            "manifestLayout",
        );
        check_refused("dashPackage", r#"{"dashManifests":[{"profile":"HBBTV_1_5"}]}"#, "profile");
        check_refused("dashPackage", r#"{"dashManifests":[{"scteMarkersSource":"MANIFEST"}]}"#, "scteMarkersSource");
        check_refused("dashPackage", r#"{"dashManifests":[{}],"encryption":{}}"#, "dashPackage.encryption");
        check_refused("dashPackage", r#"{"dashManifests":[{}],"periodTriggers":["ADS"]}"#, "periodTriggers");
        check_refused("mssPackage", "{}", "mssPackage");
    }

    #[test]
    fn neutral_settings_are_accepted() {
        let json = r#"{"hlsManifests":[{"adMarkers":"NONE","programDateTimeIntervalSeconds":0,"repeatExtXKey":false,
            "includeIframeOnlyStream":true,"streamSelection":{"streamOrder":"VIDEO_BITRATE_DESCENDING"}}],
            "useAudioRenditionGroup":false,"includeDvbSubtitles":false,"segmentDurationSeconds":6}"#;
        assert_eq!(package("hlsPackage", json).map(|package| package.manifest_file()), Ok("index.m3u8".into()));
        let json = r#"{"dashManifests":[{"manifestLayout":"FULL","profile":"NONE"}],"segmentTemplateFormat":"NUMBER_WITH_TIMELINE"}"#;
        assert_eq!(package("dashPackage", json).map(|package| package.manifest_file()), Ok("index.mpd".into()));
    }
}
