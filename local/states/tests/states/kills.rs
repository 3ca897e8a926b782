//! SIGKILL at random moments under load: what was acknowledged is there, and goes on.
//!
//! The victim is this test binary again, running [`victim`] alone. `VODLINE_KILLS` asks for more kills than a usual run makes.
#![expect(clippy::print_stdout, reason = "the victim tells the killer what was acknowledged")]

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use vodline_core::{Entropy, SeededEntropy};

use crate::support::{Home, assert_well_formed, function_task, one, waiting_task};

/// Tells the victim where its data are, and which start of it this is.
const DIRECTORY: &str = "VODLINE_STATES_VICTIM";
const ROUND: &str = "VODLINE_STATES_ROUND";

/// Kills in a usual run.
const KILLS: u64 = 20;

/// The victim is killed after at most this many acknowledgements.
const LINES_MAX: f64 = 60.0;

fn machines() -> [(&'static str, Value); 3] {
    let pass = json!({
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Pass", "End": true}},
    });
    [("passes", pass), ("calls", one(function_task("f"))), ("waits", one(waiting_task()))]
}

/// The process that is killed: starts executions for ever. Does nothing unless it is the victim.
#[tokio::test]
async fn victim() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let mut home = Home::at(PathBuf::from(directory), round);
    home.functions(|function, input| {
        if function.ends_with("submit") {
            println!("\ntoken {}", input["token"].as_str().unwrap());
        }
        Some(Ok(input))
    });
    home.start();
    let mut arns = Vec::new();
    for (name, definition) in machines() {
        arns.push(home.machine(name, definition).await);
    }
    for n in 0.. {
        let arn = home.begin(&arns[n % arns.len()], json!({"n": n})).await;
        println!("\nstarted {arn}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let kills = std::env::var("VODLINE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let random = SeededEntropy::new(kills);
    let mut started = Vec::new();
    let mut tokens = HashSet::new();
    for round in 0..kills {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::victim", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, (round + 1).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wanted = (random.unit() * LINES_MAX).ceil();
        let mut seen = 0.0;
        let mut killed = false;
        // What it wrote before it died is still to be read.
        for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(arn) = line.strip_prefix("started ") {
                started.push(arn.to_owned());
                seen += 1.0;
            }
            if let Some(token) = line.strip_prefix("token ") {
                tokens.insert(token.to_owned());
            }
            if seen >= wanted && !killed {
                victim.kill().unwrap();
                killed = true;
            }
        }
        victim.wait().unwrap();
        assert!(killed, "the victim ended by itself");
    }
    let mut home = Home::at(directory.path().to_owned(), kills + 1);
    home.start();
    // Tokens of tasks that the last victim had not handed over come now.
    for arn in &started {
        if arn.contains(":waits:") {
            home.event(arn, "TaskSubmitted").await;
        }
    }
    while let Some((_, payload)) = home.try_called().await {
        tokens.extend(payload["token"].as_str().map(str::to_owned));
    }
    for token in &tokens {
        home.ok("SendTaskSuccess", json!({"taskToken": token, "output": "1"})).await;
    }
    for arn in &started {
        home.until(arn, "SUCCEEDED").await;
        let history = home.history(arn).await;
        assert_well_formed(&history);
        let scheduled = history.iter().filter(|e| e["type"].as_str().unwrap().ends_with("Scheduled")).count();
        assert_eq!(scheduled, usize::from(!arn.contains(":passes:")), "{arn}");
    }
}
