//! The control API through the official SDK over real HTTP, so that its XML is what the SDK writes and reads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use aws_sdk_cloudfront::{
    Client,
    error::ProvideErrorMetadata,
    types::{
        AllowedMethods, CacheBehavior, CacheBehaviors, CachedMethods, CustomErrorResponse, CustomErrorResponses,
        CustomHeaders, CustomOriginConfig, DistributionConfig, EventType, FunctionAssociation, FunctionAssociations,
        FunctionStage, InvalidationBatch, Method, Origin, OriginCustomHeader, OriginProtocolPolicy, OriginShield,
        OriginSslProtocols, Paths, SslProtocol, ViewerProtocolPolicy,
    },
};
use serde_json::json;
use vodline_edge::DistributionSpec;

use common::{
    DISABLED, Home, OPTIMIZED,
    api::{client, code},
    behavior, distribution, origin, respond,
};

async fn home() -> (Home, String, Client) {
    let home = Home::start(|request| respond(200, &request.domain_name)).await;
    let defined = home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    let client = client(&home).await;
    (home, defined.id, client)
}

fn packaged_origin(id: &str) -> Origin {
    Origin::builder()
        .id(id)
        .domain_name(format!("{id}.egress.mediapackage-vod.us-east-1.amazonaws.com"))
        .origin_path("")
        .custom_headers(
            CustomHeaders::builder()
                .quantity(1)
                .items(
                    OriginCustomHeader::builder()
                        .header_name("X-MediaPackage-CDNIdentifier")
                        .header_value("a & <b>")
                        .build()
                        .unwrap(),
                )
                .build()
                .unwrap(),
        )
        .custom_origin_config(
            CustomOriginConfig::builder()
                .http_port(80)
                .https_port(443)
                .origin_protocol_policy(OriginProtocolPolicy::HttpsOnly)
                .origin_ssl_protocols(
                    OriginSslProtocols::builder().quantity(1).items(SslProtocol::TlSv12).build().unwrap(),
                )
                .origin_read_timeout(30)
                .origin_keepalive_timeout(5)
                .build()
                .unwrap(),
        )
        .connection_attempts(3)
        .connection_timeout(10)
        .origin_shield(OriginShield::builder().enabled(false).build().unwrap())
        .origin_access_control_id("")
        .build()
        .unwrap()
}

/// The configuration with one more origin; what attach-origin does.
fn with_origin(mut config: DistributionConfig, id: &str) -> DistributionConfig {
    let mut origins = config.origins.take().unwrap();
    origins.items.push(packaged_origin(id));
    origins.quantity += 1;
    config.origins = Some(origins);
    config
}

#[tokio::test]
async fn attaching_an_origin_is_seen_by_viewers_and_survives_the_template_and_a_restart() {
    let (home, id, client) = home().await;
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    let config = with_origin(read.distribution_config.clone().unwrap(), "mp-1");
    let updated = client
        .update_distribution()
        .id(&id)
        .if_match(read.e_tag().unwrap())
        .distribution_config(config.clone())
        .send()
        .await
        .unwrap();
    assert_ne!(updated.e_tag(), read.e_tag());
    let distribution_read = updated.distribution().unwrap();
    assert_eq!(
        (distribution_read.status(), distribution_read.arn()),
        ("Deployed", format!("arn:aws:cloudfront::000000000000:distribution/{id}").as_str())
    );
    assert_eq!(client.get_distribution_config().id(&id).send().await.unwrap().distribution_config, Some(config));

    // The template is applied again, as at every start.
    let again = distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]));
    assert_eq!(home.define(again.clone()).id, id);
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    assert_eq!(read.distribution_config().unwrap().origins().unwrap().quantity(), 2);
    assert_eq!(read.e_tag(), updated.e_tag());
    let reopened = home.reopen();
    assert_eq!(
        reopened.define_distribution(DistributionSpec { logical_id: "Site".into(), config: again.clone() }).unwrap().id,
        id
    );

    // A template that has changed replaces everything, as CloudFormation does.
    let mut changed = again;
    changed["Comment"] = json!("changed");
    assert_eq!(home.define(changed).id, id);
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    assert_eq!(read.distribution_config().unwrap().origins().unwrap().quantity(), 1);
}

