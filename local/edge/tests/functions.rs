//! Functions over HTTP and through the API: both events, both stages, key value stores; and origin groups.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use aws_sdk_cloudfront::{
    primitives::Blob,
    types::{FunctionConfig, FunctionRuntime, FunctionStage, KeyValueStoreAssociation, KeyValueStoreAssociations},
};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use vodline_core::{AwsError, Principal, Request, Service as _};
use vodline_edge::KeyValueStores;

use common::{
    DISABLED, Home, OPTIMIZED,
    api::{Policy, client, code},
    behavior, distribution, origin, respond,
};

fn associated(kind: &str, arn: &str) -> Value {
    let mut behavior = behavior("site", OPTIMIZED);
    behavior["FunctionAssociations"] = json!([{ "EventType": kind, "FunctionARN": arn }]);
    behavior
}

#[tokio::test]
async fn a_viewer_response_function_changes_what_viewers_get_and_not_what_is_kept() {
    let home = Home::start(|request| match request.path.as_str() {
        "/missing" => respond(404, "no"),
        _ => respond(200, "kept"),
    })
    .await;
    let code = "function handler(event) {
        const response = event.response;
        response.headers['x-uri'] = { value: event.request.uri };
        if (event.request.uri === '/replaced') { response.statusCode = 410; response.body = 'gone'; }
        if (event.request.uri === '/broken') throw new Error('on purpose');
        if (event.request.uri === '/via') response.headers.via = { value: 'me' };
        return response;
    }";
    let arn = home.function("respond", code).unwrap();
    home.define(distribution(json!([origin("site")]), associated("viewer-response", &arn), json!([])));
    for (path, status, body, uri) in [
        ("/a", 200, Some("kept"), Some("/a")),
        ("/a", 200, Some("kept"), Some("/a")),
        ("/replaced", 410, Some("gone"), Some("/replaced")),
        ("/broken", 503, None, None),
        ("/via", 502, None, None),
        // An origin's error is not shown to functions.
        ("/missing", 404, Some("no"), None),
    ] {
        let answer = home.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-uri")), (status, uri), "{path}");
        if let Some(body) = body {
            assert_eq!((answer.text(), answer.header("content-length")), (body, Some(body.len().to_string().as_str())));
        }
    }
    assert_eq!(home.get("/a").await.x_cache(), "Hit from cloudfront");
    let part = home.send("GET", "/a", &[("range", "bytes=1-2")], "").await;
    assert_eq!((part.status, part.text(), part.header("x-uri")), (StatusCode::PARTIAL_CONTENT, "ep", Some("/a")));
}

#[tokio::test]
async fn a_function_goes_live_when_it_is_published() {
    let home = Home::start(|request| respond(200, &request.path)).await;
    let client = client(&home).await;
    let config = || FunctionConfig::builder().comment("c").runtime(FunctionRuntime::CloudfrontJs20).build().unwrap();
    let source = |path: &str| {
        Blob::new(format!(
            "function handler(e) {{ console.log('to', '{path}'); e.request.uri = '{path}'; return e.request; }}"
        ))
    };
    let create = client.create_function().name("f").function_config(config()).function_code(source("/one"));
    let made = create.clone().send().await.unwrap();
    assert_eq!(made.function_summary().unwrap().status(), Some("UNPUBLISHED"));
    assert_eq!(code(&create.send().await.unwrap_err()), "FunctionAlreadyExists");
    let arn = made.function_summary().unwrap().function_metadata().unwrap().function_arn().to_owned();
    let refused = home.edge.define_distribution(vodline_edge::DistributionSpec {
        logical_id: "Site".into(),
        config: distribution(json!([origin("site")]), associated("viewer-request", &arn), json!([])),
    });
    assert_eq!(refused.unwrap_err().code, "InvalidFunctionAssociation");
    let not_live = client.get_function().name("f").stage(FunctionStage::Live).send().await.unwrap_err();
    assert_eq!(code(&not_live), "NoSuchFunctionExists");

    let etag = made.e_tag().unwrap();
    assert_eq!(
        code(&client.publish_function().name("f").if_match("EOLD").send().await.unwrap_err()),
        "PreconditionFailed"
    );
    client.publish_function().name("f").if_match(etag).send().await.unwrap();
    home.define(distribution(json!([origin("site")]), associated("viewer-request", &arn), json!([])));
    assert_eq!(home.get("/x").await.text(), "/one");

    let update = client.update_function().name("f").function_config(config()).function_code(source("/two"));
    let updated = update.if_match(etag).send().await.unwrap();
    let etag = updated.e_tag().unwrap();
    assert_eq!(home.get("/y").await.text(), "/one");
    let live = client.describe_function().name("f").stage(FunctionStage::Live).send().await.unwrap();
    assert_eq!(live.function_summary().unwrap().status(), Some("DEPLOYED"));

    let event = json!({ "version": "1.0", "context": { "eventType": "viewer-request" }, "viewer": { "ip": "1.2.3.4" },
        "request": { "method": "GET", "uri": "/", "querystring": {}, "headers": {}, "cookies": {} } });
    let test = client.test_function().name("f").if_match(etag).stage(FunctionStage::Development);
    let tested = test.event_object(Blob::new(event.to_string())).send().await.unwrap().test_result.unwrap();
    assert_eq!(tested.function_execution_logs(), ["to /two"]);
    let output: Value = serde_json::from_str(tested.function_output().unwrap()).unwrap();
    assert_eq!((output["request"]["uri"].as_str(), tested.function_error_message()), (Some("/two"), Some("")));

    client.publish_function().name("f").if_match(etag).send().await.unwrap();
    assert_eq!(home.get("/z").await.text(), "/two");
    let listed = client.list_functions().send().await.unwrap().function_list.unwrap();
    assert_eq!(listed.quantity(), 2);
    let used = client.delete_function().name("f").if_match(etag).send().await.unwrap_err();
    assert_eq!(code(&used), "FunctionInUse");
    home.define(distribution(json!([origin("site")]), behavior("site", DISABLED), json!([])));
    client.delete_function().name("f").if_match(etag).send().await.unwrap();
    assert_eq!(code(&client.describe_function().name("f").send().await.unwrap_err()), "NoSuchFunctionExists");
}

