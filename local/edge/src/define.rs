//! What the template loader declares at every start. Declaring the same again changes nothing; above all it does not undo what
//! the API has changed since, as CloudFormation updates a resource only when its template has changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vodline_core::{AwsError, rusqlite::Transaction};

use crate::{
    model::{CachePolicy, DistributionConfig, OriginAccessControl, OriginRequestPolicy, ResponseHeadersPolicy},
    plane::{CODE_BYTES_MAX, Distribution},
    service::{Edge, definitions},
    table::{DefinitionRow, DistributionRow, Kind, to_json},
    xml::invalid_argument,
};

/// A distribution as the template has it.
#[derive(Clone, Debug)]
pub struct DistributionSpec {
    /// Its name in the template.
    pub logical_id: String,
    /// `DistributionConfig` of `AWS::CloudFront::Distribution`, intrinsics resolved.
    pub config: Value,
}

/// What a distribution has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionDefinition {
    /// `Ref`, and `Fn::GetAtt Id`: 14 characters.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// `Fn::GetAtt DomainName`: `d....cloudfront.net`.
    pub domain_name: String,
}

/// A function as the template has it.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name, unique in the account.
    pub name: String,
    /// `FunctionCode`: JavaScript.
    pub code: String,
    /// `FunctionConfig.Runtime`; only `cloudfront-js-2.0` is served.
    pub runtime: String,
    /// `FunctionConfig.Comment`.
    pub comment: String,
}

/// What is stored of a function.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FunctionBody {
    pub code: String,
    pub runtime: String,
    pub comment: String,
}

/// Reads what the template says; an unknown field is refused by its name.
fn read<T: serde::de::DeserializeOwned>(kind: &str, logical_id: &str, config: &Value) -> Result<T, AwsError> {
    serde_json::from_value(config.clone()).map_err(|error| invalid_argument(format!("{kind} {logical_id}: {error}")))
}

impl Edge {
    /// Declares a cache policy (`CachePolicyConfig`) and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field that does not fit.
    pub fn define_cache_policy(&self, logical_id: &str, config: &Value) -> Result<String, AwsError> {
        let policy: CachePolicy = read("cache policy", logical_id, config)?;
        self.define(Kind::CachePolicy, logical_id, &policy, || self.entropy.uuid())
    }

    /// Declares an origin request policy (`OriginRequestPolicyConfig`) and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field that does not fit.
    pub fn define_origin_request_policy(&self, logical_id: &str, config: &Value) -> Result<String, AwsError> {
        let policy: OriginRequestPolicy = read("origin request policy", logical_id, config)?;
        self.define(Kind::OriginRequestPolicy, logical_id, &policy, || self.entropy.uuid())
    }

    /// Declares a response headers policy (`ResponseHeadersPolicyConfig`) and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field that does not fit.
    pub fn define_response_headers_policy(&self, logical_id: &str, config: &Value) -> Result<String, AwsError> {
        let policy: ResponseHeadersPolicy = read("response headers policy", logical_id, config)?;
        self.define(Kind::ResponseHeadersPolicy, logical_id, &policy, || self.entropy.uuid())
    }

    /// Declares an origin access control (`OriginAccessControlConfig`) and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field that does not fit.
    pub fn define_origin_access_control(&self, logical_id: &str, config: &Value) -> Result<String, AwsError> {
        let control: OriginAccessControl = read("origin access control", logical_id, config)?;
        if control.signing_behavior != "always" || control.signing_protocol != "sigv4" {
            return Err(AwsError::unsupported_field(
                "cloudfront",
                "CreateOriginAccessControl",
                "SigningBehavior other than always, or SigningProtocol other than sigv4",
            ));
        }
        self.define(Kind::OriginAccessControl, logical_id, &control, || self.new_id('E'))
    }

