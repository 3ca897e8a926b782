//! admit-upload.

fn main() {}
