//! One of everything, so that a test says only what it is about.

use jiff::Timestamp;
use vodline_contracts::{
    VideoId,
    job::{JobOutputs, Rendition},
    playback::{PlaybackPaths, Receipt},
    source::{AudioRung, AudioTrack, CostEstimate, Packaging, Rung, Source, SourceFacts, VideoTrack},
    steps::{Run, StartJobInput},
    video::Video,
};
use vodline_step::time::rfc3339;

/// The execution of [`video`].
pub const EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:publish:first";
/// Another one.
pub const OTHER_EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:publish:second";

/// So many seconds after the epoch of the tests.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
}

/// A call from [`EXECUTION`].
#[must_use]
pub fn run(state: &str) -> Run {
    Run { execution_arn: EXECUTION.to_owned(), state: state.to_owned(), retry_count: 0 }
}

/// An upload.
#[must_use]
pub fn source() -> Source {
    Source {
        bucket: "uploads".to_owned(),
        key: "uploads/7f/A cat & a dog.mp4".to_owned(),
        version_id: Some("3HL4kqtJvjVBH40Nrjfkd".to_owned()),
        etag: "9b2cf535f27731c974343645a3985328".to_owned(),
        size_bytes: 1_000_000,
    }
}

/// The video of [`source`].
#[must_use]
pub fn video_id() -> VideoId {
    source().video_id()
}

/// Its row, just admitted.
#[must_use]
pub fn video() -> Video {
    Video::admitted(source(), None, EXECUTION, rfc3339(at(0)))
}

/// 20 s of 720p with sound.
#[must_use]
pub fn facts() -> SourceFacts {
    SourceFacts {
        container: "mp4".to_owned(),
        duration_ms: 20_000,
        video: Some(VideoTrack {
            codec: "AVC".to_owned(),
            display_width: 1280,
            display_height: 720,
            rotation_degrees: 0,
            frame_rate: 29.97,
            hdr: None,
        }),
        audio: vec![AudioTrack {
            codec: "AAC".to_owned(),
            channels: 2,
            sample_rate_hz: 48_000,
            language: Some("eng".to_owned()),
        }],
    }
}

/// Its price.
#[must_use]
pub fn cost_estimate() -> CostEstimate {
    CostEstimate { normalised_minutes: 1.5, usd: 0.011_25 }
}

/// The ladder of [`facts`].
#[must_use]
pub fn ladder() -> Vec<Rung> {
    [("360p", 640, 360, 1_000_000), ("540p", 960, 540, 2_000_000), ("720p", 1280, 720, 3_000_000)]
        .map(|(name, width, height, max_bitrate_bps)| Rung { name: name.to_owned(), width, height, max_bitrate_bps })
        .to_vec()
}

/// A call of StartJob for [`ladder`].
#[must_use]
pub fn start_job(task_token: &str) -> StartJobInput {
    StartJobInput {
        run: run("StartJob"),
        video_id: video_id(),
        source: source(),
        facts: facts(),
        ladder: ladder(),
        audio_ladder: Vec::new(),
        packaging: Packaging::MediaPackage,
        task_token: task_token.to_owned(),
    }
}

/// A call of StartJob for sound alone.
#[must_use]
pub fn start_job_of_sound(task_token: &str) -> StartJobInput {
    StartJobInput {
        facts: SourceFacts { video: None, ..facts() },
        ladder: Vec::new(),
        audio_ladder: [("64k", 64_000), ("128k", 128_000)]
            .map(|(name, bitrate_bps)| AudioRung { name: name.to_owned(), bitrate_bps })
            .to_vec(),
        packaging: Packaging::Direct,
        ..start_job(task_token)
    }
}

/// What the job of [`ladder`] made.
#[must_use]
pub fn job_outputs(job_id: &str) -> JobOutputs {
    let prefix = format!("s3://media/{}", video_id().media_prefix());
    JobOutputs {
        job_id: job_id.to_owned(),
        duration_ms: 20_000,
        hls_playlist_uri: format!("{prefix}hls/master.m3u8"),
        dash_manifest_uri: Some(format!("{prefix}dash/manifest.mpd")),
        mp4_uri: Some(format!("{prefix}mp4/video_720p.mp4")),
        poster_uri: Some(format!("{prefix}images/video_poster.0000001.jpg")),
        last_thumbnail_uri: Some(format!("{prefix}images/video_thumbnail.0000019.jpg")),
        renditions: ladder()
            .into_iter()
            .map(|rung| Rendition {
                name: rung.name,
                width: Some(rung.width),
                height: Some(rung.height),
                average_bitrate_bps: Some(rung.max_bitrate_bps / 2),
            })
            .collect(),
        warnings: Vec::new(),
    }
}

/// A site's address of the HLS endpoint.
#[must_use]
pub fn playback() -> PlaybackPaths {
    PlaybackPaths { hls: Some("/v/vodline-1/out/v1/a/b/c/index.m3u8".to_owned()), ..PlaybackPaths::default() }
}

/// The proof that it plays.
#[must_use]
pub fn receipt() -> Receipt {
    Receipt {
        verified_at: rfc3339(at(60)),
        master_path: "/v/vodline-1/out/v1/a/b/c/index.m3u8".to_owned(),
        renditions: Vec::new(),
        manifests: Vec::new(),
        bytes_fetched: 1234,
    }
}
