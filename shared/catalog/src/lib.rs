//! vodline-catalog.
