//! Buckets, tables, secrets, queues.

use serde::{Deserialize, de::IgnoredAny};
use vodline_data::{GenerateSecretString, SecretSource, SecretSpec, TableSpec};
use vodline_events::{QueueSettings, QueueSpec};
use vodline_s3::{BucketSpec, CorsRule};

use super::{Builder, Resource, StackError};
use crate::template::Attributes;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Bucket {
    bucket_name: String,
    #[serde(default)]
    versioning_configuration: Option<Versioning>,
    #[serde(default)]
    notification_configuration: Option<Notification>,
    #[serde(default)]
    cors_configuration: Option<Cors>,
    #[serde(default)]
    lifecycle_configuration: Option<Lifecycle>,
    /// Locally nothing is public to begin with.
    #[serde(default, rename = "PublicAccessBlockConfiguration")]
    _public_access: Option<IgnoredAny>,
    /// Locally every object belongs to the bucket's owner, whoever wrote it.
    #[serde(default, rename = "OwnershipControls")]
    _ownership: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Versioning {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Notification {
    event_bridge_configuration: EventBridge,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventBridge {
    event_bridge_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Cors {
    cors_rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rule {
    allowed_origins: Vec<String>,
    allowed_methods: Vec<String>,
    #[serde(default)]
    allowed_headers: Vec<String>,
    #[serde(default)]
    exposed_headers: Vec<String>,
    #[serde(default)]
    max_age: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Lifecycle {
    rules: Vec<LifecycleRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LifecycleRule {
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    status: String,
    #[serde(default)]
    abort_incomplete_multipart_upload: Option<AbortUploads>,
    /// Of log files. Locally they stay until somebody deletes them: whose machine it is decides what is kept on it.
    #[serde(default, rename = "ExpirationInDays")]
    _expiration_in_days: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AbortUploads {
    days_after_initiation: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Secret {
    name: String,
    #[serde(default)]
    description: Option<String>,
    generate_secret_string: GenerateSecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Queue {
    queue_name: String,
    #[serde(default)]
    message_retention_period: Option<u32>,
    #[serde(default)]
    visibility_timeout: Option<u32>,
    /// The data directory is as safe as its owner keeps it.
    #[serde(default, rename = "SqsManagedSseEnabled")]
    _encryption: Option<IgnoredAny>,
}

impl Builder<'_> {
    pub(super) fn bucket(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let bucket: Bucket = resource.decode()?;
        let name = bucket.bucket_name;
        let rules = bucket.cors_configuration.map(|cors| cors.cors_rules).unwrap_or_default();
        let spec = BucketSpec {
            name: name.clone(),
            versioned: bucket.versioning_configuration.is_some_and(|versioning| versioning.status == "Enabled"),
            event_bridge: bucket
                .notification_configuration
                .is_some_and(|notification| notification.event_bridge_configuration.event_bridge_enabled),
            cors: rules
                .into_iter()
                .map(|rule| CorsRule {
                    id: None,
                    allowed_origins: rule.allowed_origins,
                    allowed_methods: rule.allowed_methods,
                    allowed_headers: rule.allowed_headers,
                    expose_headers: rule.exposed_headers,
                    max_age_seconds: rule.max_age,
                })
                .collect(),
            abort_uploads_after_days: bucket.lifecycle_configuration.and_then(|lifecycle| {
                let enabled = lifecycle.rules.into_iter().filter(|rule| rule.status == "Enabled");
                enabled.filter_map(|rule| Some(rule.abort_incomplete_multipart_upload?.days_after_initiation)).min()
            }),
        };
        self.services.s3.define_bucket(&spec).map_err(resource.refused())?;
        let region = &self.setting.account.region;
        Ok(Attributes::new(&name)
            .with("Arn", format!("arn:aws:s3:::{name}"))
            .with("DomainName", format!("{name}.s3.amazonaws.com"))
            .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")))
    }

    pub(super) fn table(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let spec: TableSpec = resource.decode()?;
        let name = spec.table_name.clone();
        self.services.dynamodb.define_table(&spec).map_err(resource.refused())?;
        Ok(Attributes::new(&name).with("Arn", self.setting.account.arn("dynamodb", &format!("table/{name}"))))
    }

    pub(super) fn secret(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let secret: Secret = resource.decode()?;
        let spec = SecretSpec {
            name: secret.name,
            description: secret.description,
            source: SecretSource::Generated(secret.generate_secret_string),
        };
        let arn = self.services.secrets.define_secret(&spec).map_err(resource.refused())?;
        Ok(Attributes::new(&arn).with("Id", &arn))
    }

    pub(super) fn queue(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let queue: Queue = resource.decode()?;
        let mut settings = QueueSettings::default();
        if let Some(seconds) = queue.message_retention_period {
            settings.retention_s = seconds;
        }
        if let Some(seconds) = queue.visibility_timeout {
            settings.visibility_timeout_s = seconds;
        }
        let spec = QueueSpec { name: queue.queue_name.clone(), settings };
        self.services.queues.define_queue(&spec).map_err(resource.refused())?;
        let url = self.services.queues.url(&queue.queue_name);
        Ok(Attributes::new(&url)
            .with("QueueUrl", &url)
            .with("Arn", self.services.queues.arn(&queue.queue_name))
            .with("QueueName", &queue.queue_name))
    }
}
