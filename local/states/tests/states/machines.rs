//! State machines, versions, aliases, tags and validation.

use serde_json::{Value, json};
use vodline_asl::ExecutionKind;
use vodline_states::MachineSpec;

use crate::support::{Home, ROLE, one};

fn result(value: &str) -> Value {
    one(json!({"Type": "Pass", "Result": value}))
}

#[tokio::test]
async fn creating_twice_is_creating_once() {
    let home = Home::new();
    let input = json!({"name": "m", "definition": result("a").to_string(), "roleArn": ROLE});
    let first = home.ok("CreateStateMachine", input.clone()).await;
    home.pass(9);
    assert_eq!(home.ok("CreateStateMachine", input).await, first);
    let other = json!({"name": "m", "definition": result("b").to_string(), "roleArn": ROLE});
    let arn = first["stateMachineArn"].as_str().unwrap();
    let taken = ("StateMachineAlreadyExists".to_owned(), format!("State Machine Already Exists: '{arn}'"));
    assert_eq!(home.err("CreateStateMachine", other).await, taken);
    let found = home.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!(found["definition"], result("a").to_string());
    assert_eq!((&found["status"], &found["type"]), (&json!("ACTIVE"), &json!("STANDARD")));
    assert_eq!(found["loggingConfiguration"], json!({"level": "OFF", "includeExecutionData": false}));
    assert_eq!(found["tracingConfiguration"], json!({"enabled": false}));
    let listed = home.ok("ListStateMachines", json!({})).await;
    assert_eq!(listed["stateMachines"][0]["stateMachineArn"], arn);
}

#[tokio::test]
async fn what_cannot_be_created_says_why() {
    let home = Home::new();
    let definition = result("a").to_string();
    let check = async |input: Value, code: &str| {
        assert_eq!(home.err("CreateStateMachine", input.clone()).await.0, code, "{input}");
    };
    check(json!({"definition": definition, "roleArn": ROLE}), "ValidationException").await;
    check(json!({"name": "a b", "definition": definition, "roleArn": ROLE}), "InvalidName").await;
    check(json!({"name": "m", "definition": definition, "roleArn": "me"}), "InvalidArn").await;
    check(json!({"name": "m", "definition": "{}", "roleArn": ROLE}), "InvalidDefinition").await;
    check(json!({"name": "m", "definition": "no", "roleArn": ROLE}), "InvalidDefinition").await;
    let traced =
        json!({"name": "m", "definition": definition, "roleArn": ROLE, "tracingConfiguration": {"enabled": true}});
    check(traced, "NotImplemented").await;
    check(
        json!({"name": "m", "definition": definition, "roleArn": ROLE, "versionDescription": "x"}),
        "ValidationException",
    )
    .await;
}

#[tokio::test]
async fn a_running_execution_keeps_the_definition_it_began_with() {
    let home = Home::new();
    let definition = |value: &str| {
        json!({
            "StartAt": "Wait",
            "States": {
                "Wait": {"Type": "Wait", "Seconds": 10, "Next": "Say"},
                "Say": {"Type": "Pass", "Result": value, "End": true},
            },
        })
    };
    let arn = home.machine("m", definition("old")).await;
    let old = home.begin(&arn, json!({})).await;
    let update = json!({"stateMachineArn": arn, "definition": definition("new").to_string()});
    let updated = home.ok("UpdateStateMachine", update).await;
    assert!(updated["revisionId"].is_string());
    let new = home.begin(&arn, json!({})).await;
    home.pass(10);
    assert_eq!(home.until(&old, "SUCCEEDED").await["output"], "\"old\"");
    assert_eq!(home.until(&new, "SUCCEEDED").await["output"], "\"new\"");
    let of_old = home.ok("DescribeStateMachineForExecution", json!({"executionArn": old})).await;
    assert_eq!(of_old["definition"], definition("old").to_string());
    assert_eq!(home.err("UpdateStateMachine", json!({"stateMachineArn": arn})).await.0, "MissingRequiredParameter");
}

