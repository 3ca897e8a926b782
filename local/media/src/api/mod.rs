//! The API: paths to operations.
//! Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/resources.html>.

mod create;
mod jobs;
mod page;
mod presets;
mod probe;
mod queues;
mod shapes;
mod tags;
mod templates;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;
use vodline_core::{AwsError, Protocol, Request, Response, Service};

use crate::service::MediaConvert;

/// The API's version, which begins every path.
const VERSION: &str = "/2017-08-29/";

#[async_trait]
impl Service for MediaConvert {
    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let path = request.path.strip_prefix(VERSION).unwrap_or_default().trim_end_matches('/');
        let parts: Vec<_> = path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
        let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
        match (&request.method, parts.as_slice()) {
            (&Method::POST, ["jobs"]) => self.create_job(&request),
            (&Method::GET, ["jobs"]) => self.list_jobs(&request),
            (&Method::GET, ["search"]) => self.search_jobs(&request),
            (&Method::GET, ["jobs", id]) => self.get_job(&request, id),
            (&Method::DELETE, ["jobs", id]) => self.cancel_job(&request, id),
            (&Method::POST, ["probe"]) => self.probe(&request).await,
            (&Method::POST, ["queues"]) => self.create_queue(&request),
            (&Method::PUT, ["queues", name]) => self.update_queue(&request, name),
            (&Method::DELETE, ["queues", name]) => self.delete_queue(&request, name),
            (&Method::GET, ["queues"]) => self.list_queues(&request),
            (&Method::GET, ["queues", name]) => self.get_queue(&request, name),
            (&Method::POST, ["endpoints"]) => self.describe_endpoints(&request),
            (&Method::POST, ["jobTemplates"]) => self.create_template(&request),
            (&Method::GET, ["jobTemplates"]) => self.list_templates(&request),
            (&Method::GET, ["jobTemplates", name]) => self.get_template(&request, name),
            (&Method::PUT, ["jobTemplates", name]) => self.update_template(&request, name),
            (&Method::DELETE, ["jobTemplates", name]) => self.delete_template(&request, name),
            (&Method::POST, ["presets"]) => self.create_preset(&request),
            (&Method::GET, ["presets"]) => self.list_presets(&request),
            (&Method::GET, ["presets", name]) => self.get_preset(&request, name),
            (&Method::PUT, ["presets", name]) => self.update_preset(&request, name),
            (&Method::DELETE, ["presets", name]) => self.delete_preset(&request, name),
            (&Method::POST, ["tags"]) => self.tag(&request),
            (&Method::PUT, ["tags", arn @ ..]) => self.untag(&request, &arn.join("/")),
            (&Method::GET, ["tags", arn @ ..]) => self.list_tags(&request, &arn.join("/")),
            (method, parts) => Err(unsupported(method, parts)),
        }
    }
}

fn unsupported(method: &Method, parts: &[&str]) -> AwsError {
    let operation = match (method.as_str(), parts) {
        ("GET", ["policy"]) => "GetPolicy",
        ("PUT", ["policy"]) => "PutPolicy",
        ("DELETE", ["policy"]) => "DeletePolicy",
        ("POST", ["certificates"]) => "AssociateCertificate",
        ("DELETE", ["certificates", _]) => "DisassociateCertificate",
        ("GET", ["versions"]) => "ListVersions",
        ("POST", ["resourceShares"]) => "CreateResourceShare",
        ("POST", ["jobsQueries"]) => "StartJobsQuery",
        ("GET", ["jobsQueries", _]) => "GetJobsQueryResults",
        _ => {
            let what = format!("{method} {}", parts.join("/"));
            return AwsError::unsupported_operation("mediaconvert", &what);
        }
    };
    AwsError::unsupported_operation("mediaconvert", operation)
}

/// A body as JSON. Kept untyped only until its parts are decoded with their paths.
fn body(request: &Request) -> Result<Value, AwsError> {
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(body).map_err(|error| bad_request(format!("the body is not JSON: {error}")))
}

fn bad_request(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("BadRequestException", message)
}

fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::not_found("NotFoundException", message)
}

fn conflict(message: impl Into<String>) -> AwsError {
    AwsError::with_status(StatusCode::CONFLICT, "ConflictException", message)
}

fn answer(status: StatusCode, value: &impl Serialize) -> Result<Response, AwsError> {
    let body = serde_json::to_vec(value).map_err(|error| AwsError::internal(error.to_string()))?;
    Ok(Response::new(status, "application/json", Bytes::from(body)))
}
