//! start-job.

fn main() {}
