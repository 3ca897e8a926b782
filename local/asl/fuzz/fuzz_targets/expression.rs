//! Any JSONPath, intrinsic function call or JSONata expression is refused or evaluates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vodline_asl::{Env, Event, Execution, ExecutionInfo, Payload, SeededRandom, StateMachine, UnixMillis, transition};

const INPUT: &str = r#"{"a": [1, {"b": "c"}, null], "d": {"e": 1.5}}"#;

fn run(definition: &str) {
    let Ok(machine) = StateMachine::parse(definition) else { return };
    let input = Payload::parse(INPUT).unwrap_or_default();
    let mut execution = Execution::new(ExecutionInfo::example("fuzz"), input);
    let mut random = SeededRandom::new(1);
    transition(&machine, &mut execution, Event::Start, &mut Env { now: UnixMillis(0), random: &mut random });
}

fuzz_target!(|text: &str| {
    let path = serde_json::Value::from(text);
    let query = serde_json::Value::from(format!("{{% {text} %}}"));
    run(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Pass","Parameters":{{"x.$":{path}}},"End":true}}}}}}"#));
    run(&format!(
        r#"{{"QueryLanguage":"JSONata","StartAt":"A","States":{{"A":{{"Type":"Pass","Output":{query},"End":true}}}}}}"#
    ));
});
