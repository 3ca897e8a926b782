//! vodline-contracts.
