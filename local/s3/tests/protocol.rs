//! S3 as the official SDK, a browser and the edge see it, over a real socket.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod home;

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete,
        EncodingType, MetadataDirective, ObjectIdentifier, VersioningConfiguration,
    },
};
use home::Home;
use serde_json::json;
use vodline_core::{ObjectMetadata, Objects, Origin, OriginBody, OriginRequest};
use vodline_s3::{BucketSpec, CorsRule};

const MIB: usize = 1024 * 1024;

/// Names that have broken somebody's S3.
const ODD_KEYS: [&str; 14] = [
    "a b.mp4",
    "a+b.mp4",
    "100%25.mp4",
    "50%.mp4",
    "it's \"quoted\".mp4",
    "🎬/été.mp4",
    "../../etc/passwd",
    "dots/./../x",
    "...",
    "trailing/",
    "double//slash",
    "&<>;=?#",
    "тест/キー",
    "a\\b|c^d~e*f",
];

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 / 7) as u8).collect()
}

fn code<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> String {
    error.code().unwrap_or("no code").to_owned()
}

fn status<E>(error: SdkError<E>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

async fn start() -> (tempfile::TempDir, Home, Client) {
    start_as(BucketSpec { event_bridge: true, ..BucketSpec::default() }).await
}

async fn start_as(spec: BucketSpec) -> (tempfile::TempDir, Home, Client) {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::start(directory.path(), spec).await;
    let client = home.client();
    (directory, home, client)
}

async fn put(client: &Client, key: &str, body: &[u8]) -> aws_sdk_s3::operation::put_object::PutObjectOutput {
    client.put_object().bucket("films").key(key).body(body.to_vec().into()).send().await.unwrap()
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let output = client.get_object().bucket("films").key(key).send().await.unwrap();
    output.body.collect().await.unwrap().to_vec()
}

#[tokio::test]
async fn objects_of_all_sizes_come_back_as_they_were() {
    let (_directory, _home, client) = start().await;
    for size in [0, 1, 512 * 1024, 512 * 1024 + 1, MIB, 3 * MIB + 17] {
        let body = bytes(size);
        let put = put(&client, "film", &body).await;
        assert!(put.checksum_crc32().is_some(), "the SDK's checksum is told back");
        assert_eq!(get(&client, "film").await, body, "{size}");
        let head = client.head_object().bucket("films").key("film").send().await.unwrap();
        assert_eq!(head.content_length(), Some(size as i64));
        assert_eq!(head.e_tag(), put.e_tag());
    }
}

#[tokio::test]
async fn a_streamed_body_carries_its_checksum_in_a_trailer() {
    let (directory, _home, client) = start().await;
    let body = bytes(2 * MIB + 5);
    let file = directory.path().join("upload");
    std::fs::write(&file, &body).unwrap();
    let stream = ByteStream::from_path(&file).await.unwrap();
    let put = client.put_object().bucket("films").key("film").body(stream).send().await.unwrap();
    let get =
        client.get_object().bucket("films").key("film").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(get.checksum_crc32(), put.checksum_crc32());
    assert_eq!(get.content_encoding(), None, "aws-chunked is of the transfer, not of the object");
    assert_eq!(get.body.collect().await.unwrap().to_vec(), body);
}

#[tokio::test]
async fn what_is_said_of_an_object_is_kept() {
    let (_directory, _home, client) = start().await;
    client
        .put_object()
        .bucket("films")
        .key("film")
        .body(ByteStream::from_static(b"x"))
        .content_type("video/mp4")
        .cache_control("max-age=60")
        .content_disposition("attachment")
        .content_language("de")
        .metadata("title", "Ein Film")
        .send()
        .await
        .unwrap();
    let head = client.head_object().bucket("films").key("film").send().await.unwrap();
    assert_eq!(head.content_type(), Some("video/mp4"));
    assert_eq!(head.cache_control(), Some("max-age=60"));
    assert_eq!(head.content_disposition(), Some("attachment"));
    assert_eq!(head.content_language(), Some("de"));
    assert_eq!(head.metadata().unwrap().get("title").map(String::as_str), Some("Ein Film"));
    let get = client.get_object().bucket("films").key("film").response_content_type("text/plain").send().await.unwrap();
    assert_eq!(get.content_type(), Some("text/plain"));
}

#[tokio::test]
async fn ranges() {
    let (_directory, _home, client) = start().await;
    let body = bytes(2 * MIB);
    put(&client, "film", &body).await;
    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=100-199", 100..200),
        ("bytes=524287-1600000", 524_287..1_600_001),
        ("bytes=-5", 2 * MIB - 5..2 * MIB),
        ("bytes=2097000-", 2_097_000..2 * MIB),
    ] {
        let get = client.get_object().bucket("films").key("film").range(range).send().await.unwrap();
        let content_range = format!("bytes {}-{}/{}", expected.start, expected.end - 1, 2 * MIB);
        assert_eq!(get.content_range(), Some(content_range.as_str()));
        assert_eq!(get.body.collect().await.unwrap().to_vec(), &body[expected], "{range}");
    }
    let error = client.get_object().bucket("films").key("film").range("bytes=2097152-").send().await.unwrap_err();
    assert_eq!(code(error), "InvalidRange");
}

