//! Queues, and the old way to find the API's address.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vodline_core::{AwsError, Request, Response, StoreError};

use crate::{
    definition::{self, DEFAULT_QUEUE, Definition, Header, Queue, QueueStatus},
    job::decode,
    queue,
    record::Status,
    service::MediaConvert,
    store,
};

use super::{answer, bad_request, body, conflict, create::check_tags, not_found, page::ListBy};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateQueue {
    name: String,
    description: Option<String>,
    #[serde(default)]
    status: QueueStatus,
    concurrent_jobs: Option<u32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(rename = "pricingPlan")]
    _pricing_plan: Option<OnDemand>,
}

/// Reserved slots are bought; the home sells none.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum OnDemand {
    OnDemand,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateQueue {
    description: Option<String>,
    status: Option<QueueStatus>,
    concurrent_jobs: Option<u32>,
}

/// A queue as AWS writes it. Source: aws-sdk-mediaconvert 1.153, `types::Queue`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueShape {
    arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    pricing_plan: &'static str,
    status: QueueStatus,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent_jobs: Option<u32>,
    progressing_jobs_count: u32,
    submitted_jobs_count: u32,
    created_at: i64,
    last_updated: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueuesAnswer {
    queues: Vec<QueueShape>,
    /// What the home runs at once, over all queues.
    total_concurrent_jobs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl MediaConvert {
    /// The ARN of the queue with this name or ARN, or of the default one.
    pub(super) fn queue_arn(&self, queue: Option<&str>) -> Result<String, AwsError> {
        let name = self.queue_name(queue.unwrap_or(DEFAULT_QUEUE));
        let arn = Queue::arn(&self.account, name);
        if self.store.read::<_, StoreError>(|connection| queue::exists(connection, &self.account, &arn))? {
            return Ok(arn);
        }
        Err(not_found(format!("no queue has the name or ARN {name}")))
    }

    pub(super) fn create_queue(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:CreateQueue", &Queue::arn(&self.account, "*"))?;
        let body = body(request)?;
        let create: CreateQueue = decode(&body)?;
        check_name(&create.name)?;
        check_tags(&create.tags)?;
        check_concurrency(create.concurrent_jobs)?;
        let now = self.clock.now().as_millisecond();
        let queue = Queue {
            header: Header {
                name: create.name,
                description: create.description,
                category: None,
                created_ms: now,
                updated_ms: now,
                tags: create.tags,
            },
            status: create.status,
            concurrent_jobs: create.concurrent_jobs,
        };
        let taken = queue.header.name == DEFAULT_QUEUE
            || !self.store.write::<_, StoreError>(|transaction| definition::insert(transaction, &queue))?;
        if taken {
            return Err(conflict(format!("there is a queue of the name {} already", queue.header.name)));
        }
        answer(StatusCode::CREATED, &json!({ "queue": self.queue_shape(queue)? }))
    }

    pub(super) fn update_queue(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let name = self.queue_name(name);
        request.authorize("mediaconvert:UpdateQueue", &Queue::arn(&self.account, name))?;
        let body = body(request)?;
        let update: UpdateQueue = decode(&body)?;
        check_concurrency(update.concurrent_jobs)?;
        refuse_system(name)?;
        let now = self.clock.now().as_millisecond();
        let queue = self.store.write::<_, AwsError>(|transaction| {
            let queue = definition::get::<Queue>(transaction, name)?;
            let mut queue = queue.ok_or_else(|| not_found(format!("no queue has the name or ARN {name}")))?;
            queue.header.description = update.description.or(queue.header.description);
            queue.header.updated_ms = now;
            queue.status = update.status.unwrap_or(queue.status);
            queue.concurrent_jobs = update.concurrent_jobs.or(queue.concurrent_jobs);
            definition::update(transaction, &queue)?;
            Ok(queue)
        })?;
        self.queues_changed.notify_one();
        answer(StatusCode::OK, &json!({ "queue": self.queue_shape(queue)? }))
    }

    pub(super) fn delete_queue(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let name = self.queue_name(name);
        let arn = Queue::arn(&self.account, name);
        request.authorize("mediaconvert:DeleteQueue", &arn)?;
        refuse_system(name)?;
        self.store.write::<_, AwsError>(|transaction| {
            let busy = store::count(transaction, &arn, Status::Submitted)?
                + store::count(transaction, &arn, Status::Progressing)?;
            if busy > 0 {
                return Err(conflict(format!("the queue {name} has {busy} jobs that have not ended")));
            }
            if !definition::delete::<Queue>(transaction, name)? {
                return Err(not_found(format!("no queue has the name or ARN {name}")));
            }
            Ok(())
        })?;
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    pub(super) fn get_queue(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let name = self.queue_name(name);
        request.authorize("mediaconvert:GetQueue", &Queue::arn(&self.account, name))?;
        let queue = match name {
            DEFAULT_QUEUE => Some(default_queue()),
            name => self.store.read::<_, StoreError>(|connection| definition::get(connection, name))?,
        };
        let queue = queue.ok_or_else(|| not_found(format!("no queue has the name or ARN {name}")))?;
        answer(StatusCode::OK, &json!({ "queue": self.queue_shape(queue)? }))
    }

    pub(super) fn list_queues(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:ListQueues", "*")?;
        let (queues, next_token) = self.definitions(request, ListBy::CreationDate, Some(default_queue()))?;
        let queues = queues.into_iter().map(|queue| self.queue_shape(queue)).collect::<Result<_, _>>()?;
        answer(StatusCode::OK, &QueuesAnswer { queues, total_concurrent_jobs: self.concurrent_jobs_max, next_token })
    }

    /// The caller's own address: every client has found the API already.
    pub(super) fn describe_endpoints(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:DescribeEndpoints", "*")?;
        let host = request.header("host").unwrap_or("127.0.0.1");
        answer(StatusCode::OK, &json!({ "endpoints": [{ "url": format!("http://{host}") }] }))
    }

    fn queue_name<'a>(&self, name_or_arn: &'a str) -> &'a str {
        name_or_arn.strip_prefix(&Queue::arn(&self.account, "")).unwrap_or(name_or_arn)
    }

    fn queue_shape(&self, queue: Queue) -> Result<QueueShape, AwsError> {
        let arn = Queue::arn(&self.account, &queue.header.name);
        let count = |status| self.store.read::<_, StoreError>(|connection| store::count(connection, &arn, status));
        let system = queue.header.name == DEFAULT_QUEUE;
        Ok(QueueShape {
            progressing_jobs_count: count(Status::Progressing)?,
            submitted_jobs_count: count(Status::Submitted)?,
            arn,
            name: queue.header.name,
            description: queue.header.description,
            pricing_plan: "ON_DEMAND",
            status: queue.status,
            kind: if system { "SYSTEM" } else { "CUSTOM" },
            concurrent_jobs: queue.concurrent_jobs.or_else(|| u32::try_from(self.concurrent_jobs_max).ok()),
            created_at: queue.header.created_ms / 1000,
            last_updated: queue.header.updated_ms / 1000,
        })
    }
}

