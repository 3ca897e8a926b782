//! on-asset-playable.

fn main() {}
