//! Tags of machines and activities.

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{Nothing, answer, decode, required};
use crate::{
    States, error, machines,
    names::{self, Resource},
};

/// Most tags of a resource; longest key and value, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>.
const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TagResourceInput {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UntagResourceInput {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListTagsForResourceInput {
    resource_arn: Option<String>,
}

#[derive(Serialize)]
struct ListTagsForResourceOutput {
    tags: Vec<Tag>,
}

impl States {
    pub(super) fn tag_resource(&self, request: &Request) -> Result<Response, AwsError> {
        let input: TagResourceInput = decode(request)?;
        let arn = required(input.resource_arn, "resourceArn")?;
        let tags = required(input.tags, "tags")?;
        request.authorize("states:TagResource", &arn)?;
        check(&tags)?;
        self.engine.context().store.write::<_, AwsError>(|transaction| {
            exists(transaction, &arn)?;
            add(transaction, &arn, &tags)?;
            let count: usize = transaction
                .query_row("SELECT count(*) FROM states_tags WHERE arn = ?1", [&arn], |row| row.get(0))
                .map_err(StoreError::from)?;
            if count > TAGS_MAX { Err(error::too_many_tags(&arn)) } else { Ok(()) }
        })?;
        answer(&Nothing {})
    }

    pub(super) fn untag_resource(&self, request: &Request) -> Result<Response, AwsError> {
        let input: UntagResourceInput = decode(request)?;
        let arn = required(input.resource_arn, "resourceArn")?;
        let keys = required(input.tag_keys, "tagKeys")?;
        request.authorize("states:UntagResource", &arn)?;
        self.engine.context().store.write::<_, AwsError>(|transaction| {
            exists(transaction, &arn)?;
            for key in &keys {
                transaction
                    .execute("DELETE FROM states_tags WHERE arn = ?1 AND key = ?2", params![arn, key])
                    .map_err(StoreError::from)?;
            }
            Ok(())
        })?;
        answer(&Nothing {})
    }

    pub(super) fn list_tags(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListTagsForResourceInput = decode(request)?;
        let arn = required(input.resource_arn, "resourceArn")?;
        request.authorize("states:ListTagsForResource", &arn)?;
        let tags = self.engine.context().store.read::<_, AwsError>(|connection| {
            exists(connection, &arn)?;
            let mut statement = connection
                .prepare_cached("SELECT key, value FROM states_tags WHERE arn = ?1 ORDER BY key")
                .map_err(StoreError::from)?;
            let tags = statement
                .query_map([&arn], |row| Ok(Tag { key: row.get(0)?, value: row.get(1)? }))
                .and_then(Iterator::collect)
                .map_err(StoreError::from)?;
            Ok(tags)
        })?;
        answer(&ListTagsForResourceOutput { tags })
    }
}

/// Checks tags a caller gives.
pub(super) fn check(tags: &[Tag]) -> Result<(), AwsError> {
    if tags.len() > TAGS_MAX {
        return Err(error::too_many_tags("a resource may have 50 tags"));
    }
    for Tag { key, value } in tags {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Err(error::constraint(key, "tags.member.key", "have length between 1 and 128"));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return Err(error::constraint(value, "tags.member.value", "have length less than or equal to 256"));
        }
    }
    Ok(())
}

/// Adds tags, or changes their values.
pub(super) fn add(transaction: &Transaction<'_>, arn: &str, tags: &[Tag]) -> Result<(), StoreError> {
    for Tag { key, value } in tags {
        transaction.execute(
            "INSERT OR REPLACE INTO states_tags (arn, key, value) VALUES (?1, ?2, ?3)",
            params![arn, key, value],
        )?;
    }
    Ok(())
}

/// Makes these the only tags.
pub(super) fn replace(transaction: &Transaction<'_>, arn: &str, tags: &[(String, String)]) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM states_tags WHERE arn = ?1", [arn])?;
    let tags: Vec<Tag> = tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    add(transaction, arn, &tags)
}

fn exists(connection: &Connection, arn: &str) -> Result<(), AwsError> {
    let found = match names::parse(arn)? {
        Resource::Machine { qualifier: None, .. } => machines::by_arn(connection, arn)?.is_some(),
        Resource::Activity => connection
            .query_row("SELECT EXISTS (SELECT 1 FROM states_activities WHERE arn = ?1)", [arn], |row| row.get(0))
            .map_err(StoreError::from)?,
        _ => false,
    };
    if found { Ok(()) } else { Err(error::resource_not_found(arn)) }
}
