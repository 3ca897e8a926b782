//! `vodline`: starts the local home; uploads, lists, follows and redrives on either home.
//!
//! Everything but `up` speaks AWS APIs only, so it works alike against the local home (the default) and AWS (`--aws`).

mod commands;
mod error;
mod home;
mod render;
mod row;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{limit_child, logs, redrive, run, runs, status, up, upload, videos};
use error::CliError;
use home::HomeArgs;

/// Video on demand, on AWS or on one machine.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(flatten)]
    home: HomeArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the local home and stay in the foreground.
    Up(up::Arguments),
    /// Say whether the home answers, and where things are; exits 0 once it is ready.
    Status(status::Arguments),
    /// Upload a video and follow its run to the end.
    Upload(upload::Arguments),
    /// List the catalogue, newest first.
    Videos(videos::Arguments),
    /// List runs of the publish machine, newest first.
    Runs(runs::Arguments),
    /// Show one run: states, times, errors.
    Run(run::Arguments),
    /// Run a failed run again from the state that failed.
    Redrive(redrive::Arguments),
    /// Show a function's log.
    Logs(logs::Arguments),
    /// Run a program with limits, ending with its parent (used by the home for ffmpeg).
    #[command(hide = true)]
    LimitChild(limit_child::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(code) => code,
        Err(error) => {
            render::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: Arguments) -> Result<ExitCode, CliError> {
    // A child that only sets limits and becomes another program needs no runtime.
    if let Command::LimitChild(child) = arguments.command {
        return Err(limit_child::run(&child));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|source| CliError::Io { doing: "start".into(), source })?;
    let home = arguments.home;
    runtime.block_on(async {
        match arguments.command {
            Command::Up(arguments) => up::run(&home, arguments).await,
            Command::Status(arguments) => status::run(&home, &arguments).await,
            Command::Upload(arguments) => upload::run(&home, &arguments).await,
            Command::Videos(arguments) => videos::run(&home, &arguments).await,
            Command::Runs(arguments) => runs::run(&home, &arguments).await,
            Command::Run(arguments) => run::run(&home, &arguments).await,
            Command::Redrive(arguments) => redrive::run(&home, &arguments).await,
            Command::Logs(arguments) => logs::run(&home, &arguments).await,
            Command::LimitChild(_) => unreachable!("handled above"),
        }
    })
}
