//! A body that arrives piece by piece, by the simulator's clock.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use hyper::body::{Bytes, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// Into how many pieces the time is cut; the first comes at once.
const PIECES: i32 = 10;

/// `response` with a body that has wholly arrived once it has taken `takes`, or when the simulator stops.
pub(super) fn slowed(
    response: Response,
    clock: Arc<dyn Clock>,
    now: DateTime<Utc>,
    takes: TimeDelta,
    stop: CancellationToken,
) -> Response {
    let steps = (1..=PIECES).map(|step| now + takes * step / PIECES).collect();
    response.map(|body| {
        Body::new(SlowBody {
            whole: body,
            rest: Bytes::new(),
            piece: 0,
            steps,
            wait: None,
            clock,
            stop,
        })
    })
}

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

struct SlowBody {
    whole: Body,
    /// What is still to be sent of the whole.
    rest: Bytes,
    /// How large a piece is, once the whole is known.
    piece: usize,
    steps: VecDeque<DateTime<Utc>>,
    wait: Option<Wait>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

impl SlowBody {
    fn next_wait(&mut self) -> Option<Wait> {
        let moment = self.steps.pop_front()?;
        let (clock, stop) = (self.clock.clone(), self.stop.clone());
        Some(Box::pin(async move {
            // Stopping ends the wait as well as the moment does.
            let _ = stop.run_until_cancelled(clock.sleep_until(moment)).await;
        }))
    }
}

impl HttpBody for SlowBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.whole).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
            self.piece = self.rest.len().div_ceil(PIECES.unsigned_abs() as usize).max(1);
        }
        let size = if self.steps.is_empty() { self.rest.len() } else { self.piece };
        let size = size.min(self.rest.len());
        let piece = self.rest.split_to(size);
        self.wait = self.next_wait();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.whole.size_hint();
        let left = self.rest.len() as u64;
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + left);
        }
        hint
    }
}
