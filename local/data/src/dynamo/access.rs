//! What a request needs permission for, and what of it the engine would pass over.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>.

use serde_json::Value;
use vodline_core::{Account, AwsError};

/// Members that AWS knows and the engine would ignore.
const UNSUPPORTED: [(&str, &str); 11] = [
    ("CreateTable", "WarmThroughput"),
    ("CreateTable", "ResourcePolicy"),
    ("CreateTable", "GlobalTableSourceArn"),
    ("CreateTable", "GlobalTableSettingsReplicationMode"),
    ("UpdateTable", "SSESpecification"),
    ("UpdateTable", "ReplicaUpdates"),
    ("UpdateTable", "MultiRegionConsistency"),
    ("UpdateTable", "GlobalTableWitnessUpdates"),
    ("UpdateTable", "WarmThroughput"),
    ("UpdateTable", "GlobalTableSettingsReplicationMode"),
    ("ListTagsOfResource", "NextToken"),
];
/// The same, of each index that CreateTable makes.
const UNSUPPORTED_OF_INDEX: [&str; 2] = ["OnDemandThroughput", "WarmThroughput"];

pub(super) fn refuse_unsupported(operation: &str, request: &Value) -> Result<(), AwsError> {
    for (of, member) in UNSUPPORTED {
        if of == operation && !request[member].is_null() {
            return Err(AwsError::unsupported_field("dynamodb", operation, member));
        }
    }
    let indexes = request["GlobalSecondaryIndexes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (number, index) in indexes.iter().enumerate() {
        if let Some(member) = UNSUPPORTED_OF_INDEX.iter().find(|member| !index[**member].is_null()) {
            let path = format!("GlobalSecondaryIndexes[{number}].{member}");
            return Err(AwsError::unsupported_field("dynamodb", operation, &path));
        }
    }
    Ok(())
}

/// The actions and resources that a request needs permission for. A request that names no table needs it for all: the engine
/// will refuse such a request anyway.
pub(super) fn needs(operation: &str, request: &Value, account: &Account) -> Vec<(String, String)> {
    let table = |name: &str| account.arn("dynamodb", &format!("table/{name}"));
    let action = || format!("dynamodb:{operation}");
    let needs: Vec<_> = match operation {
        "ListTables" | "ListStreams" => vec![(action(), "*".into())],
        "TagResource" | "UntagResource" | "ListTagsOfResource" => named(request, "ResourceArn", action),
        "DescribeStream" | "GetShardIterator" => named(request, "StreamArn", action),
        // An iterator does not say whose it is.
        "GetRecords" => vec![(action(), table("*/stream/*"))],
        // Statements are not read here, so only someone who may do all to all tables may run them.
        "ExecuteStatement" | "ExecuteTransaction" | "BatchExecuteStatement" => {
            ["PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"]
                .map(|action| (format!("dynamodb:{action}"), table("*")))
                .into()
        }
        "Query" | "Scan" => match (request["TableName"].as_str(), request["IndexName"].as_str()) {
            (Some(name), Some(index)) => vec![(action(), format!("{}/index/{index}", table(name)))],
            (Some(name), None) => vec![(action(), table(name))],
            (None, _) => vec![],
        },
        "BatchGetItem" | "BatchWriteItem" => request["RequestItems"]
            .as_object()
            .map(|items| items.keys().map(|name| (action(), table(name))).collect())
            .unwrap_or_default(),
        "TransactGetItems" | "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
            let operations = items.iter().filter_map(Value::as_object).flatten();
            operations
                .filter_map(|(kind, item)| {
                    let action = match kind.as_str() {
                        "Get" => "GetItem",
                        "Put" => "PutItem",
                        "Update" => "UpdateItem",
                        "Delete" => "DeleteItem",
                        "ConditionCheck" => "ConditionCheckItem",
                        _ => return None,
                    };
                    Some((format!("dynamodb:{action}"), table(item["TableName"].as_str()?)))
                })
                .collect()
        }
        _ => match request["TableName"].as_str() {
            Some(name) => vec![(action(), table(name))],
            None => vec![],
        },
    };
    if needs.is_empty() { vec![(action(), "*".into())] } else { needs }
}

fn named(request: &Value, member: &str, action: impl Fn() -> String) -> Vec<(String, String)> {
    request[member].as_str().map(|arn| vec![(action(), arn.to_owned())]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(operation: &str, request: Value, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(action, resource)| {
                let resource = if *resource == "*" {
                    "*".to_owned()
                } else {
                    format!("arn:aws:dynamodb:us-east-1:000000000000:table/{resource}")
                };
                (format!("dynamodb:{action}"), resource)
            })
            .collect();
        assert_eq!(needs(operation, &request, &Account::default()), expected, "{operation} {request}");
    }

    #[test]
    fn names_every_table_of_a_request() {
        check("PutItem", json!({"TableName": "a"}), &[("PutItem", "a")]);
        check("PutItem", json!({}), &[("PutItem", "*")]);
        check("Query", json!({"TableName": "a"}), &[("Query", "a")]);
        check("Query", json!({"TableName": "a", "IndexName": "i"}), &[("Query", "a/index/i")]);
        check(
            "BatchGetItem",
            json!({"RequestItems": {"a": {}, "b": {}}}),
            &[("BatchGetItem", "a"), ("BatchGetItem", "b")],
        );
        check(
            "TransactWriteItems",
            json!({"TransactItems": [
                {"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}},
                {"Update": {"TableName": "c"}}, {"Delete": {"TableName": "d"}},
            ]}),
            &[("PutItem", "a"), ("ConditionCheckItem", "b"), ("UpdateItem", "c"), ("DeleteItem", "d")],
        );
        check("TransactGetItems", json!({"TransactItems": [{"Get": {"TableName": "a"}}]}), &[("GetItem", "a")]);
        check("ListTables", json!({}), &[("ListTables", "*")]);
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/a";
        check("TagResource", json!({"ResourceArn": arn}), &[("TagResource", "a")]);
    }
}
