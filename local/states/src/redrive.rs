//! Whether an execution may be redriven.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html> and the reasons listed at
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>.

use vodline_asl::{
    ExecutionStatus, UnixMillis,
    limits::{EXECUTION_SECONDS_MAX, HISTORY_EVENTS_MAX, REDRIVE_SECONDS_MAX},
};

/// What decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Where the execution stands.
    pub(crate) status: ExecutionStatus,
    /// When it began.
    pub(crate) started_at: UnixMillis,
    /// When it ended.
    pub(crate) stopped_at: Option<UnixMillis>,
    /// Events in its history.
    pub(crate) event_count: u64,
    /// Whether it is the child of a Map Run: then the run's redrive redrives it.
    pub(crate) by_map_run: bool,
}

/// `redriveStatus` and `redriveStatusReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Redrivable {
    /// `REDRIVABLE`, `NOT_REDRIVABLE` or `REDRIVABLE_BY_MAP_RUN`.
    pub(crate) status: &'static str,
    /// Why not.
    pub(crate) reason: Option<&'static str>,
}

/// Whether an execution may be redriven at `now`.
pub(crate) fn status(facts: &Facts, now: UnixMillis) -> Redrivable {
    let not = |reason| Redrivable { status: "NOT_REDRIVABLE", reason: Some(reason) };
    match facts.status {
        ExecutionStatus::Running => return not("Execution is RUNNING and cannot be redriven"),
        ExecutionStatus::Succeeded => return not("Execution is SUCCEEDED and cannot be redriven"),
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => {}
    }
    // A redriven execution needs room for its own event.
    if facts.event_count >= HISTORY_EVENTS_MAX - 1 {
        return not("Execution history event limit exceeded");
    }
    if now >= facts.started_at.plus_seconds(EXECUTION_SECONDS_MAX) {
        return not("Execution has exceeded the max execution time");
    }
    if facts.stopped_at.is_some_and(|stopped_at| now > stopped_at.plus_seconds(REDRIVE_SECONDS_MAX)) {
        return not("Execution redrivable period exceeded");
    }
    let status = if facts.by_map_run { "REDRIVABLE_BY_MAP_RUN" } else { "REDRIVABLE" };
    Redrivable { status, reason: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn every_rule_has_its_reason() {
        let failed = Facts {
            status: ExecutionStatus::Failed,
            started_at: UnixMillis(0),
            stopped_at: Some(UnixMillis(1_000)),
            event_count: 5,
            by_map_run: false,
        };
        let check = |facts: Facts, days: i64, status: &str, reason: Option<&str>| {
            let found = super::status(&facts, UnixMillis(1_000 + days * DAY_MS));
            assert_eq!((found.status, found.reason), (status, reason), "{facts:?} after {days} days");
        };
        check(failed, 0, "REDRIVABLE", None);
        check(failed, 14, "REDRIVABLE", None);
        check(failed, 15, "NOT_REDRIVABLE", Some("Execution redrivable period exceeded"));
        check(Facts { by_map_run: true, ..failed }, 0, "REDRIVABLE_BY_MAP_RUN", None);
        check(
            Facts { status: ExecutionStatus::Running, ..failed },
            0,
            "NOT_REDRIVABLE",
            Some("Execution is RUNNING and cannot be redriven"),
        );
        check(
            Facts { status: ExecutionStatus::Succeeded, ..failed },
            0,
            "NOT_REDRIVABLE",
            Some("Execution is SUCCEEDED and cannot be redriven"),
        );
        check(
            Facts { event_count: HISTORY_EVENTS_MAX, ..failed },
            0,
            "NOT_REDRIVABLE",
            Some("Execution history event limit exceeded"),
        );
        let year_long = Facts { stopped_at: Some(UnixMillis(365 * DAY_MS)), ..failed };
        check(year_long, 366, "NOT_REDRIVABLE", Some("Execution has exceeded the max execution time"));
    }
}
