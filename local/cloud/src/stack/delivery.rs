//! The distribution and what belongs to it.

use serde::Deserialize;
use serde_json::Value;
use vodline_edge::{DistributionSpec, FunctionSpec};

use super::{Builder, Resource, StackError};
use crate::template::Attributes;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Function {
    name: String,
    function_code: String,
    function_config: FunctionConfig,
    /// Without it, the function is only in the stage DEVELOPMENT, which no distribution runs.
    #[serde(default)]
    auto_publish: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FunctionConfig {
    runtime: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    key_value_store_associations: Vec<KeyValueStoreAssociation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyValueStoreAssociation {
    #[serde(rename = "KeyValueStoreARN")]
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyValueStore {
    name: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BucketPolicy {
    bucket: String,
    policy_document: Value,
}

impl Builder<'_> {
    pub(super) fn origin_access_control(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let config = config(resource, "OriginAccessControlConfig")?;
        let id =
            self.services.cloudfront.define_origin_access_control(resource.id, config).map_err(resource.refused())?;
        Ok(Attributes::new(&id).with("Id", &id))
    }

    pub(super) fn edge_function(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let function: Function = resource.decode()?;
        let spec = FunctionSpec {
            logical_id: resource.id.into(),
            name: function.name,
            code: function.function_code,
            runtime: function.function_config.runtime,
            comment: function.function_config.comment,
            key_value_stores: function
                .function_config
                .key_value_store_associations
                .into_iter()
                .map(|association| association.arn)
                .collect(),
            auto_publish: function.auto_publish,
        };
        let arn = self.services.cloudfront.define_function(spec).map_err(resource.refused())?;
        Ok(Attributes::new(&arn).with("FunctionARN", &arn).with("FunctionMetadata.FunctionARN", &arn))
    }

    pub(super) fn key_value_store(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let store: KeyValueStore = resource.decode()?;
        let defined = self
            .services
            .cloudfront
            .define_key_value_store(resource.id, &store.name, &store.comment)
            .map_err(resource.refused())?;
        Ok(Attributes::new(&store.name).with("Arn", &defined.arn).with("Id", &defined.id).with("Status", "READY"))
    }

    pub(super) fn public_key(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let config = config(resource, "PublicKeyConfig")?;
        let id = self.services.cloudfront.define_public_key(resource.id, config).map_err(resource.refused())?;
        Ok(Attributes::new(&id).with("Id", &id))
    }

    pub(super) fn key_group(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let config = config(resource, "KeyGroupConfig")?;
        let id = self.services.cloudfront.define_key_group(resource.id, config).map_err(resource.refused())?;
        Ok(Attributes::new(&id).with("Id", &id))
    }

    /// A bucket's policy counts where CloudFront reads the bucket.
    pub(super) fn bucket_policy(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let policy: BucketPolicy = resource.decode()?;
        self.services
            .bucket_policies
            .define(&policy.bucket, &policy.policy_document)
            .map_err(|error| resource.error("Properties.PolicyDocument", error.to_string()))?;
        Ok(Attributes::new(&policy.bucket))
    }

    pub(super) fn cache_policy(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let config = config(resource, "CachePolicyConfig")?;
        let id = self.services.cloudfront.define_cache_policy(resource.id, config).map_err(resource.refused())?;
        Ok(Attributes::new(&id).with("Id", &id))
    }

    pub(super) fn response_headers_policy(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let config = config(resource, "ResponseHeadersPolicyConfig")?;
        let id =
            self.services.cloudfront.define_response_headers_policy(resource.id, config).map_err(resource.refused())?;
        Ok(Attributes::new(&id).with("Id", &id))
    }

    pub(super) fn distribution(&self, resource: &Resource<'_>) -> Result<Attributes, StackError> {
        let config = config(resource, "DistributionConfig")?;
        let spec = DistributionSpec { logical_id: resource.id.into(), config: config.clone() };
        let defined = self.services.cloudfront.define_distribution(spec).map_err(resource.refused())?;
        Ok(Attributes::new(&defined.id).with("Id", &defined.id).with("DomainName", &defined.domain_name))
    }
}

/// The one property such a resource has.
fn config<'a>(resource: &'a Resource<'_>, name: &str) -> Result<&'a Value, StackError> {
    let properties = resource.properties.as_object();
    if let Some(other) = properties.and_then(|all| all.keys().find(|key| *key != name)) {
        return Err(resource.error(&format!("Properties.{other}"), "the local home does not support this property"));
    }
    properties.and_then(|all| all.get(name)).ok_or_else(|| resource.error("Properties", format!("has no {name}")))
}
