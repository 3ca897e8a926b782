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
    pub cmaf_package: Option<serde::de::IgnoredAny>,
    pub dash_package: Option<serde::de::IgnoredAny>,
    pub mss_package: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackagingConfiguration {
    pub arn: String,
    pub created_at: String,
    pub hls_package: HlsPackage,
    pub id: String,
    pub packaging_group_id: String,
    pub tags: Tags,
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
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        let refuse = |path: &str| {
            Err(AwsError::unsupported_field(SERVICE, "CreatePackagingConfiguration", &format!("hlsPackage.{path}")))
        };
        if self.encryption.is_some() {
            return refuse("encryption");
        }
        if self.include_dvb_subtitles == Some(true) {
            return refuse("includeDvbSubtitles");
        }
        if self.use_audio_rendition_group == Some(true) {
            return refuse("useAudioRenditionGroup");
        }
        if !self.segment_duration_seconds.is_none_or(|seconds| (1..=30).contains(&seconds)) {
            return Err(unprocessable("hlsPackage.segmentDurationSeconds is not between 1 and 30"));
        }
        match self.hls_manifests.as_slice() {
            [manifest] => manifest.check(refuse),
            [] => Err(unprocessable("hlsPackage.hlsManifests is empty")),
            _ => refuse("hlsManifests[1]"),
        }
    }

    /// The one manifest; [`check`](Self::check) has seen to it.
    pub(crate) fn manifest(&self) -> &HlsManifest {
        const DEFAULT: &HlsManifest = &HlsManifest {
            ad_markers: None,
            include_iframe_only_stream: None,
            manifest_name: None,
            program_date_time_interval_seconds: None,
            repeat_ext_x_key: None,
            stream_selection: None,
        };
        self.hls_manifests.first().unwrap_or(DEFAULT)
    }

    pub(crate) fn segment_duration_seconds(&self) -> u32 {
        self.segment_duration_seconds.unwrap_or(DEFAULT_SEGMENT_SECONDS)
    }
}

impl HlsManifest {
    pub(crate) fn name(&self) -> &str {
        self.manifest_name.as_deref().unwrap_or("index")
    }

    fn check(&self, refuse: impl Fn(&str) -> Result<(), AwsError>) -> Result<(), AwsError> {
        if self.ad_markers.as_deref().is_some_and(|markers| markers != "NONE") {
            return refuse("hlsManifests[0].adMarkers");
        }
        if self.program_date_time_interval_seconds.is_some_and(|seconds| seconds > 0) {
            return refuse("hlsManifests[0].programDateTimeIntervalSeconds");
        }
        if self.repeat_ext_x_key == Some(true) {
            return refuse("hlsManifests[0].repeatExtXKey");
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

    fn check_refused(json: &str, path: &str) {
        let package: HlsPackage = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let error = package.check().err().map(|error| error.message).unwrap_or_default();
        assert!(error.contains(path), "{json}: {error}");
    }

    #[test]
    fn what_is_not_served_is_refused_by_its_name() {
        check_refused(r#"{"hlsManifests":[{}],"encryption":{}}"#, "hlsPackage.encryption");
        check_refused(r#"{"hlsManifests":[{}],"useAudioRenditionGroup":true}"#, "hlsPackage.useAudioRenditionGroup");
        check_refused(r#"{"hlsManifests":[{}],"includeDvbSubtitles":true}"#, "hlsPackage.includeDvbSubtitles");
        check_refused(r#"{"hlsManifests":[{},{}]}"#, "hlsManifests[1]");
        check_refused(r#"{"hlsManifests":[]}"#, "hlsManifests");
        check_refused(r#"{"hlsManifests":[{"programDateTimeIntervalSeconds":10}]}"#, "programDateTimeIntervalSeconds");
        check_refused(r#"{"hlsManifests":[{"adMarkers":"PASSTHROUGH"}]}"#, "adMarkers");
        check_refused(r#"{"hlsManifests":[{"manifestName":"a/b"}]}"#, "a/b");
        check_refused(r#"{"hlsManifests":[{}],"segmentDurationSeconds":0}"#, "segmentDurationSeconds");
    }

    #[test]
    fn neutral_settings_are_accepted() {
        let json = r#"{"hlsManifests":[{"adMarkers":"NONE","programDateTimeIntervalSeconds":0,"repeatExtXKey":false,
            "includeIframeOnlyStream":true,"streamSelection":{"streamOrder":"VIDEO_BITRATE_DESCENDING"}}],
            "useAudioRenditionGroup":false,"includeDvbSubtitles":false,"segmentDurationSeconds":6}"#;
        let package: HlsPackage = serde_json::from_str(json).unwrap_or_default();
        assert_eq!(package.check(), Ok(()));
        assert_eq!(package.manifest().name(), "index");
    }
}
