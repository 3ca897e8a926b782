//! Any text is a definition or is refused; an accepted one starts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vodline_asl::{Env, Event, Execution, ExecutionInfo, Payload, SeededRandom, StateMachine, UnixMillis, transition};

fuzz_target!(|text: &str| {
    let Ok(machine) = StateMachine::parse(text) else { return };
    let mut execution = Execution::new(ExecutionInfo::example("fuzz"), Payload::default());
    let mut random = SeededRandom::new(1);
    transition(&machine, &mut execution, Event::Start, &mut Env { now: UnixMillis(0), random: &mut random });
});
