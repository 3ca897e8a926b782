//! vodline-step.
