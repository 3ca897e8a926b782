//! verify-playback.

fn main() {}
