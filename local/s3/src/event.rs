//! The events S3 sends to EventBridge.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>.

use std::net::IpAddr;

use serde::Serialize;
use vodline_core::{Event, StoreError};

use crate::{failure::Failure, service::Core, versions::Version};

/// The ETag S3 reports for delete markers: the MD5 of nothing.
const EMPTY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// Who caused a change, and how.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) request_id: String,
    pub(crate) source: IpAddr,
    pub(crate) reason: &'static str,
}

/// What happened to an object.
pub(crate) enum Change<'a> {
    Created(&'a Version),
    /// This version is gone; the number is the deletion's own place in the order of changes.
    Deleted(&'a Version, i64),
    MarkedDeleted(&'a Version),
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'a> {
    version: &'static str,
    bucket: BucketDetail<'a>,
    object: ObjectDetail<'a>,
    request_id: &'a str,
    requester: &'a str,
    source_ip_address: String,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_type: Option<&'static str>,
}

#[derive(Serialize)]
struct BucketDetail<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ObjectDetail<'a> {
    /// As it is, not URL-encoded (unlike in notifications to queues and topics).
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    sequencer: String,
}

/// Comparable as text, which is how AWS says sequencers of one key are compared.
fn sequencer(sequence: i64) -> String {
    format!("{sequence:018X}")
}

/// The event that tells of `change`.
pub(crate) fn event(core: &Core, bucket: &str, change: &Change<'_>, cause: &Cause) -> Result<Event, Failure> {
    let (detail_type, deletion_type) = match change {
        Change::Created(_) => ("Object Created", None),
        Change::Deleted(..) => ("Object Deleted", Some("Permanently Deleted")),
        Change::MarkedDeleted(_) => ("Object Deleted", Some("Delete Marker Created")),
    };
    let object = match *change {
        Change::Created(version) => ObjectDetail {
            key: &version.key,
            size: Some(version.size_bytes),
            etag: Some(&version.etag),
            version_id: version.event_id(),
            sequencer: sequencer(version.sequence),
        },
        Change::Deleted(version, sequence) => ObjectDetail {
            key: &version.key,
            size: None,
            etag: (!version.delete_marker).then_some(version.etag.as_str()),
            version_id: version.event_id(),
            sequencer: sequencer(sequence),
        },
        Change::MarkedDeleted(marker) => ObjectDetail {
            key: &marker.key,
            size: None,
            etag: Some(EMPTY_ETAG),
            version_id: marker.event_id(),
            sequencer: sequencer(marker.sequence),
        },
    };
    let detail = Detail {
        version: "0",
        bucket: BucketDetail { name: bucket },
        object,
        request_id: &cause.request_id,
        requester: &core.account.id,
        source_ip_address: cause.source.to_string(),
        reason: cause.reason,
        deletion_type,
    };
    let now = core.clock.now();
    Ok(Event {
        version: "0".into(),
        id: core.entropy.uuid(),
        detail_type: detail_type.into(),
        source: "aws.s3".into(),
        account: core.account.id.clone(),
        time: jiff::Timestamp::from_second(now.as_second()).unwrap_or(now),
        region: core.account.region.clone(),
        resources: vec![bucket_arn(bucket)],
        detail: serde_json::to_value(detail).map_err(|error| StoreError::Corrupt(error.to_string()))?,
    })
}

/// `arn:aws:s3:::<bucket>`.
pub(crate) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}
