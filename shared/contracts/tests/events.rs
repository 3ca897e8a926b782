//! AWS's events, as they are: captured ones, and documented ones where none was captured. Each decodes, and each satisfies
//! the schema that is published for it.
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use vodline_contracts::{
    aws::{
        Envelope,
        mediaconvert::{JobStateChange, JobStatus},
        mediapackage::{InputNotification, asset_id},
        s3::ObjectCreated,
        states::ExecutionStatusChange,
    },
    schema,
    source::Source,
};

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The fixture, decoded, after it was held against the schema of this name.
fn event<Detail: serde::de::DeserializeOwned>(schema_name: &str, fixture_name: &str) -> Envelope<Detail> {
    let event = fixture(fixture_name);
    let contract = schema::all().into_iter().find(|contract| contract.name == schema_name).unwrap();
    let validator = jsonschema::validator_for(contract.schema.as_value()).unwrap();
    let violations: Vec<String> =
        validator.iter_errors(&event).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(violations.is_empty(), "{fixture_name}: {violations:?}");
    serde_json::from_value(event).unwrap()
}

fn job(fixture_name: &str) -> JobStateChange {
    event("aws/mediaconvert-job-state-change", fixture_name).detail
}

fn notification(fixture_name: &str) -> Envelope<InputNotification> {
    event("aws/mediapackage-input-notification", fixture_name)
}

#[test]
fn every_status_of_a_job_decodes() {
    for (fixture, status) in [
        ("mediaconvert-complete", JobStatus::Complete),
        ("mediaconvert-error", JobStatus::Error),
        ("mediaconvert-canceled", JobStatus::Canceled),
        ("mediaconvert-progressing", JobStatus::Progressing),
        ("mediaconvert-status-update", JobStatus::StatusUpdate),
        ("mediaconvert-input-information", JobStatus::InputInformation),
        ("mediaconvert-new-warning", JobStatus::NewWarning),
        ("mediaconvert-queue-hop", JobStatus::QueueHop),
    ] {
        assert_eq!(job(fixture).status, status, "{fixture}");
    }
}

#[test]
fn a_complete_job_tells_its_files() {
    let job = job("mediaconvert-complete");
    assert_eq!(job.job_id, "1771852248480-6dv3gn");
    assert_eq!(job.warnings.iter().map(|warning| (warning.code, warning.count)).collect::<Vec<_>>(), [(250_003, 1)]);
    let [files, hls] = job.output_group_details.as_slice() else { panic!("two groups") };
    assert!(files.playlist_file_paths.is_empty(), "a file group has no playlist");
    assert_eq!(files.output_details[1].output_file_paths, ["s3://b/f.0000000.jpg"], "only the last picture is listed");
    let still = files.output_details[1].video_details.as_ref().unwrap();
    assert_eq!(still.qvbr_avg_quality, None, "a picture has no QVBR quality");
    assert_eq!(hls.playlist_file_paths, ["s3://b/f.m3u8"]);
    assert_eq!(hls.output_details[1].video_details, None, "captions have no picture");
}

#[test]
fn a_failed_job_tells_why_and_may_lack_the_account_in_its_arn() {
    let job = job("mediaconvert-error");
    assert_eq!((job.error_code, job.error_message.as_deref()), (Some(1040), Some("Example error message")));
    assert_eq!(job.job_id, "1671477617078-2886ye");
    assert!(job.output_group_details.is_empty() && job.warnings.is_empty());
}

#[test]
fn a_status_update_tells_how_far_the_job_is() {
    let progress = job("mediaconvert-status-update").job_progress.unwrap();
    assert_eq!((progress.job_percent_complete, progress.current_phase.as_str()), (7, "TRANSCODING"));
}

#[test]
fn the_asset_is_in_the_resources_in_whatever_form_the_configuration_is() {
    for fixture in ["mediapackage-asset-playable", "mediapackage-asset-playable-documented"] {
        let event = notification(fixture);
        assert_eq!(asset_id(&event.resources), Some("ASSET_ID"), "{fixture}");
        assert_eq!(event.detail.packaging_configuration_id.as_deref(), Some("DASH"), "{fixture}");
        assert!(event.detail.manifest_urls[0].ends_with("/index.mpd"), "{fixture}");
    }
    let complete = notification("mediapackage-ingest-complete");
    assert_eq!((complete.detail.event.as_str(), asset_id(&complete.resources)), ("IngestComplete", Some("ASSET_ID")));
    assert_eq!(asset_id(&notification("mediapackage-live-channel").resources), None);
}

#[test]
fn an_upload_is_its_object_version() {
    let upload: ObjectCreated = event("aws/s3-object-created", "s3-object-created").detail;
    let source = Source::of_upload(&upload);
    assert_eq!(source.key, "a b+c%20'\"😀.v1.mov", "the key is as it is");
    assert_eq!((source.filename(), source.size_bytes), (source.key.as_str(), 5));
    assert_eq!(source.uri(), "s3://amzn-s3-demo-bucket1/a b+c%20'\"😀.v1.mov");

    let upload: ObjectCreated = event("aws/s3-object-created", "s3-object-created-unversioned").detail;
    let unversioned = Source::of_upload(&upload);
    assert_eq!(unversioned.version_id, None);
    let suspended = Source { version_id: Some("null".to_owned()), ..unversioned.clone() };
    assert_eq!(suspended.video_id(), unversioned.video_id(), "no version is no version");
    assert_ne!(source.video_id(), unversioned.video_id());
}

#[test]
fn an_execution_may_tell_its_error_and_its_input_or_not() {
    let schema = "aws/states-execution-status-change";
    let failed: ExecutionStatusChange = event(schema, "states-execution-failed").detail;
    assert_eq!((failed.status.as_str(), failed.error.as_deref()), ("FAILED", Some("Vod.UnsupportedSource")));
    let aborted: ExecutionStatusChange = event(schema, "states-execution-aborted").detail;
    assert_eq!((aborted.input, aborted.error, aborted.cause), (None, None, None));
}
