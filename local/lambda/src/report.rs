//! The lines Lambda itself writes into a function's log.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>.

use std::time::Duration;

/// How an invocation ended, as REPORT lines tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The function answered, if only with an error.
    Answered,
    TimedOut,
    Exited,
}

/// What a REPORT line says.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
    /// Of the process, when this was its first invocation.
    pub(crate) init: Option<Duration>,
    pub(crate) memory_mb: u32,
    /// The most the process has ever had resident; unknown where there is no `/proc`.
    pub(crate) max_memory_mb: Option<u64>,
    pub(crate) ending: Ending,
}

pub(crate) fn start(request_id: &str) -> String {
    format!("START RequestId: {request_id} Version: $LATEST")
}

pub(crate) fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Report<'_> {
    pub(crate) fn line(&self) -> String {
        // The time of initialisation is billed since August 2025.
        let billed = milliseconds(self.duration + self.init.unwrap_or_default()).ceil();
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB",
            self.request_id,
            milliseconds(self.duration),
            self.memory_mb,
        );
        if let Some(used) = self.max_memory_mb {
            line.push_str(&format!("\tMax Memory Used: {used} MB"));
        }
        if let Some(init) = self.init {
            line.push_str(&format!("\tInit Duration: {:.2} ms", milliseconds(init)));
        }
        match self.ending {
            Ending::Answered => {}
            Ending::TimedOut => line.push_str("\tStatus: timeout"),
            Ending::Exited => line.push_str("\tStatus: error\tError Type: Runtime.ExitError"),
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_lambda() {
        let mut report = Report {
            request_id: "id",
            duration: Duration::from_micros(12_340),
            init: None,
            memory_mb: 128,
            max_memory_mb: Some(36),
            ending: Ending::Answered,
        };
        assert_eq!(
            report.line(),
            "REPORT RequestId: id\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB"
        );
        report.init = Some(Duration::from_millis(30));
        report.ending = Ending::TimedOut;
        assert_eq!(
            report.line(),
            "REPORT RequestId: id\tDuration: 12.34 ms\tBilled Duration: 43 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\
             Init Duration: 30.00 ms\tStatus: timeout"
        );
    }
}