#[tokio::test]
async fn odd_keys_are_just_keys() {
    let (directory, _home, client) = start().await;
    for key in ODD_KEYS {
        put(&client, key, key.as_bytes()).await;
    }
    for key in ODD_KEYS {
        assert_eq!(get(&client, key).await, key.as_bytes(), "{key}");
    }
    let listed = client.list_objects_v2().bucket("films").send().await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    let mut expected = ODD_KEYS;
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let encoded = client.list_objects_v2().bucket("films").encoding_type(EncodingType::Url).prefix("a+b").send().await;
    assert_eq!(encoded.unwrap().contents()[0].key(), Some("a%2Bb.mp4"));
    // No key has become a path.
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| name == "objects" || name.to_string_lossy().starts_with("home.sqlite")),
        "{names:?}"
    );
}

#[tokio::test]
async fn listings_roll_up_and_page() {
    let (_directory, _home, client) = start().await;
    for key in ["a/1", "a/2", "b", "c/x/1", "c/y", "d"] {
        put(&client, key, b"x").await;
    }
    let page = client.list_objects_v2().bucket("films").delimiter("/").max_keys(3).send().await.unwrap();
    let prefixes: Vec<_> = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).collect();
    assert_eq!((prefixes, page.contents().len(), page.key_count()), (vec!["a/", "c/"], 1, Some(3)));
    let token = page.next_continuation_token().unwrap();
    let page = client
        .list_objects_v2()
        .bucket("films")
        .delimiter("/")
        .max_keys(3)
        .continuation_token(token)
        .send()
        .await
        .unwrap();
    assert_eq!((page.contents()[0].key(), page.is_truncated()), (Some("d"), Some(false)));
    let page = client.list_objects_v2().bucket("films").prefix("c/").delimiter("/").send().await.unwrap();
    assert_eq!((page.common_prefixes()[0].prefix(), page.contents()[0].key()), (Some("c/x/"), Some("c/y")));
    let page = client.list_objects_v2().bucket("films").start_after("b").send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("c/x/1"));
    let page = client.list_objects().bucket("films").marker("b").max_keys(1).send().await.unwrap();
    assert_eq!((page.contents()[0].key(), page.is_truncated()), (Some("c/x/1"), Some(true)));
    let error = client.list_objects_v2().bucket("films").continuation_token("made up").send().await.unwrap_err();
    assert_eq!(code(error), "InvalidArgument");
}