#[tokio::test]
async fn a_whole_document_comes_back_as_the_sdk_wrote_it() {
    let (home, id, client) = home().await;
    let function = home.function("select", "function handler(event) { return event.request; }").unwrap();
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    let mut config = with_origin(read.distribution_config.unwrap(), "mp-1");
    config.default_root_object = Some("index.html".into());
    config.comment = "quotes \" and <angles> & é".into();
    let methods = AllowedMethods::builder()
        .set_quantity(Some(7))
        .set_items(Some(vec![
            Method::Get,
            Method::Head,
            Method::Options,
            Method::Put,
            Method::Patch,
            Method::Post,
            Method::Delete,
        ]))
        .cached_methods(CachedMethods::builder().quantity(2).items(Method::Get).items(Method::Head).build().unwrap())
        .build()
        .unwrap();
    let mut behaviors: Vec<CacheBehavior> = Vec::new();
    for (pattern, target) in [("/v/*", "mp-1"), ("/api/*", "site")] {
        let default = config.default_cache_behavior.clone().unwrap();
        behaviors.push(
            CacheBehavior::builder()
                .path_pattern(pattern)
                .target_origin_id(target)
                .viewer_protocol_policy(ViewerProtocolPolicy::HttpsOnly)
                .allowed_methods(methods.clone())
                .set_trusted_signers(default.trusted_signers)
                .set_trusted_key_groups(default.trusted_key_groups)
                .smooth_streaming(false)
                .compress(true)
                .set_lambda_function_associations(default.lambda_function_associations)
                .function_associations(
                    FunctionAssociations::builder()
                        .quantity(1)
                        .items(
                            FunctionAssociation::builder()
                                .function_arn(&function)
                                .event_type(EventType::ViewerRequest)
                                .build()
                                .unwrap(),
                        )
                        .build()
                        .unwrap(),
                )
                .field_level_encryption_id("")
                .cache_policy_id(DISABLED)
                .origin_request_policy_id("b689b0a8-53d0-40ab-baf2-68738e2966ac")
                .response_headers_policy_id("67f7725c-6f97-4210-82d7-5512b31e9d03")
                .set_grpc_config(default.grpc_config)
                .build()
                .unwrap(),
        );
    }
    config.cache_behaviors = Some(CacheBehaviors::builder().quantity(2).set_items(Some(behaviors)).build().unwrap());
    config.custom_error_responses = Some(
        CustomErrorResponses::builder()
            .quantity(1)
            .items(
                CustomErrorResponse::builder()
                    .error_code(404)
                    .response_page_path("/index.html")
                    .response_code("200")
                    .error_caching_min_ttl(5)
                    .build()
                    .unwrap(),
            )
            .build()
            .unwrap(),
    );
    client
        .update_distribution()
        .id(&id)
        .if_match(read.e_tag.unwrap())
        .distribution_config(config.clone())
        .send()
        .await
        .unwrap();
    let back = client.get_distribution_config().id(&id).send().await.unwrap();
    assert_eq!(back.distribution_config, Some(config));
    let whole = client.get_distribution().id(&id).send().await.unwrap();
    assert_eq!(whole.distribution.unwrap().distribution_config, back.distribution_config);
    assert_eq!(whole.e_tag, back.e_tag);
}

#[tokio::test]
async fn of_two_updates_made_from_the_same_version_one_wins() {
    let (_home, id, client) = home().await;
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    let update = |name: &str, etag: Option<String>| {
        let config = with_origin(read.distribution_config.clone().unwrap(), name);
        client.update_distribution().id(&id).set_if_match(etag).distribution_config(config).send()
    };
    let both = ["mp-1", "mp-2"].map(|name| Box::pin(update(name, read.e_tag.clone())));
    let errors: Vec<_> = futures::future::join_all(both).await.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.iter().map(code).collect::<Vec<_>>(), ["PreconditionFailed"]);
    assert_eq!(code(&update("mp-3", None).await.unwrap_err()), "InvalidIfMatchVersion");
    assert_eq!(code(&update("mp-3", Some("E1".into())).await.unwrap_err()), "PreconditionFailed");
}

