//! `cargo xtask bench media`: transcoding, packaging and delivery, each beside a peer or a floor in the same run.

mod edge;
mod packager;
mod transcode;
mod viewers;

use crate::{
    Outcome,
    home::{self, Profile},
    tools,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measure only this part.
    #[arg(long)]
    only: Option<Part>,
    /// Measure the quick-to-build programs instead of the release.
    #[arg(long)]
    dev: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The ladder with all its output groups, against bare ffmpeg.
    Transcode,
    /// Segments made just in time, against nginx and ready-made files.
    Packager,
    /// Cache hits, against nginx and Varnish.
    Edge,
    /// Five hundred viewers at real pace.
    Viewers,
}

/// One line of the result: a figure, and what it is held against.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// Our figure and the peer's, in words with units.
    pub(crate) figures: String,
    /// Ours over the peer's; `None` where the figure has an absolute aim.
    pub(crate) ratio: Option<f64>,
    /// The aim in words, such as `at least 0.7`.
    pub(crate) aim: &'static str,
    /// Whether the aim was met.
    pub(crate) met: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let profile = if arguments.dev { Profile::Dev } else { Profile::Release };
    tools::ffmpeg()?;
    tools::peers()?;
    home::build(profile)?;
    let parts = [Part::Transcode, Part::Packager, Part::Edge, Part::Viewers];
    let mut rows = Vec::new();
    for part in parts.into_iter().filter(|part| arguments.only.is_none_or(|only| only == *part)) {
        rows.extend(match part {
            Part::Transcode => transcode::run(profile)?,
            Part::Packager => packager::run(profile)?,
            Part::Edge => edge::run(profile)?,
            Part::Viewers => viewers::run(profile)?,
        });
    }
    println!();
    for row in &rows {
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let verdict = if row.met { "met" } else { "MISSED" };
        println!("{:<44} {:<52} {ratio:>7}   {} ({verdict})", row.what, row.figures, row.aim);
    }
    Ok(())
}
