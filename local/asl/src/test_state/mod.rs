//! One state on its own: AWS's `TestState` as a pure function.
//!
//! [`begin`] evaluates a state up to its work. States without work, and states whose work is mocked, are then
//! [`Tested::Finished`]; a Task without a mock is [`Tested::NeedsTask`], which the caller runs and hands the result to
//! [`TaskTest::finish`].
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>.

mod mock;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value, json};

use crate::choice::decide;
use crate::command::{ScheduleTask, TaskProgress};
use crate::dataflow::{Left, Trace, View};
use crate::diagnostic::Diagnostic;
use crate::engine::{Plan, covers, delay_millis, evaluate_call, plan, wait_until};
use crate::env::Env;
use crate::error::{ErrorName, StateError};
use crate::event::TaskId;
use crate::facts::{Facts, Variables};
use crate::failure::Failure;
use crate::machine::StateMachine;
use crate::machine::model::{Kind, Map, Next, QueryLanguage, State};
use crate::payload::Payload;

/// How much the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InspectionLevel {
    /// The status and the output or error.
    #[default]
    Info,
    /// Also what the data was at each step.
    Debug,
    /// Also raw HTTP requests and responses, for HTTP tasks. Those are not supported, so the same as `DEBUG`.
    Trace,
}

/// How strictly a mocked result is held against the API it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FieldValidationMode {
    /// Required fields must be there, and known fields must have their type.
    #[default]
    Strict,
    /// Known fields that are there must have their type.
    Present,
    /// Anything goes.
    None,
}

/// An error in place of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MockErrorOutput {
    /// The error name.
    #[serde(default)]
    pub error: Option<String>,
    /// The reason.
    #[serde(default)]
    pub cause: Option<String>,
}

/// What stands for the work of a Task, Map or Parallel state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mock {
    /// Its result, JSON text.
    #[serde(default)]
    pub result: Option<String>,
    /// Its error, instead of a result.
    #[serde(default)]
    pub error_output: Option<MockErrorOutput>,
    /// How strictly the result is held against the API.
    #[serde(default)]
    pub field_validation_mode: FieldValidationMode,
}

/// Where in its life the state is tested.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateConfiguration {
    /// How often the retrier that matches the error has been used.
    #[serde(default)]
    pub retrier_retry_count: Option<u32>,
    /// The inner state that a mocked error is said to come from.
    #[serde(default)]
    pub error_caused_by_state: Option<String>,
    /// How many iterations of a Map are said to have failed.
    #[serde(default)]
    pub map_iteration_failure_count: Option<u64>,
    /// What an `ItemReader` is said to have read, JSON text.
    #[serde(default)]
    pub map_item_reader_data: Option<String>,
}

/// A `TestState` request. Deserialises from AWS's JSON; fields it does not know are refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestStateRequest {
    /// The definition of a state, or of a machine with `state_name`.
    pub definition: String,
    /// The state of the machine to test.
    #[serde(default)]
    pub state_name: Option<String>,
    /// The role for a real task.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// The state's input, JSON text; `{}` when absent.
    #[serde(default)]
    pub input: Option<String>,
    /// How much the answer tells.
    #[serde(default)]
    pub inspection_level: InspectionLevel,
    /// Whether secrets show in the raw requests of HTTP tasks.
    #[serde(default)]
    pub reveal_secrets: bool,
    /// Variables, a JSON object in text.
    #[serde(default)]
    pub variables: Option<String>,
    /// The context object, JSON text.
    #[serde(default)]
    pub context: Option<String>,
    /// What stands for the state's work.
    #[serde(default)]
    pub mock: Option<Mock>,
    /// Where in its life the state is tested.
    #[serde(default)]
    pub state_configuration: Option<StateConfiguration>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestStateError {
    /// AWS's `InvalidDefinition`.
    #[error("{0}")]
    InvalidDefinition(String),
    /// AWS's `InvalidExecutionInput`.
    #[error("{0}")]
    InvalidExecutionInput(String),
    /// AWS's `ValidationException`.
    #[error("{0}")]
    Validation(String),
}

impl TestStateError {
    /// The error code of the API.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidDefinition(_) => "InvalidDefinition",
            Self::InvalidExecutionInput(_) => "InvalidExecutionInput",
            Self::Validation(_) => "ValidationException",
        }
    }
}

