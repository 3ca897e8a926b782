//! The service: what it is opened with, and what its parts share.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::net::TcpListener;
use vodline_core::{
    Account, AwsError, Clock, Entropy, Objects, Origin, Protocol, Request, Response, Service, Store, StoreError,
    rusqlite::Connection,
};

use crate::{
    access_log::AccessLogs,
    model::{KeyGroup, KeyValueStore, PublicKey},
    plane::{Definitions, Distribution, EDGE_LOCATION, Function, Pairs, Plane, Routes, Tiers, Tls, TrustedKey},
    table::{self, DefinitionRow, DistributionRow, KeyValueVersion, KeyValues, Kind},
};

/// What the service is opened with.
pub struct Config {
    /// The home's data directory; the store is in it.
    pub data_directory: PathBuf,
    /// The account and region the home plays.
    pub account: Account,
    /// The time of day; TTLs count by it.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// All origins, by the form of their domain names.
    pub origin: Arc<dyn Origin>,
    /// The buckets that distributions log to; without them nothing is logged.
    pub objects: Option<Arc<dyn Objects>>,
    /// How much memory the cache may take, in bytes.
    pub cache_bytes: u64,
    /// How much of the disk it may take beside that, in bytes; 0 for none. Answers kept there outlive the process.
    pub disk_cache_bytes: u64,
}

/// The disk tier's directory, in the home's.
const CACHE_DIRECTORY: &str = "edge-cache";

/// Where log files are made before they are moved into their buckets, in the home's directory.
const LOG_DIRECTORY: &str = "edge-logs";

/// The service cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open CloudFront's tables")]
pub struct Error(#[from] StoreError);

/// CloudFront: the API as a [`Service`], and the data plane behind [`serve`](Self::serve).
pub struct Edge {
    pub(crate) store: Store,
    pub(crate) account: Account,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) plane: Arc<Plane>,
    access_logs: Option<Arc<AccessLogs>>,
    /// Held while routes are replaced, so that the newest win.
    routing: Mutex<()>,
}

impl Edge {
    /// Opens the service; distributions of an earlier process are served again at once.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(config: Config) -> Result<Arc<Self>, Error> {
        let store = Store::open(&config.data_directory, table::MIGRATION)?;
        let access_logs = config.objects.map(|objects| {
            let scratch = config.data_directory.join(LOG_DIRECTORY);
            let (clock, entropy) = (config.clock.clone(), config.entropy.clone());
            Arc::new(AccessLogs::new(clock, entropy, objects, scratch, EDGE_LOCATION))
        });
        let plane = Plane::new(
            config.clock.clone(),
            config.entropy.as_ref(),
            config.origin,
            access_logs.clone(),
            Tiers {
                memory_bytes: config.cache_bytes,
                disk_bytes: config.disk_cache_bytes,
                directory: config.data_directory.join(CACHE_DIRECTORY),
            },
        );
        let edge = Arc::new(Self {
            store,
            account: config.account,
            clock: config.clock,
            entropy: config.entropy,
            plane: Arc::new(plane),
            access_logs,
            routing: Mutex::default(),
        });
        edge.deploy()?;
        Ok(edge)
    }

    /// Serves viewers on this listener, for ever. Dropping the future stops accepting; open connections end on their own.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        self.plane.clone().serve(listener, None).await;
    }

    /// Writes log files, for ever.
    pub async fn run(self: Arc<Self>) {
        match &self.access_logs {
            Some(logs) => logs.run().await,
            None => std::future::pending().await,
        }
    }

    /// Writes what is not yet written of the access logs. For an orderly end.
    pub async fn flush_logs(&self) {
        if let Some(logs) = &self.access_logs {
            logs.flush().await;
        }
    }

    /// Waits until every answer that is to outlive the process is on the disk. For an orderly end; a kill loses the last few
    /// answers of the cache and nothing else.
    pub fn flush_cache(&self) {
        self.plane.flush();
    }

    /// The same over TLS.
    pub async fn serve_tls(self: Arc<Self>, listener: TcpListener, tls: Tls) {
        self.plane.clone().serve(listener, Some(tls)).await;
    }

    /// Gives the data plane what the store says.
    pub(crate) fn deploy(&self) -> Result<(), StoreError> {
        let _routing = self.routing.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, definitions) = self
            .store
            .read::<_, StoreError>(|connection| Ok((DistributionRow::all(connection)?, definitions(connection)?)))?;
        let mut routes = Routes::default();
        for row in rows.into_iter().filter(|row| row.config.enabled) {
            match Distribution::new(
                &row.id,
                &self.distribution_arn(&row.id),
                &row.domain_name,
                &row.config,
                &definitions,
            ) {
                Ok(distribution) => routes.add(Arc::new(distribution), &row.config.aliases),
                // It was checked when it was stored; only a newer program's stricter rules lead here.
                Err(error) => tracing::error!(distribution = row.id, error = %error, "a distribution cannot be served"),
            }
        }
        self.plane.route(routes);
        Ok(())
    }

    /// An id in CloudFront's form: a letter and 13 letters or digits.
    pub(crate) fn new_id(&self, letter: char) -> String {
        const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut bytes = [0; 13];
        self.entropy.fill(&mut bytes);
        let rest = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        std::iter::once(letter).chain(rest).collect()
    }

    /// A distribution's domain name.
    pub(crate) fn new_domain_name(&self) -> String {
        format!("{}.cloudfront.net", self.new_id('D').to_ascii_lowercase())
    }

    pub(crate) fn store_arn(&self, id: &str) -> String {
        self.account.global_arn("cloudfront", &format!("key-value-store/{id}"))
    }

    pub(crate) fn distribution_arn(&self, id: &str) -> String {
        self.account.global_arn("cloudfront", &format!("distribution/{id}"))
    }

    pub(crate) fn function_arn(&self, name: &str) -> String {
        self.account.global_arn("cloudfront", &format!("function/{name}"))
    }
}

