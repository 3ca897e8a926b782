#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use vodline_core::{AwsError, Service};

use super::rows;
use crate::{
    DeadLetterConfig, InputTransformer, RetryPolicy, RuleSpec, TargetSpec,
    testing::{DEAD, FUNCTION, Home, MACHINE, QUEUE, Script, Stored, call, event, function_error},
};
use crate::{QueueSettings, QueueSpec};

fn rule(target: TargetSpec) -> RuleSpec {
    RuleSpec {
        name: "r".into(),
        pattern: r#"{"source": ["test"]}"#.into(),
        targets: vec![TargetSpec { id: "t".into(), ..target }],
        ..RuleSpec::default()
    }
}

fn queue(name: &str) -> QueueSpec {
    QueueSpec { name: name.into(), settings: QueueSettings::default() }
}

/// Makes what is due now, one after the other; says how many there were.
async fn make_due(home: &Home) -> usize {
    let now_ms = home.events.now_ms();
    let due: Stored<_> = home.events.store.read(|connection| rows::due(connection, now_ms, 100));
    let due = due.unwrap();
    for delivery in &due {
        home.events.deliver(delivery).await;
    }
    due.len()
}

fn next_due_in(home: &Home) -> Option<SignedDuration> {
    let now_ms = home.events.now_ms();
    let next: Stored<_> = home.events.store.read(|connection| rows::next_due_ms(connection, now_ms));
    next.unwrap().map(|next_ms| SignedDuration::from_millis(next_ms - now_ms))
}

