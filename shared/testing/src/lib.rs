//! vodline-testing.
