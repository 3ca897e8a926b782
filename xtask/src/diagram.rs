//! Draws the state machines, as Mermaid, into ARCHITECTURE.md.

use std::{fmt::Write as _, fs};

use serde_json::Value;

use crate::{
    Outcome,
    generated::{Mode, settle},
    shell::root,
};

const BEGIN: &str = "<!-- begin diagram: publish (cargo xtask diagram) -->";
const END: &str = "<!-- end diagram: publish -->";

/// Writes or checks the diagram of the publish machine.
pub(crate) fn run(mode: Mode) -> Outcome {
    let definition = root().join("statemachine/publish.asl.json");
    let text =
        fs::read_to_string(&definition).map_err(|error| format!("cannot read {}: {error}", definition.display()))?;
    let machine: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", definition.display()))?;
    let path = root().join("ARCHITECTURE.md");
    let document = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let (before, rest) = document.split_once(BEGIN).ok_or_else(|| format!("{} has no line {BEGIN}", path.display()))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("{} has no line {END}", path.display()))?;
    let drawn = format!("{before}{BEGIN}\n```mermaid\nflowchart TD\n{}```\n{END}{after}", draw(&machine));
    settle(&path, &drawn, mode, "cargo xtask diagram")
}

fn draw(machine: &Value) -> String {
    let mut lines = String::from("    start((start))\n    stop((end))\n");
    states(machine, &mut lines, 1, "start", "stop");
    lines
}

/// One (sub-)machine: `from` leads to its first state, its last states lead to `to`.
fn states(machine: &Value, lines: &mut String, depth: usize, from: &str, to: &str) {
    let indent = "    ".repeat(depth);
    let Some(states_of) = machine["States"].as_object() else { return };
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "{indent}{from} --> {}", text(&machine["StartAt"]));
    for (name, state) in states_of {
        match state["Branches"].as_array() {
            Some(branches) => {
                let _ = writeln!(lines, "{indent}{name}{{{{{name}}}}}");
                let joined = format!("{name}Joined");
                let _ = writeln!(lines, "{indent}{joined}(( ))");
                for branch in branches {
                    states(branch, lines, depth + 1, name, &joined);
                }
                next(state, &joined, to, &indent, lines);
            }
            None => {
                let shape = if state["Resource"].as_str().is_some_and(|r| r.ends_with("waitForTaskToken")) {
                    format!("[/\"{name} (waits)\"/]")
                } else if state["Type"] == "Task" {
                    format!("[{name}]")
                } else {
                    format!("([{name}])")
                };
                let _ = writeln!(lines, "{indent}{name}{shape}");
                next(state, name, to, &indent, lines);
            }
        }
        for catch in state["Catch"].as_array().into_iter().flatten() {
            let errors: Vec<_> = catch["ErrorEquals"].as_array().into_iter().flatten().map(text).collect();
            let _ = writeln!(lines, "{indent}{name} -. {} .-> {}", errors.join(", "), text(&catch["Next"]));
        }
    }
}

fn next(state: &Value, from: &str, to: &str, indent: &str, lines: &mut String) {
    let target = state["Next"].as_str().unwrap_or(to);
    let _ = writeln!(lines, "{indent}{from} --> {target}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
