//! Order the job, or find out what became of it.

use std::future::Future;

use jiff::Timestamp;
use serde_json::Value;
use vodline_catalog::{Catalog, JobFailure, JobItem};
use vodline_contracts::{ErrorCode, VideoId, steps::StartJobInput};
use vodline_step::{StepError, callback::Callback};

use crate::{
    outputs::{self, JobState},
    plan::{self, Places, Plan},
};

/// A job to be created.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Whose.
    pub video_id: VideoId,
    /// Which attempt; told to every event of the job, so that those of another attempt are known.
    pub attempt: u32,
    /// By which MediaConvert knows a repeated order.
    pub request_token: String,
    /// What to make.
    pub settings: Value,
}

/// What the step touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The waiting task.
    fn callback(&self) -> &impl Callback;
    /// Where the line's own objects are.
    fn places(&self) -> &Places;
    /// Orders a job; its id. Fails with [`ErrorCode::JobRefused`] when MediaConvert does not take the settings.
    fn create(&self, order: Order) -> impl Future<Output = Result<String, StepError>>;
    /// What became of a job; nothing when MediaConvert knows none of this id.
    fn job(&self, job_id: &str) -> impl Future<Output = Result<Option<JobState>, StepError>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Sees to it that a job is at work for the waiting task, or tells the task how it ended.
///
/// # Errors
/// [`ErrorCode::JobRefused`], [`ErrorCode::TranscodeFailed`], [`ErrorCode::TranscodeCanceled`], and what the services answer.
pub async fn handle(input: StartJobInput, ports: &impl Ports) -> Result<(), StepError> {
    let catalog = ports.catalog();
    catalog.resume(&input.video_id, &input.run.execution_arn, ports.now()).await?;
    // The token first: whatever is told from here on is told to this task.
    let item = catalog.await_job(&input.video_id, &input.task_token, ports.now()).await?;
    let plan = plan::plan(&input, ports.places())?;

    if let Some(outputs) = &item.outputs {
        ports.callback().succeed(&input.task_token, outputs).await?;
        return Ok(());
    }
    match (&item.failure, &item.job_id) {
        (Some(failure), _) if failure.told => begin(&input, &plan, item.attempt, ports).await,
        (Some(failure), Some(job_id)) => {
            Err(tell(&input.video_id, item.attempt, job_id, failure.clone(), ports).await?)
        }
        (_, Some(job_id)) => follow(&input, &plan, &item, job_id, ports).await,
        // An attempt was begun and its job never recorded: order it again under the same token.
        (_, None) if item.attempt > 0 => order(&input, &plan, item.attempt, ports).await,
        (_, None) => begin(&input, &plan, item.attempt, ports).await,
    }
}

/// Begins the next attempt.
async fn begin(input: &StartJobInput, plan: &Plan, attempt: u32, ports: &impl Ports) -> Result<(), StepError> {
    if !ports.catalog().begin_attempt(&input.video_id, attempt, ports.now()).await? {
        return Err(StepError::new(ErrorCode::ServiceUnavailable, "another call of this step begins the same attempt"));
    }
    order(input, plan, attempt + 1, ports).await
}

/// Orders the job of this attempt.
async fn order(input: &StartJobInput, plan: &Plan, attempt: u32, ports: &impl Ports) -> Result<(), StepError> {
    let order = Order {
        video_id: input.video_id.clone(),
        attempt,
        request_token: plan.request_token(&input.video_id, attempt),
        settings: plan.settings.clone(),
    };
    let job_id = ports.create(order).await?;
    let recorded = ports.catalog().record_job(&input.video_id, attempt, &job_id, ports.now()).await?;
    tracing::info!(job_id, attempt, recorded, "the job is ordered");
    Ok(())
}

