//! `cargo xtask bench`: figures as ratios to a peer or a floor, taken in one run.

mod line;
mod media;
mod states;

use crate::Outcome;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// From upload to READY, against a bare ffmpeg that makes the same renditions.
    Line(line::Arguments),
    /// Transcoding, packaging and delivery, against bare ffmpeg, nginx and Varnish.
    Media(media::Arguments),
    /// States per second, against ministack from PyPI.
    States(states::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.what {
        What::Line(arguments) => line::run(arguments),
        What::Media(arguments) => media::run(arguments),
        What::States(arguments) => states::run(arguments),
    }
}
