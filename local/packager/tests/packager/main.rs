//! The packager through its two doors, the API and the egress, on real clips made with ffmpeg.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod api;
mod formats;
mod home;
mod ingest;
mod media;
mod sources;
