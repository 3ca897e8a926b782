//! vodline-cloud.
