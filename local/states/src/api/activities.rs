//! Activities.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use vodline_asl::UnixMillis;
use vodline_core::{AwsError, Request, Response, StoreError};

use super::{Nothing, answer, at_most, decode, paging, required, tags::Tag};
use crate::{
    States, engine, error,
    names::{self, NAME_CHARS_MAX},
    time::epoch_seconds,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateActivityInput {
    name: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    encryption_configuration: Option<serde_json::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateActivityOutput {
    activity_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActivityInput {
    activity_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActivityItem {
    activity_arn: String,
    name: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: UnixMillis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListActivitiesInput {
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListActivitiesOutput {
    activities: Vec<ActivityItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetActivityTaskInput {
    activity_arn: Option<String>,
    worker_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetActivityTaskOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
}

impl States {
    pub(super) fn create_activity(&self, request: &Request) -> Result<Response, AwsError> {
        let input: CreateActivityInput = decode(request)?;
        let name = required(input.name, "name")?;
        let arn = names::activity_arn(&self.config.account, &name);
        request.authorize("states:CreateActivity", &arn)?;
        names::check_name(&name)?;
        super::tags::check(&input.tags)?;
        if input.encryption_configuration.is_some() {
            return Err(AwsError::unsupported_field("states", "CreateActivity", "encryptionConfiguration"));
        }
        let now = engine::now(self.engine.context());
        let created_at: i64 = self.engine.context().store.write::<_, StoreError>(|transaction| {
            // Creating it again is answered like the first time.
            let made = transaction.execute(
                "INSERT OR IGNORE INTO states_activities (arn, name, created_at) VALUES (?1, ?2, ?3)",
                params![arn, name, now.0],
            )?;
            if made == 1 {
                super::tags::add(transaction, &arn, &input.tags)?;
            }
            Ok(transaction
                .query_row("SELECT created_at FROM states_activities WHERE arn = ?1", [&arn], |row| row.get(0))?)
        })?;
        answer(&CreateActivityOutput { activity_arn: arn, creation_date: UnixMillis(created_at) })
    }

    pub(super) fn delete_activity(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ActivityInput = decode(request)?;
        let arn = required(input.activity_arn, "activityArn")?;
        request.authorize("states:DeleteActivity", &arn)?;
        names::expect(&arn, "activity")?;
        self.engine.context().store.write::<_, StoreError>(|transaction| {
            transaction.execute("DELETE FROM states_activities WHERE arn = ?1", [&arn])?;
            transaction.execute("DELETE FROM states_tags WHERE arn = ?1", [&arn])?;
            Ok(())
        })?;
        answer(&Nothing {})
    }

    pub(super) fn describe_activity(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ActivityInput = decode(request)?;
        let arn = required(input.activity_arn, "activityArn")?;
        request.authorize("states:DescribeActivity", &arn)?;
        names::expect(&arn, "activity")?;
        let found = self.activities("WHERE arn = ?1 AND name > ?2 LIMIT ?3", &arn, "", 1)?;
        let activity = found.into_iter().next().ok_or_else(|| error::activity_does_not_exist(&arn))?;
        answer(&activity)
    }

    pub(super) fn list_activities(&self, request: &Request) -> Result<Response, AwsError> {
        let input: ListActivitiesInput = decode(request)?;
        request.authorize("states:ListActivities", "*")?;
        let size = paging::size(input.max_results)?;
        let list = "ListActivities";
        let after = paging::position(list, input.next_token.as_deref())?.unwrap_or_default();
        let mut activities =
            self.activities("WHERE arn <> ?1 AND name > ?2 ORDER BY name LIMIT ?3", "", &after, size + 1)?;
        let next_token = paging::cut(&mut activities, size, list, |activity| activity.name.clone());
        answer(&ListActivitiesOutput { activities, next_token })
    }

    pub(super) async fn get_activity_task(&self, request: &Request) -> Result<Response, AwsError> {
        let input: GetActivityTaskInput = decode(request)?;
        let arn = required(input.activity_arn, "activityArn")?;
        request.authorize("states:GetActivityTask", &arn)?;
        names::expect(&arn, "activity")?;
        if let Some(worker) = &input.worker_name {
            at_most(worker, "workerName", NAME_CHARS_MAX)?;
        }
        if !self.activity_exists(&arn)? {
            return Err(error::activity_does_not_exist(&arn));
        }
        let handed = self.take_activity(&arn, input.worker_name.as_deref()).await?;
        let (task_token, input) = handed.map(|handed| (handed.token, handed.input)).unzip();
        answer(&GetActivityTaskOutput { task_token, input })
    }

    fn activities(
        &self,
        condition: &str,
        arn: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ActivityItem>, StoreError> {
        self.engine.context().store.read(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("SELECT arn, name, created_at FROM states_activities {condition}"))?;
            let rows = statement.query_map(params![arn, after, limit], |row| {
                Ok(ActivityItem {
                    activity_arn: row.get(0)?,
                    name: row.get(1)?,
                    creation_date: UnixMillis(row.get(2)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
