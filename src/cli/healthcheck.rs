//! `calbridge healthcheck`: whether the daemon answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Failed;
use crate::config::Loaded;

const PATIENCE: Duration = Duration::from_secs(5);

pub async fn run(loaded: &Loaded) -> Result<(), Failed> {
    let address = reachable(loaded.config.listen);
    let silent = |error: String| {
        Failed::new(69, format!("the daemon at {address} does not answer: {error}"))
    };
    match tokio::time::timeout(PATIENCE, ask(address)).await {
        Ok(Ok(200)) => Ok(()),
        Ok(Ok(status)) => Err(silent(format!("status {status}"))),
        Ok(Err(error)) => Err(silent(error)),
        Err(_) => Err(silent(format!("no answer in {} s", PATIENCE.as_secs()))),
    }
}

/// An address that listens on every interface is reached on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr) -> Result<u16, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let request = Request::get("/livez")
        .header(hyper::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .expect("a fixed path makes a request");
    tokio::select! {
        response = sender.send_request(request) => Ok(response.map_err(|error| error.to_string())?.status().as_u16()),
        ended = connection => Err(ended.err().map_or_else(|| "it closed the connection".into(), |error| error.to_string())),
    }
}