    /// Declares a function and returns its ARN.
    ///
    /// # Errors
    /// `InvalidArgument`, or `FunctionSizeLimitExceeded`.
    pub fn define_function(&self, spec: FunctionSpec) -> Result<String, AwsError> {
        if spec.runtime != "cloudfront-js-2.0" {
            return Err(AwsError::unsupported_field(
                "cloudfront",
                "CreateFunction",
                &format!("Runtime: {}", spec.runtime),
            ));
        }
        if spec.code.len() > CODE_BYTES_MAX {
            let message =
                format!("the function {} has {} bytes, more than {CODE_BYTES_MAX}", spec.name, spec.code.len());
            return Err(AwsError::with_status(
                http::StatusCode::PAYLOAD_TOO_LARGE,
                "FunctionSizeLimitExceeded",
                message,
            ));
        }
        let body = FunctionBody { code: spec.code, runtime: spec.runtime, comment: spec.comment };
        let name = self.define(Kind::Function, &spec.logical_id, &body, || spec.name.clone())?;
        Ok(self.function_arn(&name))
    }

    fn define(
        &self,
        kind: Kind,
        logical_id: &str,
        definition: &impl Serialize,
        new_id: impl FnOnce() -> String,
    ) -> Result<String, AwsError> {
        let body = to_json(definition)?;
        let now = self.clock.now();
        let id = self.store.write::<_, AwsError>(|transaction| {
            let known = DefinitionRow::by_logical_id(transaction, kind, logical_id)?;
            let row = match known {
                Some(row) if row.body == body => return Ok(row.id),
                Some(row) => DefinitionRow { body, etag: self.new_id('E'), modified_at: now, ..row },
                None => DefinitionRow {
                    logical_id: logical_id.to_owned(),
                    id: new_id(),
                    etag: self.new_id('E'),
                    body,
                    created_at: now,
                    modified_at: now,
                },
            };
            row.put(transaction, kind)?;
            Ok(row.id)
        })?;
        self.deploy()?;
        Ok(id)
    }

    /// Declares a distribution. When the template is the one that was applied last, the configuration stays as it is, changes
    /// made through the API included.
    ///
    /// # Errors
    /// UpdateDistribution's, when the configuration does not fit.
    pub fn define_distribution(&self, spec: DistributionSpec) -> Result<DistributionDefinition, AwsError> {
        let mut config: DistributionConfig = read("distribution", &spec.logical_id, &spec.config)?;
        let applied = spec.config.to_string();
        let row = self.store.write::<_, AwsError>(|transaction| {
            let known = DistributionRow::by_logical_id(transaction, &spec.logical_id)?;
            let (id, domain_name) = match known {
                Some(row) if row.applied == applied => return Ok(row),
                Some(row) => {
                    config.caller_reference = row.config.caller_reference;
                    (row.id, row.domain_name)
                }
                None => {
                    config.caller_reference = self.entropy.uuid();
                    let host = self.new_id('D').to_ascii_lowercase();
                    (self.new_id('E'), format!("{host}.cloudfront.net"))
                }
            };
            let row = DistributionRow {
                id,
                logical_id: spec.logical_id.clone(),
                domain_name,
                etag: self.new_id('E'),
                config,
                applied,
                modified_at: self.clock.now(),
            };
            check(transaction, &row)?;
            row.put(transaction)?;
            Ok(row)
        })?;
        self.deploy()?;
        Ok(DistributionDefinition { arn: self.distribution_arn(&row.id), id: row.id, domain_name: row.domain_name })
    }
}

/// Whether a distribution can be served: everything it refers to is there, and its aliases are its own.
pub(crate) fn check(transaction: &Transaction<'_>, row: &DistributionRow) -> Result<(), AwsError> {
    Distribution::new(&row.id, &row.domain_name, &row.config, &definitions(transaction)?)?;
    for other in DistributionRow::all(transaction)?.iter().filter(|other| other.id != row.id) {
        if let Some(alias) = row.config.aliases.iter().find(|alias| other.config.aliases.contains(alias)) {
            return Err(AwsError::with_status(
                http::StatusCode::CONFLICT,
                "CNAMEAlreadyExists",
                format!("The alias {alias} is in use by another distribution"),
            ));
        }
    }
    Ok(())
}
