//! Asks the running daemon through its socket or, where none runs, opens the data and answers
//! itself: the same routes either way.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tower::ServiceExt;

use super::Failed;
use crate::config::Loaded;
use crate::daemon::{self, ADMIN_SOCKET, Daemon, DaemonError};

/// No answer is longer.
const MOST_BYTES: usize = 16 << 20;

/// Whoever answers: the running daemon, or the same routes over the store opened here.
pub enum Desk {
    Daemon(PathBuf),
    Here(Box<Daemon>),
}

/// Sends one request to the administrator's routes and reads the answer.
pub async fn ask<T: DeserializeOwned>(
    loaded: Loaded,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<T, Failed> {
    let desk = reach(&loaded).await?;
    let answer = desk.ask(method, path, body).await;
    desk.leave().await?;
    answer
}

/// Finds who answers, for several requests.
pub async fn reach(loaded: &Loaded) -> Result<Desk, Failed> {
    let socket = loaded.config.data_dir.join(ADMIN_SOCKET);
    if connect(&socket).await?.is_some() {
        return Ok(Desk::Daemon(socket));
    }
    let here = Box::pin(daemon::open(&loaded.config)).await.map_err(failed)?;
    Ok(Desk::Here(Box::new(here)))
}

impl Desk {
    /// Sends a request and reads the answer.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failed> {
        let bytes = body
            .map(|body| serde_json::to_vec(body).expect("plain structs can be written"))
            .unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "calbridge")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Body::from(bytes))
            .map_err(|error| Failed::new(2, format!("cannot ask for {path}: {error}")))?;
        match self {
            Self::Daemon(socket) => {
                let gone = || Failed::new(69, "the daemon is gone; start it, and ask again");
                let stream = connect(socket).await?.ok_or_else(gone)?;
                read(over(stream, request).await?).await
            }
            Self::Here(here) => {
                let router: Router = here.bridge.admin_router();
                let response = router.oneshot(request).await;
                read(response.unwrap_or_else(|never| match never {})).await
            }
        }
    }

    /// Lets go of the store, if it was opened here.
    pub async fn leave(self) -> Result<(), Failed> {
        match self {
            Self::Daemon(_) => Ok(()),
            Self::Here(here) => here.close().await.map_err(failed),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn failed(error: DaemonError) -> Failed {
    Failed::new(error.exit_code(), error.to_string())
}

/// The daemon's socket, if a daemon listens on it.
async fn connect(socket: &Path) -> Result<Option<UnixStream>, Failed> {
    match UnixStream::connect(socket).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Ok(None)
        }
        Err(error) => Err(Failed::new(
            69,
            format!("cannot speak to the daemon at {}: {error}", socket.display()),
        )),
    }
}

async fn over(stream: UnixStream, request: Request<Body>) -> Result<Response<Body>, Failed> {
    let failed =
        |error: hyper::Error| Failed::new(69, format!("the daemon did not answer: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let mut connection = std::pin::pin!(connection);
    let response = tokio::select! {
        response = sender.send_request(request) => response.map_err(failed)?,
        ended = &mut connection => return Err(ended.map_or_else(failed, |()| Failed::new(69, "the daemon hung up"))),
    };
    let (parts, body) = response.into_parts();
    let collected = async { body.collect().await.map_err(failed) };
    let bytes = tokio::select! {
        bytes = collected => bytes?.to_bytes(),
        ended = &mut connection => return Err(ended.map_or_else(failed, |()| Failed::new(69, "the daemon hung up"))),
    };
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

async fn read<T: DeserializeOwned>(response: Response<Body>) -> Result<T, Failed> {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), MOST_BYTES)
        .await
        .map_err(|error| Failed::new(69, format!("the daemon's answer broke off: {error}")))?;
    if !status.is_success() {
        let told = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_default();
        return Err(Failed::new(
            1,
            told["detail"].as_str().unwrap_or("the daemon refused").to_owned(),
        ));
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Failed::new(69, format!("the daemon's answer cannot be read: {error}")))
}
