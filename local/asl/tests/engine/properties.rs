//! Whatever the definition, the input and the order of events: no panic, no loop without an end, a history in order.

use proptest::prelude::*;
use serde_json::{Value, json};
use vodline_asl::{
    Command, Env, Event, Execution, ExecutionInfo, FailurePhase, Payload, SeededRandom, StateMachine, TaskId, TimerId,
    UnixMillis, transition,
};

use crate::driver::LAMBDA;

/// The states of a made-up scope. Names are made unique once the machine is put together.
const NAMES: [&str; 4] = ["S0", "S1", "S2", "S3"];

/// Appends the way to a scope to the names of its states and of the variables they assign: no inner scope may assign a
/// variable of an outer one.
fn with_unique_names(value: Value, suffix: &str) -> Value {
    let named = |name: &Value| format!("{}{suffix}", name.as_str().unwrap_or_default());
    match value {
        Value::Object(fields) => {
            let of_field = |(at, (key, value)): (usize, (String, Value))| {
                let value = match (key.as_str(), value) {
                    ("States", Value::Object(states)) => {
                        let state = |(name, state)| (format!("{name}{suffix}"), with_unique_names(state, suffix));
                        states.into_iter().map(state).collect()
                    }
                    ("StartAt" | "Next" | "Default", name @ Value::String(_)) => named(&name).into(),
                    ("Branches", Value::Array(branches)) => {
                        let branch = |(i, branch)| with_unique_names(branch, &format!("{suffix}-{at}.{i}"));
                        branches.into_iter().enumerate().map(branch).collect()
                    }
                    ("Assign", Value::Object(fields)) => {
                        let way = suffix.replace(['-', '.'], "_");
                        let renamed = |(key, value): (String, Value)| match key.strip_suffix(".$") {
                            Some(name) => (format!("{name}{way}.$"), value),
                            None => (format!("{key}{way}"), value),
                        };
                        fields.into_iter().map(renamed).collect()
                    }
                    ("ItemProcessor", processor) => with_unique_names(processor, &format!("{suffix}-{at}")),
                    (_, value) => with_unique_names(value, suffix),
                };
                (key, value)
            };
            fields.into_iter().enumerate().map(of_field).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| with_unique_names(item, suffix)).collect(),
        other => other,
    }
}

/// The same for each fork in a scope of its own.
fn numbered(mut scope: Value) -> Value {
    if let Some(states) = scope["States"].as_object_mut() {
        for (at, state) in states.values_mut().enumerate() {
            let forks = state["Branches"].is_array() || state["ItemProcessor"].is_object();
            if forks {
                let outer: Vec<(&str, Value)> =
                    ["Next", "Catch"].into_iter().filter_map(|key| Some((key, state.get(key)?.clone()))).collect();
                *state = with_unique_names(state.take(), &format!("-{at}"));
                for (key, value) in outer {
                    state[key] = value;
                }
            }
        }
    }
    scope
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_i64..9).prop_map(Value::from),
        Just(json!(1.5)),
        "[a-c]{0,3}".prop_map(Value::from),
        Just(json!("2026-11-22T00:00:00Z")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn path() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        "$",
        "$.a",
        "$.b",
        "$.a[0]",
        "$.a[*].b",
        "$..c",
        "$[0]",
        "$$.Execution.Input",
        "$v",
        "$.a[?(@.b > 1)]",
    ])
    .prop_map(Value::from)
}

fn expression() -> impl Strategy<Value = Value> {
    let sources = vec![
        "$states.input",
        "$states.input.a",
        "$states.result",
        "$states.errorOutput",
        "$states.context.State.Name",
        "$v",
        "$count($states.input)",
        "$states.input.a + 1",
        "[1..3]",
        "true",
        "$exists($states.input.a)",
        "$random()",
        "$map([1,2], function($x) { $x * 2 })",
        "$error('boom')",
    ];
    prop::sample::select(sources).prop_map(|source| format!("{{% {source} %}}").into())
}

