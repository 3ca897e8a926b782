//! What the template loader declares at every start. Declaring the same again changes nothing; above all it does not undo what
//! the API has changed since, as CloudFormation updates a resource only when its template has changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vodline_core::{AwsError, rusqlite::Transaction};

use crate::{
    model::{
        CachePolicy, DistributionConfig, KeyGroup, KeyValueStore, OriginAccessControl, OriginRequestPolicy, PublicKey,
        ResponseHeadersPolicy,
    },
    plane::{CODE_BYTES_MAX, Distribution, TrustedKey},
    service::{Edge, definitions},
    table::{DefinitionRow, DistributionRow, KeyValueVersion, Kind, to_json},
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
    /// `FunctionConfig.KeyValueStoreAssociations`: ARNs of stores; at most one.
    pub key_value_stores: Vec<String>,
    /// `AutoPublish`: whether the code becomes the stage LIVE as well.
    pub auto_publish: bool,
}

/// What a key value store has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueStoreDefinition {
    /// `Fn::GetAtt Id`: a UUID.
    pub id: String,
    /// `Fn::GetAtt Arn`.
    pub arn: String,
}

/// Keys of a key group; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-key-groups>.
const GROUP_KEYS_MAX: usize = 5;

/// What is stored of a function.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FunctionBody {
    pub code: String,
    pub runtime: String,
    pub comment: String,
    /// ARNs.
    #[serde(default)]
    pub key_value_stores: Vec<String>,
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
        check_access_control("CreateOriginAccessControl", &control)?;
        self.define(Kind::OriginAccessControl, logical_id, &control, || self.new_id('E'))
    }

    /// Declares a public key (`PublicKeyConfig`) and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` when it is none, or naming the field that does not fit.
    pub fn define_public_key(&self, logical_id: &str, config: &Value) -> Result<String, AwsError> {
        let key: PublicKey = read("public key", logical_id, config)?;
        TrustedKey::parse("", &key.encoded_key)?;
        self.define(Kind::PublicKey, logical_id, &key, || self.new_id('K'))
    }

    /// Declares a key group (`KeyGroupConfig`) and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` when a key does not exist, or naming the field that does not fit.
    pub fn define_key_group(&self, logical_id: &str, config: &Value) -> Result<String, AwsError> {
        let group: KeyGroup = read("key group", logical_id, config)?;
        self.store.write::<_, AwsError>(|transaction| check_key_group(transaction, &group))?;
        self.define(Kind::KeyGroup, logical_id, &group, || self.entropy.uuid())
    }

    /// Declares a key value store. Its pairs stay what they are.
    ///
    /// # Errors
    /// Only the store's own.
    pub fn define_key_value_store(
        &self,
        logical_id: &str,
        name: &str,
        comment: &str,
    ) -> Result<KeyValueStoreDefinition, AwsError> {
        let id = self.store.write::<_, AwsError>(|transaction| {
            let known = DefinitionRow::by_logical_id(transaction, Kind::KeyValueStore, logical_id)?;
            let now = self.clock.now();
            let applied = format!("{name}\n{comment}");
            let (id, row) = match known {
                Some(row) if row.applied == applied => return Ok(row.read::<KeyValueStore>()?.id),
                Some(row) => (row.read::<KeyValueStore>()?.id, row),
                None => {
                    let id = self.entropy.uuid();
                    first_version(self).put(transaction, &id)?;
                    let row = DefinitionRow {
                        logical_id: logical_id.to_owned(),
                        id: String::new(),
                        etag: String::new(),
                        body: String::new(),
                        applied: String::new(),
                        created_at: now,
                        modified_at: now,
                    };
                    (id, row)
                }
            };
            let body = to_json(&KeyValueStore { id: id.clone(), comment: comment.to_owned() })?;
            let row =
                DefinitionRow { id: name.to_owned(), etag: self.new_id('E'), body, applied, modified_at: now, ..row };
            row.put(transaction, Kind::KeyValueStore)?;
            Ok(id)
        })?;
        self.deploy()?;
        Ok(KeyValueStoreDefinition { arn: self.store_arn(&id), id })
    }

    /// Declares a function and returns its ARN.
    ///
    /// # Errors
    /// `InvalidArgument`, or `FunctionSizeLimitExceeded`.
    pub fn define_function(&self, spec: FunctionSpec) -> Result<String, AwsError> {
        let body = FunctionBody {
            code: spec.code,
            runtime: spec.runtime,
            comment: spec.comment,
            key_value_stores: spec.key_value_stores,
        };
        self.store.write::<_, AwsError>(|transaction| check_function("CreateFunction", transaction, &body))?;
        let name = self.define(Kind::Function, &spec.logical_id, &body, || spec.name.clone())?;
        if spec.auto_publish {
            self.publish_declared(&spec.logical_id)?;
        }
        Ok(self.function_arn(&name))
    }

    /// Publishes what the template says of a function, unless that is what it published last.
    fn publish_declared(&self, logical_id: &str) -> Result<(), AwsError> {
        self.store.write::<_, AwsError>(|transaction| {
            let live = DefinitionRow::by_logical_id(transaction, Kind::LiveFunction, logical_id)?;
            match DefinitionRow::by_logical_id(transaction, Kind::Function, logical_id)? {
                Some(row) if live.is_none_or(|live| live.applied != row.applied) => {
                    Ok(row.put(transaction, Kind::LiveFunction)?)
                }
                _ => Ok(()),
            }
        })?;
        self.deploy()?;
        Ok(())
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
            let applied = body.clone();
            let row = match known {
                Some(row) if row.applied == applied => return Ok(row.id),
                Some(row) => DefinitionRow { body, applied, etag: self.new_id('E'), modified_at: now, ..row },
                None => DefinitionRow {
                    logical_id: logical_id.to_owned(),
                    id: new_id(),
                    etag: self.new_id('E'),
                    body,
                    applied,
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
        config.check_template()?;
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
                    (self.new_id('E'), self.new_domain_name())
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
    Distribution::new(&row.id, "", &row.domain_name, &row.config, &definitions(transaction)?)?;
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

/// Whether a key group's keys are there, and not too many.
pub(crate) fn check_key_group(transaction: &Transaction<'_>, group: &KeyGroup) -> Result<(), AwsError> {
    if group.items.len() > GROUP_KEYS_MAX {
        return Err(AwsError::bad_request(
            "TooManyPublicKeysInKeyGroup",
            "The number of public keys in this key group is more than the maximum allowed.",
        ));
    }
    if group.items.is_empty() {
        return Err(invalid_argument("a key group needs a public key"));
    }
    for key in &group.items {
        if DefinitionRow::find(transaction, Kind::PublicKey, key)?.is_none() {
            return Err(invalid_argument(format!("the public key {key} does not exist")));
        }
    }
    Ok(())
}

/// Whether the edge can sign as an origin access control says.
pub(crate) fn check_access_control(operation: &str, control: &OriginAccessControl) -> Result<(), AwsError> {
    let refused = |what: &str| Err(AwsError::unsupported_field("cloudfront", operation, what));
    match control.origin_access_control_origin_type.as_str() {
        "s3" => {}
        "mediastore" | "mediapackagev2" | "lambda" => {
            return refused("OriginAccessControlOriginType other than s3");
        }
        other => return Err(invalid_argument(format!("the OriginAccessControlOriginType {other:?}"))),
    }
    match control.signing_behavior.as_str() {
        "always" | "never" => {}
        "no-override" => return refused("SigningBehavior: no-override"),
        other => return Err(invalid_argument(format!("the SigningBehavior {other:?}"))),
    }
    if control.signing_protocol != "sigv4" {
        return Err(invalid_argument(format!("the SigningProtocol {:?}", control.signing_protocol)));
    }
    if control.name.is_empty() || control.name.len() > 64 {
        return Err(invalid_argument("the Name of an origin access control has 1 to 64 characters"));
    }
    Ok(())
}

/// Whether a function can be run: its runtime, its size, the store it reads.
pub(crate) fn check_function(
    operation: &str,
    transaction: &Transaction<'_>,
    body: &FunctionBody,
) -> Result<(), AwsError> {
    if body.runtime != "cloudfront-js-2.0" {
        return Err(AwsError::unsupported_field("cloudfront", operation, &format!("Runtime: {}", body.runtime)));
    }
    if body.code.len() > CODE_BYTES_MAX {
        let message = format!("the function has {} bytes, more than {CODE_BYTES_MAX}", body.code.len());
        return Err(AwsError::with_status(http::StatusCode::PAYLOAD_TOO_LARGE, "FunctionSizeLimitExceeded", message));
    }
    if body.key_value_stores.len() > 1 {
        return Err(invalid_argument("a function may have one key value store"));
    }
    let stores = DefinitionRow::all(transaction, Kind::KeyValueStore)?;
    for arn in &body.key_value_stores {
        let mut known = false;
        for store in &stores {
            known |= arn.rsplit('/').next() == Some(store.read::<KeyValueStore>()?.id.as_str());
        }
        if !known {
            return Err(invalid_argument(format!("the key value store {arn} does not exist")));
        }
    }
    Ok(())
}

/// What is known of a store that has no pairs yet.
pub(crate) fn first_version(edge: &Edge) -> KeyValueVersion {
    KeyValueVersion { etag: edge.new_id('E'), modified_at: edge.clock.now() }
}