#[tokio::test]
async fn versions() {
    let (_directory, _home, client) = start_as(BucketSpec { versioned: true, ..BucketSpec::default() }).await;
    let first = put(&client, "film", b"first").await.version_id.unwrap();
    let second = put(&client, "film", b"second").await.version_id.unwrap();
    assert_ne!(first, second);
    assert_eq!(get(&client, "film").await, b"second");
    let old = client.get_object().bucket("films").key("film").version_id(&first).send().await.unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"first");

    let deleted = client.delete_object().bucket("films").key("film").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id.unwrap();
    let error = client.get_object().bucket("films").key("film").send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().headers().get("x-amz-delete-marker"), Some("true"));
    assert_eq!(code(error), "NoSuchKey");
    let error = client.get_object().bucket("films").key("film").version_id(&marker).send().await.unwrap_err();
    assert_eq!(code(error), "MethodNotAllowed");

    let listed = client.list_object_versions().bucket("films").send().await.unwrap();
    let ids: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));
    let page = client.list_object_versions().bucket("films").max_keys(2).send().await.unwrap();
    let page = client
        .list_object_versions()
        .bucket("films")
        .key_marker(page.next_key_marker().unwrap())
        .version_id_marker(page.next_version_id_marker().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(page.versions()[0].version_id(), Some(first.as_str()));

    client.delete_object().bucket("films").key("film").version_id(&marker).send().await.unwrap();
    assert_eq!(get(&client, "film").await, b"second");
    client.delete_object().bucket("films").key("film").version_id(&second).send().await.unwrap();
    assert_eq!(get(&client, "film").await, b"first");
    let error = client.get_object().bucket("films").key("film").version_id(&second).send().await.unwrap_err();
    assert_eq!(code(error), "NoSuchVersion");

    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    client.put_bucket_versioning().bucket("films").versioning_configuration(suspended).send().await.unwrap();
    assert_eq!(put(&client, "film", b"null").await.version_id(), Some("null"));
    put(&client, "film", b"null again").await;
    let listed = client.list_object_versions().bucket("films").send().await.unwrap();
    assert_eq!(listed.versions().len(), 2, "the null version is replaced, the others stay");
}

async fn upload(client: &Client, key: &str, algorithm: Option<ChecksumAlgorithm>) -> String {
    let created = client
        .create_multipart_upload()
        .bucket("films")
        .key(key)
        .set_checksum_algorithm(algorithm)
        .content_type("video/mp4");
    created.send().await.unwrap().upload_id.unwrap()
}

async fn part(client: &Client, key: &str, upload: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = client.upload_part().bucket("films").key(key).upload_id(upload).part_number(number).body(body.into());
    let part = part.send().await.unwrap();
    CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).set_checksum_crc32(part.checksum_crc32).build()
}

async fn complete(
    client: &Client,
    key: &str,
    upload: &str,
    parts: &[CompletedPart],
) -> Result<aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput, String> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
    let complete =
        client.complete_multipart_upload().bucket("films").key(key).upload_id(upload).multipart_upload(parts);
    complete.send().await.map_err(code)
}

#[tokio::test]
async fn multipart() {
    let (_directory, home, client) = start().await;
    let body = bytes(5 * MIB + 1000);
    let id = upload(&client, "film", Some(ChecksumAlgorithm::Crc32)).await;
    let second = part(&client, "film", &id, 2, body[5 * MIB..].to_vec()).await;
    part(&client, "film", &id, 1, b"to be replaced".to_vec()).await;
    let first = part(&client, "film", &id, 1, body[..5 * MIB].to_vec()).await;
    assert!(first.checksum_crc32().is_some(), "clients need it to complete");
    let listed = client.list_parts().bucket("films").key("film").upload_id(&id).max_parts(1).send().await.unwrap();
    assert_eq!((listed.parts().len(), listed.next_part_number_marker()), (1, Some("1")));
    let uploads = client.list_multipart_uploads().bucket("films").send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));

    let parts = [first, second];
    let done = complete(&client, "film", &id, &parts).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    assert!(done.checksum_crc32().unwrap().ends_with("-2"));
    let get = client.get_object().bucket("films").key("film").send().await.unwrap();
    assert_eq!(get.content_type(), Some("video/mp4"));
    assert_eq!(get.body.collect().await.unwrap().to_vec(), body);
    let one = client.get_object().bucket("films").key("film").part_number(2).send().await.unwrap();
    assert_eq!((one.content_length(), one.parts_count()), (Some(1000), Some(2)));
    // A completion whose answer was lost is repeated.
    assert_eq!(complete(&client, "film", &id, &parts).await.unwrap().e_tag(), done.e_tag());
    let reasons: Vec<_> = home.events.all().iter().map(|event| event.detail["reason"].clone()).collect();
    assert_eq!(reasons, ["CompleteMultipartUpload"]);
    assert!(client.list_multipart_uploads().bucket("films").send().await.unwrap().uploads().is_empty());
}

