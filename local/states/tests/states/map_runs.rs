//! Distributed Map.

use serde_json::{Value, json};

use crate::support::{Home, assert_well_formed, function_task, one};

fn map(state: Value, more: Value) -> Value {
    let mut state = state;
    state["End"] = json!(true);
    let mut map = json!({
        "Type": "Map",
        "Label": "Items",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Each",
            "States": {"Each": state},
        },
    });
    for (key, value) in more.as_object().unwrap() {
        map[key] = value.clone();
    }
    one(map)
}

#[tokio::test]
async fn each_item_is_an_execution() {
    let home = Home::new();
    let machine = home.machine("spread", map(function_task("f"), json!({"MaxConcurrency": 2}))).await;
    let arn = home.begin(&machine, json!([1, 2, 3])).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "[1,2,3]");
    let history = home.history(&arn).await;
    assert_well_formed(&history);
    let run = home.event(&arn, "MapRunStarted").await["mapRunStartedEventDetails"]["mapRunArn"].clone();
    let found = home.ok("DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!((&found["status"], &found["executionArn"]), (&json!("SUCCEEDED"), &json!(arn)));
    assert_eq!((&found["itemCounts"]["succeeded"], &found["maxConcurrency"]), (&json!(3), &json!(2)));
    let runs = home.ok("ListMapRuns", json!({"executionArn": arn})).await;
    assert_eq!(runs["mapRuns"][0]["mapRunArn"], run);
    let children = home.ok("ListExecutions", json!({"mapRunArn": run})).await;
    assert_eq!(children["executions"].as_array().unwrap().len(), 3);
    let own = home.ok("ListExecutions", json!({"stateMachineArn": machine})).await;
    assert_eq!(own["executions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn items_come_from_listings_csv_and_json_and_results_go_to_a_bucket() {
    let home = Home::new();
    home.objects.put("in", "list/a.mp4", "aa");
    home.objects.put("in", "list/b.mp4", "bbb");
    home.objects.put("in", "items.csv", "name,size\nx,1\ny,2\n");
    home.objects.put("in", "items.json", "[{\"n\":1},{\"n\":2}]");
    home.objects.put("in", "items.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    let check = async |name: &str, reader: Value, expected: Value| {
        let more = json!({"ItemReader": reader});
        let machine = home.machine(name, map(json!({"Type": "Pass"}), more)).await;
        let arn = home.begin(&machine, json!({})).await;
        let output = home.until(&arn, "SUCCEEDED").await["output"].clone();
        let output: Value = serde_json::from_str(output.as_str().unwrap()).unwrap();
        assert_eq!(output, expected, "{name}");
    };
    let get = |kind: &str, key: &str| {
        json!({
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": kind},
            "Parameters": {"Bucket": "in", "Key": key},
        })
    };
    let mut csv = get("CSV", "items.csv");
    csv["ReaderConfig"]["CSVHeaderLocation"] = json!("FIRST_ROW");
    check("csv", csv, json!([{"name": "x", "size": "1"}, {"name": "y", "size": "2"}])).await;
    check("json", get("JSON", "items.json"), json!([{"n": 1}, {"n": 2}])).await;
    check("jsonl", get("JSONL", "items.jsonl"), json!([{"n": 1}, {"n": 2}])).await;
    let object = |key: &str, size: u32| json!({"Etag": "\"etag\"", "Key": key, "LastModified": 1_700_000_000, "Size": size, "StorageClass": "STANDARD"});
    let list = json!({
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": "in", "Prefix": "list/"},
    });
    check("listing", list, json!([object("list/a.mp4", 2), object("list/b.mp4", 3)])).await;

    let more = json!({"ResultWriter": {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out", "Prefix": "results"},
    }});
    let machine = home.machine("writes", map(json!({"Type": "Pass"}), more)).await;
    let arn = home.begin(&machine, json!([1, 2])).await;
    let output = home.until(&arn, "SUCCEEDED").await["output"].clone();
    let output: Value = serde_json::from_str(output.as_str().unwrap()).unwrap();
    let key = output["ResultWriterDetails"]["Key"].as_str().unwrap();
    let manifest: Value = serde_json::from_str(&home.objects.read("out", key)).unwrap();
    assert_eq!(manifest["ResultFiles"]["FAILED"], json!([]));
    let file = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"].as_str().unwrap();
    let records: Value = serde_json::from_str(&home.objects.read("out", file)).unwrap();
    assert_eq!((&records[0]["Output"], &records[1]["Output"]), (&json!("1"), &json!("2")));
}

#[tokio::test]
async fn items_come_from_inventories_athena_results_and_whole_folders() {
    let home = Home::new();
    home.objects.put("in", "list/a.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    home.objects.put("in", "list/b.jsonl", "{\"n\":3}\n");
    let rows = "\"in\",\"a%20b.mp4\",\"3\"\n\"in\",\"c.mp4\",\"4\"\n";
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, rows.as_bytes()).unwrap();
    home.objects.put("in", "rows.csv.gz", zipped.finish().unwrap());
    home.objects.put("in", "athena.csv", "s3://in/list/a.jsonl\ns3://in/list/b.jsonl\n");
    let inventory = |format: &str| {
        json!({
            "sourceBucket": "videos", "destinationBucket": "arn:aws:s3:::in", "version": "2016-11-30",
            "creationTimestamp": "1700000000000", "fileFormat": format, "fileSchema": "Bucket, Key, Size",
            "files": [{"key": "rows.csv.gz", "size": 1, "MD5checksum": "0"}],
        })
    };
    home.objects.put("in", "manifest.json", inventory("CSV").to_string());
    home.objects.put("in", "orc.json", inventory("ORC").to_string());
    let number = std::cell::Cell::new(0);
    let check = async |reader: Value, expected: Result<Value, &str>| {
        number.set(number.get() + 1);
        let name = format!("reads-{}", number.get());
        let machine = home.machine(&name, map(json!({"Type": "Pass"}), json!({"ItemReader": reader}))).await;
        let arn = home.begin(&machine, json!({})).await;
        match expected {
            Ok(expected) => {
                let output = home.until(&arn, "SUCCEEDED").await["output"].clone();
                assert_eq!(serde_json::from_str::<Value>(output.as_str().unwrap()).unwrap(), expected, "{reader}");
            }
            Err(cause) => {
                let found = home.until(&arn, "FAILED").await;
                assert_eq!((&found["error"], &found["cause"]), (&json!("States.ItemReaderFailed"), &json!(cause)));
            }
        }
    };
    let get = |config: Value, key: &str| {
        json!({
            "Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config,
            "Parameters": {"Bucket": "in", "Key": key},
        })
    };
    let rows = json!([
        {"Bucket": "in", "Key": "a%20b.mp4", "Size": "3"},
        {"Bucket": "in", "Key": "c.mp4", "Size": "4"},
    ]);
    check(get(json!({"InputType": "MANIFEST"}), "manifest.json"), Ok(rows.clone())).await;
    check(get(json!({"ManifestType": "S3_INVENTORY"}), "manifest.json"), Ok(rows)).await;
    let orc = "the local home does not support inventories in ORC";
    check(get(json!({"InputType": "MANIFEST"}), "orc.json"), Err(orc)).await;
    let athena = json!({"ManifestType": "ATHENA_DATA", "InputType": "JSONL", "MaxItems": 2});
    check(get(athena, "athena.csv"), Ok(json!([{"n": 1}, {"n": 2}]))).await;
    let parquet = "the local home does not support InputType PARQUET";
    check(get(json!({"InputType": "PARQUET"}), "rows.csv.gz"), Err(parquet)).await;
    let flatten = json!({
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "ReaderConfig": {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"},
        "Parameters": {"Bucket": "in", "Prefix": "list/"},
    });
    check(flatten, Ok(json!([{"n": 1}, {"n": 2}, {"n": 3}]))).await;
}

#[tokio::test]
async fn executions_of_a_run_tell_how_many_items_they_were_given() {
    let home = Home::new();
    let more = json!({"ItemBatcher": {"MaxItemsPerBatch": 2}});
    let machine = home.machine("batches", map(json!({"Type": "Pass"}), more)).await;
    let arn = home.begin(&machine, json!([1, 2, 3])).await;
    home.until(&arn, "SUCCEEDED").await;
    let run = home.event(&arn, "MapRunStarted").await["mapRunStartedEventDetails"]["mapRunArn"].clone();
    let children = home.ok("ListExecutions", json!({"mapRunArn": run})).await;
    let counts: Vec<_> = children["executions"].as_array().unwrap().iter().map(|child| &child["itemCount"]).collect();
    assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 3);
    assert_eq!(counts.len(), 2);
    let own = home.ok("ListExecutions", json!({"stateMachineArn": machine})).await;
    assert_eq!(own["executions"][0].get("itemCount"), None);
}

#[tokio::test]
async fn a_missing_file_fails_the_map() {
    let home = Home::new();
    let reader = json!({
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "in", "Key": "none"},
    });
    let machine = home.machine("m", map(json!({"Type": "Pass"}), json!({"ItemReader": reader}))).await;
    let arn = home.begin(&machine, json!({})).await;
    assert_eq!(home.until(&arn, "FAILED").await["error"], "States.ItemReaderFailed");
}

#[tokio::test]
async fn only_failed_items_are_redriven() {
    let home = Home::new();
    home.functions(|_, input| {
        Some(if input == json!(2) { Err(json!({"errorType": "Odd", "errorMessage": "two"})) } else { Ok(input) })
    });
    // One at a time, so that the failure of the second leaves the first done and the third not begun.
    let machine = home.machine("spread", map(function_task("f"), json!({"MaxConcurrency": 1}))).await;
    let arn = home.begin(&machine, json!([1, 2, 3])).await;
    let found = home.until(&arn, "FAILED").await;
    assert_eq!(found["error"], "States.ExceedToleratedFailureThreshold");
    assert_eq!((home.called().await.1, home.called().await.1), (json!(1), json!(2)));
    home.functions(|_, input| Some(Ok(input)));
    home.pass(1);
    home.ok("RedriveExecution", json!({"executionArn": arn})).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "[1,2,3]");
    assert_eq!((home.called().await.1, home.called().await.1), (json!(2), json!(3)));
    home.nothing_called().await;
    let history = home.history(&arn).await;
    assert_well_formed(&history);
    assert!(history.iter().any(|event| event["type"] == "MapRunRedriven"));
}

