//! probe-source.

fn main() {}
