//! Presets: the settings of one output under a name.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vodline_core::{AwsError, Request, Response, StoreError};

use crate::{
    definition::{self, Definition, Header, Preset},
    job::{Refusal, decode},
    service::MediaConvert,
};

use super::{answer, body, conflict, create::check_tags, not_found, page::ListBy, queues::check_name};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatePreset {
    name: String,
    settings: Value,
    description: Option<String>,
    category: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdatePreset {
    settings: Option<Value>,
    description: Option<String>,
    category: Option<String>,
}

/// A preset as AWS writes it. Source: aws-sdk-mediaconvert 1.153, `types::Preset`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PresetShape {
    arn: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    settings: Value,
    created_at: i64,
    last_updated: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PresetsAnswer {
    presets: Vec<PresetShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl MediaConvert {
    pub(super) fn create_preset(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:CreatePreset", &Preset::arn(&self.account, "*"))?;
        let body = body(request)?;
        let create: CreatePreset = decode(&body)?;
        check_name(&create.name)?;
        check_tags(&create.tags)?;
        check_settings(&create.settings)?;
        let now = self.clock.now().as_millisecond();
        let made = Preset {
            header: Header {
                name: create.name,
                description: create.description,
                category: create.category,
                created_ms: now,
                updated_ms: now,
                tags: create.tags,
            },
            settings: create.settings,
        };
        if !self.store.write::<_, StoreError>(|transaction| definition::insert(transaction, &made))? {
            return Err(conflict(format!("there is a preset of the name {} already", made.header.name)));
        }
        answer(StatusCode::CREATED, &json!({ "preset": self.preset_shape(made) }))
    }

    pub(super) fn update_preset(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:UpdatePreset", &Preset::arn(&self.account, name))?;
        let body = body(request)?;
        let update: UpdatePreset = decode(&body)?;
        update.settings.as_ref().map(check_settings).transpose()?;
        let now = self.clock.now().as_millisecond();
        let changed = self.store.write::<_, AwsError>(|transaction| {
            let found = definition::get::<Preset>(transaction, name)?;
            let mut found = found.ok_or_else(|| no_preset(name))?;
            found.header.description = update.description.or(found.header.description);
            found.header.category = update.category.or(found.header.category);
            found.header.updated_ms = now;
            found.settings = update.settings.unwrap_or(found.settings);
            definition::update(transaction, &found)?;
            Ok(found)
        })?;
        answer(StatusCode::OK, &json!({ "preset": self.preset_shape(changed) }))
    }

    pub(super) fn get_preset(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:GetPreset", &Preset::arn(&self.account, name))?;
        let found = self.store.read::<_, StoreError>(|connection| definition::get::<Preset>(connection, name))?;
        let found = found.ok_or_else(|| no_preset(name))?;
        answer(StatusCode::OK, &json!({ "preset": self.preset_shape(found) }))
    }

    pub(super) fn list_presets(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:ListPresets", "*")?;
        let (found, next_token) = self.definitions::<Preset>(request, ListBy::Name, None)?;
        let presets = found.into_iter().map(|found| self.preset_shape(found)).collect();
        answer(StatusCode::OK, &PresetsAnswer { presets, next_token })
    }

    pub(super) fn delete_preset(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:DeletePreset", &Preset::arn(&self.account, name))?;
        if !self.store.write::<_, StoreError>(|transaction| definition::delete::<Preset>(transaction, name))? {
            return Err(no_preset(name));
        }
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    fn preset_shape(&self, found: Preset) -> PresetShape {
        PresetShape {
            arn: Preset::arn(&self.account, &found.header.name),
            name: found.header.name,
            kind: "CUSTOM",
            description: found.header.description,
            category: found.header.category,
            settings: found.settings,
            created_at: found.header.created_ms / 1000,
            last_updated: found.header.updated_ms / 1000,
        }
    }
}

/// Only the members a preset may have. What they hold is validated in the job that uses it, where the output group decides what
/// fits.
fn check_settings(settings: &Value) -> Result<(), AwsError> {
    /// Source: aws-sdk-mediaconvert 1.153, `types::PresetSettings`.
    const MEMBERS: [&str; 4] = ["audioDescriptions", "captionDescriptions", "containerSettings", "videoDescription"];
    let Some(members) = settings.as_object() else {
        return Err(Refusal::new("/settings", "Should be an object").into());
    };
    match members.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        Some(key) => Err(Refusal::unsupported(format!("/settings/{key}")).into()),
        None => Ok(()),
    }
}

fn no_preset(name: &str) -> AwsError {
    not_found(format!("no preset has the name {name}"))
}
