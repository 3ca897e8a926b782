#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use vodline_core::{Account, AwsError, Protocol};

use super::{DynamoConfig, DynamoDb, TableSpec};
use crate::testing::{call, call_allowed};

const ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/videos";

fn open(directory: &TempDir) -> Arc<DynamoDb> {
    DynamoDb::open(DynamoConfig { directory: directory.path().into(), account: Account::default() }).unwrap()
}

/// As a template has it.
fn properties() -> Value {
    json!({
        "TableName": "videos",
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "newest",
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": true},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true},
        "SSESpecification": {"SSEEnabled": true},
        "Tags": [{"Key": "app", "Value": "vodline"}],
    })
}

fn spec(properties: Value) -> TableSpec {
    serde_json::from_value(properties).unwrap()
}

struct Home {
    dynamo: Arc<DynamoDb>,
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let dynamo = open(&directory);
        dynamo.define_table(&spec(properties())).unwrap();
        Self { dynamo, directory }
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        call(&*self.dynamo, operation, body).await.unwrap()
    }

    async fn error(&self, operation: &str, body: Value) -> AwsError {
        call(&*self.dynamo, operation, body).await.unwrap_err()
    }

    async fn put(&self, id: &str, at: u32) {
        let item = json!({"id": {"S": id}, "kind": {"S": "video"}, "at": {"N": at.to_string()}});
        self.ok("PutItem", json!({"TableName": "videos", "Item": item})).await;
    }
}

#[tokio::test]
async fn a_table_is_what_the_template_says_and_stays_so() {
    let home = Home::new();
    home.put("a", 1).await;
    let described = home.ok("DescribeTable", json!({"TableName": "videos"})).await;
    let table = &described["Table"];
    assert_eq!(table["TableArn"], ARN);
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexArn"], format!("{ARN}/index/newest"));
    let ttl = home.ok("DescribeTimeToLive", json!({"TableName": "videos"})).await;
    assert_eq!(ttl["TimeToLiveDescription"], json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}));
    let tags = home.ok("ListTagsOfResource", json!({"ResourceArn": ARN})).await;
    assert_eq!(tags["Tags"], json!([{"Key": "app", "Value": "vodline"}]));
    home.dynamo.define_table(&spec(properties())).unwrap();
    assert_eq!(home.ok("DescribeTable", json!({"TableName": "videos"})).await["Table"]["ItemCount"], 1);
}

#[tokio::test]
async fn a_changed_template_changes_indexes_and_time_to_live_but_never_a_key() {
    let home = Home::new();
    home.put("a", 1).await;
    let mut changed = properties();
    changed["GlobalSecondaryIndexes"][0]["IndexName"] = json!("latest");
    changed["TimeToLiveSpecification"]["AttributeName"] = json!("until");
    home.dynamo.define_table(&spec(changed)).unwrap();
    let query = |index: &str| {
        json!({
            "TableName": "videos", "IndexName": index, "KeyConditionExpression": "kind = :k",
            "ExpressionAttributeValues": {":k": {"S": "video"}},
        })
    };
    assert_eq!(home.ok("Query", query("latest")).await["Count"], 1);
    assert_eq!(home.error("Query", query("newest")).await.code, "ValidationException");
    let ttl = home.ok("DescribeTimeToLive", json!({"TableName": "videos"})).await;
    assert_eq!(ttl["TimeToLiveDescription"]["AttributeName"], "until");
    let mut other_key = properties();
    other_key["KeySchema"][0]["AttributeName"] = json!("kind");
    let error = home.dynamo.define_table(&spec(other_key)).unwrap_err();
    assert_eq!(error.message, "the key of table videos changed; it needs a new table");
    let mut unknown = properties();
    unknown["ContributorInsightsSpecification"] = json!({});
    let error = serde_json::from_value::<TableSpec>(unknown).unwrap_err();
    assert!(error.to_string().contains("ContributorInsightsSpecification"));
}

