//! One process per data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::fs::{FlockOperation, flock};

use super::open::OpenError;

/// Holds the data directory until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the directory for this process, or names who has it.
    pub(super) fn take(data_dir: &Path, now: DateTime<Utc>) -> Result<Self, OpenError> {
        let path = data_dir.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(OpenError::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(OpenError::io("read", &path))?;
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    told => told.to_owned(),
                };
                return Err(OpenError::Held { data_dir: data_dir.to_owned(), holder });
            }
            Err(error) => return Err(OpenError::io("lock", &path)(error.into())),
        }
        let since = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let told = format!("process {} since {since}\n", std::process::id());
        file.set_len(0).map_err(OpenError::io("write", &path))?;
        file.write_all(told.as_bytes()).map_err(OpenError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}
