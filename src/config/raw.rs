//! Settings as they were written: layers of keys and values, each with the place it came from.
//!
//! A later layer wins, key by key. Nothing is judged here but what cannot be read at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Fault;

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Variables that stand for a setting begin with this.
const PREFIX: &str = "CALBRIDGE_";

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is built in.
    Default,
    /// In a file, on a line; 0 for the file as a whole.
    File(PathBuf, usize),
    /// In a variable of the environment.
    Variable(String),
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("built in"),
            Self::File(path, 0) => write!(out, "{}", path.display()),
            Self::File(path, line) => write!(out, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(out, "variable {name}"),
            Self::CommandLine => out.write_str("command line"),
        }
    }
}

/// A value as written. Variables and flags have no types of their own: theirs is `Untyped`.
#[derive(Clone, Debug)]
pub(super) enum Written {
    Text(String),
    Whole(i64),
    Flag(bool),
    Untyped(String),
    /// A table without keys.
    Empty,
    /// Something no setting is, such as a list.
    Other,
}

/// All layers in one: key → value and where it stood.
pub(super) struct Raw {
    pub(super) values: BTreeMap<String, (Written, Origin)>,
    pub(super) notes: Vec<String>,
    pub(super) faults: Vec<Fault>,
}

impl Raw {
    /// The built-in layer under all others.
    pub(super) fn layers(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut raw = Self::defaults();
        if let Some(path) = file {
            match std::fs::read_to_string(path) {
                Ok(text) => raw.lay_text(&text, path),
                Err(error) => raw.faults.push(Fault {
                    key: "--config".into(),
                    origin: Origin::File(path.to_owned(), 0),
                    rule: format!("cannot be read: {error}"),
                }),
            }
        }
        raw.lay_environment(environment);
        for (key, value) in flags {
            raw.values.insert(key, (Written::Untyped(value), Origin::CommandLine));
        }
        raw
    }

    /// The built-in layer with `text` over it.
    pub(super) fn text(text: &str) -> Self {
        let mut raw = Self::defaults();
        raw.lay_text(text, Path::new("settings"));
        raw
    }

    fn defaults() -> Self {
        let mut raw = Self { values: BTreeMap::new(), notes: Vec::new(), faults: Vec::new() };
        raw.lay(DEFAULTS, |_| Origin::Default);
        raw
    }

    fn lay_text(&mut self, text: &str, path: &Path) {
        self.lay(text, |line| Origin::File(path.to_owned(), line));
    }

    fn lay(&mut self, text: &str, origin: impl Fn(usize) -> Origin) {
        let line = |span: Range<usize>| {
            let before = text.as_bytes().get(..span.start).unwrap_or_default();
            before.split(|byte| *byte == b'\n').count()
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        // What follows an error on its line says nothing new.
        let mut unread = BTreeSet::new();
        for error in errors {
            let line = error.span().map_or(0, line);
            if unread.insert(line) {
                let rule = error.message().to_owned();
                self.faults.push(Fault { key: "TOML".into(), origin: origin(line), rule });
            }
        }
        let mut place = |key: String, value: Written, span: Range<usize>| {
            let line = line(span);
            if !unread.contains(&line) {
                self.values.insert(key, (value, origin(line)));
            }
        };
        flatten("", table.get_ref(), &mut place);
    }

    fn lay_environment(&mut self, environment: impl IntoIterator<Item = (OsString, OsString)>) {
        let mut told: Vec<(String, String)> = Vec::new();
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
            match value.to_str() {
                Some("") => {}
                Some(value) => told.push((name.to_owned(), value.to_owned())),
                None => self.faults.push(Fault {
                    key: name.to_owned(),
                    origin: Origin::Variable(name.to_owned()),
                    rule: "must be UTF-8".into(),
                }),
            }
        }
        // What is ours by name wins over the names that others use too.
        told.sort_by_key(|(name, _)| name.starts_with(PREFIX));
        for (name, value) in &told {
            let mut place = |key: String| {
                let written = Written::Untyped(value.clone());
                self.values.insert(key, (written, Origin::Variable(name.clone())));
            };
            match name.as_str() {
                "GOOGLE_REDIRECT_URI" => place("google.redirect_uri".into()),
                "FRONTEND_URL" => place("cors.origins".into()),
                "SMTP_HOST" | "MAIL_SERVER" => place("mail.host".into()),
                "SMTP_PORT" | "MAIL_PORT" => place("mail.port".into()),
                "SMTP_USER" | "MAIL_USERNAME" => place("mail.username".into()),
                "SMTP_PASS" | "MAIL_PASSWORD" => place("mail.password".into()),
                "MAIL_DEFAULT_SENDER" => place("mail.from".into()),
                "MAIL_USE_TLS" => self.lay_mail_security(value),
                "RUST_LOG" => place("log.level".into()),
                "NODE_ENV" => self.notes.push("NODE_ENV is ignored: nothing depends on it".into()),
                "STATE_DIRECTORY" => self.lay_state_directory(value),
                "CREDENTIALS_DIRECTORY" => self.lay_credential(value),
                _ => {
                    if let Some(key) = name.strip_prefix(PREFIX) {
                        place(key_of(key));
                    }
                }
            }
        }
        if let Some((_, port)) = told.iter().find(|(name, _)| name == "PORT") {
            self.change_port(port);
        }
    }