#[tokio::test]
async fn completions_that_do_not_fit_are_refused() {
    let (_directory, _home, client) = start().await;
    let id = upload(&client, "film", Some(ChecksumAlgorithm::Crc32)).await;
    let small = part(&client, "film", &id, 1, b"small".to_vec()).await;
    let last = part(&client, "film", &id, 2, b"last".to_vec()).await;
    let with_etag = |part: &CompletedPart, number, etag: &str| {
        CompletedPart::builder().part_number(number).e_tag(etag).set_checksum_crc32(part.checksum_crc32.clone()).build()
    };
    let without_checksum = CompletedPart::builder().part_number(1).set_e_tag(small.e_tag.clone()).build();
    for (parts, expected) in [
        (vec![small.clone(), last.clone()], "EntityTooSmall"),
        (vec![last.clone(), small.clone()], "InvalidPartOrder"),
        (vec![with_etag(&small, 1, "\"0\"")], "InvalidPart"),
        (vec![with_etag(&small, 3, "\"0\"")], "InvalidPart"),
        (vec![without_checksum], "InvalidRequest"),
        (vec![], "MalformedXML"),
    ] {
        assert_eq!(complete(&client, "film", &id, &parts).await.unwrap_err(), expected);
    }
    complete(&client, "film", &id, &[last]).await.unwrap();
    assert_eq!(get(&client, "film").await, b"last");

    let id = upload(&client, "film", None).await;
    client.abort_multipart_upload().bucket("films").key("film").upload_id(&id).send().await.unwrap();
    assert_eq!(complete(&client, "film", &id, &[small]).await.unwrap_err(), "NoSuchUpload");
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let (_directory, _home, client) = start().await;
    let body = bytes(6 * MIB);
    put(&client, "source", &body).await;
    let id = upload(&client, "film", None).await;
    let mut parts = Vec::new();
    for (number, range) in [(1, format!("bytes=0-{}", 5 * MIB - 1)), (2, format!("bytes={}-{}", 5 * MIB, 6 * MIB - 1))]
    {
        let copy = client.upload_part_copy().bucket("films").key("film").upload_id(&id).part_number(number);
        let copied = copy.copy_source("films/source").copy_source_range(range).send().await.unwrap();
        let etag = copied.copy_part_result.unwrap().e_tag;
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
    }
    complete(&client, "film", &id, &parts).await.unwrap();
    assert_eq!(get(&client, "film").await, body);
}

#[tokio::test]
async fn copies() {
    let (_directory, home, client) = start().await;
    let original =
        client.put_object().bucket("films").key("été +%.mp4").body(ByteStream::from_static(b"x")).metadata("k", "v");
    let original = original.content_type("video/mp4").send().await.unwrap();
    let source = "films/%C3%A9t%C3%A9%20%2B%25.mp4";
    let copied = client.copy_object().bucket("films").key("copy").copy_source(source).send().await.unwrap();
    assert_eq!(copied.copy_object_result.unwrap().e_tag, original.e_tag);
    client.delete_object().bucket("films").key("été +%.mp4").send().await.unwrap();
    let head = client.head_object().bucket("films").key("copy").send().await.unwrap();
    assert_eq!((head.content_type(), head.metadata().unwrap()["k"].as_str()), (Some("video/mp4"), "v"));
    assert_eq!(get(&client, "copy").await, b"x");

    let onto_itself = client.copy_object().bucket("films").key("copy").copy_source("films/copy");
    assert_eq!(code(onto_itself.clone().send().await.unwrap_err()), "InvalidRequest");
    onto_itself.metadata_directive(MetadataDirective::Replace).content_type("text/plain").send().await.unwrap();
    let head = client.head_object().bucket("films").key("copy").send().await.unwrap();
    assert_eq!((head.content_type(), head.metadata().map(|user| user.len())), (Some("text/plain"), Some(0)));
    let reasons: Vec<_> = home.events.all().iter().map(|event| event.detail["reason"].clone()).collect();
    assert_eq!(reasons, ["PutObject", "CopyObject", "DeleteObject", "CopyObject"]);
}

