//! The signals that end the process, and the one that must not.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use calbridge::shutdown;
use rustix::process::{Signal, getpid, kill_process};

/// Has begun to listen when it returns.
fn is_waiting(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
}

fn send(signal: Signal) {
    kill_process(getpid(), signal).expect("a process may signal itself");
}

#[tokio::test]
async fn the_first_signal_asks_and_the_second_insists() {
    for (first, second) in [(Signal::TERM, Signal::INT), (Signal::INT, Signal::TERM)] {
        let mut requested = pin!(shutdown::requested());
        assert!(is_waiting(requested.as_mut()), "nobody has asked yet");
        send(first);
        requested.await;
        let mut insisted = pin!(shutdown::insisted());
        assert!(is_waiting(insisted.as_mut()), "the first signal counts once");
        send(second);
        insisted.await;
    }
}

#[tokio::test]
async fn a_write_beyond_the_file_size_limit_does_not_end_the_process() {
    shutdown::survive_file_size_limit();
    send(Signal::XFSZ);
}
