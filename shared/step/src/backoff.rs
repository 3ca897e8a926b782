//! Waiting between tries: exponential, bounded, with full jitter, so that those who collided do not collide again.
//! Source: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.

use std::time::Duration;

/// How long to wait at most before a further try.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Before the second try.
    pub first: Duration,
    /// Before any try.
    pub longest: Duration,
}

impl Backoff {
    /// The longest wait after `tries` tries.
    #[must_use]
    pub fn ceiling(&self, tries: u32) -> Duration {
        let doublings = tries.saturating_sub(1).min(16);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }

    /// Waits a random part of [`Backoff::ceiling`].
    pub async fn pause(&self, tries: u32) {
        tokio::time::sleep(self.ceiling(tries).mul_f64(fastrand::f64())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        let ceilings: Vec<_> = (1..=6).map(|tries| backoff.ceiling(tries).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.ceiling(u32::MAX), backoff.longest);
    }
}
