//! Metrics, as lines of the log that CloudWatch reads.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::{io::Write, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use vodline_contracts::ErrorCode;

const NAMESPACE: &str = "Vodline";

/// One invocation, measured.
pub(crate) struct Invocation<'a> {
    pub(crate) function: &'a str,
    pub(crate) ended: Timestamp,
    pub(crate) duration: Duration,
    pub(crate) failure: Option<ErrorCode>,
}

impl Invocation<'_> {
    /// The line: always the duration by function; on failure also a count by function and code.
    fn line(&self) -> Value {
        let mut metrics = vec![json!({
            "Namespace": NAMESPACE,
            "Dimensions": [["Function"]],
            "Metrics": [{ "Name": "DurationMs", "Unit": "Milliseconds" }],
        })];
        if self.failure.is_some() {
            metrics.push(json!({
                "Namespace": NAMESPACE,
                "Dimensions": [["Function", "ErrorCode"]],
                "Metrics": [{ "Name": "Failures", "Unit": "Count" }],
            }));
        }
        let mut line = json!({
            "_aws": { "Timestamp": self.ended.as_millisecond(), "CloudWatchMetrics": metrics },
            "Function": self.function,
            "DurationMs": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(code) = self.failure {
            line["ErrorCode"] = json!(code);
            line["Failures"] = json!(1);
        }
        line
    }

    /// Writes the line where Lambda takes logs from.
    pub(crate) fn emit(&self) {
        // A log that cannot be written to has no one to tell.
        let _ = writeln!(std::io::stdout().lock(), "{}", self.line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failure: Option<ErrorCode>, expected: expect_test::Expect) {
        let invocation = Invocation {
            function: "start-job",
            ended: Timestamp::UNIX_EPOCH,
            duration: Duration::from_millis(12),
            failure,
        };
        expected.assert_eq(&invocation.line().to_string());
    }

    #[test]
    fn a_success_is_measured_and_a_failure_also_counted() {
        check(
            None,
            expect_test::expect![[
                r#"{"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"Vodline","Dimensions":[["Function"]],"Metrics":[{"Name":"DurationMs","Unit":"Milliseconds"}]}]},"Function":"start-job","DurationMs":12}"#
            ]],
        );
        check(
            Some(ErrorCode::JobRefused),
            expect_test::expect![[
                r#"{"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"Vodline","Dimensions":[["Function"]],"Metrics":[{"Name":"DurationMs","Unit":"Milliseconds"}]},{"Namespace":"Vodline","Dimensions":[["Function","ErrorCode"]],"Metrics":[{"Name":"Failures","Unit":"Count"}]}]},"Function":"start-job","DurationMs":12,"ErrorCode":"Vod.JobRefused","Failures":1}"#
            ]],
        );
    }
}
