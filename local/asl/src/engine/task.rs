//! Task states.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Engine, context, error_details};
use crate::command::TaskProgress;
use crate::dataflow::{Trace, View, within_quotas};
use crate::error::ErrorName;
use crate::event::{FailurePhase, TaskId};
use crate::execution::{BranchId, OpenTask, Purpose, Stage, TaskCall};
use crate::facts::Facts;
use crate::failure::Failure;
use crate::history::{EventDetails, EventType};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::machine::model::{State, Task};
use crate::payload::Payload;
use crate::resource::{IntegrationPattern, Resource, ServiceResource};

/// Random bytes in a task token; AWS's tokens are of the order of 700 characters, the API takes up to 2,048.
const TOKEN_BYTES: usize = 96;

impl<'a> Engine<'a, '_> {
    /// Evaluates a Task state's fields and asks for the task.
    pub(super) fn schedule(&mut self, id: BranchId, state: &'a State, task: &'a Task) {
        let token = hands_out_token(&task.resource).then(|| self.token());
        match self.task_call(id, state, task, token) {
            Ok(call) => self.open_task(id, call),
            Err(failure) => self.fail(id, failure),
        }
    }

    fn token(&mut self) -> String {
        let bytes = std::iter::repeat_with(|| self.env.random.next_u64().to_be_bytes()).take(TOKEN_BYTES / 8);
        STANDARD.encode(bytes.flatten().collect::<Vec<u8>>())
    }

    fn task_call(
        &mut self,
        id: BranchId,
        state: &'a State,
        task: &'a Task,
        token: Option<String>,
    ) -> Result<TaskCall, Failure> {
        let execution = &*self.execution;
        let make_context = || context::of(execution, state, id, token.as_deref());
        let facts = Facts::new(make_context, execution.scopes(id), self.env);
        let Some(branch) = execution.branches.get(&id) else {
            return Err(Failure::runtime("The branch has ended."));
        };
        let view = View::new(state, &branch.input, &facts);
        let mut call = evaluate_call(&view, task, &mut Trace::default())?;
        call.retry_count = branch.retries.iter().sum();
        call.token.clone_from(&token);
        Ok(call)
    }

    fn open_task(&mut self, id: BranchId, call: TaskCall) {
        let task = TaskId(self.execution.fresh_id());
        let (event_type, details) = scheduled(&call, &self.execution.info.region);
        self.record_in(id, event_type, details);
        self.effects.commands.push(call.command(task, TaskProgress::Scheduled));
        let now = self.env.now;
        let timeout = call.timeout_seconds;
        let timeout = timeout.map(|seconds| self.set_timer(now.plus_seconds(seconds), Purpose::TaskTimeout(task)));
        let heartbeat = call.heartbeat_seconds;
        let heartbeat = heartbeat.map(|seconds| self.set_timer(now.plus_seconds(seconds), Purpose::Heartbeat(task)));
        let progress = TaskProgress::Scheduled;
        let open = OpenTask { branch: id, progress, call: Some(Box::new(call)), map_run: None, timeout, heartbeat };
        self.execution.tasks.insert(task, open);
        if let Some(branch) = self.execution.branches.get_mut(&id) {
            branch.stage = Stage::Task(task);
        }
    }

    /// Moves an open task on to `progress`. `None` when it is not open or was there already.
    fn advance(&mut self, task: TaskId, progress: TaskProgress) -> Option<(BranchId, Arc<Resource>)> {
        let open = self.execution.tasks.get_mut(&task).filter(|open| open.progress < progress)?;
        open.progress = progress;
        Some((open.branch, Arc::clone(&open.call.as_ref()?.resource)))
    }

    pub(super) fn task_started(&mut self, task: TaskId, worker: Option<String>) {
        let Some((branch, resource)) = self.advance(task, TaskProgress::Started) else { return };
        let (event_type, details) = match &*resource {
            Resource::Lambda { .. } => (EventType::LambdaFunctionStarted, EventDetails::None),
            Resource::Activity { .. } => {
                (EventType::ActivityStarted, EventDetails::ActivityStarted { worker_name: worker })
            }
            Resource::Service(service) => {
                let (resource_type, resource) = names(service);
                (EventType::TaskStarted, EventDetails::TaskStarted { resource_type, resource })
            }
        };
        self.record_in(branch, event_type, details);
    }

    pub(super) fn task_submitted(&mut self, task: TaskId, output: Payload) {
        let is_service =
            |open: &OpenTask| open.call.as_ref().is_some_and(|call| matches!(*call.resource, Resource::Service(_)));
        if !self.execution.tasks.get(&task).is_some_and(is_service) {
            return;
        }
        let Some((branch, resource)) = self.advance(task, TaskProgress::Submitted) else { return };
        if let Resource::Service(service) = &*resource {
            let (resource_type, resource) = names(service);
            let details = EventDetails::TaskOutput { resource_type, resource, output };
            self.record_in(branch, EventType::TaskSubmitted, details);
        }
    }

    /// Takes a task off the list of open ones, with its timers.
    fn close_task(&mut self, task: TaskId) -> Option<(BranchId, Box<TaskCall>)> {
        // A Map Run has no call and is not closed here.
        self.execution.tasks.get(&task)?.call.as_ref()?;
        let open = self.execution.tasks.remove(&task)?;
        self.cancel_timer(open.timeout);
        self.cancel_timer(open.heartbeat);
        Some((open.branch, open.call?))
    }

    pub(super) fn task_succeeded(&mut self, task: TaskId, output: Payload) {
        let Some((id, call)) = self.close_task(task) else { return };
        if output.size_bytes() > PAYLOAD_BYTES_MAX {
            let what = match &*call.resource {
                Resource::Lambda { function_arn: name } | Resource::Activity { activity_arn: name } => name.clone(),
                Resource::Service(service) => service.service.clone(),
            };
            self.record_task_failure(id, &call.resource, FailurePhase::Run, Failure::data_limit(&what));
            return;
        }
        let (event_type, details) = match &*call.resource {
            Resource::Lambda { .. } => {
                (EventType::LambdaFunctionSucceeded, EventDetails::Output { output: output.clone() })
            }
            Resource::Activity { .. } => {
                (EventType::ActivitySucceeded, EventDetails::Output { output: output.clone() })
            }
            Resource::Service(service) => {
                let (resource_type, resource) = names(service);
                (EventType::TaskSucceeded, EventDetails::TaskOutput { resource_type, resource, output: output.clone() })
            }
        };
        self.record_in(id, event_type, details);
        self.leave_with_result(id, &output);
    }

    /// Leaves a Task, Parallel or Map state with its result.
    pub(super) fn leave_with_result(&mut self, id: BranchId, result: &Payload) {
        let Some(branch) = self.execution.branches.get(&id) else { return };
        let state = self.state_of(branch);
        let left = self.evaluate(id, state, |view, _| view.leave_with_result(result, &mut Trace::default()));
        self.leave_or_fail(id, state, left, state.next);
    }

    pub(super) fn task_failed(
        &mut self,
        task: TaskId,
        phase: FailurePhase,
        error: Option<String>,
        cause: Option<String>,
    ) {
        let Some((id, call)) = self.close_task(task) else { return };
        self.record_task_failure(id, &call.resource, phase, Failure::plain(error, cause));
    }

    fn record_task_failure(&mut self, id: BranchId, resource: &Resource, phase: FailurePhase, failure: Failure) {
        // Such a cause names no state, so neither state nor event matters here.
        let error = failure.to_error("", 0);
        let event_type = match (resource, phase) {
            (Resource::Lambda { .. }, FailurePhase::Schedule) => EventType::LambdaFunctionScheduleFailed,
            (Resource::Lambda { .. }, FailurePhase::Start) => EventType::LambdaFunctionStartFailed,
            (Resource::Lambda { .. }, _) => EventType::LambdaFunctionFailed,
            (Resource::Activity { .. }, FailurePhase::Schedule) => EventType::ActivityScheduleFailed,
            (Resource::Activity { .. }, _) => EventType::ActivityFailed,
            (Resource::Service(_), FailurePhase::Start) => EventType::TaskStartFailed,
            (Resource::Service(_), FailurePhase::Submit) => EventType::TaskSubmitFailed,
            (Resource::Service(_), _) => EventType::TaskFailed,
        };
        self.record_in(id, event_type, task_error(resource, &error.error, &error.cause));
        self.fail(id, Failure { of_task: true, ..failure });
    }

    pub(super) fn task_timed_out(&mut self, task: TaskId, error: Option<String>, cause: Option<String>) {
        let Some((id, call)) = self.close_task(task) else { return };
        let error = error.or_else(|| Some(ErrorName::Timeout.as_str().to_owned()));
        self.record_timeout(id, &call.resource, &error, &cause);
        self.fail(id, Failure::plain(error, cause));
    }

    /// The state's own timeout or heartbeat ran out.
    pub(super) fn task_overdue(&mut self, task: TaskId, heartbeat: bool) {
        let Some((id, call)) = self.close_task(task) else { return };
        self.cancel(task, false);
        let error = Some(ErrorName::Timeout.as_str().to_owned());
        self.record_timeout(id, &call.resource, &error, &None);
        self.fail(id, Failure { heartbeat, ..Failure::plain(error, None) });
    }

    fn record_timeout(&mut self, id: BranchId, resource: &Resource, error: &Option<String>, cause: &Option<String>) {
        let event_type = match resource {
            Resource::Lambda { .. } => EventType::LambdaFunctionTimedOut,
            Resource::Activity { .. } => EventType::ActivityTimedOut,
            Resource::Service(_) => EventType::TaskTimedOut,
        };
        self.record_in(id, event_type, task_error(resource, error, cause));
    }

    pub(super) fn task_heartbeat(&mut self, task: TaskId) {
        let Some(open) = self.execution.tasks.get(&task) else { return };
        let seconds = open.call.as_ref().and_then(|call| call.heartbeat_seconds);
        let (Some(timer), Some(seconds)) = (open.heartbeat, seconds) else { return };
        let at = self.env.now.plus_seconds(seconds);
        if let Some(open) = self.execution.timers.get_mut(&timer) {
            open.at = at;
            self.effects.commands.push(crate::Command::SetTimer { timer, at });
        }
    }
}

