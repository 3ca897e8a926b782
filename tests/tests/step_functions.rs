//! Step Functions driven with boto3, feature by feature.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{path::PathBuf, process::Command};

use tempfile::NamedTempFile;
use vodline_tests::{Home, client_environment, root, text};

/// The line's own roles may do only what the line does. This one lets a machine do anything.
const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  MachineRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: step-functions-test
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: { Service: states.amazonaws.com }, Action: sts:AssumeRole }
      Policies:
        - PolicyName: everything
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - { Effect: Allow, Action: "*", Resource: "*" }
Outputs:
  MachineRole: { Value: !GetAtt MachineRole.Arn }
"#;

#[test]
fn boto3_uses_every_feature_of_step_functions() {
    let template = NamedTempFile::new().unwrap();
    std::fs::write(template.path(), TEMPLATE).unwrap();
    let home = Home::start_with(template.path());
    let bin = PathBuf::from(std::env::var_os("VODLINE_AWS_BIN").expect("cargo xtask test sets VODLINE_AWS_BIN"));
    let output = Command::new(bin.join("python"))
        .arg(root().join("tests/step_functions.py"))
        .envs(client_environment(&home))
        .env("MACHINE_ROLE", home.output("MachineRole"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