#[tokio::test]
async fn what_was_answered_survives_reopening() {
    let home = Home::new();
    for n in 0..20 {
        home.put(&format!("v{n}"), n).await;
    }
    let Home { dynamo, directory } = home;
    drop(dynamo);
    let home = Home { dynamo: open(&directory), directory };
    let query = json!({
        "TableName": "videos", "IndexName": "newest", "KeyConditionExpression": "kind = :k", "Limit": 3,
        "ExpressionAttributeValues": {":k": {"S": "video"}}, "ScanIndexForward": false,
    });
    let page = home.ok("Query", query).await;
    let ids: Vec<_> = page["Items"].as_array().unwrap().iter().map(|item| item["id"]["S"].clone()).collect();
    assert_eq!(ids, ["v19", "v18", "v17"]);
    assert_eq!(page["LastEvaluatedKey"]["id"]["S"], "v17");
}

/// An error as it goes over the wire.
fn wire(error: &AwsError) -> Value {
    serde_json::from_slice(&error.to_response(Protocol::Json10, "r-1").body).unwrap()
}

#[tokio::test]
async fn errors_have_the_shapes_of_aws() {
    let home = Home::new();
    home.put("a", 1).await;
    let put = json!({
        "TableName": "videos", "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let error = home.error("PutItem", put.clone()).await;
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("ConditionalCheckFailedException", "The conditional request failed")
    );
    assert_eq!(wire(&error)["Item"]["at"], json!({"N": "1"}));

    let items = json!([{"Put": put}, {"Put": {"TableName": "videos", "Item": {"id": {"S": "b"}}}}]);
    let error = home.error("TransactWriteItems", json!({"TransactItems": items})).await;
    assert_eq!(error.code, "TransactionCanceledException");
    assert_eq!(wire(&error)["CancellationReasons"][0]["Code"], "ConditionalCheckFailed");
    assert_eq!(wire(&error)["CancellationReasons"][0]["Item"]["id"], json!({"S": "a"}));
    assert_eq!(wire(&error)["CancellationReasons"][1]["Code"], "None");

    let check = async |operation: &str, body: Value, code: &str, words: &str| {
        let error = home.error(operation, body).await;
        assert_eq!(error.code, code, "{operation}: {}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
    };
    check("GetItem", json!({"TableName": "none", "Key": {"id": {"S": "a"}}}), "ResourceNotFoundException", "not found")
        .await;
    check("GetItem", json!({"TableName": "videos", "Key": {"no": {"S": "a"}}}), "ValidationException", "key").await;
    check("PutItem", json!({"TableName": "videos"}), "ValidationException", "item").await;
    check("PutItem", json!({"TableName": 7}), "SerializationException", "").await;
    check("DescribeBackup", json!({}), "NotImplemented", "dynamodb:DescribeBackup").await;
    let warm = json!({"TableName": "t", "WarmThroughput": {}});
    check("CreateTable", warm, "NotImplemented", "WarmThroughput").await;
}

#[tokio::test]
async fn a_role_may_do_what_its_policy_says() {
    let home = Home::new();
    home.put("a", 1).await;
    let allowed = [&*format!("dynamodb:PutItem {ARN}"), &*format!("dynamodb:Query {ARN}/index/newest")];
    let as_role = async |operation: &str, body: Value| {
        call_allowed(&*home.dynamo, &allowed, operation, body).await.map_err(|error| error.code)
    };
    let denied = Err("AccessDeniedException".to_owned());
    let query = |index: Option<&str>| {
        json!({
            "TableName": "videos", "IndexName": index, "KeyConditionExpression": "kind = :k",
            "ExpressionAttributeValues": {":k": {"S": "video"}},
        })
    };
    let put = json!({"TableName": "videos", "Item": {"id": {"S": "b"}}});
    assert!(as_role("PutItem", put.clone()).await.is_ok());
    assert!(as_role("Query", query(Some("newest"))).await.is_ok());
    assert_eq!(as_role("Query", query(None)).await, denied);
    assert_eq!(as_role("GetItem", json!({"TableName": "videos", "Key": {"id": {"S": "a"}}})).await, denied);
    assert!(as_role("TransactWriteItems", json!({"TransactItems": [{"Put": put}]})).await.is_ok());
    let both = json!({"TransactItems": [{"Put": put}, {"Delete": {"TableName": "videos", "Key": {"id": {"S": "a"}}}}]});
    assert_eq!(as_role("TransactWriteItems", both).await, denied);
    assert_eq!(as_role("ExecuteStatement", json!({"Statement": "SELECT * FROM videos"})).await, denied);
}
