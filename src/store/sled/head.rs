//! The head file beside the store: how far the store is known to be, so that one that was cut,
//! emptied or exchanged is not taken for a smaller one. sled alone opens such a store without a word.
//!
//! It has two lines of the same length, written in turn, so that one is whole whatever happens
//! to the other; the one of the higher turn counts. It is written after every batch and synced
//! from time to time: exact after a kill, somewhat behind after a power cut, and never ahead.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::footing::Footing;
use crate::model::id::{InstanceId, base32hex, digest_of};

/// Bytes of a line, its end included.
const LINE: usize = 256;

/// Stands for no footing.
const NOWHERE: &str = "-";

/// How far a store is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The store's name.
    pub instance: InstanceId,
    /// How many batches it has at least.
    pub sequence: u64,
    /// How long its `db` file was then.
    pub db_bytes: u64,
    /// Whether it was closed, and is exactly so.
    pub clean: bool,
    /// On what its rows were known to be whole, all of them; none where that has to be seen.
    pub footing: Option<Footing>,
}

/// The head file, opened.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    turn: u64,
    /// What it says.
    pub head: Head,
    /// What it says on disk for sure.
    pub synced: Head,
}

impl HeadFile {
    /// Makes the file: afterwards it is there whole, or not at all.
    pub(super) fn create(path: &Path, head: Head) -> io::Result<Self> {
        let new = path.with_extension("head.new");
        let mut file = File::create(&new)?;
        file.write_all(line(&head, 0).as_bytes())?;
        file.write_all(line(&head, 1).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), sync_dir)?;
        Ok(Self { file, turn: 1, head, synced: head })
    }

    /// Opens the file; none if there is none, `InvalidData` if neither line can be read.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = fs::read(path)?;
        let newest = text.chunks(LINE).filter_map(parse).max_by_key(|(turn, _)| *turn);
        let (turn, head) = newest.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some(Self { file, turn, head, synced: head }))
    }

    /// Writes `head`, which is on disk already. A power cut may bring the last synced one back.
    pub(super) fn note(&mut self, head: Head) -> io::Result<()> {
        self.turn += 1;
        let at = (self.turn % 2) * LINE as u64;
        self.file.write_all_at(line(&head, self.turn).as_bytes(), at)?;
        self.head = head;
        Ok(())
    }

    /// Makes what was noted last durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.synced = self.head;
        Ok(())
    }

    /// Has the next start read every row: what the kernel could not write it may have forgotten. A disk
    /// that does not take that either is not asked for more.
    pub(super) fn distrust(&mut self) {
        let told = self.keep(Head { footing: None, ..self.head });
        if let Err(error) = told {
            tracing::warn!(%error, "`store.head` cannot be written any more");
        }
    }

    /// Writes `head` and makes it durable.
    pub(super) fn keep(&mut self, head: Head) -> io::Result<()> {
        self.note(head)?;
        self.sync()
    }
}

fn line(head: &Head, turn: u64) -> String {
    let Head { instance, sequence, db_bytes, clean, footing } = head;
    let state = if *clean { "closed" } else { "open" };
    let footing = footing.map_or_else(|| NOWHERE.to_owned(), |footing| footing.to_string());
    let told =
        format!("calbridge-store-head 2 {turn} {instance} {sequence} {db_bytes} {state} {footing}");
    let told = format!("{told} {}", checksum(&told));
    format!("{told:<width$}\n", width = LINE - 1)
}

fn parse(line: &[u8]) -> Option<(u64, Head)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.trim_end();
    let (told, sum) = line.rsplit_once(' ')?;
    if sum != checksum(told) {
        return None;
    }
    let words: Vec<_> = told.split(' ').collect();
    let (words, footing) = match words[..] {
        ["calbridge-store-head", "1", ref words @ ..] => (words, NOWHERE),
        ["calbridge-store-head", "2", ref words @ .., footing] => (words, footing),
        _ => return None,
    };
    let [turn, instance, sequence, db_bytes, state] = *words else { return None };
    let head = Head {
        instance: instance.parse().ok()?,
        sequence: sequence.parse().ok()?,
        db_bytes: db_bytes.parse().ok()?,
        clean: state == "closed",
        footing: if footing == NOWHERE { None } else { Some(footing.parse().ok()?) },
    };
    Some((turn.parse().ok()?, head))
}

fn checksum(told: &str) -> String {
    base32hex(&digest_of(&[told.as_bytes()]))
}

/// Makes a file durable, or the names made or changed in a directory.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