#[tokio::test]
async fn versions_and_aliases_route_executions() {
    let home = Home::new();
    let arn = home.machine("m", result("one")).await;
    let publish = json!({"stateMachineArn": arn});
    let first = home.ok("PublishStateMachineVersion", publish.clone()).await;
    assert_eq!(first["stateMachineVersionArn"], format!("{arn}:1"));
    // The same revision is the same version.
    assert_eq!(home.ok("PublishStateMachineVersion", publish.clone()).await, first);
    home.ok("UpdateStateMachine", json!({"stateMachineArn": arn, "definition": result("two").to_string()})).await;
    let stale = json!({"stateMachineArn": arn, "revisionId": "INITIAL"});
    assert_eq!(home.err("PublishStateMachineVersion", stale).await.0, "ConflictException");
    home.ok("PublishStateMachineVersion", publish).await;

    let route = |one: u32, two: u32| {
        json!([
            {"stateMachineVersionArn": format!("{arn}:1"), "weight": one},
            {"stateMachineVersionArn": format!("{arn}:2"), "weight": two},
        ])
    };
    let create = json!({"name": "live", "routingConfiguration": route(100, 0)});
    let alias =
        home.ok("CreateStateMachineAlias", create.clone()).await["stateMachineAliasArn"].as_str().unwrap().to_owned();
    assert_eq!(alias, format!("{arn}:live"));
    home.ok("CreateStateMachineAlias", create).await;
    let execution = home.begin(&alias, json!({})).await;
    let found = home.until(&execution, "SUCCEEDED").await;
    assert_eq!(found["output"], "\"one\"");
    assert_eq!(found["stateMachineAliasArn"], alias);
    assert_eq!(found["stateMachineVersionArn"], format!("{arn}:1"));

    home.ok("UpdateStateMachineAlias", json!({"stateMachineAliasArn": alias, "routingConfiguration": route(0, 100)}))
        .await;
    let execution = home.begin(&alias, json!({})).await;
    assert_eq!(home.until(&execution, "SUCCEEDED").await["output"], "\"two\"");
    let by_version = home.ok("ListExecutions", json!({"stateMachineArn": format!("{arn}:2")})).await;
    assert_eq!(by_version["executions"].as_array().unwrap().len(), 1);
    let by_alias = home.ok("ListExecutions", json!({"stateMachineArn": alias})).await;
    assert_eq!(by_alias["executions"].as_array().unwrap().len(), 2);

    let used = home.err("DeleteStateMachineVersion", json!({"stateMachineVersionArn": format!("{arn}:2")})).await;
    assert_eq!(used.0, "ConflictException");
    assert!(used.1.contains("[live]"), "{}", used.1);
    let aliases = home.ok("ListStateMachineAliases", json!({"stateMachineArn": arn})).await;
    assert_eq!(aliases["stateMachineAliases"][0]["stateMachineAliasArn"], alias);
    home.ok("DeleteStateMachineAlias", json!({"stateMachineAliasArn": alias})).await;
    assert_eq!(
        home.err("DescribeStateMachineAlias", json!({"stateMachineAliasArn": alias})).await.0,
        "ResourceNotFound"
    );
    home.ok("DeleteStateMachineVersion", json!({"stateMachineVersionArn": format!("{arn}:2")})).await;
    let versions = home.ok("ListStateMachineVersions", json!({"stateMachineArn": arn})).await;
    assert_eq!(versions["stateMachineVersions"].as_array().unwrap().len(), 1);
    let wrong = json!({"name": "x", "routingConfiguration": route(50, 40)});
    assert_eq!(home.err("CreateStateMachineAlias", wrong).await.0, "ValidationException");
}

#[tokio::test]
async fn a_deleted_machine_goes_with_its_last_execution() {
    let home = Home::new();
    let arn = home.machine("m", one(json!({"Type": "Wait", "Seconds": 10}))).await;
    let execution = home.begin(&arn, json!({})).await;
    home.ok("DeleteStateMachine", json!({"stateMachineArn": arn})).await;
    let found = home.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!(found["status"], "DELETING");
    assert_eq!(home.err("StartExecution", json!({"stateMachineArn": arn})).await.0, "StateMachineDeleting");
    home.pass(10);
    home.until(&execution, "SUCCEEDED").await;
    assert_eq!(home.err("DescribeStateMachine", json!({"stateMachineArn": arn})).await.0, "StateMachineDoesNotExist");
    assert_eq!(home.err("DescribeExecution", json!({"executionArn": execution})).await.0, "ExecutionDoesNotExist");
}

