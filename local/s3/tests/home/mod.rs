//! A real S3 on a real port, and the official SDK in front of it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials as SdkCredentials, Region},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use vodline_core::{
    Account, Authorizer, AwsError, Event, EventBus, Principal, StoreError, SystemClock, SystemEntropy,
    rusqlite::Transaction,
};
use vodline_s3::{BucketSpec, Config, Credential, Credentials, S3};

/// The access key of the owner, and the one of a role that may only do what [`ALLOWED`] says.
pub(crate) const ROOT: &str = "ROOT";
pub(crate) const ROLE: &str = "ROLE";
const TOKEN: &str = "session-token";

/// What the role may do.
const ALLOWED: [(&str, &str); 3] = [
    ("s3:GetObject", "arn:aws:s3:::films/open/"),
    ("s3:PutObject", "arn:aws:s3:::films/open/"),
    ("s3:DeleteObject", "arn:aws:s3:::films/open/"),
];

struct Keys;

impl Credentials for Keys {
    fn find(&self, access_key: &str) -> Option<Credential> {
        let (session_token, principal) = match access_key {
            ROOT => (None, Principal::Root),
            ROLE => (Some(TOKEN.to_owned()), Principal::Role("arn:aws:iam::000000000000:role/reader".into())),
            _ => return None,
        };
        Some(Credential { secret_key: format!("{access_key}-secret"), session_token, principal })
    }
}

struct Policies;

impl Authorizer for Policies {
    fn authorize(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        let allowed = ALLOWED.iter().any(|(allowed, prefix)| *allowed == action && resource.starts_with(prefix));
        if *principal == Principal::Root || allowed {
            return Ok(());
        }
        Err(AwsError::access_denied(principal.arn(), action, resource))
    }
}

/// Keeps what was enqueued; a transaction that fails afterwards would show as an event too many.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

impl Events {
    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

impl EventBus for Events {
    fn enqueue(&self, _transaction: &Transaction<'_>, event: &Event) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }

    fn wake(&self) {}
}

pub(crate) struct Home {
    pub(crate) s3: Arc<S3>,
    pub(crate) events: Arc<Events>,
    pub(crate) endpoint: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Home {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Home {
    /// A home whose bucket `films` is as `spec` says.
    pub(crate) async fn start(directory: &Path, spec: BucketSpec) -> Self {
        let events = Arc::new(Events::default());
        let s3 = S3::open(Config {
            directory: directory.into(),
            account: Account::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: events.clone(),
            credentials: Arc::new(Keys),
            authorizer: Arc::new(Policies),
        })
        .unwrap();
        s3.define_bucket(&BucketSpec { name: "films".into(), ..spec }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, s3.clone()));
        Self { s3, events, endpoint, server }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of(SdkCredentials::new(ROOT, format!("{ROOT}-secret"), None, None, "test"))
    }

    pub(crate) fn role_client(&self) -> Client {
        self.client_of(SdkCredentials::new(ROLE, format!("{ROLE}-secret"), Some(TOKEN.into()), None, "test"))
    }

    pub(crate) fn client_of(&self, credentials: SdkCredentials) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(credentials)
            .build();
        Client::from_conf(config)
    }
}

async fn serve(listener: TcpListener, s3: Arc<S3>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let s3 = s3.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let s3 = s3.clone();
                async move { Ok::<_, std::convert::Infallible>(s3.handle(request, peer.ip()).await) }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A client that goes away is no error of the server's.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
