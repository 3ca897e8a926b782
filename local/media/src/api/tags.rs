//! TagResource, UntagResource, ListTagsForResource: of jobs, queues, job templates and presets.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vodline_core::{AwsError, Request, Response, StoreError};

use crate::{
    definition::{self, Definition, JobTemplate, Preset, Queue},
    job::decode,
    service::MediaConvert,
};

use super::{answer, body, create::check_tags, not_found};

type Tags = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TagResource {
    arn: String,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UntagResource {
    #[serde(default)]
    tag_keys: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagsAnswer<'a> {
    resource_tags: ResourceTags<'a>,
}

#[derive(Serialize)]
struct ResourceTags<'a> {
    arn: &'a str,
    tags: Tags,
}

impl MediaConvert {
    pub(super) fn tag(&self, request: &Request) -> Result<Response, AwsError> {
        let body = body(request)?;
        let tag: TagResource = decode(&body)?;
        request.authorize("mediaconvert:TagResource", &tag.arn)?;
        self.change_tags(&tag.arn, |tags| {
            tags.extend(tag.tags.clone());
            check_tags(tags)
        })?;
        answer(StatusCode::OK, &json!({}))
    }

    pub(super) fn untag(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:UntagResource", arn)?;
        let body = body(request)?;
        let untag: UntagResource = decode(&body)?;
        self.change_tags(arn, |tags| {
            tags.retain(|key, _| !untag.tag_keys.contains(key));
            Ok(())
        })?;
        answer(StatusCode::OK, &json!({}))
    }

    pub(super) fn list_tags(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:ListTagsForResource", arn)?;
        let mut found = Tags::new();
        self.change_tags(arn, |tags| {
            found.clone_from(tags);
            Ok(())
        })?;
        answer(StatusCode::OK, &TagsAnswer { resource_tags: ResourceTags { arn, tags: found } })
    }

    /// Lets `change` at the tags of whatever has this ARN.
    fn change_tags(&self, arn: &str, change: impl FnOnce(&mut Tags) -> Result<(), AwsError>) -> Result<(), AwsError> {
        let missing = || not_found(format!("nothing has the ARN {arn}"));
        let resource = arn.strip_prefix(&self.account.arn("mediaconvert", "")).ok_or_else(missing)?;
        let (kind, name) = resource.split_once('/').ok_or_else(missing)?;
        match kind {
            "jobs" => {
                let mut tags = self.find(name)?.tags;
                change(&mut tags)?;
                self.change(name, None, |record| {
                    record.tags = tags;
                    true
                })?;
                Ok(())
            }
            Queue::KIND => self.change_definition_tags::<Queue>(name, change),
            JobTemplate::KIND => self.change_definition_tags::<JobTemplate>(name, change),
            Preset::KIND => self.change_definition_tags::<Preset>(name, change),
            _ => Err(missing()),
        }
    }

    fn change_definition_tags<D: Definition>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Tags) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        self.store.write(|transaction| {
            let found = definition::get::<D>(transaction, name)?;
            let mut found = found.ok_or_else(|| not_found(format!("none of the {} has the name {name}", D::KIND)))?;
            change(&mut found.header_mut().tags)?;
            definition::update(transaction, &found).map_err(|error: StoreError| error.into())
        })
    }
}
