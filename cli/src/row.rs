//! Reads rows of the catalogue.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::{Map, Number, Value};
use vodline_contracts::{VideoId, video::Video};

use crate::{
    error::{CliError, doing},
    home::Stack,
};

/// The row of a video, if there is one.
pub(crate) async fn find(stack: &Stack, video_id: &VideoId) -> Result<Option<Video>, CliError> {
    let answer = Client::new(&stack.config)
        .get_item()
        .table_name(stack.output("CatalogueTable")?)
        .key("pk", AttributeValue::S(format!("VIDEO#{video_id}")))
        .key("sk", AttributeValue::S("VIDEO".into()))
        .consistent_read(true)
        .send()
        .await
        .map_err(doing("read the catalogue"))?;
    answer.item.as_ref().map(video).transpose()
}

/// The newest videos, newest first.
pub(crate) async fn newest(stack: &Stack, limit: i32) -> Result<Vec<Video>, CliError> {
    let answer = Client::new(&stack.config)
        .query()
        .table_name(stack.output("CatalogueTable")?)
        .index_name("newest-first")
        .key_condition_expression("listPk = :videos")
        .expression_attribute_values(":videos", AttributeValue::S("VIDEOS".into()))
        .scan_index_forward(false)
        .limit(limit)
        .send()
        .await
        .map_err(doing("read the catalogue"))?;
    answer.items().iter().map(video).collect()
}

fn video(item: &HashMap<String, AttributeValue>) -> Result<Video, CliError> {
    let object: Map<String, Value> = item.iter().map(|(name, value)| (name.clone(), json(value))).collect();
    serde_json::from_value(Value::Object(object))
        .map_err(|error| CliError::Plain(format!("a row of the catalogue cannot be read: {error}")))
}

fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => number.parse::<Number>().map_or(Value::Null, Value::Number),
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::L(items) => items.iter().map(json).collect(),
        AttributeValue::M(entries) => entries.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
        AttributeValue::Ss(texts) => texts.iter().cloned().map(Value::String).collect(),
        _ => Value::Null,
    }
}
