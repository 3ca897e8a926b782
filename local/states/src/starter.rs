//! Starting executions: for the API, for other services, and for tasks.

use vodline_asl::{ExecutionInfo, ExecutionKind, ExecutionStatus, Payload, UnixMillis, limits::PAYLOAD_BYTES_MAX};
use vodline_core::AwsError;

use crate::{
    States,
    engine::{Input, NewExecution, Subject, Unavailable, Verdict},
    error, executions, express, machines, names,
};

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// A machine, version or alias.
    pub(crate) machine_arn: String,
    /// The execution's name; a random one if absent.
    pub(crate) name: Option<String>,
    /// The input's JSON text.
    pub(crate) input: String,
    /// The X-Ray trace header.
    pub(crate) trace_header: Option<String>,
    /// The execution and the task that start it. What they started once they have started.
    pub(crate) starter: Option<String>,
}

/// What was started.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) execution_arn: String,
    pub(crate) started_at: UnixMillis,
    /// Its row; Express executions have none.
    pub(crate) id: Option<i64>,
}

/// A start that was checked and resolved.
pub(crate) struct Prepared {
    pub(crate) info: ExecutionInfo,
    pub(crate) input: Payload,
    pub(crate) machine: i64,
    pub(crate) revision: i64,
    pub(crate) trace_header: Option<String>,
}

impl From<Unavailable> for AwsError {
    fn from(_: Unavailable) -> Self {
        Self::internal("step functions could not use its store; the home's log says why")
    }
}

impl States {
    /// StartExecution. An execution of the same name and input that still runs is the answer to a repeated start.
    pub(crate) async fn start_execution(&self, start: Start) -> Result<Started, AwsError> {
        let starter = start.starter.clone();
        let Prepared { info, input, machine, revision, trace_header } = self.prepare(start)?;
        if info.kind == ExecutionKind::Express {
            return Ok(self.start_express(express::Run { info, input, revision }));
        }
        let id = self.engine.context().next_id();
        let execution_arn = info.arn.clone();
        let text = input.clone();
        let new = NewExecution {
            info,
            input,
            machine,
            revision,
            map_run: None,
            item_count: None,
            starter: starter.clone(),
            trace_header,
        };
        if let Verdict::Began(started_at) =
            self.engine.deliver(Subject::Execution(id), Input::Start(Box::new(new))).await?
        {
            return Ok(Started { execution_arn, started_at, id: Some(id) });
        }
        // There is one of this name.
        let row = self.engine.context().store.read(|connection| executions::by_arn(connection, &execution_arn))?;
        let row = row.ok_or_else(|| AwsError::internal("an execution vanished as it began"))?;
        let is_same_start = starter.is_some() && row.starter == starter;
        if !is_same_start && (row.status != ExecutionStatus::Running || row.input != text.text()) {
            return Err(error::execution_already_exists(&execution_arn));
        }
        Ok(Started { execution_arn, started_at: row.started_at, id: Some(row.id) })
    }

    /// Checks a start and finds out what is to run.
    pub(crate) fn prepare(&self, start: Start) -> Result<Prepared, AwsError> {
        let Start { machine_arn, name, input, trace_header, starter: _ } = start;
        let context = self.engine.context();
        let (target, role_arn) = context.store.read::<_, AwsError>(|connection| {
            let target = machines::resolve(connection, &machine_arn, &*context.entropy)?;
            // The whole definition is not read anew for every start.
            let role_arn = context.revisions.get(connection, target.revision)?.role_arn.to_string();
            Ok((target, role_arn))
        })?;
        if target.machine.status == "DELETING" {
            return Err(AwsError::bad_request(
                "StateMachineDeleting",
                format!("State Machine Deleting: '{}'", target.machine.arn),
            ));
        }
        if let Some(name) = &name {
            names::check_name(name)?;
        }
        let input = check_input(&input)?;
        let name = name.unwrap_or_else(|| context.entropy.uuid());
        let machine = target.machine;
        let arn = match machine.kind {
            ExecutionKind::Standard => names::execution_arn(&context.account, &machine.name, &name),
            ExecutionKind::Express => {
                names::express_arn(&context.account, &machine.name, &name, &context.entropy.uuid())
            }
        };
        let info = ExecutionInfo {
            arn,
            name,
            role_arn,
            state_machine_arn: machine.arn,
            state_machine_name: machine.name,
            alias_arn: target.alias_arn,
            version_arn: target.version_arn,
            region: context.account.region.clone(),
            kind: machine.kind,
        };
        Ok(Prepared { info, input, machine: machine.id, revision: target.revision, trace_header })
    }
}

/// An execution's input: JSON of at most 256 KiB.
fn check_input(text: &str) -> Result<Payload, AwsError> {
    if text.len() > PAYLOAD_BYTES_MAX {
        return Err(error::validation(format!(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less \
             than or equal to {PAYLOAD_BYTES_MAX}"
        )));
    }
    Payload::parse(text).map_err(|invalid| {
        let why = std::error::Error::source(&invalid).map_or_else(|| invalid.to_string(), ToString::to_string);
        error::invalid_execution_input(&why)
    })
}
