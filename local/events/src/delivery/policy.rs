//! The seam at which a home can be made hostile.

use std::{fmt, time::Duration};

use vodline_core::Event;

/// Decides how often and how late a target gets an event. EventBridge promises "at least once" and no order; a policy that
/// repeats and delays makes use of that.
pub trait DeliveryPolicy: fmt::Debug + Send + Sync + 'static {
    /// One delay for each copy of the event that the target is to get. Empty would lose the event.
    fn delays(&self, event: &Event, target_arn: &str) -> Vec<Duration>;
}

/// Once, at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptDelivery;

impl DeliveryPolicy for PromptDelivery {
    fn delays(&self, _: &Event, _: &str) -> Vec<Duration> {
        vec![Duration::ZERO]
    }
}
