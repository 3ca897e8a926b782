//! Clients and environment.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_mediaconvert::{
    Client,
    error::ProvideErrorMetadata,
    operation::probe::ProbeError,
    types::{Container, ProbeInputFile},
};
use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_contracts::{ErrorCode, source::Packaging};
use vodline_step::{
    StepError,
    aws::{self, service_error},
    env::{MissingVariable, required},
};

use crate::Ports;

/// A probe reads from the file, which takes longer than other calls do; it ends before the function's own timeout.
const PROBE_TIMEOUT: Duration = Duration::from_secs(45);

/// MediaConvert and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    mediaconvert: Client,
    packaging: Packaging,
}

/// Why the environment is not usable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// One is missing.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// `PACKAGING` names none.
    #[error("PACKAGING is {0:?}; it is mediapackage or direct")]
    Packaging(String),
}

fn packaging(name: &str) -> Result<Packaging, ContextError> {
    match name {
        "mediapackage" => Ok(Packaging::MediaPackage),
        "direct" => Ok(Packaging::Direct),
        other => Err(ContextError::Packaging(other.to_owned())),
    }
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn load() -> Result<Self, ContextError> {
        let table = required("TABLE_NAME")?;
        let packaging = packaging(&required("PACKAGING")?)?;
        let config = aws::config().await;
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(PROBE_TIMEOUT).operation_timeout(PROBE_TIMEOUT).build();
        let mediaconvert = aws_sdk_mediaconvert::config::Builder::from(&config).timeout_config(timeouts).build();
        Ok(Self {
            catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table),
            mediaconvert: Client::from_conf(mediaconvert),
            packaging,
        })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn packaging(&self) -> Packaging {
        self.packaging
    }

    async fn probe(&self, uri: &str) -> Result<Option<Container>, StepError> {
        let file = ProbeInputFile::builder().file_url(uri).build();
        match self.mediaconvert.probe().input_files(file).send().await {
            Ok(answer) => {
                Ok(answer.probe_results.and_then(|mut results| results.pop()).and_then(|result| result.container))
            }
            Err(error) => match error.as_service_error() {
                Some(ProbeError::BadRequestException(_) | ProbeError::UnprocessableEntityException(_)) => {
                    tracing::info!(answer = error.message(), "MediaConvert cannot read the file");
                    Ok(None)
                }
                Some(ProbeError::NotFoundException(_)) => {
                    Err(StepError::new(ErrorCode::SourceUnavailable, "the uploaded object is gone").caused_by(error))
                }
                _ => Err(service_error("mediaconvert:Probe", error)),
            },
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packaging_is_named_or_refused() {
        assert_eq!(packaging("mediapackage"), Ok(Packaging::MediaPackage));
        assert_eq!(packaging("direct"), Ok(Packaging::Direct));
        assert_eq!(packaging("Direct"), Err(ContextError::Packaging("Direct".to_owned())));
    }
}