/// What became of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TestStatus {
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It failed and would be retried.
    Retriable,
    /// It failed and the failure is caught.
    CaughtError,
}

/// Which retrier or catcher matched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetails {
    /// The catcher, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_index: Option<usize>,
    /// The retrier, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_index: Option<usize>,
    /// How long until the retry, before jitter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff_interval_seconds: Option<u64>,
}

/// What the data was at each step, as JSON text. Steps that were not taken are absent.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionData.html>.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectionData {
    /// The raw input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Payload>,
    /// After `Arguments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_arguments: Option<Payload>,
    /// After `InputPath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_input_path: Option<Payload>,
    /// After `Parameters`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_parameters: Option<Payload>,
    /// After `ItemsPath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_items_path: Option<Payload>,
    /// The inputs of the iterations, after `ItemSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_item_selector: Option<Payload>,
    /// The raw result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// After `ResultSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_result_selector: Option<Payload>,
    /// After `ResultPath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_result_path: Option<Payload>,
    /// All variables, after `Assign`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Payload>,
    /// Which retrier or catcher matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_details: Option<ErrorDetails>,
    /// A Map's `MaxConcurrency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u64>,
    /// A Map's `ToleratedFailureCount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated_failure_count: Option<u64>,
    /// A Map's `ToleratedFailurePercentage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated_failure_percentage: Option<f64>,
}

/// The answer, which serialises to AWS's JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestStateResponse {
    /// What became of the state.
    pub status: TestStatus,
    /// Its output, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload>,
    /// Its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The state that would follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_state: Option<String>,
    /// What the data was at each step, at the levels that tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection_data: Option<Box<InspectionData>>,
}

/// How far a test came.
#[derive(Debug, Clone)]
pub enum Tested {
    /// All the way.
    Finished(TestStateResponse),
    /// To a task that must really run.
    NeedsTask(Box<TaskTest>),
}

/// A test that waits for its task.
#[derive(Debug, Clone)]
pub struct TaskTest {
    /// What to run, under [`TestStateRequest::role_arn`].
    pub task: ScheduleTask,
    bench: Bench,
    inspection: InspectionData,
}

impl TaskTest {
    /// Ends the test with what the task answered.
    #[must_use]
    pub fn finish(self, result: Result<Payload, StateError>, env: &mut Env<'_>) -> TestStateResponse {
        let Self { bench, mut inspection, .. } = self;
        match result {
            Ok(result) => bench.succeed(&result, &mut inspection, env),
            Err(error) => {
                let failure = Failure { of_task: true, ..Failure::plain(error.error, error.cause) };
                bench.fail(&failure, &mut inspection, env)
            }
        }
    }
}

/// Tests a state.
///
/// # Errors
/// [`TestStateError`] when the request or the definition in it is refused.
pub fn begin(request: &TestStateRequest, env: &mut Env<'_>) -> Result<Tested, TestStateError> {
    let mocked = match &request.mock {
        Some(mock) => Some(Mocked::read(mock, request)?),
        None => None,
    };
    let bench = Bench::new(request, env)?;
    bench.check(request, mocked.as_ref())?;
    bench.run(request, mocked, env)
}

/// A mock, read.
enum Mocked {
    Result(Payload),
    Error(MockErrorOutput),
}

impl Mocked {
    fn read(mock: &Mock, request: &TestStateRequest) -> Result<Self, TestStateError> {
        let refuse = |message: &str| Err(TestStateError::Validation(message.to_owned()));
        if request.reveal_secrets {
            return refuse("TestState does not support RevealSecrets when a mock is specified.");
        }
        match (&mock.result, &mock.error_output) {
            (Some(_), Some(_)) => refuse("A mock must have either a result or an errorOutput, not both."),
            (None, None) => refuse("A mock must have either a result or an errorOutput."),
            (None, Some(error)) => Ok(Self::Error(error.clone())),
            (Some(result), None) => match Payload::parse(result) {
                Ok(result) => Ok(Self::Result(result)),
                Err(_) => refuse("Mocked result must be valid JSON"),
            },
        }
    }
}

