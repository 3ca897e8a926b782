//! Clients and environment.

use aws_sdk_mediapackagevod::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        create_packaging_configuration::CreatePackagingConfigurationError,
        create_packaging_group::CreatePackagingGroupError,
        describe_packaging_configuration::DescribePackagingConfigurationError,
        describe_packaging_group::DescribePackagingGroupError,
    },
    types::{Authorization, CmafPackage, DashManifest, DashPackage, HlsManifest, HlsPackage},
};
use vodline_contracts::packaging::PackagingFormat;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::{Created, Group, Packaging, Ports};

/// Seconds of a packaged segment: two of the source's.
const SEGMENT_SECONDS: i32 = 6;
/// Every manifest is called this.
const MANIFEST_NAME: &str = "index";

/// MediaPackage.
#[derive(Debug)]
pub struct Context {
    mediapackage: Client,
    packaging: Packaging,
    secret_arn: String,
    role_arn: String,
}

/// Why the environment is not usable.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// One is missing.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// `PACKAGING_FORMATS` names something else than `hls`, `dash` and `cmaf`.
    #[error("PACKAGING_FORMATS names {0:?}, which is no packaging format of the line")]
    Format(String),
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn load() -> Result<Self, ContextError> {
        let formats = required("PACKAGING_FORMATS")?;
        let formats = formats.split(',').map(|name| format(name.trim())).collect::<Result<_, _>>()?;
        let packaging = Packaging { group_prefix: required("PACKAGING_GROUP_PREFIX")?, formats };
        let secret_arn = required("CDN_SECRET_ARN")?;
        let role_arn = required("PACKAGING_ROLE_ARN")?;
        let mediapackage = Client::new(&aws::config().await);
        Ok(Self { mediapackage, packaging, secret_arn, role_arn })
    }
}

fn format(name: &str) -> Result<PackagingFormat, ContextError> {
    [PackagingFormat::Hls, PackagingFormat::Dash, PackagingFormat::Cmaf]
        .into_iter()
        .find(|format| format.as_str() == name)
        .ok_or_else(|| ContextError::Format(name.to_owned()))
}

impl Ports for Context {
    fn packaging(&self) -> &Packaging {
        &self.packaging
    }

    async fn group(&self, id: &str) -> Result<Option<Group>, StepError> {
        match self.mediapackage.describe_packaging_group().id(id).send().await {
            Ok(answer) => Ok(Some(Group {
                domain_name: answer.domain_name.unwrap_or_default(),
                asset_count: answer
                    .approximate_asset_count
                    .and_then(|count| u64::try_from(count).ok())
                    .unwrap_or_default(),
                is_authorized: answer.authorization.is_some_and(|authorization| {
                    authorization.cdn_identifier_secret.is_some_and(|secret| !secret.is_empty())
                }),
            })),
            Err(error) if error.as_service_error().is_some_and(DescribePackagingGroupError::is_not_found_exception) => {
                Ok(None)
            }
            Err(error) => Err(service_error("mediapackage-vod:DescribePackagingGroup", error)),
        }
    }

    async fn create_group(&self, id: &str) -> Result<Created<Group>, StepError> {
        let authorization =
            Authorization::builder().cdn_identifier_secret(&self.secret_arn).secrets_role_arn(&self.role_arn).build();
        match self.mediapackage.create_packaging_group().id(id).authorization(authorization).send().await {
            Ok(answer) => Ok(Created::Yes(Group {
                domain_name: answer.domain_name.unwrap_or_default(),
                asset_count: 0,
                is_authorized: true,
            })),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreatePackagingGroupError::is_unprocessable_entity_exception) =>
            {
                Ok(Created::Refused(words(&error)))
            }
            Err(error) => Err(service_error("mediapackage-vod:CreatePackagingGroup", error)),
        }
    }

    async fn has_configuration(&self, id: &str) -> Result<bool, StepError> {
        match self.mediapackage.describe_packaging_configuration().id(id).send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribePackagingConfigurationError::is_not_found_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(service_error("mediapackage-vod:DescribePackagingConfiguration", error)),
        }
    }

    async fn create_configuration(
        &self,
        group_id: &str,
        id: &str,
        format: PackagingFormat,
    ) -> Result<Created<()>, StepError> {
        let request = self.mediapackage.create_packaging_configuration().packaging_group_id(group_id).id(id);
        let hls_manifest = || HlsManifest::builder().manifest_name(MANIFEST_NAME).build();
        let request = match format {
            PackagingFormat::Hls => request.hls_package(
                HlsPackage::builder().segment_duration_seconds(SEGMENT_SECONDS).hls_manifests(hls_manifest()).build(),
            ),
            PackagingFormat::Cmaf => request.cmaf_package(
                CmafPackage::builder().segment_duration_seconds(SEGMENT_SECONDS).hls_manifests(hls_manifest()).build(),
            ),
            PackagingFormat::Dash => request.dash_package(
                DashPackage::builder()
                    .segment_duration_seconds(SEGMENT_SECONDS)
                    .dash_manifests(DashManifest::builder().manifest_name(MANIFEST_NAME).build())
                    .build(),
            ),
        };
        match request.send().await {
            Ok(_) => Ok(Created::Yes(())),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreatePackagingConfigurationError::is_unprocessable_entity_exception) =>
            {
                Ok(Created::Refused(words(&error)))
            }
            Err(error) => Err(service_error("mediapackage-vod:CreatePackagingConfiguration", error)),
        }
    }
}

fn words<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.message().unwrap_or("no words").to_owned()
}
