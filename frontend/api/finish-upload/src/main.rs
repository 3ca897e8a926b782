//! finish-upload.

fn main() {}