async fn check_refused(change: impl FnOnce(&mut DistributionConfig), expected: &str, words: &str) {
    let (_home, id, client) = home().await;
    let read = client.get_distribution_config().id(&id).send().await.unwrap();
    let mut config = read.distribution_config.unwrap();
    change(&mut config);
    let update = client.update_distribution().id(&id).if_match(read.e_tag.unwrap()).distribution_config(config);
    let error = update.send().await.unwrap_err();
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    assert_eq!(code(&error), expected, "{message}");
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_cloudfronts_errors() {
    check_refused(|config| config.origins.as_mut().unwrap().quantity = 2, "InconsistentQuantities", "Origins").await;
    check_refused(
        |config| {
            let origins = config.origins.as_mut().unwrap();
            origins.items.extend((0..100).map(|index| packaged_origin(&format!("mp-{index}"))));
            origins.quantity = 101;
        },
        "TooManyOrigins",
        "origins",
    )
    .await;
    let default = |config: &mut DistributionConfig| config.default_cache_behavior.clone().unwrap();
    check_refused(
        |config| {
            let mut behavior = default(config);
            behavior.target_origin_id = "none".into();
            config.default_cache_behavior = Some(behavior);
        },
        "NoSuchOrigin",
        "none",
    )
    .await;
    check_refused(
        |config| {
            let mut behavior = default(config);
            behavior.cache_policy_id = Some("none".into());
            config.default_cache_behavior = Some(behavior);
        },
        "NoSuchCachePolicy",
        "none",
    )
    .await;
    check_refused(
        |config| {
            let mut behavior = default(config);
            behavior.realtime_log_config_arn = Some("arn:aws:cloudfront::1:realtime-log-config/x".into());
            config.default_cache_behavior = Some(behavior);
        },
        "NotImplemented",
        "DistributionConfig.DefaultCacheBehavior.RealtimeLogConfigArn",
    )
    .await;
    check_refused(|config| config.web_acl_id = Some("acl".into()), "NotImplemented", "DistributionConfig.WebACLId")
        .await;
    check_refused(|config| config.caller_reference = "another".into(), "IllegalUpdate", "CallerReference").await;
}

#[tokio::test]
async fn lists_invalidations_and_functions_are_answered() {
    let (home, id, client) = home().await;
    let list = client.list_distributions().send().await.unwrap().distribution_list.unwrap();
    assert_eq!((list.quantity(), list.items()[0].id()), (1, id.as_str()));
    assert_eq!(list.items()[0].origins().unwrap().items()[0].id(), "site");

    home.get("/a").await;
    assert_eq!(home.get("/a").await.x_cache(), "Hit from cloudfront");
    let batch = |paths: &[&str]| {
        InvalidationBatch::builder()
            .caller_reference("one")
            .paths(
                Paths::builder()
                    .quantity(1)
                    .set_items(Some(paths.iter().map(|path| (*path).to_owned()).collect()))
                    .build()
                    .unwrap(),
            )
            .build()
            .unwrap()
    };
    let made =
        client.create_invalidation().distribution_id(&id).invalidation_batch(batch(&["/a*"])).send().await.unwrap();
    let made = made.invalidation.unwrap();
    assert_eq!(home.get("/a").await.x_cache(), "Miss from cloudfront");
    let read = client.get_invalidation().distribution_id(&id).id(made.id()).send().await.unwrap();
    assert_eq!(read.invalidation.unwrap(), made);
    let again =
        client.create_invalidation().distribution_id(&id).invalidation_batch(batch(&["/a*"])).send().await.unwrap();
    assert_eq!(again.invalidation.unwrap().id(), made.id());
    let other = client.create_invalidation().distribution_id(&id).invalidation_batch(batch(&["/b"])).send().await;
    assert_eq!(code(&other.unwrap_err()), "InvalidArgument");

    home.function("select", "function handler(event) { return event.request; }").unwrap();
    let function = client.get_function().name("select").stage(FunctionStage::Live).send().await.unwrap();
    assert!(std::str::from_utf8(function.function_code().unwrap().as_ref()).unwrap().contains("handler"));
    let described = client.describe_function().name("select").send().await.unwrap();
    assert_eq!(described.e_tag(), function.e_tag());
    assert_eq!(
        described.function_summary().unwrap().function_config().unwrap().runtime().as_str(),
        "cloudfront-js-2.0"
    );

    assert_eq!(code(&client.get_distribution().id("ENONE").send().await.unwrap_err()), "NoSuchDistribution");
    assert_eq!(code(&client.get_function().name("none").send().await.unwrap_err()), "NoSuchFunctionExists");
    let denied = client.list_invalidations().distribution_id(&id).send().await.unwrap_err();
    assert_eq!(code(&denied), "AccessDenied");
    let refused = client.list_cache_policies().send().await.unwrap_err();
    assert_eq!(code(&refused), "NotImplemented");
}

#[tokio::test]
async fn templates_with_mistakes_are_refused_by_name() {
    let home = Home::start(|_| respond(200, "")).await;
    let check = |config: serde_json::Value, words: &str| {
        let error = home.edge.define_distribution(DistributionSpec { logical_id: "Site".into(), config }).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let with = |name: &str, value: serde_json::Value| {
        let mut config = distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]));
        config[name] = value;
        config
    };
    check(with("Logging", json!({ "Bucket": "b" })), "Logging");
    check(with("WebACLId", json!("acl")), "WebACLId");
    check(
        with("Restrictions", json!({ "GeoRestriction": { "RestrictionType": "whitelist", "Locations": ["DE"] } })),
        "GeoRestriction",
    );
    check(with("CustomErrorResponses", json!([{ "ErrorCode": 418 }])), "InvalidErrorCode");
    check(with("CacheBehaviors", json!([{ "PathPattern": "/a" }])), "TargetOriginId");
    check(with("CacheBehaviors", json!([{ "TargetOriginId": "site" }])), "PathPattern");
    check(with("Origins", json!([])), "needs an origin");
    check(
        with(
            "Origins",
            json!([{ "Id": "site", "DomainName": "a b", "CustomOriginConfig": { "OriginProtocolPolicy": "https-only" } }]),
        ),
        "domain name",
    );
    let mut origin_request = behavior("site", OPTIMIZED);
    origin_request["FunctionAssociations"] = json!([{ "EventType": "origin-request", "FunctionARN": "arn" }]);
    check(with("DefaultCacheBehavior", origin_request), "origin-request");
    assert!(
        home.edge.define_cache_policy("P", &json!({ "Name": "p", "Odd": 1 })).unwrap_err().to_string().contains("Odd")
    );
    assert!(home.function("large", &"x".repeat(10_241)).unwrap_err().to_string().contains("FunctionSizeLimitExceeded"));
}
