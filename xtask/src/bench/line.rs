//! `cargo xtask bench line`.

use crate::Outcome;

#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments) -> Outcome {
    Err("comes with the line".into())
}
