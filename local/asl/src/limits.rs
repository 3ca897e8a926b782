//! The service quotas the engine enforces.
//!
//! Source, unless a constant says otherwise:
//! <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>.

/// Largest input or output of a state, task, or execution, in bytes of UTF-8 JSON.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;

/// Most events in the history of one Standard execution. The event that ends the execution is the last of them.
pub const HISTORY_EVENTS_MAX: u64 = 25_000;

/// Largest state machine definition, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 1_048_576;

/// Longest state name, in Unicode characters.
/// Source: <https://states-language.net/spec.html#states-fields>.
pub const STATE_NAME_CHARS_MAX: usize = 80;

/// Longest `TimeoutSeconds`, `HeartbeatSeconds` and `Seconds` of a Wait state: one year and a little, in seconds.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html>.
pub const SECONDS_MAX: u64 = 99_999_999;

/// Longest a Standard execution may run, in seconds: one year.
pub const EXECUTION_SECONDS_MAX: u64 = 31_536_000;

/// Most bytes of one variable, and of one `Assign`'s new values together (256 KiB).
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
pub const VARIABLE_BYTES_MAX: usize = 262_144;

/// Most bytes of all variables (10 MiB). Counted over the scopes a state sees, not over branches beside it.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
pub const VARIABLES_TOTAL_BYTES_MAX: usize = 10_485_760;

/// Longest variable name, in Unicode characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
pub const VARIABLE_NAME_CHARS_MAX: usize = 80;

/// Most concurrent iterations of an inline Map; a larger or zero `MaxConcurrency` means this many.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html>.
pub const INLINE_MAP_CONCURRENCY_MAX: u64 = 40;

/// Most child executions a Distributed Map runs at a time.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>.
pub const DISTRIBUTED_MAP_CONCURRENCY_MAX: u64 = 10_000;

/// Longest error name an error carries, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>.
pub const ERROR_CHARS_MAX: usize = 256;

/// Longest cause an error carries, in characters.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>.
pub const CAUSE_CHARS_MAX: usize = 32_768;

/// Longest redrivable period after an execution ended, in seconds: fourteen days.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>.
pub const REDRIVE_SECONDS_MAX: u64 = 1_209_600;

/// How often one Map Run can be redriven.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>.
pub const MAP_RUN_REDRIVES_MAX: u32 = 1_000;

/// Most characters an intrinsic function takes (`States.Format`, `States.Base64Encode`, `States.Hash`, ...).
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>.
pub const INTRINSIC_STRING_CHARS_MAX: usize = 10_000;

/// Most nested intrinsic function calls in one field.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>.
pub const INTRINSIC_NESTING_MAX: usize = 10;

/// Most items `States.ArrayRange` returns.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>.
pub const ARRAY_RANGE_ITEMS_MAX: i64 = 1_000;

/// Bound of ours on how deep JSON may nest: in definitions, in JSONPath and intrinsic expressions. What nests deeper is
/// not read back.
pub const NESTING_MAX: usize = 128;

/// Bound of ours on how deep the data a state makes may nest. Below [`NESTING_MAX`], since the context object, a batch
/// and a Map's output each wrap it once more, and a stored execution must be readable.
pub const PAYLOAD_NESTING_MAX: usize = 100;

/// Bound of ours on one JSONata evaluation, in milliseconds: a backstop behind the stack and sequence bounds.
pub const JSONATA_TIMEOUT_MS: u64 = 5_000;

/// Bound of ours on how deep a JSONata evaluation may recurse.
pub const JSONATA_STACK_MAX: usize = 1_000;

/// Bound of ours on how many items a JSONata sequence may hold.
pub const JSONATA_SEQUENCE_MAX: usize = 100_000;

/// Bound of ours on how many operators a JSONata expression may have: each may nest its tree by one.
pub const JSONATA_OPERATORS_MAX: usize = 1_000;