/// The system's queue, as if it had been made first of all.
fn default_queue() -> Queue {
    Queue {
        header: Header {
            name: DEFAULT_QUEUE.into(),
            description: Some("Default queue".into()),
            category: None,
            created_ms: 0,
            updated_ms: 0,
            tags: BTreeMap::new(),
        },
        status: QueueStatus::Active,
        concurrent_jobs: None,
    }
}

/// Source: aws-sdk-mediaconvert 1.153, `types::Queue::type`: "You can't modify or delete system queues".
fn refuse_system(name: &str) -> Result<(), AwsError> {
    if name == DEFAULT_QUEUE {
        return Err(bad_request("the queue Default is a system queue and cannot be modified or deleted"));
    }
    Ok(())
}

fn check_concurrency(jobs: Option<u32>) -> Result<(), AwsError> {
    match jobs {
        Some(0) => Err(bad_request("/concurrentJobs: Should be at least 1")),
        _ => Ok(()),
    }
}

/// Names stand in ARNs and paths.
pub(super) fn check_name(name: &str) -> Result<(), AwsError> {
    /// Our choice: AWS publishes none.
    const NAME_CHARACTERS_MAX: usize = 255;
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&name.chars().count());
    if !fits || name.contains('/') || name.chars().any(char::is_control) {
        return Err(bad_request("/name: Should be 1 to 255 characters, without slashes and control characters"));
    }
    Ok(())
}
