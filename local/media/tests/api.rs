//! The API's answers and refusals.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Home, ROLE, one_rung};

const INPUT: &str = "s3://uploads/clip.mp4";

/// A home whose jobs stay submitted.
fn idle() -> Home {
    Home::idle(Arc::new(tempfile::tempdir().unwrap()))
}

#[tokio::test]
async fn a_job_is_answered_as_aws_does() {
    let home = idle();
    let body = json!({"role": ROLE, "settings": one_rung(INPUT), "queue": "Default", "priority": 3,
        "statusUpdateInterval": "SECONDS_10", "userMetadata": {"videoId": "v"}, "tags": {"stack": "s"}});
    let (status, answer) = home.call(Method::POST, "jobs", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let job = &answer["job"];
    let id = job["id"].as_str().unwrap();
    let (time, suffix) = id.split_once('-').unwrap();
    assert!(time.len() == 13 && suffix.len() == 6, "{id}");
    assert_eq!(job["arn"], format!("arn:aws:mediaconvert:us-east-1:000000000000:jobs/{id}"));
    assert_eq!(job["queue"], "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default");
    assert_eq!(job["status"], "SUBMITTED");
    assert_eq!(job["settings"], one_rung(INPUT));
    assert_eq!(job["createdAt"].as_i64().unwrap(), time.parse::<i64>().unwrap() / 1000);
    assert_eq!(home.get(&format!("jobs/{id}")).await["job"], *job);
    let tags = home.get(&format!("tags/{}", job["arn"].as_str().unwrap().replace(':', "%3A"))).await;
    assert_eq!(tags["resourceTags"]["tags"], json!({"stack": "s"}));

    let (status, _) = home.call(Method::DELETE, &format!("jobs/{id}"), None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(home.get(&format!("jobs/{id}")).await["job"]["status"], "CANCELED");
    assert_eq!(home.statuses(id), ["CANCELED"]);
}

#[tokio::test]
async fn a_token_makes_one_job() {
    let home = idle();
    let submit = async |token: &str| {
        let body = json!({"role": ROLE, "settings": one_rung(INPUT), "clientRequestToken": token});
        home.call(Method::POST, "jobs", Some(body)).await.1["job"]["id"].clone()
    };
    let first = submit("a").await;
    assert_eq!(submit("a").await, first);
    assert_ne!(submit("b").await, first);
}

#[tokio::test]
async fn bad_requests_name_their_path() {
    let home = idle();
    let check = async |changes: Value, code: &str, words: &str| {
        let mut body = json!({"role": ROLE, "settings": one_rung(INPUT)});
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (status, answer) = home.call(Method::POST, "jobs", Some(body)).await;
        assert!(status.is_client_error(), "{changes}");
        assert_eq!(answer["code"], code, "{changes} {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{changes} {answer}");
    };
    let bad = "BadRequestException";
    check(json!({"settings": {"inputs": []}}), bad, ": outputGroups is a required property").await;
    check(json!({"settings": {"inputs": [], "outputGroups": [], "kantarWatermark": {}}}), bad, "/kantarWatermark: ")
        .await;
    check(json!({"jobTemplate": "t"}), bad, "/jobTemplate: is not supported by the local home").await;
    check(json!({"role": "admin"}), bad, "/role: ").await;
    check(json!({"priority": 51}), bad, "/priority: ").await;
    check(json!({"statusUpdateInterval": "SECONDS_1"}), bad, "/statusUpdateInterval: ").await;
    check(json!({"accelerationSettings": {"mode": "ENABLED"}}), bad, "/accelerationSettings/mode: ").await;
    check(json!({"clientRequestToken": "t".repeat(65)}), bad, "/clientRequestToken: ").await;
    check(json!({"userMetadata": {"token": "x".repeat(257)}}), bad, "/userMetadata/token: ").await;
    check(json!({"userMetadata": {"title": "a,b"}}), bad, "/userMetadata/title: ").await;
    let many: Value = (0..11).map(|n| (n.to_string(), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    check(json!({"userMetadata": many}), bad, "/userMetadata: Should have at most 10 items").await;
    check(json!({"queue": "Fast"}), "NotFoundException", "Fast").await;
    check(json!({"role": "arn:aws:iam::000000000000:role/secret"}), "AccessDeniedException", "iam:PassRole").await;
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name() {
    let home = idle();
    for (method, path, name) in [
        (Method::POST, "queues", "mediaconvert:CreateQueue"),
        (Method::GET, "jobTemplates/t", "mediaconvert:GetJobTemplate"),
        (Method::PUT, "policy", "mediaconvert:PutPolicy"),
        (Method::POST, "nothing", "mediaconvert:POST nothing"),
    ] {
        let (status, answer) = home.call(method, path, Some(json!({}))).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
        assert!(answer["message"].as_str().unwrap().contains(name), "{answer}");
    }
    for path in ["jobs/1-a", "queues/Fast", "tags/arn%3Aaws%3As3%3A%3A%3Ax"] {
        let (status, answer) = home.call(Method::GET, path, None).await;
        assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("NotFoundException")), "{path}");
    }
}

#[tokio::test]
async fn jobs_are_listed_in_pages() {
    let home = idle();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(home.submit(&one_rung(&format!("s3://uploads/{number}.mp4"))).await);
    }
    home.call(Method::DELETE, &format!("jobs/{}", ids[0]), None).await;
    let list = async |query: &str| {
        let answer = home.get(query).await;
        let ids: Vec<_> =
            answer["jobs"].as_array().unwrap().iter().map(|j| j["id"].as_str().unwrap().to_owned()).collect();
        (ids, answer["nextToken"].as_str().map(str::to_owned))
    };
    let mut paged = Vec::new();
    let mut token = None;
    loop {
        let next = token.map_or(String::new(), |token: String| format!("&nextToken={token}"));
        let (page, more) = list(&format!("jobs?order=ASCENDING&maxResults=2{next}")).await;
        paged.extend(page);
        token = more;
        if token.is_none() {
            break;
        }
    }
    let mut sorted = ids.clone();
    // Jobs of one millisecond are in the order of their ids.
    sorted.sort();
    assert_eq!(paged, sorted);
    let (newest_first, _) = list("jobs").await;
    assert!(newest_first.iter().eq(sorted.iter().rev()));
    assert_eq!(list("jobs?status=CANCELED").await.0, [ids[0].clone()]);
    assert_eq!(list("search?inputFile=uploads/3").await.0, [ids[3].clone()]);
    for query in ["jobs?maxResults=21", "jobs?order=UP", "jobs?status=DONE", "jobs?nextToken=x"] {
        assert_eq!(home.get(query).await["code"], "BadRequestException", "{query}");
    }
    let queue = &home.get("queues").await["queues"][0];
    assert_eq!((&queue["name"], &queue["submittedJobsCount"]), (&json!("Default"), &json!(4)));
}

#[tokio::test]
async fn probe_describes_a_file() {
    let home = idle();
    home.put_clip(
        "uploads",
        "clip.mov",
        "-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=2 -f lavfi -i sine=440:r=48000:d=2 -c:v libx264 -pix_fmt yuv420p \
         -colorspace bt709 -color_primaries bt709 -color_trc bt709 -c:a aac -ac 2 -metadata:s:a language=eng -f mov",
    );
    let (status, answer) =
        home.call(Method::POST, "probe", Some(json!({"inputFiles": [{"fileUrl": "s3://uploads/clip.mov"}]}))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let result = &answer["probeResults"][0];
    let container = &result["container"];
    assert_eq!(container["format"], "quicktime");
    assert!((container["duration"].as_f64().unwrap() - 2.0).abs() < 0.1);
    let video = &container["tracks"][0];
    assert_eq!((&video["index"], &video["trackType"], &video["codec"]), (&json!(1), &json!("video"), &json!("AVC")));
    let properties = &video["videoProperties"];
    assert_eq!(properties["frameRate"], json!({"numerator": 30000, "denominator": 1001}));
    assert_eq!(properties["displayAspectRatio"], json!({"numerator": 16, "denominator": 9}));
    assert_eq!(properties["colorPrimaries"], "ITU_709");
    assert_eq!(properties["codecMetadata"]["chromaSubsampling"], "4:2:0");
    assert!(properties.get("rotation").is_none());
    let audio = &container["tracks"][1]["audioProperties"];
    assert_eq!((&audio["channels"], &audio["sampleRate"]), (&json!(2), &json!(48000)));
    assert_eq!(audio["languageCode"], "eng");
    assert_eq!(result["metadata"]["mimeType"], "video/mp4");
    assert_eq!(
        result["trackMappings"],
        json!([{"audioTrackIndexes": [2], "dataTrackIndexes": [], "videoTrackIndexes": [1]}])
    );
}

#[tokio::test]
async fn probe_of_what_is_no_media_has_no_tracks() {
    let home = idle();
    home.put("uploads", "text.mp4", b"words");
    let probe =
        async |uri: &str| home.call(Method::POST, "probe", Some(json!({"inputFiles": [{"fileUrl": uri}]}))).await;
    let (status, answer) = probe("s3://uploads/text.mp4").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["probeResults"][0]["container"], json!({"tracks": []}));
    assert_eq!(answer["probeResults"][0]["metadata"]["fileSize"], 5);
    assert_eq!(probe("s3://uploads/nowhere").await.1["code"], "NotFoundException");
    assert_eq!(probe("s3://uploads/secret").await.1["code"], "AccessDeniedException");
    assert_eq!(probe("https://example.com/x.mp4").await.1["code"], "BadRequestException");
    let (_, none) = home.call(Method::POST, "probe", Some(json!({"inputFiles": []}))).await;
    assert_eq!(none["code"], "BadRequestException");
}
