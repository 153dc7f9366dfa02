//! The head file beside the store: how far the store is known to be, so that one that was cut,
//! emptied or exchanged is not taken for a smaller one. sled alone opens such a store without a word.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::model::id::{InstanceId, base32hex, digest_of};

/// How far a store is known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The store's name.
    pub instance: InstanceId,
    /// How many batches it has at least.
    pub sequence: u64,
    /// How long its `db` file was then.
    pub db_bytes: u64,
    /// Whether it was closed, and is exactly so.
    pub clean: bool,
}

impl Head {
    /// Reads the head file; none if there is none.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let head = Self::parse(&text);
        head.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unreadable"))
    }

    /// Replaces the head file: afterwards there is the old one or the new one, whatever happens.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("head.new");
        let mut file = File::create(&new)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), sync_dir)
    }

    fn text(&self) -> String {
        let Self { instance, sequence, db_bytes, clean } = self;
        let state = if *clean { "closed" } else { "open" };
        let told = format!("calbridge-store-head 1 {instance} {sequence} {db_bytes} {state}");
        let checksum = checksum(&told);
        format!("{told} {checksum}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let (told, sum) = text.strip_suffix('\n')?.rsplit_once(' ')?;
        if sum != checksum(told) {
            return None;
        }
        let words: Vec<_> = told.split(' ').collect();
        let ["calbridge-store-head", "1", instance, sequence, db_bytes, state] = words[..] else {
            return None;
        };
        Some(Self {
            instance: instance.parse().ok()?,
            sequence: sequence.parse().ok()?,
            db_bytes: db_bytes.parse().ok()?,
            clean: state == "closed",
        })
    }
}

fn checksum(told: &str) -> String {
    base32hex(&digest_of(&[told.as_bytes()]))
}

/// Makes names made or changed in a directory durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
