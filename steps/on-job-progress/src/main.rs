//! on-job-progress.

fn main() {}
