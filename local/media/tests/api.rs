//! The API's answers and refusals.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::{Home, ROLE, one_rung};
use vodline_core::ManualClock;

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
    check(json!({"jobTemplate": "t"}), "NotFoundException", "no job template has the name t").await;
    check(json!({"jobEngineVersion": "2025-01-01"}), bad, "/jobEngineVersion: is not supported by the local home")
        .await;
    check(json!({"simulateReservedQueue": "ENABLED"}), bad, "/simulateReservedQueue: ").await;
    check(json!({"hopDestinations": [{"waitMinutes": 0}]}), bad, "/hopDestinations/0/waitMinutes: ").await;
    check(json!({"hopDestinations": [{"waitMinutes": 5}]}), bad, "/hopDestinations/0/queue: ").await;
    check(json!({"hopDestinations": [{"waitMinutes": 5, "queue": "Fast"}]}), "NotFoundException", "Fast").await;
    check(json!({"role": "admin"}), bad, "/role: ").await;
    check(json!({"priority": 51}), bad, "/priority: ").await;
    check(json!({"statusUpdateInterval": "SECONDS_1"}), bad, "/statusUpdateInterval: ").await;
    check(json!({"accelerationSettings": {"mode": "FAST"}}), bad, "/accelerationSettings/mode: ").await;
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
        (Method::POST, "resourceShares", "mediaconvert:CreateResourceShare"),
        (Method::POST, "jobsQueries", "mediaconvert:StartJobsQuery"),
        (Method::PUT, "policy", "mediaconvert:PutPolicy"),
        (Method::POST, "nothing", "mediaconvert:POST nothing"),
    ] {
        let (status, answer) = home.call(method, path, Some(json!({}))).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
        assert!(answer["message"].as_str().unwrap().contains(name), "{answer}");
    }
    for path in [
        "jobs/1-a",
        "queues/Fast",
        "jobTemplates/t",
        "presets/p",
        "tags/arn%3Aaws%3Amediaconvert%3Aus-east-1%3A000000000000%3Aqueues/Fast",
        "tags/arn%3Aaws%3As3%3A%3A%3Ax",
    ] {
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

#[tokio::test]
async fn queues_are_made_changed_and_deleted() {
    let home = idle();
    let (status, answer) =
        home.call(Method::POST, "queues", Some(json!({"name": "Fast", "concurrentJobs": 2, "tags": {"a": "b"}}))).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let arn = "arn:aws:mediaconvert:us-east-1:000000000000:queues/Fast";
    let queue = &answer["queue"];
    assert_eq!((&queue["arn"], &queue["type"], &queue["status"]), (&json!(arn), &json!("CUSTOM"), &json!("ACTIVE")));
    assert_eq!((&queue["pricingPlan"], &queue["concurrentJobs"]), (&json!("ON_DEMAND"), &json!(2)));

    let refused = async |method: Method, path: &str, body: Value, code: &str, words: &str| {
        let (_, answer) = home.call(method, path, Some(body)).await;
        assert_eq!(answer["code"], code, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    };
    let bad = "BadRequestException";
    refused(Method::POST, "queues", json!({"name": "Fast"}), "ConflictException", "Fast").await;
    refused(Method::POST, "queues", json!({"name": "Default"}), "ConflictException", "Default").await;
    refused(Method::POST, "queues", json!({"name": "a/b"}), bad, "/name: ").await;
    refused(Method::POST, "queues", json!({"name": "R", "pricingPlan": "RESERVED"}), bad, "/pricingPlan: ").await;
    refused(
        Method::POST,
        "queues",
        json!({"name": "R", "reservationPlanSettings": {}}),
        bad,
        "/reservationPlanSettings: ",
    )
    .await;
    refused(Method::POST, "queues", json!({"name": "R", "concurrentJobs": 0}), bad, "/concurrentJobs: ").await;
    refused(Method::PUT, "queues/Default", json!({"status": "PAUSED"}), bad, "system queue").await;
    refused(Method::DELETE, "queues/Default", json!({}), bad, "system queue").await;
    refused(Method::PUT, "queues/None", json!({}), "NotFoundException", "None").await;

    let (_, answer) =
        home.call(Method::PUT, "queues/Fast", Some(json!({"status": "PAUSED", "description": "for trailers"}))).await;
    assert_eq!(answer["queue"]["status"], "PAUSED");
    assert_eq!(home.get("queues/Fast").await["queue"]["description"], "for trailers");
    let listed = home.get("queues").await;
    let names: Vec<_> = listed["queues"].as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
    assert_eq!(names, ["Default", "Fast"]);
    assert_eq!(listed["totalConcurrentJobs"], 1);

    let id = home.submit_with(&one_rung(INPUT), json!({"queue": arn})).await;
    assert_eq!(home.get("queues/Fast").await["queue"]["submittedJobsCount"], 1);
    assert_eq!(home.get("queues/Default").await["queue"]["submittedJobsCount"], 0);
    assert_eq!(home.get("jobs?queue=Fast").await["jobs"][0]["id"], id);
    assert_eq!(home.get("jobs?queue=Default").await["jobs"], json!([]));
    refused(Method::DELETE, "queues/Fast", json!({}), "ConflictException", "1 jobs").await;
    home.call(Method::DELETE, &format!("jobs/{id}"), None).await;
    assert_eq!(home.call(Method::DELETE, "queues/Fast", None).await.0, StatusCode::ACCEPTED);
    assert_eq!(home.call(Method::GET, "queues/Fast", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_template_and_a_preset_make_a_job() {
    let home = idle();
    let whole = one_rung(INPUT);
    let mut output = whole["outputGroups"][0]["outputs"][0].clone();
    let preset = json!({"videoDescription": output["videoDescription"].take(),
        "audioDescriptions": output["audioDescriptions"].take(), "containerSettings": output["containerSettings"].take()});
    let (status, answer) =
        home.call(Method::POST, "presets", Some(json!({"name": "360p", "category": "hls", "settings": preset}))).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    assert_eq!(answer["preset"]["arn"], "arn:aws:mediaconvert:us-east-1:000000000000:presets/360p");

    let mut settings = whole.clone();
    settings["inputs"][0].as_object_mut().unwrap().remove("fileInput");
    settings["outputGroups"][0]["outputs"][0] = json!({"nameModifier": "_360p", "preset": "360p"});
    let group = settings["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"].as_object_mut().unwrap();
    let destination = group.remove("destination").unwrap();
    let template = json!({"name": "line", "settings": settings, "priority": 7, "statusUpdateInterval": "SECONDS_12",
        "accelerationSettings": {"mode": "PREFERRED"}, "category": "hls"});
    let (status, answer) = home.call(Method::POST, "jobTemplates", Some(template.clone())).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let made = home.get("jobTemplates/line").await["jobTemplate"].clone();
    assert_eq!((&made["settings"], &made["type"], &made["priority"]), (&settings, &json!("CUSTOM"), &json!(7)));

    let given = json!({"inputs": [{"fileInput": INPUT}],
        "outputGroups": [{"outputGroupSettings": {"hlsGroupSettings": {"destination": destination}}}]});
    let id = home.submit_with(&given, json!({"jobTemplate": "line", "priority": 9})).await;
    let job = home.get(&format!("jobs/{id}")).await["job"].clone();
    assert_eq!(job["settings"], whole);
    assert_eq!((&job["priority"], &job["jobTemplate"]), (&json!(9), &json!("line")));
    assert_eq!(
        (&job["statusUpdateInterval"], &job["accelerationStatus"]),
        (&json!("SECONDS_12"), &json!("IN_PROGRESS"))
    );

    let mut worse = template.clone();
    worse["name"] = json!("worse");
    worse["settings"]["outputGroups"][0]["outputs"][0]["preset"] = json!("8k");
    let (_, answer) = home.call(Method::POST, "jobTemplates", Some(worse.clone())).await;
    assert_eq!(answer["message"], "/outputGroups/0/outputs/0/preset: no preset has the name 8k");
    worse["settings"] = json!({"esam": {}});
    let (_, answer) = home.call(Method::POST, "jobTemplates", Some(worse)).await;
    assert!(answer["message"].as_str().unwrap().starts_with("/esam: "), "{answer}");

    let (_, answer) = home.call(Method::PUT, "jobTemplates/line", Some(json!({"description": "d"}))).await;
    assert_eq!((&answer["jobTemplate"]["description"], &answer["jobTemplate"]["priority"]), (&json!("d"), &json!(7)));
    assert_eq!(home.get("jobTemplates?category=hls").await["jobTemplates"].as_array().unwrap().len(), 1);
    assert_eq!(home.get("presets?category=dash").await["presets"], json!([]));
    for path in ["jobTemplates/line", "presets/360p"] {
        assert_eq!(home.call(Method::DELETE, path, None).await.0, StatusCode::ACCEPTED);
        assert_eq!(home.call(Method::DELETE, path, None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn definitions_are_listed_in_pages_and_tagged() {
    let home = idle();
    for name in ["c", "a", "b"] {
        let (status, _) = home.call(Method::POST, "presets", Some(json!({"name": name, "settings": {}}))).await;
        assert_eq!(status, StatusCode::CREATED);
    }
    let page = async |query: &str| {
        let answer = home.get(query).await;
        let names: String = answer["presets"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        (names, answer["nextToken"].as_str().map(str::to_owned))
    };
    assert_eq!(page("presets").await, ("abc".into(), None));
    assert_eq!(page("presets?maxResults=2").await, ("ab".into(), Some("b".into())));
    assert_eq!(page("presets?maxResults=2&nextToken=b").await, ("c".into(), None));
    assert_eq!(page("presets?order=DESCENDING").await.0, "cba");
    for query in ["presets?listBy=SYSTEM", "presets?nextToken=x", "presets?maxResults=0"] {
        assert_eq!(home.call(Method::GET, query, None).await.0, StatusCode::BAD_REQUEST, "{query}");
    }

    let arn = "arn:aws:mediaconvert:us-east-1:000000000000:presets/a";
    let path = format!("tags/{}", arn.replace(':', "%3A").replace('/', "%2F"));
    home.call(Method::POST, "tags", Some(json!({"arn": arn, "tags": {"x": "1", "y": "2"}}))).await;
    home.call(Method::PUT, &path, Some(json!({"tagKeys": ["x"]}))).await;
    assert_eq!(home.get(&path).await["resourceTags"], json!({"arn": arn, "tags": {"y": "2"}}));
}

/// Jobs fail at once for want of their input, so that only their order is seen.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_begin_by_priority_and_hop_when_they_have_waited() {
    let clock = Arc::new(ManualClock::new(jiff::Timestamp::from_second(1_700_000_000).unwrap()));
    let home = Home::start_with(|config| config.clock = clock.clone());
    home.call(Method::POST, "queues", Some(json!({"name": "Held", "status": "PAUSED"}))).await;
    home.call(Method::POST, "queues", Some(json!({"name": "Gone"}))).await;
    let submit = async |members: Value| home.submit_with(&one_rung("s3://uploads/nowhere.mp4"), members).await;
    let held = async |priority: i32| submit(json!({"queue": "Held", "priority": priority})).await;
    let (low, high, later) = (held(-50).await, held(50).await, held(50).await);
    let hopping = submit(json!({"queue": "Held", "hopDestinations": [
        {"waitMinutes": 1, "queue": "Gone"}, {"waitMinutes": 2, "queue": "Default", "priority": 3}]}))
    .await;
    // The destination goes while the job waits for it.
    home.call(Method::DELETE, "queues/Gone", None).await;

    // A job of another queue passes them all, and shows that the loop has looked.
    let passing = submit(json!({})).await;
    home.finish(&passing).await;
    assert_eq!(home.get(&format!("jobs/{hopping}")).await["job"]["status"], "SUBMITTED");
    clock.advance(SignedDuration::from_secs(61));
    home.finish(&submit(json!({})).await).await;
    let warned = home.last_event("NEW_WARNING").detail;
    assert_eq!((&warned["warningCode"], &warned["jobId"]), (&json!("100000"), &json!(hopping)));
    clock.advance(SignedDuration::from_secs(60));
    home.finish(&submit(json!({})).await).await;
    let job = home.finish(&hopping).await;
    let hop = home.last_event("QUEUE_HOP").detail;
    let queue = |name: &str| json!(format!("arn:aws:mediaconvert:us-east-1:000000000000:queues/{name}"));
    assert_eq!((&hop["queue"], &hop["previousQueue"]), (&queue("Default"), &queue("Held")));
    assert_eq!((&hop["priority"], &hop["previousPriority"]), (&json!(3), &json!(0)));
    assert_eq!(job["queueTransitions"][0]["sourceQueue"], queue("Held"));
    assert_eq!(job["warnings"], json!([{"code": 100_000, "count": 1}]));

    home.call(Method::PUT, "queues/Held", Some(json!({"status": "ACTIVE"}))).await;
    for id in [&low, &high, &later] {
        home.finish(id).await;
    }
    let events = home.bus.events.borrow();
    let begun = events.iter().filter(|event| event.detail["status"] == "PROGRESSING");
    let order: Vec<_> = begun.map(|event| event.detail["jobId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order[order.len() - 3..], [high, later, low]);
}