/// Asks what became of the job that is recorded.
async fn follow(
    input: &StartJobInput,
    plan: &Plan,
    item: &JobItem,
    job_id: &str,
    ports: &impl Ports,
) -> Result<(), StepError> {
    let failure = match ports.job(job_id).await? {
        Some(JobState::Running) => {
            tracing::info!(job_id, "the job is at work, the task waits on");
            return Ok(());
        }
        Some(JobState::Complete { duration_ms, warnings }) => {
            let duration_ms = duration_ms.unwrap_or(input.facts.duration_ms);
            let outputs = outputs::of_plan(job_id, &plan.paths, input, duration_ms, warnings);
            tracing::warn!(job_id, "the job is complete and its event has not come");
            ports.catalog().record_outputs(&input.video_id, item.attempt, &outputs, ports.now()).await?;
            ports.callback().succeed(&input.task_token, &outputs).await?;
            return Ok(());
        }
        Some(JobState::Failed { code, message }) => {
            let code = code.map_or_else(String::new, |code| format!(" {code}"));
            let words = message.unwrap_or_else(|| "the job failed".to_owned());
            JobFailure {
                code: ErrorCode::TranscodeFailed,
                message: format!("MediaConvert{code}: {words}"),
                told: false,
            }
        }
        Some(JobState::Canceled) => JobFailure {
            code: ErrorCode::TranscodeCanceled,
            message: format!("MediaConvert job {job_id} was canceled"),
            told: false,
        },
        None => {
            tracing::warn!(job_id, "MediaConvert has forgotten the job");
            return begin(input, plan, item.attempt, ports).await;
        }
    };
    Err(tell(&input.video_id, item.attempt, job_id, failure, ports).await?)
}

