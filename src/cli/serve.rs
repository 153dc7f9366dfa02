//! `calbridge serve`: the bridge, until it is told to stop.

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::Failed;
use crate::config::Loaded;
use crate::daemon::{self, DaemonError};
use crate::{shutdown, telemetry};

pub async fn run(loaded: Loaded) -> Result<(), Failed> {
    let Loaded { config, notes } = loaded;
    let _logs = telemetry::start(&config.log)
        .map_err(|error| Failed::new(78, format!("log.dir: logs cannot be written: {error}")))?;
    for note in notes {
        tracing::warn!("{note}");
    }
    let failed = |error: DaemonError| Failed::new(error.exit_code(), error.to_string());
    shutdown::survive_file_size_limit();
    let daemon = daemon::open(&config).await.map_err(failed)?;
    let listener = daemon::bind(&config).await.map_err(failed)?;
    let address = listener.local_addr().unwrap_or(config.listen);
    let doors = daemon.doors(listener).map_err(failed)?;
    // Whoever is told below may say stop at once.
    let requested = shutdown::requested();
    let settings = &daemon.bridge.app.settings;
    tracing::info!(
        %address,
        data_dir = %config.data_dir.display(),
        namespace = settings.namespace,
        "calbridge {} listens; setup page: {}", env!("CARGO_PKG_VERSION"), settings.setup_url,
    );
    tell_systemd(&[NotifyState::Ready]);
    let stop = CancellationToken::new();
    let stopping = async {
        requested.await;
        tracing::info!("stopping: requests and jobs in hand are finished first");
        tell_systemd(&[NotifyState::Stopping]);
        stop.cancel();
        shutdown::insisted().await;
    };
    tokio::select! {
        ended = daemon.run(doors, stop.clone()) => ended.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "stopped");
            failed(error)
        }),
        () = stopping => Err(Failed::new(1, "stopped at once, as the second signal asked; what was accepted is safe")),
    }
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
