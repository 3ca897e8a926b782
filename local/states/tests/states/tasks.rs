//! What Task states run, and how their errors read.

use serde_json::{Value, json};

use crate::support::{Home, ROLE, function_task, one};

async fn failed(home: &Home, name: &str, task: Value) -> (String, String) {
    let machine = home.machine(name, one(task)).await;
    let arn = home.begin(&machine, json!({})).await;
    let found = home.until(&arn, "FAILED").await;
    (found["error"].as_str().unwrap().to_owned(), found["cause"].as_str().unwrap().to_owned())
}

async fn output(home: &Home, name: &str, task: Value) -> Value {
    let machine = home.machine(name, one(task)).await;
    let arn = home.begin(&machine, json!({"id": "x"})).await;
    serde_json::from_str(home.until(&arn, "SUCCEEDED").await["output"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn functions_fail_with_their_own_error() {
    let home = Home::new();
    home.functions(|_, _| Some(Err(json!({"errorType": "Vod.UnsupportedSource", "errorMessage": "no video"}))));
    let (error, cause) = failed(&home, "by-arn", function_task("f")).await;
    assert_eq!(error, "Vod.UnsupportedSource");
    assert_eq!(cause, r#"{"errorType":"Vod.UnsupportedSource","errorMessage":"no video"}"#);
    home.functions(|_, _| Some(Err(json!({"refuse": "TooManyRequestsException"}))));
    assert_eq!(failed(&home, "throttled", function_task("f")).await.0, "Lambda.TooManyRequestsException");
}

#[tokio::test]
async fn a_role_that_may_not_invoke_cannot() {
    let home = Home::new();
    home.authorizer.denied.lock().unwrap().insert("lambda:InvokeFunction".to_owned());
    let (error, cause) = failed(&home, "denied", function_task("f")).await;
    assert_eq!(error, "Lambda.AWSLambdaException");
    assert!(cause.starts_with(&format!("User: {ROLE} is not authorized to perform: lambda:InvokeFunction")), "{cause}");
    home.nothing_called().await;
}

#[tokio::test]
async fn the_lambda_integration_answers_like_the_api() {
    let home = Home::new();
    let invoke = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "Payload": {"n": 1}},
    });
    let found = output(&home, "invoke", invoke).await;
    assert_eq!(found["Payload"], json!({"n": 1}));
    assert_eq!((&found["StatusCode"], &found["ExecutedVersion"]), (&json!(200), &json!("$LATEST")));
    assert_eq!(found["SdkHttpMetadata"]["HttpStatusCode"], 200);
    let event = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "InvocationType": "Event"},
    });
    let (error, cause) = failed(&home, "event", event).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("InvocationType=\"Event\""), "{cause}");
}

#[tokio::test]
async fn events_go_to_the_bus_with_who_sent_them() {
    let home = Home::new();
    let put = |entry: Value| {
        json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::events:putEvents",
            "Parameters": {"Entries": [entry]},
        })
    };
    let good = put(json!({"Source": "vodline", "DetailType": "VideoReady", "Detail": {"videoId": "v"}}));
    let found = output(&home, "tells", good).await;
    assert_eq!(found["FailedEntryCount"], 0);
    let event = home.events().into_iter().find(|event| event.source == "vodline").unwrap();
    assert_eq!(event.detail, json!({"videoId": "v"}));
    assert!(event.resources[0].ends_with(":stateMachine:tells"), "{:?}", event.resources);
    assert!(event.resources[1].contains(":execution:tells:"), "{:?}", event.resources);
    let (error, cause) = failed(&home, "no-source", put(json!({"DetailType": "x", "Detail": {}}))).await;
    assert_eq!(error, "EventBridge.FailedEntry");
    let cause: Value = serde_json::from_str(&cause).unwrap();
    assert_eq!(
        cause["Entries"][0]["ErrorMessage"],
        "Parameter Source is not valid. Reason: Source is a required argument."
    );
    let malformed = put(json!({"Source": "s", "DetailType": "x", "Detail": "\"text\""}));
    assert!(failed(&home, "malformed", malformed).await.1.contains("MalformedDetail"));
}

#[tokio::test]
async fn other_services_are_called_through_their_port() {
    let home = Home::new();
    let get = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Parameters": {"TableName": "t", "Key": {"id": {"S.$": "$.id"}}},
    });
    assert_eq!(output(&home, "gets", get).await["Item"], json!({"id": {"S": "x"}}));
    let secret = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:secretsmanager:getSecretValue",
        "Parameters": {"SecretId": "none"},
    });
    let (error, cause) = failed(&home, "secret", secret).await;
    assert_eq!(error, "SecretsManager.ResourceNotFoundException");
    assert!(cause.contains("(Service: SecretsManager, Status Code: 400,"), "{cause}");
}

#[tokio::test]
async fn what_the_home_does_not_serve_is_refused_when_created() {
    let home = Home::new();
    for resource in [
        "arn:aws:states:::aws-sdk:ec2:runInstances",
        "arn:aws:states:::sqs:sendMessage",
        "arn:aws:states:::mediaconvert:createJob.sync",
        "arn:aws:states:::dynamodb:putItem",
    ] {
        let definition = one(json!({"Type": "Task", "Resource": resource, "Parameters": {}})).to_string();
        let input = json!({"name": "m", "definition": definition, "roleArn": ROLE});
        let (code, message) = home.err("CreateStateMachine", input).await;
        assert_eq!(code, "InvalidDefinition");
        assert!(message.contains(&format!("The resource provided {resource} is not recognized")), "{message}");
        assert!(message.contains(" at /States/Only/Resource"), "{message}");
    }
}
