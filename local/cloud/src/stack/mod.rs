//! Brings the template's resources up, each in its service; at every start, so that a changed template takes effect.
//!
//! One module a family of resource types. Properties are decoded strictly: one that the local home does not honour is refused
//! by its name, and one that has no meaning on one machine is listed as such where it is decoded.

mod compute;
mod content;
mod delivery;
mod events;
mod storage;

use std::{collections::BTreeMap, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::Value;
use vodline_core::{Account, AwsError, Entropy};
use vodline_data::{DynamoDb, SecretsManager};
use vodline_edge::Edge;
use vodline_events::{Events, Queues};
use vodline_lambda::Lambda;
use vodline_s3::S3;
use vodline_states::States;

use crate::{
    bucket_policy::BucketPolicies,
    cloudformation::{Output, StackResource},
    http_api::{HttpApis, Route},
    iam::{Iam, PolicyError},
    template::{Attributes, Evaluator, Template, TemplateError},
};

/// Resource types that mean nothing on one machine: nobody watches alarms there, and a queue's policy admits AWS services that
/// are this very process.
const WITHOUT_EFFECT: &[&str] =
    &["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Logs::LogGroup", "AWS::SQS::QueuePolicy"];

/// A resource could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The template is at fault.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A role's policy is at fault.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The resource's service refused.
    #[error("Resources.{logical_id} ({kind}) was refused")]
    Refused {
        /// Its name in the template.
        logical_id: String,
        /// Its type.
        kind: String,
        /// What the service says.
        #[source]
        source: AwsError,
    },
    /// A file that the template names cannot be used.
    #[error("cannot read {path}, which Resources.{logical_id} names")]
    File {
        /// Its name in the template.
        logical_id: String,
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The services that resources live in.
#[derive(Clone)]
pub struct Services {
    /// Buckets.
    pub s3: Arc<S3>,
    /// Tables.
    pub dynamodb: Arc<DynamoDb>,
    /// Secrets.
    pub secrets: Arc<SecretsManager>,
    /// Queues.
    pub queues: Arc<Queues>,
    /// Rules and buses.
    pub events: Arc<Events>,
    /// Functions.
    pub lambda: Arc<Lambda>,
    /// State machines.
    pub states: Arc<States>,
    /// Which distribution may read which bucket.
    pub bucket_policies: Arc<BucketPolicies>,
    /// Distributions and what belongs to them.
    pub cloudfront: Arc<Edge>,
    /// HTTP APIs.
    pub http_apis: Arc<HttpApis>,
    /// Roles.
    pub iam: Arc<Iam>,
}

/// What a stack needs to know of where it comes up.
pub struct Setting<'a> {
    /// Its template.
    pub template: &'a Template,
    /// Its name.
    pub name: &'a str,
    /// Values for parameters.
    pub parameters: BTreeMap<String, String>,
    /// The account.
    pub account: &'a Account,
    /// Names of temporary files.
    pub entropy: &'a dyn Entropy,
    /// A folder for temporary files, on the file system of the objects.
    pub scratch: std::path::PathBuf,
}

/// A stack that is up.
pub struct Stack {
    /// The template's outputs.
    pub outputs: Vec<Output>,
    /// What it consists of.
    pub resources: Vec<StackResource>,
}

/// Brings every resource up, in an order in which each finds what it mentions.
///
/// # Errors
/// At the first resource that cannot be brought up; says which and why.
pub async fn bring_up(services: &Services, setting: &Setting<'_>) -> Result<Stack, StackError> {
    let template = setting.template;
    let pseudo = BTreeMap::from([
        ("AWS::AccountId".to_owned(), setting.account.id.clone()),
        ("AWS::Partition".to_owned(), "aws".to_owned()),
        ("AWS::Region".to_owned(), setting.account.region.clone()),
        ("AWS::StackName".to_owned(), setting.name.to_owned()),
        ("AWS::URLSuffix".to_owned(), "amazonaws.com".to_owned()),
    ]);
    let evaluator = Evaluator::new(template, pseudo, &setting.parameters)?;
    let mut builder =
        Builder { services, setting, evaluator, resources: Vec::new(), rules: Vec::new(), routes: BTreeMap::new() };
    let order = template.creation_order()?;
    for id in &order {
        builder.create(id).await?;
    }
    // Triggers come last: they name functions and machines, and nothing should set off a half-built stack.
    for id in &order {
        builder.connect(id)?;
    }
    builder.settle_triggers()?;
    for id in &order {
        builder.fill(id)?;
    }
    let mut outputs = Vec::new();
    for (key, value) in &template.outputs {
        let value = builder.evaluator.evaluate(value, &format!("Outputs.{key}"))?;
        outputs.push(Output { key: key.clone(), value: value.as_str().unwrap_or_default().to_owned() });
    }
    Ok(Stack { outputs, resources: builder.resources })
}

struct Builder<'a> {
    services: &'a Services,
    setting: &'a Setting<'a>,
    evaluator: Evaluator<'a>,
    resources: Vec<StackResource>,
    /// Names of the rules that the template has.
    rules: Vec<String>,
    /// Routes by API.
    routes: BTreeMap<String, Vec<Route>>,
}

