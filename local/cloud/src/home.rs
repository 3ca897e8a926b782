//! The home: opens every service, plugs each into the others' ports, brings the stack up, and serves.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use vodline_core::{
    Account, Authorizer, Clock, Entropy, EventBus, Executions, Functions, Objects, Origin, Secrets, SystemClock,
    SystemEntropy,
};
use vodline_data::{DynamoConfig, DynamoDb, SecretsConfig, SecretsManager};
use vodline_edge::{Edge, KeyValueStores, Tls, TlsError};
use vodline_events::{Events, Peers, PromptDelivery, Queues, QueuesConfig};
use vodline_lambda::Lambda;
use vodline_media::MediaConvert;
use vodline_packager::Packager;
use vodline_s3::S3;
use vodline_states::States;

use crate::{
    bucket_policy::BucketPolicies,
    cloudformation::{CloudFormation, Sts},
    gateway::{Gateway, Services},
    http_api::HttpApis,
    iam::{Credentials, Iam},
    origins::Origins,
    service_caller::LocalServices,
    stack::{self, Setting},
    template::Template,
};

/// Where the console's built files are, beside the template.
const CONSOLE_FOLDER: &str = "frontend/web/dist/console";

/// ffmpeg fills all cores by itself.
const CONCURRENT_JOBS_MAX: usize = 1;
/// Memory of the edge's cache.
const EDGE_CACHE_BYTES: u64 = 512 * 1024 * 1024;
/// What the edge's cache may take of the disk beside that.
const EDGE_DISK_CACHE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A program put in front of another, such as `vodline limit-child --`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// Its own arguments.
    pub arguments: Vec<String>,
}

/// How long the end of a home may wait for its last access logs, and for what the edge keeps.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What a home is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept; absolute.
    pub data: PathBuf,
    /// Port of the AWS APIs; 0 picks a free one.
    pub port: u16,
    /// Port of the edge; 0 picks a free one.
    pub edge_port: u16,
    /// Port of the edge over TLS, if it is to be served so; 0 picks a free one.
    pub edge_tls_port: Option<u16>,
    /// The stack's template.
    pub template: PathBuf,
    /// The stack's name.
    pub stack: String,
    /// Values of the template's parameters, in place of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// The folder of the functions' programs.
    pub functions: PathBuf,
    /// The owner's keys.
    pub root: Credentials,
    /// Put in front of ffmpeg and ffprobe.
    pub media_launcher: Launcher,
}