async fn received(service: &dyn Service, queue: &str) -> Vec<Value> {
    let body = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
    let answer = call(service, "ReceiveMessage", body).await.unwrap();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_function_gets_the_event_and_the_delivery_is_over() {
    let home = Home::new();
    let (script, mut called) = Script::new([]);
    home.connect(&script);
    home.events.define_rule(&rule(TargetSpec { arn: FUNCTION.into(), ..TargetSpec::default() })).unwrap();
    home.send(&event(json!({"a": 1})));
    assert_eq!(make_due(&home).await, 1);
    let (target, payload) = called.try_recv().unwrap();
    assert_eq!(target, FUNCTION);
    // Field by field as AWS orders them, and time to the second.
    assert_eq!(
        payload,
        r#"{"version":"0","id":"e-1","detail-type":"Done","source":"test","account":"000000000000","time":"2026-11-22T10:00:00Z","region":"us-east-1","resources":[],"detail":{"a":1}}"#
    );
    assert_eq!(make_due(&home).await, 0);
    assert_eq!(next_due_in(&home), None);
}

#[tokio::test]
async fn an_event_that_no_rule_takes_goes_nowhere() {
    let home = Home::new();
    let spec = rule(TargetSpec { arn: FUNCTION.into(), ..TargetSpec::default() });
    home.events.define_rule(&RuleSpec { pattern: r#"{"source": ["other"]}"#.into(), ..spec.clone() }).unwrap();
    home.send(&event(json!({})));
    home.events.define_rule(&RuleSpec { state: crate::RuleState::Disabled, ..spec }).unwrap();
    home.send(&event(json!({})));
    assert_eq!(make_due(&home).await, 0);
}

#[tokio::test]
async fn a_machine_is_started_with_the_transformed_input_in_the_targets_role() {
    let home = Home::new();
    let (script, mut called) = Script::new([]);
    home.connect(&script);
    let transformer = InputTransformer {
        input_paths_map: [("a".into(), "$.detail.a".into())].into(),
        input_template: r#"{"value": <a>, "rule": "<aws.events.rule-name>"}"#.into(),
    };
    let target = TargetSpec { arn: MACHINE.into(), input_transformer: Some(transformer), ..TargetSpec::default() };
    home.events.define_rule(&rule(target.clone())).unwrap();
    home.send(&event(json!({"a": [1, "x"]})));
    assert_eq!(make_due(&home).await, 1);
    assert_eq!(called.try_recv().unwrap(), (MACHINE.into(), r#"{"value": [1,"x"], "rule": "r"}"#.into()));

    let role_arn = Some("arn:aws:iam::000000000000:role/none".into());
    home.events.define_rule(&rule(TargetSpec { role_arn, ..target })).unwrap();
    home.send(&event(json!({"a": 2})));
    assert_eq!(make_due(&home).await, 1);
    assert!(called.try_recv().is_err());
    let failed = home.events.failed_deliveries().unwrap();
    assert_eq!((failed.len(), failed[0].error_code.as_str()), (1, "NO_PERMISSIONS"));
}

#[tokio::test]
async fn a_queue_gets_the_event_once() {
    let home = Home::new();
    home.queues.define_queue(&queue("q")).unwrap();
    home.events.define_rule(&rule(TargetSpec { arn: QUEUE.into(), ..TargetSpec::default() })).unwrap();
    home.send(&event(json!({"a": 1})));
    assert_eq!(make_due(&home).await, 1);
    assert_eq!(make_due(&home).await, 0);
    let messages = received(&*home.queues, "q").await;
    let body: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!((messages.len(), &body["detail"]), (1, &json!({"a": 1})));
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_after_a_restart() {
    let home = Home::new();
    home.events.define_rule(&rule(TargetSpec { arn: FUNCTION.into(), ..TargetSpec::default() })).unwrap();
    home.send(&event(json!({})));
    let home = home.reopen();
    let (script, mut called) = Script::new([]);
    home.connect(&script);
    assert_eq!(make_due(&home).await, 1);
    assert!(called.try_recv().is_ok());
    let home = home.reopen();
    assert_eq!(make_due(&home).await, 0);
}

#[tokio::test]
async fn a_failing_function_is_tried_thrice_and_then_dead_lettered() {
    let home = Home::new();
    let (script, mut called) = Script::new([function_error(), function_error(), function_error()]);
    home.connect(&script);
    home.queues.define_queue(&queue("dead")).unwrap();
    let dead_letter_config = Some(DeadLetterConfig { arn: Some(DEAD.into()) });
    home.events
        .define_rule(&rule(TargetSpec { arn: FUNCTION.into(), dead_letter_config, ..TargetSpec::default() }))
        .unwrap();
    home.send(&event(json!({"a": 1})));
    for after_s in [0, 60, 120] {
        assert_eq!(next_due_in(&home), (after_s > 0).then(|| SignedDuration::from_secs(after_s)));
        home.clock.advance(SignedDuration::from_secs(after_s));
        assert_eq!(make_due(&home).await, 1);
        assert!(called.try_recv().is_ok());
    }
    assert_eq!(next_due_in(&home), None);
    let messages = received(&*home.queues, "dead").await;
    let body: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(body["detail"], json!({"a": 1}));
    let attribute = |name: &str| messages[0]["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned();
    assert_eq!(attribute("ERROR_CODE"), "Vod.Broken");
    assert_eq!(attribute("ERROR_MESSAGE"), "it broke");
    assert_eq!(attribute("EXHAUSTED_RETRY_CONDITION"), "MaximumRetryAttempts");
    assert_eq!(attribute("RETRY_ATTEMPTS"), "2");
    assert_eq!(attribute("RULE_ARN"), "arn:aws:events:us-east-1:000000000000:rule/r");
    assert_eq!(attribute("TARGET_ARN"), FUNCTION);
    assert_eq!(home.events.failed_deliveries().unwrap(), []);
}

#[tokio::test]
async fn a_target_that_is_unavailable_is_tried_up_to_the_policys_limits() {
    let throttled =
        || Err(AwsError::with_status(http::StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "later"));
    let check = async |retry: RetryPolicy, calls: std::ops::RangeInclusive<usize>| {
        let home = Home::new();
        let (script, mut called) = Script::new(std::iter::repeat_with(throttled).take(50));
        home.connect(&script);
        let target = TargetSpec { arn: FUNCTION.into(), retry_policy: Some(retry), ..TargetSpec::default() };
        home.events.define_rule(&rule(target)).unwrap();
        home.send(&event(json!({})));
        make_due(&home).await;
        while let Some(wait) = next_due_in(&home) {
            home.clock.advance(wait);
            make_due(&home).await;
        }
        let count = std::iter::from_fn(|| called.try_recv().ok()).count();
        assert!(calls.contains(&count), "{count} calls");
        let failed = home.events.failed_deliveries().unwrap();
        assert_eq!((failed.len(), failed[0].error_code.as_str()), (1, "TooManyRequestsException"));
    };
    check(RetryPolicy { maximum_retry_attempts: 0, ..RetryPolicy::default() }, 1..=1).await;
    check(RetryPolicy { maximum_retry_attempts: 3, ..RetryPolicy::default() }, 4..=4).await;
    // Waits of at most 1, 2, 4, ... seconds: a minute has room for five retries, and for not many more.
    let retry = RetryPolicy { maximum_event_age_in_seconds: 60, ..RetryPolicy::default() };
    check(retry, 6..=12).await;
}

#[tokio::test]
async fn a_target_that_refuses_is_not_tried_again() {
    let home = Home::new();
    let gone = AwsError::not_found("ResourceNotFoundException", "Function not found");
    let (script, _called) = Script::new([Err(gone)]);
    home.connect(&script);
    home.events.define_rule(&rule(TargetSpec { arn: FUNCTION.into(), ..TargetSpec::default() })).unwrap();
    home.send(&event(json!({})));
    make_due(&home).await;
    assert_eq!(next_due_in(&home), None);
    assert_eq!(home.reopen().events.failed_deliveries().unwrap()[0].error_code, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_worker_delivers_when_woken_and_when_due() {
    let home = Home::new();
    let (script, mut called) = Script::new([function_error()]);
    home.connect(&script);
    home.events.define_rule(&rule(TargetSpec { arn: FUNCTION.into(), ..TargetSpec::default() })).unwrap();
    let worker = tokio::spawn(home.events.clone().run());
    home.send(&event(json!({})));
    let mut next = async || tokio::time::timeout(Duration::from_secs(10), called.recv()).await.unwrap().unwrap();
    next().await;
    // The failure is stored after the call returned; until then the row is due now, afterwards in a minute.
    while next_due_in(&home).is_none() {
        tokio::task::yield_now().await;
    }
    home.clock.advance(SignedDuration::from_secs(60));
    vodline_core::EventBus::wake(&*home.events);
    next().await;
    worker.abort();
}
