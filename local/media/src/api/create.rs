//! CreateJob.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use vodline_core::{Arn, AwsError, Request, Response};

use crate::{
    definition::{self, Definition, JobTemplate, Preset},
    job::{Refusal, check_tools, decode, decode_settings},
    record::{AccelerationMode, Hop, JobRecord, Phase, Status},
    service::MediaConvert,
    template,
};

use super::{answer, bad_request, body, not_found, shapes};

/// Entries of `userMetadata`, and characters of a key and a value.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/user-metadata-tags.html>.
const METADATA_ENTRIES_MAX: usize = 10;
const METADATA_KEY_MAX: usize = 128;
const METADATA_VALUE_MAX: usize = 256;

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/idempotency.html>.
const TOKEN_CHARACTERS_MAX: usize = 64;

/// Source: <https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html>.
const TAGS_MAX: usize = 50;

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`priority`).
const PRIORITY: std::ops::RangeInclusive<i32> = -50..=50;

/// Source: aws-sdk-mediaconvert 1.153, `types::HopDestination::wait_minutes`.
const WAIT_MINUTES: std::ops::RangeInclusive<u32> = 1..=4320;

/// The request's body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateJob {
    role: String,
    settings: Value,
    job_template: Option<String>,
    client_request_token: Option<String>,
    priority: Option<i32>,
    queue: Option<String>,
    status_update_interval: Option<Interval>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    user_metadata: BTreeMap<String, String>,
    acceleration_settings: Option<Acceleration>,
    hop_destinations: Option<Vec<HopDestination>>,
    #[serde(rename = "billingTagsSource")]
    _billing_tags_source: Option<BillingTagsSource>,
    #[serde(rename = "simulateReservedQueue")]
    _simulate_reserved_queue: Option<SimulateReservedQueue>,
}

/// `accelerationSettings`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Acceleration {
    pub(super) mode: AccelerationMode,
}

/// One of `hopDestinations`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HopDestination {
    queue: Option<String>,
    priority: Option<i32>,
    wait_minutes: u32,
}

/// Nothing is billed, so every source will do.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum BillingTagsSource {
    Queue,
    Preset,
    JobTemplate,
    Job,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SimulateReservedQueue {
    Disabled,
}

/// `SECONDS_60` and so on.
pub(super) struct Interval(pub(super) u32);

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/ev_status_status_update.html>.
const INTERVAL_DEFAULT_SECONDS: u32 = 60;

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Source: aws-sdk-mediaconvert 1.153, `types::StatusUpdateInterval`.
        const SECONDS: [u32; 15] = [10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600];
        let name = String::deserialize(deserializer)?;
        let seconds = name.strip_prefix("SECONDS_").and_then(|seconds| seconds.parse().ok());
        seconds
            .filter(|seconds| SECONDS.contains(seconds))
            .map(Self)
            .ok_or_else(|| D::Error::custom("Should be equal to one of the allowed values: SECONDS_10 to SECONDS_600"))
    }
}

impl MediaConvert {
    pub(super) fn create_job(&self, request: &Request) -> Result<Response, AwsError> {
        let body = body(request)?;
        let create: CreateJob = decode(&body)?;
        let template = create.job_template.as_deref().map(|name| self.template(request, name)).transpose()?;
        let named_queue = create.queue.as_deref().or(template.as_ref().and_then(|template| template.queue.as_deref()));
        let queue = self.queue_arn(named_queue)?;
        request.authorize("mediaconvert:CreateJob", &queue)?;
        let role = Arn::parse(&create.role).filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
        if role.is_none() {
            return Err(Refusal::new("/role", "Should be the ARN of an IAM role").into());
        }
        request.authorize("iam:PassRole", &create.role)?;
        validate(&create)?;
        let settings = template.as_ref().map(|template| template::merge(&template.settings, &create.settings));
        let settings = self.with_presets(settings.unwrap_or_else(|| create.settings.clone()))?;
        check_tools(&decode_settings(&settings)?, &self.tools.capabilities())?;
        let template = template.as_ref();
        let hop_destinations = match &create.hop_destinations {
            Some(destinations) => self.hops(destinations, &queue)?,
            None => template.map(|template| template.hop_destinations.clone()).unwrap_or_default(),
        };
        let interval = create.status_update_interval.as_ref().map(|interval| interval.0);
        let now = self.clock.now().as_millisecond();
        let id = format!("{now}-{}", self.id_suffix());
        if !create.tags.is_empty() {
            request.authorize("mediaconvert:TagResource", &self.account.arn("mediaconvert", &format!("jobs/{id}")))?;
        }
        let record = self.submit(JobRecord {
            id,
            created_ms: now,
            started_ms: None,
            finished_ms: None,
            status: Status::Submitted,
            phase: Phase::Probing,
            transcoding_percent: 0,
            frames_decoded: 0,
            retry_count: 0,
            priority: create.priority.or(template.and_then(|template| template.priority)).unwrap_or_default(),
            queue,
            role: create.role,
            client_request_token: create.client_request_token,
            user_metadata: create.user_metadata,
            tags: create.tags,
            status_update_seconds: interval
                .or(template.and_then(|template| template.status_update_seconds))
                .unwrap_or(INTERVAL_DEFAULT_SECONDS),
            settings,
            error: None,
            output_group_details: Vec::new(),
            acceleration: create
                .acceleration_settings
                .map(|acceleration| acceleration.mode)
                .or(template.and_then(|template| template.acceleration))
                .unwrap_or_default(),
            accelerated: None,
            job_template: create.job_template,
            hop_destinations,
            queue_transitions: Vec::new(),
            warnings: Vec::new(),
            black_segments: Vec::new(),
            quality: Vec::new(),
        })?;
        tracing::info!(job = %record.id, input = %record.input(0), "job submitted");
        answer(StatusCode::CREATED, &shapes::JobAnswer { job: shapes::Job::new(&self.account, &record) })
    }

