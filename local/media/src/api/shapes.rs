//! Jobs and queues as AWS writes them. Times are seconds since 1970.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use vodline_core::Account;

use crate::record::{AccelerationMode, Hop, JobRecord, Phase, QueueTransition, Status, Warning};

/// The answer of CreateJob and GetJob.
#[derive(Serialize)]
pub(super) struct JobAnswer<'a> {
    pub(super) job: Job<'a>,
}

/// The answer of ListJobs and SearchJobs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobsAnswer<'a> {
    pub(super) jobs: Vec<Job<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// A job. Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs-id.html#jobs-id-model-job>.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job<'a> {
    arn: String,
    id: &'a str,
    created_at: i64,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_percent_complete: Option<u8>,
    priority: i32,
    queue: &'a str,
    role: &'a str,
    settings: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_token: Option<&'a str>,
    user_metadata: &'a BTreeMap<String, String>,
    status_update_interval: String,
    retry_count: u32,
    timing: Timing,
    acceleration_settings: AccelerationSettings,
    acceleration_status: &'static str,
    billing_tags_source: &'static str,
    hop_destinations: &'a [Hop],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_transitions: Vec<Transition<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_template: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [Warning],
    messages: Messages,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    output_group_details: Vec<GroupDetail>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timing {
    submit_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_time: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct AccelerationSettings {
    pub(super) mode: AccelerationMode,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Transition<'a> {
    source_queue: &'a str,
    destination_queue: &'a str,
    timestamp: i64,
}

#[derive(Serialize)]
struct Messages {
    info: [(); 0],
    warning: [(); 0],
}

/// Unlike the COMPLETE event's, without paths.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupDetail {
    output_details: Vec<OutputDetail>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputDetail {
    duration_in_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_details: Option<VideoDetail>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoDetail {
    width_in_px: u32,
    height_in_px: u32,
}

impl<'a> Job<'a> {
    pub(super) fn new(account: &Account, record: &'a JobRecord) -> Self {
        let progressing = record.status == Status::Progressing;
        let seconds = |milliseconds: i64| milliseconds / 1000;
        Self {
            arn: account.arn("mediaconvert", &format!("jobs/{}", record.id)),
            id: &record.id,
            created_at: seconds(record.created_ms),
            status: record.status,
            current_phase: progressing.then_some(record.phase),
            job_percent_complete: (progressing || record.status == Status::Complete).then(|| record.percent()),
            priority: record.priority,
            queue: &record.queue,
            role: &record.role,
            settings: &record.settings,
            client_request_token: record.client_request_token.as_deref(),
            user_metadata: &record.user_metadata,
            status_update_interval: format!("SECONDS_{}", record.status_update_seconds),
            retry_count: record.retry_count,
            timing: Timing {
                submit_time: seconds(record.created_ms),
                start_time: record.started_ms.map(seconds),
                finish_time: record.finished_ms.map(seconds),
            },
            acceleration_settings: AccelerationSettings { mode: record.acceleration },
            acceleration_status: match (record.acceleration, record.accelerated) {
                (AccelerationMode::Disabled, _) => "NOT_APPLICABLE",
                (_, None) => "IN_PROGRESS",
                (_, Some(true)) => "ACCELERATED",
                (_, Some(false)) => "NOT_ACCELERATED",
            },
            billing_tags_source: "JOB",
            hop_destinations: &record.hop_destinations,
            queue_transitions: record.queue_transitions.iter().map(transition).collect(),
            job_template: record.job_template.as_deref(),
            warnings: &record.warnings,
            messages: Messages { info: [], warning: [] },
            error_code: record.error.as_ref().map(|error| error.code),
            error_message: record.error.as_ref().map(|error| error.message.as_str()),
            output_group_details: record.output_group_details.iter().map(group_detail).collect(),
        }
    }
}

fn transition(transition: &QueueTransition) -> Transition<'_> {
    Transition {
        source_queue: &transition.source,
        destination_queue: &transition.destination,
        timestamp: transition.at_ms / 1000,
    }
}

fn group_detail(group: &crate::publish::GroupDetail) -> GroupDetail {
    let output_details = group.output_details.iter().map(|output| OutputDetail {
        duration_in_ms: output.duration_in_ms,
        video_details: output
            .video_details
            .map(|video| VideoDetail { width_in_px: video.width_in_px, height_in_px: video.height_in_px }),
    });
    GroupDetail { output_details: output_details.collect() }
}
