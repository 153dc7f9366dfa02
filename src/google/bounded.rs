//! A connection that gives up on an answer without end. The hub collects whole answers itself, so
//! the bound has to lie below it: between two writes only so much may be read. (HTTP/1.1 only,
//! where one answer follows one request.)

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower::Service;

/// More than any single answer of Google that is asked for here.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
const READ_AT_ONCE: usize = 16 * 1024;

/// Makes connections like `C`, each bounded.
#[derive(Clone)]
pub struct BoundedConnector<C>(pub C);

/// A connection like `S`, bounded.
pub struct Bounded<S> {
    inner: S,
    /// How much may still be read before the next write.
    left: usize,
}

impl<C> Service<Uri> for BoundedConnector<C>
where
    C: Service<Uri, Future: Send + 'static>,
{
    type Response = Bounded<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async { Ok(Bounded { inner: connecting.await?, left: LONGEST_ANSWER }) })
    }
}

impl<S: Read + Unpin> Read for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = [0; READ_AT_ONCE];
        let wanted = into.remaining().min(READ_AT_ONCE);
        let mut read = ReadBuf::new(&mut room[..wanted]);
        ready!(Pin::new(&mut self.inner).poll_read(context, read.unfilled()))?;
        let read = read.filled();
        let Some(left) = self.left.checked_sub(read.len()) else {
            return Poll::Ready(Err(io::Error::other("the answer is longer than any should be")));
        };
        self.left = left;
        into.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.left = LONGEST_ANSWER;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.left = LONGEST_ANSWER;
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }
}

impl<S: Connection> Connection for Bounded<S> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}
