//! Delivery: from a row in the sender's transaction to a target that has it, at least once.
//!
//! A row is deleted after the target took it and not before, so whatever a crash interrupts is done again. What a target
//! refuses for good, or for too long, goes to its dead-letter queue; without one it stays in the table as a failed delivery.

mod attempt;
mod policy;
mod rows;
mod worker;

pub use policy::{DeliveryPolicy, PromptDelivery};
pub use rows::FailedDelivery;
pub(crate) use rows::{Delivery, NewDelivery, failed, insert};

#[cfg(test)]
mod tests;