    /// Presets that the settings name, put in their places.
    pub(super) fn with_presets(&self, settings: Value) -> Result<Value, AwsError> {
        template::with_presets(settings, |name| {
            let prefix = Preset::arn(&self.account, "");
            let name = name.strip_prefix(&prefix).unwrap_or(name);
            let preset = self.store.read(|connection| definition::get::<Preset>(connection, name))?;
            Ok(preset.map(|preset| preset.settings))
        })
    }

    fn template(&self, request: &Request, name: &str) -> Result<JobTemplate, AwsError> {
        let prefix = JobTemplate::arn(&self.account, "");
        let name = name.strip_prefix(&prefix).unwrap_or(name);
        // Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselementalmediaconvert.html:
        // CreateJob names the template as one of its resources.
        request.authorize("mediaconvert:CreateJob", &JobTemplate::arn(&self.account, name))?;
        let template = self.store.read(|connection| definition::get(connection, name))?;
        template.ok_or_else(|| not_found(format!("no job template has the name {name}")))
    }

    /// `hopDestinations` of a job in this queue.
    pub(super) fn hops(&self, destinations: &[HopDestination], queue: &str) -> Result<Vec<Hop>, AwsError> {
        let check = |(index, destination): (usize, &HopDestination)| {
            let path = format!("/hopDestinations/{index}");
            if !WAIT_MINUTES.contains(&destination.wait_minutes) {
                return Err(bad_request(format!("{path}/waitMinutes: Should be between 1 and 4320")));
            }
            if destination.priority.is_some_and(|priority| !PRIORITY.contains(&priority)) {
                return Err(bad_request(format!("{path}/priority: Should be between -50 and 50")));
            }
            let to = self.queue_arn(destination.queue.as_deref())?;
            if index == 0 && to == queue {
                return Err(bad_request(format!("{path}/queue: Should not be the queue the job is in")));
            }
            Ok(Hop { queue: to, priority: destination.priority, wait_minutes: destination.wait_minutes })
        };
        destinations.iter().enumerate().map(check).collect()
    }

    /// Six characters of AWS's alphabet for ids.
    fn id_suffix(&self) -> String {
        const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut bytes = [0; 6];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
    }
}

/// `priority` of jobs and templates.
pub(super) fn check_priority(priority: Option<i32>) -> Result<(), AwsError> {
    match priority {
        Some(priority) if !PRIORITY.contains(&priority) => Err(bad_request("/priority: Should be between -50 and 50")),
        _ => Ok(()),
    }
}

/// `tags` of anything that is made.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > TAGS_MAX {
        return Err(bad_request("/tags: Should have at most 50 items"));
    }
    Ok(())
}

fn validate(create: &CreateJob) -> Result<(), AwsError> {
    check_priority(create.priority)?;
    check_tags(&create.tags)?;
    if let Some(token) = &create.client_request_token
        && (token.is_empty() || token.len() > TOKEN_CHARACTERS_MAX || !token.is_ascii())
    {
        return Err(bad_request("/clientRequestToken: Should be 1 to 64 ASCII characters"));
    }
    if create.user_metadata.len() > METADATA_ENTRIES_MAX {
        return Err(bad_request("/userMetadata: Should have at most 10 items"));
    }
    for (key, value) in &create.user_metadata {
        let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
        let (key_length, value_length) = (key.chars().count(), value.chars().count());
        if key_length == 0 || key_length > METADATA_KEY_MAX || value_length > METADATA_VALUE_MAX {
            let reason = "keys have 1 to 128 characters and values at most 256";
            return Err(bad_request(format!("/userMetadata/{key}: {reason}")));
        }
        if !allowed(key) || !allowed(value) {
            let reason = "only letters, digits, spaces and _.:/=+-@ are allowed";
            return Err(bad_request(format!("/userMetadata/{key}: {reason}")));
        }
    }
    Ok(())
}
