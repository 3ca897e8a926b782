//! What a process that reads untrusted media may use up.

use std::{path::Path, path::PathBuf, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use super::ChildError;

/// How often memory and disk are looked at. A decoder fills neither much faster.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What one job may use up; a job that goes beyond is killed and ends in ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From its beginning to its end.
    pub job_time: Duration,
    /// Bytes of memory of one of its processes (resident; not looked at where there is no `/proc`).
    pub memory_bytes: u64,
    /// Bytes of its files before they are published, all together.
    pub scratch_bytes: u64,
    /// Bytes of the disk that it leaves free for the rest of the home.
    pub free_bytes_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const GIBIBYTE: u64 = 1 << 30;
        Self {
            // Source: a job that progresses for 48 hours ends in ERROR
            // (https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_event_list.html).
            job_time: Duration::from_hours(48),
            // Five times what the ladder of a 1080p source takes; enough for one of 4320p.
            memory_bytes: 8 * GIBIBYTE,
            scratch_bytes: 200 * GIBIBYTE,
            free_bytes_min: GIBIBYTE,
        }
    }
}

/// The limits of one process of a job.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) limits: Limits,
    /// When the job's time is up.
    pub(crate) deadline: Instant,
    /// The job's files.
    pub(crate) scratch: PathBuf,
}

impl Guard {
    pub(crate) fn new(limits: Limits, scratch: &Path) -> Self {
        Self { limits, deadline: Instant::now() + limits.job_time, scratch: scratch.into() }
    }

    /// Ends when the process with this id has gone beyond a limit.
    pub(crate) async fn exceeded(&self, process: Option<u32>) -> ChildError {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.deadline) => return ChildError::Time(self.limits.job_time),
                _ = interval.tick() => {}
            }
            if let Some(error) = self.look(process) {
                return error;
            }
        }
    }

    fn look(&self, process: Option<u32>) -> Option<ChildError> {
        if process.and_then(resident_bytes).is_some_and(|bytes| bytes > self.limits.memory_bytes) {
            return Some(ChildError::Memory(self.limits.memory_bytes));
        }
        if directory_bytes(&self.scratch) > self.limits.scratch_bytes {
            return Some(ChildError::Disk(self.limits.scratch_bytes));
        }
        let free = rustix::fs::statvfs(&self.scratch).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        // A file system that does not say how full it is says so when it is full.
        if free.is_ok_and(|free| free < self.limits.free_bytes_min) {
            return Some(ChildError::DiskFull);
        }
        None
    }
}

/// `None` without `/proc`, and for a process that has ended.
fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Of all files below `directory`. The source is a second name of an object and counts once.
fn directory_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => directory_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        // Renamed or removed since it was listed.
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn sizes_are_of_all_files_below() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("a/b")).unwrap();
        std::fs::write(directory.path().join("x"), [0; 10]).unwrap();
        std::fs::write(directory.path().join("a/b/y"), [0; 32]).unwrap();
        assert_eq!(directory_bytes(directory.path()), 42);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_a_size() {
        assert!(resident_bytes(std::process::id()).unwrap() > 4096);
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
