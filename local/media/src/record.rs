//! A job as it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{measure::Quality, publish::GroupDetail};

/// Everything known of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    /// Such as `1771852248480-6dv3gn`.
    pub(crate) id: String,
    /// Milliseconds since 1970, as all times here.
    pub(crate) created_ms: i64,
    pub(crate) started_ms: Option<i64>,
    pub(crate) finished_ms: Option<i64>,
    pub(crate) status: Status,
    /// Where a progressing job is.
    pub(crate) phase: Phase,
    /// How much of the transcoding is done.
    pub(crate) transcoding_percent: u8,
    /// Pictures decoded so far.
    pub(crate) frames_decoded: u64,
    /// How often the job was begun again after the home died.
    pub(crate) retry_count: u32,
    /// -50 to 50; higher first.
    pub(crate) priority: i32,
    /// The queue's ARN.
    pub(crate) queue: String,
    /// The ARN of the role the job acts as.
    pub(crate) role: String,
    pub(crate) client_request_token: Option<String>,
    pub(crate) user_metadata: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Between STATUS_UPDATE events, as asked for.
    pub(crate) status_update_seconds: u32,
    /// As submitted; validated then, decoded again when the job runs.
    pub(crate) settings: Value,
    /// Why it failed.
    pub(crate) error: Option<JobError>,
    /// What was made.
    pub(crate) output_group_details: Vec<GroupDetail>,
    /// The template it was made from, as it was named.
    #[serde(default)]
    pub(crate) job_template: Option<String>,
    #[serde(default)]
    pub(crate) acceleration: AccelerationMode,
    /// Whether it runs in chunks; `None` before that is known.
    #[serde(default)]
    pub(crate) accelerated: Option<bool>,
    /// Where it may hop while it waits, the next first.
    #[serde(default)]
    pub(crate) hop_destinations: Vec<Hop>,
    /// Where it has hopped.
    #[serde(default)]
    pub(crate) queue_transitions: Vec<QueueTransition>,
    /// What did not go as asked, by code.
    #[serde(default)]
    pub(crate) warnings: Vec<Warning>,
    /// Pictures that were black for a while.
    #[serde(default)]
    pub(crate) black_segments: Vec<BlackSegment>,
    /// How good the pictures of each group's outputs are, where that is known.
    #[serde(default)]
    pub(crate) quality: Vec<Vec<Option<Quality>>>,
}

impl JobRecord {
    /// All phases together, 0 to 100. Probing counts five, uploading five.
    pub(crate) fn percent(&self) -> u8 {
        match (self.status, self.phase) {
            (Status::Complete, _) => 100,
            (_, Phase::Probing) => 0,
            (_, Phase::Transcoding) => {
                let share = u32::from(self.transcoding_percent.min(100)) * 90 / 100;
                5 + u8::try_from(share).unwrap_or(90)
            }
            (_, Phase::Uploading) => 95,
        }
    }

    /// Since when it has been in its queue.
    pub(crate) fn queued_ms(&self) -> i64 {
        self.queue_transitions.last().map_or(self.created_ms, |transition| transition.at_ms)
    }

    /// When it hops to the next of its destinations, if it still waits then.
    pub(crate) fn next_hop_ms(&self) -> Option<i64> {
        let hop = self.hop_destinations.first()?;
        Some(self.queued_ms() + i64::from(hop.wait_minutes) * 60_000)
    }

    /// Counts a warning.
    pub(crate) fn warn(&mut self, code: u32) {
        match self.warnings.iter_mut().find(|warning| warning.code == code) {
            Some(warning) => warning.count += 1,
            None => self.warnings.push(Warning { code, count: 1 }),
        }
    }

    /// The URI of the first input; jobs are searched by it.
    pub(crate) fn input(&self, number: usize) -> &str {
        self.settings.pointer(&format!("/inputs/{number}/fileInput")).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A job's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Submitted,
    Progressing,
    Complete,
    Canceled,
    Error,
}

impl Status {
    /// As AWS writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Progressing => "PROGRESSING",
            Self::Complete => "COMPLETE",
            Self::Canceled => "CANCELED",
            Self::Error => "ERROR",
        }
    }

    /// The status of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Submitted, Self::Progressing, Self::Complete, Self::Canceled, Self::Error]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// Where a progressing job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Phase {
    Probing,
    Transcoding,
    Uploading,
}

/// `accelerationSettings.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AccelerationMode {
    #[default]
    Disabled,
    /// A job that cannot be accelerated fails.
    Enabled,
    /// A job that cannot be accelerated runs without.
    Preferred,
}

/// One of `hopDestinations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hop {
    /// The queue's ARN.
    pub(crate) queue: String,
    /// The priority there; unchanged when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<i32>,
    /// Minutes in the queue it is in before it hops.
    pub(crate) wait_minutes: u32,
}

/// One of `queueTransitions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueTransition {
    /// ARNs.
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) at_ms: i64,
}

/// One of `warnings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Warning {
    /// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/warning_codes.html>.
    pub(crate) code: u32,
    pub(crate) count: u32,
}

/// "Queue hop warning": a job waited long enough to hop and could not.
pub(crate) const QUEUE_HOP_WARNING: u32 = 100_000;

/// One of `blackVideoSegments`, in milliseconds of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlackSegment {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobError {
    /// One of [`code`].
    pub(crate) code: u32,
    /// For people.
    pub(crate) message: String,
}

/// MediaConvert's error codes.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_error_codes.html>.
pub(crate) mod code {
    /// An input cannot be opened.
    pub(crate) const INPUT: u32 = 1010;
    /// The input has no video and an output needs it.
    pub(crate) const NO_VIDEO: u32 = 1020;
    /// The input has no audio and an output needs it.
    pub(crate) const NO_AUDIO: u32 = 1021;
    /// The input's codec is not supported.
    pub(crate) const CODEC: u32 = 1030;
    /// Settings do not go together, or not with this input.
    pub(crate) const SETTINGS: u32 = 1040;
    /// The input could not be demultiplexed.
    pub(crate) const DEMUX: u32 = 1075;
    /// The input ended before its end.
    pub(crate) const SOURCE_READ: u32 = 1076;
    /// S3 denied access.
    pub(crate) const DENIED: u32 = 1401;
    /// A file or bucket does not exist.
    pub(crate) const NOT_FOUND: u32 = 1404;
    /// The disk is full.
    pub(crate) const DISK_FULL: u32 = 1507;
    /// Anything else.
    pub(crate) const UNKNOWN: u32 = 1999;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_percentage_only_grows_with_the_phases() {
        let mut record: JobRecord = serde_json::from_value(json!({
            "id": "1-a", "created_ms": 1, "started_ms": null, "finished_ms": null, "status": "PROGRESSING", "phase": "PROBING",
            "transcoding_percent": 0, "frames_decoded": 0, "retry_count": 0, "priority": 0, "queue": "q", "role": "r",
            "client_request_token": null, "user_metadata": {}, "tags": {}, "status_update_seconds": 60,
            "settings": {"inputs": [{"fileInput": "s3://b/k"}]}, "error": null, "output_group_details": [],
        }))
        .unwrap();
        let mut seen = vec![record.percent()];
        record.phase = Phase::Transcoding;
        for percent in [0, 2, 50, 100] {
            record.transcoding_percent = percent;
            seen.push(record.percent());
        }
        record.phase = Phase::Uploading;
        seen.push(record.percent());
        record.status = Status::Complete;
        seen.push(record.percent());
        assert_eq!(seen, [0, 5, 6, 50, 95, 95, 100]);
        assert_eq!(record.input(0), "s3://b/k");
    }
}
