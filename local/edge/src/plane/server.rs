//! Viewers' connections.

use std::{sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{Plane, pipeline};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 10_000;
/// How long a viewer may take over the head of a request, or sit idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

impl Plane {
    /// Accepts connections for ever.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // Never closed, so never an error.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a viewer gone before it was accepted.
                    tracing::warn!(error = %error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            // Without this, small answers may wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let plane = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let plane = plane.clone();
                    async move { Ok::<_, std::convert::Infallible>(pipeline::handle(&plane, request, peer.ip()).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = connection.await {
                    tracing::debug!(error = %error, "a viewer's connection ended");
                }
                drop(slot);
            });
        }
    }
}
