//! Drives one execution by hand.

use serde_json::Value;
use vodline_asl::{
    Command, Effects, Env, Event, Execution, ExecutionInfo, FailurePhase, Payload, ScheduleTask, SeededRandom,
    StateMachine, TaskId, TimerId, UnixMillis, transition,
};

pub(crate) const LAMBDA: &str = "arn:aws:states:::lambda:invoke";

pub(crate) struct Driver {
    pub(crate) machine: StateMachine,
    pub(crate) execution: Execution,
    pub(crate) now: UnixMillis,
    pub(crate) history: Vec<Value>,
    random: SeededRandom,
}

impl Driver {
    /// A started execution.
    pub(crate) fn start(definition: &Value, input: &Value) -> Self {
        let machine = match StateMachine::parse(&definition.to_string()) {
            Ok(machine) => machine,
            Err(findings) => panic!("{findings:?}"),
        };
        let execution = Execution::new(ExecutionInfo::example("run-1"), Payload::from(input.clone()));
        let random = SeededRandom::new(1);
        let mut driver = Self { machine, execution, now: UnixMillis(1_000_000), history: Vec::new(), random };
        driver.send(Event::Start);
        driver
    }

    /// One event. The execution survives being stored, and pending commands are those that were given and not taken
    /// back.
    pub(crate) fn send(&mut self, event: Event) -> Vec<Command> {
        let before = self.outstanding();
        let mut env = Env { now: self.now, random: &mut self.random };
        let Effects { history, commands } = transition(&self.machine, &mut self.execution, event.clone(), &mut env);
        let stored = serde_json::to_string(&self.execution).unwrap();
        let restored: Execution = serde_json::from_str(&stored).unwrap();
        assert_eq!(restored, self.execution);
        self.check_outstanding(before, &event, &commands);
        self.history.extend(history.iter().map(|event| serde_json::to_value(event).unwrap()));
        commands
    }

    fn outstanding(&self) -> Vec<String> {
        let mut names: Vec<String> = self.execution.pending().iter().filter_map(opened).collect();
        names.extend(self.execution.pending_map_runs().map(|(task, _)| format!("task {}", task.0)));
        names.sort();
        names.dedup();
        names
    }

    /// What a runner would have after the commands is what the execution says is pending.
    fn check_outstanding(&self, mut held: Vec<String>, event: &Event, commands: &[Command]) {
        match event {
            Event::TimerFired { timer } => held.retain(|name| *name != format!("timer {}", timer.0)),
            Event::TaskSucceeded { task, .. }
            | Event::TaskFailed { task, .. }
            | Event::TaskTimedOut { task, .. }
            | Event::MapRunFinished { task, .. } => held.retain(|name| *name != format!("task {}", task.0)),
            _ => {}
        }
        for command in commands {
            let closed = match command {
                Command::CancelTask { task } | Command::CancelMapRun { task } => format!("task {}", task.0),
                Command::CancelTimer { timer } => format!("timer {}", timer.0),
                Command::SetTimer { timer, .. } => format!("timer {}", timer.0),
                _ => String::new(),
            };
            held.retain(|name| *name != closed);
            held.extend(opened(command));
        }
        held.sort();
        assert_eq!(held, self.outstanding(), "after {event:?}");
    }

    /// The open tasks of a state, oldest first.
    pub(crate) fn tasks(&self, state: &str) -> Vec<ScheduleTask> {
        let of_state = |command: Command| match command {
            Command::ScheduleTask(task) if task.state == state => Some(*task),
            _ => None,
        };
        self.execution.pending().into_iter().filter_map(of_state).collect()
    }

    pub(crate) fn task(&self, state: &str) -> TaskId {
        self.tasks(state).first().unwrap_or_else(|| panic!("no open task of '{state}'")).task
    }

    pub(crate) fn succeed(&mut self, state: &str, output: Value) -> Vec<Command> {
        self.send(Event::TaskSucceeded { task: self.task(state), output: output.into() })
    }

    pub(crate) fn fail(&mut self, state: &str, error: &str) -> Vec<Command> {
        let (task, phase) = (self.task(state), FailurePhase::Run);
        self.send(Event::TaskFailed { task, phase, error: Some(error.to_owned()), cause: None })
    }

    /// The timers, soonest first, with how many milliseconds are left.
    pub(crate) fn timers(&self) -> Vec<(i64, TimerId)> {
        let timer = |command: Command| match command {
            Command::SetTimer { timer, at } => Some((at.0 - self.now.0, timer)),
            _ => None,
        };
        let mut timers: Vec<_> = self.execution.pending().into_iter().filter_map(timer).collect();
        timers.sort_by_key(|(left, timer)| (*left, timer.0));
        timers
    }

    /// Time passes until the next timer goes off.
    pub(crate) fn wait(&mut self) -> Vec<Command> {
        let (left, timer) = *self.timers().first().expect("no timer is set");
        // One that is overdue goes off at once.
        self.now = self.now.plus_millis(u64::try_from(left).unwrap_or(0));
        self.send(Event::TimerFired { timer })
    }

    /// The types of the events since the `from`th, without `ExecutionStarted`.
    pub(crate) fn types(&self, from: usize) -> Vec<&str> {
        self.history.iter().skip(from.max(1)).map(|event| event["type"].as_str().unwrap()).collect()
    }

    pub(crate) fn status(&self) -> &'static str {
        self.execution.status().as_str()
    }

    pub(crate) fn output(&self) -> Value {
        self.execution.output().unwrap_or_else(|| panic!("{:?}", self.execution.outcome())).value().clone()
    }
}

fn opened(command: &Command) -> Option<String> {
    Some(match command {
        Command::ScheduleTask(task) => format!("task {}", task.task.0),
        Command::StartMapRun { task, .. } | Command::RedriveMapRun { task, .. } => format!("task {}", task.0),
        Command::SetTimer { timer, .. } => format!("timer {}", timer.0),
        Command::CancelTask { .. }
        | Command::CancelTimer { .. }
        | Command::CancelMapRun { .. }
        | Command::Finish(_) => return None,
    })
}