fn next() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(json!({"End": true})),
        3 => prop::sample::select(&NAMES[..]).prop_map(|name| json!({"Next": name})),
    ]
}

fn rescue() -> impl Strategy<Value = Value> {
    let names = || prop::sample::select(vec!["States.ALL", "States.TaskFailed", "States.Timeout", "E"]);
    let retry = names().prop_map(|name| json!({"Retry": [{"ErrorEquals": [name], "MaxAttempts": 2, "BackoffRate": 1.5, "JitterStrategy": "FULL"}]}));
    let catch = (names(), prop::sample::select(&NAMES[..]))
        .prop_map(|(name, next)| json!({"Catch": [{"ErrorEquals": [name], "Next": next}]}));
    prop_oneof![Just(json!({})), retry, catch]
}

fn merged(parts: Vec<Value>) -> Value {
    let fields = parts.into_iter().filter_map(|part| part.as_object().cloned());
    Value::Object(fields.flatten().collect())
}

fn flow() -> impl Strategy<Value = Value> {
    let jsonpath = (path(), path(), path())
        .prop_map(|(input, output, of)| json!({"InputPath": input, "OutputPath": output, "Assign": {"v.$": of}}));
    let jsonata = (expression(), expression())
        .prop_map(|(output, of)| json!({"QueryLanguage": "JSONata", "Output": output, "Assign": {"v": of}}));
    prop_oneof![Just(json!({})), jsonpath, jsonata]
}

fn scope(states: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Value> {
    prop::collection::vec(states, NAMES.len()).prop_map(|states| {
        // The first reaches every other, so that none is refused for not being reachable.
        let choices: Vec<Value> =
            NAMES.iter().map(|name| json!({"Variable": "$", "IsNull": true, "Next": name})).collect();
        let mut all = serde_json::Map::new();
        all.insert("Way".to_owned(), json!({"Type": "Choice", "Choices": choices, "Default": NAMES[0]}));
        all.extend(NAMES.iter().map(|name| (*name).to_owned()).zip(states));
        json!({"StartAt": "Way", "States": all})
    })
}

fn simple_state() -> impl Strategy<Value = Value> + Clone {
    let task = json!({"Type": "Task", "Resource": format!("{LAMBDA}.waitForTaskToken"), "TimeoutSeconds": 60, "HeartbeatSeconds": 9});
    let work = prop_oneof![Just(json!({"Type": "Pass"})), Just(json!({"Type": "Wait", "Seconds": 1})), Just(task),];
    let simple = (work, flow(), next()).prop_map(|(work, flow, next)| merged(vec![flow, work, next]));
    let task = (rescue(), next(), path()).prop_map(|(rescue, next, path)| {
        merged(vec![json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {"a.$": path}}), rescue, next])
    });
    prop_oneof![4 => simple, 2 => task, 1 => Just(json!({"Type": "Succeed"})), 1 => Just(json!({"Type": "Fail", "Error": "E"}))].boxed()
}

fn machine() -> impl Strategy<Value = Value> {
    let inner = scope(simple_state()).boxed();
    let fork = prop_oneof![
        prop::collection::vec(inner.clone(), 1..3)
            .prop_map(|branches| json!({"Type": "Parallel", "Branches": branches})),
        (inner.clone(), path()).prop_map(
            |(inner, items)| json!({"Type": "Map", "ItemProcessor": inner, "ItemsPath": items, "MaxConcurrency": 2})
        ),
        (inner, expression()).prop_map(
            |(inner, items)| json!({"Type": "Map", "QueryLanguage": "JSONata", "ItemProcessor": inner, "Items": items})
        ),
    ];
    let fork = (fork, rescue(), next()).prop_map(|(fork, rescue, next)| {
        let rescue = if fork["QueryLanguage"].is_null() { rescue } else { json!({}) };
        merged(vec![fork, rescue, next])
    });
    scope(prop_oneof![3 => simple_state(), 2 => fork].boxed()).prop_map(numbered)
}

