//! record-catalog.

fn main() {}
