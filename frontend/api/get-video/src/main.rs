//! get-video.

fn main() {}
