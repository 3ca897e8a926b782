#![expect(clippy::unwrap_used, reason = "a test may panic")]
use serde_json::{Value, json};

use crate::{
    RuleSpec, TargetSpec,
    testing::{FUNCTION, Home, MACHINE, call},
};

async fn ok(home: &Home, operation: &str, body: Value) -> Value {
    call(&*home.events, operation, body).await.unwrap()
}

#[tokio::test]
async fn a_rule_is_put_described_listed_and_deleted() {
    let home = Home::new();
    let pattern = r#"{"source": ["a"]}"#;
    let arn = "arn:aws:events:us-east-1:000000000000:rule/r";
    assert_eq!(
        ok(&home, "PutRule", json!({"Name": "r", "EventPattern": pattern, "Description": "d"})).await,
        json!({"RuleArn": arn})
    );
    let target =
        json!({"Id": "t", "Arn": FUNCTION, "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}});
    assert_eq!(
        ok(&home, "PutTargets", json!({"Rule": "r", "Targets": [target]})).await,
        json!({"FailedEntryCount": 0, "FailedEntries": []})
    );
    ok(&home, "DisableRule", json!({"Name": "r"})).await;
    let home = home.reopen();
    let described = json!({
        "Name": "r", "Arn": arn, "EventPattern": pattern, "State": "DISABLED", "Description": "d",
        "EventBusName": "default",
    });
    assert_eq!(ok(&home, "ListRules", json!({"NamePrefix": "r"})).await, json!({"Rules": [described]}));
    let mut described = described;
    described["CreatedBy"] = json!("000000000000");
    assert_eq!(ok(&home, "DescribeRule", json!({"Name": "r"})).await, described);
    assert_eq!(ok(&home, "ListTargetsByRule", json!({"Rule": "r"})).await, json!({"Targets": [target]}));
    let refused = call(&*home.events, "DeleteRule", json!({"Name": "r"})).await.unwrap_err();
    assert_eq!(refused.message, "Rule can't be deleted since it has targets.");
    ok(&home, "RemoveTargets", json!({"Rule": "r", "Ids": ["t"]})).await;
    ok(&home, "DeleteRule", json!({"Name": "r"})).await;
    assert_eq!(ok(&home, "ListRules", json!({})).await, json!({"Rules": []}));
}

#[tokio::test]
async fn lists_by_pages() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        ok(&home, "PutRule", json!({"Name": name, "EventPattern": r#"{"a": [1]}"#})).await;
    }
    let names =
        |page: &Value| page["Rules"].as_array().unwrap().iter().map(|rule| rule["Name"].clone()).collect::<Vec<_>>();
    let first = ok(&home, "ListRules", json!({"Limit": 2})).await;
    assert_eq!(names(&first), ["a", "b"]);
    let second = ok(&home, "ListRules", json!({"Limit": 2, "NextToken": first["NextToken"]})).await;
    assert_eq!((names(&second), second.get("NextToken")), (vec![json!("c")], None));
}

#[tokio::test]
async fn entries_are_taken_or_refused_one_by_one() {
    let home = Home::new();
    home.events.define_bus("other").unwrap();
    let good = json!({"Source": "my", "DetailType": "T", "Detail": "{}", "EventBusName": "other", "Time": 1.5});
    let with = |name: &str, value: Value| {
        let mut entry = good.clone();
        entry[name] = value;
        entry
    };
    let entries = json!([
        good,
        with("Source", json!("aws.s3")),
        with("Source", json!("")),
        with("Detail", json!("[]")),
        with("Detail", json!("{")),
        with("EventBusName", json!("none")),
    ]);
    let answer = ok(&home, "PutEvents", json!({"Entries": entries})).await;
    assert_eq!(answer["FailedEntryCount"], 5);
    assert_eq!(answer["Entries"][0]["EventId"].as_str().unwrap().len(), 36);
    let codes: Vec<_> =
        answer["Entries"].as_array().unwrap()[1..].iter().map(|entry| entry["ErrorCode"].as_str().unwrap()).collect();
    assert_eq!(
        codes,
        [
            "NotAuthorizedForSourceException",
            "InvalidArgument",
            "MalformedDetail",
            "MalformedDetail",
            "ResourceNotFoundException"
        ]
    );
}

#[tokio::test]
async fn refuses_by_name() {
    let home = Home::new();
    ok(&home, "PutRule", json!({"Name": "r", "EventPattern": r#"{"a": [1]}"#})).await;
    let check = async |operation: &str, body: Value, code: &str, words: &str| {
        let error = call(&*home.events, operation, body).await.unwrap_err();
        assert_eq!(error.code, code);
        assert!(error.message.contains(words), "{}", error.message);
    };
    let target = |more: Value| {
        let mut target = json!({"Id": "t", "Arn": FUNCTION});
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"Rule": "r", "Targets": [target]})
    };
    check("CreateArchive", json!({}), "NotImplemented", "events:CreateArchive").await;
    check("PutRule", json!({"Name": "s", "EventPattern": "{}"}), "InvalidEventPatternException", "Empty objects").await;
    check(
        "PutRule",
        json!({"Name": "s", "ScheduleExpression": "rate(1 day)"}),
        "SerializationException",
        "ScheduleExpression",
    )
    .await;
    check("PutRule", json!({"Name": "s", "EventPattern": "{}", "Tags": []}), "SerializationException", "Tags").await;
    check("PutRule", json!({"Name": "s"}), "ValidationException", "EventPattern").await;
    check(
        "PutRule",
        json!({"Name": "s", "EventPattern": r#"{"a": [1]}"#, "EventBusName": "none"}),
        "ResourceNotFoundException",
        "Event bus none",
    )
    .await;
    check(
        "DescribeRule",
        json!({"Name": "s"}),
        "ResourceNotFoundException",
        "Rule s does not exist on EventBus default.",
    )
    .await;
    check("PutTargets", target(json!({"EcsParameters": {}})), "SerializationException", "EcsParameters").await;
    check("PutTargets", target(json!({"Arn": "arn:aws:sns:us-east-1:0:t"})), "NotImplemented", "arn:aws:sns").await;
    check("PutTargets", target(json!({"Arn": "t"})), "ValidationException", "Provided Arn is not in correct format")
        .await;
    check("PutTargets", target(json!({"Arn": MACHINE})), "ValidationException", "RoleArn is required").await;
    check("PutTargets", target(json!({"Input": "{}", "InputPath": "$"})), "ValidationException", "Only one of").await;
    check("PutTargets", target(json!({"Input": "{"})), "ValidationException", "JSON syntax error").await;
    check(
        "PutTargets",
        target(json!({"InputTransformer": {"InputTemplate": "<x>"}})),
        "ValidationException",
        "invalid placeholder x",
    )
    .await;
    check(
        "PutTargets",
        target(json!({"RetryPolicy": {"MaximumRetryAttempts": 186}})),
        "ValidationException",
        "RetryPolicy",
    )
    .await;
    check("PutEvents", json!({"Entries": []}), "ValidationException", "greater than or equal to 1").await;
    let huge =
        json!({"Source": "s", "DetailType": "t", "Detail": format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024))});
    check("PutEvents", json!({"Entries": [huge]}), "ValidationException", "over the limit").await;
    check(
        "TestEventPattern",
        json!({"EventPattern": "[]", "Event": "{}"}),
        "InvalidEventPatternException",
        "Filter is not an object",
    )
    .await;
}

#[tokio::test]
async fn the_template_takes_back_only_its_own_rules() {
    let home = Home::new();
    let spec = |name: &str| RuleSpec {
        name: name.into(),
        pattern: r#"{"a": [1]}"#.into(),
        targets: vec![TargetSpec { id: "t".into(), arn: FUNCTION.into(), ..TargetSpec::default() }],
        ..RuleSpec::default()
    };
    ok(&home, "PutRule", json!({"Name": "by-hand", "EventPattern": r#"{"a": [1]}"#})).await;
    home.events.define_rule(&spec("kept")).unwrap();
    home.events.define_rule(&spec("renamed")).unwrap();
    let home = home.reopen();
    home.events.define_rule(&spec("kept")).unwrap();
    home.events.forget_rules_except(&[("default", "kept")]).unwrap();
    let rules = ok(&home, "ListRules", json!({})).await;
    let names: Vec<_> = rules["Rules"].as_array().unwrap().iter().map(|rule| rule["Name"].clone()).collect();
    assert_eq!(names, ["by-hand", "kept"]);
}