#[tokio::test]
async fn the_template_defines_a_machine_again_without_an_update() {
    let mut home = Home::new();
    let spec = |value: &str| MachineSpec {
        name: "publish".to_owned(),
        definition: result(value).to_string(),
        role_arn: ROLE.to_owned(),
        kind: ExecutionKind::Standard,
        tags: vec![("app".to_owned(), "vodline".to_owned())],
        auto_publish_alias: Some("live".to_owned()),
    };
    let arn = home.states().define_state_machine(&spec("a")).unwrap();
    let describe = json!({"stateMachineArn": arn});
    let before = home.ok("DescribeStateMachine", describe.clone()).await;
    home.restart().await;
    home.pass(5);
    assert_eq!(home.states().define_state_machine(&spec("a")).unwrap(), arn);
    assert_eq!(home.ok("DescribeStateMachine", describe.clone()).await, before);
    home.states().define_state_machine(&spec("b")).unwrap();
    assert!(home.ok("DescribeStateMachine", describe).await["revisionId"].is_string());
    let execution = home.begin(&format!("{arn}:live"), json!({})).await;
    assert_eq!(home.until(&execution, "SUCCEEDED").await["output"], "\"b\"");
    let tags = home.ok("ListTagsForResource", json!({"resourceArn": arn})).await;
    assert_eq!(tags, json!({"tags": [{"key": "app", "value": "vodline"}]}));
}

#[tokio::test]
async fn tags_are_kept() {
    let home = Home::new();
    let arn = home.machine("m", result("a")).await;
    let tags = json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]);
    home.ok("TagResource", json!({"resourceArn": arn, "tags": tags})).await;
    home.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a", "none"]})).await;
    let found = home.ok("ListTagsForResource", json!({"resourceArn": arn})).await;
    assert_eq!(found, json!({"tags": [{"key": "b", "value": "2"}]}));
    let many: Vec<Value> = (0..50).map(|n| json!({"key": n.to_string(), "value": ""})).collect();
    assert_eq!(home.err("TagResource", json!({"resourceArn": arn, "tags": many})).await.0, "TooManyTags");
    assert_eq!(home.ok("ListTagsForResource", json!({"resourceArn": arn})).await, found);
    assert_eq!(home.err("ListTagsForResource", json!({"resourceArn": format!("{arn}2")})).await.0, "ResourceNotFound");
}

#[tokio::test]
async fn a_definition_is_validated_without_creating_it() {
    let home = Home::new();
    let good = home.ok("ValidateStateMachineDefinition", json!({"definition": result("a").to_string()})).await;
    assert_eq!(good, json!({"result": "OK", "diagnostics": [], "truncated": false}));
    let bad = home.ok("ValidateStateMachineDefinition", json!({"definition": "{}"})).await;
    assert_eq!(bad["result"], "FAIL");
    assert_eq!(bad["diagnostics"][0]["severity"], "ERROR");
}

/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html>.
#[tokio::test]
async fn a_machine_tells_which_variables_its_states_refer_to() {
    let home = Home::new();
    let definition = json!({
        "StartAt": "Set",
        "States": {
            "Set": {"Type": "Pass", "Assign": {"a": 1, "list": [1]}, "Next": "Path"},
            "Path": {
                "Type": "Pass", "Parameters": {"x.$": "$a", "y.$": "States.Format('{}', $b.c)", "z.$": "$.d"}, "Next": "Choose",
            },
            "Choose": {
                "Type": "Choice",
                "Choices": [{"And": [{"Variable": "$a", "NumericEqualsPath": "$c"}], "Next": "Each", "Assign": {"d.$": "$e"}}],
                "Default": "Each",
            },
            "Each": {
                "Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $list %}", "MaxConcurrency": "{% $most %}",
                "ItemProcessor": {"StartAt": "Inner", "States": {"Inner": {
                    "Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $map($list, $string) %}", "End": true,
                }}},
                "End": true,
            },
        },
    });
    let arn = home.machine("refers", definition).await;
    let found = home.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    let expected = json!({
        "Path": ["a", "b"], "Choose": ["a", "c", "e"], "Each": ["list", "most"], "Inner": ["list"],
    });
    assert_eq!(found["variableReferences"], expected);
    let metadata =
        home.ok("DescribeStateMachine", json!({"stateMachineArn": arn, "includedData": "METADATA_ONLY"})).await;
    assert_eq!(metadata.get("variableReferences"), None);
    let plain = home.machine("plain", one(json!({"Type": "Pass"}))).await;
    assert_eq!(
        home.ok("DescribeStateMachine", json!({"stateMachineArn": plain})).await.get("variableReferences"),
        None
    );
}
