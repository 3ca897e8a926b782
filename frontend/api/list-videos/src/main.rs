//! list-videos.

fn main() {}
