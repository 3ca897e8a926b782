//! vodline.

fn main() {}