/// The state under test and its surroundings.
#[derive(Debug, Clone)]
struct Bench {
    machine: StateMachine,
    name: String,
    raw: Payload,
    context: Payload,
    variables: Variables,
    level: InspectionLevel,
    configuration: StateConfiguration,
}

impl Bench {
    fn new(request: &TestStateRequest, env: &mut Env<'_>) -> Result<Self, TestStateError> {
        let parsed = match &request.state_name {
            Some(_) => StateMachine::parse(&request.definition),
            None => StateMachine::parse_state(&request.definition),
        };
        let machine = parsed.map_err(|findings| invalid_definition(&findings))?;
        let name = match &request.state_name {
            Some(name) => machine.state_named(name).map(|state| state.name.to_string()),
            None => machine.state_names().next().map(str::to_owned),
        };
        let name = name.ok_or_else(|| TestStateError::Validation("State not found in definition".to_owned()))?;
        let text = request.input.as_deref().unwrap_or("{}");
        let raw = Payload::parse(text).map_err(|error| {
            TestStateError::InvalidExecutionInput(format!("Invalid State Machine Execution Input: '{error}'"))
        })?;
        let context = match &request.context {
            Some(text) => {
                Payload::parse(text).map_err(|_| TestStateError::Validation("Context must be valid JSON".to_owned()))?
            }
            None => made_up_context(request, &raw, env).into(),
        };
        let variables = match request.variables.as_deref().map(serde_json::from_str::<JsonMap<String, Value>>) {
            None => Variables::new(),
            Some(Ok(fields)) => fields.into_iter().map(|(name, value)| (Arc::from(name), value.into())).collect(),
            Some(Err(_)) => {
                return Err(TestStateError::Validation("Variables must be a valid JSON object".to_owned()));
            }
        };
        let level = request.inspection_level;
        let configuration = request.state_configuration.clone().unwrap_or_default();
        Ok(Self { machine, name, raw, context, variables, level, configuration })
    }

    fn state(&self) -> &State {
        let fallback = || self.machine.state(self.machine.root().start_at);
        self.machine.state_named(&self.name).unwrap_or_else(fallback)
    }

    /// Holds the request against the state it is about.
    fn check(&self, request: &TestStateRequest, mocked: Option<&Mocked>) -> Result<(), TestStateError> {
        let refuse = |message: String| Err(TestStateError::Validation(message));
        let state = self.state();
        if mocked.is_none() && self.configuration.map_iteration_failure_count.is_some() {
            return refuse(
                "TestState does not support MapIterationFailureCount when a mock is not specified.".to_owned(),
            );
        }
        match (&state.kind, mocked) {
            (Kind::Map(_) | Kind::Parallel { .. }, None) => Err(TestStateError::InvalidDefinition(
                "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]".to_owned(),
            )),
            (Kind::Task(_), None) if request.role_arn.is_none() => {
                refuse("RoleArn must be specified when testing a Task state".to_owned())
            }
            (Kind::Map(map), Some(Mocked::Result(result))) if map.writer.is_some() && !result.value().is_object() => {
                refuse("Mocked result must be a JSON object.".to_owned())
            }
            (Kind::Map(map), Some(Mocked::Result(result))) if map.writer.is_none() && !result.value().is_array() => {
                refuse("Mocked result must be an array.".to_owned())
            }
            (Kind::Parallel { branches }, Some(Mocked::Result(result))) => match result.value().as_array() {
                None => refuse("Mocked result must be an array.".to_owned()),
                Some(items) if items.len() != branches.len() => refuse(
                    "Mocked result must contain the same number of items as number of Parallel branches.".to_owned(),
                ),
                Some(_) => Ok(()),
            },
            (Kind::Task(task), Some(Mocked::Result(result))) => {
                let mode = request.mock.as_ref().map_or(FieldValidationMode::None, |mock| mock.field_validation_mode);
                mock::check(&task.resource, result.value(), mode)
                    .or_else(|problem| refuse(format!("Mock result schema validation error: {problem}")))
            }
            (Kind::Task(_) | Kind::Map(_) | Kind::Parallel { .. }, _) | (_, None) => Ok(()),
            (kind, Some(_)) => refuse(format!("State type '{}' is not supported when a mock is specified", kind.name())),
        }
    }

