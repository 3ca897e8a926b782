//! Distributed Maps: the run's own state machine, and how its parent sees it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vodline_asl::map_run::{MapRunCommand, MapRunEvent, MapRunStatus};
use vodline_asl::{Command, Env, Event, MapRun, MapRunOutcome, Outcome, SeededRandom, map_run};

use crate::driver::Driver;

/// A parent in its Map state, with the run it asked for.
struct Running {
    parent: Driver,
    run: MapRun,
    /// The children as they were last stored.
    children: BTreeMap<u64, String>,
    /// Those that were stored last.
    stored: Vec<u64>,
    task: vodline_asl::TaskId,
}

impl Running {
    fn start(fields: Value, input: &Value) -> Self {
        let mut state = json!({"Type": "Map", "Label": "L", "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "X", "States": {"X": {"Type": "Pass", "End": true}}}, "End": true});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let definition = json!({"StartAt": "M", "States": {"M": state}});
        let machine = vodline_asl::StateMachine::parse(&definition.to_string()).unwrap();
        let mut execution =
            vodline_asl::Execution::new(vodline_asl::ExecutionInfo::example("run-1"), input.clone().into());
        let mut random = SeededRandom::new(1);
        let mut env = Env { now: vodline_asl::UnixMillis(1_000_000), random: &mut random };
        let effects = vodline_asl::transition(&machine, &mut execution, Event::Start, &mut env);
        let found = effects.commands.into_iter().find_map(|command| match command {
            Command::StartMapRun { task, run } => Some((task, *run)),
            _ => None,
        });
        let (task, run) = found.expect("a Map Run");
        // The driver starts alike: the random source is seeded.
        Self { parent: Driver::start(&definition, input), run, children: BTreeMap::new(), stored: Vec::new(), task }
    }

    fn send(&mut self, event: MapRunEvent) -> Vec<MapRunCommand> {
        self.store_and_load();
        let mut random = SeededRandom::new(1);
        let mut env = Env { now: self.parent.now, random: &mut random };
        map_run::transition(&self.parent.machine, &mut self.run, event, &mut env)
    }

    /// Stores what changed and loads the run anew; it is the run it was.
    fn store_and_load(&mut self) {
        let whole = serde_json::to_string(&self.run).unwrap();
        self.stored.clear();
        for (index, child) in self.run.take_changed_children() {
            self.children.insert(index, serde_json::to_string(child).unwrap());
            self.stored.push(index);
        }
        // The first time there are no children of their own yet.
        let stored = if self.children.is_empty() {
            whole.clone()
        } else {
            self.run.without_children(|run| serde_json::to_string(run).unwrap())
        };
        self.run = serde_json::from_str(&stored).unwrap();
        self.run.put_children(self.children.values().map(|child| serde_json::from_str(child).unwrap()).collect());
        assert!(serde_json::to_string(&self.run).unwrap() == whole, "the parts make the whole");
    }

    fn ended(&mut self, index: u64, outcome: Outcome) -> Vec<MapRunCommand> {
        self.send(MapRunEvent::ChildFinished { index, execution_arn: format!("child-{index}"), outcome })
    }
}

fn succeeded(output: Value) -> Outcome {
    Outcome::Succeeded { output: output.into() }
}

fn failed() -> Outcome {
    Outcome::Failed { error: Some("E".to_owned()), cause: None }
}

/// Which children the commands start.
fn begun(commands: &[MapRunCommand]) -> Vec<u64> {
    let index = |command: &MapRunCommand| match command {
        MapRunCommand::StartChild { index, .. } => Some(*index),
        _ => None,
    };
    commands.iter().filter_map(index).collect()
}

#[test]
fn a_step_changes_only_the_children_it_touches() {
    let items: Vec<u32> = (0..100).collect();
    let fields = json!({"MaxConcurrency": 2, "ToleratedFailurePercentage": 50});
    let mut map = Running::start(fields, &json!(items));
    map.send(MapRunEvent::Start);
    // Each step stores what the one before it changed.
    map.ended(0, succeeded(json!("a")));
    assert_eq!(map.stored.len(), 100);
    map.ended(1, failed());
    assert_eq!(map.stored, [0, 2]);
    map.ended(7, failed());
    assert_eq!(map.stored, [1, 3]);
    map.ended(7, failed());
    assert_eq!(map.stored, [0; 0], "it does not run");
}

#[test]
fn runs_so_many_children_at_a_time() {
    let mut map = Running::start(json!({"MaxConcurrency": 2}), &json!([1, 2, 3]));
    assert_eq!(begun(&map.send(MapRunEvent::Start)), [0, 1]);
    assert_eq!(begun(&map.run.pending()), [0, 1]);
    assert_eq!(begun(&map.ended(1, succeeded(json!("b")))), [2]);
    assert!(map.ended(1, failed()).is_empty(), "it has ended already");
    let counts = map.run.item_counts();
    assert_eq!((counts.running, counts.succeeded, counts.total), (2, 1, 3));
    map.ended(2, succeeded(json!("c")));
    let commands = map.ended(0, succeeded(json!("a")));
    let expected = MapRunOutcome::Succeeded { output: json!(["a", "b", "c"]).into() };
    assert_eq!(commands, [MapRunCommand::Finish(expected.clone())]);
    map.parent.send(Event::MapRunFinished { task: map.task, outcome: expected });
    assert_eq!(map.parent.output(), json!(["a", "b", "c"]));
}

#[test]
fn ends_when_too_many_fail() {
    let check = |fields: Value, failures_to_end: u64| {
        let mut map = Running::start(fields.clone(), &json!([0, 1, 2, 3]));
        map.send(MapRunEvent::Start);
        for index in 0..4 {
            map.ended(index, failed());
            let is_over = index + 1 >= failures_to_end;
            let expected = if is_over { MapRunStatus::Failed } else { MapRunStatus::Running };
            if index < 3 || is_over {
                assert_eq!(map.run.status(), expected, "{fields} after {}", index + 1);
            }
        }
    };
    check(json!({}), 1);
    check(json!({"ToleratedFailureCount": 2}), 3);
    check(json!({"ToleratedFailurePercentage": 25}), 2);
    check(json!({"ToleratedFailurePercentage": 100}), 5);
    // Whichever comes first.
    check(json!({"ToleratedFailureCount": 3, "ToleratedFailurePercentage": 25}), 2);
}

#[test]
fn a_failed_run_is_redriven_where_it_failed() {
    let mut map = Running::start(json!({"MaxConcurrency": 3}), &json!([1, 2, 3, 4]));
    map.send(MapRunEvent::Start);
    map.ended(0, succeeded(json!("a")));
    let commands = map.ended(1, failed());
    assert_eq!(
        commands[..2],
        [MapRunCommand::StopChild { index: 2 }, MapRunCommand::StopChild { index: 3 }],
        "{commands:?}"
    );
    let Some(MapRunCommand::Finish(outcome)) = commands.last().cloned() else { panic!("{commands:?}") };
    map.parent.send(Event::MapRunFinished { task: map.task, outcome });
    assert_eq!(map.parent.status(), "FAILED");
    let from = map.parent.history.len();
    let commands = map.parent.send(Event::Redrive);
    let Some(Command::RedriveMapRun { task, map_run_arn }) = commands.first() else { panic!("{commands:?}") };
    assert_eq!(map_run_arn, map.run.arn());
    assert_ne!(*task, map.task);
    map.task = *task;
    assert_eq!(map.parent.types(from), ["ExecutionRedriven", "MapRunRedriven"]);
    let commands = map.send(MapRunEvent::Redrive);
    let redriven = [1, 2, 3].map(|index| MapRunCommand::RedriveChild { index });
    assert_eq!(commands, redriven);
    assert_eq!(map.run.redrive_count(), 1);
    for index in 1..4 {
        map.ended(index, succeeded(json!(index)));
    }
    let outcome = map.run.outcome().cloned().unwrap();
    map.parent.send(Event::MapRunFinished { task: map.task, outcome });
    assert_eq!(map.parent.output(), json!(["a", 1, 2, 3]));
}

#[test]
fn limits_can_change_on_the_way() {
    let mut map = Running::start(json!({"MaxConcurrency": 1}), &json!([1, 2, 3]));
    map.send(MapRunEvent::Start);
    let update = |concurrency, count| MapRunEvent::Update {
        max_concurrency: concurrency,
        tolerated_failure_count: count,
        tolerated_failure_percentage: None,
    };
    assert_eq!(begun(&map.send(update(Some(2), Some(1)))), [1]);
    assert_eq!(begun(&map.ended(0, failed())), [2]);
    map.send(update(None, Some(0)));
    assert_eq!(map.run.status(), MapRunStatus::Failed);
}

#[test]
fn reads_and_writes_through_its_runner() {
    let s3 = "arn:aws:states:::s3:";
    let fields = json!({
        "ItemReader": {"Resource": format!("{s3}getObject"), "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
            "Parameters": {"Bucket.$": "$.bucket", "Key": "k"}},
        "ItemSelector": {"row.$": "$$.Map.Item.Value", "bucket.$": "$.bucket"},
        "ItemBatcher": {"MaxItemsPerBatch": 2},
        "ResultWriter": {"Resource": format!("{s3}putObject"), "Parameters": {"Bucket": "out", "Prefix": "p"}}});
    let mut map = Running::start(fields, &json!({"bucket": "b"}));
    let commands = map.send(MapRunEvent::Start);
    let [MapRunCommand::ReadItems(reader)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*reader.arguments.value(), json!({"Bucket": "b", "Key": "k"}));
    assert_eq!((reader.input_type.as_deref(), reader.max_items), (Some("CSV"), Some(2)));
    assert_eq!(map.run.pending(), commands);
    let commands = map.send(MapRunEvent::ItemsRead { items: vec![json!({"c": 1}), json!({"c": 2}), json!({"c": 3})] });
    let input = json!({"Items": [{"row": {"c": 1}, "bucket": "b"}, {"row": {"c": 2}, "bucket": "b"}]});
    assert_eq!(commands, [MapRunCommand::StartChild { index: 0, input: input.into(), items: 2 }]);
    let commands = map.ended(0, succeeded(json!(1)));
    let [MapRunCommand::WriteResults(writer)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*writer.arguments.value(), json!({"Bucket": "out", "Prefix": "p"}));
    assert_eq!(map.run.results().count(), 1);
    let output =
        json!({"MapRunArn": map.run.arn(), "ResultWriterDetails": {"Bucket": "out", "Key": "p/manifest.json"}});
    map.send(MapRunEvent::ResultsWritten { output: output.clone().into() });
    assert_eq!(map.run.outcome(), Some(&MapRunOutcome::Succeeded { output: output.into() }));
    assert_eq!(map.run.item_counts().results_written, 2);
}

#[test]
fn a_reader_that_fails_can_be_caught_by_name() {
    let reader = json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}, "Parameters": {"Bucket": "b", "Key": "k"}}});
    let mut map = Running::start(reader, &json!({}));
    map.send(MapRunEvent::Start);
    map.send(MapRunEvent::ReadFailed { cause: "no such key".to_owned() });
    let outcome = map.run.outcome().cloned().unwrap();
    map.parent.send(Event::MapRunFinished { task: map.task, outcome });
    let details = &map.parent.history.last().unwrap()["executionFailedEventDetails"];
    assert_eq!(*details, json!({"error": "States.ItemReaderFailed", "cause": "no such key"}));
}

