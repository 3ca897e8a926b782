//! What a definition is once parsed: an arena of scopes and states, everything in it ready to evaluate.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::execution::ExecutionKind;
use crate::intrinsic::Call;
use crate::jsonata::Expression;
use crate::jsonpath::Path;
use crate::resource::Resource;
use crate::template::Template;

/// A state's place in [`Definition::states`]. Stable for a definition's text, so snapshots may hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StateId(pub(crate) u32);

/// A scope's place in [`Definition::scopes`]: the machine, a branch, or an item processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ScopeId(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) text: Box<str>,
    pub(crate) comment: Option<String>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) root: ScopeId,
    /// At least the root.
    pub(crate) scopes: Vec<Scope>,
    /// At least one.
    pub(crate) states: Vec<State>,
}

#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) start_at: StateId,
}

impl Definition {
    #[expect(
        clippy::indexing_slicing,
        reason = "ids come from the parser that filled the arena, or from a snapshot of it"
    )]
    pub(crate) fn state(&self, id: StateId) -> &State {
        // A snapshot of another definition could hold any number: stay within the arena.
        &self.states[(id.0 as usize).min(self.states.len() - 1)]
    }

    #[expect(clippy::indexing_slicing, reason = "as for states")]
    pub(crate) fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[(id.0 as usize).min(self.scopes.len() - 1)]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryLanguage {
    JsonPath,
    Jsonata,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    State(StateId),
    End,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) id: StateId,
    pub(crate) name: Arc<str>,
    pub(crate) language: QueryLanguage,
    /// Where it leads; `End` for terminal states and Choice, which leads elsewhere.
    pub(crate) next: Next,
    pub(crate) io: Io,
    pub(crate) assign: Assignments,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
    pub(crate) kind: Kind,
}

/// The fields that shape input and output.
#[derive(Debug, Default)]
pub(crate) struct Io {
    pub(crate) input_path: PathField,
    pub(crate) parameters: Option<Template>,
    pub(crate) result_selector: Option<Template>,
    pub(crate) result_path: ResultPath,
    pub(crate) output_path: PathField,
    pub(crate) arguments: Option<Template>,
    pub(crate) output: Option<Template>,
}

/// `InputPath`, `OutputPath`, `ItemsPath`.
#[derive(Debug, Default)]
pub(crate) enum PathField {
    /// Absent: everything.
    #[default]
    Whole,
    /// `null`: an empty object.
    Nothing,
    Path(Path),
}

#[derive(Debug, Default)]
pub(crate) enum ResultPath {
    /// Absent or `$`: the result replaces the input.
    #[default]
    Replace,
    /// `null`: the result is dropped.
    Discard,
    At(Path),
}

/// `Assign`: variable names and their values.
pub(crate) type Assignments = Vec<(Arc<str>, Template)>;

#[derive(Debug)]
pub(crate) enum Kind {
    Pass { result: Option<Value> },
    Task(Box<Task>),
    Choice(Box<Choice>),
    Wait(Wait),
    Succeed,
    Fail { error: Option<Text>, cause: Option<Text> },
    Parallel { branches: Vec<ScopeId> },
    Map(Box<Map>),
}

impl Kind {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "Pass",
            Self::Task(_) => "Task",
            Self::Choice(_) => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
            Self::Parallel { .. } => "Parallel",
            Self::Map(_) => "Map",
        }
    }
}

/// A text that may be computed: `Error`, `Cause`, `RoleArn`.
#[derive(Debug)]
pub(crate) enum Text {
    Literal(String),
    Path(Path),
    Call(Call),
    Query(Box<Expression>),
}

/// A number that may be computed. Its field's name is for messages.
#[derive(Debug)]
pub(crate) enum NumberField {
    Literal(f64),
    Path(Path),
    Query(Box<Expression>),
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) resource: Arc<Resource>,
    pub(crate) timeout: Option<NumberField>,
    pub(crate) heartbeat: Option<NumberField>,
    pub(crate) role_arn: Option<Text>,
}

#[derive(Debug)]
pub(crate) enum Wait {
    Seconds(NumberField),
    Timestamp(String),
    TimestampPath(Path),
    TimestampQuery(Box<Expression>),
}

#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) rules: Vec<ChoiceRule>,
    pub(crate) default: Option<StateId>,
}

#[derive(Debug)]
pub(crate) struct ChoiceRule {
    pub(crate) condition: Condition,
    pub(crate) next: StateId,
    pub(crate) assign: Assignments,
    pub(crate) output: Option<Template>,
}

#[derive(Debug)]
pub(crate) enum Condition {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Compare {
        variable: Path,
        test: Test,
    },
    Query(Box<Expression>),
    /// A literal `true` or `false` in a JSONata rule.
    Literal(bool),
}

#[derive(Debug)]
pub(crate) enum Test {
    IsPresent(bool),
    IsNull(bool),
    IsString(bool),
    IsNumeric(bool),
    IsBoolean(bool),
    IsTimestamp(bool),
    StringMatches(Box<str>),
    Compare { kind: Compared, order: Order, with: Operand },
}

/// What the values of a comparison must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Debug)]
pub(crate) enum Operand {
    Literal(Value),
    Path(Path),
}

#[derive(Debug)]
pub(crate) struct Retrier {
    pub(crate) errors: Vec<Box<str>>,
    pub(crate) interval_seconds: u64,
    pub(crate) max_attempts: u32,
    pub(crate) backoff_rate: f64,
    pub(crate) max_delay_seconds: Option<u64>,
    /// `FULL` rather than `NONE`.
    pub(crate) full_jitter: bool,
}

#[derive(Debug)]
pub(crate) struct Catcher {
    pub(crate) errors: Vec<Box<str>>,
    pub(crate) next: StateId,
    pub(crate) result_path: ResultPath,
    pub(crate) assign: Assignments,
    pub(crate) output: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) processor: ScopeId,
    pub(crate) mode: MapMode,
    pub(crate) items: Items,
    /// `ItemSelector`, or `Parameters` in old definitions.
    pub(crate) item_selector: Option<Template>,
    pub(crate) item_batcher: Option<ItemBatcher>,
    pub(crate) max_concurrency: Option<NumberField>,
    pub(crate) tolerated_count: Option<NumberField>,
    pub(crate) tolerated_percentage: Option<NumberField>,
    pub(crate) label: Option<String>,
    pub(crate) reader: Option<Reader>,
    pub(crate) writer: Option<Writer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapMode {
    Inline,
    Distributed(ExecutionKind),
}

/// Where the items are in the state's input.
#[derive(Debug)]
pub(crate) enum Items {
    /// `ItemsPath`.
    Path(PathField),
    /// `Items`.
    Template(Template),
}

#[derive(Debug)]
pub(crate) struct ItemBatcher {
    pub(crate) max_items: Option<NumberField>,
    pub(crate) max_bytes: Option<NumberField>,
    pub(crate) batch_input: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) resource: Resource,
    pub(crate) arguments: Option<Template>,
    pub(crate) input_type: Option<String>,
    pub(crate) csv_header_location: Option<String>,
    pub(crate) csv_headers: Vec<String>,
    pub(crate) csv_delimiter: Option<String>,
    pub(crate) manifest_type: Option<String>,
    pub(crate) items_pointer: Option<String>,
    pub(crate) transformation: Option<String>,
    pub(crate) max_items: Option<NumberField>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) resource: Option<Resource>,
    pub(crate) arguments: Option<Template>,
    pub(crate) transformation: Option<String>,
    pub(crate) output_type: Option<String>,
}
