//! on-job-complete.

fn main() {}
