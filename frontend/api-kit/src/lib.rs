//! vodline-api-kit.
