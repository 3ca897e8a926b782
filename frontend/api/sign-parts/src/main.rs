//! sign-parts.

fn main() {}
