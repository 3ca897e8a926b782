#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use vodline_core::{Account, AwsError, ManualClock, Secrets, SeededEntropy};

use super::{GenerateSecretString, SecretSource, SecretSpec, SecretsConfig, SecretsManager};
use crate::testing::{call, call_allowed};

struct Home {
    directory: TempDir,
    clock: Arc<ManualClock>,
    secrets: Arc<SecretsManager>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let secrets = open(&directory, &clock, 1);
        Self { directory, clock, secrets }
    }

    fn reopen(self) -> Self {
        let Self { directory, clock, secrets } = self;
        drop(secrets);
        // Other randomness: what is the same afterwards was kept.
        let secrets = open(&directory, &clock, 2);
        Self { directory, clock, secrets }
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        call(&*self.secrets, operation, body).await.unwrap()
    }

    async fn error(&self, operation: &str, body: Value) -> AwsError {
        call(&*self.secrets, operation, body).await.unwrap_err()
    }

    async fn value(&self, body: Value) -> Value {
        self.ok("GetSecretValue", body).await["SecretString"].clone()
    }
}

fn open(directory: &TempDir, clock: &Arc<ManualClock>, seed: u64) -> Arc<SecretsManager> {
    SecretsManager::open(SecretsConfig {
        directory: directory.path().into(),
        account: Account::default(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(seed)),
    })
    .unwrap()
}

fn token(letter: &str) -> String {
    letter.repeat(32)
}

#[tokio::test]
async fn a_secret_is_found_by_name_arn_and_partial_arn() {
    let home = Home::new();
    let created = home.ok("CreateSecret", json!({"Name": "a/b", "SecretString": "x"})).await;
    let arn = created["ARN"].as_str().unwrap();
    let (partial, suffix) = arn.rsplit_once('-').unwrap();
    assert_eq!(partial, "arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b");
    assert_eq!(suffix.len(), 6);
    for id in ["a/b", arn, partial] {
        assert_eq!(home.value(json!({"SecretId": id})).await, "x", "{id}");
    }
    for id in ["a", "b", &arn[..arn.len() - 1], "arn:aws:secretsmanager:us-east-1:000000000000:secret:a"] {
        assert_eq!(
            home.error("GetSecretValue", json!({"SecretId": id})).await.code,
            "ResourceNotFoundException",
            "{id}"
        );
    }
}

