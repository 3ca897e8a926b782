//! Who may see what: signed URLs and cookies, key groups, origin access controls, and what is logged of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Read as _;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use aws_sdk_cloudfront::types::{
    KeyGroupConfig, OriginAccessControlConfig, OriginAccessControlOriginTypes, OriginAccessControlSigningBehaviors,
    OriginAccessControlSigningProtocols, PublicKeyConfig,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use common::{
    Home, OPTIMIZED,
    api::{client, code},
    behavior, distribution, origin, respond,
};

/// A key pair that signs as viewers' publishers do.
struct Signer {
    pair: KeyPair,
    id: String,
}

impl Signer {
    /// A signer whose public key and key group (of the same name) the home knows; and the group's id.
    fn new(home: &Home, name: &str) -> (Self, String) {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.public_key().as_der().unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()));
        let key = json!({ "CallerReference": name, "Name": name, "EncodedKey": pem });
        let id = home.edge.define_public_key(name, &key).unwrap();
        let group = home.edge.define_key_group(name, &json!({ "Name": name, "Items": [id] })).unwrap();
        (Self { pair, id }, group)
    }

    fn sign(&self, policy: &str) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), policy.as_bytes(), &mut signature).unwrap();
        web(&signature)
    }

    /// The parameters that sign a URL until a time.
    fn canned(&self, url: &str, expires_s: i64) -> String {
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires_s}}}}}}}]}}"#
        );
        let signature = self.sign(&policy);
        format!("Expires={expires_s}&Signature={signature}&Key-Pair-Id={}&Hash-Algorithm=SHA256", self.id)
    }
}

/// Base64 as signed URLs have it.
fn web(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

const HOST: (&str, &str) = ("host", "films.example");

/// A home whose `/private/*` asks for a signature.
async fn private_home() -> (Home, Signer) {
    let home = Home::start(|request| respond(200, &format!("{}?{}", request.path, request.query))).await;
    let (signer, group) = Signer::new(&home, "publisher");
    let policy = json!({
        "Name": "all-queries", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 60,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": false,
            "CookiesConfig": { "CookieBehavior": "all" },
            "HeadersConfig": { "HeaderBehavior": "none" },
            "QueryStringsConfig": { "QueryStringBehavior": "all" },
        },
    });
    let policy = home.edge.define_cache_policy("All", &policy).unwrap();
    let mut private = behavior("site", &policy);
    private["PathPattern"] = json!("/private/*");
    private["TrustedKeyGroups"] = json!([group]);
    let mut config = distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([private]));
    config["Logging"] = json!({ "Bucket": "logs.s3.amazonaws.com", "Prefix": "edge", "IncludeCookies": true });
    home.define(config);
    (home, signer)
}

