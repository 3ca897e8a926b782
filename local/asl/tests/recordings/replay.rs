//! A runner in memory: timers fire at once, tasks answer what was recorded, Map Runs run their children.

use std::collections::VecDeque;

use serde_json::{Value, json};
use vodline_asl::map_run::{MapRunCommand, MapRunEvent};
use vodline_asl::{
    Command, Env, Event, Execution, ExecutionInfo, ExecutionKind, FailurePhase, MapRun, MapRunOutcome, Outcome,
    Payload, Resource, ScheduleTask, SeededRandom, StateMachine, TaskId, TimerId, UnixMillis, map_run, transition,
};

use crate::Case;

/// What running a case brought about.
pub(crate) struct Ran {
    /// The history as `GetExecutionHistory` shows it.
    pub(crate) history: Vec<Value>,
}

/// More steps than any recording takes.
const STEPS_MAX: usize = 10_000;

pub(crate) fn run(case: &Case) -> Result<Ran, String> {
    let kind = if case.kind == "EXPRESS" { ExecutionKind::Express } else { ExecutionKind::Standard };
    let machine = StateMachine::parse_for(&case.definition, kind)
        .map_err(|findings| findings.iter().map(|f| format!("{f}\n")).collect::<String>())?;
    // With tasks, the recorded input has the placeholders that the recorded tasks have.
    let recorded = || &case.events[0]["executionStartedEventDetails"]["input"];
    let input = if case.class == "selfcontained" { &case.input } else { recorded() };
    let input = match input {
        Value::String(text) => Payload::parse(text).unwrap_or_else(|_| Payload::from(input.clone())),
        other => Payload::from(other.clone()),
    };
    let mut info = ExecutionInfo::example("run-1");
    info.kind = kind;
    let mut runner = Runner {
        machine,
        execution: Execution::new(info, input),
        answers: Some(Answers::new(&case.events)),
        random: SeededRandom::new(1),
        now: UnixMillis(1_732_307_040_000),
        timers: Vec::new(),
        history: Vec::new(),
    };
    runner.run()?;
    Ok(Ran { history: runner.history })
}

/// What the recorded tasks answered.
struct Answers {
    tasks: VecDeque<Vec<Value>>,
    /// The outputs of the Map states that were left.
    map_outputs: VecDeque<Value>,
}

const SCHEDULED: [&str; 3] = ["TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled"];

impl Answers {
    fn new(events: &[Value]) -> Self {
        let mut tasks: VecDeque<Vec<Value>> = VecDeque::new();
        for event in events {
            let name = event["type"].as_str().unwrap_or_default();
            if SCHEDULED.contains(&name) {
                tasks.push_back(Vec::new());
            } else if ["Task", "LambdaFunction", "Activity"].iter().any(|kind| name.starts_with(kind))
                && !name.starts_with("TaskState")
                && let Some(last) = tasks.back_mut()
            {
                last.push(event.clone());
            }
        }
        let outputs = events.iter().filter(|event| event["type"] == "MapStateExited");
        let map_outputs = outputs.map(|event| event["stateExitedEventDetails"]["output"].clone()).collect();
        Self { tasks, map_outputs }
    }
}

struct Runner {
    machine: StateMachine,
    execution: Execution,
    /// Absent in children: their tasks answer their input.
    answers: Option<Answers>,
    random: SeededRandom,
    now: UnixMillis,
    timers: Vec<(TimerId, UnixMillis)>,
    history: Vec<Value>,
}

impl Runner {
    fn run(&mut self) -> Result<(), String> {
        let mut events = VecDeque::from([Event::Start]);
        for _ in 0..STEPS_MAX {
            let event = match events.pop_front() {
                Some(event) => event,
                None => match self.earliest_timer() {
                    Some(timer) => Event::TimerFired { timer },
                    None => return Err(format!("nothing is pending, status {:?}", self.execution.status())),
                },
            };
            // Every state survives being stored.
            let stored = serde_json::to_string(&self.execution).unwrap();
            self.execution = serde_json::from_str(&stored).unwrap();
            let mut env = Env { now: self.now, random: &mut self.random };
            let effects = transition(&self.machine, &mut self.execution, event, &mut env);
            self.history.extend(effects.history.iter().map(|event| serde_json::to_value(event).unwrap()));
            for command in effects.commands {
                match command {
                    Command::Finish(_) => return Ok(()),
                    Command::ScheduleTask(task) => events.extend(self.answer(&task)?),
                    Command::CancelTask { .. } | Command::CancelMapRun { .. } | Command::RedriveMapRun { .. } => {}
                    Command::SetTimer { timer, at } => {
                        self.timers.retain(|(id, _)| *id != timer);
                        self.timers.push((timer, at));
                    }
                    Command::CancelTimer { timer } => self.timers.retain(|(id, _)| *id != timer),
                    Command::StartMapRun { task, run } => {
                        let outcome = self.run_map(*run)?;
                        events.push_back(Event::MapRunFinished { task, outcome });
                    }
                }
            }
        }
        Err("too many steps".to_owned())
    }

