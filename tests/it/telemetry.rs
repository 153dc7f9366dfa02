//! Logs: what is told, what never is, and where it goes.

use std::io::{self, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

use calbridge::config::{Config, LogConfig};
use calbridge::telemetry;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Keeps what is written to it.
#[derive(Clone, Default)]
pub struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    /// What was written so far.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().expect("no test panics while writing").clone();
        String::from_utf8(bytes).expect("logs are text")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics while writing").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log(settings: &str) -> LogConfig {
    Config::from_toml(&format!("[log]\n{settings}")).expect("the settings are right").config.log
}

/// What `tell` tells under these settings.
fn told(settings: &str, tell: impl FnOnce()) -> String {
    let page = Page::default();
    let writer = page.clone();
    let subscriber =
        telemetry::subscriber(&log(settings), move || writer.clone()).expect("the level is right");
    tracing::subscriber::with_default(subscriber, tell);
    page.text()
}

fn tell_everywhere() {
    tracing::debug!(target: "calbridge::google", "own debug");
    tracing::trace!(target: "calbridge::store::sled", "own trace");
    tracing::debug!(target: "yup_oauth2::refresh", "capped");
    tracing::info!(target: "yup_oauth2", "capped");
    tracing::debug!(target: "google_apis_common", "capped");
    tracing::debug!(target: "google_calendar3::api", "capped");
    tracing::trace!(target: "h2::codec", "capped");
    tracing::debug!(target: "hyper::proto", "capped");
    tracing::debug!(target: "hyper_util::client::legacy", "capped");
    tracing::debug!(target: "oauth2", "capped");
    tracing::debug!(target: "rustls::client", "capped");
    tracing::trace!(target: "sled::pagecache", "capped");
    tracing::debug!(target: "jsonwebtoken", "capped");
    tracing::debug!(target: "sqlx::query", "capped");
    tracing::warn!(target: "yup_oauth2", "a warning of theirs");
}

#[test]
fn crates_that_see_tokens_are_held_at_warn_whatever_the_setting_says() {
    for level in [
        "trace",
        "yup_oauth2=trace,hyper=trace,sled=trace,trace",
        "trace,yup_oauth2::refresh=trace",
    ] {
        let told = told(&format!("level = '{level}'"), tell_everywhere);
        assert!(told.contains("own debug") && told.contains("own trace"), "{level}: {told}");
        assert!(told.contains("a warning of theirs"), "{level}: {told}");
        assert!(!told.contains("capped"), "{level}: {told}");
    }
}

#[test]
fn the_level_says_what_is_told() {
    let lines = |level: &str| told(&format!("level = '{level}'"), tell_everywhere).lines().count();
    assert_eq!(lines("off"), 0);
    assert_eq!(lines("error"), 0);
    assert_eq!(lines("warn"), 1);
    assert_eq!(lines("debug"), 2);
    assert_eq!(lines("off,calbridge::google=debug"), 1);
    assert_eq!(lines("warn,yup_oauth2=off"), 0);
}

#[test]
fn what_nobody_will_read_is_not_even_written() {
    // The hint lets the many trace calls of sled and hyper end before a record is made.
    let subscriber = telemetry::subscriber(&log("level = 'info'"), io::sink).unwrap();
    assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::INFO));
}

#[test]
fn a_line_is_for_people_or_for_machines() {
    let tell = || tracing::info!(event.id = "7", "accepted");
    let text = told("format = 'text'", tell);
    assert!(text.contains("INFO it::telemetry: accepted event.id=\"7\""), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in files: {text}");
    let json = told("format = 'json'", tell);
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (line["message"].as_str(), line["event.id"].as_str()),
        (Some("accepted"), Some("7"))
    );
}

/// What one of the tests below prints in a process of its own.
fn printed_by(test: &str) -> String {
    let mut child = Command::new(std::env::current_exe().expect("this is a file"));
    child.args(["--ignored", "--exact", "--nocapture", test]);
    let output = child.output().expect("it ran before");
    let printed = String::from_utf8(output.stdout).expect("logs are text");
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    printed
}

#[test]
fn records_of_the_log_crate_are_held_too() {
    // sled speaks through `log`: all it says is heard without the cap, and nothing of it with it.
    assert!(printed_by("telemetry::alone_without_the_cap").contains("sled::"));
    let printed = printed_by("telemetry::alone_with_daily_files");
    assert!(!printed.contains("sled::"), "{printed}");
    assert!(printed.contains("own line"), "{printed}");
}

#[test]
#[ignore = "takes the logs of its whole process: run by records_of_the_log_crate_are_held_too"]
fn alone_without_the_cap() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).finish().init();
    open_a_store();
}

#[test]
#[ignore = "takes the logs of its whole process: run by records_of_the_log_crate_are_held_too"]
fn alone_with_daily_files() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("logs");
    let log = log(&format!("level = 'trace'\ndir = '{}'", dir.display()));
    let guard = telemetry::start(&log).unwrap();
    open_a_store();
    tracing::debug!("own line");
    assert!(telemetry::start(&log).is_err(), "logging begins once");
    drop(guard);

    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let date = name.strip_prefix("calbridge.").and_then(|name| name.strip_suffix(".log"));
    assert!(date.is_some_and(|date| date.len() == "2026-01-31".len()), "{name}");
    let kept = std::fs::read_to_string(&files[0]).unwrap();
    assert!(kept.contains("own line") && !kept.contains("sled::"), "{kept}");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&dir).unwrap());
    assert_eq!(mode & 0o777, 0o700);
}

fn open_a_store() {
    let place = tempfile::tempdir().expect("a directory for the test");
    let store = sled::open(place.path()).expect("a new store");
    store.insert("key", "value").expect("it is open");
    store.flush().expect("there is room");
}

#[test]
fn files_that_cannot_be_written_are_told() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(telemetry::start(&log(&format!("dir = '{}/logs'", file.display()))).is_err());
}
