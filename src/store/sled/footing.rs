//! On what a store stands: this run of the machine, and this very file.
//!
//! What a killed process had written the kernel still has, in memory or on disk, so nothing of it is
//! missing as long as both are the same. Another run of the machine may have lost what was not synced,
//! and a copy of a store at work is of no one moment: there every row is read before it is trusted.

use std::num::ParseIntError;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::{fmt, fs};

use crate::model::id::digest_of;

/// The machine's run and the file, told from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footing(u64);

impl Footing {
    /// That of the file `db` in the run of the machine that `boot` names.
    pub(super) fn of(db: &Path, boot: &str) -> Option<Self> {
        let found = fs::metadata(db).ok()?;
        let numbers = [found.dev(), found.ino()].map(u64::to_be_bytes);
        let digest = digest_of(&[boot.as_bytes(), &numbers[0], &numbers[1]]);
        digest.first_chunk().map(|number| Self(u64::from_be_bytes(*number)))
    }
}

impl fmt::Display for Footing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for Footing {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The name of this run of the machine, where the system gives it one (Linux: `random(4)`).
pub(super) fn boot() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(name.trim().to_owned())
}