/// The home cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another program, perhaps another home, has the port.
    #[error("cannot listen on {address}; is another home up? --port and --edge-port choose other ports")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The edge cannot be served over TLS.
    #[error("the edge has no certificate")]
    Tls(#[from] TlsError),
    /// A file in the data directory cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The template has no such parameter.
    #[error("the template has no parameter {0}; its parameters are under Parameters")]
    NoSuchParameter(String),
    /// Another home works on the same data.
    #[error("another home works in {0}; --data chooses another directory")]
    InUse(PathBuf),
    /// A service cannot be opened.
    #[error("cannot open {service}")]
    Service {
        /// Which.
        service: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The template cannot be used.
    #[error("cannot use the template")]
    Template(#[from] crate::template::TemplateError),
    /// The stack cannot be brought up.
    #[error("cannot bring the stack up")]
    Stack(#[from] stack::StackError),
}

/// Names the service in an error.
fn opening<E: Into<Box<dyn std::error::Error + Send + Sync>>>(service: &'static str) -> impl FnOnce(E) -> HomeError {
    move |source| HomeError::Service { service, source: source.into() }
}

/// A home that is up.
pub struct Home {
    gateway: Arc<Gateway>,
    listener: TcpListener,
    edge_listener: TcpListener,
    edge_tls: Option<(TcpListener, Tls)>,
    cloudfront: Arc<Edge>,
    cloudformation: Arc<CloudFormation>,
    workers: JoinSet<()>,
    /// Held for the home's life: two homes on one data directory would undo each other's work.
    _lock: std::fs::File,
}

impl Home {
    /// Opens everything and brings the stack up. Nothing is served until [`Home::run_until`], but functions may already be
    /// called by what an earlier life left undone.
    ///
    /// # Errors
    /// When a port is taken, the data directory cannot be used, or the template asks for what the home does not do.
    pub async fn start(config: Config) -> Result<Self, HomeError> {
        let lock = lock(&config.data)?;
        let template = Template::load(&config.template)?;
        let listener = listen(config.port).await?;
        let edge_listener = listen(config.edge_port).await?;
        let (port, edge_port) = (local_port(&listener), local_port(&edge_listener));
        let edge_tls = match config.edge_tls_port {
            Some(port) => Some((listen(port).await?, Tls::open(&config.data.join("edge-tls"))?)),
            None => None,
        };
        let endpoint = format!("http://127.0.0.1:{port}");
        let site_url = format!("http://127.0.0.1:{edge_port}");

        let account = Account::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let iam = Arc::new(Iam::new(config.root.clone()));
        let authorizer: Arc<dyn Authorizer> = iam.clone();
        let data = config.data.clone();

        let queues = Queues::open(QueuesConfig {
            directory: data.clone(),
            account: account.clone(),
            endpoint: endpoint.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        })
        .map_err(opening("SQS"))?;
        let events = Events::open(vodline_events::Config {
            directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            queues: queues.clone(),
            policy: Arc::new(PromptDelivery),
        })
        .map_err(opening("EventBridge"))?;
        let bus: Arc<dyn EventBus> = events.clone();
        let s3 = S3::open(vodline_s3::Config {
            directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            bus: bus.clone(),
            credentials: iam.clone(),
            authorizer: authorizer.clone(),
        })
        .map_err(opening("S3"))?;
        let objects: Arc<dyn Objects> = s3.clone();
        let dynamodb = DynamoDb::open(DynamoConfig { directory: data.clone(), account: account.clone() })
            .map_err(opening("DynamoDB"))?;
        let secrets = SecretsManager::open(SecretsConfig {
            directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        })
        .map_err(opening("Secrets Manager"))?;
        let lambda = Lambda::open(vodline_lambda::Config {
            directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            endpoint_url: endpoint.clone(),
            bin_dir: config.functions.clone(),
            limits: vodline_lambda::Limits::default(),
            credentials: Arc::new(crate::iam::Keyring { iam: iam.clone(), entropy: entropy.clone() }),
        })
        .map_err(opening("Lambda"))?;
        let functions: Arc<dyn Functions> = lambda.clone();
        let callable = Arc::new(LocalServices::new(authorizer.clone(), entropy.clone()));
        let states = States::open(vodline_states::Config {
            directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            bus: bus.clone(),
            functions: functions.clone(),
            objects: objects.clone(),
            services: callable.clone(),
            authorizer: authorizer.clone(),
        })
        .map_err(opening("Step Functions"))?;
        let executions: Arc<dyn Executions> = states.clone();
        events.connect(Peers { functions: functions.clone(), executions, authorizer: authorizer.clone() });
        let mediaconvert = MediaConvert::open(vodline_media::Config {
            directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            bus: bus.clone(),
            objects: objects.clone(),
            authorizer: authorizer.clone(),
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            concurrent_jobs_max: CONCURRENT_JOBS_MAX,
            status_update_interval_max: vodline_media::Config::STATUS_UPDATE_INTERVAL_MAX,
            stall_timeout: vodline_media::Config::STALL_TIMEOUT,
            limits: vodline_media::Limits::default(),
            launcher: Some((config.media_launcher.program.clone(), config.media_launcher.arguments.clone())),
        })
        .map_err(opening("MediaConvert"))?;
        let packager = Packager::open(vodline_packager::Config {
            data_directory: data.clone(),
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            objects: objects.clone(),
            secrets: secrets.clone() as Arc<dyn Secrets>,
            events: bus.clone(),
        })
        .map_err(opening("MediaPackage VOD"))?;
        let http_apis = Arc::new(HttpApis::new(account.clone(), clock.clone(), entropy.clone(), functions.clone()));
        let bucket_policies = Arc::new(BucketPolicies::default());
        let cloudfront = Edge::open(vodline_edge::Config {
            data_directory: data.clone(),
            objects: Some(objects.clone()),
            cache_bytes: EDGE_CACHE_BYTES,
            disk_cache_bytes: EDGE_DISK_CACHE_BYTES,
            account: account.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            origin: Arc::new(Origins {
                objects: s3.clone() as Arc<dyn Origin>,
                bucket_policies: bucket_policies.clone(),
                egress: packager.clone() as Arc<dyn Origin>,
                apis: http_apis.clone() as Arc<dyn Origin>,
            }),
        })
        .map_err(opening("CloudFront"))?;

        let cloudformation = Arc::new(CloudFormation::new(&account, &config.stack, clock.now()));
        let services = Services::default()
            .with("states", states.clone())
            .with("events", events.clone())
            .with("sqs", queues.clone())
            .with("dynamodb", dynamodb.clone())
            .with("secretsmanager", secrets.clone())
            .with("lambda", lambda.clone())
            .with("logs", Arc::new(lambda.logs()))
            .with("mediaconvert", mediaconvert.clone())
            .with("mediapackage-vod", packager.clone())
            .with("cloudfront", cloudfront.clone())
            .with("cloudfront-keyvaluestore", Arc::new(KeyValueStores::new(cloudfront.clone())))
            .with("cloudformation", cloudformation.clone())
            .with("sts", Arc::new(Sts { account: account.clone() }));
        callable.connect(services.clone());

        let stack_services = stack::Services {
            s3: s3.clone(),
            dynamodb: dynamodb.clone(),
            secrets,
            queues,
            events: events.clone(),
            lambda: lambda.clone(),
            states: states.clone(),
            bucket_policies,
            cloudfront: cloudfront.clone(),
            http_apis,
            iam: iam.clone(),
        };
        let setting = Setting {
            template: &template,
            name: &config.stack,
            parameters: parameters(&template, &config.parameters, &site_url, &endpoint)?,
            account: &account,
            entropy: &*entropy,
            scratch: data.join("scratch"),
        };
        let stack = stack::bring_up(&stack_services, &setting).await?;
        cloudformation.publish(stack.outputs, stack.resources);

        let console = template.folder().join(CONSOLE_FOLDER);
        let gateway = Arc::new(Gateway {
            services,
            s3: s3.clone(),
            egress: packager.clone(),
            iam,
            entropy,
            console: console.is_dir().then_some(console),
            region: account.region.clone(),
        });
        let mut workers = JoinSet::new();
        workers.spawn(events.run());
        workers.spawn(s3.run());
        workers.spawn(lambda.run());
        workers.spawn(states.run());
        workers.spawn(mediaconvert.run());
        workers.spawn(packager.run());
        workers.spawn(cloudfront.clone().run());
        workers.spawn(dynamodb.run());
        let note = data.join("home.json");
        let tls_port = edge_tls.as_ref().map(|(listener, _)| local_port(listener));
        let text = json!({ "pid": std::process::id(), "port": port, "edgePort": edge_port, "edgeTlsPort": tls_port })
            .to_string();
        // Whoever waits for the file must not read half of it.
        let unfinished = data.join("home.json.new");
        std::fs::write(&unfinished, text)
            .and_then(|()| std::fs::rename(&unfinished, &note))
            .map_err(|source| HomeError::Write { path: note, source })?;
        Ok(Self { gateway, listener, edge_listener, edge_tls, cloudfront, cloudformation, workers, _lock: lock })
    }

    /// Where viewers find the edge over TLS, if it is served so.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        self.edge_tls.as_ref().map(|(listener, _)| format!("https://localhost:{}", local_port(listener)))
    }

    /// The port of the AWS APIs.
    #[must_use]
    pub fn port(&self) -> u16 {
        local_port(&self.listener)
    }

    /// Where the site is.
    #[must_use]
    pub fn site_url(&self) -> String {
        self.cloudformation
            .output("SiteUrl")
            .unwrap_or_else(|| format!("http://127.0.0.1:{}", local_port(&self.edge_listener)))
    }

    /// Serves until `end` comes about. Everything in flight is on disk and goes on at the next start.
    pub async fn run_until(self, end: impl Future<Output = ()>) {
        let Self { gateway, listener, edge_listener, edge_tls, cloudfront, mut workers, .. } = self;
        workers.spawn(serve(listener, gateway));
        workers.spawn(cloudfront.clone().serve(edge_listener));
        if let Some((listener, tls)) = edge_tls {
            workers.spawn(cloudfront.clone().serve_tls(listener, tls));
        }
        tokio::select! {
            () = end => {}
            Some(ended) = workers.join_next() => {
                tracing::error!(?ended, "a worker of the home ended; the home ends with it");
            }
        }
        // A full disk or the like must not keep the home from ending.
        if tokio::time::timeout(LOG_FLUSH_TIMEOUT, cloudfront.flush_logs()).await.is_err() {
            tracing::warn!("the last access logs could not be written in time");
        }
        let cache = tokio::task::spawn_blocking(move || cloudfront.flush_cache());
        if tokio::time::timeout(LOG_FLUSH_TIMEOUT, cache).await.is_err() {
            tracing::warn!("the edge's last answers could not be kept in time");
        }
    }
}

async fn serve(listener: TcpListener, gateway: Arc<Gateway>) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let gateway = gateway.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let gateway = gateway.clone();
                let source: IpAddr = peer.ip();
                async move { Ok::<_, std::convert::Infallible>(gateway.handle(request, source).await) }
            });
            // A client that goes away in the middle is no event.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Loopback only, whatever the configuration says.
