//! What a finished job made, told from the job itself. Its event says it better, with paths; this is for when the event was
//! lost.

use vodline_contracts::{
    job::{JobOutputs, Rendition},
    source::{AudioRung, Rung},
    steps::StartJobInput,
};

use crate::plan::Paths;

/// What `GetJob` tells of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Waiting for the queue, or being worked on.
    Running,
    /// Done.
    Complete {
        /// Length of the video it made, where the service says.
        duration_ms: Option<u64>,
        /// Codes of its warnings.
        warnings: Vec<u32>,
    },
    /// Failed, with MediaConvert's code and words.
    Failed {
        /// Where the service says.
        code: Option<u32>,
        /// Where the service says.
        message: Option<String>,
    },
    /// Canceled by someone.
    Canceled,
}

/// The outputs of a job that was planned like this.
#[must_use]
pub fn of_plan(job_id: &str, paths: &Paths, input: &StartJobInput, duration_ms: u64, warnings: Vec<u32>) -> JobOutputs {
    let rendition = |rung: &Rung| Rendition {
        name: rung.name.clone(),
        width: Some(rung.width),
        height: Some(rung.height),
        average_bitrate_bps: None,
    };
    let sound = |rung: &AudioRung| Rendition {
        name: rung.name.clone(),
        width: None,
        height: None,
        average_bitrate_bps: Some(rung.bitrate_bps),
    };
    let pictures = paths.pictures.as_ref();
    JobOutputs {
        job_id: job_id.to_owned(),
        duration_ms,
        hls_playlist_uri: paths.hls_playlist.clone(),
        dash_manifest_uri: Some(paths.dash_manifest.clone()),
        mp4_uri: pictures.map(|pictures| pictures.mp4.clone()),
        poster_uri: pictures.map(|pictures| pictures.poster.clone()),
        last_thumbnail_uri: pictures.map(|pictures| pictures.last_thumbnail.clone()),
        renditions: input.ladder.iter().map(rendition).chain(input.audio_ladder.iter().map(sound)).collect(),
        warnings,
    }
}
