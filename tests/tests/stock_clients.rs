//! The home driven with clients that AWS ships: the AWS CLI and boto3.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{path::PathBuf, process::Command};

use vodline_tests::{Home, client_environment, clips, root, text};

#[test]
fn the_aws_cli_and_boto3_publish_a_video_and_see_how() {
    let home = Home::start();
    let bin = PathBuf::from(std::env::var_os("VODLINE_AWS_BIN").expect("cargo xtask test sets VODLINE_AWS_BIN"));
    let output = Command::new(bin.join("python"))
        .arg(root().join("tests/stock_clients.py"))
        .arg(clips::tiny())
        .envs(client_environment(&home))
        .env("VODLINE_SITE", home.site(""))
        .env("AWS_CLI", bin.join("aws"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
