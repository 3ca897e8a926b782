//! Clients and environment.

use aws_sdk_mediapackagevod::{
    Client,
    error::ProvideErrorMetadata,
    operation::{create_asset::CreateAssetError, delete_asset::DeleteAssetError, describe_asset::DescribeAssetError},
    types::EgressEndpoint,
};
use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    callback::{Callback, StepFunctions},
    env::{MissingVariable, required},
};

use crate::{Asset, Created, EndpointStatus, Ports};

/// MediaPackage, Step Functions and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    callback: StepFunctions,
    mediapackage: Client,
    role_arn: String,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let role_arn = required("PACKAGING_ROLE_ARN")?;
        let config = aws::config().await;
        Ok(Self {
            catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table),
            callback: StepFunctions::new(aws_sdk_sfn::Client::new(&config)),
            mediapackage: Client::new(&config),
            role_arn,
        })
    }

    /// The ARN of the object at an `s3://` URI, in the partition that the role is in.
    fn source_arn(&self, uri: &str) -> Result<String, StepError> {
        let partition = self.role_arn.split(':').nth(1).unwrap_or("aws");
        let object = uri
            .strip_prefix("s3://")
            .ok_or_else(|| StepError::internal(format!("the playlist is at {uri}, which is not in S3")))?;
        Ok(format!("arn:{partition}:s3:::{object}"))
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn callback(&self) -> &impl Callback {
        &self.callback
    }

    async fn asset(&self, id: &str) -> Result<Option<Asset>, StepError> {
        match self.mediapackage.describe_asset().id(id).send().await {
            Ok(answer) => Ok(Some(asset(answer.packaging_group_id, answer.egress_endpoints))),
            Err(error) if error.as_service_error().is_some_and(DescribeAssetError::is_not_found_exception) => Ok(None),
            Err(error) => Err(service_error("mediapackage-vod:DescribeAsset", error)),
        }
    }

    async fn create(&self, id: &str, packaging_group_id: &str, playlist_uri: &str) -> Result<Created, StepError> {
        let answer = self
            .mediapackage
            .create_asset()
            .id(id)
            .packaging_group_id(packaging_group_id)
            .source_arn(self.source_arn(playlist_uri)?)
            .source_role_arn(&self.role_arn)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Created::Yes(asset(answer.packaging_group_id, answer.egress_endpoints))),
            Err(error) if error.as_service_error().is_some_and(CreateAssetError::is_unprocessable_entity_exception) => {
                Ok(Created::Refused(error.message().unwrap_or("no words").to_owned()))
            }
            Err(error) => Err(service_error("mediapackage-vod:CreateAsset", error)),
        }
    }

    async fn delete(&self, id: &str) -> Result<(), StepError> {
        match self.mediapackage.delete_asset().id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteAssetError::is_not_found_exception) => Ok(()),
            Err(error) => Err(service_error("mediapackage-vod:DeleteAsset", error)),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

fn asset(packaging_group_id: Option<String>, endpoints: Option<Vec<EgressEndpoint>>) -> Asset {
    let endpoint = |endpoint: EgressEndpoint| {
        let status = match (endpoint.status.as_deref(), endpoint.url) {
            (Some("PLAYABLE"), Some(url)) => EndpointStatus::Playable(url),
            (Some("FAILED"), _) => EndpointStatus::Failed,
            _ => EndpointStatus::Pending,
        };
        Some((endpoint.packaging_configuration_id?, status))
    };
    Asset {
        packaging_group_id: packaging_group_id.unwrap_or_default(),
        endpoints: endpoints.unwrap_or_default().into_iter().filter_map(endpoint).collect(),
    }
}