/// A turn of the outside world.
fn event() -> impl Strategy<Value = (u8, u64, Value)> {
    (0_u8..10, 0_u64..40, json_value())
}

fn as_event(execution: &Execution, (kind, id, value): (u8, u64, Value)) -> Event {
    // Mostly about what is open, now and then about anything.
    let open: Vec<Command> = execution.pending();
    let of = usize::try_from(id).unwrap().checked_rem(open.len()).and_then(|at| open.get(at));
    let (task, timer) = match of {
        Some(Command::ScheduleTask(task)) => (task.task, TimerId(id)),
        Some(Command::SetTimer { timer, .. }) => (TaskId(id), *timer),
        _ => (TaskId(id), TimerId(id)),
    };
    let output = Payload::from(value);
    match kind {
        0 => Event::TaskStarted { task, worker: None },
        1 => Event::TaskSubmitted { task, output },
        2 | 3 => Event::TaskSucceeded { task, output },
        4 => Event::TaskFailed { task, phase: FailurePhase::Run, error: Some("E".to_owned()), cause: None },
        5 => Event::TaskHeartbeat { task },
        6 if id == 0 => Event::Stop { error: None, cause: None },
        7 => Event::Redrive,
        _ => Event::TimerFired { timer },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_definition_never_panics(definition in machine(), input in json_value(), events in prop::collection::vec(event(), 0..40)) {
        let machine = StateMachine::parse(&definition.to_string());
        prop_assert!(machine.is_ok(), "{:?}", machine.err());
        let machine = machine.unwrap();
        let mut execution = Execution::new(ExecutionInfo::example("run"), input.into());
        let mut random = SeededRandom::new(7);
        let mut last = 0;
        let mut now = UnixMillis(1_000);
        let mut drive = |execution: &mut Execution, event: Event| {
            if let Event::TimerFired { timer: fired } = event {
                let due = execution.pending().into_iter().find_map(|command| match command {
                    Command::SetTimer { timer, at } if timer == fired => Some(at),
                    _ => None,
                });
                now = now.max(due.unwrap_or(now));
            }
            let mut env = Env { now, random: &mut random };
            let effects = transition(&machine, execution, event, &mut env);
            for event in &effects.history {
                assert_eq!(event.id, last + 1);
                assert!(event.previous_event_id <= last);
                last = event.id;
            }
            let finishes = effects.commands.iter().filter(|command| matches!(command, Command::Finish(_))).count();
            assert!(finishes <= 1);
            let stored = serde_json::to_string(execution).unwrap();
            assert_eq!(*execution, serde_json::from_str(&stored).unwrap());
            if execution.outcome().is_some() {
                assert!(execution.pending().is_empty());
            } else {
                let waits = execution.pending().len() + execution.pending_map_runs().count();
                assert!(waits > 0, "it runs, and yet nothing is pending");
            }
        };
        drive(&mut execution, Event::Start);
        for event in events {
            let event = as_event(&execution, event);
            drive(&mut execution, event);
        }
    }

    #[test]
    fn any_text_is_a_definition_or_not(text in "\\PC{0,200}") {
        let _ = StateMachine::parse(&text);
    }

    #[test]
    fn any_json_is_a_definition_or_not(value in json_value(), field in "StartAt|States|Type|QueryLanguage|TimeoutSeconds|Version") {
        let mut definition = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
        definition[&field] = value.clone();
        let _ = StateMachine::parse(&definition.to_string());
        for state in ["Task", "Wait", "Choice", "Parallel", "Map", "Fail"] {
            for name in ["Resource", "Parameters", "Seconds", "Choices", "Branches", "ItemProcessor", "Retry", "Catch", "Assign", "ItemReader", "Next"] {
                let definition = json!({"StartAt": "A", "States": {"A": {"Type": state, name: value.clone(), "End": true}}});
                let _ = StateMachine::parse(&definition.to_string());
            }
        }
    }
}
