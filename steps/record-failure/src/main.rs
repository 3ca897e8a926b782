//! record-failure.

fn main() {}
