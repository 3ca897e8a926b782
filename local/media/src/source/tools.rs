//! The programs that do the work, and how they are started.

use std::{path::Path, path::PathBuf, process::Stdio};

use tokio::process::Command;

/// Where ffmpeg and ffprobe are, and what starts them.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) ffmpeg: PathBuf,
    pub(crate) ffprobe: PathBuf,
    /// A program and its first arguments that sets limits and then becomes what follows it on its command line.
    pub(crate) launcher: Option<(PathBuf, Vec<String>)>,
}

impl Tools {
    /// A command for `program` in `directory`, without standard input, with both outputs piped, killed when dropped.
    ///
    /// Nothing is inherited but `PATH`-like basics: the home's credentials have no business in a process that parses
    /// untrusted bytes.
    pub(crate) fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = match &self.launcher {
            Some((launcher, arguments)) => {
                let mut command = Command::new(launcher);
                command.args(arguments).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.env_clear();
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // Plain text, whatever the owner's terminal is like.
        command.env("AV_LOG_FORCE_NOCOLOR", "1").env("LC_ALL", "C.UTF-8");
        command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}
