//! `vodline limit-child`: sets limits on itself, then becomes another program.
//!
//! The home starts ffmpeg through this, because media files are untrusted: the program ends when the home does, and cannot
//! take more memory, processor time or disk than it was given.

use std::{ffi::OsString, os::unix::process::CommandExt, process::Command};

use clap::Args;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::error::CliError;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Address space in bytes.
    #[arg(long)]
    memory_bytes_max: Option<u64>,
    /// Processor time in seconds.
    #[arg(long)]
    cpu_seconds_max: Option<u64>,
    /// Largest file in bytes.
    #[arg(long)]
    file_bytes_max: Option<u64>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Returns only when it fails.
pub(crate) fn run(arguments: &Arguments) -> CliError {
    match limited(arguments) {
        Ok(mut command) => CliError::Io { doing: "start the limited program".into(), source: command.exec() },
        Err(source) => CliError::Io { doing: "set limits".into(), source: source.into() },
    }
}

fn limited(arguments: &Arguments) -> rustix::io::Result<Command> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    for (resource, limit) in [
        (Resource::As, arguments.memory_bytes_max),
        (Resource::Cpu, arguments.cpu_seconds_max),
        (Resource::Fsize, arguments.file_bytes_max),
    ] {
        if limit.is_some() {
            setrlimit(resource, Rlimit { current: limit, maximum: limit })?;
        }
    }
    // clap's `required` makes sure there is a first.
    let (program, rest) = arguments.command.split_first().unwrap_or_else(|| unreachable!("clap requires a command"));
    let mut command = Command::new(program);
    command.args(rest);
    Ok(command)
}
