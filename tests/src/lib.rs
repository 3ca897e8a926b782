//! vodline-tests.
