//! Files that are generated and committed: written, or checked to be what would be written.

use std::{fs, path::Path};

use crate::Outcome;

/// What to do with a generated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Make it so.
    Write,
    /// Fail when it is not so.
    Check,
}

/// Options of the generating commands.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail when a file is not what would be written.
    #[arg(long)]
    check: bool,
}

impl Arguments {
    /// The chosen mode.
    pub(crate) fn mode(&self) -> Mode {
        if self.check { Mode::Check } else { Mode::Write }
    }
}

/// Makes `path` hold `text`, or checks that it does; `command` tells how to mend it.
pub(crate) fn settle(path: &Path, text: &str, mode: Mode, command: &str) -> Outcome {
    let current = fs::read_to_string(path).unwrap_or_default();
    match mode {
        _ if current == text => Ok(()),
        Mode::Check => Err(format!("{} is stale; run `{command}`", path.display())),
        Mode::Write => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
            }
            fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
        }
    }
}
