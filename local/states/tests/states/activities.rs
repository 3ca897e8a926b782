//! Activities and their workers.

use serde_json::{Value, json};

use crate::support::{Home, one};

async fn activity(home: &Home) -> String {
    home.ok("CreateActivity", json!({"name": "review"})).await["activityArn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_worker_takes_a_task_and_answers() {
    let home = Home::new();
    let activity = activity(&home).await;
    let machine = home.machine("reviews", one(json!({"Type": "Task", "Resource": activity}))).await;
    let arn = home.begin(&machine, json!({"n": 1})).await;
    let taken = home.ok("GetActivityTask", json!({"activityArn": activity, "workerName": "ann"})).await;
    assert_eq!(taken["input"], "{\"n\":1}");
    assert_eq!(home.event(&arn, "ActivityStarted").await["activityStartedEventDetails"], json!({"workerName": "ann"}));
    home.ok("SendTaskSuccess", json!({"taskToken": taken["taskToken"], "output": "\"fine\""})).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "\"fine\"");
}

#[tokio::test]
async fn waiting_workers_get_one_task_each() {
    let home = std::sync::Arc::new(Home::new());
    let activity = activity(&home).await;
    let machine = home.machine("reviews", one(json!({"Type": "Task", "Resource": activity}))).await;
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let (home, activity) = (std::sync::Arc::clone(&home), activity.clone());
            tokio::spawn(async move { home.ok("GetActivityTask", json!({"activityArn": activity})).await })
        })
        .collect();
    for n in 0..3 {
        home.begin(&machine, json!(n)).await;
    }
    let mut inputs: Vec<String> = Vec::new();
    for worker in workers {
        let taken: Value = worker.await.unwrap();
        inputs.push(taken["input"].as_str().unwrap().to_owned());
    }
    inputs.sort();
    assert_eq!(inputs, ["0", "1", "2"]);
}

#[tokio::test]
async fn activities_are_listed_described_and_deleted() {
    let home = Home::new();
    let arn = activity(&home).await;
    assert_eq!(home.ok("CreateActivity", json!({"name": "review"})).await["activityArn"], arn.as_str());
    let found = home.ok("DescribeActivity", json!({"activityArn": arn})).await;
    assert_eq!(found, json!({"activityArn": arn, "name": "review", "creationDate": 1_750_000_000.0}));
    assert_eq!(home.ok("ListActivities", json!({})).await["activities"], json!([found]));
    home.ok("DeleteActivity", json!({"activityArn": arn})).await;
    let missing = ("ActivityDoesNotExist".to_owned(), format!("Activity Does Not Exist: '{arn}'"));
    assert_eq!(home.err("DescribeActivity", json!({"activityArn": arn})).await, missing);
    assert_eq!(home.err("GetActivityTask", json!({"activityArn": arn})).await, missing);
}