    fn earliest_timer(&mut self) -> Option<TimerId> {
        let (at, (timer, due)) = self.timers.iter().copied().enumerate().min_by_key(|(_, (_, due))| *due)?;
        self.timers.remove(at);
        self.now = self.now.max(due);
        Some(timer)
    }

    fn answer(&mut self, task: &ScheduleTask) -> Result<Vec<Event>, String> {
        let id = task.task;
        let Some(answers) = &mut self.answers else {
            let output = match &task.resource {
                Resource::Service(_) => json!({"Payload": task.arguments.value()}).into(),
                _ => task.arguments.clone(),
            };
            return Ok(vec![Event::TaskSucceeded { task: id, output }]);
        };
        let recorded = answers.tasks.pop_front().ok_or("a task was scheduled that was not recorded")?;
        Ok(recorded.iter().filter_map(|event| as_event(id, event)).collect())
    }

    fn run_map(&mut self, mut run: MapRun) -> Result<MapRunOutcome, String> {
        let machine = run.child_machine(&self.machine);
        let mut events = VecDeque::from([MapRunEvent::Start]);
        while let Some(event) = events.pop_front() {
            let stored = serde_json::to_string(&run).unwrap();
            run = serde_json::from_str(&stored).unwrap();
            let mut env = Env { now: self.now, random: &mut self.random };
            for command in map_run::transition(&self.machine, &mut run, event, &mut env) {
                match command {
                    MapRunCommand::ReadItems(_) => {
                        let output = self.answers.as_mut().and_then(|answers| answers.map_outputs.pop_front());
                        let items = match output.unwrap_or_default() {
                            Value::String(text) => serde_json::from_str(&text).map_err(|e| e.to_string())?,
                            Value::Array(items) => items,
                            other => return Err(format!("{other} is no array")),
                        };
                        events.push_back(MapRunEvent::ItemsRead { items });
                    }
                    MapRunCommand::StartChild { index, input, .. } => {
                        let mut info = ExecutionInfo::example(&format!("child-{index}"));
                        info.kind = run.child_kind();
                        let mut child = Runner {
                            machine: machine.clone(),
                            execution: Execution::new(info, input),
                            answers: None,
                            random: self.random.clone(),
                            now: self.now,
                            timers: Vec::new(),
                            history: Vec::new(),
                        };
                        child.run()?;
                        let outcome =
                            child.execution.outcome().cloned().unwrap_or(Outcome::Aborted { error: None, cause: None });
                        let execution_arn = child.execution.info().arn.clone();
                        events.push_back(MapRunEvent::ChildFinished { index, execution_arn, outcome });
                    }
                    MapRunCommand::WriteResults(_) => {
                        let output = self.answers.as_mut().and_then(|answers| answers.map_outputs.pop_front());
                        events.push_back(MapRunEvent::ResultsWritten { output: output.unwrap_or_default().into() });
                    }
                    MapRunCommand::Finish(outcome) => return Ok(outcome),
                    MapRunCommand::RedriveChild { .. } | MapRunCommand::StopChild { .. } => {}
                }
            }
        }
        Err("the Map Run did not end".to_owned())
    }
}

/// The event that brings about a recorded one. Time-outs come of the engine's own timers.
fn as_event(task: TaskId, recorded: &Value) -> Option<Event> {
    let name = recorded["type"].as_str()?;
    let details = recorded.as_object()?.iter().find(|(key, _)| key.ends_with("Details")).map(|(_, value)| value);
    let details = details.cloned().unwrap_or_default();
    let text = |key: &str| match &details[key] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let output = || match &details["output"] {
        Value::String(text) => Payload::parse(text).unwrap_or_else(|_| Payload::from(details["output"].clone())),
        other => Payload::from(other.clone()),
    };
    if name.ends_with("Started") {
        return Some(Event::TaskStarted { task, worker: text("workerName") });
    }
    if name.ends_with("Submitted") {
        return Some(Event::TaskSubmitted { task, output: output() });
    }
    if name.ends_with("Succeeded") {
        return Some(Event::TaskSucceeded { task, output: output() });
    }
    let phase = match name {
        _ if name.ends_with("ScheduleFailed") => FailurePhase::Schedule,
        _ if name.ends_with("StartFailed") => FailurePhase::Start,
        _ if name.ends_with("SubmitFailed") => FailurePhase::Submit,
        _ if name.ends_with("Failed") => FailurePhase::Run,
        _ => return None,
    };
    Some(Event::TaskFailed { task, phase, error: text("error"), cause: text("cause") })
}
