//! ensure-packaging-group.

fn main() {}