/// One resource, evaluated.
struct Resource<'a> {
    id: &'a str,
    kind: &'a str,
    properties: Value,
    metadata: Value,
}

impl Resource<'_> {
    /// The properties as `T` knows them.
    fn decode<T: DeserializeOwned>(&self) -> Result<T, StackError> {
        T::deserialize(&self.properties).map_err(|error| self.error("Properties", error.to_string()))
    }

    fn error(&self, below: &str, message: impl Into<String>) -> StackError {
        TemplateError::new(format!("Resources.{}.{below}", self.id), message).into()
    }

    /// Turns a service's refusal into one that names the resource.
    fn refused(&self) -> impl FnOnce(AwsError) -> StackError {
        let (logical_id, kind) = (self.id.to_owned(), self.kind.to_owned());
        move |source| StackError::Refused { logical_id, kind, source }
    }
}

impl<'a> Builder<'a> {
    fn resource<'r>(&self, id: &'r str) -> Result<Option<Resource<'r>>, StackError>
    where
        'a: 'r,
    {
        let template: &'a Template = self.setting.template;
        let declaration = &template.resources[id];
        if let Some(condition) = &declaration.condition
            && !self.evaluator.condition(condition, &format!("Resources.{id}"))?
        {
            return Ok(None);
        }
        Ok(Some(Resource {
            id,
            kind: &declaration.kind,
            properties: self.evaluator.evaluate(&declaration.properties, &format!("Resources.{id}.Properties"))?,
            metadata: self.evaluator.evaluate(&declaration.metadata, &format!("Resources.{id}.Metadata"))?,
        }))
    }

    async fn create(&mut self, id: &str) -> Result<(), StackError> {
        let Some(resource) = self.resource(id)? else { return Ok(()) };
        let attributes = match resource.kind {
            "AWS::S3::Bucket" => self.bucket(&resource)?,
            "AWS::S3::BucketPolicy" => self.bucket_policy(&resource)?,
            "AWS::DynamoDB::Table" => self.table(&resource)?,
            "AWS::SecretsManager::Secret" => self.secret(&resource)?,
            "AWS::SQS::Queue" => self.queue(&resource)?,
            "AWS::IAM::Role" => self.role(&resource)?,
            "AWS::Serverless::Function" => self.function(&resource)?,
            "AWS::Serverless::StateMachine" => self.state_machine(&resource)?,
            "AWS::Serverless::HttpApi" => self.http_api(&resource)?,
            "AWS::Events::EventBus" => self.event_bus(&resource)?,
            "AWS::CloudFront::OriginAccessControl" => self.origin_access_control(&resource)?,
            "AWS::CloudFront::Function" => self.edge_function(&resource)?,
            "AWS::CloudFront::KeyValueStore" => self.key_value_store(&resource)?,
            "AWS::CloudFront::PublicKey" => self.public_key(&resource)?,
            "AWS::CloudFront::KeyGroup" => self.key_group(&resource)?,
            "AWS::CloudFront::CachePolicy" => self.cache_policy(&resource)?,
            "AWS::CloudFront::ResponseHeadersPolicy" => self.response_headers_policy(&resource)?,
            "AWS::CloudFront::Distribution" => self.distribution(&resource)?,
            kind if WITHOUT_EFFECT.contains(&kind) => Attributes::new(id),
            kind => return Err(resource.error("Type", format!("the local home does not support {kind}"))),
        };
        self.resources.push(StackResource {
            logical_id: id.into(),
            physical_id: attributes.reference.clone(),
            kind: resource.kind.into(),
        });
        self.evaluator.resources.insert(id.into(), attributes);
        Ok(())
    }
}
