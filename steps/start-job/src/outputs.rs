//! What a finished job made, told from the job itself. Its event says it better, with paths; this is for when the event was
//! lost.

use vodline_contracts::{
    job::{JobOutputs, Rendition},
    source::Rung,
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
pub fn of_plan(job_id: &str, paths: &Paths, ladder: &[Rung], duration_ms: u64, warnings: Vec<u32>) -> JobOutputs {
    let rendition = |rung: &Rung| Rendition {
        name: rung.name.clone(),
        width: rung.width,
        height: rung.height,
        average_bitrate_bps: None,
    };
    JobOutputs {
        job_id: job_id.to_owned(),
        duration_ms,
        hls_playlist_uri: paths.hls_playlist.clone(),
        dash_manifest_uri: Some(paths.dash_manifest.clone()),
        mp4_uri: Some(paths.mp4.clone()),
        poster_uri: Some(paths.poster.clone()),
        renditions: ladder.iter().map(rendition).collect(),
        warnings,
    }
}
