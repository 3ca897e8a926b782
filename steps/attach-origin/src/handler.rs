//! Read the distribution's configuration, change it, write it back unless someone else did meanwhile.

use std::{fmt, future::Future, time::Duration};

use aws_sdk_cloudfront::types::DistributionConfig;
use vodline_contracts::{
    ErrorCode,
    steps::{AttachOriginInput, AttachOriginOutput},
};
use vodline_step::{StepError, backoff::Backoff};

use crate::origin;

/// How often a lost race is run again here; after that the state machine tries anew, later.
const TRIES: u32 = 6;
/// Between those.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(2) };

/// The value of the secret header. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A configuration and the ETag that it had when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The full document.
    pub config: DistributionConfig,
    /// What to write it back with.
    pub etag: String,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Written.
    Done,
    /// Someone else has written since the read.
    Stale,
}

/// What the step touches.
pub trait Ports {
    /// The value of the secret header, as of now.
    fn secret(&self) -> impl Future<Output = Result<Secret, StepError>>;
    /// The distribution's configuration.
    fn config(&self) -> impl Future<Output = Result<Versioned, StepError>>;
    /// Writes it back.
    fn put(&self, config: Versioned) -> impl Future<Output = Result<Put, StepError>>;
}

/// Attaches the origin. Any number of runs may do so at the same time.
///
/// # Errors
/// [`ErrorCode::OriginConflict`] when others kept writing, and what CloudFront and Secrets Manager answer.
pub async fn handle(input: AttachOriginInput, ports: &impl Ports) -> Result<AttachOriginOutput, StepError> {
    let incomplete = |error| StepError::internal("the origin is incomplete").caused_by(error);
    let id = input.packaging_group_id;
    let secret = ports.secret().await?;
    let wanted = origin::of_group(&id, &input.domain_name, &secret.0).map_err(incomplete)?;
    let attached = AttachOriginOutput { path_prefix: format!("/v/{id}"), origin_id: id };
    for tries in 1..=TRIES {
        let mut read = ports.config().await?;
        if !origin::attach(&mut read.config, wanted.clone()).map_err(incomplete)? {
            return Ok(attached);
        }
        match ports.put(read).await? {
            Put::Done => {
                tracing::info!(origin = attached.origin_id, tries, "attached the origin to the distribution");
                return Ok(attached);
            }
            Put::Stale => BACKOFF.pause(tries).await,
        }
    }
    Err(StepError::new(ErrorCode::OriginConflict, "the distribution kept changing while its origin was being attached"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::cell::RefCell;

    use aws_sdk_cloudfront::types::{DefaultCacheBehavior, Origins, ViewerProtocolPolicy};
    use vodline_contracts::steps::Run;

    use super::*;

    /// A distribution that others write to a number of times, each just after this run has read it.
    struct Fake {
        now: RefCell<Versioned>,
        others: RefCell<u32>,
        writes: RefCell<u32>,
    }

    impl Ports for Fake {
        async fn secret(&self) -> Result<Secret, StepError> {
            Ok(Secret("new-value".to_owned()))
        }

        async fn config(&self) -> Result<Versioned, StepError> {
            let read = self.now.borrow().clone();
            if *self.others.borrow() > 0 {
                *self.others.borrow_mut() -= 1;
                self.now.borrow_mut().etag.push('+');
            }
            Ok(read)
        }

        async fn put(&self, config: Versioned) -> Result<Put, StepError> {
            if config.etag != self.now.borrow().etag {
                return Ok(Put::Stale);
            }
            *self.writes.borrow_mut() += 1;
            let etag = format!("{}!", config.etag);
            *self.now.borrow_mut() = Versioned { etag, ..config };
            Ok(Put::Done)
        }
    }

    fn fake(origins: Vec<aws_sdk_cloudfront::types::Origin>, others: u32) -> Fake {
        let quantity = i32::try_from(origins.len()).expect("few");
        let behaviour = DefaultCacheBehavior::builder()
            .target_origin_id("site")
            .viewer_protocol_policy(ViewerProtocolPolicy::RedirectToHttps)
            .build()
            .expect("complete");
        let config = DistributionConfig::builder()
            .caller_reference("r")
            .comment("c")
            .enabled(true)
            .default_cache_behavior(behaviour)
            .origins(Origins::builder().quantity(quantity).set_items(Some(origins)).build().expect("complete"))
            .build()
            .expect("complete");
        let now = RefCell::new(Versioned { config, etag: "E".to_owned() });
        Fake { now, others: RefCell::new(others), writes: RefCell::default() }
    }

    fn origin(id: &str, domain_name: &str, secret: &str) -> aws_sdk_cloudfront::types::Origin {
        origin::of_group(id, domain_name, secret).expect("complete")
    }

    async fn call(fake: &Fake) -> Result<AttachOriginOutput, StepError> {
        let run = Run { execution_arn: "e".to_owned(), state: "AttachOrigin".to_owned(), retry_count: 0 };
        let input =
            AttachOriginInput { run, packaging_group_id: "vod-1".to_owned(), domain_name: "h.example".to_owned() };
        handle(input, fake).await
    }

    async fn check(origins: Vec<aws_sdk_cloudfront::types::Origin>, others: u32, writes: u32, ids: &[&str]) {
        let fake = fake(origins, others);
        let output = call(&fake).await.expect("attached");
        assert_eq!((output.origin_id.as_str(), output.path_prefix.as_str()), ("vod-1", "/v/vod-1"));
        assert_eq!(*fake.writes.borrow(), writes);
        let now = fake.now.borrow().config.origins.clone().expect("origins");
        assert_eq!(now.items.iter().map(|origin| origin.id.as_str()).collect::<Vec<_>>(), ids);
        assert_eq!(now.quantity as usize, ids.len());
        let attached = now.items.iter().find(|known| known.id == "vod-1").expect("attached");
        assert_eq!(*attached, origin("vod-1", "h.example", "new-value"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_origin_is_there_afterwards_and_written_only_when_it_was_not() {
        let site = || origin("site", "s.example", "x");
        check(vec![site()], 0, 1, &["site", "vod-1"]).await;
        check(vec![site(), origin("vod-1", "h.example", "new-value")], 0, 0, &["site", "vod-1"]).await;
        check(vec![origin("vod-1", "h.example", "old-value"), site()], 0, 1, &["vod-1", "site"]).await;
        check(vec![origin("vod-1", "other.example", "new-value")], 0, 1, &["vod-1"]).await;
        check(vec![site()], 5, 1, &["site", "vod-1"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_race_that_is_lost_again_and_again_is_a_conflict() {
        let error = call(&fake(vec![], 6)).await.expect_err("a conflict");
        assert_eq!(error.code(), ErrorCode::OriginConflict);
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret("value".to_owned())), "Secret(..)");
    }
}