#[tokio::test]
async fn conditions() {
    let (_directory, _home, client) = start().await;
    let new = || client.put_object().bucket("films").key("film").if_none_match("*").body(ByteStream::from_static(b"1"));
    let etag = new().send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(new().send().await.unwrap_err()), "PreconditionFailed");
    let put =
        |etag: &str| client.put_object().bucket("films").key("film").if_match(etag).body(ByteStream::from_static(b"2"));
    assert_eq!(code(put("\"other\"").send().await.unwrap_err()), "PreconditionFailed");
    let changed = put(&etag).send().await.unwrap().e_tag.unwrap();
    let get = || client.get_object().bucket("films").key("film");
    assert_eq!(status(get().if_none_match(&changed).send().await.unwrap_err()), 304);
    assert_eq!(status(get().if_match(&etag).send().await.unwrap_err()), 412);
    assert!(get().if_match(&changed).send().await.is_ok());
    let delete = |etag: &str| client.delete_object().bucket("films").key("film").if_match(etag);
    assert_eq!(code(delete(&etag).send().await.unwrap_err()), "PreconditionFailed");
    delete(&changed).send().await.unwrap();
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let (directory, home, client) = start().await;
    let wrong = || client.put_object().bucket("films").key("film").body(ByteStream::from_static(b"x"));
    let error = wrong().checksum_crc32("AAAAAA==").send().await.unwrap_err();
    assert_eq!(code(error), "BadDigest");
    let error = wrong().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await.unwrap_err();
    assert_eq!(code(error), "BadDigest");
    let error = wrong().content_md5("short").send().await.unwrap_err();
    assert_eq!(code(error), "InvalidDigest");
    assert!(home.events.all().is_empty());
    let files = std::fs::read_dir(directory.path().join("objects")).unwrap();
    let files: usize = files.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, 0);
}

#[tokio::test]
async fn deletions_of_many() {
    let (_directory, _home, client) = start().await;
    for key in ["open/a", "open/b", "closed"] {
        put(&client, key, b"x").await;
    }
    let keys = ["open/a", "open/b", "open/missing", "closed"];
    let delete = keys.map(|key| ObjectIdentifier::builder().key(key).build().unwrap()).to_vec();
    let delete = Delete::builder().set_objects(Some(delete)).build().unwrap();
    let done = _home.role_client().delete_objects().bucket("films").delete(delete).send().await.unwrap();
    let deleted: Vec<_> = done.deleted().iter().filter_map(|deleted| deleted.key()).collect();
    assert_eq!(deleted, ["open/a", "open/b", "open/missing"]);
    assert_eq!((done.errors()[0].key(), done.errors()[0].code()), (Some("closed"), Some("AccessDenied")));
}

