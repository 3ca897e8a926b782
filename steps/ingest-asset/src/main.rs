//! ingest-asset.

fn main() {}
