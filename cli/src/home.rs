//! Which home is meant, its clients, and what its stack consists of.

use std::{collections::BTreeMap, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use clap::Args;

use crate::error::{CliError, doing};

/// The key pair of the local home's owner. No secret: the home listens on this machine only.
pub(crate) const LOCAL_ACCESS_KEY_ID: &str = "vodline";
/// See [`LOCAL_ACCESS_KEY_ID`].
pub(crate) const LOCAL_SECRET_ACCESS_KEY: &str = "vodline-local";

/// Options that say which home is meant.
#[derive(Args, Clone)]
pub(crate) struct HomeArgs {
    /// Talk to AWS, with the credentials and region of the usual AWS configuration.
    #[arg(long, global = true)]
    pub(crate) aws: bool,
    /// Where the local home answers AWS APIs.
    #[arg(long, global = true, env = "VODLINE_ENDPOINT", default_value = "http://127.0.0.1:4566", value_name = "URL")]
    pub(crate) endpoint: String,
    /// The stack's name.
    #[arg(long, global = true, env = "VODLINE_STACK", default_value = "vodline", value_name = "NAME")]
    pub(crate) stack: String,
}

impl HomeArgs {
    /// The SDK's configuration for this home.
    pub(crate) async fn sdk_config(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(60))
            .build();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(4));
        if self.aws {
            return loader.load().await;
        }
        let credentials =
            aws_sdk_s3::config::Credentials::new(LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY, None, None, "vodline");
        loader
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .load()
            .await
    }

    /// What the stack consists of.
    pub(crate) async fn stack(&self) -> Result<Stack, CliError> {
        let config = self.sdk_config().await;
        let answer = aws_sdk_cloudformation::Client::new(&config)
            .describe_stacks()
            .stack_name(&self.stack)
            .send()
            .await
            .map_err(doing(format!("read the stack {} (is the home up? `vodline up` starts it)", self.stack)))?;
        let outputs = answer
            .stacks()
            .iter()
            .flat_map(aws_sdk_cloudformation::types::Stack::outputs)
            .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
            .collect();
        Ok(Stack { name: self.stack.clone(), outputs, config })
    }
}

/// The stack's outputs, and the configuration to reach what they name.
pub(crate) struct Stack {
    /// Its name.
    pub(crate) name: String,
    outputs: BTreeMap<String, String>,
    /// For further clients.
    pub(crate) config: SdkConfig,
}

impl Stack {
    /// All outputs.
    pub(crate) fn outputs(&self) -> &BTreeMap<String, String> {
        &self.outputs
    }

    /// An output by name.
    pub(crate) fn output(&self, name: &str) -> Result<&str, CliError> {
        self.outputs
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| CliError::Plain(format!("the stack {} has no output {name}; is it Vodline's?", self.name)))
    }

    /// Finds the execution that `id` means: an execution's ARN or name, or a video's id.
    pub(crate) async fn execution_arn(&self, id: &str) -> Result<String, CliError> {
        if id.starts_with("arn:") {
            return Ok(id.to_owned());
        }
        if let Some(video_id) = vodline_contracts::VideoId::parse(id) {
            return match crate::row::find(self, &video_id).await? {
                Some(video) => Ok(video.execution_arn),
                None => Err(CliError::Plain(format!("there is no video {id}"))),
            };
        }
        Ok(format!("{}:{id}", self.output("PublishArn")?.replace(":stateMachine:", ":execution:")))
    }
}
