//! The publish machine held against the contracts: every Task's arguments, built from the outputs and variables that reach
//! it, satisfy the schema of the step it calls; and the rules every state must keep.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};
use vodline_asl::{
    Command, Effects, Env, Event, Execution, ExecutionInfo, ExecutionStatus, FailurePhase, Payload, Resource,
    ScheduleTask, SeededRandom, StateMachine, UnixMillis, transition,
};
use vodline_contracts::{ErrorCode, Retryability};
use vodline_tests::machine::{definition, states, validate};

/// What each step answers: once with everything a contract allows, once with as little as it demands.
fn answers(full: bool, packaging: &str) -> BTreeMap<&'static str, Value> {
    let id = "v0123456789abcdef0123";
    let mut source = json!({ "bucket": "uploads", "key": "a b.mp4", "etag": "abc", "sizeBytes": 1 });
    let mut facts = json!({ "container": "mp4", "durationMs": 7000, "audio": [] });
    let (mut ladder, mut audio_ladder) = (json!([]), json!([]));
    let mut storyboard = json!({});
    let mut job = json!({
        "jobId": "1-abc", "durationMs": 7000, "hlsPlaylistUri": "s3://media/hls/master.m3u8",
        "renditions": [{ "name": "360p" }],
    });
    let mut playback = json!({});
    let mut seen = json!({ "playlistPath": "/p", "segments": 3, "durationMs": 7000, "firstSegmentBytes": 1, "lastSegmentBytes": 1 });
    if full {
        source["versionId"] = json!("1");
        facts["video"] = json!({ "codec": "AVC", "displayWidth": 1280, "displayHeight": 720, "rotationDegrees": 0, "frameRate": 29.97 });
        ladder = json!([{ "name": "360p", "width": 640, "height": 360, "maxBitrateBps": 1_000_000 }]);
        audio_ladder = json!([{ "name": "64k", "bitrateBps": 64_000 }]);
        storyboard = json!({ "path": "/media/x/storyboard/storyboard.vtt" });
        facts["audio"] = json!([{ "codec": "AAC", "channels": 2, "sampleRateHz": 48000, "language": "eng" }]);
        for name in ["dashManifestUri", "mp4Uri", "posterUri", "lastThumbnailUri"] {
            job[name] = json!("s3://media/x");
        }
        job["warnings"] = json!([250_003]);
        job["renditions"] = json!([{ "name": "360p", "width": 640, "height": 360, "averageBitrateBps": 1 }]);
        playback = json!({ "hls": "/h", "dash": "/d", "cmaf": "/c", "mp4": "/m" });
        seen["resolution"] = json!("640x360");
    }
    let mut receipt =
        json!({ "verifiedAt": "2026-11-22T00:00:00Z", "masterPath": "/m", "renditions": [seen], "bytesFetched": 2 });
    if full {
        receipt["manifests"] =
            json!([{ "format": "hls", "path": "/m", "renditions": 1, "audioTracks": 0, "segments": 3 }]);
    }
    let configurations = json!([{ "id": "g-hls", "format": "hls" }]);
    BTreeMap::from([
        ("admit-upload", json!({ "videoId": id, "source": source, "title": "a b" })),
        (
            "probe-source",
            json!({
                "facts": facts, "costEstimate": { "normalisedMinutes": 0.5, "usd": 0.01 },
                "ladder": ladder, "audioLadder": audio_ladder, "packaging": packaging,
            }),
        ),
        ("start-job", job),
        (
            "ensure-packaging-group",
            json!({ "packagingGroupId": "g", "domainName": "x.egress", "configurations": configurations }),
        ),
        ("attach-origin", json!({ "originId": "g", "pathPrefix": "/v/g" })),
        (
            "ingest-asset",
            json!({ "assetId": id, "endpoints": [{ "configurationId": "g-hls", "format": "hls", "url": "https://x" }] }),
        ),
        ("verify-playback", json!({ "playback": playback, "receipt": receipt })),
        ("make-storyboard", storyboard),
        ("record-catalog", json!({ "videoId": id, "status": "READY", "watchUrl": "http://x/watch.html?v=1" })),
    ])
}

struct Run {
    machine: StateMachine,
    execution: Execution,
    random: SeededRandom,
    tasks: VecDeque<ScheduleTask>,
}

impl Run {
    fn start() -> Self {
        let machine = StateMachine::parse(&definition()).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let event = json!({
            "version": "0", "id": "1", "source": "aws.s3", "detail-type": "Object Created",
            "detail": { "version": "0", "bucket": { "name": "uploads" }, "reason": "PutObject",
                        "object": { "key": "a b.mp4", "size": 1, "etag": "abc", "version-id": "1", "sequencer": "2" } },
        });
        let input = Payload::parse(&event.to_string()).unwrap();
        let execution = Execution::new(ExecutionInfo::example("run-1"), input);
        let mut run = Self { machine, execution, random: SeededRandom::new(7), tasks: VecDeque::new() };
        run.tell(Event::Start);
        run
    }

    fn tell(&mut self, event: Event) {
        let mut env = Env { now: UnixMillis(0), random: &mut self.random };
        let Effects { commands, .. } = transition(&self.machine, &mut self.execution, event, &mut env);
        for command in commands {
            if let Command::ScheduleTask(task) = command {
                self.tasks.push_back(*task);
            }
        }
    }