    /// systemd names the directories it made, separated by colons; the first is for the store.
    fn lay_state_directory(&mut self, directories: &str) {
        let first = directories.split(':').next().unwrap_or_default();
        self.lay_unless_written("data_dir", first.to_owned(), "STATE_DIRECTORY");
    }

    /// What the seeds' variable says of TLS: without, the server must be on this machine.
    fn lay_mail_security(&mut self, tls: &str) {
        let origin = Origin::Variable("MAIL_USE_TLS".into());
        let security = match tls.to_ascii_lowercase().as_str() {
            "true" | "1" => "auto",
            "false" | "0" => "none",
            _ => {
                let rule = "must be true or false".into();
                self.faults.push(Fault { key: "MAIL_USE_TLS".into(), origin, rule });
                return;
            }
        };
        self.values.insert("mail.security".into(), (Written::Untyped(security.into()), origin));
    }

    fn lay_credential(&mut self, directory: &str) {
        let key = Path::new(directory).join("calbridge-key");
        if key.exists() {
            self.lay_unless_written(
                "vault.key_file",
                key.to_string_lossy().into_owned(),
                "CREDENTIALS_DIRECTORY",
            );
        }
    }

    fn lay_unless_written(&mut self, key: &str, value: String, variable: &str) {
        let default = self.values.get(key).is_none_or(|(_, origin)| *origin == Origin::Default);
        if default {
            let value = (Written::Untyped(value), Origin::Variable(variable.into()));
            self.values.insert(key.into(), value);
        }
    }

    /// Keeps the address of `listen`, as written so far.
    fn change_port(&mut self, port: &str) {
        let origin = Origin::Variable("PORT".into());
        if port.parse::<u16>().is_err() {
            let rule = "must be a port, 0 to 65535".into();
            self.faults.push(Fault { key: "PORT".into(), origin, rule });
            return;
        }
        let Some((Written::Text(listen) | Written::Untyped(listen), _)) = self.values.get("listen")
        else {
            return; // of the wrong type: told elsewhere
        };
        let Some((address, _)) = listen.rsplit_once(':') else {
            return; // not an address with a port: told elsewhere
        };
        let listen = Written::Untyped(format!("{address}:{port}"));
        self.values.insert("listen".into(), (listen, origin));
    }
}

/// Whether a variable may mean something to calbridge.
fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
        || matches!(
            name,
            "SMTP_HOST"
                | "SMTP_PORT"
                | "SMTP_USER"
                | "SMTP_PASS"
                | "MAIL_SERVER"
                | "MAIL_PORT"
                | "MAIL_USE_TLS"
                | "MAIL_USERNAME"
                | "MAIL_PASSWORD"
                | "MAIL_DEFAULT_SENDER"
                | "PORT"
                | "GOOGLE_REDIRECT_URI"
                | "FRONTEND_URL"
                | "RUST_LOG"
                | "NODE_ENV"
                | "STATE_DIRECTORY"
                | "CREDENTIALS_DIRECTORY"
        )
}

/// `GOOGLE__API_URL` → `google.api_url`.
fn key_of(variable: &str) -> String {
    variable.to_ascii_lowercase().replace("__", ".")
}

/// `google.api_url` → `CALBRIDGE_GOOGLE__API_URL`.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

fn flatten(
    prefix: &str,
    table: &DeTable<'_>,
    place: &mut impl FnMut(String, Written, Range<usize>),
) {
    for (key, value) in table {
        let span = key.span();
        let key = match prefix {
            "" => key.get_ref().to_string(),
            _ => format!("{prefix}.{}", key.get_ref()),
        };
        let written = match value.get_ref() {
            DeValue::String(text) => Written::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Written::Other, Written::Whole),
            DeValue::Boolean(flag) => Written::Flag(*flag),
            DeValue::Table(table) if table.is_empty() => Written::Empty,
            DeValue::Table(table) => {
                flatten(&key, table, place);
                continue;
            }
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) => Written::Other,
        };
        place(key, written, span);
    }
}