#[tokio::test]
async fn a_map_run_outlives_a_crash() {
    let mut home = Home::new();
    home.functions(|_, input| if input == json!(2) { None } else { Some(Ok(input)) });
    let machine = home.machine("spread", map(function_task("f"), json!({}))).await;
    let arn = home.begin(&machine, json!([1, 2, 3])).await;
    for _ in 0..3 {
        home.called().await;
    }
    home.crash().await;
    home.functions(|_, input| Some(Ok(input)));
    home.start();
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "[1,2,3]");
    assert_well_formed(&home.history(&arn).await);
}

/// "When you redrive a Map Run, the Express child workflows are rerun using the StartExecution API action."
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html>.
#[tokio::test]
async fn express_children_are_started_anew() {
    let home = Home::new();
    home.functions(|_, input| {
        Some(if input == json!(2) { Err(json!({"errorType": "Odd", "errorMessage": "two"})) } else { Ok(input) })
    });
    let mut definition = map(function_task("f"), json!({"MaxConcurrency": 1}));
    definition["States"]["Only"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!("EXPRESS");
    let machine = home.machine("spread", definition).await;
    let arn = home.begin(&machine, json!([1, 2])).await;
    home.until(&arn, "FAILED").await;
    home.functions(|_, input| Some(Ok(input)));
    home.pass(1);
    home.ok("RedriveExecution", json!({"executionArn": arn})).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "[1,2]");
    let calls = [home.called().await.1, home.called().await.1, home.called().await.1];
    assert_eq!(calls, [json!(1), json!(2), json!(2)], "the item that succeeded is not run again");
}