/// Everything that configurations may refer to.
pub(crate) fn definitions(connection: &Connection) -> Result<Definitions, StoreError> {
    let mut definitions = Definitions::default();
    for row in DefinitionRow::all(connection, Kind::CachePolicy)? {
        definitions.cache_policies.insert(row.id.clone(), row.read()?);
    }
    for row in DefinitionRow::all(connection, Kind::OriginRequestPolicy)? {
        definitions.origin_request_policies.insert(row.id.clone(), row.read()?);
    }
    for row in DefinitionRow::all(connection, Kind::ResponseHeadersPolicy)? {
        definitions.response_headers_policies.insert(row.id.clone(), row.read()?);
    }
    for row in DefinitionRow::all(connection, Kind::OriginAccessControl)? {
        definitions.origin_access_controls.insert(row.id.clone(), row.read()?);
    }
    let mut keys = std::collections::HashMap::new();
    for row in DefinitionRow::all(connection, Kind::PublicKey)? {
        let key: PublicKey = row.read()?;
        match TrustedKey::parse(&row.id, &key.encoded_key) {
            Ok(key) => drop(keys.insert(row.id, Arc::new(key))),
            // It was checked when it was stored; only a newer program's stricter rules lead here.
            Err(error) => tracing::error!(key = row.id, error = %error, "a public key cannot be used"),
        }
    }
    for row in DefinitionRow::all(connection, Kind::KeyGroup)? {
        let group: KeyGroup = row.read()?;
        let members = group.items.iter().filter_map(|key| keys.get(key).cloned()).collect();
        definitions.key_groups.insert(row.id, members);
    }
    for row in DefinitionRow::all(connection, Kind::KeyValueStore)? {
        let store: KeyValueStore = row.read()?;
        let version = KeyValueVersion::find(connection, &store.id)?;
        let pairs = Pairs {
            created_at: row.created_at,
            modified_at: version.map_or(row.modified_at, |version| version.modified_at),
            pairs: KeyValues::page(connection, &store.id, "", usize::MAX)?.into_iter().collect(),
        };
        definitions.stores.insert(store.id, Arc::new(pairs));
    }
    for row in DefinitionRow::all(connection, Kind::LiveFunction)? {
        let body: crate::define::FunctionBody = row.read()?;
        let function = Function::new(&row.id, &row.etag, body.code, &body.key_value_stores, &definitions.stores);
        definitions.functions.insert(row.id, Arc::new(function));
    }
    Ok(definitions)
}

#[async_trait]
impl Service for Edge {
    fn protocol(&self) -> Protocol {
        Protocol::RestXml
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        self.answer(&request)
    }
}