/// A call of the API of pairs.
async fn pairs(
    stores: &KeyValueStores,
    method: Method,
    path: &str,
    if_match: Option<&str>,
    body: Value,
) -> Result<(Value, String), AwsError> {
    let mut headers = HeaderMap::new();
    if let Some(etag) = if_match {
        headers.insert("if-match", etag.parse().unwrap());
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        operation: String::new(),
        method,
        path: path.into(),
        query: query.into(),
        headers,
        body: if body.is_null() { bytes::Bytes::new() } else { body.to_string().into() },
        principal: Principal::Root,
        request_id: "r".into(),
        authorizer: Arc::new(Policy),
    };
    let response = stores.call(request).await?;
    let etag = response.headers.get("etag").map_or("", |etag| etag.to_str().unwrap()).to_owned();
    Ok((serde_json::from_slice(&response.body).unwrap(), etag))
}

#[tokio::test]
async fn functions_read_what_the_key_value_store_says_now() {
    let home = Home::start(|request| respond(200, &request.path)).await;
    let client = client(&home).await;
    let made = client.create_key_value_store().name("routes").comment("where to").send().await.unwrap();
    let store = made.key_value_store().unwrap();
    let twice = client.create_key_value_store().name("routes").send().await.unwrap_err();
    assert_eq!(code(&twice), "EntityAlreadyExists");
    let stores = KeyValueStores::new(home.edge.clone());
    let encoded = store.arn().replace(':', "%3A").replace('/', "%2F");
    let base = format!("/key-value-stores/{encoded}");
    let (described, etag) = pairs(&stores, Method::GET, &base, None, Value::Null).await.unwrap();
    assert_eq!((&described["ItemCount"], &described["KvsARN"]), (&json!(0), &json!(store.arn())));
    let put = |etag: String, to: &'static str| {
        let (stores, path) = (&stores, format!("{base}/keys/a%2Fb"));
        async move { pairs(stores, Method::PUT, &path, Some(&etag), json!({ "Value": to })).await }
    };
    let (_, second) = put(etag.clone(), "/first").await.unwrap();
    assert_eq!(put(etag, "/first").await.unwrap_err().code, "ConflictException");

    let association = KeyValueStoreAssociation::builder().key_value_store_arn(store.arn()).build().unwrap();
    let associations = KeyValueStoreAssociations::builder().quantity(1).items(association).build().unwrap();
    let config = FunctionConfig::builder()
        .comment("")
        .runtime(FunctionRuntime::CloudfrontJs20)
        .key_value_store_associations(associations)
        .build()
        .unwrap();
    let source = "import cf from 'cloudfront'; const store = cf.kvs();
        async function handler(event) { event.request.uri = await store.get('a/b'); return event.request; }";
    let function = client.create_function().name("f").function_config(config).function_code(Blob::new(source));
    let function = function.send().await.unwrap();
    let summary = function.function_summary().unwrap();
    assert_eq!(summary.function_config().unwrap().key_value_store_associations().unwrap().quantity(), 1);
    client.publish_function().name("f").if_match(function.e_tag().unwrap()).send().await.unwrap();
    let arn = summary.function_metadata().unwrap().function_arn();
    home.define(distribution(json!([origin("site")]), associated("viewer-request", arn), json!([])));
    assert_eq!(home.get("/1").await.text(), "/first");
    let (_, third) = put(second, "/second").await.unwrap();
    assert_eq!(home.get("/2").await.text(), "/second");

    let update = json!({ "Puts": [{ "Key": "c", "Value": "1" }], "Deletes": [{ "Key": "a/b" }] });
    let keys = format!("{base}/keys");
    let (updated, fourth) = pairs(&stores, Method::POST, &keys, Some(&third), update.clone()).await.unwrap();
    assert_eq!((&updated["ItemCount"], &updated["TotalSizeInBytes"]), (&json!(1), &json!(2)));
    // A function whose key is gone fails, and so does a second removal.
    assert_eq!(home.get("/3").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let again = pairs(&stores, Method::POST, &keys, Some(&fourth), update).await.unwrap_err();
    assert_eq!(again.code, "ResourceNotFoundException");
    let (listed, _) = pairs(&stores, Method::GET, &keys, None, Value::Null).await.unwrap();
    assert_eq!(listed, json!({ "Items": [{ "Key": "c", "Value": "1" }] }));
    let (got, _) = pairs(&stores, Method::GET, &format!("{base}/keys/c"), None, Value::Null).await.unwrap();
    assert_eq!(got["Value"], "1");

    let used = client.delete_key_value_store().name("routes").if_match(made.e_tag().unwrap()).send().await.unwrap_err();
    assert_eq!(code(&used), "CannotDeleteEntityWhileInUse");
    // What is stored outlives the process.
    let reopened = KeyValueStores::new(home.reopen());
    let (got, _) = pairs(&reopened, Method::GET, &format!("{base}/keys/c"), None, Value::Null).await.unwrap();
    assert_eq!(got["Value"], "1");
}

