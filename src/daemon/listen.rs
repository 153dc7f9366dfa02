//! Serves a router on a listener until told to stop, and lets requests in hand finish.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::http::Peer;

/// Whoever has not sent its headers by then is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// More connections than this wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 1024;
/// After an accept that failed, for want of file handles say, there is no use in trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub trait Listener: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection that may come in, and the address at its other end if it has one.
    fn next(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Option<Peer>)>> + Send;
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn next(&mut self) -> io::Result<(Self::Stream, Option<Peer>)> {
        let (stream, from) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, Some(Peer(from.ip()))))
    }
}

/// The administrator's socket: only the daemon's own user, and root, may speak to it.
#[derive(Debug)]
pub struct OwnUserOnly(pub UnixListener);

impl Listener for OwnUserOnly {
    type Stream = tokio::net::UnixStream;

    async fn next(&mut self) -> io::Result<(Self::Stream, Option<Peer>)> {
        loop {
            let (stream, _) = self.0.accept().await?;
            let peer = stream.peer_cred()?.uid();
            if peer == 0 || peer == rustix::process::geteuid().as_raw() {
                return Ok((stream, None));
            }
            tracing::warn!(peer, "another user knocked at the administrator's socket");
        }
    }
}

/// Serves `router` until `stop`; then takes no more connections, and returns once every request in
/// hand has its answer.
pub async fn serve(mut listener: impl Listener, router: Router, stop: CancellationToken) {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let seats = std::sync::Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let next = async {
            let seat = std::sync::Arc::clone(&seats)
                .acquire_owned()
                .await
                .expect("the seats are never closed");
            (seat, listener.next().await)
        };
        let Some((seat, next)) = stop.run_until_cancelled(next).await else { break };
        match next {
            Ok((stream, peer)) => {
                let service = router.clone().map_request(move |mut request: Request<Incoming>| {
                    if let Some(peer) = peer {
                        request.extensions_mut().insert(peer);
                    }
                    request
                });
                let service = TowerToHyperService::new(service);
                let connection = server.serve_connection(TokioIo::new(stream), service);
                let connection = graceful.watch(connection.into_owned());
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(error, "a connection ended early");
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                stop.run_until_cancelled(pause()).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
    connections.close();
    connections.wait().await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel needs real time to get file handles back"
)]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
