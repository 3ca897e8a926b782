//! Viewers' connections: HTTP/1.1 and HTTP/2 on one port.
//!
//! One thread for each core, with a runtime of its own, so that a connection never moves between cores; whoever accepts hands
//! them out in turns. Over TLS the two agree on one of them; without, HTTP/2 is spoken to those who begin with it (prior
//! knowledge), as RFC 9113 has no upgrade from HTTP/1.1 any more. What a viewer does not do in time ends its connection.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use super::{Plane, Tls, pipeline, request::Arrival};

/// Connections at a time.
const CONNECTIONS_MAX: u32 = 10_000;
/// Connections that may wait for their thread.
const QUEUE: usize = 1024;
/// How long a viewer may take over the head of a request, or sit idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a viewer may take until the two have agreed on TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which no byte moves for this long, and for which nothing is being done, is ended: the viewer does not read.
const STILL_TIMEOUT: Duration = Duration::from_secs(60);
/// The size of all headers together;
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const HEADERS_BYTES_MAX: u32 = 20_480;
/// What CloudFront announces in its SETTINGS.
const STREAMS_MAX: u32 = 128;
/// Streams that a viewer may have reset before their requests were looked at (CVE-2023-44487); one more ends the connection.
const RESET_STREAMS_MAX: usize = 20;
/// Flow control must not slow down a viewer on this machine.
const WINDOW_BYTES: u32 = 1 << 20;
/// How much the kernel takes at once (it doubles this). Without a bound it takes whole segments, and those that are on their way
/// to all viewers together no longer fit into the processor's cache: on loopback a MiB then costs the two sides 490 us of CPU
/// instead of 430.
const SEND_BUFFER_BYTES: usize = 384 << 10;
/// Files are read where that may block; a thread of viewers needs few hands for it.
const BLOCKING_THREADS_MAX: usize = 32;

/// A connection, and its place among [`CONNECTIONS_MAX`].
type Accepted = (std::net::TcpStream, SocketAddr, OwnedSemaphorePermit);

impl Plane {
    /// Accepts connections for ever. When this is dropped, open connections go on to their end.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, tls: Option<Tls>) {
        // A second listener changes nothing: any runtime of the process will do.
        let _ = self.background.set(Handle::current());
        let threads = match self.start_threads(tls.as_ref()) {
            Ok(threads) => threads,
            Err(error) => {
                tracing::error!(error = %error, "the edge cannot start its threads");
                return;
            }
        };
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        for thread in threads.iter().cycle() {
            // Never closed, so never an error.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let accepted = accept(&listener).await;
            if let Ok((stream, peer)) = accepted
                && thread.send((stream, peer, slot)).await.is_err()
            {
                tracing::error!("a thread of the edge's has ended");
            }
        }
    }

    fn start_threads(self: &Arc<Self>, tls: Option<&Tls>) -> io::Result<Vec<mpsc::Sender<Accepted>>> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        (0..count)
            .map(|index| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .max_blocking_threads(BLOCKING_THREADS_MAX)
                    .build()?;
                let (plane, tls) = (self.clone(), tls.cloned());
                thread::Builder::new()
                    .name(format!("edge-{index}"))
                    .spawn(move || runtime.block_on(serve_accepted(plane, receiver, tls)))?;
                Ok(sender)
            })
            .collect()
    }
}

/// Out of the runtime that accepts, into that of a thread.
async fn accept(listener: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let accepted = listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer)));
    if let Err(error) = &accepted {
        // Out of file descriptors, or a viewer gone before it was accepted.
        tracing::warn!(error = %error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    accepted
}

/// One thread's work; ends when nobody accepts any more and the last connection has ended.
async fn serve_accepted(plane: Arc<Plane>, mut accepted: mpsc::Receiver<Accepted>, tls: Option<Tls>) {
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    while let Some((stream, peer, slot)) = accepted.recv().await {
        let Ok(here) = open.clone().acquire_owned().await else { return };
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "a connection cannot be served");
                continue;
            }
        };
        // Without this, small answers may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        let (plane, tls) = (plane.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve_connection(plane, stream, Arrival { peer, scheme: "http" }).await,
                Some(Tls(tls)) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve_connection(plane, stream, Arrival { peer, scheme: "https" }).await,
                    Ok(Err(error)) => tracing::debug!(error = %error, "a viewer did not agree on TLS"),
                    Err(_) => tracing::debug!("a viewer took too long over TLS"),
                },
            }
            drop((slot, here));
        });
    }
    let _ = open.acquire_many(CONNECTIONS_MAX).await;
}

/// What happens on a connection.
#[derive(Default)]
struct Activity {
    /// Reads and writes that moved something.
    moves: AtomicU64,
    /// Requests that are being answered.
    requests: AtomicUsize,
}

/// Counts a request while it is being answered.
struct Answering<'a>(&'a Activity);

impl<'a> Answering<'a> {
    fn new(activity: &'a Activity) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_connection(
    plane: Arc<Plane>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    arrival: Arrival,
) {
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request| {
        let (plane, activity) = (plane.clone(), activity.clone());
        async move {
            let _answering = Answering::new(&activity);
            Ok::<_, Infallible>(pipeline::handle(&plane, request, arrival).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let stream = Watched { stream, activity: activity.clone() };
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut moves = 0;
    loop {
        match tokio::time::timeout(STILL_TIMEOUT, &mut connection).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::debug!(error = %error, "a viewer's connection ended");
                return;
            }
            Err(_) => {
                let now = activity.moves.load(Ordering::Relaxed);
                if now == moves && activity.requests.load(Ordering::Relaxed) == 0 {
                    tracing::debug!("a viewer's connection stood still");
                    return;
                }
                moves = now;
            }
        }
    }
}

/// A stream that tells when something moves on it.
struct Watched<T> {
    stream: T,
    activity: Arc<Activity>,
}

impl<T> Watched<T> {
    fn moved<R>(&self, poll: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if matches!(poll, Poll::Ready(Ok(_))) {
            self.activity.moves.fetch_add(1, Ordering::Relaxed);
        }
        poll
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(context, into);
        self.moved(poll)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.moved(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.moved(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