#[tokio::test]
async fn the_limits_of_key_value_stores_hold() {
    let home = Home::start(|_| respond(200, "")).await;
    let defined = home.edge.define_key_value_store("Store", "s", "").unwrap();
    assert_eq!(home.edge.define_key_value_store("Store", "s", "").unwrap(), defined);
    let stores = KeyValueStores::new(home.edge.clone());
    let base = format!("/key-value-stores/{}", defined.arn.replace(':', "%3A").replace('/', "%2F"));
    let (_, mut etag) = pairs(&stores, Method::GET, &base, None, Value::Null).await.unwrap();
    let keys = format!("{base}/keys");
    let many: Vec<Value> = (0..12).map(|index| json!({ "Key": format!("k{index:02}"), "Value": "v" })).collect();
    (_, etag) = pairs(&stores, Method::POST, &keys, Some(&etag), json!({ "Puts": many })).await.unwrap();
    let (first, _) = pairs(&stores, Method::GET, &keys, None, Value::Null).await.unwrap();
    assert_eq!((first["Items"].as_array().unwrap().len(), &first["NextToken"]), (10, &json!("k09")));
    let (rest, _) =
        pairs(&stores, Method::GET, &format!("{keys}?NextToken=k09&MaxResults=50"), None, Value::Null).await.unwrap();
    assert_eq!((rest["Items"].as_array().unwrap().len(), rest.get("NextToken")), (2, None));
    let too_many: Vec<Value> = (0..51).map(|index| json!({ "Key": format!("k{index}") })).collect();
    for body in [
        json!({ "Puts": [{ "Key": "k".repeat(513), "Value": "" }] }),
        json!({ "Puts": [{ "Key": "k", "Value": "v".repeat(1025) }] }),
        json!({ "Puts": [{ "Key": "k", "Value": "" }], "Deletes": [{ "Key": "k" }] }),
        json!({ "Deletes": too_many }),
        json!({}),
        json!({ "Odd": 1 }),
    ] {
        let refused = pairs(&stores, Method::POST, &keys, Some(&etag), body.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException", "{body}");
    }
    let unversioned = pairs(&stores, Method::DELETE, &format!("{keys}/k00"), None, Value::Null).await.unwrap_err();
    assert_eq!(unversioned.code, "ValidationException");
    let missing = pairs(&stores, Method::GET, "/key-value-stores/none", None, Value::Null).await.unwrap_err();
    assert_eq!(missing.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_origin_group_asks_its_second_origin_when_the_first_fails() {
    let home = Home::start(|request| match (request.domain_name.as_str(), request.path.as_str()) {
        ("first.example.com", "/down") => respond(503, "first is down"),
        ("first.example.com", "/missing") => respond(404, "first has none"),
        ("first.example.com", "/refused") => respond(403, "first refuses"),
        (domain, _) => respond(200, domain),
    })
    .await;
    let mut target = behavior("pair", OPTIMIZED);
    target["AllowedMethods"] = json!(["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]);
    let mut config = distribution(json!([origin("first"), origin("second")]), target, json!([]));
    config["OriginGroups"] = json!({ "Quantity": 1, "Items": [{
        "Id": "pair",
        "FailoverCriteria": { "StatusCodes": { "Quantity": 2, "Items": [503, 404] } },
        "Members": { "Quantity": 2, "Items": [{ "OriginId": "first" }, { "OriginId": "second" }] },
    }] });
    let id = home.define(config.clone()).id;
    assert_eq!(home.get("/a").await.text(), "first.example.com");
    assert_eq!(home.get("/down").await.text(), "second.example.com");
    assert_eq!(home.get("/missing").await.text(), "second.example.com");
    assert_eq!(home.get("/refused").await.text(), "first refuses");
    // What changes something is not tried twice.
    assert_eq!(home.send("POST", "/down", &[], "x").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(home.get("/down").await.x_cache(), "Hit from cloudfront");

    let client = client(&home).await;
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    let groups = read.distribution_config().unwrap().origin_groups().unwrap();
    assert_eq!(groups.items()[0].failover_criteria().unwrap().status_codes().unwrap().items(), [503, 404]);
    assert_eq!(groups.items()[0].members().unwrap().items()[1].origin_id(), "second");
    let update = client.update_distribution().id(&id).if_match(read.e_tag().unwrap());
    update.set_distribution_config(read.distribution_config.clone()).send().await.unwrap();
    let again = client.get_distribution_config().id(&id).send().await.unwrap();
    assert_eq!(again.distribution_config, read.distribution_config);

    for (field, value, words) in [
        ("Members", json!({ "Quantity": 1, "Items": [{ "OriginId": "first" }] }), "two members"),
        ("Members", json!({ "Quantity": 2, "Items": [{ "OriginId": "first" }, { "OriginId": "none" }] }), "none"),
        ("FailoverCriteria", json!({ "StatusCodes": { "Quantity": 1, "Items": [418] } }), "FailoverCriteria"),
        ("FailoverCriteria", json!({ "StatusCodes": { "Quantity": 2, "Items": [503] } }), "Quantity"),
    ] {
        let mut wrong = config.clone();
        wrong["OriginGroups"]["Items"][0][field] = value;
        let spec = vodline_edge::DistributionSpec { logical_id: "Other".into(), config: wrong };
        let error = home.edge.define_distribution(spec).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn distributions_are_made_and_removed_through_the_api() {
    let home = Home::start(|request| respond(200, &request.domain_name)).await;
    let id = home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]))).id;
    let client = client(&home).await;
    let mut config = client.get_distribution_config().id(&id).send().await.unwrap().distribution_config.unwrap();
    let create = |config| client.create_distribution().distribution_config(config).send();
    assert_eq!(code(&create(config.clone()).await.unwrap_err()), "DistributionAlreadyExists");
    config.caller_reference = "second".into();
    config.origins.as_mut().unwrap().items[0].domain_name = "other.example.com".into();
    let made = create(config.clone()).await.unwrap();
    let own = made.distribution().unwrap();
    assert!(made.location().unwrap().ends_with(own.id()));
    assert_eq!(own.status(), "Deployed");
    let seen = home.send("GET", "/a", &[("host", own.domain_name())], "").await;
    assert_eq!(seen.text(), "other.example.com");
    let etag = made.e_tag().unwrap();
    let enabled = client.delete_distribution().id(own.id()).if_match(etag).send().await.unwrap_err();
    assert_eq!(code(&enabled), "DistributionNotDisabled");
    config.enabled = false;
    let update = client.update_distribution().id(own.id()).if_match(etag).distribution_config(config);
    let disabled = update.send().await.unwrap();
    client.delete_distribution().id(own.id()).if_match(disabled.e_tag().unwrap()).send().await.unwrap();
    assert_eq!(code(&client.get_distribution().id(own.id()).send().await.unwrap_err()), "NoSuchDistribution");
    // The template's own survives a start; what the API removed stays removed.
    let listed = client.list_distributions().send().await.unwrap().distribution_list.unwrap();
    assert_eq!(listed.items().iter().map(|item| item.id()).collect::<Vec<_>>(), [id.as_str()]);
}