/// Evaluates everything a Task state's call is made of, but its token.
pub(crate) fn evaluate_call(view: &View<'_, '_>, task: &Task, trace: &mut Trace) -> Result<TaskCall, Failure> {
    let input = view.input(trace)?;
    let arguments = view.arguments(&input, trace)?;
    within_quotas(&arguments, &view.state.name)?;
    let seconds = |field: &Option<_>, name| field.as_ref().map(|field| view.whole(field, name, &input)).transpose();
    Ok(TaskCall {
        state: view.state.name.to_string(),
        resource: Arc::clone(&task.resource),
        arguments,
        token: None,
        role_arn: task.role_arn.as_ref().map(|role| view.text(role, "RoleArn", &input)).transpose()?,
        timeout_seconds: seconds(&task.timeout, "TimeoutSeconds")?,
        heartbeat_seconds: seconds(&task.heartbeat, "HeartbeatSeconds")?,
        retry_count: 0,
    })
}

/// Whether a task token exists for a resource: activities, and everything that runs on after its call.
fn hands_out_token(resource: &Resource) -> bool {
    matches!(resource, Resource::Activity { .. }) || resource.pattern() != IntegrationPattern::RequestResponse
}

fn names(service: &ServiceResource) -> (String, String) {
    (service.service.clone(), service.action_with_pattern())
}