/// Keeps that the failure is told, and makes it this step's error: that ends the task.
async fn tell(
    video_id: &VideoId,
    attempt: u32,
    job_id: &str,
    failure: JobFailure,
    ports: &impl Ports,
) -> Result<StepError, StepError> {
    let told = JobFailure { told: true, ..failure };
    ports.catalog().record_job_failure(video_id, attempt, job_id, &told, ports.now()).await?;
    Ok(StepError::new(told.code, told.message))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::sync::Mutex;

    use vodline_contracts::video::{Failure, VideoStatus};
    use vodline_testing::{
        Callbacks, Sent,
        samples::{self, at},
    };

    use super::*;

    /// MediaConvert, which numbers its jobs and knows what became of each.
    struct Fake {
        catalog: Catalog,
        callbacks: Callbacks,
        places: Places,
        orders: Mutex<Vec<Order>>,
        state: Mutex<Option<JobState>>,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn callback(&self) -> &impl Callback {
            &self.callbacks
        }

        fn places(&self) -> &Places {
            &self.places
        }

        async fn create(&self, order: Order) -> Result<String, StepError> {
            let mut orders = self.orders.lock().expect("no panic");
            // The same token is the same job.
            let known = orders.iter().position(|known| known.request_token == order.request_token);
            let index = known.unwrap_or_else(|| {
                orders.push(order);
                orders.len() - 1
            });
            Ok(format!("job-{}", index + 1))
        }

        async fn job(&self, _: &str) -> Result<Option<JobState>, StepError> {
            Ok(self.state.lock().expect("no panic").clone())
        }

        fn now(&self) -> Timestamp {
            at(5)
        }
    }

    impl Fake {
        async fn new() -> Self {
            let catalog = vodline_testing::catalog();
            catalog.admit(&samples::video()).await.expect("admitted");
            Self {
                catalog,
                callbacks: Callbacks::default(),
                places: Places { media_bucket: "media".to_owned(), watermark_uri: "s3://media/w.png".to_owned() },
                orders: Mutex::default(),
                state: Mutex::new(Some(JobState::Running)),
            }
        }

        async fn call(&self, token: &str) -> Result<(), StepError> {
            handle(samples::start_job(token), self).await
        }

        fn becomes(&self, state: Option<JobState>) {
            *self.state.lock().expect("no panic") = state;
        }

        async fn item(&self) -> JobItem {
            self.catalog.job(&samples::video_id()).await.expect("an answer").expect("an item")
        }

        fn ordered(&self) -> usize {
            self.orders.lock().expect("no panic").len()
        }
    }

    fn failed() -> JobState {
        JobState::Failed { code: Some(1040), message: Some("no".to_owned()) }
    }

    #[tokio::test]
    async fn a_job_is_ordered_once_and_waited_for_by_the_latest_task() {
        let fake = Fake::new().await;
        fake.call("t1").await.expect("ordered");
        fake.call("t2").await.expect("waits on");
        assert_eq!((fake.ordered(), fake.callbacks.take()), (1, vec![]));
        let item = fake.item().await;
        assert_eq!((item.attempt, item.job_id.as_deref(), item.task_token.as_str()), (1, Some("job-1"), "t2"));
    }

    #[tokio::test]
    async fn an_order_that_was_not_recorded_is_repeated_under_its_token() {
        let fake = Fake::new().await;
        fake.catalog.await_job(&samples::video_id(), "t0", at(0)).await.expect("written");
        assert!(fake.catalog.begin_attempt(&samples::video_id(), 0, at(0)).await.expect("written"));
        fake.call("t1").await.expect("ordered");
        assert_eq!(fake.item().await.attempt, 1);
        assert_eq!(fake.orders.lock().expect("no panic")[0].attempt, 1);
    }

    #[tokio::test]
    async fn a_job_whose_event_came_ends_the_task_at_once() {
        let fake = Fake::new().await;
        fake.call("t1").await.expect("ordered");
        let outputs = samples::job_outputs("job-1");
        fake.catalog.record_outputs(&samples::video_id(), 1, &outputs, at(6)).await.expect("written");
        fake.call("t2").await.expect("told");
        assert_eq!(fake.callbacks.take(), [Sent::Success("t2".to_owned(), serde_json::json!(outputs))]);
        assert_eq!(fake.ordered(), 1);
    }

    #[tokio::test]
    async fn a_job_whose_event_was_lost_is_told_from_the_job() {
        let fake = Fake::new().await;
        fake.call("t1").await.expect("ordered");
        fake.becomes(Some(JobState::Complete { duration_ms: Some(20_000), warnings: vec![250_003] }));
        fake.call("t2").await.expect("told");
        let outputs = fake.item().await.outputs.expect("kept");
        assert_eq!(fake.callbacks.take(), [Sent::Success("t2".to_owned(), serde_json::json!(outputs))]);
        let mut expected = samples::job_outputs("job-1");
        expected.warnings = vec![250_003];
        expected.renditions.iter_mut().for_each(|rendition| rendition.average_bitrate_bps = None);
        assert_eq!(outputs, expected);
    }

    #[tokio::test]
    async fn a_failure_is_told_once_and_a_redrive_tries_again() {
        let check = async |state: JobState, code: ErrorCode, message: &str| {
            let fake = Fake::new().await;
            fake.call("t1").await.expect("ordered");
            fake.becomes(Some(state));
            let error = fake.call("t2").await.expect_err("it failed");
            assert_eq!((error.code(), error.to_string().as_str()), (code, message));
            fake.call("t3").await.expect("ordered again");
            assert_eq!((fake.ordered(), fake.item().await.attempt), (2, 2));
            assert_eq!(fake.callbacks.take(), []);
        };
        check(failed(), ErrorCode::TranscodeFailed, "MediaConvert 1040: no").await;
        check(JobState::Canceled, ErrorCode::TranscodeCanceled, "MediaConvert job job-1 was canceled").await;
    }

    #[tokio::test]
    async fn a_failure_whose_event_found_no_one_waiting_is_told_to_the_next() {
        let fake = Fake::new().await;
        fake.call("t1").await.expect("ordered");
        let failure = JobFailure { code: ErrorCode::TranscodeFailed, message: "no".to_owned(), told: false };
        fake.catalog.record_job_failure(&samples::video_id(), 1, "job-1", &failure, at(6)).await.expect("written");
        let error = fake.call("t2").await.expect_err("it failed");
        assert_eq!((error.code(), error.to_string().as_str()), (ErrorCode::TranscodeFailed, "no"));
        assert_eq!(fake.ordered(), 1);
    }

    #[tokio::test]
    async fn a_forgotten_job_is_ordered_anew() {
        let fake = Fake::new().await;
        fake.call("t1").await.expect("ordered");
        fake.becomes(None);
        fake.call("t2").await.expect("ordered anew");
        assert_eq!((fake.ordered(), fake.item().await.job_id.as_deref()), (2, Some("job-2")));
    }

    #[tokio::test]
    async fn a_redriven_run_is_in_progress_again() {
        let fake = Fake::new().await;
        let failure = Failure { code: "Vod.TranscodeFailed".to_owned(), message: "no".to_owned(), state: None };
        let execution = samples::EXECUTION;
        fake.catalog.record_failure(&samples::video_id(), execution, &failure, at(1)).await.expect("written");
        fake.call("t1").await.expect("ordered");
        let row = fake.catalog.video(&samples::video_id()).await.expect("an answer").expect("a row");
        assert_eq!((row.status, row.error), (VideoStatus::Processing, None));
    }
}
