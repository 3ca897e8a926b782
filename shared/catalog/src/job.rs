//! The transcode of a video: which job works on it, who waits for it, and what it made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vodline_contracts::{ErrorCode, VideoId, job::JobOutputs};
use vodline_step::{StepError, time::rfc3339};

use crate::{Catalog, Kind, decode, update::Update};

/// The item.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobItem {
    /// The waiting task; the latest one when it was retried or redriven.
    pub task_token: String,
    /// How many jobs have been begun. Nought before the first.
    pub attempt: u32,
    /// The attempt's job; absent while it is being created.
    #[serde(default)]
    pub job_id: Option<String>,
    /// What the job made, once it is complete.
    #[serde(default)]
    pub outputs: Option<JobOutputs>,
    /// Why the job ended without.
    #[serde(default)]
    pub failure: Option<JobFailure>,
}

/// Why a job ended without outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobFailure {
    /// The line's name for it.
    pub code: ErrorCode,
    /// What a person reads.
    pub message: String,
    /// Whether the waiting task was told. A failure that was told is over: the next run of the step begins a new attempt.
    pub told: bool,
}

impl JobItem {
    /// Whether an event about this job of this attempt is about this item. The id of a job that is being created is not known
    /// yet; its attempt is.
    #[must_use]
    pub fn is_of(&self, attempt: u32, job_id: &str) -> bool {
        self.attempt == attempt && self.job_id.as_deref().is_none_or(|known| known == job_id)
    }
}

/// Holds where the attempt is the current one and its job is this one, or not known yet.
const OF_THIS_JOB: &str = "#attempt = :attempt AND (attribute_not_exists(#jobId) OR #jobId = :jobId)";

impl Catalog {
    /// The item.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn job(&self, video_id: &VideoId) -> Result<Option<JobItem>, StepError> {
        self.read(video_id, Kind::Job).await
    }

    /// Says which task waits for the job from now on, and tells what is known of the job.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn await_job(&self, video_id: &VideoId, task_token: &str, now: Timestamp) -> Result<JobItem, StepError> {
        let item = Update::default()
            .set("taskToken", &task_token)
            .set_if_absent("attempt", &0)
            .set("updatedAt", &rfc3339(now))
            .send(self, video_id, Kind::Job)
            .await?;
        decode(item.unwrap_or_default())
    }

    /// Begins the attempt after `attempt`, forgetting what came of the one before. `false` when someone else has begun it.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn begin_attempt(&self, video_id: &VideoId, attempt: u32, now: Timestamp) -> Result<bool, StepError> {
        let written = Update::default()
            .set("attempt", &(attempt + 1))
            .set("updatedAt", &rfc3339(now))
            .remove("jobId")
            .remove("outputs")
            .remove("failure")
            .require("#attempt = :before")
            .bind("before", &attempt)
            .send(self, video_id, Kind::Job)
            .await?;
        Ok(written.is_some())
    }

    /// Keeps the attempt's job. `false` when the attempt has another, or is over.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_job(
        &self,
        video_id: &VideoId,
        attempt: u32,
        job_id: &str,
        now: Timestamp,
    ) -> Result<bool, StepError> {
        let written = Update::default()
            .set("jobId", &job_id)
            .set("updatedAt", &rfc3339(now))
            .require(OF_THIS_JOB)
            .bind("attempt", &attempt)
            .send(self, video_id, Kind::Job)
            .await?;
        Ok(written.is_some())
    }

    /// Keeps what the job made. The item, with the task that waits; `None` when the item is about another job.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_outputs(
        &self,
        video_id: &VideoId,
        attempt: u32,
        outputs: &JobOutputs,
        now: Timestamp,
    ) -> Result<Option<JobItem>, StepError> {
        let item = Update::default()
            .set("jobId", &outputs.job_id)
            .set("outputs", outputs)
            .set("updatedAt", &rfc3339(now))
            .require(OF_THIS_JOB)
            .bind("attempt", &attempt)
            .send(self, video_id, Kind::Job)
            .await?;
        item.map(decode).transpose()
    }

    /// Keeps why the job failed. The item, with the task that waits; `None` when the item is about another job, or the job is
    /// complete.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_job_failure(
        &self,
        video_id: &VideoId,
        attempt: u32,
        job_id: &str,
        failure: &JobFailure,
        now: Timestamp,
    ) -> Result<Option<JobItem>, StepError> {
        let item = Update::default()
            .set("jobId", &job_id)
            .set("failure", failure)
            .set("updatedAt", &rfc3339(now))
            .require(OF_THIS_JOB)
            .require("attribute_not_exists(#outputs)")
            .bind("attempt", &attempt)
            .send(self, video_id, Kind::Job)
            .await?;
        item.map(decode).transpose()
    }
}