fn task_error(resource: &Resource, error: &Option<String>, cause: &Option<String>) -> EventDetails {
    match resource {
        Resource::Service(service) => {
            let (resource_type, resource) = names(service);
            EventDetails::TaskError { resource_type, resource, error: error.clone(), cause: cause.clone() }
        }
        _ => error_details(error, cause),
    }
}

fn scheduled(call: &TaskCall, region: &str) -> (EventType, EventDetails) {
    let timeout_in_seconds = call.timeout_seconds;
    let heartbeat_in_seconds = call.heartbeat_seconds;
    let input = call.arguments.clone();
    let role_arn = call.role_arn.clone();
    match &*call.resource {
        Resource::Lambda { function_arn } => {
            let resource = function_arn.clone();
            let details = EventDetails::LambdaFunctionScheduled { resource, input, timeout_in_seconds, role_arn };
            (EventType::LambdaFunctionScheduled, details)
        }
        Resource::Activity { activity_arn } => {
            let resource = activity_arn.clone();
            let details = EventDetails::ActivityScheduled { resource, input, timeout_in_seconds, heartbeat_in_seconds };
            (EventType::ActivityScheduled, details)
        }
        Resource::Service(service) => {
            let (resource_type, resource) = names(service);
            let details = EventDetails::TaskScheduled {
                resource_type,
                resource,
                region: region.to_owned(),
                parameters: input,
                timeout_in_seconds,
                heartbeat_in_seconds,
                role_arn,
            };
            (EventType::TaskScheduled, details)
        }
    }
}
