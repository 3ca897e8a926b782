//! The edge's access rules, set and used by clients that AWS ships: the AWS CLI, boto3, and botocore's URL signer.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{path::PathBuf, process::Command};

use vodline_tests::{Home, client_environment, root, text};

#[test]
fn what_botocore_signs_is_let_in_and_nothing_else() {
    let home = Home::start();
    let bin = PathBuf::from(std::env::var_os("VODLINE_AWS_BIN").expect("cargo xtask test sets VODLINE_AWS_BIN"));
    let output = Command::new(bin.join("python"))
        .arg(root().join("tests/edge_access.py"))
        .envs(client_environment(&home))
        .env("VODLINE_SITE", home.site(""))
        .env("AWS_CLI", bin.join("aws"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
