//! The signals that end the process, and the one that must not.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM and Ctrl-C from the call on, and returns at the first of them once it is
/// awaited. From the call on neither ends the process by itself. Call it inside a runtime.
pub fn requested() -> impl Future<Output = ()> {
    let ears = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        let (Some(mut terminate), Some(mut interrupt)) = ears else {
            // Without ears, the signals end the process at once, as they do by default.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Returns at the next signal after the one that `requested` returned at: somebody will not wait.
pub async fn insisted() {
    requested().await;
}

/// Lets a write beyond the file size limit fail with an error, which the store can tell of, instead
/// of ending the process by SIGXFSZ. For the rest of the process; call it inside a runtime.
pub fn survive_file_size_limit() {
    let number = rustix::process::Signal::XFSZ.as_raw();
    // To be listened to is all it takes: tokio never restores a signal's default.
    drop(listen(SignalKind::from_raw(number)));
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "cannot listen for a signal");
        })
        .ok()
}
