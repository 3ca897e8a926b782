//! Clients and environment.

use aws_sdk_mediaconvert::{
    Client,
    error::ProvideErrorMetadata,
    operation::{create_job::CreateJobError, get_job::GetJobError},
    types::{Job, JobSettings, JobStatus, StatusUpdateInterval},
};
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use serde_json::Value;
use vodline_catalog::Catalog;
use vodline_contracts::ErrorCode;
use vodline_step::{
    StepError,
    aws::{self, service_error},
    callback::{Callback, StepFunctions},
    env::{MissingVariable, required},
};

use crate::{Order, Ports, outputs::JobState, plan::Places};

/// MediaConvert, Step Functions and the table.
#[derive(Debug)]
pub struct Context {
    catalog: Catalog,
    callback: StepFunctions,
    mediaconvert: Client,
    role_arn: String,
    app: String,
    places: Places,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn load() -> Result<Self, MissingVariable> {
        let table = required("TABLE_NAME")?;
        let role_arn = required("MEDIACONVERT_ROLE_ARN")?;
        let app = required("APP")?;
        let places = Places { media_bucket: required("MEDIA_BUCKET")?, watermark_uri: required("WATERMARK_URI")? };
        let config = aws::config().await;
        Ok(Self {
            catalog: Catalog::new(aws_sdk_dynamodb::Client::new(&config), table),
            callback: StepFunctions::new(aws_sdk_sfn::Client::new(&config)),
            mediaconvert: Client::new(&config),
            role_arn,
            app,
            places,
        })
    }
}

impl Ports for Context {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn callback(&self) -> &impl Callback {
        &self.callback
    }

    fn places(&self) -> &Places {
        &self.places
    }

    async fn create(&self, order: Order) -> Result<String, StepError> {
        let settings = order.settings;
        let answer = self
            .mediaconvert
            .create_job()
            .role(&self.role_arn)
            .client_request_token(order.request_token)
            .status_update_interval(StatusUpdateInterval::Seconds10)
            .user_metadata("app", &self.app)
            .user_metadata("videoId", order.video_id.as_str())
            .user_metadata("attempt", order.attempt.to_string())
            .tags("app", &self.app)
            .tags("videoId", order.video_id.as_str())
            .settings(JobSettings::builder().build())
            .customize()
            .mutate_request(move |request| put_settings(request.body_mut(), &settings))
            .mutate_request(|request| {
                let length = request.body().content_length().unwrap_or_default();
                request.headers_mut().insert("content-length", length.to_string());
            })
            .send()
            .await;
        match answer {
            Ok(answer) => answer
                .job
                .and_then(|job| job.id)
                .ok_or_else(|| StepError::internal("mediaconvert:CreateJob answered without a job")),
            Err(error) => match error.as_service_error() {
                Some(CreateJobError::BadRequestException(_)) => {
                    let words = error.message().unwrap_or("no words").to_owned();
                    Err(StepError::new(ErrorCode::JobRefused, format!("MediaConvert refused the job: {words}"))
                        .caused_by(error))
                }
                _ => Err(service_error("mediaconvert:CreateJob", error)),
            },
        }
    }

    async fn job(&self, job_id: &str) -> Result<Option<JobState>, StepError> {
        match self.mediaconvert.get_job().id(job_id).send().await {
            Ok(answer) => Ok(answer.job.as_ref().map(state)),
            Err(error) if error.as_service_error().is_some_and(GetJobError::is_not_found_exception) => Ok(None),
            Err(error) => Err(service_error("mediaconvert:GetJob", error)),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Puts the settings into a request that the SDK has written without. They are in MediaConvert's own JSON already, so nothing
/// of them has to be known to this program.
fn put_settings(body: &mut SdkBody, settings: &Value) {
    let Some(Ok(Value::Object(mut request))) = body.bytes().map(serde_json::from_slice) else {
        // Then the request goes out without settings, and MediaConvert refuses it.
        tracing::error!("the SDK wrote a request that is no JSON object");
        return;
    };
    request.insert("settings".to_owned(), settings.clone());
    *body = SdkBody::from(Value::Object(request).to_string());
}

fn state(job: &Job) -> JobState {
    let count = |value: i32| u32::try_from(value).unwrap_or_default();
    match job.status() {
        Some(JobStatus::Complete) => JobState::Complete {
            duration_ms: job
                .output_group_details()
                .first()
                .and_then(|group| group.output_details().first())
                .and_then(|output| u64::try_from(output.duration_in_ms()?).ok())
                .filter(|duration| *duration > 0),
            warnings: job.warnings().iter().filter_map(|warning| warning.code()).map(count).collect(),
        },
        Some(JobStatus::Error) => {
            JobState::Failed { code: job.error_code().map(count), message: job.error_message().map(str::to_owned) }
        }
        Some(JobStatus::Canceled) => JobState::Canceled,
        _ => JobState::Running,
    }
}
