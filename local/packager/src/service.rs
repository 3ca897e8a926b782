//! The service: what it is opened with, and what its parts share.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::Notify;
use vodline_core::{
    Account, AwsError, Clock, Entropy, EventBus, Objects, Origin, OriginRequest, OriginResponse, Protocol, Request,
    Response, Secrets, Service, Store, StoreError,
};

use crate::{authorization::Authorizations, egress::Egress, table};

/// What the service is opened with.
pub struct Config {
    /// The home's data directory; the store is in it.
    pub data_directory: PathBuf,
    /// The account and region the home plays.
    pub account: Account,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where sources lie.
    pub objects: Arc<dyn Objects>,
    /// Where CDN identifiers are kept.
    pub secrets: Arc<dyn Secrets>,
    /// Who hears of ingests.
    pub events: Arc<dyn EventBus>,
}

/// The service cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open MediaPackage's tables")]
pub struct Error(#[from] StoreError);

/// MediaPackage VOD: the API as a [`Service`], the egress as an [`Origin`].
///
/// The caller spawns [`run`](Self::run) once; without it assets stay QUEUED.
pub struct Packager {
    /// Shared with what blocks, on threads of its own.
    pub(crate) store: Arc<Store>,
    pub(crate) account: Account,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) events: Arc<dyn EventBus>,
    pub(crate) egress: Egress,
    pub(crate) authorizations: Authorizations,
    /// Rung when there is something to ingest.
    pub(crate) work: Notify,
}

impl Packager {
    /// Opens the service.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(config: Config) -> Result<Arc<Self>, Error> {
        let store = Store::open(&config.data_directory, table::MIGRATION)?;
        Ok(Arc::new(Self {
            store: Arc::new(store),
            account: config.account,
            entropy: config.entropy,
            objects: config.objects,
            events: config.events,
            egress: Egress::default(),
            authorizations: Authorizations::new(config.secrets, config.clock.clone()),
            clock: config.clock,
            work: Notify::new(),
        }))
    }

    /// Ingests assets, for as long as the process lives. What an earlier process left unfinished is taken up first.
    pub async fn run(self: Arc<Self>) {
        self.ingest_forever().await;
    }

    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        self.account.arn("mediapackage-vod", &format!("{kind}/{id}"))
    }

    /// The domain name of a group's egress, without scheme.
    pub(crate) fn egress_domain(&self, host: &str) -> String {
        format!("{host}.egress.mediapackage-vod.{}.amazonaws.com", self.account.region)
    }
}

#[async_trait]
impl Service for Packager {
    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        self.serve(&request)
    }
}

#[async_trait]
impl Origin for Packager {
    async fn fetch(&self, request: OriginRequest) -> OriginResponse {
        self.answer(request).await
    }
}

/// Locks what a panic cannot have left in disorder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
