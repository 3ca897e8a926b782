//! The distribution and what belongs to it.

use serde::{Deserialize, de::IgnoredAny};
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
    /// Here a function is live as soon as it is defined.
    #[serde(default, rename = "AutoPublish")]
    _auto_publish: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FunctionConfig {
    runtime: String,
    #[serde(default)]
    comment: String,
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
        };
        let arn = self.services.cloudfront.define_function(spec).map_err(resource.refused())?;
        Ok(Attributes::new(&arn).with("FunctionARN", &arn).with("FunctionMetadata.FunctionARN", &arn))
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
