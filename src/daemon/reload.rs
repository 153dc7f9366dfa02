//! What an operator may exchange while the bridge runs, and how the bridge comes to know: by SIGHUP, or
//! by a look at the files each minute.

use std::io;

use chrono::TimeDelta;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::audit::By;
use crate::app::{App, client, keyring};

/// How often the files are looked at by themselves.
const LOOK: TimeDelta = TimeDelta::minutes(1);

/// Hears SIGHUP, which from here on no longer ends the process.
pub fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reads anew what the operator exchanged, again and again.
pub async fn heed(app: &App, mut hangups: Signal) {
    look(app).await;
    loop {
        tokio::select! {
            biased;
            Some(()) = hangups.recv() => {
                tracing::info!("SIGHUP: what may be exchanged while running is read anew");
                again(app).await;
            }
            () = app.clock.sleep_until(app.clock.now() + LOOK) => look(app).await,
        }
    }
}

/// Reads everything anew. What cannot be used is told, and what was in use goes on.
async fn again(app: &App) {
    app.gate.look_again();
    if let Err(error) = client::reload(app, By::Bridge).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the OAuth client was not read");
    }
    if let Err(error) = keyring::reload(app).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the key file was not read");
    }
}

async fn look(app: &App) {
    if let Err(error) = client::look(app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the OAuth client was not read");
    }
}
