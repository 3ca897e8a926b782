//! Job templates.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vodline_core::{AwsError, Request, Response, StoreError};

use crate::{
    definition::{self, Definition, Header, JobTemplate},
    job::{Refusal, check_tools, decode, decode_settings},
    record::Hop,
    service::MediaConvert,
    template,
};

use super::{
    answer, body, conflict,
    create::{Acceleration, HopDestination, Interval, check_priority, check_tags},
    not_found,
    page::ListBy,
    queues::check_name,
    shapes::AccelerationSettings,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateTemplate {
    name: String,
    settings: Value,
    description: Option<String>,
    category: Option<String>,
    priority: Option<i32>,
    queue: Option<String>,
    status_update_interval: Option<Interval>,
    acceleration_settings: Option<Acceleration>,
    #[serde(default)]
    hop_destinations: Vec<HopDestination>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateTemplate {
    settings: Option<Value>,
    description: Option<String>,
    category: Option<String>,
    priority: Option<i32>,
    queue: Option<String>,
    status_update_interval: Option<Interval>,
    acceleration_settings: Option<Acceleration>,
    hop_destinations: Option<Vec<HopDestination>>,
}

/// A template as AWS writes it. Source: aws-sdk-mediaconvert 1.153, `types::JobTemplate`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TemplateShape {
    arn: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    settings: Value,
    priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_update_interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acceleration_settings: Option<AccelerationSettings>,
    hop_destinations: Vec<Hop>,
    created_at: i64,
    last_updated: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TemplatesAnswer {
    job_templates: Vec<TemplateShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl MediaConvert {
    pub(super) fn create_template(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:CreateJobTemplate", &JobTemplate::arn(&self.account, "*"))?;
        let body = body(request)?;
        let create: CreateTemplate = decode(&body)?;
        check_name(&create.name)?;
        check_tags(&create.tags)?;
        check_priority(create.priority)?;
        self.check_template(&create.settings)?;
        let queue = create.queue.as_deref().map(|queue| self.queue_arn(Some(queue))).transpose()?;
        let now = self.clock.now().as_millisecond();
        let made = JobTemplate {
            header: Header {
                name: create.name,
                description: create.description,
                category: create.category,
                created_ms: now,
                updated_ms: now,
                tags: create.tags,
            },
            settings: create.settings,
            priority: create.priority,
            status_update_seconds: create.status_update_interval.map(|interval| interval.0),
            acceleration: create.acceleration_settings.map(|acceleration| acceleration.mode),
            hop_destinations: self.hops(&create.hop_destinations, queue.as_deref().unwrap_or_default())?,
            queue,
        };
        if !self.store.write::<_, StoreError>(|transaction| definition::insert(transaction, &made))? {
            return Err(conflict(format!("there is a job template of the name {} already", made.header.name)));
        }
        answer(StatusCode::CREATED, &json!({ "jobTemplate": self.template_shape(made) }))
    }

    pub(super) fn update_template(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:UpdateJobTemplate", &JobTemplate::arn(&self.account, name))?;
        let body = body(request)?;
        let update: UpdateTemplate = decode(&body)?;
        check_priority(update.priority)?;
        if let Some(settings) = &update.settings {
            self.check_template(settings)?;
        }
        let queue = update.queue.as_deref().map(|queue| self.queue_arn(Some(queue))).transpose()?;
        let hops = update.hop_destinations.as_deref();
        let hops = hops.map(|hops| self.hops(hops, queue.as_deref().unwrap_or_default())).transpose()?;
        let now = self.clock.now().as_millisecond();
        let changed = self.store.write::<_, AwsError>(|transaction| {
            let found = definition::get::<JobTemplate>(transaction, name)?;
            let mut found = found.ok_or_else(|| no_template(name))?;
            found.header.description = update.description.or(found.header.description);
            found.header.category = update.category.or(found.header.category);
            found.header.updated_ms = now;
            found.settings = update.settings.unwrap_or(found.settings);
            found.priority = update.priority.or(found.priority);
            found.queue = queue.or(found.queue);
            found.hop_destinations = hops.unwrap_or(found.hop_destinations);
            found.acceleration = update.acceleration_settings.map(|a| a.mode).or(found.acceleration);
            found.status_update_seconds =
                update.status_update_interval.map(|interval| interval.0).or(found.status_update_seconds);
            definition::update(transaction, &found)?;
            Ok(found)
        })?;
        answer(StatusCode::OK, &json!({ "jobTemplate": self.template_shape(changed) }))
    }

    pub(super) fn get_template(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:GetJobTemplate", &JobTemplate::arn(&self.account, name))?;
        let found = self.store.read::<_, StoreError>(|connection| definition::get::<JobTemplate>(connection, name))?;
        let found = found.ok_or_else(|| no_template(name))?;
        answer(StatusCode::OK, &json!({ "jobTemplate": self.template_shape(found) }))
    }

    pub(super) fn list_templates(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:ListJobTemplates", "*")?;
        let (found, next_token) = self.definitions::<JobTemplate>(request, ListBy::Name, None)?;
        let job_templates = found.into_iter().map(|found| self.template_shape(found)).collect();
        answer(StatusCode::OK, &TemplatesAnswer { job_templates, next_token })
    }

    pub(super) fn delete_template(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:DeleteJobTemplate", &JobTemplate::arn(&self.account, name))?;
        if !self.store.write::<_, StoreError>(|transaction| definition::delete::<JobTemplate>(transaction, name))? {
            return Err(no_template(name));
        }
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    /// Refuses what no job made from the template could honour.
    fn check_template(&self, settings: &Value) -> Result<(), AwsError> {
        if !settings.is_object() {
            return Err(Refusal::new("/settings", "Should be an object").into());
        }
        let settings = self.with_presets(template::completed(settings))?;
        check_tools(&decode_settings(&settings)?, &self.tools.capabilities())?;
        Ok(())
    }

    fn template_shape(&self, found: JobTemplate) -> TemplateShape {
        TemplateShape {
            arn: JobTemplate::arn(&self.account, &found.header.name),
            name: found.header.name,
            kind: "CUSTOM",
            description: found.header.description,
            category: found.header.category,
            settings: found.settings,
            priority: found.priority.unwrap_or_default(),
            queue: found.queue,
            status_update_interval: found.status_update_seconds.map(|seconds| format!("SECONDS_{seconds}")),
            acceleration_settings: found.acceleration.map(|mode| AccelerationSettings { mode }),
            hop_destinations: found.hop_destinations,
            created_at: found.header.created_ms / 1000,
            last_updated: found.header.updated_ms / 1000,
        }
    }
}

fn no_template(name: &str) -> AwsError {
    not_found(format!("no job template has the name {name}"))
}
