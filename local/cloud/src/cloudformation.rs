//! CloudFormation, as far as reading the one stack goes: `DescribeStacks`, `ListStackResources`. This is how the CLI finds
//! the stack's resources, on both homes alike.

use std::sync::RwLock;

use async_trait::async_trait;
use http::StatusCode;
use jiff::Timestamp;
use quick_xml::escape::escape;
use vodline_core::{Account, AwsError, Protocol, Request, Response, Service};

/// An output of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A resource of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    /// The name in the template.
    pub logical_id: String,
    /// The name in the account.
    pub physical_id: String,
    /// Such as `AWS::S3::Bucket`.
    pub kind: String,
}

/// The stack as it stands.
#[derive(Debug)]
pub struct CloudFormation {
    name: String,
    id: String,
    created: Timestamp,
    state: RwLock<(Vec<Output>, Vec<StackResource>)>,
}

impl CloudFormation {
    /// The service, before the stack is up.
    #[must_use]
    pub fn new(account: &Account, name: &str, created: Timestamp) -> Self {
        Self {
            name: name.into(),
            id: account.arn("cloudformation", &format!("stack/{name}/local")),
            created,
            state: RwLock::default(),
        }
    }

    /// Sets what the stack consists of.
    pub fn publish(&self, outputs: Vec<Output>, resources: Vec<StackResource>) {
        *self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner) = (outputs, resources);
    }

    /// An output's value.
    #[must_use]
    pub fn output(&self, key: &str) -> Option<String> {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0.iter().find(|output| output.key == key).map(|output| output.value.clone())
    }

    fn check_name(&self, form: &Form<'_>) -> Result<(), AwsError> {
        match form.value("StackName") {
            Some(name) if name != self.name && name != self.id => {
                Err(AwsError::bad_request("ValidationError", format!("Stack with id {name} does not exist")))
            }
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let outputs: String = state
            .0
            .iter()
            .map(|output| {
                format!(
                    "<member><OutputKey>{}</OutputKey><OutputValue>{}</OutputValue></member>",
                    escape(&output.key),
                    escape(&output.value)
                )
            })
            .collect();
        format!(
            "<Stacks><member><StackName>{}</StackName><StackId>{}</StackId><CreationTime>{}</CreationTime>\
             <StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{outputs}</Outputs></member></Stacks>",
            escape(&self.name),
            escape(&self.id),
            self.created,
        )
    }

    fn resources(&self) -> String {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let members: String = state
            .1
            .iter()
            .map(|resource| {
                format!(
                    "<member><LogicalResourceId>{}</LogicalResourceId><PhysicalResourceId>{}</PhysicalResourceId>\
                     <ResourceType>{}</ResourceType><LastUpdatedTimestamp>{}</LastUpdatedTimestamp>\
                     <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>",
                    escape(&resource.logical_id),
                    escape(&resource.physical_id),
                    escape(&resource.kind),
                    self.created,
                )
            })
            .collect();
        format!("<StackResourceSummaries>{members}</StackResourceSummaries>")
    }
}

#[async_trait]
impl Service for CloudFormation {
    fn protocol(&self) -> Protocol {
        Protocol::Query
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let form = Form::parse(&request.body);
        let action = request.operation.as_str();
        let allowed: &[&str] = &["Action", "Version", "StackName", "NextToken"];
        if let Some(name) = form.unknown(allowed) {
            return Err(AwsError::unsupported_field("cloudformation", action, &name));
        }
        request.authorize(&format!("cloudformation:{action}"), &self.id)?;
        self.check_name(&form)?;
        let result = match action {
            "DescribeStacks" => self.describe(),
            "ListStackResources" => self.resources(),
            _ => return Err(AwsError::unsupported_operation("cloudformation", action)),
        };
        Ok(answer(action, "http://cloudformation.amazonaws.com/doc/2010-05-15/", &result, &request.request_id))
    }
}

/// STS, as far as knowing oneself goes.
#[derive(Debug)]
pub struct Sts {
    /// The account it speaks of.
    pub account: Account,
}

#[async_trait]
impl Service for Sts {
    fn protocol(&self) -> Protocol {
        Protocol::Query
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        if request.operation != "GetCallerIdentity" {
            return Err(AwsError::unsupported_operation("sts", &request.operation));
        }
        let arn = request.principal.arn();
        let result =
            format!("<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>", escape(arn), escape(arn), self.account.id);
        Ok(answer("GetCallerIdentity", "https://sts.amazonaws.com/doc/2011-06-15/", &result, &request.request_id))
    }
}

fn answer(action: &str, namespace: &str, result: &str, request_id: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    );
    Response::new(StatusCode::OK, "text/xml", body)
}

/// A form-encoded body.
pub(crate) struct Form<'a>(Vec<(&'a str, String)>);

impl<'a> Form<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            (name, percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
        });
        Self(pairs.collect())
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    fn unknown(&self, known: &[&str]) -> Option<String> {
        self.0.iter().find(|(key, _)| !known.contains(key)).map(|(key, _)| (*key).to_owned())
    }
}
