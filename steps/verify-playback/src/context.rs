//! The viewer's HTTP client, and the environment.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Url, header::CONTENT_TYPE, redirect::Policy};
use vodline_step::env::{MissingVariable, required};

use crate::{Fetched, Ports};

/// For one request with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// For the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The site, as viewers reach it.
#[derive(Debug)]
pub struct Context {
    client: Client,
    site: Url,
}

/// Why the environment is not usable.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// One is missing.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// `SITE_URL` is none.
    #[error("SITE_URL is no address of a site")]
    SiteUrl,
    /// No TLS, say.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn load() -> Result<Self, ContextError> {
        let site = Url::parse(&required("SITE_URL")?).map_err(|_| ContextError::SiteUrl)?;
        Self::of_site(site)
    }

    /// A viewer of this site.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn of_site(site: Url) -> Result<Self, ContextError> {
        // A redirect would verify something else than what players are told to open.
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(Policy::none())
            .user_agent("vodline-verify-playback")
            .build()?;
        Ok(Self { client, site })
    }
}

impl Ports for Context {
    fn site(&self) -> &Url {
        &self.site
    }

    async fn fetch(&self, url: Url, bytes_max: u64) -> Result<Fetched, String> {
        let words = |error: reqwest::Error| {
            let what = if error.is_timeout() { "it took too long" } else { "it did not answer" };
            tracing::info!(error = %error.without_url(), what, "a fetch failed");
            what.to_owned()
        };
        let mut answer = self.client.get(url).send().await.map_err(words)?;
        let status = answer.status().as_u16();
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(words)? {
            if body.len() as u64 + chunk.len() as u64 > bytes_max {
                return Err(format!("it is larger than {bytes_max} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { status, content_type, body })
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use axum::{Router, response::Redirect, routing::get};

    use super::*;

    async fn site() -> Context {
        let router = Router::new()
            .route("/small", get(|| async { ([(CONTENT_TYPE, "Video/MP2T")], "12345") }))
            .route("/away", get(|| async { Redirect::temporary("/small") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Context::of_site(Url::parse(&url).expect("a URL")).expect("a viewer")
    }

    #[tokio::test]
    async fn a_viewer_is_given_what_is_there_and_no_more_than_asked() {
        let context = site().await;
        let fetch =
            async |path: &str, bytes_max| context.fetch(context.site().join(path).expect("a URL"), bytes_max).await;
        let fetched = fetch("/small", 5).await.expect("an answer");
        assert_eq!(fetched, Fetched { status: 200, content_type: "video/mp2t".to_owned(), body: b"12345".to_vec() });
        assert_eq!(fetch("/small", 4).await, Err("it is larger than 4 bytes".to_owned()));
        assert_eq!(fetch("/away", 5).await.map(|fetched| fetched.status), Ok(307));
        assert_eq!(fetch("/none", 5).await.map(|fetched| fetched.status), Ok(404));
    }
}
