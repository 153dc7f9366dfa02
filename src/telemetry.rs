//! Logs: to standard output and, if asked, to daily files.
//!
//! Some crates write tokens into their debug lines. They are held at `warn` here, in a filter of its
//! own behind the operator's, so that no setting lets a secret out.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{EnvFilter, FilterExt, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::{BoxMakeWriter, MakeWriterExt};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogConfig, LogFormat};

/// Crates that see tokens, by the beginning of their targets.
const HANDLE_SECRETS: [&str; 11] = [
    "google_apis_common",
    "google_calendar3",
    "h2",
    "hyper",
    "hyper_util",
    "jsonwebtoken",
    "oauth2",
    "rustls",
    "sled",
    "sqlx",
    "yup_oauth2",
];

/// Keeps the log files open; when it is dropped, what waits is written.
#[derive(Debug)]
#[must_use = "dropping it ends the log files"]
pub struct Guard {
    _file: Option<WorkerGuard>,
}

/// Begins to log as `log` says, for the whole process. Fails if files cannot be written in
/// `log.dir`, or if logging has begun already.
pub fn start(log: &LogConfig) -> io::Result<Guard> {
    let (writer, guard) = match &log.dir {
        None => (BoxMakeWriter::new(io::stdout), None),
        Some(dir) => {
            let (file, guard) = daily_files(dir, log.keep_files)?;
            (BoxMakeWriter::new(io::stdout.and(file)), Some(guard))
        }
    };
    subscriber(log, writer)?.try_init().map_err(io::Error::other)?;
    Ok(Guard { _file: guard })
}

/// What `start` installs, over any writer.
pub fn subscriber<W>(log: &LogConfig, writer: W) -> io::Result<impl Subscriber + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let told = EnvFilter::try_new(&log.level).map_err(io::Error::other)?;
    let capped = HANDLE_SECRETS.map(|target| (target, LevelFilter::WARN));
    let cap = Targets::new().with_targets(capped).with_default(LevelFilter::TRACE);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(writer).boxed(),
    };
    Ok(tracing_subscriber::registry().with(lines.with_filter(told.and(cap))))
}

/// Files `calbridge.DATE.log` in `dir`, the newest `keep` of them. They are written by a thread of
/// their own: a slow disk holds up no request.
fn daily_files(dir: &Path, keep: usize) -> io::Result<(NonBlocking, WorkerGuard)> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("calbridge")
        .filename_suffix("log")
        .max_log_files(keep)
        .build(dir)
        .map_err(io::Error::other)?;
    Ok(tracing_appender::non_blocking(files))
}