#[tokio::test]
async fn buckets() {
    let (_directory, _home, client) = start().await;
    client.create_bucket().bucket("more").send().await.unwrap();
    let again = client.create_bucket().bucket("more").send().await;
    assert!(again.is_ok(), "in us-east-1 one's own bucket is no conflict");
    assert_eq!(code(client.create_bucket().bucket("Not.A.Bucket_").send().await.unwrap_err()), "InvalidBucketName");
    let names: Vec<_> =
        client.list_buckets().send().await.unwrap().buckets().iter().filter_map(|bucket| bucket.name.clone()).collect();
    assert_eq!(names, ["films", "more"]);
    client.head_bucket().bucket("more").send().await.unwrap();
    let location = client.get_bucket_location().bucket("more").send().await.unwrap().location_constraint;
    assert!(location.is_none_or(|location| location.as_str().is_empty()), "us-east-1 has none");
    client.put_object().bucket("more").key("x").body(ByteStream::from_static(b"x")).send().await.unwrap();
    assert_eq!(code(client.delete_bucket().bucket("more").send().await.unwrap_err()), "BucketNotEmpty");
    client.delete_object().bucket("more").key("x").send().await.unwrap();
    client.delete_bucket().bucket("more").send().await.unwrap();
    assert_eq!(status(client.head_bucket().bucket("more").send().await.unwrap_err()), 404);
    let put = client.put_object().bucket("more").key("x").body(ByteStream::from_static(b"x"));
    assert_eq!(code(put.send().await.unwrap_err()), "NoSuchBucket");
    let configuration = client.get_bucket_notification_configuration().bucket("films").send().await.unwrap();
    assert!(configuration.event_bridge_configuration().is_some());
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name() {
    let (_directory, home, client) = start().await;
    let error = client.get_bucket_acl().bucket("films").send().await.unwrap_err();
    assert_eq!(error.message(), Some("the local home does not support s3:GetBucketAcl"));
    assert_eq!(code(error), "NotImplemented");
    let put = || client.put_object().bucket("films").key("film").body(ByteStream::from_static(b"x"));
    let error = put().tagging("a=b").send().await.unwrap_err();
    assert_eq!(error.message(), Some("the local home does not support Tagging in s3:PutObject"));
    assert_eq!(code(put().acl("public-read".into()).send().await.unwrap_err()), "AccessControlListNotSupported");
    // s3s is older than this operation and would take it for a PutObject.
    let response =
        reqwest::Client::new().put(format!("{}/films/film?renameObject", home.endpoint)).send().await.unwrap();
    assert!(response.text().await.unwrap().contains("RenameObject"));
    assert_eq!(code(client.get_object().bucket("films").key("film").send().await.unwrap_err()), "NoSuchKey");
}

#[tokio::test]
async fn signatures_and_policies() {
    let (_directory, home, client) = start().await;
    put(&client, "open/film", b"x").await;
    put(&client, "closed", b"x").await;

    let unsigned = reqwest::get(format!("{}/films/open/film", home.endpoint)).await.unwrap();
    assert_eq!(unsigned.status(), 403);
    assert!(unsigned.text().await.unwrap().contains("<Code>AccessDenied</Code>"));
    for (key, secret, token, expected) in [
        ("NOBODY", "x", None, "InvalidAccessKeyId"),
        (home::ROOT, "wrong", None, "SignatureDoesNotMatch"),
        (home::ROLE, "ROLE-secret", None, "InvalidToken"),
        (home::ROLE, "ROLE-secret", Some("other".to_owned()), "InvalidToken"),
    ] {
        let credentials = aws_sdk_s3::config::Credentials::new(key, secret, token, None, "test");
        let get = home.client_of(credentials).get_object().bucket("films").key("open/film");
        assert_eq!(code(get.send().await.unwrap_err()), expected);
    }

    let role = home.role_client();
    assert_eq!(get(&role, "open/film").await, b"x");
    put(&role, "open/new", b"y").await;
    let error = role.get_object().bucket("films").key("closed").send().await.unwrap_err();
    assert!(error.message().unwrap().contains("is not authorized to perform: s3:GetObject"), "{error:?}");
    assert_eq!(code(error), "AccessDenied");
    // Who may not list is not told what is missing.
    let missing = role.get_object().bucket("films").key("open/missing").send().await.unwrap_err();
    assert_eq!(code(missing), "AccessDenied");
    let copy = role.copy_object().bucket("films").key("open/copy").copy_source("films/closed");
    assert_eq!(code(copy.send().await.unwrap_err()), "AccessDenied");
    assert_eq!(code(role.list_objects_v2().bucket("films").send().await.unwrap_err()), "AccessDenied");
}

#[tokio::test]
async fn presigned_urls() {
    let (_directory, home, client) = start().await;
    let http = reqwest::Client::new();
    let soon = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let key = "up load/é+%.mp4";
    let url = client.put_object().bucket("films").key(key).presigned(soon.clone()).await.unwrap();
    let put = http.put(url.uri()).body("a film").send().await.unwrap();
    assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    let url = client.get_object().bucket("films").key(key).presigned(soon.clone()).await.unwrap();
    assert_eq!(http.get(url.uri()).send().await.unwrap().text().await.unwrap(), "a film");
    assert_eq!(http.get(url.uri().replace("X-Amz-Expires=60", "X-Amz-Expires=61")).send().await.unwrap().status(), 403);
    let past = PresigningConfig::builder()
        .start_time(std::time::SystemTime::now() - Duration::from_secs(120))
        .expires_in(Duration::from_secs(60))
        .build()
        .unwrap();
    let url = client.get_object().bucket("films").key(key).presigned(past).await.unwrap();
    assert!(http.get(url.uri()).send().await.unwrap().text().await.unwrap().contains("Request has expired"));
    let role = home.role_client();
    put_by_role(&http, &role, soon).await;
}

/// A presigned URL of temporary credentials carries their session token.
async fn put_by_role(http: &reqwest::Client, role: &Client, soon: PresigningConfig) {
    let url = role.put_object().bucket("films").key("open/film").presigned(soon).await.unwrap();
    assert_eq!(http.put(url.uri()).body("x").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn browsers() {
    let rule = CorsRule {
        allowed_origins: vec!["http://127.0.0.1:*".into()],
        allowed_methods: vec!["PUT".into(), "GET".into()],
        allowed_headers: vec!["content-type".into()],
        expose_headers: vec!["ETag".into()],
        max_age_seconds: Some(600),
        ..CorsRule::default()
    };
    let (_directory, home, client) = start_as(BucketSpec { cors: vec![rule], ..BucketSpec::default() }).await;
    let http = reqwest::Client::new();
    let url = format!("{}/films/film", home.endpoint);
    let preflight = |method: &str, origin: &str, headers: &str| {
        http.request(reqwest::Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers)
            .send()
    };
    let allowed = preflight("PUT", "http://127.0.0.1:8080", "Content-Type").await.unwrap();
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "http://127.0.0.1:8080");
    assert_eq!(allowed.headers()["access-control-allow-headers"], "content-type");
    assert_eq!(allowed.headers()["access-control-max-age"], "600");
    for (method, origin, headers) in [
        ("DELETE", "http://127.0.0.1:8080", ""),
        ("PUT", "http://evil.example", ""),
        ("PUT", "http://127.0.0.1:8080", "x-other"),
    ] {
        assert_eq!(preflight(method, origin, headers).await.unwrap().status(), 403, "{method} {origin} {headers}");
    }

    let soon = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let signed = client.put_object().bucket("films").key("film").presigned(soon).await.unwrap();
    let put = http.put(signed.uri()).header("origin", "http://127.0.0.1:8080").body("x").send().await.unwrap();
    assert_eq!(put.status(), 200);
    assert_eq!(put.headers()["access-control-allow-origin"], "http://127.0.0.1:8080");
    assert_eq!(put.headers()["access-control-expose-headers"], "ETag");
    assert!(put.headers().contains_key("etag"));
    let refused = http.get(&url).header("origin", "http://127.0.0.1:8080").send().await.unwrap();
    assert_eq!(refused.status(), 403, "a browser can read refusals too");
    assert!(refused.headers().contains_key("access-control-allow-origin"));
    let stored = client.get_bucket_cors().bucket("films").send().await.unwrap();
    assert_eq!(stored.cors_rules()[0].allowed_methods(), ["PUT", "GET"]);
    client.delete_bucket_cors().bucket("films").send().await.unwrap();
    assert_eq!(preflight("PUT", "http://127.0.0.1:8080", "").await.unwrap().status(), 403);
    assert_eq!(code(client.get_bucket_cors().bucket("films").send().await.unwrap_err()), "NoSuchCORSConfiguration");
}

#[tokio::test]
async fn events_are_those_of_aws() {
    let (_directory, home, client) =
        start_as(BucketSpec { versioned: true, event_bridge: true, ..BucketSpec::default() }).await;
    let key = "in box/a+b é.mp4";
    let version = put(&client, key, b"x").await.version_id.unwrap();
    let marker = client.delete_object().bucket("films").key(key).send().await.unwrap().version_id.unwrap();
    client.delete_object().bucket("films").key(key).version_id(&version).send().await.unwrap();
    let events = home.events.all();
    let created = &events[0];
    assert_eq!((created.source.as_str(), created.detail_type.as_str()), ("aws.s3", "Object Created"));
    assert_eq!(created.resources, ["arn:aws:s3:::films"]);
    let mut detail = created.detail.clone();
    let request_id = detail["request-id"].take();
    assert_eq!(request_id.as_str().map(str::len), Some(16));
    let sequencer = |index: usize| events[index].detail["object"]["sequencer"].as_str().unwrap().to_owned();
    assert_eq!(
        detail,
        json!({
            "version": "0",
            "bucket": {"name": "films"},
            "object": {
                "key": key, "size": 1, "etag": "9dd4e461268c8034f5c8564e155c67a6", "version-id": version,
                "sequencer": sequencer(0),
            },
            "request-id": null,
            "requester": "000000000000",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        })
    );
    assert_eq!(events[1].detail_type, "Object Deleted");
    assert_eq!(events[1].detail["deletion-type"], "Delete Marker Created");
    assert_eq!(events[1].detail["object"]["version-id"], marker.as_str());
    assert_eq!(events[2].detail["deletion-type"], "Permanently Deleted");
    assert!(sequencer(0) < sequencer(1) && sequencer(1) < sequencer(2));
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let (directory, home, client) = start_as(BucketSpec { versioned: true, ..BucketSpec::default() }).await;
    put(&client, "film", b"first").await;
    put(&client, "film", b"second").await;
    let id = upload(&client, "big", None).await;
    let first = part(&client, "big", &id, 1, bytes(5 * MIB)).await;
    // Nobody promised checksums for this upload, so its completion must not bring any (AWS: InvalidPart).
    let bare =
        |part: CompletedPart| CompletedPart::builder().set_part_number(part.part_number).set_e_tag(part.e_tag).build();
    drop(home);
    let home = Home::start(directory.path(), BucketSpec { versioned: true, ..BucketSpec::default() }).await;
    let client = home.client();
    assert_eq!(get(&client, "film").await, b"second");
    assert_eq!(client.list_object_versions().bucket("films").send().await.unwrap().versions().len(), 2);
    let second = part(&client, "big", &id, 2, b"end".to_vec()).await;
    complete(&client, "big", &id, &[bare(first), bare(second)]).await.unwrap();
    assert_eq!(get(&client, "big").await.len(), 5 * MIB + 3);
}

#[tokio::test]
async fn the_homes_services_use_files() {
    let (directory, home, client) = start().await;
    let finished = directory.path().join("segment.ts");
    std::fs::write(&finished, "segment").unwrap();
    let metadata = ObjectMetadata {
        content_type: Some("video/mp2t".into()),
        cache_control: Some("max-age=1".into()),
        user: BTreeMap::new(),
    };
    let info = home.s3.put_file("films", "out/1.ts", &finished, metadata.clone()).unwrap();
    assert!(!finished.exists(), "it is moved");
    assert_eq!((info.size_bytes, info.metadata.clone()), (7, metadata));
    assert_eq!(get(&client, "out/1.ts").await, b"segment");
    assert_eq!(home.events.all().len(), 1);
    put(&client, "out/2.ts", b"x").await;
    let keys: Vec<_> = home.s3.list("films", "out/").unwrap().into_iter().map(|info| info.key).collect();
    assert_eq!(keys, ["out/1.ts", "out/2.ts"]);
    let body = Objects::get(&*home.s3, "films", "out/1.ts").unwrap();
    assert_eq!(std::fs::read_to_string(body.path).unwrap(), "segment");
    home.s3.delete("films", "out/1.ts").unwrap();
    assert_eq!(Objects::get(&*home.s3, "films", "out/1.ts").unwrap_err().code, "NoSuchKey");
    assert_eq!(home.s3.list("nowhere", "").unwrap_err().code, "NoSuchBucket");
    std::fs::write(&finished, "x").unwrap();
    assert!(home.s3.put_file("nowhere", "x", &finished, ObjectMetadata::default()).is_err());
    assert!(finished.exists(), "a refused file stays the caller's");
}

#[tokio::test]
async fn the_edge_reads_as_from_an_origin() {
    let (_directory, home, client) = start().await;
    let put = client.put_object().bucket("films").key("a b/é.m3u8").body(ByteStream::from_static(b"#EXTM3U"));
    let etag = put
        .content_type("application/vnd.apple.mpegurl")
        .cache_control("max-age=5")
        .send()
        .await
        .unwrap()
        .e_tag
        .unwrap();
    let request = |domain: &str, path: &str| OriginRequest {
        domain_name: domain.into(),
        method: http::Method::GET,
        path: path.into(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        signer: None,
    };
    for domain in ["films.s3.us-east-1.amazonaws.com", "films.s3.amazonaws.com"] {
        let answer = home.s3.fetch(request(domain, "/a%20b/%C3%A9.m3u8")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/vnd.apple.mpegurl");
        assert_eq!(answer.headers["cache-control"], "max-age=5");
        assert_eq!(answer.headers["etag"], etag.as_str());
        let OriginBody::File { path, size_bytes } = answer.body else { panic!("a file") };
        assert_eq!((std::fs::read_to_string(path).unwrap().as_str(), size_bytes), ("#EXTM3U", 7));
    }
    let mut again = request("films.s3.amazonaws.com", "/a%20b/%C3%A9.m3u8");
    again.headers.insert("if-none-match", etag.parse().unwrap());
    assert_eq!(home.s3.fetch(again).await.status, 304);
    let missing = home.s3.fetch(request("films.s3.amazonaws.com", "/missing")).await;
    assert_eq!(missing.status, 403, "who may not list is not told what is missing");
    let OriginBody::Bytes(xml) = missing.body else { panic!("a document") };
    assert!(String::from_utf8_lossy(&xml).contains("<Code>AccessDenied</Code>"));
    assert_eq!(home.s3.fetch(request("none.s3.amazonaws.com", "/x")).await.status, 404);
    let mut post = request("films.s3.amazonaws.com", "/x");
    post.method = http::Method::POST;
    assert_eq!(home.s3.fetch(post).await.status, 405);
}
