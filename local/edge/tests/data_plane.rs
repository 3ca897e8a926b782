//! The data plane over real HTTP, in front of an origin that is a closure.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::SignedDuration;
use serde_json::json;
use vodline_core::{OriginBody, OriginResponse};

use common::{Home, OPTIMIZED, behavior, distribution, origin, respond};

fn with(mut response: OriginResponse, headers: &[(&'static str, &'static str)]) -> OriginResponse {
    for (name, value) in headers {
        response.headers.insert(*name, HeaderValue::from_static(value));
    }
    response
}

#[tokio::test]
async fn a_hit_is_served_from_memory_with_its_age_until_it_is_stale() {
    let home = Home::start(|_| with(respond(200, "body"), &[("cache-control", "max-age=60"), ("etag", "\"1\"")])).await;
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    let first = home.get("/a").await;
    assert_eq!(
        (first.status, first.x_cache(), &first.body[..]),
        (StatusCode::OK, "Miss from cloudfront", &b"body"[..])
    );
    home.clock.advance(SignedDuration::from_secs(59));
    let second = home.get("/a?not=counted").await;
    assert_eq!((second.x_cache(), second.header("age")), ("Hit from cloudfront", Some("59")));
    assert_eq!(home.seen().len(), 1);
    home.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(home.get("/a").await.x_cache(), "Miss from cloudfront");
    let seen = home.seen();
    assert_eq!(seen[1].headers["if-none-match"], "\"1\"");
    assert_eq!(seen[0].headers["user-agent"], "Amazon CloudFront");
}

#[tokio::test]
async fn a_stale_answer_is_refreshed_by_304_and_outlives_a_failing_origin() {
    let home = Home::start(|request| {
        if request.path == "/down" && request.headers.contains_key("if-none-match") {
            respond(503, "down")
        } else if request.headers.contains_key("if-none-match") {
            with(respond(304, ""), &[("cache-control", "max-age=60")])
        } else {
            with(respond(200, "kept"), &[("cache-control", "max-age=60"), ("etag", "\"1\"")])
        }
    })
    .await;
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    for path in ["/a", "/down"] {
        home.get(path).await;
    }
    home.clock.advance(SignedDuration::from_secs(60));
    let refreshed = home.get("/a").await;
    assert_eq!((refreshed.x_cache(), &refreshed.body[..]), ("RefreshHit from cloudfront", &b"kept"[..]));
    assert_eq!(home.get("/a").await.x_cache(), "Hit from cloudfront");
    let stale = home.get("/down").await;
    assert_eq!((stale.status, &stale.body[..]), (StatusCode::OK, &b"kept"[..]));
    // The failure is remembered for ten seconds.
    let asked = home.seen().len();
    home.clock.advance(SignedDuration::from_secs(9));
    home.get("/down").await;
    assert_eq!(home.seen().len(), asked);
    home.clock.advance(SignedDuration::from_secs(1));
    home.get("/down").await;
    assert_eq!(home.seen().len(), asked + 1);
}

#[tokio::test]
async fn errors_are_kept_for_ten_seconds_and_private_answers_are_not_kept_by_an_honest_policy() {
    let home = Home::start(|request| match request.path.as_str() {
        "/missing" => respond(404, "no"),
        "/refused" => respond(403, "no"),
        _ => with(respond(200, "mine"), &[("cache-control", "private"), ("set-cookie", "s=1")]),
    })
    .await;
    let policy = home
        .edge
        .define_cache_policy(
            "Honest",
            &json!({
                "Name": "honest", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 60,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": false,
                    "CookiesConfig": { "CookieBehavior": "none" },
                    "HeadersConfig": { "HeaderBehavior": "none" },
                    "QueryStringsConfig": { "QueryStringBehavior": "none" },
                },
            }),
        )
        .unwrap();
    home.define(distribution(json!([origin("site")]), behavior("site", &policy), json!([])));
    for (path, asked_in_ten_seconds) in [("/missing", 1), ("/refused", 2), ("/private", 2)] {
        let before = home.seen().len();
        home.get(path).await;
        home.clock.advance(SignedDuration::from_secs(9));
        home.get(path).await;
        assert_eq!(home.seen().len() - before, asked_in_ten_seconds, "{path}");
        home.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(home.get("/missing").await.x_cache(), "Error from cloudfront");
    assert_eq!(home.get("/private").await.header("set-cookie"), Some("s=1"));
}