#[test]
fn a_stopped_parent_stops_its_run() {
    let mut map = Running::start(json!({}), &json!([1]));
    map.send(MapRunEvent::Start);
    let from = map.parent.history.len();
    let commands = map.parent.send(Event::Stop { error: None, cause: None });
    assert_eq!(commands[0], Command::CancelMapRun { task: map.task });
    assert_eq!(map.parent.types(from), ["MapRunAborted", "MapStateAborted", "ExecutionAborted"]);
    let commands = map.send(MapRunEvent::Stop);
    assert_eq!(commands[0], MapRunCommand::StopChild { index: 0 });
    assert_eq!(map.run.status(), MapRunStatus::Aborted);
    let redriven = map.parent.send(Event::Redrive);
    assert!(matches!(redriven[0], Command::RedriveMapRun { .. }));
    assert_eq!(map.send(MapRunEvent::Redrive), [MapRunCommand::RedriveChild { index: 0 }]);
}

/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>.
#[test]
fn a_run_is_redriven_a_thousand_times_at_most() {
    let mut map = Running::start(json!({}), &json!([1]));
    map.send(MapRunEvent::Start);
    for _ in 0..1_000 {
        map.ended(0, failed());
        assert_eq!(map.send(MapRunEvent::Redrive), [MapRunCommand::RedriveChild { index: 0 }]);
    }
    map.ended(0, failed());
    let commands = map.send(MapRunEvent::Redrive);
    let [MapRunCommand::Finish(MapRunOutcome::Failed { error, .. })] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((error.as_deref(), map.run.redrive_count()), (Some("States.Runtime"), 1_000));
}
