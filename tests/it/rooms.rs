//! Holds `src/` to its rooms: who may name whom, which foreign crate lives where, how long a file
//! may grow.
//!
//! Reads the sources themselves. It sees every path that is written out, in `use` lines, grouped or
//! not, and in the code; it does not follow a name through a re-export.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use paths::{Written, paths};

mod paths;

/// The arrows: a room, and what it may use besides itself. A new arrow is argued for in
/// `docs/architecture.md`, which draws the same table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app",
            "clock",
            "config",
            "daemon",
            "http",
            "model",
            "random",
            "shutdown",
            "simulator",
            "store",
            "telemetry",
            "vault",
        ],
    ),
    (
        "daemon",
        &[
            "app",
            "clock",
            "config",
            "google",
            "http",
            "jobs",
            "limits",
            "mail",
            "model",
            "queue",
            "random",
            "shutdown",
            "simulator",
            "store",
            "telemetry",
            "vault",
        ],
    ),
    ("http", &["app", "model"]),
    ("jobs", &["app", "clock", "google", "limits", "model", "store"]),
    ("queue", &["clock", "limits", "model", "random", "store"]),
    ("app", &["clock", "google", "limits", "mail", "model", "random", "store", "vault"]),
    ("google", &["clock", "limits", "model"]),
    ("mail", &["clock", "limits", "model"]),
    ("limits", &["clock", "model"]),
    ("store", &["clock", "model"]),
    ("vault", &["model", "random"]),
    ("simulator", &["clock"]),
    ("telemetry", &["config"]),
    ("model", &["random"]),
    ("config", &[]),
    ("shutdown", &[]),
    ("clock", &[]),
    ("random", &[]),
];

/// What only one place may name, as the start of a path, and that place.
const LIVES_IN: &[(&[&str], &str)] = &[
    (&["google_calendar3"], "google"),
    (&["lettre"], "mail"),
    (&["oauth2"], "google"),
    (&["yup_oauth2"], "google"),
    (&["sled"], "store/sled"),
    (&["sqlx"], "store/postgres"),
    (&["std", "env"], "config"),
];

/// Names that say nothing about what is inside.
const NO_NOUN: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "shared", "base", "manager", "managers",
];

const LONGEST_FILE: usize = 500;

#[test]
fn no_room_uses_another_without_an_arrow() {
    let wrong: Vec<String> = sources().iter().flat_map(wrong_arrows).collect();
    assert!(wrong.is_empty(), "arrows that are not in the table:\n{}", wrong.join("\n"));
}

#[test]
fn a_foreign_party_is_known_to_one_room() {
    let wrong: Vec<String> = sources().iter().flat_map(strays).collect();
    assert!(wrong.is_empty(), "named outside the one place for it:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_a_noun_and_a_place_in_the_table() {
    for source in sources() {
        assert!(
            source.room == "lib" || may_use(&source.room).is_some(),
            "{source}: the room `{}` is not in the table",
            source.room
        );
        for part in source.file.with_extension("").iter().filter_map(|part| part.to_str()) {
            assert!(!NO_NOUN.contains(&part), "{source}: `{part}` says nothing; find the noun");
        }
    }
}

#[test]
fn no_file_holds_more_than_one_can_read() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= LONGEST_FILE, "{source}: {lines} lines, more than {LONGEST_FILE}");
    }
}

#[test]
fn the_table_has_no_ring() {
    for (room, _) in MAY_USE {
        let mut seen = BTreeSet::new();
        let mut ahead = vec![*room];
        while let Some(next) = ahead.pop() {
            for below in may_use(next).expect("every room an arrow leads to is in the table") {
                assert_ne!(below, room, "`{room}` leads back to itself");
                if seen.insert(*below) {
                    ahead.push(below);
                }
            }
        }
    }
}

// ---- the reader's own tests: small inputs, so that it is known to fail ----

#[test]
fn an_arrow_is_seen_however_it_is_written() {
    for (file, text) in [
        ("google/events.rs", "use crate::store::Store;"),
        ("google/events.rs", "use crate::{model::id::EventId, store::{self, Store}};"),
        ("google/events.rs", "use {crate::model::id, crate::store};"),
        ("google/events.rs", "fn push(store: &dyn crate::store::Store) {}"),
        ("google/events.rs", "use super::super::store::Store;"),
        ("google/mod.rs", "use super::store::Store;"),
        ("google/mod.rs", "use super::{model, store::Store};"),
        ("google/mod.rs", "use self::super::store::Store;"),
        ("google/mod.rs", "mod inner { use super::super::store::Store; }"),
        ("google/mod.rs", "macro_rules! keep { () => { $crate::store::keep() }; }"),
        ("google/mod.rs", "const OPEN: char = '{'; use crate::store;"),
        ("google/mod.rs", "const QUOTE: char = '\"'; use crate::store; // \""),
        ("google/mod.rs", "fn of<'a>(s: &'a str) -> crate::store::Row<'a> { keep(s) }"),
        ("google/mod.rs", "const S: &str = \"\\\"\"; use crate::store;"),
        ("google/mod.rs", "const S: &str = r#\"\\\"#; use crate::store;"),
        ("google/mod.rs", "/* a /* nested */ remark */ use crate::store;"),
    ] {
        let wrong = wrong_arrows(&Source::new(file, text));
        assert_eq!(wrong.len(), 1, "{text}\n{wrong:?}");
        assert!(wrong[0].contains("`store`"), "{text}\n{wrong:?}");
    }
}

