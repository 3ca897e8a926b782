//! MediaConvert on one machine: the API, and its jobs run with ffmpeg in one decode.
//!
//! | module | its one task |
//! |---|---|
//! | `api` | AWS's requests and answers |
//! | `job` | CreateJob's settings as strict types |
//! | `source` | what a file is, by ffprobe |
//! | `plan` | settings and source to ffmpeg's command lines; pure |
//! | `run` | one ffmpeg process: progress, limits, end |
//! | `chunk` | accelerated transcoding: the same command line in chunks, side by side |
//! | `transcode` | the processes of one job, and what they noted down |
//! | `measure` | quality and black parts, from what ffmpeg notes down |
//! | `publish` | names, playlists, manifests, and what COMPLETE says of them |
//! | `work` | one job from probing to publication |
//! | `service` | changes of state, and the loop that runs jobs |
//! | `queue` | whose turn it is, and hops from queue to queue |
//! | `definition`, `template` | queues, job templates and presets as they are kept, and what becomes of a job that names them |
//! | `record`, `store`, `event` | a job as it is kept, where, and as the bus hears of it |
//!
//! Only the API and [`MediaConvert::open`], [`MediaConvert::run`] are public.

mod api;
mod chunk;
mod definition;
mod event;
mod job;
mod measure;
mod plan;
mod publish;
mod queue;
mod record;
mod run;
mod service;
mod source;
mod store;
mod template;
mod transcode;
mod work;

pub use run::Limits;
pub use service::{Config, MediaConvert, OpenError};
