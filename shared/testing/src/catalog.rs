//! The table, in memory.

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use vodline_catalog::{Catalog, INDEX};

use crate::http::{self, Answer, Asked};

const TABLE: &str = "videos";

/// An empty catalogue of its own.
#[must_use]
pub fn catalog() -> Catalog {
    let database = Database::memory().expect("a database in memory");
    create_table(&database);
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
        .http_client(http::client(move |asked| answer(&database, asked)))
        .build();
    Catalog::new(Client::from_conf(config), TABLE)
}

fn create_table(database: &Database) {
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let keys = |hash: &str, range: &str| {
        json!([
            { "AttributeName": hash, "KeyType": "HASH" },
            { "AttributeName": range, "KeyType": "RANGE" },
        ])
    };
    let request = json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("pk"), text("sk"), text("listPk"), text("listSk")],
        "KeySchema": keys("pk", "sk"),
        "GlobalSecondaryIndexes": [
            { "IndexName": INDEX, "KeySchema": keys("listPk", "listSk"), "Projection": { "ProjectionType": "ALL" } },
        ],
    });
    database.create_table(serde_json::from_value(request).expect("a request")).expect("a table");
}

fn answer(database: &Database, asked: &Asked) -> Answer {
    let operation = asked.target.rsplit('.').next().unwrap_or_default();
    let outcome = match operation {
        "GetItem" => run(&asked.body, |request| database.get_item(request)),
        "PutItem" => run(&asked.body, |request| database.put_item(request)),
        "Query" => run(&asked.body, |request| database.query(request)),
        "UpdateItem" => run(&asked.body, |request| database.update_item(request)),
        other => panic!("no step asks for {other}"),
    };
    match outcome {
        Ok(body) => Answer::ok(body),
        Err(error) => Answer::status(error.status_code(), error.to_json()),
    }
}

fn run<Request: DeserializeOwned, Response: Serialize>(
    body: &str,
    operation: impl FnOnce(Request) -> Result<Response, DynoxideError>,
) -> Result<String, DynoxideError> {
    let response = operation(serde_json::from_str(body).expect("the SDK's requests decode"))?;
    Ok(serde_json::to_string(&response).expect("responses encode"))
}