#[tokio::test]
async fn labels_move_with_new_versions() {
    let home = Home::new();
    home.ok("CreateSecret", json!({"Name": "s", "SecretString": "1", "ClientRequestToken": token("a")})).await;
    for (value, id) in [("2", "b"), ("3", "c")] {
        let put = json!({"SecretId": "s", "SecretString": value, "ClientRequestToken": token(id)});
        assert_eq!(home.ok("PutSecretValue", put).await["VersionStages"], json!(["AWSCURRENT"]));
    }
    let home = home.reopen();
    assert_eq!(home.value(json!({"SecretId": "s"})).await, "3");
    assert_eq!(home.value(json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS"})).await, "2");
    assert_eq!(home.value(json!({"SecretId": "s", "VersionId": token("a")})).await, "1");
    assert_eq!(home.secrets.values("s").unwrap(), ["3", "2"]);
    let described = home.ok("DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(described["VersionIdsToStages"], json!({token("c"): ["AWSCURRENT"], token("b"): ["AWSPREVIOUS"]}));
    let listed = async |deprecated: bool| {
        let body = json!({"SecretId": "s", "IncludeDeprecated": deprecated});
        home.ok("ListSecretVersionIds", body).await["Versions"].as_array().unwrap().len()
    };
    assert_eq!((listed(false).await, listed(true).await), (2, 3));

    // Back to the one before.
    let back = json!({
        "SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": token("b"), "RemoveFromVersionId": token("c"),
    });
    home.ok("UpdateSecretVersionStage", back).await;
    assert_eq!(home.secrets.values("s").unwrap(), ["2", "3"]);
    let without = json!({"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": token("a")});
    assert_eq!(home.error("UpdateSecretVersionStage", without).await.code, "InvalidParameterException");
    // A label of one's own does not touch the current version.
    let pending = json!({"SecretId": "s", "SecretString": "4", "VersionStages": ["AWSPENDING"]});
    home.ok("PutSecretValue", pending).await;
    assert_eq!(home.value(json!({"SecretId": "s"})).await, "2");
    assert_eq!(home.value(json!({"SecretId": "s", "VersionStage": "AWSPENDING"})).await, "4");
}

#[tokio::test]
async fn a_token_makes_requests_idempotent() {
    let home = Home::new();
    let create = json!({"Name": "s", "SecretString": "1", "ClientRequestToken": token("a")});
    let first = home.ok("CreateSecret", create.clone()).await;
    assert_eq!(home.ok("CreateSecret", create).await, first);
    let other = json!({"Name": "s", "SecretString": "2", "ClientRequestToken": token("b")});
    assert_eq!(home.error("CreateSecret", other).await.code, "ResourceExistsException");
    let put = |value: &str| json!({"SecretId": "s", "SecretString": value, "ClientRequestToken": token("c")});
    let first = home.ok("PutSecretValue", put("3")).await;
    assert_eq!(home.ok("PutSecretValue", put("3")).await, first);
    assert_eq!(home.error("PutSecretValue", put("4")).await.code, "ResourceExistsException");
    assert_eq!(home.secrets.values("s").unwrap(), ["3", "1"]);
}

#[tokio::test]
async fn binary_values_come_back_as_they_were() {
    let home = Home::new();
    home.ok("CreateSecret", json!({"Name": "s", "SecretBinary": "AAEC/w=="})).await;
    let value = home.ok("GetSecretValue", json!({"SecretId": "s"})).await;
    assert_eq!((value["SecretBinary"].as_str(), value.get("SecretString")), (Some("AAEC/w=="), None));
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_time_has_come() {
    let home = Home::new();
    home.ok("CreateSecret", json!({"Name": "s", "SecretString": "1"})).await;
    home.ok("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7})).await;
    for (operation, body) in [
        ("GetSecretValue", json!({"SecretId": "s"})),
        ("PutSecretValue", json!({"SecretId": "s", "SecretString": "2"})),
        ("CreateSecret", json!({"Name": "s", "SecretString": "2"})),
        ("DeleteSecret", json!({"SecretId": "s"})),
    ] {
        assert_eq!(home.error(operation, body).await.code, "InvalidRequestException", "{operation}");
    }
    assert_eq!(home.ok("ListSecrets", json!({})).await, json!({"SecretList": []}));
    home.ok("RestoreSecret", json!({"SecretId": "s"})).await;
    assert_eq!(home.value(json!({"SecretId": "s"})).await, "1");
    home.ok("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7})).await;
    home.clock.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(home.error("RestoreSecret", json!({"SecretId": "s"})).await.code, "ResourceNotFoundException");
    home.ok("CreateSecret", json!({"Name": "s", "SecretString": "2"})).await;
    home.ok("DeleteSecret", json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true})).await;
    assert_eq!(home.error("DescribeSecret", json!({"SecretId": "s"})).await.code, "ResourceNotFoundException");
    home.ok("DeleteSecret", json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true})).await;
    assert_eq!(home.error("DeleteSecret", json!({"SecretId": "s"})).await.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn lists_by_filter_and_page() {
    let home = Home::new();
    for name in ["app/a", "app/b", "other"] {
        let tags = json!([{"Key": "of", "Value": name}]);
        home.ok("CreateSecret", json!({"Name": name, "Description": "A Secret", "Tags": tags})).await;
    }
    let names = async |body: Value| {
        let page = home.ok("ListSecrets", body).await;
        let names: Vec<_> = page["SecretList"].as_array().unwrap().iter().map(|s| s["Name"].clone()).collect();
        (names, page["NextToken"].as_str().map(ToOwned::to_owned))
    };
    let filter = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    assert_eq!(names(filter("name", "app/")).await.0, ["app/a", "app/b"]);
    assert_eq!(names(filter("name", "!app/")).await.0, ["other"]);
    assert_eq!(names(filter("description", "a sec")).await.0.len(), 3);
    assert_eq!(names(filter("tag-value", "oth")).await.0, ["other"]);
    assert_eq!(names(json!({"SortOrder": "desc"})).await.0[0], "other");
    let (first, token) = names(json!({"MaxResults": 2})).await;
    let (second, end) = names(json!({"MaxResults": 2, "NextToken": token})).await;
    assert_eq!((first.len(), second.len(), end), (2, 1, None));
    home.ok("UntagResource", json!({"SecretId": "other", "TagKeys": ["of"]})).await;
    home.ok("TagResource", json!({"SecretId": "other", "Tags": [{"Key": "k", "Value": "v"}]})).await;
    assert_eq!(
        home.ok("DescribeSecret", json!({"SecretId": "other"})).await["Tags"],
        json!([{"Key": "k", "Value": "v"}])
    );
}

#[tokio::test]
async fn a_role_may_do_what_its_policy_says() {
    let home = Home::new();
    let arn =
        home.ok("CreateSecret", json!({"Name": "s", "SecretString": "x"})).await["ARN"].as_str().unwrap().to_owned();
    let allowed = format!("secretsmanager:GetSecretValue {arn}");
    let as_role = async |operation: &str, body: Value| call_allowed(&*home.secrets, &[&allowed], operation, body).await;
    assert_eq!(as_role("GetSecretValue", json!({"SecretId": "s"})).await.unwrap()["SecretString"], "x");
    for (operation, body) in [
        ("DescribeSecret", json!({"SecretId": "s"})),
        ("GetSecretValue", json!({"SecretId": "none"})),
        ("CreateSecret", json!({"Name": "t"})),
        ("ListSecrets", json!({})),
    ] {
        assert_eq!(as_role(operation, body).await.unwrap_err().code, "AccessDeniedException", "{operation}");
    }
}

#[tokio::test]
async fn refuses_by_name() {
    let home = Home::new();
    let check = async |operation: &str, body: Value, code: &str, words: &str| {
        let error = home.error(operation, body).await;
        assert_eq!(error.code, code, "{operation}");
        assert!(error.message.contains(words), "{}", error.message);
    };
    check("RotateSecret", json!({"SecretId": "s"}), "NotImplemented", "secretsmanager:RotateSecret").await;
    check("CreateSecret", json!({"Name": "s", "AddReplicaRegions": []}), "SerializationException", "AddReplicaRegions")
        .await;
    check("CreateSecret", json!({"Name": "a b"}), "ValidationException", "Invalid name").await;
    check("CreateSecret", json!({"Name": "s", "ClientRequestToken": "short"}), "InvalidParameterException", "32-64")
        .await;
    check(
        "CreateSecret",
        json!({"Name": "s", "SecretString": "a", "SecretBinary": "YQ=="}),
        "InvalidParameterException",
        "both",
    )
    .await;
    let force = json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true, "RecoveryWindowInDays": 7});
    check("DeleteSecret", force, "InvalidParameterException", "in conjunction").await;
    check("GetRandomPassword", json!({"PasswordLength": 5000}), "InvalidParameterException", "4096").await;
    home.ok("CreateSecret", json!({"Name": "empty"})).await;
    check("GetSecretValue", json!({"SecretId": "empty"}), "ResourceNotFoundException", "staging label: AWSCURRENT")
        .await;
}

#[tokio::test]
async fn the_template_generates_once_and_follows_given_values() {
    let home = Home::new();
    let generated = SecretSpec {
        name: "generated".into(),
        description: Some("d".into()),
        source: SecretSource::Generated(GenerateSecretString {
            secret_string_template: Some(r#"{"user": "u"}"#.into()),
            generate_string_key: Some("MediaPackageCDNIdentifier".into()),
            password_length: Some(40),
            exclude_punctuation: true,
            ..GenerateSecretString::default()
        }),
    };
    let given =
        |value: &str| SecretSpec { name: "given".into(), description: None, source: SecretSource::Value(value.into()) };
    let arn = home.secrets.define_secret(&generated).unwrap();
    home.secrets.define_secret(&given("1")).unwrap();
    let before = home.secrets.values("generated").unwrap();
    let value: Value = serde_json::from_str(&before[0]).unwrap();
    assert_eq!(value["user"], "u");
    assert_eq!(value["MediaPackageCDNIdentifier"].as_str().unwrap().len(), 40);
    let home = home.reopen();
    assert_eq!(home.secrets.define_secret(&generated).unwrap(), arn);
    assert_eq!(home.secrets.values(&arn).unwrap(), before);
    home.secrets.define_secret(&given("1")).unwrap();
    assert_eq!(home.secrets.values("given").unwrap(), ["1"]);
    home.secrets.define_secret(&given("2")).unwrap();
    assert_eq!(home.secrets.values("given").unwrap(), ["2", "1"]);
    assert!(!format!("{:?}", given("hush")).contains("hush"));
}
