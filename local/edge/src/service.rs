//! The service: what it is opened with, and what its parts share.

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::net::TcpListener;
use vodline_core::{
    Account, AwsError, Clock, Entropy, Origin, Protocol, Request, Response, Service, Store, StoreError,
    rusqlite::Connection,
};

use crate::{
    plane::{Definitions, Distribution, Function, Plane, Routes, Tiers},
    table::{self, DefinitionRow, DistributionRow, Kind},
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
    /// Who is told of every request, if anyone.
    pub access_log: Option<Arc<dyn AccessLog>>,
    /// How much memory the cache may take, in bytes.
    pub cache_bytes: u64,
    /// How much of the disk it may take beside that, in bytes; 0 for none. Answers kept there outlive the process.
    pub disk_cache_bytes: u64,
}

/// The disk tier's directory, in the home's.
const CACHE_DIRECTORY: &str = "edge-cache";

/// One request of a viewer's, served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// When it was answered.
    pub time: Timestamp,
    /// Whose it was.
    pub viewer: IpAddr,
    /// HTTP method.
    pub method: String,
    /// The `Host` header.
    pub host: String,
    /// The path as sent.
    pub path: String,
    /// The query string as sent, without `?`.
    pub query: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// The answer's `Content-Length`.
    pub body_bytes: u64,
    /// `x-cache` of the answer.
    pub result: String,
    /// `x-amz-cf-id` of the answer.
    pub request_id: String,
}

/// Hears of every request; called on the data plane's own threads, so it must not block.
pub trait AccessLog: Send + Sync + 'static {
    /// Takes one record.
    fn record(&self, access: &Access);
}

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
        let plane = Plane::new(
            config.clock.clone(),
            config.entropy.as_ref(),
            config.origin,
            config.access_log,
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
            routing: Mutex::default(),
        });
        edge.deploy()?;
        Ok(edge)
    }

    /// Serves viewers on this listener, for ever. Dropping the future stops accepting; open connections end on their own.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        self.plane.clone().serve(listener).await;
    }

    /// Waits until every answer that is to outlive the process is on the disk. For an orderly end; a kill loses the last few
    /// answers of the cache and nothing else.
    pub fn flush_cache(&self) {
        self.plane.flush();
    }

    /// Gives the data plane what the store says.
    pub(crate) fn deploy(&self) -> Result<(), StoreError> {
        let _routing = self.routing.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, definitions) = self
            .store
            .read::<_, StoreError>(|connection| Ok((DistributionRow::all(connection)?, definitions(connection)?)))?;
        let mut routes = Routes::default();
        for row in rows.into_iter().filter(|row| row.config.enabled) {
            match Distribution::new(&row.id, &row.domain_name, &row.config, &definitions) {
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
        definitions.origin_access_controls.push(row.id);
    }
    for row in DefinitionRow::all(connection, Kind::Function)? {
        let body: crate::define::FunctionBody = row.read()?;
        let function = Function { name: row.id.clone(), etag: row.etag, code: body.code };
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
