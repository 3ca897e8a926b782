//! Clients and environment.

use aws_sdk_cloudfront::{Client, operation::update_distribution::UpdateDistributionError};
use serde::Deserialize;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::{Ports, Put, Secret, Versioned};

/// CloudFront and Secrets Manager.
#[derive(Debug)]
pub struct Context {
    cloudfront: Client,
    secrets: aws_sdk_secretsmanager::Client,
    distribution_id: String,
    secret_arn: String,
}

/// The secret's JSON, in the form that MediaPackage wants.
#[derive(Deserialize)]
struct SecretValue {
    #[serde(rename = "MediaPackageCDNIdentifier")]
    identifier: String,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let distribution_id = required("DISTRIBUTION_ID")?;
        let secret_arn = required("CDN_SECRET_ARN")?;
        let config = aws::config().await;
        Ok(Self {
            cloudfront: Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            distribution_id,
            secret_arn,
        })
    }
}

impl Ports for Context {
    async fn secret(&self) -> Result<Secret, StepError> {
        let answer = self
            .secrets
            .get_secret_value()
            .secret_id(&self.secret_arn)
            .send()
            .await
            .map_err(|error| service_error("secretsmanager:GetSecretValue", error))?;
        // serde's own error could quote the value, so it is not kept.
        answer
            .secret_string()
            .and_then(|text| serde_json::from_str::<SecretValue>(text).ok())
            .map(|value| Secret(value.identifier))
            .ok_or_else(|| StepError::internal("the CDN secret is not {\"MediaPackageCDNIdentifier\": ...}"))
    }

    async fn config(&self) -> Result<Versioned, StepError> {
        let answer = self
            .cloudfront
            .get_distribution_config()
            .id(&self.distribution_id)
            .send()
            .await
            .map_err(|error| service_error("cloudfront:GetDistributionConfig", error))?;
        let (Some(config), Some(etag)) = (answer.distribution_config, answer.e_tag) else {
            return Err(StepError::internal("cloudfront:GetDistributionConfig answered without a configuration"));
        };
        Ok(Versioned { config, etag })
    }

    async fn put(&self, config: Versioned) -> Result<Put, StepError> {
        let answer = self
            .cloudfront
            .update_distribution()
            .id(&self.distribution_id)
            .if_match(config.etag)
            .distribution_config(config.config)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Put::Done),
            Err(error) => match error.as_service_error() {
                Some(
                    UpdateDistributionError::PreconditionFailed(_) | UpdateDistributionError::InvalidIfMatchVersion(_),
                ) => Ok(Put::Stale),
                _ => Err(service_error("cloudfront:UpdateDistribution", error)),
            },
        }
    }
}
