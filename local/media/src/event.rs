//! The events MediaConvert sends to EventBridge.
//! Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_event_list.html>, and events captured in the wild where
//! they differ from it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use vodline_core::{Account, Event};

use crate::{
    measure::Quality,
    publish::{GroupDetail, GroupKind},
    record::{BlackSegment, JobRecord, Phase, Status, Warning},
    source::{SourceFacts, TrackKind},
};

/// What happened to a job.
#[derive(Clone, Debug)]
pub(crate) enum Happening<'a> {
    /// Work has begun.
    Progressing,
    /// The input was probed.
    InputInformation(&'a [SourceFacts]),
    /// How far it is.
    StatusUpdate,
    /// It is done.
    Complete,
    /// It was cancelled.
    Canceled,
    /// It failed.
    Error,
    /// Something did not go as asked, and the job goes on.
    NewWarning { code: u32, message: &'a str },
    /// It went to another queue; these are those it had before.
    QueueHop { queue: &'a str, priority: i32 },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    timestamp: i64,
    account_id: &'a str,
    queue: &'a str,
    job_id: &'a str,
    status: &'static str,
    user_metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_decoded: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_progress: Option<JobProgress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_details: Option<Vec<InputDetail<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_group_details: Option<Vec<GroupShape<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding_inserted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    black_video_detected: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    black_video_segments: &'a [BlackSegment],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [Warning],
    /// A string, unlike the codes of `warnings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

/// `outputGroupDetails[n]`.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/output-file-names-and-paths.html>.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupShape<'a> {
    output_details: Vec<OutputShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    playlist_file_paths: Option<&'a [String]>,
    #[serde(rename = "type")]
    kind: GroupKind,
}

/// `outputDetails[n]`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    output_file_paths: Option<&'a [String]>,
    duration_in_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_details: Option<VideoShape>,
}

/// `videoDetails`; the `qvbr*` members where the rate control is QVBR and the encoder tells (see `measure`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoShape {
    width_in_px: u32,
    height_in_px: u32,
    average_bitrate: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    qvbr_avg_quality: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qvbr_min_quality: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qvbr_max_quality: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qvbr_min_quality_location: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qvbr_max_quality_location: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobProgress {
    phase_progress: PhaseProgress,
    job_percent_complete: u8,
    current_phase: Phase,
    retry_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct PhaseProgress {
    probing: OnePhase,
    transcoding: OnePhase,
    uploading: OnePhase,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnePhase {
    status: &'static str,
    percent_complete: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InputDetail<'a> {
    id: usize,
    uri: &'a str,
    audio: Vec<AudioDetail<'a>>,
    video: Vec<VideoDetail<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AudioDetail<'a> {
    channels: u32,
    codec: &'a str,
    language: &'a str,
    sample_rate: u32,
    stream_id: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoDetail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_depth: Option<u32>,
    codec: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    color_format: Option<&'a str>,
    frame_rate: f64,
    height: u32,
    interlace_mode: &'static str,
    sar: String,
    stream_id: usize,
    width: u32,
}

/// The event that tells of `happening` to the job as `record` now has it.
pub(crate) fn event(
    account: &Account,
    id: String,
    now: Timestamp,
    record: &JobRecord,
    happening: &Happening<'_>,
) -> Event {
    let mut detail = Detail {
        timestamp: now.as_millisecond(),
        account_id: &account.id,
        queue: &record.queue,
        job_id: &record.id,
        status: "",
        user_metadata: &record.user_metadata,
        frames_decoded: None,
        job_progress: None,
        input_details: None,
        output_group_details: None,
        padding_inserted: None,
        black_video_detected: None,
        black_video_segments: &[],
        warnings: &[],
        warning_code: None,
        warning_message: None,
        previous_queue: None,
        priority: None,
        previous_priority: None,
        error_code: None,
        error_message: None,
    };
    match happening {
        Happening::Progressing => detail.status = Status::Progressing.name(),
        Happening::InputInformation(facts) => {
            detail.status = "INPUT_INFORMATION";
            let details = facts.iter().enumerate().map(|(id, facts)| input_detail(id, record.input(id), facts));
            detail.input_details = Some(details.collect());
        }
        Happening::StatusUpdate => {
            detail.status = "STATUS_UPDATE";
            detail.frames_decoded = Some(record.frames_decoded);
            detail.job_progress = Some(progress(record));
        }
        Happening::Complete => {
            detail.status = Status::Complete.name();
            let groups = (0..).zip(&record.output_group_details);
            detail.output_group_details =
                Some(groups.map(|(index, group)| group_shape(index, group, record)).collect());
            // Silence that fills the sound's gaps is no padding: AWS means pictures.
            detail.padding_inserted = Some(0);
            let black = &record.black_segments;
            detail.black_video_detected = Some(black.iter().map(|segment| segment.end - segment.start).sum());
            detail.black_video_segments = black;
            detail.warnings = &record.warnings;
        }
        Happening::Canceled => detail.status = Status::Canceled.name(),
        Happening::Error => {
            detail.status = Status::Error.name();
            detail.error_code = record.error.as_ref().map(|error| error.code);
            detail.error_message = record.error.as_ref().map(|error| error.message.as_str());
        }
        Happening::NewWarning { code, message } => {
            detail.status = "NEW_WARNING";
            detail.warning_code = Some(code.to_string());
            detail.warning_message = Some(message);
        }
        Happening::QueueHop { queue, priority } => {
            detail.status = "QUEUE_HOP";
            detail.previous_queue = Some(queue);
            detail.priority = Some(record.priority);
            detail.previous_priority = Some(*priority);
        }
    }
    Event {
        version: "0".into(),
        id,
        detail_type: "MediaConvert Job State Change".into(),
        source: "aws.mediaconvert".into(),
        account: account.id.clone(),
        // Envelopes carry whole seconds.
        time: Timestamp::from_second(now.as_second()).unwrap_or(now),
        region: account.region.clone(),
        resources: vec![account.arn("mediaconvert", &format!("jobs/{}", record.id))],
        // Maps of strings and numbers always serialise.
        detail: serde_json::to_value(&detail).unwrap_or_default(),
    }
}

fn group_shape<'a>(index: usize, group: &'a GroupDetail, record: &JobRecord) -> GroupShape<'a> {
    let quality = |output: usize| record.quality.get(index)?.get(output).copied()?;
    let output_details = (0..).zip(&group.output_details).map(|(number, output)| OutputShape {
        output_file_paths: output.output_file_paths.as_deref(),
        duration_in_ms: output.duration_in_ms,
        video_details: output.video_details.map(|video| {
            let quality: Option<Quality> = quality(number);
            VideoShape {
                width_in_px: video.width_in_px,
                height_in_px: video.height_in_px,
                average_bitrate: video.average_bitrate,
                qvbr_avg_quality: quality.map(|quality| quality.average),
                qvbr_min_quality: quality.map(|quality| quality.minimum),
                qvbr_max_quality: quality.map(|quality| quality.maximum),
                qvbr_min_quality_location: quality.map(|quality| quality.minimum_at),
                qvbr_max_quality_location: quality.map(|quality| quality.maximum_at),
            }
        }),
    });
    GroupShape {
        output_details: output_details.collect(),
        playlist_file_paths: group.playlist_file_paths.as_deref(),
        kind: group.kind,
    }
}

fn progress(record: &JobRecord) -> JobProgress {
    let phase = |this: Phase, percent: u8| {
        let rank = |phase: Phase| phase as u8;
        match rank(this).cmp(&rank(record.phase)) {
            std::cmp::Ordering::Less => OnePhase { status: "COMPLETE", percent_complete: 100 },
            std::cmp::Ordering::Equal => OnePhase { status: "PROGRESSING", percent_complete: percent },
            std::cmp::Ordering::Greater => OnePhase { status: "PENDING", percent_complete: 0 },
        }
    };
    JobProgress {
        phase_progress: PhaseProgress {
            probing: phase(Phase::Probing, 0),
            transcoding: phase(Phase::Transcoding, record.transcoding_percent),
            uploading: phase(Phase::Uploading, 0),
        },
        job_percent_complete: record.percent(),
        current_phase: record.phase,
        retry_count: record.retry_count,
    }
}

fn input_detail<'a>(id: usize, uri: &'a str, facts: &'a SourceFacts) -> InputDetail<'a> {
    let mut detail = InputDetail { id, uri, audio: Vec::new(), video: Vec::new() };
    for track in &facts.tracks {
        match &track.kind {
            TrackKind::Video(video) => detail.video.push(VideoDetail {
                bit_depth: video.bit_depth,
                codec: track.codec,
                color_format: video.chroma,
                frame_rate: video.frame_rate.value(),
                height: video.height,
                interlace_mode: if video.interlaced { "INTERLACED" } else { "PROGRESSIVE" },
                sar: format!("{}:{}", video.sample_aspect.numerator, video.sample_aspect.denominator),
                stream_id: track.stream + 1,
                width: video.width,
            }),
            TrackKind::Audio(audio) => detail.audio.push(AudioDetail {
                channels: audio.channels,
                codec: track.codec,
                language: track.language.as_deref().unwrap_or("UNK"),
                sample_rate: audio.sample_rate,
                stream_id: track.stream + 1,
            }),
            TrackKind::Data => {}
        }
    }
    detail
}