#[test]
fn the_whole_crate_at_once_is_no_arrow() {
    for text in ["use crate::*;", "use crate::{self as all};", "use crate::nowhere::Thing;"] {
        assert_eq!(wrong_arrows(&Source::new("http/events.rs", text)).len(), 1, "{text}");
    }
}

#[test]
fn what_is_only_talked_about_is_no_arrow() {
    for text in [
        "//! See `crate::store::Store`.",
        "/// As [`crate::store::Store`] promises.\nfn push() {}",
        "/* use crate::store::Store; /* crate::store */ */",
        "const TEXT: &str = \"crate::store \\\" crate::store\";",
        "const TEXT: &str = r#\"crate::store \" crate::store\"#;",
        "const BYTES: &[u8] = b\"crate::store\";",
        "pub(crate) struct Call<'a>(&'a str, char); const Q: char = '\\''; // crate::store",
        "use crate::model::id::EventId; use crate::google::client; use super::client::store;",
        "mod tests { use super::store; }",
    ] {
        let wrong = wrong_arrows(&Source::new("google/events.rs", text));
        assert!(wrong.is_empty(), "{text}\n{wrong:?}");
    }
}

#[test]
fn a_stray_foreign_name_is_seen_and_a_room_of_that_name_is_not() {
    for (file, text) in [
        ("app/events.rs", "use google_calendar3::api::Event;"),
        ("app/events.rs", "fn call() { oauth2::basic::BasicClient::new(id) }"),
        ("store/memory/mod.rs", "use sled;"),
        ("store/memory/mod.rs", "use {sled::Db, serde::Serialize};"),
        ("store/mod.rs", "pub mod sled; fn open() { ::sled::open(path) }"),
        ("http/mod.rs", "use std::{env, fmt};"),
        ("http/mod.rs", "fn home() { std::env::var_os(HOME) }"),
    ] {
        assert_eq!(strays(&Source::new(file, text)).len(), 1, "{text}");
    }
    for (file, text) in [
        ("google/events.rs", "use google_calendar3::api::Event;"),
        ("store/sled/mod.rs", "use ::sled::Db; fn open() { sled::open(path) }"),
        ("store/mod.rs", "pub mod sled; fn open() { sled::Rows::open(path) }"),
        ("daemon.rs", "use crate::store::{memory, sled}; fn open() { sled::Rows::open(path) }"),
        ("daemon.rs", "use crate::store::sled::Rows; // not sled::Db"),
        ("http/classic.rs", "fn oauth2callback(env: Env) { env::at(OUT); env!(\"NAME\") }"),
        ("config/raw.rs", "use std::env;"),
    ] {
        let wrong = strays(&Source::new(file, text));
        assert!(wrong.is_empty(), "{text}\n{wrong:?}");
    }
}

// ---- the reader ----

/// One file under `src/`.
struct Source {
    /// Its path below `src/`.
    file: PathBuf,
    /// The room it stands in; `main` and `lib` for the two roots.
    room: String,
    text: String,
}

impl Source {
    fn new(file: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let file = file.into();
        let stem = file.with_extension("");
        let room = stem.iter().next().and_then(|part| part.to_str());
        let room = room.expect("a file under src/ has a name in UTF-8").to_owned();
        Self { file, room, text: text.into() }
    }

    /// How many modules the file stands below the root of the crate.
    fn depth(&self) -> usize {
        let stem = self.file.with_extension("");
        let parts = stem.iter().count();
        let unnamed = stem.ends_with("mod") || matches!(self.room.as_str(), "main" | "lib");
        if unnamed { parts - 1 } else { parts }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "src/{}", self.file.display())
    }
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut ahead = vec![src.clone()];
    while let Some(folder) = ahead.pop() {
        for entry in std::fs::read_dir(&folder).expect("src/ can be listed") {
            let path = entry.expect("src/ can be listed").path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&src).expect("it was found there").to_owned();
                let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
                found.push(Source::new(below, text));
            }
        }
    }
    assert!(found.len() > MAY_USE.len(), "src/ was not found");
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

fn may_use(room: &str) -> Option<&'static [&'static str]> {
    MAY_USE.iter().find(|(from, _)| *from == room).map(|(_, to)| *to)
}

/// The arrows out of this file that the table does not have.
fn wrong_arrows(source: &Source) -> Vec<String> {
    let allowed = may_use(&source.room).unwrap_or(&[]);
    let paths = paths(&source.text, source.depth());
    let arrows: BTreeSet<(usize, &str)> =
        paths.iter().filter_map(|path| Some((path.line, path.room()?))).collect();
    arrows
        .into_iter()
        .filter(|(_, to)| *to != source.room && !allowed.contains(to))
        .map(|(line, to)| format!("{source}:{line}: `{}` may not use `{to}`", source.room))
        .collect()
}

/// The foreign names in this file that belong elsewhere.
fn strays(source: &Source) -> Vec<String> {
    let paths = paths(&source.text, source.depth());
    let foreign = |path: &&Written, name: &[&str]| {
        let own =
            |other: &Written| other.is_ours() && other.segments.last() == path.segments.first();
        path.segments.iter().zip(name).filter(|(a, b)| a == b).count() == name.len()
            && (path.segments.len() > 1 || path.imported)
            && (path.absolute || !paths.iter().any(own))
    };
    let mut found = Vec::new();
    for (name, home) in LIVES_IN.iter().filter(|(_, home)| !source.file.starts_with(home)) {
        for path in paths.iter().filter(|path| foreign(path, name)) {
            let name = name.join("::");
            found.push(format!("{source}:{}: `{name}` is only for src/{home}", path.line));
        }
    }
    found
}