    fn run(
        self,
        request: &TestStateRequest,
        mocked: Option<Mocked>,
        env: &mut Env<'_>,
    ) -> Result<Tested, TestStateError> {
        let mut inspection = InspectionData { input: Some(self.raw.clone()), ..InspectionData::default() };
        let worked = self.work(&mut inspection, env)?;
        let finished = match (worked, mocked) {
            (Ok(Work::Left(left, next)), _) => self.left(left, next, &mut inspection),
            (Ok(Work::Failed(failure)) | Err(failure), _) => self.fail(&failure, &mut inspection, env),
            (Ok(Work::Task(mut task)), None) => {
                task.role_arn = task.role_arn.or_else(|| request.role_arn.clone());
                return Ok(Tested::NeedsTask(Box::new(TaskTest { task: *task, bench: self, inspection })));
            }
            (Ok(Work::Task(_) | Work::Children), Some(Mocked::Result(result))) => {
                self.succeed(&result, &mut inspection, env)
            }
            (Ok(Work::Task(_)), Some(Mocked::Error(error))) => {
                let failure = Failure { of_task: true, ..Failure::plain(error.error, error.cause) };
                self.fail(&failure, &mut inspection, env)
            }
            (Ok(Work::Children), Some(Mocked::Error(error))) => {
                self.fail(&Failure::plain(error.error, error.cause), &mut inspection, env)
            }
            // Refused before: these states need a mock.
            (Ok(Work::Children), None) => self.fail(&Failure::plain(None, None), &mut inspection, env),
        };
        Ok(Tested::Finished(finished))
    }

