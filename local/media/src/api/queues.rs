//! The one queue, `Default`, and the old way to find the API's address.

use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use vodline_core::{AwsError, Request, Response, StoreError};

use crate::{record::Status, service::MediaConvert, store};

use super::{answer, not_found};

const DEFAULT: &str = "Default";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Queue {
    arn: String,
    name: &'static str,
    description: &'static str,
    pricing_plan: &'static str,
    status: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    concurrent_jobs: usize,
    progressing_jobs_count: u64,
    submitted_jobs_count: u64,
}

impl MediaConvert {
    /// The ARN of the queue with this name or ARN, or of the default one.
    pub(super) fn queue_arn(&self, queue: Option<&str>) -> Result<String, AwsError> {
        let arn = self.account.arn("mediaconvert", "queues/Default");
        match queue {
            None => Ok(arn),
            Some(queue) if queue == DEFAULT || queue == arn => Ok(arn),
            Some(queue) => Err(not_found(format!("no queue has the name or ARN {queue}"))),
        }
    }

    pub(super) fn get_queue(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let arn = self.queue_arn(Some(name))?;
        request.authorize("mediaconvert:GetQueue", &arn)?;
        answer(StatusCode::OK, &json!({ "queue": self.default_queue()? }))
    }

    pub(super) fn list_queues(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:ListQueues", "*")?;
        answer(StatusCode::OK, &json!({ "queues": [self.default_queue()?] }))
    }

    /// The caller's own address: every client has found the API already.
    pub(super) fn describe_endpoints(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:DescribeEndpoints", "*")?;
        let host = request.header("host").unwrap_or("127.0.0.1");
        answer(StatusCode::OK, &json!({ "endpoints": [{ "url": format!("http://{host}") }] }))
    }

    fn default_queue(&self) -> Result<Queue, AwsError> {
        let count = |status| self.store.read::<_, StoreError>(|connection| store::count(connection, status));
        Ok(Queue {
            arn: self.queue_arn(None)?,
            name: DEFAULT,
            description: "Default queue",
            pricing_plan: "ON_DEMAND",
            status: "ACTIVE",
            kind: "SYSTEM",
            concurrent_jobs: self.concurrent_jobs_max,
            progressing_jobs_count: count(Status::Progressing)?,
            submitted_jobs_count: count(Status::Submitted)?,
        })
    }
}
