//! The row of a video.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use jiff::Timestamp;
use vodline_contracts::{
    VideoId,
    job::Rendition,
    playback::{PlaybackPaths, Receipt},
    source::{CostEstimate, SourceFacts},
    video::{Failure, Progress, Video, VideoStatus},
};
use vodline_step::{StepError, aws::service_error, time::rfc3339};

use crate::{Catalog, Kind, decode, key, page, update::Update};

/// What became of the attempt to register a video.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// The row is new.
    Admitted,
    /// The object version has a row already: this one.
    Known(Box<Video>),
}

/// What became of the attempt to mark a video as failed.
#[derive(Clone, Debug, PartialEq)]
pub enum FailureRecord {
    /// The row says so now.
    Recorded(Box<Video>),
    /// The row is READY, or another execution's: it stays as it is.
    Superseded,
    /// There is no such row.
    NoSuchVideo,
}

/// What a published video's row gains.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Milliseconds.
    pub duration_ms: u64,
    /// Finished renditions, smallest first.
    pub renditions: Vec<Rendition>,
    /// MediaPackage's egress URL of the HLS endpoint.
    pub endpoint: Option<String>,
    /// The packaging group's egress host.
    pub domain_name: Option<String>,
    /// What a player opens.
    pub playback: PlaybackPaths,
    /// Path of the poster image on the site.
    pub poster: Option<String>,
    /// Path of the storyboard on the site.
    pub storyboard: Option<String>,
    /// The proof that it plays.
    pub receipt: Receipt,
}

impl Catalog {
    /// The row.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn video(&self, video_id: &VideoId) -> Result<Option<Video>, StepError> {
        self.read(video_id, Kind::Video).await
    }

    /// Registers the video unless it has a row. The row of an execution whose admission failed is that execution's to make
    /// anew.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn admit(&self, video: &Video) -> Result<Admission, StepError> {
        let mut item = serde_dynamo::aws_sdk_dynamodb_1::to_item(video)
            .map_err(|error| StepError::internal("a row cannot be written to the table").caused_by(error))?;
        item.extend(key(&video.video_id, Kind::Video));
        item.insert("listPk".to_owned(), AttributeValue::S(page::LIST.to_owned()));
        item.insert("listSk".to_owned(), AttributeValue::S(page::list_sort_key(&video.created_at, &video.video_id)));
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR (#executionArn = :execution AND #status = :failed)")
            .expression_attribute_names("#executionArn", "executionArn")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":execution", AttributeValue::S(video.execution_arn.clone()))
            .expression_attribute_values(":failed", AttributeValue::S("FAILED".to_owned()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Admission::Admitted),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let item = failed.item.clone().unwrap_or_default();
                    Ok(Admission::Known(Box::new(decode(item)?)))
                }
                _ => Err(service_error("dynamodb:PutItem", error)),
            },
        }
    }

    /// A redriven execution is at work again: its FAILED row says so.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn resume(&self, video_id: &VideoId, execution_arn: &str, now: Timestamp) -> Result<(), StepError> {
        let written = Update::default()
            .set("status", &VideoStatus::Processing)
            .set("updatedAt", &rfc3339(now))
            .remove("error")
            .require("#executionArn = :execution AND #status = :failed")
            .bind("execution", &execution_arn)
            .bind("failed", &VideoStatus::Failed)
            .send(self, video_id, Kind::Video)
            .await?;
        if written.is_some() {
            tracing::info!("the run was redriven, the video is in progress again");
        }
        Ok(())
    }

    /// Keeps what the probe found. `false` when the row is not this execution's to write.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_probe(
        &self,
        video_id: &VideoId,
        execution_arn: &str,
        facts: &SourceFacts,
        cost_estimate: &CostEstimate,
        now: Timestamp,
    ) -> Result<bool, StepError> {
        let written = Update::default()
            .set("facts", facts)
            .set("durationMs", &facts.duration_ms)
            .set("costEstimate", cost_estimate)
            .set("status", &VideoStatus::Processing)
            .set("updatedAt", &rfc3339(now))
            .remove("error")
            .require("#executionArn = :execution AND #status <> :ready")
            .bind("execution", &execution_arn)
            .bind("ready", &VideoStatus::Ready)
            .send(self, video_id, Kind::Video)
            .await?;
        Ok(written.is_some())
    }

    /// Keeps how far a job is. Within an attempt progress only grows, and a later attempt starts anew; `false` when the row
    /// knows better already.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_progress(
        &self,
        video_id: &VideoId,
        attempt: u32,
        progress: &Progress,
        now: Timestamp,
    ) -> Result<bool, StepError> {
        let written = Update::default()
            .set("progress", progress)
            .set("progressAttempt", &attempt)
            .set("updatedAt", &rfc3339(now))
            .require("#status = :processing")
            .require(
                "attribute_not_exists(#progressAttempt) OR #progressAttempt < :progressAttempt \
                 OR (#progressAttempt = :progressAttempt AND #progress.#percent < :percent)",
            )
            .bind("processing", &VideoStatus::Processing)
            .bind("percent", &progress.percent)
            .send(self, video_id, Kind::Video)
            .await?;
        Ok(written.is_some())
    }

    /// The video plays: the row becomes READY, and stays so. `None` when the row is not this execution's to write.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_ready(
        &self,
        video_id: &VideoId,
        execution_arn: &str,
        published: &Published,
        now: Timestamp,
    ) -> Result<Option<Video>, StepError> {
        let mut update = Update::default()
            .set("status", &VideoStatus::Ready)
            .set("durationMs", &published.duration_ms)
            .set("renditions", &published.renditions)
            .set("playback", &published.playback)
            .set("receipt", &published.receipt)
            .set_if_absent("readyAt", &rfc3339(now))
            .set("updatedAt", &rfc3339(now))
            .remove("error")
            .remove("progress")
            .remove("progressAttempt")
            .require("#executionArn = :execution")
            .bind("execution", &execution_arn);
        let optional = [
            ("endpoint", &published.endpoint),
            ("domainName", &published.domain_name),
            ("poster", &published.poster),
            ("storyboard", &published.storyboard),
        ];
        for (attribute, value) in optional {
            update = match value {
                Some(value) => update.set(attribute, value),
                None => update.remove(attribute),
            };
        }
        update.send(self, video_id, Kind::Video).await?.map(decode).transpose()
    }

    /// The execution failed: the row says why, unless it is READY or another execution's.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_failure(
        &self,
        video_id: &VideoId,
        execution_arn: &str,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailureRecord, StepError> {
        let written = Update::default()
            .set("status", &VideoStatus::Failed)
            .set("error", failure)
            .set("updatedAt", &rfc3339(now))
            .require("#executionArn = :execution AND #status <> :ready")
            .bind("execution", &execution_arn)
            .bind("ready", &VideoStatus::Ready)
            .send(self, video_id, Kind::Video)
            .await?;
        match written {
            Some(item) => Ok(FailureRecord::Recorded(Box::new(decode(item)?))),
            None if self.video(video_id).await?.is_some() => Ok(FailureRecord::Superseded),
            None => Ok(FailureRecord::NoSuchVideo),
        }
    }
}
