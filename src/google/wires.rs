//! What connections to Google run over: the network, or the memory of a program that holds both
//! ends, as a simulation does.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tower::Service;

/// Opens a connection to an address and returns this end of it; whoever made the function holds the
/// other.
pub type Open = Arc<dyn Fn(&Uri) -> io::Result<DuplexStream> + Send + Sync>;

/// What connections to Google run over.
#[derive(Clone)]
pub enum Wires {
    /// TCP, with TLS for `https`.
    Network,
    /// Pipes in memory.
    Memory(Open),
}

/// Makes connections.
#[derive(Clone)]
pub enum Switchboard {
    /// Over the network.
    Network(HttpsConnector<HttpConnector>),
    /// Inside this process.
    Memory(Open),
}

/// A connection.
pub enum Line {
    /// Over the network. Boxed, since TLS is large.
    Network(Box<MaybeHttpsStream<TokioIo<TcpStream>>>),
    /// Inside this process.
    Memory(TokioIo<DuplexStream>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<Line, ConnectError>> + Send>>;
type ConnectError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Switchboard {
    type Response = Line;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        match self {
            Self::Network(connector) => connector.poll_ready(context),
            Self::Memory(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, to: Uri) -> Connecting {
        match self {
            Self::Network(connector) => {
                let connecting = connector.call(to);
                Box::pin(async { Ok(Line::Network(Box::new(connecting.await?))) })
            }
            Self::Memory(open) => {
                let opened = open(&to);
                Box::pin(async { Ok(Line::Memory(TokioIo::new(opened?))) })
            }
        }
    }
}

impl Read for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_read(context, into),
            Self::Memory(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl Write for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Memory(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_flush(context),
            Self::Memory(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Network(stream) => stream.is_write_vectored(),
            Self::Memory(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Memory(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        match self {
            Self::Network(stream) => stream.connected(),
            Self::Memory(_) => Connected::new(),
        }
    }
}

impl fmt::Debug for Wires {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Network => "Network",
            Self::Memory(_) => "Memory",
        })
    }
}
