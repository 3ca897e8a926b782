//! The API's rules.

use http::Method;
use serde_json::{Value, json};

use crate::home::{Home, asset_request};

#[tokio::test]
async fn the_api_keeps_its_rules() {
    let home = Home::new();
    let group = home.group().await;
    assert_eq!(group["approximateAssetCount"], 0);
    home.configuration("hls", 6).await;
    home.asset("one").await;
    home.asset("two").await;

    let (status, text) = home.refusal(Method::POST, "/assets", asset_request("one", "reader")).await;
    assert_eq!((status, text.as_str()), (422, "UnprocessableEntityException: Asset already exists: one"));
    assert_eq!(home.refusal(Method::POST, "/packaging_groups", json!({ "id": "group" })).await.0, 422);
    assert_eq!(home.refusal(Method::GET, "/assets/none", Value::Null).await.0, 404);
    assert_eq!(home.refusal(Method::DELETE, "/packaging_groups/group", Value::Null).await.0, 422);
    assert_eq!(home.refusal(Method::POST, "/assets", json!({ "id": "x", "surprise": 1 })).await.0, 400);
    let (status, text) = home
        .refusal(
            Method::POST,
            "/packaging_configurations",
            json!({ "id": "d", "packagingGroupId": "group", "mssPackage": {} }),
        )
        .await;
    assert_eq!(status, 501);
    assert!(text.contains("mssPackage"), "{text}");
    assert_eq!(home.refusal(Method::PUT, "/packaging_groups/group/configure_logs", json!({})).await.0, 501);

    let page = home.call(Method::GET, "/assets?maxResults=1&packagingGroupId=group", Value::Null).await.unwrap();
    assert_eq!(page["assets"][0]["id"], "one");
    let next = format!("/assets?maxResults=1&nextToken={}", page["nextToken"].as_str().unwrap());
    let page = home.call(Method::GET, &next, Value::Null).await.unwrap();
    assert_eq!(page["assets"][0]["id"], "two");
    assert!(page.get("nextToken").is_none());
    let group = home.call(Method::GET, "/packaging_groups/group", Value::Null).await.unwrap();
    assert_eq!(group["approximateAssetCount"], 2);

    let tags = "/tags/arn%3Aaws%3Amediapackage-vod%3Aus-east-1%3A000000000000%3Aassets%2Fone";
    home.post(tags, json!({ "tags": { "more": "1" } })).await;
    home.call(Method::DELETE, &format!("{tags}?tagKeys=videoId"), Value::Null).await.unwrap();
    let answer = home.call(Method::GET, tags, Value::Null).await.unwrap();
    assert_eq!(answer, json!({ "tags": { "more": "1" } }));

    for id in ["one", "two"] {
        home.call(Method::DELETE, &format!("/assets/{id}"), Value::Null).await.unwrap();
    }
    home.call(Method::DELETE, "/packaging_configurations/hls", Value::Null).await.unwrap();
    home.call(Method::DELETE, "/packaging_groups/group", Value::Null).await.unwrap();
    let groups = home.call(Method::GET, "/packaging_groups", Value::Null).await.unwrap();
    assert_eq!(groups, json!({ "packagingGroups": [] }));
}
