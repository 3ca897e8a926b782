//! A conditional update of one item.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue},
};
use serde::Serialize;
use vodline_contracts::VideoId;
use vodline_step::{StepError, aws::service_error};

use crate::{Catalog, Item, Kind, key};

/// What to change, and when. Attributes are written `#name` and values `:name` in conditions; every attribute is aliased, so
/// none collides with DynamoDB's reserved words.
#[derive(Default)]
pub(crate) struct Update {
    sets: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    failure: Option<serde_dynamo::Error>,
}

impl Update {
    /// Gives the attribute this value.
    pub(crate) fn set<T: Serialize>(self, attribute: &str, value: &T) -> Self {
        let mut update = self.bind(attribute, value).name(attribute);
        update.sets.push(format!("#{attribute} = :{attribute}"));
        update
    }

    /// Gives the attribute this value unless it has one.
    pub(crate) fn set_if_absent<T: Serialize>(self, attribute: &str, value: &T) -> Self {
        let mut update = self.bind(attribute, value).name(attribute);
        update.sets.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        update
    }

    /// Gives the member of a map attribute this value. `member` may be any text.
    pub(crate) fn set_member<T: Serialize>(self, attribute: &str, member: &str, value: &T) -> Self {
        let mut update = self.bind("member", value).name(attribute);
        update.names.insert("#member".to_owned(), member.to_owned());
        update.sets.push(format!("#{attribute}.#member = :member"));
        update
    }

    /// Takes the attribute away.
    pub(crate) fn remove(self, attribute: &str) -> Self {
        let mut update = self.name(attribute);
        update.removes.push(format!("#{attribute}"));
        update
    }

    /// Writes only if this holds too.
    pub(crate) fn require(self, condition: &str) -> Self {
        let mut update = self;
        for part in condition.split('#').skip(1) {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
            update = update.name(&part[..end]);
        }
        update.conditions.push(format!("({condition})"));
        update
    }

    /// Makes `:name` mean this value in conditions.
    pub(crate) fn bind<T: Serialize>(mut self, name: &str, value: &T) -> Self {
        match serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value) {
            Ok(value) => {
                self.values.insert(format!(":{name}"), value);
            }
            Err(error) => self.failure = Some(error),
        }
        self
    }

    fn name(mut self, attribute: &str) -> Self {
        self.names.insert(format!("#{attribute}"), attribute.to_owned());
        self
    }

    fn expression(&self) -> String {
        let clause = |verb: &str, parts: &[String]| match parts {
            [] => String::new(),
            parts => format!("{verb} {} ", parts.join(", ")),
        };
        format!("{}{}", clause("SET", &self.sets), clause("REMOVE", &self.removes))
    }

    /// Writes. The item as it is now, or nothing when the conditions do not hold.
    pub(crate) async fn send(
        self,
        catalog: &Catalog,
        video_id: &VideoId,
        kind: Kind,
    ) -> Result<Option<Item>, StepError> {
        let expression = self.expression();
        if let Some(error) = self.failure {
            return Err(StepError::internal("a value cannot be written to the table").caused_by(error));
        }
        let sent = catalog
            .client
            .update_item()
            .table_name(&catalog.table)
            .set_key(Some(key(video_id, kind)))
            .update_expression(expression)
            .set_condition_expression((!self.conditions.is_empty()).then(|| self.conditions.join(" AND ")))
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(answer.attributes),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(service_error("dynamodb:UpdateItem", error)),
        }
    }
}