/// A run whose reader failed reads again once the cause is mended.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>.
#[tokio::test]
async fn a_run_that_could_not_read_its_items_reads_them_again() {
    let home = Home::new();
    let reader = json!({
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "in", "Key": "late.json"},
    });
    let machine = home.machine("m", map(json!({"Type": "Pass"}), json!({"ItemReader": reader}))).await;
    let arn = home.begin(&machine, json!({})).await;
    home.until(&arn, "FAILED").await;
    home.objects.put("in", "late.json", "[5]");
    home.pass(1);
    home.ok("RedriveExecution", json!({"executionArn": arn})).await;
    assert_eq!(home.until(&arn, "SUCCEEDED").await["output"], "[5]");
}

/// "To redrive a workflow that includes a Distributed Map state whose Map Run failed, you must redrive the parent workflow."
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html>.
#[tokio::test]
async fn a_child_is_redriven_by_its_run_only() {
    let home = Home::new();
    let machine = home.machine("m", map(json!({"Type": "Pass", "InputPath": "$.none"}), json!({}))).await;
    let arn = home.begin(&machine, json!([{}])).await;
    home.until(&arn, "FAILED").await;
    let run = home.event(&arn, "MapRunStarted").await["mapRunStartedEventDetails"]["mapRunArn"].clone();
    let children = home.ok("ListExecutions", json!({"mapRunArn": run})).await;
    let child = &children["executions"][0]["executionArn"];
    let found = home.ok("DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!((&found["status"], &found["redriveStatus"]), (&json!("FAILED"), &json!("REDRIVABLE_BY_MAP_RUN")));
    assert_eq!(home.err("RedriveExecution", json!({"executionArn": child})).await.0, "ExecutionNotRedrivable");
}
