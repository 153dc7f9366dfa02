//! The whole store as one file: a backup, and the way from one kind of store to another.
//!
//! A line that names the format; then each record behind its length (32 bits, big-endian); then a
//! length of zero, how many records there were (64 bits) and the SHA-256 of everything before. What
//! is personal stays sealed under the master key, which is not in it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::audit::By;
use super::{App, Error};
use crate::model::audit::Action;
use crate::store::{Keystone, Record, Store, StoreError};

/// What every export of this format begins with.
const HEADER: &[u8; 19] = b"calbridge export 1\n";
/// No record is longer.
const MOST_BYTES: u32 = 1 << 20;
/// So many records are kept in one step.
const AT_ONCE: usize = 500;

/// Why an export was not written, or not taken in.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be written or read.
    #[error("the export cannot be written or read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is not an export of calbridge, or one of a later release")]
    NotAnExport,
    /// It ends too early, or goes on too long.
    #[error(
        "the export is not whole: {0}. Make another, or take an earlier one; nothing was changed"
    )]
    NotWhole(&'static str),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes all that `store` keeps to `file`, as it is at one moment, and syncs it. Returns how many
/// records that are.
pub async fn write(store: &dyn Store, file: File) -> Result<u64, BackupError> {
    let (into, records) = mpsc::channel(AT_ONCE);
    let writing = async move {
        // Gone with the first error: the store would wait for a reader for ever.
        let mut records = records;
        let mut writer = Writer::begin(file)?;
        while let Some(record) = records.recv().await {
            writer.record(&record)?;
        }
        Ok(writer)
    };
    let (exported, written) = tokio::join!(store.export(into), writing);
    exported?;
    let writer: Writer = written.map_err(BackupError::Io)?;
    Ok(writer.end()?)
}

/// What the files of exports in the data directory are called at first.
const PREFIX: &str = "export-";

/// A new file in the data directory, which somebody takes away soon.
pub(super) fn fresh_file(app: &App) -> Result<tempfile::NamedTempFile, BackupError> {
    let made = tempfile::Builder::new().prefix(PREFIX).tempfile_in(&app.settings.data_dir);
    made.map_err(BackupError::Io)
}

/// Writes all that the store keeps to a new file in the data directory.
pub async fn to_file(app: &App) -> Result<(PathBuf, u64), Error> {
    app.act(By::Console, Action::ExportMade).keep().await?;
    let made = fresh_file(app)?;
    let file = made.as_file().try_clone().map_err(BackupError::Io)?;
    let records = write(&*app.store, file).await?;
    let (_, path) = made.keep().map_err(|error| BackupError::Io(error.error))?;
    Ok((path, records))
}

/// Removes the files of exports that nobody took away.
pub fn sweep(data_dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(data_dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// An export that was read through once and is whole.
#[derive(Debug)]
pub struct Checked {
    file: File,
    /// How many records it has.
    pub records: u64,
    /// What opens the vault of the store it was made of.
    pub keystone: Keystone,
}

/// Reads an export through, and changes nothing.
pub fn check(file: File) -> Result<Checked, BackupError> {
    let mut reader = Reader::begin(file)?;
    let mut keystone = None;
    while let Some(record) = reader.next()? {
        if let Record::Keystone(found) = record {
            keystone = Some(found);
        }
    }
    let keystone = keystone.ok_or(BackupError::NotWhole("what opens its vault is missing"))?;
    let records = reader.records;
    let mut file = reader.file.into_inner();
    file.rewind()?;
    Ok(Checked { file, records, keystone })
}

/// Keeps everything in `store`; what opens the vault comes last, so that a store with half of an export
/// is not taken for a whole one.
pub async fn restore(store: &dyn Store, checked: Checked) -> Result<u64, BackupError> {
    let records = checked.records;
    let keystone = fill(store, checked).await?;
    open(store, keystone).await?;
    Ok(records)
}

/// Keeps everything in `store` but what opens the vault, which it returns. Records that are there
/// already stay, so that an import which was broken off can be done again.
pub async fn fill(store: &dyn Store, checked: Checked) -> Result<Keystone, BackupError> {
    let mut reader = Reader::begin(checked.file)?;
    let mut batch = Vec::with_capacity(AT_ONCE);
    while let Some(record) = reader.next()? {
        if matches!(record, Record::Keystone(_)) {
            continue;
        }
        batch.push(record);
        if batch.len() == AT_ONCE {
            store.restore(std::mem::take(&mut batch)).await?;
        }
    }
    store.restore(batch).await?;
    Ok(checked.keystone)
}

/// Lays what opens the vault into a store that was filled: from now on it can be served.
pub async fn open(store: &dyn Store, keystone: Keystone) -> Result<(), BackupError> {
    Ok(store.restore(vec![Record::Keystone(keystone)]).await?)
}

struct Writer {
    file: BufWriter<File>,
    hash: Sha256,
    records: u64,
}

impl Writer {
    fn begin(file: File) -> io::Result<Self> {
        let file = BufWriter::new(file);
        let mut writer = Self { file, hash: Sha256::new(), records: 0 };
        writer.write(HEADER)?;
        Ok(writer)
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        let bytes = record.encode();
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MOST_BYTES);
        let length =
            length.ok_or_else(|| io::Error::other("a record is longer than any may be"))?;
        self.write(&length.to_be_bytes())?;
        self.write(&bytes)?;
        self.records += 1;
        Ok(())
    }

    fn end(mut self) -> io::Result<u64> {
        self.write(&0_u32.to_be_bytes())?;
        self.write(&self.records.to_be_bytes())?;
        let digest = self.hash.finalize();
        self.file.write_all(&digest)?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(self.records)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }
}

struct Reader {
    file: BufReader<File>,
    hash: Sha256,
    records: u64,
}

impl Reader {
    fn begin(file: File) -> Result<Self, BackupError> {
        let mut reader = Self { file: BufReader::new(file), hash: Sha256::new(), records: 0 };
        match reader.bytes::<{ HEADER.len() }>() {
            Ok(header) if header == *HEADER => Ok(reader),
            Ok(_) | Err(BackupError::NotWhole(_)) => Err(BackupError::NotAnExport),
            Err(error) => Err(error),
        }
    }

    /// The next record; none at the end, once that was found to be right.
    fn next(&mut self) -> Result<Option<Record>, BackupError> {
        let length = u32::from_be_bytes(self.bytes()?);
        if length == 0 {
            return self.end().map(|()| None);
        }
        if length > MOST_BYTES {
            return Err(BackupError::NotWhole("a length in it cannot be"));
        }
        let mut bytes = vec![0; usize::try_from(length).expect("32 bits fit")];
        self.read(&mut bytes)?;
        self.records += 1;
        Record::decode(&bytes)
            .map(Some)
            .map_err(|_| BackupError::NotWhole("a record in it cannot be read"))
    }

    fn end(&mut self) -> Result<(), BackupError> {
        if u64::from_be_bytes(self.bytes()?) != self.records {
            return Err(BackupError::NotWhole("records are missing"));
        }
        let expected = self.hash.clone().finalize();
        let told: [u8; 32] = self.bytes()?;
        if expected[..] != told[..] {
            return Err(BackupError::NotWhole("its checksum is another"));
        }
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BackupError::NotWhole("something follows its end")),
            Err(error) => Err(error.into()),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BackupError::NotWhole("it ends too early"),
            _ => error.into(),
        })?;
        self.hash.update(bytes);
        Ok(())
    }
}
