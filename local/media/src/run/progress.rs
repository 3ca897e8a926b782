//! What `ffmpeg -progress` says.

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// Pictures encoded for the first output, which is as many as were decoded unless the rate changes.
    pub(crate) frames: u64,
    /// Seconds of output written.
    pub(crate) seconds: f64,
}

impl Progress {
    /// Takes one `name=value` line in; others are passed over.
    pub(crate) fn read(&mut self, line: &str) {
        match line.trim().split_once('=') {
            Some(("frame", value)) => self.frames = value.trim().parse().unwrap_or(self.frames),
            Some(("out_time_us", value)) => {
                if let Ok(microseconds) = value.trim().parse::<i64>() {
                    #[expect(clippy::cast_precision_loss, reason = "a length of media is far below 2^52 microseconds")]
                    let seconds = microseconds as f64 / 1e6;
                    self.seconds = self.seconds.max(seconds);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_nonsense_is_passed_over() {
        let mut progress = Progress::default();
        for line in ["frame=12", "fps=30.0", "out_time_us=400000", "out_time_us=N/A", "frame=x", "", "progress=end"] {
            progress.read(line);
        }
        assert_eq!(progress, Progress { frames: 12, seconds: 0.4 });
        progress.read("out_time_us=-23000");
        assert_eq!(progress.seconds, 0.4);
    }
}
