//! Nothing is lost: failed runs are redriven, and a killed home goes on.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use vodline_tests::{Home, clips, root, text, until};

#[test]
fn a_failed_run_is_redriven_from_the_state_that_failed() {
    let home = Home::start();
    let bucket = home.output("MediaBucket");
    let aws = |arguments: &[&str]| {
        let output = stock_aws(&home).args(arguments).output().unwrap();
        assert!(output.status.success(), "aws {arguments:?}: {}", text(&output));
    };
    let watermark = format!("s3://{bucket}/assets/watermark.png");
    aws(&["s3", "rm", &watermark]);
    let row = home.upload(&clips::tiny(), &[]);
    assert_eq!((&row["status"], &row["error"]["code"]), (&"FAILED".into(), &"Vod.TranscodeFailed".into()), "{row:#}");
    assert_eq!(row["error"]["state"], "StartJob");
    let id = row["videoId"].as_str().unwrap();

    aws(&["s3", "cp", root().join("assets/watermark.png").to_str().unwrap(), &watermark]);
    let redriven = home.vodline(&["redrive", id]).output().unwrap();
    assert!(redriven.status.success(), "{}", text(&redriven));
    let row = home.row(id).unwrap();
    assert_eq!(row["status"], "READY", "{row:#}");
    assert_eq!(row["error"], serde_json::Value::Null);
    // What had succeeded was not run again.
    let run = home.print(&["run", id]);
    assert_eq!(run.lines().filter(|line| line.starts_with("ProbeSource")).count(), 1, "{run}");
    assert!(run.contains("redriven 1 times"), "{run}");
}

#[test]
fn an_overwritten_upload_is_not_published_until_it_is_what_it_was() {
    let home = Home::start();
    let upload = |file: &std::path::Path, wait: &str| {
        let output = home.vodline(&["upload", wait, "--key", "same.mp4"]).arg(file).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let older = upload(&clips::short(), "--no-wait");
    let newer: serde_json::Value = serde_json::from_str(&upload(&clips::tiny(), "--json")).unwrap();
    assert_eq!(newer["status"], "READY", "{newer:#}");
    let row = until("the run has ended", || home.row(&older).filter(|row| row["status"] != "PROCESSING"));
    assert_eq!(
        (&row["error"]["code"], &row["error"]["state"]),
        (&"Vod.SourceUnavailable".into(), &"RecordCatalog".into())
    );

    let (bucket, version) = (home.output("UploadBucket"), newer["source"]["versionId"].as_str().unwrap());
    let delete = ["s3api", "delete-object", "--bucket", &bucket, "--key", "same.mp4", "--version-id", version];
    let deleted = stock_aws(&home).args(delete).output().unwrap();
    assert!(deleted.status.success(), "{}", text(&deleted));
    let redriven = home.vodline(&["redrive", &older]).output().unwrap();
    assert!(redriven.status.success(), "{}", text(&redriven));
    let row = home.row(&older).unwrap();
    assert_eq!((&row["status"], &row["error"]), (&"READY".into(), &serde_json::Value::Null), "{row:#}");
    // The row was told of the redrive, though the state that went on does not do so.
    until("the redrive is noticed", || {
        let log = home.print(&["logs", "record-run-status"]);
        log.contains("REPORT").then_some(()).filter(|()| log.matches("REPORT RequestId").count() >= 2)
    });
}

#[test]
fn a_home_killed_in_the_middle_of_a_transcode_goes_on() {
    let home = Home::start();
    let id = home.upload_only(&clips::long());
    until("the transcode is under way", || {
        let row = home.row(&id)?;
        row["progress"]["percent"].as_u64().filter(|percent| (5..95).contains(percent))
    });
    let home = home.kill_and_restart();
    let row = until("the video is READY", || home.row(&id).filter(|row| row["status"] != "PROCESSING"));
    assert_eq!(row["status"], "READY", "{row:#}");
}

/// The AWS CLI, pointed at the home. `cargo xtask test` installs it and says where.
fn stock_aws(home: &Home) -> std::process::Command {
    let mut command = std::process::Command::new(match std::env::var_os("VODLINE_AWS_BIN") {
        Some(bin) => std::path::PathBuf::from(bin).join("aws"),
        None => "aws".into(),
    });
    command.envs(vodline_tests::client_environment(home));
    command
}