    fn view<T>(
        &self,
        env: &mut Env<'_>,
        body: impl FnOnce(&View<'_, '_>, &Facts<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let facts = Facts::new(|| self.context.value().clone(), vec![&self.variables], env);
        let view = View::new(self.state(), &self.raw, &facts);
        body(&view, &facts)
    }

    /// Does the state's work, or gets as far as where it would begin.
    fn work(
        &self,
        inspection: &mut InspectionData,
        env: &mut Env<'_>,
    ) -> Result<Result<Work, Failure>, TestStateError> {
        let mut trace = Trace::default();
        let now = env.now;
        let state = self.state();
        let worked = match &state.kind {
            Kind::Pass { result } => self.view(env, |view, _| {
                view.leave_pass(result.as_ref(), &mut trace).map(|left| Work::Left(left, state.next))
            }),
            Kind::Succeed => self.view(env, |view, _| {
                let input = view.input(&mut trace)?;
                view.leave_with_input(&input).map(|left| Work::Left(left, state.next))
            }),
            Kind::Wait(wait) => self.view(env, |view, facts| {
                let input = view.input(&mut trace)?;
                wait_until(wait, view, facts, &input, now)?;
                view.leave_with_input(&input).map(|left| Work::Left(left, state.next))
            }),
            Kind::Fail { error, cause } => self.view(env, |view, _| {
                let input = view.input(&mut trace)?;
                let text = |field: Option<&_>, name| field.map(|field| view.text(field, name, &input)).transpose();
                Ok(Work::Failed(Failure::plain(text(error.as_ref(), "Error")?, text(cause.as_ref(), "Cause")?)))
            }),
            Kind::Choice(choice) => self.view(env, |view, _| {
                let input = view.input(&mut trace)?;
                let rule = decide(choice, view, &input)?;
                let rule = rule.and_then(|index| Some((index, choice.rules.get(index)?)));
                let no_way_out = || {
                    Failure::runtime("Failed to transition out of the state. The state does not point to a next state.")
                };
                let next = rule.map(|(_, rule)| rule.next).or(choice.default).ok_or_else(no_way_out)?;
                view.leave_choice(&input, rule).map(|left| Work::Left(left, Next::State(next)))
            }),
            Kind::Task(task) => self.view(env, |view, _| {
                let call = evaluate_call(view, task, &mut trace)?;
                Ok(Work::Task(Box::new(ScheduleTask {
                    task: TaskId(0),
                    state: call.state,
                    resource: (*call.resource).clone(),
                    arguments: call.arguments,
                    token: None,
                    role_arn: call.role_arn,
                    timeout_seconds: call.timeout_seconds,
                    heartbeat_seconds: call.heartbeat_seconds,
                    retry_count: 0,
                    progress: TaskProgress::Scheduled,
                })))
            }),
            Kind::Parallel { .. } => self.view(env, |view, _| {
                let input = view.input(&mut trace)?;
                view.arguments(&input, &mut trace)?;
                Ok(Work::Children)
            }),
            Kind::Map(map) => self.map(map, &mut trace, inspection, env)?,
        };
        copy(trace, inspection);
        Ok(worked)
    }

    fn map(
        &self,
        map: &Map,
        trace: &mut Trace,
        inspection: &mut InspectionData,
        env: &mut Env<'_>,
    ) -> Result<Result<Work, Failure>, TestStateError> {
        let planned: Result<Plan, Failure> = self.view(env, |view, _| plan(view, map, trace));
        let plan = match planned {
            Ok(plan) => plan,
            Err(failure) => return Ok(Err(failure)),
        };
        inspection.max_concurrency = Some(plan.concurrency);
        inspection.tolerated_failure_count = plan.tolerance.count;
        inspection.tolerated_failure_percentage = plan.tolerance.percentage;
        let items = match (plan.items, &self.configuration.map_item_reader_data) {
            (Some(items), _) => items,
            (None, Some(text)) => serde_json::from_str(text)
                .map_err(|_| TestStateError::Validation("mapItemReaderData must be a JSON array".to_owned()))?,
            (None, None) => Vec::new(),
        };
        if self.state().language == QueryLanguage::JsonPath && map.reader.is_none() {
            inspection.after_items_path = Some(Payload::from(Value::Array(items.clone())));
        }
        let failed = self.configuration.map_iteration_failure_count.unwrap_or(0);
        if failed > items.len() as u64 {
            let message = "Map iteration failure count must be less than or equal to the number of Map iterations";
            return Err(TestStateError::Validation(message.to_owned()));
        }
        if let Some(selector) = &map.item_selector {
            match self.select(selector, &plan.input, &items, env) {
                Ok(selected) => inspection.after_item_selector = Some(selected),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        if failed > 0 && plan.tolerance.is_exceeded(failed, items.len() as u64) {
            let error = ErrorName::ExceedToleratedFailureThreshold.as_str().to_owned();
            let cause = "The specified tolerated failure threshold was exceeded".to_owned();
            return Ok(Ok(Work::Failed(Failure::plain(Some(error), Some(cause)))));
        }
        Ok(Ok(Work::Children))
    }

    /// The inputs of all iterations.
    fn select(
        &self,
        selector: &crate::template::Template,
        input: &Payload,
        items: &[Value],
        env: &mut Env<'_>,
    ) -> Result<Payload, Failure> {
        let mut selected = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let make_context = || {
                let mut context = self.context.value().clone();
                if let Some(fields) = context.as_object_mut() {
                    fields.insert("Map".to_owned(), json!({"Item": {"Index": index, "Value": item}}));
                }
                context
            };
            let facts = Facts::new(make_context, vec![&self.variables], env);
            let view = View::new(self.state(), &self.raw, &facts);
            selected.push(selector.evaluate(&view.sight(input, None, None), "ItemSelector")?);
        }
        Ok(Payload::from(Value::Array(selected)))
    }

    fn succeed(&self, result: &Payload, inspection: &mut InspectionData, env: &mut Env<'_>) -> TestStateResponse {
        let mut trace = Trace::default();
        let left = self.view(env, |view, _| view.leave_with_result(result, &mut trace));
        if !matches!(self.state().kind, Kind::Task(_)) {
            trace.result = None;
        }
        copy(trace, inspection);
        match left {
            Ok(left) => self.left(left, self.state().next, inspection),
            Err(failure) => self.fail(&failure, inspection, env),
        }
    }

    fn left(&self, left: Left, next: Next, inspection: &mut InspectionData) -> TestStateResponse {
        self.respond(TestStatus::Succeeded, Some((left, next)), StateError::default(), inspection)
    }

    fn fail(&self, failure: &Failure, inspection: &mut InspectionData, env: &mut Env<'_>) -> TestStateResponse {
        let state = self.state();
        let error = failure.to_error(&self.name, 0);
        if failure.fatal {
            return self.respond(TestStatus::Failed, None, error, inspection);
        }
        let retrier = state.retry.iter().enumerate().find(|(_, retrier)| covers(&retrier.errors, failure));
        if let Some((index, retrier)) = retrier {
            let used = self.configuration.retrier_retry_count.unwrap_or(0);
            let mut details = ErrorDetails { retry_index: Some(index), ..ErrorDetails::default() };
            if used < retrier.max_attempts {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by a year")]
                let seconds = (delay_millis(retrier, used) / 1_000.0) as u64;
                details.retry_backoff_interval_seconds = Some(seconds);
                inspection.error_details = Some(details);
                return self.respond(TestStatus::Retriable, None, error, inspection);
            }
            inspection.error_details = Some(details);
        }
        let catcher = state.catch.iter().enumerate().find(|(_, catcher)| covers(&catcher.errors, failure));
        let Some((index, catcher)) = catcher else {
            return self.respond(TestStatus::Failed, None, error, inspection);
        };
        match self.view(env, |view, _| view.leave_caught(index, catcher, &error)) {
            Ok(left) => {
                let details = inspection.error_details.get_or_insert_default();
                details.catch_index = Some(index);
                self.respond(TestStatus::CaughtError, Some((left, Next::State(catcher.next))), error, inspection)
            }
            Err(failure) => {
                let error = failure.to_error(&self.name, 0);
                self.respond(TestStatus::Failed, None, error, inspection)
            }
        }
    }

    fn respond(
        &self,
        status: TestStatus,
        left: Option<(Left, Next)>,
        error: StateError,
        inspection: &mut InspectionData,
    ) -> TestStateResponse {
        let mut variables = self.variables.clone();
        let (output, next_state) = match left {
            Some((left, next)) => {
                variables.extend(left.assigned);
                let next = match next {
                    Next::State(next) => Some(self.machine.state(next).name.to_string()),
                    Next::End => None,
                };
                (Some(left.output), next)
            }
            None => (None, None),
        };
        if !variables.is_empty() {
            let fields = variables.iter().map(|(name, value)| (name.to_string(), value.value().clone()));
            inspection.variables = Some(Payload::from(Value::Object(fields.collect())));
        }
        let tells = self.level != InspectionLevel::Info;
        TestStateResponse {
            status,
            output,
            error: error.error,
            cause: error.cause,
            next_state,
            inspection_data: tells.then(|| Box::new(std::mem::take(inspection))),
        }
    }
}

/// How far a state came by itself.
enum Work {
    Left(Left, Next),
    Failed(Failure),
    Task(Box<ScheduleTask>),
    Children,
}

fn copy(trace: Trace, inspection: &mut InspectionData) {
    let Trace { after_input_path, after_parameters, after_arguments, result, after_result_selector, after_result_path } =
        trace;
    let pairs = [
        (after_input_path, &mut inspection.after_input_path),
        (after_parameters, &mut inspection.after_parameters),
        (after_arguments, &mut inspection.after_arguments),
        (result, &mut inspection.result),
        (after_result_selector, &mut inspection.after_result_selector),
        (after_result_path, &mut inspection.after_result_path),
    ];
    for (from, to) in pairs {
        if from.is_some() {
            *to = from;
        }
    }
}

fn invalid_definition(findings: &[Diagnostic]) -> TestStateError {
    let errors: Vec<String> = findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
    TestStateError::InvalidDefinition(format!("Invalid State Machine Definition: '{}'", errors.join(", ")))
}

/// The context object where none was given, in the shape that AWS makes up.
fn made_up_context(request: &TestStateRequest, input: &Payload, env: &mut Env<'_>) -> Value {
    let (machine, name) = (env.uuid(), env.uuid());
    let now = env.now.to_rfc3339();
    json!({
        "Execution": {
            "Id": format!("arn:aws:states:us-east-1:123456789012:express:{machine}:{name}"),
            "Input": input.value(),
            "Name": name,
            "RoleArn": request.role_arn,
            "StartTime": now,
        },
        "StateMachine": {"Id": format!("arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"), "Name": machine},
        "State": {"Name": "StateName", "EnteredTime": now},
    })
}
