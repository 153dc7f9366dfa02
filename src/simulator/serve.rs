//! HTTP/1.1 by hand, so that a fault can cut a connection where a web framework would answer.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::answer::{Answer, CutConnection};
use super::{
    Simulator, acl, batch, calendar_list, calendars, call, channels, colors, consent, control,
    events, free_busy, method_override, openid, pages, token, user_settings,
};

const LARGEST_BODY: usize = 1024 * 1024;
/// Connections served at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long nobody is accepted after accepting failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers in hand may take after the stop.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

impl Simulator {
    /// Serves on `listener` until `stop`, then finishes the answers in hand.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let routes = self.clone().routes();
        let graceful = GracefulShutdown::new();
        let connections = TaskTracker::new();
        drop(connections.spawn(self.deliver(stop.clone())));
        let room = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
        loop {
            let Some(Ok(place)) = stop.run_until_cancelled(room.clone().acquire_owned()).await
            else {
                break;
            };
            let stream = match stop.run_until_cancelled(listener.accept()).await {
                None => break,
                Some(Ok((stream, _))) => stream,
                Some(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the simulator cannot accept a connection"
                    );
                    // Out of descriptors, most likely: some come back when a connection ends.
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, stop.cancelled()).await;
                    continue;
                }
            };
            let watched = graceful.watch(connection(routes.clone(), stop.clone(), stream));
            drop(connections.spawn(async move {
                // An error is a client that left, or a fault that cut the connection.
                let _ = watched.await;
                drop(place);
            }));
        }
        drop(listener);
        connections.close();
        if tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await.is_ok() {
            connections.wait().await;
        }
    }

    /// Serves one connection over `stream`, which need not be a socket: one end of
    /// [`tokio::io::duplex`] will do. Ends with the connection.
    pub async fn serve_stream(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        stop: CancellationToken,
    ) {
        // An error is a client that left, or a fault that cut the connection.
        let _ = connection(self.routes(), stop, stream).await;
    }

    fn routes(self) -> Router {
        let single = Router::new()
            .merge(consent::routes())
            .merge(token::routes())
            .merge(openid::routes())
            .merge(events::routes())
            .merge(acl::routes())
            .merge(calendar_list::routes())
            .merge(calendars::routes())
            .merge(colors::routes())
            .merge(channels::routes())
            .merge(free_busy::routes())
            .merge(user_settings::routes())
            .merge(control::routes())
            .merge(pages::routes());
        let in_batches = single.clone().fallback(unknown).method_not_allowed_fallback(unknown);
        single
            .merge(batch::routes(in_batches.with_state(self.clone())))
            .fallback(unknown)
            .method_not_allowed_fallback(unknown)
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(self)
    }
}

fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    routes: Router,
    stop: CancellationToken,
    stream: S,
) -> impl GracefulConnection<Error = hyper::Error> {
    let service = service_fn(move |request| answer(routes.clone(), stop.clone(), request));
    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service)
}

async fn unknown() -> Answer {
    call::unknown_path()
}

async fn answer(
    routes: Router,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let mut request = match method_override::meant(request.map(Body::new)).await {
        Ok(request) => request,
        Err(refused) => return Ok(refused.into_response()),
    };
    request.extensions_mut().insert(stop);
    let response = match routes.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if response.extensions().get::<CutConnection>().is_some() {
        return Err(io::Error::other("cut by a scripted fault"));
    }
    Ok(response)
}
