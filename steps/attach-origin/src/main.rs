//! attach-origin.

fn main() {}
