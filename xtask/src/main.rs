//! `cargo xtask`: everything a developer or a newcomer runs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a build tool talks on the terminal")]

mod bench;
mod ci;
mod demo;
mod diagram;
mod generated;
mod home;
mod schemas;
mod shell;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Vodline's build tool.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up, build, start the local home, put a video through it, print where to watch it, and stay up.
    Demo(demo::Arguments),
    /// Run every test, the browser's included; installs what they need.
    Test(ci::TestArguments),
    /// What CI runs: format, lints, generated files, documentation, and every test.
    Ci,
    /// Write the JSON Schemas of the contracts into `schemas/`.
    Schemas(generated::Arguments),
    /// Draw the state machines into ARCHITECTURE.md.
    Diagram(generated::Arguments),
    /// Measure, side by side with a peer or a floor.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => ci::test(&arguments),
        Command::Ci => ci::ci(),
        Command::Schemas(arguments) => schemas::run(arguments.mode()),
        Command::Diagram(arguments) => diagram::run(arguments.mode()),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a build tool's functions return: words for the person at the terminal.
type Outcome<T = ()> = Result<T, String>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::Mode;

    #[test]
    fn schemas_are_fresh() {
        assert_eq!(schemas::run(Mode::Check), Ok(()));
    }

    #[test]
    fn diagrams_are_fresh() {
        assert_eq!(diagram::run(Mode::Check), Ok(()));
    }
}
