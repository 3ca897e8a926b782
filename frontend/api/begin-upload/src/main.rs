//! begin-upload.

fn main() {}
