//! CreateJob.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use vodline_core::{Arn, AwsError, Request, Response};

use crate::{
    job::{Refusal, decode, decode_settings},
    record::{JobRecord, Phase, Status},
    service::MediaConvert,
};

use super::{answer, bad_request, body, shapes};

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

/// The request's body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateJob {
    role: String,
    settings: Value,
    client_request_token: Option<String>,
    #[serde(default)]
    priority: i32,
    queue: Option<String>,
    #[serde(default)]
    status_update_interval: Interval,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    user_metadata: BTreeMap<String, String>,
    #[serde(rename = "accelerationSettings")]
    _acceleration_settings: Option<Acceleration>,
    #[serde(rename = "billingTagsSource")]
    _billing_tags_source: Option<BillingTagsSource>,
    #[serde(rename = "simulateReservedQueue")]
    _simulate_reserved_queue: Option<SimulateReservedQueue>,
    #[serde(rename = "hopDestinations")]
    _hop_destinations: Option<[(); 0]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Acceleration {
    #[serde(rename = "mode")]
    _mode: AccelerationMode,
}

/// `PREFERRED` accelerates where it can, which is nowhere here.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum AccelerationMode {
    Disabled,
    Preferred,
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
struct Interval(u32);

impl Default for Interval {
    fn default() -> Self {
        Self(60)
    }
}

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
        let queue = self.queue_arn(create.queue.as_deref())?;
        request.authorize("mediaconvert:CreateJob", &queue)?;
        let role = Arn::parse(&create.role).filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
        if role.is_none() {
            return Err(Refusal::new("/role", "Should be the ARN of an IAM role").into());
        }
        request.authorize("iam:PassRole", &create.role)?;
        validate(&create)?;
        decode_settings(&create.settings)?;
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
            priority: create.priority,
            queue,
            role: create.role,
            client_request_token: create.client_request_token,
            user_metadata: create.user_metadata,
            tags: create.tags,
            status_update_seconds: create.status_update_interval.0,
            settings: create.settings,
            error: None,
            output_group_details: Vec::new(),
        })?;
        tracing::info!(job = %record.id, input = %record.input(), "job submitted");
        answer(StatusCode::CREATED, &shapes::JobAnswer { job: shapes::Job::new(&self.account, &record) })
    }

    /// Six characters of AWS's alphabet for ids.
    fn id_suffix(&self) -> String {
        const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut bytes = [0; 6];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
    }
}

fn validate(create: &CreateJob) -> Result<(), AwsError> {
    if !PRIORITY.contains(&create.priority) {
        return Err(bad_request("/priority: Should be between -50 and 50"));
    }
    if let Some(token) = &create.client_request_token
        && (token.is_empty() || token.len() > TOKEN_CHARACTERS_MAX || !token.is_ascii())
    {
        return Err(bad_request("/clientRequestToken: Should be 1 to 64 ASCII characters"));
    }
    if create.tags.len() > TAGS_MAX {
        return Err(bad_request("/tags: Should have at most 50 items"));
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
