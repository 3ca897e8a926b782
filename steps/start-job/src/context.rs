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

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::sync::{Arc, Mutex};

    use aws_sdk_mediaconvert::config::{BehaviorVersion, Credentials, Region};
    use serde_json::json;
    use vodline_contracts::{source::Packaging, steps::StartJobInput};
    use vodline_testing::{
        http::{self, Answer, Asked},
        samples,
    };

    use super::*;
    use crate::plan;

    fn mediaconvert(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Client {
        let config = aws_sdk_mediaconvert::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
            .http_client(http::client(answer))
            .build();
        Client::from_conf(config)
    }

    fn context(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Context {
        let states = aws_sdk_sfn::Config::builder().behavior_version(aws_sdk_sfn::config::BehaviorVersion::latest());
        Context {
            catalog: vodline_testing::catalog(),
            callback: StepFunctions::new(aws_sdk_sfn::Client::from_conf(states.build())),
            mediaconvert: mediaconvert(answer),
            role_arn: "arn:aws:iam::111122223333:role/mediaconvert".to_owned(),
            app: "vodline".to_owned(),
            places: Places { media_bucket: "media".to_owned(), watermark_uri: "s3://media/w.png".to_owned() },
        }
    }

    fn settings() -> Value {
        settings_of(samples::start_job("t1"))
    }

    fn settings_of(input: StartJobInput) -> Value {
        let places = Places { media_bucket: "media".to_owned(), watermark_uri: "s3://media/w.png".to_owned() };
        plan::plan(&input, &places).expect("a plan").settings
    }

    fn order() -> Order {
        Order { video_id: samples::video_id(), attempt: 2, request_token: "token".to_owned(), settings: settings() }
    }

    #[tokio::test]
    async fn the_order_is_what_mediaconvert_takes() {
        let asked = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&asked);
        let context = context(move |request| {
            *keep.lock().expect("no panic") = Some(request.clone());
            Answer::status(201, r#"{"job": {"id": "1771852248480-6dv3gn"}}"#)
        });
        assert_eq!(context.create(order()).await.expect("ordered"), "1771852248480-6dv3gn");
        let asked = asked.lock().expect("no panic").take().expect("a request");
        assert!(asked.uri.ends_with("/2017-08-29/jobs"), "{}", asked.uri);
        let expected = json!({
            "clientRequestToken": "token",
            "role": "arn:aws:iam::111122223333:role/mediaconvert",
            "settings": settings(),
            "statusUpdateInterval": "SECONDS_10",
            "tags": { "app": "vodline", "videoId": samples::video_id() },
            "userMetadata": { "app": "vodline", "attempt": "2", "videoId": samples::video_id() },
        });
        assert_eq!(serde_json::from_str::<Value>(&asked.body).expect("JSON"), expected);
    }

    /// The same with every number as a float: the SDK writes some of them so.
    fn with_floats(value: &Value) -> Value {
        match value {
            Value::Number(number) => json!(number.as_f64()),
            Value::Array(elements) => elements.iter().map(with_floats).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), with_floats(member))).collect()
            }
            other => other.clone(),
        }
    }

    /// The SDK reads the settings and writes them again. A name that it does not know would be gone, and a value that it does
    /// not know would be marked.
    #[tokio::test]
    async fn every_name_and_value_of_the_template_is_one_of_the_sdks() {
        check_settings(settings()).await;
        check_settings(settings_of(StartJobInput { packaging: Packaging::Direct, ..samples::start_job("t1") })).await;
        check_settings(settings_of(samples::start_job_of_sound("t1"))).await;
    }

    async fn check_settings(settings: Value) {
        let answered = settings.clone();
        let written = Arc::new(Mutex::new(Value::Null));
        let keep = Arc::clone(&written);
        let client = mediaconvert(move |request| {
            if request.method == "POST" {
                let request: Value = serde_json::from_str(&request.body).expect("JSON");
                *keep.lock().expect("no panic") = request["settings"].clone();
            }
            Answer::ok(json!({ "job": { "id": "1", "settings": answered } }).to_string())
        });
        let job = client.get_job().id("1").send().await.expect("an answer").job.expect("a job");
        let typed = job.settings.expect("settings");
        let shown = format!("{typed:?}");
        assert!(!shown.contains("Unknown"), "{shown}");
        client.create_job().role("r").settings(typed).send().await.expect("an answer");
        assert_eq!(with_floats(&written.lock().expect("no panic")), with_floats(&settings));
    }

    #[tokio::test]
    async fn what_mediaconvert_refuses_is_said_in_its_words() {
        let context = context(|_| {
            Answer::status(400, r#"{"message": "/settings/inputs: is a required property"}"#)
                .error_type("BadRequestException")
        });
        let error = context.create(order()).await.expect_err("refused");
        assert_eq!(error.code(), ErrorCode::JobRefused);
        assert_eq!(error.to_string(), "MediaConvert refused the job: /settings/inputs: is a required property");
    }

    #[tokio::test]
    async fn a_job_tells_what_became_of_it() {
        let check = async |status: u16, body: Value, expected: Option<JobState>| {
            let text = body.to_string();
            let error_type = if status == 404 { "NotFoundException" } else { "" };
            let context = context(move |_| Answer::status(status, text.clone()).error_type(error_type));
            assert_eq!(context.job("1").await.expect("an answer"), expected, "{body}");
        };
        let job = |more: Value| {
            let mut job = json!({ "id": "1", "role": "r", "settings": {} });
            job.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            json!({ "job": job })
        };
        check(404, json!({ "message": "no" }), None).await;
        check(200, job(json!({ "status": "SUBMITTED" })), Some(JobState::Running)).await;
        check(200, job(json!({ "status": "PROGRESSING" })), Some(JobState::Running)).await;
        check(200, job(json!({ "status": "CANCELED" })), Some(JobState::Canceled)).await;
        let failed = JobState::Failed { code: Some(1040), message: Some("no".to_owned()) };
        check(200, job(json!({ "status": "ERROR", "errorCode": 1040, "errorMessage": "no" })), Some(failed)).await;
        let complete = json!({
            "status": "COMPLETE",
            "outputGroupDetails": [{ "outputDetails": [{ "durationInMs": 20_000 }] }],
            "warnings": [{ "code": 250_003, "count": 1 }],
        });
        let expected = JobState::Complete { duration_ms: Some(20_000), warnings: vec![250_003] };
        check(200, job(complete), Some(expected)).await;
    }
}