async fn listen(port: u16) -> Result<TcpListener, HomeError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|source| HomeError::Listen { address, source })
}

fn local_port(listener: &TcpListener) -> u16 {
    listener.local_addr().map(|address| address.port()).unwrap_or_default()
}

/// The parameters that say where the stack is reached (a template without them is fine), and those that were given.
fn parameters(
    template: &Template,
    given: &BTreeMap<String, String>,
    site_url: &str,
    endpoint: &str,
) -> Result<BTreeMap<String, String>, HomeError> {
    if let Some(unknown) = given.keys().find(|name| !template.parameters.contains_key(*name)) {
        return Err(HomeError::NoSuchParameter(unknown.clone()));
    }
    let mut parameters: BTreeMap<_, _> = [("SiteUrl", site_url), ("UploadEndpoint", endpoint)]
        .into_iter()
        .filter(|(name, _)| template.parameters.contains_key(*name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    parameters.extend(given.clone());
    Ok(parameters)
}

fn lock(data: &PathBuf) -> Result<std::fs::File, HomeError> {
    let path = data.join("lock");
    let open = || {
        std::fs::create_dir_all(data)?;
        // Secrets are in there as they are.
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))?;
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)
    };
    let file = open().map_err(|source| HomeError::Write { path: path.clone(), source })?;
    file.try_lock().map_err(|_| HomeError::InUse(data.clone()))?;
    Ok(file)
}