#[tokio::test]
async fn many_viewers_of_one_object_are_one_fetch_even_when_the_first_one_leaves() {
    let home = Home::start_slow(Duration::from_millis(200), |_| respond(200, "slow")).await;
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    let leaver = tokio::time::timeout(Duration::from_millis(50), home.get("/one")).await;
    assert!(leaver.is_err());
    let answers = futures::future::join_all((0..50).map(|_| home.get("/one"))).await;
    assert!(answers.iter().all(|answer| &answer.body[..] == b"slow"));
    assert_eq!(home.seen().len(), 1);
}

#[tokio::test]
async fn an_origin_that_does_not_answer_in_time_is_a_504() {
    let home = Home::start_slow(Duration::from_secs(20), |_| respond(200, "late")).await;
    let mut slow = origin("site");
    slow["CustomOriginConfig"]["OriginReadTimeout"] = json!(1);
    home.define(distribution(json!([slow]), behavior("site", OPTIMIZED), json!([])));
    assert_eq!(home.get("/a").await.status, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn ranges_and_conditions_are_answered_from_the_whole() {
    let home = Home::start(|_| {
        with(respond(200, "0123456789"), &[("etag", "\"v\""), ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")])
    })
    .await;
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    let range = home.send("GET", "/a", &[("range", "bytes=2-4")], "").await;
    assert_eq!((range.status, &range.body[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
    assert_eq!(range.header("content-range"), Some("bytes 2-4/10"));
    let unsatisfiable = home.send("GET", "/a", &[("range", "bytes=10-")], "").await;
    assert_eq!(
        (unsatisfiable.status, unsatisfiable.header("content-range")),
        (StatusCode::RANGE_NOT_SATISFIABLE, Some("bytes */10"))
    );
    let unchanged = home.send("GET", "/a", &[("if-none-match", "\"v\"")], "").await;
    assert_eq!(
        (unchanged.status, unchanged.body.len(), unchanged.header("etag")),
        (StatusCode::NOT_MODIFIED, 0, Some("\"v\""))
    );
    let head = home.send("HEAD", "/a", &[], "").await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (StatusCode::OK, Some("10"), 0));
    assert_eq!(home.seen().len(), 1);
    assert!(!home.seen()[0].headers.contains_key("range"));
}

#[tokio::test]
async fn a_large_file_is_streamed_and_a_small_one_kept() {
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large");
    let bytes: Vec<u8> = (0..40_u32 << 18).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&large, &bytes).unwrap();
    let small = directory.path().join("small");
    std::fs::write(&small, b"small").unwrap();
    let home = Home::start(move |request| {
        let path = if request.path == "/large" { large.clone() } else { small.clone() };
        let size_bytes = std::fs::metadata(&path).unwrap().len();
        OriginResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: OriginBody::File { path, size_bytes },
        }
    })
    .await;
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    let whole = home.get("/large").await;
    assert!(whole.body == bytes && whole.header("content-length") == Some(bytes.len().to_string().as_str()));
    let middle = home.send("GET", "/large", &[("range", "bytes=1000000-1999999")], "").await;
    assert!(middle.status == StatusCode::PARTIAL_CONTENT && middle.body == bytes[1_000_000..2_000_000]);
    home.get("/small").await;
    assert_eq!(home.get("/small").await.x_cache(), "Hit from cloudfront");
}

#[tokio::test]
async fn behaviours_are_tried_in_order_and_bodies_go_through() {
    let home = Home::start(|request| {
        respond(200, &format!("{} {} {}", request.domain_name, request.path, request.body.len()))
    })
    .await;
    let mut api = behavior("api", common::DISABLED);
    api["PathPattern"] = json!("/api/*");
    api["AllowedMethods"] = json!(["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]);
    api["OriginRequestPolicyId"] = json!("b689b0a8-53d0-40ab-baf2-68738e2966ac");
    let mut images = behavior("media", OPTIMIZED);
    images["PathPattern"] = json!("*.jp?g");
    let mut media = origin("media");
    media["OriginPath"] = json!("/prefix");
    let mut config =
        distribution(json!([origin("site"), origin("api"), media]), behavior("site", OPTIMIZED), json!([api, images]));
    config["DefaultRootObject"] = json!("index.html");
    home.define(config);
    assert_eq!(home.get("/").await.text(), "site.example.com /index.html 0");
    assert_eq!(home.get("/x/y.jpeg").await.text(), "media.example.com /prefix/x/y.jpeg 0");
    assert_eq!(
        home.send("POST", "/api/begin-upload", &[("x-upload-key", "k")], "hello").await.text(),
        "api.example.com /api/begin-upload 5"
    );
    let seen = home.seen();
    let request = seen.last().unwrap();
    assert_eq!(
        (&request.headers["x-upload-key"], &request.headers["host"]),
        (&"k".parse().unwrap(), &"api.example.com".parse().unwrap())
    );
    assert_eq!(home.send("POST", "/x", &[], "hello").await.status, StatusCode::FORBIDDEN);
    let large = "x".repeat((20 << 20) + 1);
    assert_eq!(home.send("POST", "/api/large", &[], &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(home.get(&format!("/{}", "x".repeat(8192))).await.status, StatusCode::URI_TOO_LONG);
    let before = home.seen().len();
    home.get("/api/videos?cursor=1").await;
    home.get("/api/videos?cursor=1").await;
    assert_eq!(home.seen().len(), before + 2);
    assert_eq!(home.seen().last().unwrap().query, "cursor=1");
}

/// The line's own arrangement: `/v/<origin>/...`, a custom header, and a function that chooses.
async fn line() -> Home {
    let home = Home::start(|request| {
        let identifier =
            request.headers.get("x-mediapackage-cdnidentifier").map_or("none", |value| value.to_str().unwrap());
        with(
            respond(200, &format!("{} {} {identifier}", request.domain_name, request.path)),
            &[("cache-control", "max-age=60")],
        )
    })
    .await;
    let function = home.function("select", "
        import cf from 'cloudfront';
        function handler(event) {
            const request = event.request;
            const [, , origin, ...rest] = request.uri.split('/');
            if (rest.length === 0) return { statusCode: 404, headers: { 'cache-control': { value: 'no-store' } }, body: 'no video' };
            cf.selectRequestOriginById(origin);
            request.uri = '/' + rest.join('/');
            return request;
        }").unwrap();
    let mut packaged = origin("mp-1");
    packaged["OriginCustomHeaders"] =
        json!([{ "HeaderName": "X-MediaPackage-CDNIdentifier", "HeaderValue": "secret-1" }]);
    let mut videos = behavior("site", OPTIMIZED);
    videos["PathPattern"] = json!("/v/*");
    videos["FunctionAssociations"] = json!([{ "EventType": "viewer-request", "FunctionARN": function }]);
    home.define(distribution(
        json!([origin("site"), packaged, origin("mp-2")]),
        behavior("site", OPTIMIZED),
        json!([videos]),
    ));
    home
}

#[tokio::test]
async fn the_function_chooses_the_origin_and_the_secret_header_is_the_edges_alone() {
    let home = line().await;
    let forged = [("x-mediapackage-cdnidentifier", "forged")];
    assert_eq!(
        home.send("GET", "/v/mp-1/out/v1/a.m3u8", &forged, "").await.text(),
        "mp-1.example.com /out/v1/a.m3u8 secret-1"
    );
    assert_eq!(
        home.send("GET", "/v/mp-2/out/v1/a.m3u8", &forged, "").await.text(),
        "mp-2.example.com /out/v1/a.m3u8 none"
    );
    assert_eq!(home.get("/v/mp-1/out/v1/a.m3u8").await.x_cache(), "Hit from cloudfront");
    let generated = home.get("/v/x").await;
    assert_eq!(
        (generated.status, generated.x_cache(), generated.text()),
        (StatusCode::NOT_FOUND, "FunctionGeneratedResponse from cloudfront", "no video")
    );
    let failed = home.get("/v/none/a.m3u8").await;
    assert_eq!(
        (failed.status, failed.x_cache()),
        (StatusCode::SERVICE_UNAVAILABLE, "FunctionExecutionError from cloudfront")
    );
    assert_eq!(home.seen().len(), 2);
}

#[tokio::test]
async fn a_function_that_does_not_end_is_ended() {
    let home = Home::start(|_| respond(200, "")).await;
    let function = home.function("endless", "function handler() { for (;;) {} }").unwrap();
    let mut default = behavior("site", OPTIMIZED);
    default["FunctionAssociations"] = json!([{ "EventType": "viewer-request", "FunctionARN": function }]);
    home.define(distribution(json!([origin("site")]), default, json!([])));
    assert_eq!(home.get("/a").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_origin_access_control_signs_as_the_distribution() {
    let home = Home::start(|_| respond(200, "object")).await;
    let control = home.edge.define_origin_access_control("Oac", &json!({
        "Name": "oac", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4",
    })).unwrap();
    let bucket = |id: &str, control: &str| {
        json!({
            "Id": id, "DomainName": format!("{id}.s3.us-east-1.amazonaws.com"), "S3OriginConfig": {}, "OriginAccessControlId": control,
        })
    };
    let mut open = behavior("open", OPTIMIZED);
    open["PathPattern"] = json!("/open/*");
    let defined = home.define(distribution(
        json!([bucket("signed", &control), bucket("open", "")]),
        behavior("signed", OPTIMIZED),
        json!([open]),
    ));
    home.get("/a").await;
    home.get("/open/a").await;
    let signers: Vec<_> = home.seen().into_iter().map(|request| request.signer).collect();
    assert_eq!(signers, [Some(defined.arn), None]);
}

#[tokio::test]
async fn custom_error_pages_and_response_headers_are_applied() {
    let home =
        Home::start(|request| if request.path == "/index.html" { respond(200, "app") } else { respond(404, "no") })
            .await;
    let mut default = behavior("site", OPTIMIZED);
    default["ResponseHeadersPolicyId"] = json!("eaab4381-ed33-4a86-88ca-d9558dc6cd63");
    let mut config = distribution(json!([origin("site")]), default, json!([]));
    config["CustomErrorResponses"] = json!([
        { "ErrorCode": 404, "ResponsePagePath": "/index.html", "ResponseCode": 200, "ErrorCachingMinTTL": 0 },
    ]);
    home.define(config);
    let page = home.send("GET", "/watch/1", &[("origin", "https://a.example")], "").await;
    assert_eq!((page.status, page.text()), (StatusCode::OK, "app"));
    assert_eq!(page.header("access-control-allow-origin"), Some("*"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn hosts_name_their_distribution_and_loopback_means_the_first() {
    let home = Home::start(|request| respond(200, &request.domain_name)).await;
    home.define(distribution(json!([origin("first")]), behavior("first", OPTIMIZED), json!([])));
    let mut second = distribution(json!([origin("second")]), behavior("second", OPTIMIZED), json!([]));
    second["Aliases"] = json!(["watch.example.com"]);
    let defined = home.define_as("Second", second);
    assert_eq!(home.get("/").await.text(), "first.example.com");
    for host in ["watch.example.com", "watch.example.com:8080", &defined.domain_name] {
        assert_eq!(home.send("GET", "/", &[("host", host)], "").await.text(), "second.example.com");
    }
}

#[tokio::test]
async fn an_origin_that_panics_is_a_502_and_harms_nobody_else() {
    let home = Home::start(|request| {
        assert!(request.path != "/bad");
        respond(200, "good")
    })
    .await;
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    assert_eq!(home.get("/bad").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(home.get("/good").await.text(), "good");
}

#[tokio::test]
async fn text_is_compressed_for_those_who_read_that() {
    let playlist = "#EXTINF:6.006,\nindex_1_0.ts\n".repeat(100);
    let plain = playlist.clone();
    let home = Home::start(move |_| {
        with(respond(200, &plain), &[("content-type", "application/vnd.apple.mpegurl"), ("etag", "\"v\"")])
    })
    .await;
    let mut default = behavior("site", OPTIMIZED);
    default["Compress"] = json!(true);
    home.define(distribution(json!([origin("site")]), default, json!([])));
    let brotli = home.send("GET", "/a.m3u8", &[("accept-encoding", "gzip, deflate, br")], "").await;
    assert_eq!((brotli.header("content-encoding"), brotli.header("etag")), (Some("br"), Some("W/\"v\"")));
    assert!(brotli.body.len() < playlist.len() / 4);
    let gzip = [("accept-encoding", "gzip, deflate")];
    let compressed = home.send("GET", "/a.m3u8", &gzip, "").await;
    assert_eq!((compressed.header("content-encoding"), compressed.header("etag")), (Some("gzip"), Some("W/\"v\"")));
    assert_eq!(compressed.header("vary"), Some("Accept-Encoding"));
    assert!(compressed.body.len() < playlist.len() / 4 && compressed.body.starts_with(&[0x1f, 0x8b]));
    let plain = home.get("/a.m3u8").await;
    assert_eq!(
        (plain.x_cache(), plain.header("content-encoding"), plain.text()),
        ("Hit from cloudfront", None, playlist.as_str())
    );
    let part = home.send("GET", "/a.m3u8", &[gzip[0], ("range", "bytes=0-6")], "").await;
    assert_eq!(
        (part.status, part.header("content-encoding"), part.text()),
        (StatusCode::PARTIAL_CONTENT, None, "#EXTINF")
    );
    let unchanged = home.send("GET", "/a.m3u8", &[gzip[0], ("if-none-match", "W/\"v\"")], "").await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
}