#[tokio::test]
async fn a_signed_url_is_let_in_and_its_signature_kept_from_cache_and_origin() {
    let (home, signer) = private_home().await;
    assert_eq!(home.get("/public").await.status, StatusCode::OK);
    let unsigned = home.send("GET", "/private/a", &[HOST], "").await;
    assert_eq!((unsigned.status, unsigned.header("content-type")), (StatusCode::FORBIDDEN, Some("text/xml")));
    assert!(unsigned.text().contains("<Code>MissingKey</Code>"), "{}", unsigned.text());

    let signed = |expires_s: i64| signer.canned("http://films.example/private/a?b=1", expires_s);
    let first = home.send("GET", &format!("/private/a?b=1&{}", signed(100)), &[HOST], "").await;
    assert_eq!((first.status, first.text()), (StatusCode::OK, "/private/a?b=1"));
    // Another signature for the same object is the same object.
    let second = home.send("GET", &format!("/private/a?{}&b=1", signed(200)), &[HOST], "").await;
    assert_eq!((second.status, second.x_cache()), (StatusCode::OK, "Hit from cloudfront"));
    assert_eq!(home.seen().len(), 2);

    home.clock.advance(SignedDuration::from_secs(100));
    let expired = home.send("GET", &format!("/private/a?b=1&{}", signed(100)), &[HOST], "").await;
    assert_eq!(expired.status, StatusCode::FORBIDDEN);
    assert!(expired.text().contains("<Code>AccessDenied</Code>"));
    let (stranger, _) = Signer::new(&home, "stranger");
    let elsewhere = signer.canned("http://films.example/private/other", 900);
    let mut foreign = stranger.canned("http://films.example/private/a?b=1", 900);
    for (query, denied) in [(elsewhere, "AccessDenied"), (foreign.clone(), "InvalidKey")] {
        let refused = home.send("GET", &format!("/private/a?b=1&{query}"), &[HOST], "").await;
        assert!(refused.text().contains(&format!("<Code>{denied}</Code>")), "{query}: {}", refused.text());
    }
    // The other's signature under the known key's name.
    foreign = foreign.replace(&stranger.id, &signer.id);
    assert_eq!(home.send("GET", &format!("/private/a?b=1&{foreign}"), &[HOST], "").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn signed_cookies_open_what_their_policy_says_and_go_no_further() {
    let (home, signer) = private_home().await;
    let policy = r#"{"Statement":[{"Resource":"http*://films.example/private/*","Condition":{"DateLessThan":{"AWS:EpochTime":100},"IpAddress":{"AWS:SourceIp":"127.0.0.0/8"}}}]}"#;
    let cookies = |policy: &str| {
        let signature = signer.sign(policy);
        format!(
            "theme=dark; CloudFront-Policy={}; CloudFront-Signature={signature}; CloudFront-Key-Pair-Id={}; CloudFront-Hash-Algorithm=SHA256",
            web(policy.as_bytes()),
            signer.id
        )
    };
    for path in ["/private/a", "/private/b"] {
        let answer = home.send("GET", path, &[HOST, ("cookie", &cookies(policy))], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    let seen = home.seen();
    assert!(seen.iter().all(|request| request.headers["cookie"] == "theme=dark"), "{seen:?}");
    let elsewhere = policy.replace("127.0.0.0", "10.0.0.0");
    let refused = home.send("GET", "/private/a", &[HOST, ("cookie", &cookies(&elsewhere))], "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let not_yet = policy.replace(r#""IpAddress""#, r#""DateGreaterThan":{"AWS:EpochTime":50},"IpAddress""#);
    let early = home.send("GET", "/private/a", &[HOST, ("cookie", &cookies(&not_yet))], "").await;
    assert_eq!(early.status, StatusCode::FORBIDDEN);
    home.clock.advance(SignedDuration::from_secs(51));
    let late = home.send("GET", "/private/a", &[HOST, ("cookie", &cookies(&not_yet))], "").await;
    assert_eq!(late.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_are_logged_in_files_of_the_log_bucket_without_what_signed_them() {
    let (home, signer) = private_home().await;
    home.get("/public").await;
    let query = signer.canned("http://films.example/private/a", 100);
    home.send("GET", &format!("/private/a?{query}"), &[HOST, ("cookie", "CloudFront-Signature=abc; a=1")], "").await;
    home.send("GET", "/private/b", &[HOST], "").await;
    home.edge.flush_logs().await;
    let files = home.objects.all();
    assert_eq!(files.len(), 1, "one hour, one file");
    let (bucket, key, bytes) = &files[0];
    let id = home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]))).id;
    assert_eq!(bucket, "logs");
    let name = key.strip_prefix(&format!("edge/{id}.1970-01-01-00.")).unwrap_or_else(|| panic!("{key}"));
    assert_eq!((name.len(), name.ends_with(".gz")), (11, true), "{key}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("#Version: 1.0", 5), "{text}");
    let fields: Vec<Vec<&str>> = lines[2..].iter().map(|line| line.split('\t').collect()).collect();
    assert!(fields.iter().all(|fields| fields.len() == 33));
    let seen: Vec<[&str; 4]> = fields.iter().map(|fields| [fields[7], fields[8], fields[13], fields[15]]).collect();
    assert_eq!(seen[0][..3], ["/public", "200", "Miss"]);
    assert_eq!(seen[1], ["/private/a", "200", "Miss", "films.example"]);
    assert_eq!(seen[2], ["/private/b", "403", "Error", "films.example"]);
    assert!(fields[1][11].contains("Signature=-&Key-Pair-Id="), "{}", fields[1][11]);
    assert_eq!(fields[1][12], "CloudFront-Signature=-;%20a=1");
    // What was written is not written again.
    home.edge.flush_logs().await;
    assert_eq!(home.objects.all().len(), 1);
}

#[tokio::test]
async fn a_log_bucket_that_is_not_there_stops_nobody() {
    let home = Home::start(|_| respond(200, "fine")).await;
    let mut config = distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([]));
    config["Logging"] = json!({ "Bucket": "gone.s3.us-east-1.amazonaws.com" });
    home.define(config);
    home.get("/a").await;
    home.edge.flush_logs().await;
    assert_eq!(home.get("/a").await.text(), "fine");
    assert!(home.objects.all().is_empty());
}

#[tokio::test]
async fn keys_and_groups_are_made_changed_and_kept_while_they_are_used() {
    let home = Home::start(|_| respond(200, "")).await;
    let client = client(&home).await;
    let key = |name: &str, comment: &str| {
        let pair = include_str!("../src/plane/signed/key_fixtures.rs");
        let pem = pair.split_once("RSA_PUBLIC_KEY: &str = \"").unwrap().1.split_once('"').unwrap().0;
        PublicKeyConfig::builder().caller_reference(name).name(name).encoded_key(pem).comment(comment).build().unwrap()
    };
    let made = client.create_public_key().public_key_config(key("k", "")).send().await.unwrap();
    let id = made.public_key().unwrap().id().to_owned();
    assert!(id.starts_with('K') && made.location().unwrap().ends_with(&id));
    let again = client.create_public_key().public_key_config(key("k", "")).send().await.unwrap_err();
    assert_eq!(code(&again), "PublicKeyAlreadyExists");
    let no_key = PublicKeyConfig::builder().caller_reference("x").name("x").encoded_key("x").build().unwrap();
    let refused = client.create_public_key().public_key_config(no_key).send().await.unwrap_err();
    assert_eq!(code(&refused), "InvalidArgument");

    let config = client.get_public_key_config().id(&id).send().await.unwrap();
    assert_eq!(config.public_key_config, Some(key("k", "")));
    let update = client.update_public_key().id(&id).public_key_config(key("k", "new"));
    let updated = update.clone().if_match(config.e_tag.unwrap()).send().await.unwrap();
    assert_eq!(code(&update.clone().if_match("EOLD").send().await.unwrap_err()), "PreconditionFailed");
    assert_eq!(code(&update.send().await.unwrap_err()), "InvalidIfMatchVersion");
    let etag = updated.e_tag.unwrap();
    let renamed = client.update_public_key().id(&id).if_match(&etag).public_key_config(key("other", "new"));
    assert_eq!(code(&renamed.send().await.unwrap_err()), "CannotChangeImmutablePublicKeyFields");
    let listed = client.list_public_keys().send().await.unwrap().public_key_list.unwrap();
    assert_eq!((listed.quantity(), listed.items()[0].comment()), (1, Some("new")));

    let group = |name: &str, key: &str| KeyGroupConfig::builder().name(name).items(key).build().unwrap();
    let missing = client.create_key_group().key_group_config(group("g", "K0")).send().await.unwrap_err();
    assert_eq!(code(&missing), "InvalidArgument");
    let made = client.create_key_group().key_group_config(group("g", &id)).send().await.unwrap();
    let group_id = made.key_group().unwrap().id().to_owned();
    let config = made.key_group().unwrap().key_group_config().unwrap();
    assert_eq!((config.name(), config.items()), ("g", std::slice::from_ref(&id)));
    let twice = client.create_key_group().key_group_config(group("g", &id)).send().await.unwrap_err();
    assert_eq!(code(&twice), "KeyGroupAlreadyExists");
    let used = client.delete_public_key().id(&id).if_match(&etag).send().await.unwrap_err();
    assert_eq!(code(&used), "PublicKeyInUse");

    let mut private = behavior("site", OPTIMIZED);
    private["TrustedKeyGroups"] = json!([group_id]);
    let config = distribution(json!([origin("site")]), private, json!([]));
    let distribution_id = home.define(config).id;
    let read = client.get_distribution().id(&distribution_id).send().await.unwrap().distribution.unwrap();
    let active = read.active_trusted_key_groups.unwrap();
    assert_eq!(
        (active.enabled(), active.items()[0].key_pair_ids().unwrap().items()),
        (true, std::slice::from_ref(&id))
    );
    let default = read.distribution_config.unwrap().default_cache_behavior.unwrap();
    assert_eq!(default.trusted_key_groups().unwrap().items(), std::slice::from_ref(&group_id));
    let etag_of_group = client.get_key_group().id(&group_id).send().await.unwrap().e_tag.unwrap();
    let used = client.delete_key_group().id(&group_id).if_match(&etag_of_group).send().await.unwrap_err();
    assert_eq!(code(&used), "ResourceInUse");
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    client.delete_key_group().id(&group_id).if_match(&etag_of_group).send().await.unwrap();
    client.delete_public_key().id(&id).if_match(&etag).send().await.unwrap();
    assert_eq!(code(&client.get_key_group().id(&group_id).send().await.unwrap_err()), "NoSuchResource");
    assert_eq!(code(&client.get_public_key().id(&id).send().await.unwrap_err()), "NoSuchPublicKey");
}

#[tokio::test]
async fn origin_access_controls_are_made_changed_and_kept_while_they_are_used() {
    let home = Home::start(|_| respond(200, "")).await;
    let client = client(&home).await;
    let control = |name: &str, kind, behaviour| {
        OriginAccessControlConfig::builder()
            .name(name)
            .description("d")
            .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
            .signing_behavior(behaviour)
            .origin_access_control_origin_type(kind)
            .build()
            .unwrap()
    };
    use OriginAccessControlOriginTypes::{Lambda, S3};
    use OriginAccessControlSigningBehaviors::{Always, Never, NoOverride};
    let create = |config| client.create_origin_access_control().origin_access_control_config(config).send();
    let made = create(control("c", S3, Always)).await.unwrap();
    let id = made.origin_access_control().unwrap().id().to_owned();
    assert_eq!(code(&create(control("c", S3, Always)).await.unwrap_err()), "OriginAccessControlAlreadyExists");
    assert_eq!(code(&create(control("d", Lambda, Always)).await.unwrap_err()), "NotImplemented");
    assert_eq!(code(&create(control("d", S3, NoOverride)).await.unwrap_err()), "NotImplemented");
    let bucket = json!({ "Id": "b", "DomainName": "b.s3.us-east-1.amazonaws.com", "S3OriginConfig": {}, "OriginAccessControlId": id });
    home.define(distribution(json!([bucket]), behavior("b", OPTIMIZED), json!([])));
    let etag = made.e_tag().unwrap();
    let used = client.delete_origin_access_control().id(&id).if_match(etag).send().await.unwrap_err();
    assert_eq!(code(&used), "OriginAccessControlInUse");
    // Who never signs is a stranger to the bucket.
    home.get("/a").await;
    let update = client.update_origin_access_control().id(&id).if_match(etag);
    let updated = update.origin_access_control_config(control("c", S3, Never)).send().await.unwrap();
    home.get("/b").await;
    let signers: Vec<bool> = home.seen().iter().map(|request| request.signer.is_some()).collect();
    assert_eq!(signers, [true, false]);
    home.define(distribution(json!([origin("site")]), behavior("site", OPTIMIZED), json!([])));
    client.delete_origin_access_control().id(&id).if_match(updated.e_tag().unwrap()).send().await.unwrap();
    let gone = client.get_origin_access_control_config().id(&id).send().await.unwrap_err();
    assert_eq!(code(&gone), "NoSuchOriginAccessControl");
    let listed = client.list_origin_access_controls().send().await.unwrap().origin_access_control_list.unwrap();
    assert_eq!(listed.quantity(), 0);
}
