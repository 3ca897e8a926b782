#![expect(clippy::unwrap_used, reason = "a test may panic")]
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{QueueSettings, QueueSpec};
use crate::testing::{Home, call};

fn home() -> Home {
    let home = Home::new();
    home.queues.define_queue(&QueueSpec { name: "q".into(), settings: QueueSettings::default() }).unwrap();
    home
}

async fn refused(home: &Home, operation: &str, body: Value) -> String {
    call(&*home.queues, operation, body).await.unwrap_err().code
}

#[tokio::test]
async fn a_message_is_received_hidden_shown_again_and_deleted() {
    let home = home();
    let url = call(&*home.queues, "GetQueueUrl", json!({"QueueName": "q"})).await.unwrap()["QueueUrl"].clone();
    assert_eq!(url, "http://127.0.0.1:4566/000000000000/q");
    let attributes =
        json!({"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": "AQI="}});
    let message = json!({"QueueUrl": url, "MessageBody": "hello", "MessageAttributes": attributes});
    let sent = call(&*home.queues, "SendMessage", message).await.unwrap();
    // As boto3 computes them.
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let receive = async || {
        let body = json!({"QueueUrl": url, "MessageAttributeNames": ["n"], "MessageSystemAttributeNames": ["All"]});
        call(&*home.queues, "ReceiveMessage", body).await.unwrap()["Messages"].clone()
    };
    let first = receive().await;
    assert_eq!(first[0]["Body"], "hello");
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(first[0]["MessageAttributes"], json!({"n": {"DataType": "Number", "StringValue": "1"}}));
    assert_eq!(receive().await, Value::Null);
    home.clock.advance(SignedDuration::from_secs(30));
    let second = receive().await;
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    let delete = json!({"QueueUrl": url, "ReceiptHandle": second[0]["ReceiptHandle"]});
    call(&*home.queues, "DeleteMessage", delete).await.unwrap();
    home.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(receive().await, Value::Null);
}

#[tokio::test]
async fn messages_survive_a_restart_and_end_with_the_retention() {
    let home = home();
    call(&*home.queues, "SendMessage", json!({"QueueUrl": "q", "MessageBody": "a"})).await.unwrap();
    let home = home.reopen();
    let count = async || {
        let body = json!({"QueueUrl": "q", "AttributeNames": ["ApproximateNumberOfMessages"]});
        call(&*home.queues, "GetQueueAttributes", body).await.unwrap()["Attributes"].clone()
    };
    assert_eq!(count().await, json!({"ApproximateNumberOfMessages": "1"}));
    home.clock.advance(SignedDuration::from_hours(4 * 24 + 1));
    assert_eq!(count().await, json!({"ApproximateNumberOfMessages": "0"}));
}

#[tokio::test]
async fn a_waiting_receiver_gets_what_arrives() {
    let home = home();
    let receiving = call(&*home.queues, "ReceiveMessage", json!({"QueueUrl": "q", "WaitTimeSeconds": 20}));
    let sending = async {
        tokio::task::yield_now().await;
        call(&*home.queues, "SendMessage", json!({"QueueUrl": "q", "MessageBody": "a"})).await.unwrap();
    };
    let (received, ()) = tokio::join!(receiving, sending);
    assert_eq!(received.unwrap()["Messages"][0]["Body"], "a");
}

#[tokio::test]
async fn refuses_by_name() {
    let home = home();
    let check = async |operation: &str, body: Value, code: &str| {
        assert_eq!(refused(&home, operation, body.clone()).await, code, "{operation} {body}");
    };
    check("DeleteQueue", json!({"QueueUrl": "q"}), "NotImplemented").await;
    check("CreateQueue", json!({"QueueName": "a.fifo"}), "NotImplemented").await;
    check("CreateQueue", json!({"QueueName": "a b"}), "InvalidParameterValue").await;
    check("CreateQueue", json!({"QueueName": "a", "Attributes": {"KmsMasterKeyId": "k"}}), "NotImplemented").await;
    check("CreateQueue", json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "1"}}), "QueueNameExists").await;
    check("CreateQueue", json!({"QueueName": "a", "tags": {}}), "SerializationException").await;
    check("SendMessage", json!({"QueueUrl": "none", "MessageBody": "a"}), "QueueDoesNotExist").await;
    check("SendMessage", json!({"QueueUrl": "q", "MessageBody": ""}), "MissingParameter").await;
    check("SendMessage", json!({"QueueUrl": "q", "MessageBody": "\u{0}"}), "InvalidMessageContents").await;
    check("SendMessage", json!({"QueueUrl": "q", "MessageBody": "a", "MessageGroupId": "g"}), "SerializationException")
        .await;
    check("ReceiveMessage", json!({"QueueUrl": "q", "MaxNumberOfMessages": 11}), "InvalidParameterValue").await;
    check("DeleteMessage", json!({"QueueUrl": "q", "ReceiptHandle": "x"}), "ReceiptHandleIsInvalid").await;
}