    /// The next task's step and arguments.
    fn next(&mut self) -> Option<(ScheduleTask, String, Value)> {
        let task = self.tasks.pop_front()?;
        let arguments: Value = serde_json::from_str(task.arguments.text()).unwrap();
        let (arn, payload) = match &task.resource {
            Resource::Lambda { .. } => (format!("{}", task.resource), arguments),
            _ => (arguments["FunctionName"].as_str().unwrap().to_owned(), arguments["Payload"].clone()),
        };
        let step = arn.rsplit(':').next().unwrap().to_owned();
        Some((task, step, payload))
    }
}

/// The steps that only MediaPackage needs.
const OF_MEDIAPACKAGE: &[&str] = &["ensure-packaging-group", "attach-origin", "ingest-asset"];

fn check(full: bool, packaging: &str, fails: Option<&str>) {
    let answers = answers(full, packaging);
    let mut run = Run::start();
    let mut called = BTreeSet::new();
    while let Some((task, step, arguments)) = run.next() {
        validate(&format!("steps/{step}.input"), &arguments);
        let answer = &answers[step.as_str()];
        validate(&format!("steps/{step}.output"), answer);
        run.tell(if fails == Some(&step) {
            let error = Some(ErrorCode::StoryboardFailed.name().into());
            Event::TaskFailed { task: task.task, phase: FailurePhase::Run, error, cause: None }
        } else {
            Event::TaskSucceeded { task: task.task, output: Payload::parse(&answer.to_string()).unwrap() }
        });
        called.insert(step);
    }
    assert_eq!(run.execution.status(), ExecutionStatus::Succeeded);
    let is_called = |step: &&str| packaging == "mediapackage" || !OF_MEDIAPACKAGE.contains(step);
    let expected: BTreeSet<_> = answers.into_keys().filter(is_called).map(str::to_owned).collect();
    assert_eq!(called, expected, "{packaging}");
}

#[test]
fn every_state_gives_its_step_what_the_contract_demands() {
    for packaging in ["mediapackage", "direct"] {
        check(true, packaging, None);
        check(false, packaging, None);
    }
}

#[test]
fn a_video_without_a_storyboard_is_published() {
    check(true, "mediapackage", Some("make-storyboard"));
    check(true, "direct", Some("make-storyboard"));
}

#[test]
fn a_duplicate_ends_quietly() {
    let mut run = Run::start();
    let (task, step, _) = run.next().unwrap();
    assert_eq!(step, "admit-upload");
    run.tell(Event::TaskFailed {
        task: task.task,
        phase: FailurePhase::Run,
        error: Some(ErrorCode::DuplicateUpload.name().into()),
        cause: None,
    });
    assert_eq!(run.execution.status(), ExecutionStatus::Succeeded);
}

#[test]
fn every_error_that_is_matched_exists_and_only_retryable_ones_are_retried() {
    /// Errors of Lambda and of the States Language itself.
    const FOREIGN: &[&str] = &["Lambda.", "States.", "Sandbox.", "Runtime."];
    let machine: Value = serde_json::from_str(&definition()).unwrap();
    let mut retried = BTreeSet::new();
    for (name, state) in states(&machine) {
        for (kind, rules) in [("Retry", &state["Retry"]), ("Catch", &state["Catch"])] {
            for error in rules.as_array().into_iter().flatten().flat_map(|rule| rule["ErrorEquals"].as_array().unwrap())
            {
                let error = error.as_str().unwrap();
                if FOREIGN.iter().any(|prefix| error.starts_with(prefix)) {
                    continue;
                }
                let code = ErrorCode::ALL.iter().find(|code| code.name() == error);
                let code = code.unwrap_or_else(|| panic!("{name} matches {error}, which nothing raises"));
                if kind == "Retry" {
                    assert_eq!(code.retryability(), Retryability::Retryable, "{name} retries {error}");
                    retried.insert(error.to_owned());
                }
            }
        }
    }
    let retryable = ErrorCode::ALL.iter().filter(|code| code.retryability() == Retryability::Retryable);
    assert_eq!(retried, retryable.map(|code| code.name().to_owned()).collect());
}

#[test]
fn every_task_has_a_timeout_and_bounded_retries_with_jitter() {
    let machine: Value = serde_json::from_str(&definition()).unwrap();
    assert!(machine["TimeoutSeconds"].is_u64());
    for (name, state) in states(&machine) {
        assert!(state["Comment"].is_string(), "{name} has no comment");
        if state["Type"] != "Task" {
            continue;
        }
        assert!(state["TimeoutSeconds"].is_u64(), "{name} has no timeout");
        let waits = state["Resource"].as_str().unwrap().ends_with(".waitForTaskToken");
        assert_eq!(waits, state["HeartbeatSeconds"].is_u64(), "{name}: waiting and heartbeat go together");
        let retries = state["Retry"].as_array().unwrap();
        assert!(
            retries.iter().any(|r| r["ErrorEquals"].as_array().unwrap().contains(&json!("Lambda.ServiceException"))),
            "{name}"
        );
        for retry in retries {
            assert_eq!(retry["JitterStrategy"], "FULL", "{name}");
            assert!(retry["MaxAttempts"].is_u64() && retry["MaxDelaySeconds"].is_u64(), "{name}");
        }
    }
}
